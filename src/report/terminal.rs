//! The scorecard and what goes with it, for a person: on a terminal, or in the log of last night's run.
//!
//! The end is what a log shows first, so the most important comes last: the order of fixes, then the verdict.

use std::io;

use anstyle::Style;

use super::{
    Format,
    text::{self, BOLD, DIM, GREEN, PLAIN, Page, RED, YELLOW, pad, styled},
};
use crate::gate::words;
use crate::verdict::{CheckResult, Counts, Direction, Entry, ExitCode, Failure, Level, Outcome, Row, RunReport};

const RIGHT: &str = "✅";
const TO_IMPROVE: &str = "⚠️";
const WRONG: &str = "❌";
const NOT_JUDGED: &str = "–";

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
    fn write(&self, report: &RunReport, out: &mut dyn io::Write) -> io::Result<()> {
        let mut page = Page::new(self.width);
        header(&mut page, report);
        scorecard(&mut page, report);
        findings(&mut page, report);
        broken(&mut page, report);
        skipped(&mut page, report);
        notes(&mut page, report);
        order_of_fixes(&mut page, report);
        page.gap();
        out.write_all(page.finish().as_bytes())?;
        writeln!(out, "{}", verdict_line(report))
    }
}

/// The verdict in one line: `✅ conforms: 52 passed, 0 failed, 3 skipped in 2.1 s`.
pub fn verdict_line(report: &RunReport) -> String {
    let counts = report.counts();
    let (mark, verdict, style) = match report.exit_code() {
        ExitCode::Conforms if counts.failed + counts.waived + counts.flaky > 0 => {
            (TO_IMPROVE, "passes, with failures that are accepted", YELLOW)
        }
        ExitCode::Conforms if counts.skipped > 0 => (RIGHT, "conforms as far as it was judged", GREEN),
        ExitCode::Conforms => (RIGHT, "conforms", GREEN),
        ExitCode::DoesNotConform => (WRONG, "does not conform", RED),
        ExitCode::NothingMatched => (NOT_JUDGED, "nothing was judged", YELLOW),
        _ => (TO_IMPROVE, "not proven to conform", YELLOW),
    };
    let mut parts = vec![format!("{} passed", counts.passed), format!("{} failed", counts.failed)];
    let more = [
        (counts.warned, "to improve"),
        (counts.noted, "worth knowing"),
        (counts.broken, "could not be judged"),
        (counts.skipped, "skipped"),
        (counts.waived, "waived"),
        (counts.known, "known"),
        (counts.flaky, "flaky"),
    ];
    parts.extend(more.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}")));
    let parts = parts.join(", ");
    format!("{mark} {}: {parts} in {}", styled(verdict, style), text::duration(report.duration_ms))
}

/// All there is to say of one check that failed or could not be judged, as plain text: for test runners, which show a
/// failure by itself.
pub fn explain(result: &CheckResult, width: usize) -> String {
    let mut page = Page::new(width);
    match &result.outcome {
        Outcome::Fail(failure) => finding(&mut page, result, failure),
        Outcome::Broken { reason } => {
            page.line(0, YELLOW, &format!("{TO_IMPROVE} could not be judged: {}", result.id));
            page.item(("", PLAIN), 3, (reason, PLAIN));
            wire(&mut page, &result.transcript);
        }
        Outcome::Skip { reason } => page.item(("", PLAIN), 0, (reason, PLAIN)),
        Outcome::Pass => {}
    }
    anstream::adapter::strip_str(&page.finish()).to_string()
}

fn header(page: &mut Page, report: &RunReport) {
    let target = match report.reference {
        true => format!("the reference server at {} (no URL given)", report.target),
        false => report.target.clone(),
    };
    page.item((&format!("siospec {}", report.siospec), BOLD), 16, (&target, PLAIN));
    for note in report.notes.iter().chain(&words::of_run(report)) {
        page.item(("", PLAIN), 16, (note, DIM));
    }
    page.gap();
}

