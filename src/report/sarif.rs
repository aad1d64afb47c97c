//! SARIF 2.1.0, for code scanning and whatever else collects findings.
//!
//! Only findings are results. A check that could not be judged is a notification of the run, which then counts as not
//! successful. GitHub wants each result in a file; the one file of a project that siospec knows is its contract.
//!
//! What fails the run has the level `error` and nothing else has. A waiver is a suppression.

use std::io;

use serde_json::{Value, json};

use super::{
    Format,
    scorecard::{self, Ending},
    text,
};
use crate::{
    lang::Lang,
    message::Message,
    verdict::{CheckResult, Citation, Level, Outcome, RunReport},
};

/// The contract's file.
const FILE: &str = "siospec.toml";

/// The report as SARIF.
pub struct Sarif;

impl Format for Sarif {
    fn write(&self, report: &RunReport, lang: &Lang, out: &mut dyn io::Write) -> io::Result<()> {
        let findings = scorecard::findings(report);
        let rules: Vec<Value> = findings.iter().map(|(result, _)| rule(result)).collect();
        let results: Vec<Value> = findings
            .iter()
            .enumerate()
            .map(|(index, (result, failure))| {
                let mut message = failure.reason.text();
                let told = [("Sent", &failure.sent), ("Got", &failure.received), ("Expected", &failure.expected)];
                for (label, text) in told.iter().filter(|(_, text)| !text.is_empty()) {
                    message += &format!("\n\n{}: {}", lang.say(label), text.text());
                }
                for said in scorecard::about(result, lang) {
                    message += &format!("\n\n{said}");
                }
                message += &format!("\n\n{}: {}", lang.say("Reproduce it"), result.reproduce);
                let script = result.script();
                if !script.is_empty() {
                    message += &format!("\n\n{}:\n{script}", lang.say("Reproduce it without siospec"));
                }
                let ending = Ending::of(result, &report.gate);
                let mut properties = json!({
                    "target": report.target,
                    "outcome": ending.words(),
                    "flaky": result.is_flaky(),
                    "notes": result.notes.iter().map(Message::text).collect::<Vec<_>>(),
                });
                if !script.is_empty() {
                    properties["byHand"] = json!(script);
                }
                let mut found = json!({
                    "ruleId": result.id,
                    "ruleIndex": index,
                    "kind": "fail",
                    "level": found_level(ending, result.level),
                    "message": { "text": text::visible_lines(&message) },
                    "locations": [{
                        "physicalLocation": {
                            "artifactLocation": { "uri": FILE },
                            "region": { "startLine": 1 },
                        },
                    }],
                    "partialFingerprints": { "siospecCheck/v1": result.id },
                    "properties": properties,
                });
                if report.gate.baseline.is_some() {
                    found["baselineState"] = json!(match result.worse_than {
                        _ if result.known => "unchanged",
                        Some(_) => "updated",
                        None => "new",
                    });
                }
                if let Some(waived) = result.waived.as_ref().filter(|_| ending == Ending::Waived) {
                    found["suppressions"] = json!([{
                        "kind": "external",
                        "status": "accepted",
                        "justification": text::visible_lines(&scorecard::about(result, lang)[0]),
                        "properties": { "owner": waived.owner, "reason": waived.reason, "until": waived.until },
                    }]);
                }
                found
            })
            .collect();
        let is_judged = |result: &CheckResult| Ending::of(result, &report.gate) != Ending::Broken;
        let is_whole = report.gate.shards.as_ref().is_none_or(|shards| shards.missing.is_empty());
        let said = scorecard::about_run(report, lang);
        let said: Vec<Value> = said
            .iter()
            .map(|said| json!({ "level": "note", "message": { "text": text::visible_lines(said) } }))
            .collect();
        let notifications: Vec<Value> = report
            .results
            .iter()
            .filter_map(|result| match &result.outcome {
                Outcome::Broken { reason } => Some(json!({
                    "descriptor": { "id": result.id },
                    "level": if is_judged(result) { "note" } else { "error" },
                    "message": { "text": text::visible_lines(&unjudged(result, &reason.text(), lang)) },
                })),
                _ => None,
            })
            .collect();
        let log = json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": { "name": "siospec", "semanticVersion": report.siospec, "rules": rules } },
                "automationDetails": { "id": "siospec/" },
                "invocations": [{
                    "executionSuccessful": is_whole && report.results.iter().all(is_judged),
                    "exitCode": report.process_code(),
                    "startTimeUtc": report.started,
                    "toolExecutionNotifications": notifications,
                    "toolConfigurationNotifications": said,
                }],
                "properties": { "causes": scorecard::causes(report, lang) },
                "language": lang.code(),
                "columnKind": "unicodeCodePoints",
                "results": results,
            }],
        });
        writeln!(out, "{}", text::ascii_escaped(&serde_json::to_string_pretty(&log)?))
    }
}

fn unjudged(result: &CheckResult, reason: &str, lang: &Lang) -> String {
    let mut said = vec![format!("{}: {reason}", lang.say("could not be judged"))];
    said.extend(scorecard::about(result, lang));
    said.join("\n\n")
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Must => "error",
        Level::Should => "warning",
        Level::May => "note",
    }
}

/// What the gate lets pass is no error.
fn found_level(ending: Ending, own: Level) -> &'static str {
    match (ending, own) {
        (Ending::Failed, _) => "error",
        (_, Level::Must | Level::Should) => "warning",
        (_, Level::May) => "note",
    }
}

fn rule(result: &CheckResult) -> Value {
    let mut rule = json!({
        "id": result.id,
        "shortDescription": { "text": result.title },
        "fullDescription": { "text": result.meaning },
        // Code stands between backticks, as in Markdown.
        "help": { "text": result.fix, "markdown": result.fix },
        "defaultConfiguration": { "level": level(result.level) },
        "properties": { "tags": [result.area(), result.row.name()], "effort": result.effort },
    });
    let is_absolute = |cite: &&Citation| cite.url.starts_with("https://");
    if let Some(cite) = result.cites.iter().find(is_absolute) {
        rule["helpUri"] = json!(cite.url);
    }
    rule
}
