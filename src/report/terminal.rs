//! The scorecard and what goes with it, for a person: on a terminal, or in the log of last night's run.
//!
//! The end is what a log shows first, so the most important comes last: the order of fixes, then the verdict.

use std::io;

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use super::{
    Format,
    scorecard::{self, Ending, Groups, Mark, Score},
    text::{self, BOLD, DIM, GREEN, PLAIN, Page, RED, YELLOW, pad},
};
use crate::{
    lang::Lang,
    message::Message,
    verdict::{Cause, CheckResult, Direction, Entry, Failure, Gate, Level, Outcome, RunReport},
};

/// Lines of the exchange that are shown for one check, and lines that one message may fill.
const WIRE_LINES: usize = 25;
const MESSAGE_LINES: usize = 3;
/// Lines that `sent`, `got` and `expected` may each fill.
const FIELD_LINES: usize = 10;
/// Where the text beside a label begins.
const HANG: usize = 13;

/// The report as text, with ANSI styles that the caller strips where they are not wanted.
pub struct Terminal {
    /// Columns to write in.
    pub width: usize,
}

impl Format for Terminal {
    fn write(&self, report: &RunReport, lang: &Lang, out: &mut dyn io::Write) -> io::Result<()> {
        let mut page = Page::new(self.width);
        header(&mut page, lang, report);
        let causes = scorecard::causes(report, lang);
        causes.iter().for_each(|cause| root(&mut page, lang, report, cause));
        rows(&mut page, lang, report);
        score(&mut page, lang, report);
        for (result, failure) in scorecard::findings(report) {
            page.gap();
            finding(&mut page, lang, Ending::of(result, &report.gate), result, failure);
        }
        broken(&mut page, lang, scorecard::broken(report));
        groups(&mut page, lang, "Blocked", scorecard::blocked(report));
        groups(&mut page, lang, "Skipped", scorecard::skipped(report));
        groups(&mut page, lang, "Notes", scorecard::notes(report));
        order_of_fixes(&mut page, lang, report, &causes);
        page.gap();
        page.append(&verdict_line(report, lang, self.width));
        out.write_all(page.finish().as_bytes())
    }
}

/// The verdict, in one line where it fits: `✅ conforms: 52 passed, 0 failed, 3 skipped in 2.1 s`.
pub fn verdict_line(report: &RunReport, lang: &Lang, width: usize) -> String {
    let (mark, verdict) = scorecard::verdict(report);
    let style = if mark == Mark::Right { GREEN } else { style(mark) };
    let label = format!("{} {}:", mark.symbol(), lang.say(verdict));
    let time = lang.tell(say!("in {time}", time = text::duration(report.duration_ms)));
    let mut page = Page::new(width);
    page.item((&label, style), label.width() + 1, (&format!("{} {time}", scorecard::summary(report, lang)), PLAIN));
    page.finish()
}

/// All there is to say of one check that failed or could not be judged, as plain text: for test runners, which show a
/// failure by itself.
pub fn explain(result: &CheckResult, gate: &Gate, lang: &Lang, width: usize) -> String {
    let mut page = Page::new(width);
    match &result.outcome {
        Outcome::Fail(failure) => finding(&mut page, lang, Ending::of(result, gate), result, failure),
        Outcome::Broken { reason } => {
            let heading = lang.tell(say!("could not be judged: {id}", id = result.id));
            page.item(("", YELLOW), 0, (&format!("{} {heading}", Mark::ToImprove.symbol()), YELLOW));
            page.item(("", PLAIN), 3, (&reason.text(), PLAIN));
            for said in scorecard::about(result, lang) {
                page.item(("", PLAIN), 3, (&said, YELLOW));
            }
            wire(&mut page, lang, &result.transcript);
            again(&mut page, lang, result);
        }
        Outcome::Skip { reason, .. } | Outcome::Blocked { reason, .. } => {
            page.item(("", PLAIN), 0, (&reason.text(), PLAIN));
        }
        Outcome::Pass => {}
    }
    anstream::adapter::strip_str(&page.finish()).to_string()
}

fn style(mark: Mark) -> Style {
    match mark {
        Mark::Right => PLAIN,
        Mark::ToImprove | Mark::PartlyJudged => YELLOW,
        Mark::Failed => RED,
        Mark::NotJudged => DIM,
    }
}

fn header(page: &mut Page, lang: &Lang, report: &RunReport) {
    let label = format!("siospec {}", report.siospec);
    page.item((&label, BOLD), 16, (&scorecard::target(report, lang), PLAIN));
    for note in report.notes.iter().map(Message::text).chain(scorecard::about_run(report, lang)) {
        page.item(("", PLAIN), 16, (&note, DIM));
    }
    page.gap();
}

