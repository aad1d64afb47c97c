//! What changed from one run to another.

use std::fmt::Write;

use serde::Serialize;

use super::fingerprint;
use crate::{
    report::text::{self, BOLD, DIM, GREEN, PLAIN, Page, RED, YELLOW},
    verdict::{CheckResult, Level, Outcome, RunReport},
};

/// The version of the JSON form.
const SCHEMA: u32 = 1;

/// What changed from one run to another. A check is in one list at most.
#[derive(Debug, Serialize)]
pub struct Diff {
    schema: u32,
    old: Side,
    new: Side,
    /// Whether the new run is worse in something that counts.
    pub regression: bool,
    /// Failed then, pass now.
    pub fixed: Vec<Change>,
    /// Fail now and did not then.
    pub broken: Vec<Change>,
    /// Fail then and now, for another reason, by another level, or much worse.
    pub changed: Vec<Change>,
    /// Pass at times now, and did not then.
    pub flaky: Vec<Change>,
    /// Judged then, and not now.
    pub unjudged: Vec<Change>,
    /// Not in the old run.
    pub new_checks: Vec<Change>,
    /// Not in the new run.
    pub gone: Vec<Change>,
}

#[derive(Debug, Serialize)]
struct Side {
    siospec: String,
    target: String,
}

/// One check that changed.
#[derive(Debug, Serialize)]
pub struct Change {
    /// The check.
    pub id: String,
    /// What must hold.
    pub title: String,
    /// How much it matters now; of a check that is gone, then.
    pub level: Level,
    /// What came of it then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// What comes of it now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is: Option<String>,
    /// What the old run said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_reason: Option<String>,
    /// What the new run says of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_reason: Option<String>,
    /// Whether it makes the new run worse.
    pub regression: bool,
}

enum List {
    Fixed,
    Broken,
    Changed,
    Flaky,
    Unjudged,
}

impl Diff {
    /// Compares two runs.
    pub fn of(old: &RunReport, new: &RunReport) -> Diff {
        let side = |report: &RunReport| Side { siospec: report.siospec.clone(), target: report.target.clone() };
        let mut diff = Diff {
            schema: SCHEMA,
            old: side(old),
            new: side(new),
            regression: false,
            fixed: Vec::new(),
            broken: Vec::new(),
            changed: Vec::new(),
            flaky: Vec::new(),
            unjudged: Vec::new(),
            new_checks: Vec::new(),
            gone: Vec::new(),
        };
        let find = |report: &'_ RunReport, id: &str| report.results.iter().position(|result| result.id == id);
        for now in &new.results {
            let Some(then) = find(old, &now.id).map(|at| &old.results[at]) else {
                diff.new_checks.push(change(None, Some(now), false));
                continue;
            };
            let Some((list, is_worse)) = compare(then, now) else { continue };
            // What the new run accepts, or shrugs at, is no regression.
            let flaky_is_fine = new.gate.allow_flaky && now.is_flaky();
            let regression = is_worse && now.level >= Level::Should && !now.is_waived() && !flaky_is_fine;
            let change = change(Some(then), Some(now), regression);
            match list {
                List::Fixed => &mut diff.fixed,
                List::Broken => &mut diff.broken,
                List::Changed => &mut diff.changed,
                List::Flaky => &mut diff.flaky,
                List::Unjudged => &mut diff.unjudged,
            }
            .push(change);
        }
        let gone = old.results.iter().filter(|then| find(new, &then.id).is_none());
        diff.gone = gone.map(|then| change(Some(then), None, false)).collect();
        diff.regression = diff.lists().iter().any(|(_, _, changes)| changes.iter().any(|change| change.regression));
        diff
    }

    /// The lists with what they hold, the worst first.
    fn lists(&self) -> [(&'static str, &'static str, &Vec<Change>); 7] {
        [
            ("❌", "Broken", &self.broken),
            ("⚠️", "Flaky", &self.flaky),
            ("⚠️", "Changed", &self.changed),
            ("✅", "Fixed", &self.fixed),
            ("–", "No longer judged", &self.unjudged),
            ("–", "New checks", &self.new_checks),
            ("–", "Gone", &self.gone),
        ]
    }

    fn verdict(&self) -> String {
        let parts: Vec<String> = self
            .lists()
            .iter()
            .filter(|(_, _, changes)| !changes.is_empty())
            .map(|(_, name, changes)| format!("{} {}", changes.len(), name.to_lowercase()))
            .collect();
        let parts = if parts.is_empty() { "nothing changed".to_owned() } else { parts.join(", ") };
        match self.regression {
            true => format!("❌ worse than before: {parts}"),
            false => format!("✅ no regression: {parts}"),
        }
    }

