//! Annotations of a GitHub Actions run, by workflow commands. None names a file: what is wrong is in no file that
//! siospec has seen.

use std::io;

use super::{Format, scorecard, text};
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
            let kind = match result.level {
                Level::Must => 0,
                Level::Should => 1,
                Level::May => 2,
            };
            let effort = result.effort.as_ref().map(|effort| format!(" ({})", lang.say(effort))).unwrap_or_default();
            let message = format!(
                "{}\n{}\n{}: {}{effort}\n{}: {}",
                text::visible_lines(&failure.reason),
                text::visible_lines(&result.meaning),
                lang.say("Fix"),
                text::visible_lines(&result.fix),
                lang.say("See it again"),
                text::visible(&result.reproduce),
            );
            commands[kind].1.push((format!("{} {}", result.level.name(), result.id), message));
        }
        for result in &report.results {
            if let Outcome::Broken { reason } = &result.outcome {
                let title = lang.say(&format!("could not be judged: {}", result.id));
                commands[0].1.push((title, text::visible_lines(reason)));
            }
        }
        for (kind, annotations) in &mut commands {
            if annotations.len() > SHOWN {
                let more = annotations.len() - (SHOWN - 1);
                annotations.truncate(SHOWN - 1);
                let title = lang.say(&format!("and {more} more"));
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
