//! TAP 14.
//!
//! Findings that do not fail the run are `TODO`, TAP's own word for them: those of a lower level, waived ones, and what
//! else the gate lets pass.

use std::io;

use serde_json::{Map, Value, json};

use super::{
    Format,
    scorecard::{self, Ending},
    text,
};
use crate::{
    lang::Lang,
    verdict::{CheckResult, Outcome, RunReport},
};

/// The report as TAP 14.
pub struct Tap;

impl Format for Tap {
    fn write(&self, report: &RunReport, lang: &Lang, out: &mut dyn io::Write) -> io::Result<()> {
        writeln!(out, "TAP version 14")?;
        writeln!(out, "1..{}", report.results.len())?;
        for cause in scorecard::causes(report, lang) {
            writeln!(out, "# {}", escaped(&scorecard::told(&cause, lang)))?;
        }
        for said in scorecard::about_run(report, lang) {
            writeln!(out, "# {}", escaped(&said))?;
        }
        for (number, result) in report.results.iter().enumerate() {
            let ending = Ending::of(result, &report.gate);
            let reason = match &result.outcome {
                Outcome::Pass => String::new(),
                Outcome::Fail(failure) => failure.reason.text(),
                Outcome::Skip { reason, .. } | Outcome::Blocked { reason, .. } | Outcome::Broken { reason } => {
                    reason.text()
                }
            };
            let (ok, directive) = match ending {
                Ending::Passed => ("ok", String::new()),
                Ending::Skipped => ("ok", format!(" # SKIP {}", escaped(&reason))),
                Ending::Blocked => {
                    ("ok", format!(" # SKIP {}: {}", escaped(&lang.say(ending.words())), escaped(&reason)))
                }
                Ending::Failed | Ending::Broken => ("not ok", String::new()),
                Ending::ToImprove => ("not ok", format!(" # TODO {}: {}", result.level.name(), escaped(&reason))),
                Ending::Waived | Ending::Known | Ending::Flaky => {
                    let why = scorecard::about(result, lang).join("; ");
                    ("not ok", format!(" # TODO {}", escaped(&why)))
                }
            };
            let description = format!("{}: {}", result.id, result.title);
            writeln!(out, "{ok} {} - {}{directive}", number + 1, escaped(&description))?;
            diagnostics(result, ending, lang, out)?;
        }
        writeln!(out, "# {}", escaped(&scorecard::summary(report, lang)))
    }
}

/// On one line, with `#` and `\` as texts and not as the beginning of a directive.
fn escaped(text: &str) -> String {
    text::visible(text).replace('\\', r"\\").replace('#', r"\#")
}

/// The YAML block below a test point. Its values are JSON, which is YAML too, and leaves nothing to be misread.
fn diagnostics(result: &CheckResult, ending: Ending, lang: &Lang, out: &mut dyn io::Write) -> io::Result<()> {
    let mut fields = Map::new();
    let mut add = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    match &result.outcome {
        Outcome::Pass | Outcome::Skip { .. } | Outcome::Blocked { .. } => {}
        Outcome::Fail(failure) => {
            add("message", json!(failure.reason.text()));
            add("severity", json!(if ending == Ending::Failed { "fail" } else { "comment" }));
            add("sent", json!(failure.sent.text()));
            add("got", json!(failure.received.text()));
            add("expected", json!(failure.expected.text()));
        }
        Outcome::Broken { reason } => {
            add("message", json!(format!("{}: {}", lang.say("could not be judged"), reason.text())));
            add("severity", json!(if ending == Ending::Broken { "error" } else { "comment" }));
        }
    }
    if !fields.is_empty() {
        let cites: Vec<String> = result.cites.iter().map(|cite| format!("{} {}", cite.place, cite.url)).collect();
        let exchange = scorecard::exchange(result);
        fields.insert("level".to_owned(), json!(result.level));
        fields.insert("ending".to_owned(), json!(ending.words()));
        fields.insert("gate".to_owned(), json!(scorecard::about(result, lang)));
        fields.insert("meaning".to_owned(), json!(result.meaning));
        fields.insert("fix".to_owned(), json!(result.fix));
        fields.insert("effort".to_owned(), json!(result.effort));
        fields.insert("see".to_owned(), json!(cites));
        fields.insert("reproduce".to_owned(), json!(result.reproduce));
        fields.insert("by_hand".to_owned(), json!(result.script()));
        fields.insert("exchange".to_owned(), json!(exchange.lines().collect::<Vec<_>>()));
    }
    fields.insert("duration_ms".to_owned(), json!(result.duration_ms));
    writeln!(out, "  ---")?;
    for (name, value) in &fields {
        writeln!(out, "  {name}: {}", text::ascii_escaped(&value.to_string()))?;
    }
    writeln!(out, "  ...")
}
