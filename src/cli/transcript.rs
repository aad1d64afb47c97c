//! `--transcript`: what went over the wire, with times.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use super::{Trouble, out};
use crate::{
    report::{
        text::{say, visible},
        words,
    },
    verdict::{CheckResult, Direction, ExitCode, Outcome, RunReport},
};

/// Where transcripts go.
pub enum Transcripts {
    Nowhere,
    /// Those of all checks.
    Printed,
    /// Those of checks that failed or could not be judged, a file each.
    Folder(PathBuf),
}

impl Transcripts {
    /// What the flag asks for: `-` is standard output. A folder is made now, not after a run was spent on it.
    pub fn new(asked: Option<&Path>) -> Result<Transcripts, Trouble> {
        match asked {
            None => Ok(Transcripts::Nowhere),
            Some(path) if path == Path::new("-") => Ok(Transcripts::Printed),
            Some(folder) => match fs::create_dir_all(folder) {
                Ok(()) => Ok(Transcripts::Folder(folder.to_owned())),
                Err(error) => Err(Trouble::mistake(format!("--transcript: cannot make {}: {error}", folder.display()))),
            },
        }
    }

    /// Whether those of checks that pass are asked for.
    pub fn needs_all(&self) -> bool {
        matches!(self, Transcripts::Printed)
    }

    /// Writes them, and leaves in the report what it would hold otherwise. Where standard output holds a report already,
    /// they are printed on standard error.
    pub fn write(&self, report: &mut RunReport, stdout_is_taken: bool) -> Result<(), Trouble> {
        match self {
            Transcripts::Nowhere => {}
            Transcripts::Printed => {
                let text: String = report.results.iter().map(|result| transcript(report, result) + "\n").collect();
                if stdout_is_taken {
                    say(text.trim_end_matches('\n'));
                } else {
                    out::print(&text)?;
                }
                for result in &mut report.results {
                    if result.outcome == Outcome::Pass {
                        result.transcript.clear();
                    }
                }
                report.bound_transcripts();
            }
            Transcripts::Folder(folder) => {
                let is_trouble =
                    |result: &&CheckResult| matches!(result.outcome, Outcome::Fail(_) | Outcome::Broken { .. });
                for result in report.results.iter().filter(is_trouble) {
                    let file = folder.join(format!("{}.txt", result.id));
                    fs::write(&file, transcript(report, result)).map_err(|error| {
                        Trouble::new(ExitCode::OwnFault, format!("cannot write {}: {error}", file.display()))
                    })?;
                }
            }
        }
        Ok(())
    }
}

/// One check's transcript: a message begins with its time, connection and direction, and goes on indented.
fn transcript(report: &RunReport, result: &CheckResult) -> String {
    let mut out = format!("{}: {} ({})\n", result.id, result.outcome.name(), visible(&report.target));
    // Writing to a string does not fail.
    let _ = match &result.outcome {
        Outcome::Pass => Ok(()),
        Outcome::Fail(failure) => writeln!(out, "{}", visible(&failure.reason.text())),
        Outcome::Skip { reason, .. } | Outcome::Blocked { reason, .. } | Outcome::Broken { reason } => {
            writeln!(out, "{}", visible(&reason.text()))
        }
    };
    for said in words::of_result(result) {
        let _ = writeln!(out, "{}", visible(&said.text()));
    }
    let name_width = result.transcript.iter().map(|entry| entry.connection.chars().count()).max().unwrap_or_default();
    for entry in &result.transcript {
        let arrow = match entry.direction {
            Direction::Sent => "→",
            Direction::Received => "←",
            Direction::Remark => "·",
        };
        let lead = format!("{:>8} ms  {:name_width$} {arrow} ", entry.at_ms, visible(&entry.connection));
        let blank = " ".repeat(lead.chars().count());
        for (number, line) in entry.text.split('\n').enumerate() {
            let lead = if number == 0 { &lead } else { &blank };
            let _ = writeln!(out, "{}", format!("{lead}{}", visible(line)).trim_end());
        }
    }
    if result.transcript.is_empty() {
        out += "nothing was sent\n";
    }
    if !result.by_hand.is_empty() {
        out += "\nagain, without siospec:\n";
        result.script().lines().for_each(|command| {
            let _ = writeln!(out, "{}", visible(command));
        });
    }
    out
}