fn root(page: &mut Page, lang: &Lang, report: &RunReport, cause: &Cause) {
    let mark = scorecard::cause_mark(cause, report);
    let label = |english: &str| format!("   {}", lang.say(english));
    page.item((mark.symbol(), style(mark)), 3, (&cause.title, style(mark)));
    page.item((&label("seen"), DIM), HANG, (&cause.seen.text(), PLAIN));
    if !cause.symptoms.is_empty() {
        page.item((&label("shows by"), DIM), HANG, (&cause.symptoms.join(", "), PLAIN));
    }
    page.item(("", PLAIN), HANG, (&scorecard::extent(cause, lang), DIM));
    page.prose((&label("fix"), DIM), HANG, &cause.fix);
    page.gap();
}

fn rows(page: &mut Page, lang: &Lang, report: &RunReport) {
    for row in scorecard::rows(report) {
        let title = lang.say(row.row.title());
        // Terminals disagree about the width of ⚠️. Nothing that must line up stands behind it.
        let label = format!("{} {} {}", pad(&row.row.name(), 4), pad(&title, 36), pad(row.mark.symbol(), 2));
        page.item((&label, PLAIN), 46, (&row.tally(lang), style(row.mark)));
    }
}

fn score(page: &mut Page, lang: &Lang, report: &RunReport) {
    let score = Score::of(report);
    let part =
        |(mark, number): (Mark, usize)| format!("{} {}", mark.symbol(), scorecard::counted(number, mark.words(), lang));
    page.gap();
    let label = format!("{} {}", pad(&lang.say("Score"), 6), score.fraction());
    page.item((&label, BOLD), 14, (&score.parts().map(part).join(" · "), PLAIN));
    if let Some(caveat) = score.caveat(lang) {
        page.item(("", PLAIN), 14, (&caveat, DIM));
    }
}

fn finding(page: &mut Page, lang: &Lang, ending: Ending, result: &CheckResult, failure: &Failure) {
    let mark = ending.mark();
    let style = style(mark);
    let label = |english: &str| format!("   {}", lang.say(english));
    page.item(("", style), 0, (&format!("{} {} {}", mark.symbol(), result.level.name(), result.id), style));
    page.item(("", PLAIN), 3, (&result.title, BOLD));
    page.item(("", PLAIN), 3, (&failure.reason.text(), PLAIN));
    for said in scorecard::about(result, lang) {
        page.item(("", PLAIN), 3, (&said, YELLOW));
    }
    page.gap();
    for (english, text) in [("sent", &failure.sent), ("got", &failure.received), ("expected", &failure.expected)] {
        if !text.is_empty() {
            page.item_within((&label(english), DIM), HANG, (&text.text(), PLAIN), FIELD_LINES);
        }
    }
    if result.level > Level::May {
        wire(page, lang, &result.transcript);
    }
    page.prose((&label("why"), DIM), HANG, &result.meaning);
    page.prose((&label("fix"), DIM), HANG, &result.fix);
    if let Some(effort) = scorecard::effort(result, lang) {
        page.item((&label("effort"), DIM), HANG, (&effort, PLAIN));
    }
    for note in &result.notes {
        page.item((&label("note"), DIM), HANG, (&note.text(), PLAIN));
    }
    for (number, cite) in result.cites.iter().enumerate() {
        let label = if number == 0 { label("see") } else { String::new() };
        page.item((&label, DIM), HANG, (&cite.place, PLAIN));
        page.line(HANG, DIM, &cite.url);
    }
    again(page, lang, result);
}

fn again(page: &mut Page, lang: &Lang, result: &CheckResult) {
    page.line(3, DIM, &lang.say("reproduce"));
    page.line(5, PLAIN, &result.reproduce);
    if !result.by_hand.is_empty() {
        page.line(3, DIM, &lang.say("reproduce, without siospec"));
        result.script().lines().for_each(|command| page.line(5, PLAIN, command));
    }
}

