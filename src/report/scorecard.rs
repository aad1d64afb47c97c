//! What a run comes to: the fourteen rows, the score, the verdict, and the findings in the order in which to fix them.
//! Each format draws these in its own way.

use schemars::JsonSchema;
use serde::Serialize;

use super::{text, words};
use crate::{
    causes,
    lang::Lang,
    message::{Joint, Message},
    verdict::{Cause, CheckResult, Counts, ExitCode, Failure, Gate, Level, Outcome, Row, RunReport},
};

/// How many rows the score is about: those of the team's checklist, C1 to C12.
pub const SCORED: usize = 12;

/// What a row comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// All that must hold, and applies to the deployment, was seen to hold.
    Right,
    /// Nothing wrong was seen, but not all was looked at that must hold and applies to the deployment.
    PartlyJudged,
    /// Something works and could be better.
    ToImprove,
    /// What must hold does not.
    Failed,
    /// No check of the row was judged.
    NotJudged,
}

impl Mark {
    /// The mark of results with these counts.
    pub fn of(counts: Counts) -> Mark {
        if counts.failed > 0 {
            Mark::Failed
        } else if counts.warned + counts.waived > 0 {
            Mark::ToImprove
        } else if counts.passed + counts.noted + counts.broken > 0 && counts.unjudged + counts.broken > 0 {
            Mark::PartlyJudged
        } else if counts.passed + counts.noted > 0 {
            // What the protocol leaves open is worth knowing, and costs nobody a point.
            Mark::Right
        } else {
            Mark::NotJudged
        }
    }

    /// One character for it.
    pub const fn symbol(self) -> &'static str {
        match self {
            Mark::Right => "✅",
            Mark::PartlyJudged => "◐",
            Mark::ToImprove => "⚠️",
            Mark::Failed => "❌",
            Mark::NotJudged => "–",
        }
    }

    /// The words for it.
    pub const fn words(self) -> &'static str {
        match self {
            Mark::Right => "right",
            Mark::PartlyJudged => "partly judged",
            Mark::ToImprove => "to improve",
            Mark::Failed => "failed",
            Mark::NotJudged => "not judged",
        }
    }
}

/// What a result means for the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It fails the run.
    Failed,
    /// A finding that does not fail the run by what the run is held to.
    ToImprove,
    /// A failure that is accepted until a date.
    Waived,
    /// A failure of the baseline, which lets it pass.
    Known,
    /// The check passed at times, which is let pass.
    Flaky,
    /// It could not be judged.
    Broken,
    /// It was not run, because of another check.
    Blocked,
    /// It was not run.
    Skipped,
    /// What must hold was seen to hold.
    Passed,
}

impl Ending {
    /// All of them, what has to be looked at first.
    pub const ALL: [Ending; 9] = [
        Ending::Failed,
        Ending::ToImprove,
        Ending::Waived,
        Ending::Known,
        Ending::Flaky,
        Ending::Broken,
        Ending::Blocked,
        Ending::Skipped,
        Ending::Passed,
    ];

    /// What the result means for a run that is held to this.
    pub fn of(result: &CheckResult, gate: &Gate) -> Ending {
        match &result.outcome {
            Outcome::Pass => Ending::Passed,
            Outcome::Skip { .. } => Ending::Skipped,
            Outcome::Blocked { .. } => Ending::Blocked,
            _ if result.is_waived() => Ending::Waived,
            _ if gate.refuses(result) => Ending::Failed,
            _ if gate.forgives(result) => Ending::Flaky,
            Outcome::Broken { .. } => Ending::Broken,
            Outcome::Fail(_) if result.known => Ending::Known,
            Outcome::Fail(_) => Ending::ToImprove,
        }
    }

    /// The words for it, the same in every report.
    pub const fn words(self) -> &'static str {
        match self {
            Ending::Failed => "failed",
            Ending::ToImprove => "to improve",
            Ending::Waived => "waived",
            Ending::Known => "known",
            Ending::Flaky => "flaky",
            Ending::Broken => "could not be judged",
            Ending::Blocked => "blocked",
            Ending::Skipped => "skipped",
            Ending::Passed => "passed",
        }
    }

    /// The mark for it.
    pub const fn mark(self) -> Mark {
        match self {
            Ending::Failed => Mark::Failed,
            Ending::ToImprove | Ending::Waived | Ending::Known | Ending::Flaky | Ending::Broken => Mark::ToImprove,
            Ending::Blocked | Ending::Skipped => Mark::NotJudged,
            Ending::Passed => Mark::Right,
        }
    }
}

