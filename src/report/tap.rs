//! TAP 14.
//!
//! Findings of the levels SHOULD and MAY are `TODO`: TAP's own word for a point that fails and does not fail the run.

use std::io;

use serde_json::{Map, Value, json};

use super::{Format, scorecard, text};
use crate::{
    lang::Lang,
    verdict::{CheckResult, Level, Outcome, RunReport},
};

/// The report as TAP 14.
pub struct Tap;

impl Format for Tap {
    fn write(&self, report: &RunReport, lang: &Lang, out: &mut dyn io::Write) -> io::Result<()> {
        writeln!(out, "TAP version 14")?;
        writeln!(out, "1..{}", report.results.len())?;
        for (number, result) in report.results.iter().enumerate() {
            let (ok, directive) = match &result.outcome {
                Outcome::Pass => ("ok", String::new()),
                Outcome::Skip { reason } => ("ok", format!(" # SKIP {}", escaped(reason))),
                Outcome::Fail(failure) if result.level < Level::Must => {
                    ("not ok", format!(" # TODO {}: {}", result.level.name(), escaped(&failure.reason)))
                }
                Outcome::Fail(_) | Outcome::Broken { .. } => ("not ok", String::new()),
            };
            let description = format!("{}: {}", result.id, result.title);
            writeln!(out, "{ok} {} - {}{directive}", number + 1, escaped(&description))?;
            diagnostics(result, lang, out)?;
        }
        writeln!(out, "# {}", escaped(&scorecard::summary(report, lang)))
    }
}

/// On one line, with `#` and `\` as texts and not as the beginning of a directive.
fn escaped(text: &str) -> String {
    text::visible(text).replace('\\', r"\\").replace('#', r"\#")
}

/// The YAML block below a test point. Its values are JSON, which is YAML too, and leaves nothing to be misread.
fn diagnostics(result: &CheckResult, lang: &Lang, out: &mut dyn io::Write) -> io::Result<()> {
    let mut fields = Map::new();
    let mut add = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    match &result.outcome {
        Outcome::Pass | Outcome::Skip { .. } => {}
        Outcome::Fail(failure) => {
            add("message", json!(failure.reason));
            add("severity", json!(if result.level == Level::Must { "fail" } else { "comment" }));
            add("sent", json!(failure.sent));
            add("got", json!(failure.received));
            add("expected", json!(failure.expected));
        }
        Outcome::Broken { reason } => {
            add("message", json!(format!("{}: {reason}", lang.say("could not be judged"))));
            add("severity", json!("error"));
        }
    }
    if !fields.is_empty() {
        let cites: Vec<String> = result.cites.iter().map(|cite| format!("{} {}", cite.place, cite.url)).collect();
        let exchange = scorecard::exchange(result);
        fields.insert("level".to_owned(), json!(result.level));
        fields.insert("meaning".to_owned(), json!(result.meaning));
        fields.insert("fix".to_owned(), json!(result.fix));
        fields.insert("see".to_owned(), json!(cites));
        fields.insert("reproduce".to_owned(), json!(result.reproduce));
        fields.insert("exchange".to_owned(), json!(exchange.lines().collect::<Vec<_>>()));
    }
    fields.insert("duration_ms".to_owned(), json!(result.duration_ms));
    writeln!(out, "  ---")?;
    for (name, value) in &fields {
        writeln!(out, "  {name}: {}", text::ascii_escaped(&value.to_string()))?;
    }
    writeln!(out, "  ...")
}