/// The end of the exchange: what decided the check is seldom at its beginning.
fn wire(page: &mut Page, lang: &Lang, entries: &[Entry]) {
    let shown = &entries[entries.len().saturating_sub(WIRE_LINES)..];
    let times: Vec<String> = shown.iter().map(|entry| format!("{} ms", entry.at_ms)).collect();
    let time_width = times.iter().map(String::len).max().unwrap_or_default();
    let name_width = shown.iter().map(|entry| entry.connection.chars().count()).max().unwrap_or_default();
    let hang = 5 + time_width + 2 + name_width + 3;

    let mut messages: Vec<String> = shown
        .iter()
        .zip(&times)
        .map(|(entry, time)| {
            let arrow = match entry.direction {
                Direction::Sent => "→",
                Direction::Received => "←",
                Direction::Remark => "·",
            };
            let label = format!("     {time:>time_width$}  {} {arrow}", pad(&entry.connection, name_width));
            let mut message = Page::new(page.width());
            // Status line, header fields and body, on one line as long as they fit.
            let text = entry.text.replace('\n', " ⏎ ");
            message.item_within((&label, DIM), hang, (&text, PLAIN), MESSAGE_LINES);
            message.finish()
        })
        .collect();
    let mut lines = 0;
    let fitting = messages.iter().rev().take_while(|message| {
        lines += message.lines().count();
        lines <= WIRE_LINES
    });
    let messages = messages.split_off(messages.len() - fitting.count());
    match messages.len() {
        0 => return,
        shown if shown == entries.len() => page.item(("", DIM), 3, (&lang.say("wire"), DIM)),
        shown => {
            let all = entries.len();
            let rest = say!("wire: the last {shown} of {all} messages; --report json=FILE has them all", shown, all);
            page.item(("", DIM), 3, (&lang.tell(rest), DIM));
        }
    }
    messages.iter().for_each(|message| page.append(message));
}

fn broken(page: &mut Page, lang: &Lang, groups: Groups<'_>) {
    if groups.is_empty() {
        return;
    }
    page.gap();
    page.item(("", YELLOW), 0, (&format!("{} {}", Mark::ToImprove.symbol(), lang.say("Could not be judged")), YELLOW));
    for (reason, results) in groups {
        group(page, lang, reason, &results);
        for (result, said) in scorecard::said_of(&results, lang) {
            page.item(("", PLAIN), 5, (&format!("{}: {said}", result.id), YELLOW));
        }
        if let [result] = results.as_slice() {
            wire(page, lang, &result.transcript);
            again(page, lang, result);
        }
    }
}

fn groups(page: &mut Page, lang: &Lang, heading: &str, groups: Groups<'_>) {
    if groups.is_empty() {
        return;
    }
    page.gap();
    page.line(0, BOLD, &lang.say(heading));
    for (reason, results) in groups {
        group(page, lang, reason, &results);
    }
}

fn group(page: &mut Page, lang: &Lang, reason: &Message, results: &[&CheckResult]) {
    let ids: Vec<&str> = results.iter().map(|result| result.id.as_str()).collect();
    let number =
        if ids.len() > 1 { lang.tell(say!("{count} checks", count = ids.len())) + ": " } else { String::new() };
    page.item(("", PLAIN), 3, (&reason.text(), PLAIN));
    page.item(("", PLAIN), 5, (&format!("{number}{}", ids.join(", ")), DIM));
}

/// Causes first; what one explains is mended with it.
fn order_of_fixes(page: &mut Page, lang: &Lang, report: &RunReport, causes: &[Cause]) {
    let (mut findings, _) = scorecard::findings_apart(report, causes);
    findings.retain(|(result, _)| !result.is_waived());
    let mut lines: Vec<(Level, &str, String)> = Vec::new();
    for cause in causes {
        lines.push((cause.level, &cause.id, format!("{} ({})", cause.title, scorecard::extent(cause, lang))));
    }
    for (result, failure) in findings {
        let effort = scorecard::effort(result, lang).map(|effort| format!(" ({effort})")).unwrap_or_default();
        lines.push((result.level, &result.id, format!("{}{effort}", failure.reason.text())));
    }
    if lines.is_empty() {
        return;
    }
    page.gap();
    page.item(("", BOLD), 0, (&lang.say("What to fix, in this order"), BOLD));
    let id_width = lines.iter().map(|(_, id, _)| id.chars().count()).max().unwrap_or_default();
    let priority = |level: Level| lang.say(level.priority());
    let priority_width = lines.iter().map(|(level, ..)| priority(*level).width()).max().unwrap_or_default();
    for (level, id, text) in lines {
        let style = match level {
            Level::Must => RED,
            Level::Should => YELLOW,
            Level::May => DIM,
        };
        let label = format!("   {} {}", pad(&priority(level), priority_width), pad(id, id_width));
        let hang = 3 + priority_width + 1 + id_width + 2;
        page.item((&label, style), hang, (&text, PLAIN));
    }
}