fn scorecard(page: &mut Page, report: &RunReport) {
    for row in Row::ALL {
        let counts = Counts::of(report.results.iter().filter(|result| result.row == row));
        let (mark, style) = mark(counts);
        let parts = [
            (counts.failed, "failed", RED),
            (counts.warned + counts.noted, "to improve", YELLOW),
            (counts.broken, "could not be judged", YELLOW),
            (counts.waived, "waived", YELLOW),
            (counts.passed, "passed", GREEN),
            (counts.skipped, "skipped", DIM),
        ];
        let parts: Vec<String> =
            parts.iter().filter(|part| part.0 > 0).map(|(number, what, _)| format!("{number} {what}")).collect();
        let tally = match (parts.is_empty(), row) {
            // Dependencies and the client's own code do not show on the wire.
            (true, Row::C1 | Row::C10) => "not judged from outside".to_owned(),
            (true, _) => "not judged".to_owned(),
            (false, _) => parts.join(", "),
        };
        // Terminals disagree about the width of ⚠️. Nothing that must line up stands behind it.
        let label = format!("{} {} {}", pad(&row.name(), 4), pad(row.title(), 36), pad(mark, 2));
        page.item((&label, PLAIN), 46, (&tally, style));
    }
}

fn mark(counts: Counts) -> (&'static str, Style) {
    if counts.failed > 0 {
        (WRONG, RED)
    } else if counts.warned + counts.noted + counts.broken + counts.waived > 0 {
        (TO_IMPROVE, YELLOW)
    } else if counts.passed > 0 {
        (RIGHT, PLAIN)
    } else {
        (NOT_JUDGED, DIM)
    }
}

/// The failed checks, the most important first.
fn failed(report: &RunReport) -> Vec<(&CheckResult, &Failure)> {
    let mut failed: Vec<_> = report
        .results
        .iter()
        .filter_map(|result| match &result.outcome {
            Outcome::Fail(failure) => Some((result, failure)),
            _ => None,
        })
        .collect();
    // Stable: within a level the catalogue's order stays.
    failed.sort_by_key(|(result, _)| std::cmp::Reverse(result.level));
    failed
}

fn findings(page: &mut Page, report: &RunReport) {
    for (result, failure) in failed(report) {
        page.gap();
        finding(page, result, failure);
    }
}

fn finding(page: &mut Page, result: &CheckResult, failure: &Failure) {
    let is_wrong = result.level == Level::Must && !result.is_waived();
    let (mark, style) = if is_wrong { (WRONG, RED) } else { (TO_IMPROVE, YELLOW) };
    page.line(0, style, &format!("{mark} {} {}", result.level.name(), result.id));
    page.item(("", PLAIN), 3, (&result.title, BOLD));
    page.item(("", PLAIN), 3, (&failure.reason, PLAIN));
    for said in words::of_result(result) {
        page.item(("", PLAIN), 3, (&said, YELLOW));
    }
    page.gap();
    for (label, text) in [("sent", &failure.sent), ("got", &failure.received), ("expected", &failure.expected)] {
        if !text.is_empty() {
            page.item_within((&format!("   {label}"), DIM), HANG, (text, PLAIN), FIELD_LINES);
        }
    }
    if result.level > Level::May {
        wire(page, &result.transcript);
    }
    page.prose(("   why", DIM), HANG, &result.meaning);
    page.prose(("   fix", DIM), HANG, &result.fix);
    for note in &result.notes {
        page.item(("   note", DIM), HANG, (note, PLAIN));
    }
    for (number, cite) in result.cites.iter().enumerate() {
        page.item((if number == 0 { "   see" } else { "" }, DIM), HANG, (&cite.place, PLAIN));
        page.line(HANG, DIM, &cite.url);
    }
    page.line(3, DIM, "again");
    page.line(5, PLAIN, &result.reproduce);
    if let Some(commands) = &result.by_hand {
        page.line(3, DIM, "again, without siospec");
        commands.lines().for_each(|command| page.line(5, PLAIN, command));
    }
}

