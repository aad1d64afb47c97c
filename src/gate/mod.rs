//! The gate: which failures a team has accepted, what changed between two runs, what comes of several runs together.
//!
//! All of it works on results ([`crate::verdict`]), as they come from a run or from a stored report.

mod baseline;
mod combine;
mod diff;
mod fingerprint;
mod shard;
mod waive;

use jiff::civil::Date;

pub use baseline::{Baseline, Entry, Held};
pub use combine::{MergeError, merge, rounds};
pub use diff::{Change, Diff};
pub use fingerprint::{fingerprint, without_changing_parts};
pub use shard::Shard;
pub use waive::{Waiver, waivers};

use crate::{
    contract,
    verdict::{CheckResult, FailOn, Gate, Idle, IdleWaiver, Outcome, RunReport, Shards, Waived},
};

/// What a run is held to.
pub struct Rules {
    /// Failures that are accepted until a date.
    pub waivers: Vec<Waiver>,
    /// The day on which the run began, UTC.
    pub today: Date,
    /// Failures that were there before, and the name of their file.
    pub baseline: Option<(String, Baseline)>,
    /// Which failures fail the run.
    pub fail_on: FailOn,
    /// Whether a check that passed at times does not fail the run.
    pub allow_flaky: bool,
    /// Whether a run that had no way to get a token is enough.
    pub allow_incomplete: bool,
    /// The part of the checks that is run.
    pub shard: Option<Shard>,
}

impl Rules {
    /// Says of a result what these rules make of it.
    pub fn apply(&self, result: &mut CheckResult) {
        let Outcome::Fail(failure) = &result.outcome else { return };
        let waiver =
            self.waivers.iter().filter(|waiver| waiver.is_for(&result.id)).max_by_key(|waiver| waiver.declared.until);
        result.waived = waiver.map(|waiver| Waived {
            owner: waiver.declared.owner.clone(),
            reason: waiver.declared.reason.clone(),
            until: waiver.declared.until.to_string(),
            expired: waiver.has_expired(self.today),
        });
        let held = self.baseline.as_ref().map(|(_, baseline)| baseline.holds(&result.id, result.level, failure));
        result.known = held == Some(Held::Same);
        result.worse_than = match held {
            Some(Held::Less(before)) => Some(before),
            Some(Held::No | Held::Same) | None => None,
        };
    }

    /// Whether the result fails a run that is held to these rules. Only such a one may block what rests on it.
    pub fn refuses(&self, result: &CheckResult) -> bool {
        let mut result = result.clone();
        self.apply(&mut result);
        let gate = Gate { fail_on: self.fail_on, allow_flaky: self.allow_flaky, ..Gate::default() };
        gate.refuses(&result)
    }

    /// Says of a whole run what these rules make of it.
    pub fn apply_to_all(&self, report: &mut RunReport) {
        report.results.iter_mut().for_each(|result| self.apply(result));
        let passed = |id: &str| report.results.iter().any(|result| result.id == id && result.outcome == Outcome::Pass);
        report.gate = Gate {
            fail_on: self.fail_on,
            allow_flaky: self.allow_flaky,
            allow_incomplete: self.allow_incomplete,
            baseline: self.baseline.as_ref().map(|(file, _)| file.clone()),
            fixed: self.baseline.iter().flat_map(|(_, baseline)| baseline.checks()).filter(|id| passed(id)).collect(),
            idle_waivers: self.waivers.iter().filter_map(|waiver| idle(waiver, &report.results)).collect(),
            shards: self.shard.map(|shard| Shards { count: shard.count, run: vec![shard.number], missing: Vec::new() }),
        };
    }
}

fn idle(waiver: &Waiver, results: &[CheckResult]) -> Option<IdleWaiver> {
    let mut why = Idle::NotSelected;
    for result in results.iter().filter(|result| waiver.is_for(&result.id)) {
        why = match result.outcome {
            Outcome::Fail(_) => return None,
            Outcome::Pass => Idle::Passed,
            Outcome::Skip { .. } | Outcome::Blocked { .. } | Outcome::Broken { .. } => why.max(Idle::NotJudged),
        };
    }
    let contract::Waiver { check, owner, until, .. } = waiver.declared.clone();
    Some(IdleWaiver { check, owner, until: until.to_string(), why })
}