/// What the gate has to say of the run, for its head.
pub fn about_run(report: &RunReport, lang: &Lang) -> Vec<String> {
    words::of_run(report).into_iter().map(|said| lang.tell(said)).collect()
}

/// What the gate has to say of a result: waived, known, worse, flaky.
pub fn about(result: &CheckResult, lang: &Lang) -> Vec<String> {
    words::of_result(result).into_iter().map(|said| lang.tell(said)).collect()
}

/// What the gate has to say of each of these.
pub fn said_of<'a>(results: &[&'a CheckResult], lang: &Lang) -> Vec<(&'a CheckResult, String)> {
    results.iter().flat_map(|&result| about(result, lang).into_iter().map(move |said| (result, said))).collect()
}

/// How much work the fix is, in words.
pub fn effort(result: &CheckResult, lang: &Lang) -> Option<String> {
    let effort = result.effort.as_deref()?;
    Some(match effort {
        "minutes" => lang.say("a matter of minutes"),
        "hours" => lang.say("a matter of hours"),
        "days" => lang.say("a matter of days"),
        other => other.to_owned(),
    })
}

/// A row of the scorecard.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct RowScore {
    /// The row.
    pub row: Row,
    /// What it comes to.
    pub mark: Mark,
    /// How its checks ended.
    pub counts: Counts,
    /// The cause that belongs to it, if there is one: by its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'static str>,
}

impl RowScore {
    /// How the row's checks ended, such as `1 failed, 3 passed`.
    pub fn tally(&self, lang: &Lang) -> String {
        let mut parts = tally(self.counts, lang);
        if let Some(cause) = causes::ALL.iter().find(|kind| Some(kind.id) == self.cause) {
            parts.insert(0, lang.say(cause.title));
        }
        match (parts.is_empty(), self.row) {
            // Dependencies and the client's own code do not show on the wire.
            (true, Row::C1 | Row::C10) => lang.say("not judged from outside"),
            (true, _) => lang.say("not judged"),
            (false, _) => parts.join(", "),
        }
    }
}

/// The worst first.
fn tally(counts: Counts, lang: &Lang) -> Vec<String> {
    let parts = [
        (counts.failed, "failed"),
        (counts.warned, "to improve"),
        (counts.noted, "worth knowing"),
        (counts.broken, "could not be judged"),
        (counts.waived, "waived"),
        (counts.passed, "passed"),
        (counts.blocked, "blocked"),
        (counts.skipped, "skipped"),
    ];
    parts.into_iter().filter(|part| part.0 > 0).map(|(number, what)| counted(number, what, lang)).collect()
}

/// How many there are of what: `3 passed`.
pub fn counted(number: usize, what: &'static str, lang: &Lang) -> String {
    lang.tell(say!("{number} {what}", number, what))
}

/// The fourteen rows, in order.
pub fn rows(report: &RunReport) -> [RowScore; 14] {
    let causes = causes::of(&report.results);
    Row::ALL.map(|row| {
        let counts = Counts::of(report.results.iter().filter(|result| result.row == row));
        let own = || causes.iter().filter(|cause| cause.row == row);
        let mark = match Mark::of(counts) {
            _ if own().any(|cause| cause_mark(cause, report) == Mark::Failed) => Mark::Failed,
            Mark::Failed => Mark::Failed,
            _ if own().next().is_some() => Mark::ToImprove,
            mark => mark,
        };
        let named = |cause: &Cause| causes::ALL.iter().find(|kind| kind.id == cause.id).map(|kind| kind.id);
        RowScore { row, mark, counts, cause: own().find_map(named) }
    })
}

/// What is wrong at the root, in this language.
pub fn causes(report: &RunReport, lang: &Lang) -> Vec<Cause> {
    let said = |cause: Cause| Cause {
        title: lang.say(&cause.title),
        seen: lang.translated(&cause.seen),
        fix: lang.say(&cause.fix),
        ..cause
    };
    causes::of(&report.results).into_iter().map(said).collect()
}

/// What the cause costs its row: all, unless each of its symptoms is let pass.
pub fn cause_mark(cause: &Cause, report: &RunReport) -> Mark {
    let weighs = |result: &CheckResult| {
        let ending = Ending::of(result, &report.gate);
        ending == Ending::Failed || ending == Ending::Broken && result.level == Level::Must
    };
    let mut symptoms = report.results.iter().filter(|result| cause.symptoms.contains(&result.id));
    if symptoms.any(weighs) { Mark::Failed } else { Mark::ToImprove }
}