    /// For a person, with ANSI styles.
    pub fn terminal(&self, width: usize) -> String {
        let mut page = Page::new(width);
        page.item(("old", DIM), 5, (&self.old.target, PLAIN));
        page.item(("new", DIM), 5, (&self.new.target, PLAIN));
        for (mark, name, changes) in self.lists() {
            if changes.is_empty() {
                continue;
            }
            let style = match mark {
                "❌" => RED,
                "⚠️" => YELLOW,
                "✅" => GREEN,
                _ => BOLD,
            };
            page.gap();
            page.line(0, style, &format!("{mark} {name}"));
            for change in changes {
                page.item(
                    ("", PLAIN),
                    3,
                    (&format!("{} {} ({})", change.level.name(), change.id, change.steps()), BOLD),
                );
                for (label, reason) in [("was", &change.old_reason), ("is", &change.new_reason)] {
                    if let Some(reason) = reason {
                        page.item_within((&format!("     {label}"), DIM), 10, (reason, PLAIN), 4);
                    }
                }
            }
        }
        page.gap();
        page.line(0, if self.regression { RED } else { GREEN }, &self.verdict());
        page.finish()
    }

    /// For a pull request.
    pub fn markdown(&self) -> String {
        let mut out = format!("**{}**\n", self.verdict());
        for (mark, name, changes) in self.lists() {
            if changes.is_empty() {
                continue;
            }
            // Writing to a string does not fail.
            let _ = writeln!(out, "\n### {mark} {name}\n");
            for change in changes {
                let _ = writeln!(out, "- `{}` ({}): {}", change.id, change.level.name(), change.steps());
                for (label, reason) in [("was", &change.old_reason), ("is", &change.new_reason)] {
                    if let Some(reason) = reason {
                        let _ = writeln!(out, "  - {label}: {}", harmless(reason));
                    }
                }
            }
        }
        out
    }

    /// For other programs.
    pub fn json(&self) -> String {
        let json = serde_json::to_string_pretty(self).unwrap_or_else(|error| unreachable!("it is all text: {error}"));
        text::ascii_escaped(&json) + "\n"
    }
}

impl Change {
    /// `pass → fail`.
    fn steps(&self) -> String {
        let steps: Vec<&str> = [&self.was, &self.is].into_iter().flatten().map(String::as_str).collect();
        steps.join(" → ")
    }
}

/// In which list the check belongs, and whether it got worse.
fn compare(then: &CheckResult, now: &CheckResult) -> Option<(List, bool)> {
    // Before its outcome, which is the worst that was seen.
    if now.is_flaky() != then.is_flaky() {
        return Some(match (then.is_flaky(), &now.outcome) {
            (false, _) => (List::Flaky, !then.is_failure()),
            (true, Outcome::Pass) => (List::Fixed, false),
            (true, Outcome::Fail(_)) => (List::Broken, true),
            (true, _) => (List::Unjudged, false),
        });
    }
    match (&then.outcome, &now.outcome) {
        (Outcome::Fail(old), Outcome::Fail(new)) => {
            let same = fingerprint(&old.reason.text()) == fingerprint(&new.reason.text()) && then.level == now.level;
            let is_worse = same && old.extent.zip(new.extent).is_some_and(|(old, new)| new.is_worse_than(old));
            // A waiver that ran out is the failure that it hid.
            if then.is_waived() && !now.is_waived() {
                return Some((List::Broken, true));
            }
            (!same || is_worse).then_some((List::Changed, is_worse || now.level > then.level))
        }
        (_, Outcome::Fail(_)) => Some((List::Broken, true)),
        (Outcome::Fail(_), Outcome::Pass) => Some((List::Fixed, false)),
        (Outcome::Fail(_) | Outcome::Pass, _) if now.outcome.name() != then.outcome.name() => {
            Some((List::Unjudged, false))
        }
        _ => None,
    }
}

fn change(then: Option<&CheckResult>, now: Option<&CheckResult>, regression: bool) -> Change {
    let word = |result: &CheckResult| {
        if result.is_flaky() {
            "flaky".to_owned()
        } else if result.is_waived() {
            format!("{} (waived)", result.outcome.name())
        } else {
            result.outcome.name().to_owned()
        }
    };
    let reason = |result: &CheckResult| match &result.outcome {
        Outcome::Pass => None,
        Outcome::Fail(failure) => Some(failure.reason.text()),
        Outcome::Skip { reason, .. } | Outcome::Blocked { reason, .. } | Outcome::Broken { reason } => {
            Some(reason.text())
        }
    };
    let one = now.or(then).unwrap_or_else(|| unreachable!("a change is of something"));
    Change {
        id: one.id.clone(),
        title: one.title.clone(),
        level: one.level,
        was: then.map(word),
        is: now.map(word),
        old_reason: then.and_then(reason),
        new_reason: now.and_then(reason),
        regression,
    }
}

/// A target's words in Markdown: shown, and obeyed by nobody.
fn harmless(reason: &str) -> String {
    let reason = text::visible(reason);
    let longest = reason.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    format!("{fence} {reason} {fence}")
}
