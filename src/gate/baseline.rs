//! The baseline: failures that were there before, kept in a file beside the code.

use serde::{Deserialize, Serialize};

use super::fingerprint;
use crate::verdict::{Extent, Failure, Level, Outcome, RunReport};

/// The version of the file. It changes when older versions of siospec can no longer read it.
const VERSION: u32 = 1;

/// Failures that a team has accepted as they were on one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// The version of the file.
    #[serde(rename = "siospec-baseline")]
    version: u32,
    /// The target of the run that it was made from.
    target: String,
    /// The failures, in the catalogue's order.
    failures: Vec<Entry>,
}

/// One accepted failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The check.
    pub check: String,
    /// How much it mattered. What matters more by now is another failure.
    pub level: Level,
    /// By what the reason is known again.
    pub fingerprint: String,
    /// The reason as it read, for whoever reads the file.
    pub reason: String,
    /// How much of what the check looked at was wrong. Files of older versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extent: Option<Extent>,
}

/// What a baseline has of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Nothing: it is new.
    No,
    /// The same: it is known.
    Same,
    /// The same to this extent, and by now it is clearly worse: it is new.
    Less(Extent),
}

impl Baseline {
    /// The failures of a run that are not waived.
    pub fn of(report: &RunReport) -> Baseline {
        let failures = report.results.iter().filter_map(|result| match &result.outcome {
            Outcome::Fail(failure) if !result.is_waived() => Some(Entry {
                check: result.id.clone(),
                level: result.level,
                fingerprint: fingerprint(&failure.reason.text()),
                reason: failure.reason.text(),
                extent: failure.extent,
            }),
            _ => None,
        });
        Baseline { version: VERSION, target: report.target.clone(), failures: failures.collect() }
    }

    /// Reads the file's text.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence that begins with the file's name.
    pub fn parse(text: &str) -> Result<Baseline, String> {
        let json: serde_json::Value = serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?;
        match json.get("siospec-baseline").and_then(serde_json::Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {
                serde_json::from_value(json).map_err(|error| format!("is no baseline: {error}"))
            }
            Some(version) => Err(format!("is a baseline of version {version}; this siospec reads version {VERSION}")),
            None if json.get("results").is_some() => {
                Err("is a report, not a baseline; `siospec baseline` makes a baseline of it".to_owned())
            }
            None => Err("is no baseline; `siospec baseline` makes one of a run's JSON report".to_owned()),
        }
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let json = serde_json::to_string_pretty(self).unwrap_or_else(|error| unreachable!("it is all text: {error}"));
        crate::report::text::ascii_escaped(&json) + "\n"
    }

    /// Whether this very failure is in it, to the same extent. Where one of the two does not say to what, the reason decides.
    pub fn holds(&self, check: &str, level: Level, failure: &Failure) -> Held {
        let wanted = fingerprint(&failure.reason.text());
        let is_it = |entry: &&Entry| entry.check == check && entry.level >= level && entry.fingerprint == wanted;
        let mut held = Held::No;
        for entry in self.failures.iter().filter(is_it) {
            match (entry.extent, failure.extent) {
                (Some(before), Some(now)) if now.is_worse_than(before) => held = Held::Less(before),
                _ => return Held::Same,
            }
        }
        held
    }

    /// The failures, in the catalogue's order.
    pub fn failures(&self) -> &[Entry] {
        &self.failures
    }

    /// The ids of its checks.
    pub(super) fn checks(&self) -> impl Iterator<Item = String> + '_ {
        self.failures.iter().map(|entry| entry.check.clone())
    }
}
