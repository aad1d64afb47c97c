//! Annotations of a GitHub Actions run, by workflow commands. None names a file: what is wrong is in no file that
//! siospec has seen.
//!
//! What fails the run is an error, what the gate lets pass (a waived failure, a known one) a notice.

use std::io;

use super::{
    Format,
    scorecard::{self, Ending},
    text, words,
};
use crate::{
    lang::Lang,
    verdict::{Level, Outcome, RunReport},
    wire::shorten,
};

/// How many of each kind GitHub shows for one step.
const SHOWN: usize = 10;
/// Characters of one message. GitHub cuts longer ones off, and with them how to fix it.
const MESSAGE: usize = 3_000;

/// The findings as workflow commands.
pub struct Github;

impl Format for Github {
    fn write(&self, report: &RunReport, lang: &Lang, out: &mut dyn io::Write) -> io::Result<()> {
        let mut commands = [("error", Vec::new()), ("warning", Vec::new()), ("notice", Vec::new())];
        for (result, failure) in scorecard::findings(report) {
            let ending = Ending::of(result, &report.gate);
            let (kind, word) = match (ending, result.level) {
                (Ending::Failed, _) => (0, ""),
                (Ending::Waived | Ending::Known | Ending::Flaky, _) => (2, ending.words()),
                (_, Level::Must | Level::Should) => (1, ""),
                (_, Level::May) => (2, ""),
            };
            let effort = scorecard::effort(result, lang).map(|effort| format!(" ({effort})")).unwrap_or_default();
            let mut message = vec![failure.reason.text()];
            message.extend(scorecard::about(result, lang));
            message.push(result.meaning.clone());
            message.push(format!("{}: {}{effort}", lang.say("Fix"), result.fix));
            message.push(format!("{}: {}", lang.say("Reproduce it"), text::visible(&result.reproduce)));
            if !result.by_hand.is_empty() {
                message.push(format!("{}:\n{}", lang.say("Reproduce it without siospec"), result.script()));
            }
            let mut title = format!("{} {}", result.level.name(), result.id);
            if !word.is_empty() {
                title += &format!(" ({})", lang.say(word));
            }
            commands[kind].1.push((title, text::visible_lines(&message.join("\n"))));
        }
        for result in &report.results {
            if let Outcome::Broken { reason } = &result.outcome {
                let is_let_pass = Ending::of(result, &report.gate) == Ending::Flaky;
                let mut message = vec![reason.text()];
                message.extend(scorecard::about(result, lang));
                let title = lang.tell(say!("could not be judged: {id}", id = result.id));
                let kind = if is_let_pass { 2 } else { 0 };
                commands[kind].1.push((title, text::visible_lines(&message.join("\n"))));
            }
        }
        let said = scorecard::about_run(report, lang);
        if !said.is_empty() {
            // Before all others, lest it be among those that are not shown. A part that is missing fails the run.
            let is_incomplete = report.gate.shards.as_ref().is_some_and(|shards| !shards.missing.is_empty())
                || (words::incomplete(&report.results).is_some() && !report.gate.allow_incomplete);
            let message = text::visible_lines(&said.join("\n"));
            commands[if is_incomplete { 0 } else { 2 }].1.insert(0, ("siospec".to_owned(), message));
        }
        for cause in scorecard::causes(report, lang).iter().rev() {
            let kind = if scorecard::cause_mark(cause, report) == scorecard::Mark::Failed { 0 } else { 1 };
            let message = text::visible_lines(&scorecard::told(cause, lang));
            commands[kind].1.insert(0, (cause.id.clone(), message));
        }
        for (kind, annotations) in &mut commands {
            if annotations.len() > SHOWN {
                let more = annotations.len() - (SHOWN - 1);
                annotations.truncate(SHOWN - 1);
                let title = lang.tell(say!("and {more} more", more));
                let message = lang.say("GitHub shows ten for each step. The other reports have them all.");
                annotations.push((title, message));
            }
            for (title, message) in annotations {
                let message = shorten(message, MESSAGE);
                writeln!(out, "::{kind} title={}::{}", property(&text::visible(title)), data(&message))?;
            }
        }
        Ok(())
    }
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