/// How often a cause shows, and how many checks were not run because of it: `4 checks show it, 12 were not run for it`.
pub fn extent(cause: &Cause, lang: &Lang) -> String {
    let (shown, hidden) = (cause.symptoms.len(), cause.hides.len());
    let shown = match shown {
        0 => "no check fails because of it".into(),
        count => say!("{count} check shows it" | "{count} checks show it", count),
    };
    let hidden = (hidden > 0)
        .then(|| say!("{count} was not run because of it" | "{count} were not run because of it", count = hidden));
    lang.tell(Message::list(std::iter::once(shown).chain(hidden), Joint::Comma))
}

/// All there is to say of a cause, on one line.
pub fn told(cause: &Cause, lang: &Lang) -> String {
    let Cause { id, title, seen, symptoms, fix, .. } = cause;
    let (extent, fixed) = (extent(cause, lang), lang.say("Fix"));
    let shown = if symptoms.is_empty() { extent } else { format!("{extent}: {}", symptoms.join(", ")) };
    format!("{id}: {title}; {}; {shown}; {fixed}: {fix}", seen.text())
}

/// The failed checks that no cause explains, as [`findings`] has them, and then those that one does.
pub type Findings<'a> = Vec<(&'a CheckResult, &'a Failure)>;

/// The findings apart: those that stand for themselves, and the symptoms of causes.
pub fn findings_apart<'a>(report: &'a RunReport, causes: &[Cause]) -> (Findings<'a>, Findings<'a>) {
    let is_symptom = |result: &CheckResult| causes.iter().any(|cause| cause.symptoms.contains(&result.id));
    findings(report).into_iter().partition(|(result, _)| !is_symptom(result))
}

/// How many of the rows C1 to C12 have which mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Score {
    /// Rows that are right.
    pub right: usize,
    /// Rows that could be better.
    pub to_improve: usize,
    /// Rows in which nothing wrong was seen, and not all was looked at.
    pub partly_judged: usize,
    /// Rows in which something that must hold does not.
    pub failed: usize,
    /// Rows that were not judged.
    pub not_judged: usize,
}

impl Score {
    /// The score of a run.
    pub fn of(report: &RunReport) -> Score {
        let rows = rows(report);
        let number = |mark| rows.iter().take(SCORED).filter(|row| row.mark == mark).count();
        Score {
            right: number(Mark::Right),
            to_improve: number(Mark::ToImprove),
            partly_judged: number(Mark::PartlyJudged),
            failed: number(Mark::Failed),
            not_judged: number(Mark::NotJudged),
        }
    }

    /// The number of rows by mark.
    pub fn parts(self) -> [(Mark, usize); 5] {
        [
            (Mark::Right, self.right),
            (Mark::PartlyJudged, self.partly_judged),
            (Mark::ToImprove, self.to_improve),
            (Mark::Failed, self.failed),
            (Mark::NotJudged, self.not_judged),
        ]
    }

    /// `9/12`.
    pub fn fraction(self) -> String {
        format!("{}/{SCORED}", self.right)
    }

    /// What the fraction hides: rows that were not judged, or not wholly, are not right either.
    pub fn caveat(self, lang: &Lang) -> Option<String> {
        let all = SCORED;
        let caveat = match (self.not_judged, self.partly_judged) {
            (0, 0) => return None,
            (0, count) => say!(
                "{count} of the {all} rows was judged in part, and does not count as right"
                    | "{count} of the {all} rows were judged in part, and do not count as right",
                count,
                all
            ),
            (count, 0) => say!(
                "{count} of the {all} rows was not judged, and does not count as right"
                    | "{count} of the {all} rows were not judged, and do not count as right",
                count,
                all
            ),
            (not, partly) => {
                let count = not + partly;
                say!("{count} of the {all} rows were not judged, or in part, and do not count as right", count, all)
            }
        };
        Some(lang.tell(caveat))
    }
}

/// The verdict in words, and the mark that goes with it.
pub fn verdict(report: &RunReport) -> (Mark, &'static str) {
    let counts = report.counts();
    match report.exit_code() {
        ExitCode::Conforms if counts.failed + counts.waived + counts.flaky > 0 => {
            (Mark::ToImprove, "passes, with failures that are accepted")
        }
        ExitCode::Conforms if counts.unjudged > 0 => (Mark::PartlyJudged, "conforms as far as it was judged"),
        ExitCode::Conforms if counts.skipped > 0 => (Mark::Right, "conforms as far as it was judged"),
        ExitCode::Conforms => (Mark::Right, "conforms"),
        ExitCode::DoesNotConform => (Mark::Failed, "does not conform"),
        ExitCode::NothingMatched if report.judged_something() => (Mark::PartlyJudged, "not enough was judged"),
        ExitCode::NothingMatched => (Mark::NotJudged, "nothing was judged"),
        _ => (Mark::ToImprove, "not proven to conform"),
    }
}