/// The end of the exchange: what decided the check is seldom at its beginning.
fn wire(page: &mut Page, entries: &[Entry]) {
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
        shown if shown == entries.len() => page.line(0, DIM, "   wire"),
        shown => {
            let rest = format!("   wire: the last {shown} of {} messages; --json FILE has them all", entries.len());
            page.line(0, DIM, &rest);
        }
    }
    messages.iter().for_each(|message| page.append(message));
}

/// Results with what is said of them, grouped by that, in the order in which it first occurs.
fn grouped<'a>(said: impl Iterator<Item = (&'a String, &'a CheckResult)>) -> Vec<(&'a str, Vec<&'a CheckResult>)> {
    let mut groups: Vec<(&str, Vec<&CheckResult>)> = Vec::new();
    for (text, result) in said {
        match groups.iter_mut().find(|(known, _)| known == text) {
            Some((_, results)) => results.push(result),
            None => groups.push((text, vec![result])),
        }
    }
    groups
}

fn broken(page: &mut Page, report: &RunReport) {
    let groups = grouped(report.results.iter().filter_map(|result| match &result.outcome {
        Outcome::Broken { reason } => Some((reason, result)),
        _ => None,
    }));
    if groups.is_empty() {
        return;
    }
    page.gap();
    page.line(0, YELLOW, &format!("{TO_IMPROVE} Could not be judged"));
    for (reason, results) in groups {
        group(page, reason, &results);
        if let [result] = results.as_slice() {
            wire(page, &result.transcript);
            page.line(3, DIM, "again");
            page.line(5, PLAIN, &result.reproduce);
        }
    }
}

fn skipped(page: &mut Page, report: &RunReport) {
    let groups = grouped(report.results.iter().filter_map(|result| match &result.outcome {
        Outcome::Skip { reason } => Some((reason, result)),
        _ => None,
    }));
    if groups.is_empty() {
        return;
    }
    page.gap();
    page.line(0, BOLD, "Skipped");
    for (reason, results) in groups {
        group(page, reason, &results);
    }
}

fn group(page: &mut Page, reason: &str, results: &[&CheckResult]) {
    let ids: Vec<&str> = results.iter().map(|result| result.id.as_str()).collect();
    page.item(("", PLAIN), 3, (reason, PLAIN));
    let number = if ids.len() > 1 { format!("{} checks: ", ids.len()) } else { String::new() };
    page.item(("", PLAIN), 5, (&format!("{number}{}", ids.join(", ")), DIM));
}

/// Remarks of checks that did not fail; those of the others stand beside the failure.
fn notes(page: &mut Page, report: &RunReport) {
    let others = report.results.iter().filter(|result| !matches!(result.outcome, Outcome::Fail(_)));
    let groups = grouped(others.flat_map(|result| result.notes.iter().map(move |note| (note, result))));
    if groups.is_empty() {
        return;
    }
    page.gap();
    page.line(0, BOLD, "Notes");
    for (note, results) in groups {
        group(page, note, &results);
    }
}

fn order_of_fixes(page: &mut Page, report: &RunReport) {
    let mut failed = failed(report);
    failed.retain(|(result, _)| !result.is_waived());
    if failed.is_empty() {
        return;
    }
    page.gap();
    page.line(0, BOLD, "What to fix, in this order");
    let width = failed.iter().map(|(result, _)| result.id.chars().count()).max().unwrap_or_default();
    for (result, failure) in failed {
        let (priority, style) = match result.level {
            Level::Must => ("high", RED),
            Level::Should => ("medium", YELLOW),
            Level::May => ("low", DIM),
        };
        let label = format!("   {} {}", pad(priority, 6), pad(&result.id, width));
        page.item((&label, style), 3 + 6 + 1 + width + 2, (&failure.reason, PLAIN));
    }
}
