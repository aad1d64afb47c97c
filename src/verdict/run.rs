//! The data of a run as a whole: its report, what the gate makes of it, and the exit code.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CheckResult, Evidence, Level, Outcome, Row};
use crate::{message::Message, wire::transcript};

/// Which failures fail the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum FailOn {
    /// Failures of the level MUST
    #[default]
    Must,
    /// Those of the levels MUST and SHOULD
    Should,
    /// Those of the levels MUST and SHOULD that are not in the baseline, or are worse than there
    New,
    /// Failures of the level MUST that Socket.IO's own clients can meet
    Felt,
}

impl FailOn {
    /// The flag's value.
    pub const fn name(self) -> &'static str {
        match self {
            FailOn::Must => "must",
            FailOn::Should => "should",
            FailOn::New => "new",
            FailOn::Felt => "felt",
        }
    }
}

/// What the run is held to, so that a stored report comes to the same verdict.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Gate {
    /// Which failures fail the run.
    pub fail_on: FailOn,
    /// Whether a check that passed at times does not fail the run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_flaky: bool,
    /// Whether a run that had no way to get a token is enough.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_incomplete: bool,
    /// The baseline's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// Checks of the baseline that passed in this run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixed: Vec<String>,
    /// Waivers that cover no failure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub idle_waivers: Vec<IdleWaiver>,
    /// Which part of the checks was run, where not all were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shards: Option<Shards>,
}

impl Gate {
    /// Whether the result is a failure that fails the run.
    pub fn refuses(&self, result: &CheckResult) -> bool {
        let counts = match self.fail_on {
            FailOn::Must => result.level == Level::Must,
            FailOn::Should => result.level >= Level::Should,
            FailOn::New => result.level >= Level::Should && !result.known,
            FailOn::Felt => result.level == Level::Must && !result.unfelt,
        };
        result.is_failure() && counts && !result.is_waived() && !self.forgives(result)
    }

    /// Whether the result counts as a pass because the check passed at times.
    pub fn forgives(&self, result: &CheckResult) -> bool {
        self.allow_flaky && result.is_flaky()
    }
}

/// A waiver that covers no failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IdleWaiver {
    /// The check that it is for, or a pattern.
    pub check: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day on which it holds.
    pub until: String,
    /// Why it covers nothing.
    pub why: Idle,
}

/// Why a waiver covers nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Idle {
    /// What it is for was not run.
    NotSelected,
    /// What it is for was skipped, blocked, or could not be judged.
    NotJudged,
    /// What it is for passed.
    Passed,
}

/// Which part of the checks was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shards {
    /// How many shards there are.
    pub count: u32,
    /// Those that are in this report, counted from 1.
    pub run: Vec<u32>,
    /// Those that should have been merged into this report, and were not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<u32>,
}

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunReport {
    /// The version of siospec.
    pub siospec: String,
    /// The target, without credentials.
    pub target: String,
    /// Whether the target was siospec's own reference server.
    pub reference: bool,
    /// When the run began: RFC 3339, UTC.
    pub started: String,
    /// Remarks about the target as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Message>,
    /// What the run is held to.
    #[serde(default)]
    pub gate: Gate,
    /// The results, in the catalogue's order.
    pub results: Vec<CheckResult>,
    /// Milliseconds that the run took.
    pub duration_ms: u64,
    /// The exit code of the process that made the report, where the results are not what decides it: the run was
    /// interrupted, or a report could not be written. Another process that reads the report has an end of its own.
    #[serde(skip)]
    pub ended: Option<u8>,
}

/// What is wrong at the root, with what it shows by.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Cause {
    /// Its id, such as `initialised-twice`.
    pub id: String,
    /// What is wrong, as one sentence.
    pub title: String,
    /// What shows it.
    pub seen: Message,
    /// How much the weightiest of its symptoms matters.
    pub level: Level,
    /// The row that it belongs to, whichever check met it first.
    pub row: Row,
    /// The checks that it made fail, or that could not be judged for it.
    pub symptoms: Vec<String>,
    /// The checks that were not run because of a symptom.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hides: Vec<String>,
    /// What to change in a Nuxt app. Code stands between backticks.
    pub fix: String,
}