/// How all checks ended: `52 passed, 0 failed, 3 skipped`.
pub fn summary(report: &RunReport, lang: &Lang) -> String {
    let counts = report.counts();
    let always = [(counts.passed, "passed"), (counts.failed, "failed")];
    let more = [
        (counts.warned, "to improve"),
        (counts.noted, "worth knowing"),
        (counts.broken, "could not be judged"),
        (counts.blocked, "blocked"),
        (counts.skipped, "skipped"),
        (counts.waived, "waived"),
        (counts.known, "known"),
        (counts.worse, "known, but worse"),
        (counts.flaky, "flaky"),
    ];
    let parts = always.into_iter().chain(more.into_iter().filter(|(number, _)| *number > 0));
    parts.map(|(number, what)| counted(number, what, lang)).collect::<Vec<_>>().join(", ")
}

/// What the report is about, for its head.
pub fn target(report: &RunReport, lang: &Lang) -> String {
    match report.reference {
        true => lang.tell(say!("the reference server at {target} (no URL given)", target = report.target)),
        false => report.target.clone(),
    }
}

/// The failed checks, the most important first; within a level in the catalogue's order.
pub fn findings(report: &RunReport) -> Vec<(&CheckResult, &Failure)> {
    let failed = report.results.iter().filter_map(|result| match &result.outcome {
        Outcome::Fail(failure) => Some((result, failure)),
        _ => None,
    });
    let mut failed: Vec<_> = failed.collect();
    failed.sort_by_key(|(result, _)| std::cmp::Reverse(result.level));
    failed
}

/// The levels of findings with the heading for them, in the order in which to fix them.
pub const PRIORITIES: [(Level, &str); 3] =
    [(Level::Must, "High priority"), (Level::Should, "Medium priority"), (Level::May, "Low priority")];

/// Results with what is said of them, grouped by that, in the order in which it first occurs.
pub type Groups<'a> = Vec<(&'a Message, Vec<&'a CheckResult>)>;

/// The checks that could not be judged, by reason.
pub fn broken(report: &RunReport) -> Groups<'_> {
    grouped(report.results.iter().filter_map(|result| match &result.outcome {
        Outcome::Broken { reason } => Some((reason, result)),
        _ => None,
    }))
}

/// The blocked checks, by what blocks them.
pub fn blocked(report: &RunReport) -> Groups<'_> {
    grouped(report.results.iter().filter_map(|result| match &result.outcome {
        Outcome::Blocked { reason, .. } => Some((reason, result)),
        _ => None,
    }))
}

/// The skipped checks, by reason.
pub fn skipped(report: &RunReport) -> Groups<'_> {
    grouped(report.results.iter().filter_map(|result| match &result.outcome {
        Outcome::Skip { reason, .. } => Some((reason, result)),
        _ => None,
    }))
}

/// Remarks of checks that did not fail; those of the others stand beside the failure.
pub fn notes(report: &RunReport) -> Groups<'_> {
    let others = report.results.iter().filter(|result| !matches!(result.outcome, Outcome::Fail(_)));
    grouped(others.flat_map(|result| result.notes.iter().map(move |note| (note, result))))
}

fn grouped<'a>(said: impl Iterator<Item = (&'a Message, &'a CheckResult)>) -> Groups<'a> {
    let mut groups: Groups<'_> = Vec::new();
    for (text, result) in said {
        match groups.iter_mut().find(|(known, _)| *known == text) {
            Some((_, results)) => results.push(result),
            None => groups.push((text, vec![result])),
        }
    }
    groups
}

/// The exchange as lines of plain text, one or more for each message.
pub fn exchange(result: &CheckResult) -> String {
    let arrow = |direction| match direction {
        crate::verdict::Direction::Sent => "→",
        crate::verdict::Direction::Received => "←",
        crate::verdict::Direction::Remark => "·",
    };
    let lines = result.transcript.iter().map(|entry| {
        let text = text::visible(&entry.text.replace('\n', " ⏎ "));
        format!("{:>6} ms  {} {} {text}\n", entry.at_ms, text::visible(&entry.connection), arrow(entry.direction))
    });
    lines.collect()
}