/// How many results there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Counts {
    /// Checks that passed.
    pub passed: usize,
    /// MUST checks that failed and are not waived.
    pub failed: usize,
    /// SHOULD checks that failed and are not waived.
    pub warned: usize,
    /// MAY checks that have something to say.
    pub noted: usize,
    /// Checks that failed and are waived.
    pub waived: usize,
    /// Checks that were not run, by the contract's choice or for lack of a capability.
    pub skipped: usize,
    /// Checks that were not run because of another one.
    pub blocked: usize,
    /// Checks that could not be judged.
    pub broken: usize,
    /// MUST checks that apply and were not judged: blocked, could not be judged, or skipped for lack of a capability.
    pub unjudged: usize,
    /// How many of all these passed at times.
    pub flaky: usize,
    /// How many of those that failed are in the baseline.
    pub known: usize,
    /// How many of those that failed are in the baseline, and are worse by now.
    pub worse: usize,
}

impl Counts {
    /// Counts `results`.
    pub fn of<'a>(results: impl IntoIterator<Item = &'a CheckResult>) -> Counts {
        let mut counts = Counts::default();
        for result in results {
            let count = match (&result.outcome, result.level) {
                (Outcome::Pass, _) => &mut counts.passed,
                (Outcome::Fail(_), _) if result.is_waived() => &mut counts.waived,
                (Outcome::Fail(_), Level::Must) => &mut counts.failed,
                (Outcome::Fail(_), Level::Should) => &mut counts.warned,
                (Outcome::Fail(_), Level::May) => &mut counts.noted,
                (Outcome::Skip { .. }, _) => &mut counts.skipped,
                (Outcome::Blocked { .. }, _) => &mut counts.blocked,
                (Outcome::Broken { .. }, _) => &mut counts.broken,
            };
            *count += 1;
            counts.unjudged += usize::from(result.level == Level::Must && result.is_unjudged());
            counts.flaky += usize::from(result.is_flaky());
            let counts_as_failed = result.is_failure() && !result.is_waived();
            counts.known += usize::from(result.known && counts_as_failed);
            counts.worse += usize::from(result.worse_than.is_some() && counts_as_failed);
        }
        counts
    }
}

impl RunReport {
    /// How many results there are of each kind.
    pub fn counts(&self) -> Counts {
        Counts::of(&self.results)
    }

    /// What the run comes to, by the policy that is in the report.
    ///
    /// A check that could not be judged keeps the run from conforming: nothing was proven. So does one that is blocked,
    /// whatever became of what blocks it, a shard that is missing, and a target that went down meanwhile.
    pub fn exit_code(&self) -> ExitCode {
        let is_broken = |result: &CheckResult| match result.outcome {
            Outcome::Broken { .. } => !self.gate.forgives(result),
            Outcome::Blocked { .. } => true,
            _ => false,
        };
        if self.results.iter().any(|result| self.gate.refuses(result)) {
            ExitCode::DoesNotConform
        } else if self.results.iter().any(is_broken)
            || self.results.iter().flat_map(|result| &result.evidence).any(Evidence::is_outage)
            || self.gate.shards.as_ref().is_some_and(|shards| !shards.missing.is_empty())
        {
            ExitCode::OwnFault
        } else if self.results.iter().all(|result| matches!(result.outcome, Outcome::Skip { .. }))
            || (!self.gate.allow_incomplete && self.results.iter().any(CheckResult::wants_token))
        {
            // Also where nothing was selected: a run that judged nothing, or little, must not look like one that conforms.
            ExitCode::NothingMatched
        } else {
            ExitCode::Conforms
        }
    }

    /// Cuts the transcripts down to what fits into one report: of each, the first lines and the last stay.
    pub fn bound_transcripts(&mut self) {
        transcript::bound(self.results.iter_mut().map(|result| &mut result.transcript));
    }

    /// The exit code that the process ends with: [`RunReport::exit_code`], unless something else decided it.
    pub fn process_code(&self) -> u8 {
        self.ended.unwrap_or(self.exit_code() as u8)
    }

    /// Whether anything was judged at all.
    pub fn judged_something(&self) -> bool {
        self.results.iter().any(|result| matches!(result.outcome, Outcome::Pass | Outcome::Fail(_)))
    }
}

/// The exit codes of `siospec`; scripts may rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Nothing failed that fails the run, and every check that ran could be judged.
    Conforms = 0,
    /// Something failed that fails the run: by default, a MUST check.
    DoesNotConform = 1,
    /// A flag, a variable or the contract file is wrong.
    UsersMistake = 2,
    /// The target cannot be tested: unreachable, not HTTP, no Socket.IO there, …
    Untestable = 3,
    /// Not enough was judged: no check matches the selection, all that do were skipped, or MUST checks were for lack of a
    /// token.
    NothingMatched = 4,
    /// siospec, the network or the target's host could not do its part: nothing is proven.
    OwnFault = 5,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        std::process::ExitCode::from(code as u8)
    }
}
