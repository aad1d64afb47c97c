//! The data of a run: levels, rows, outcomes, results, and what they come to.
//!
//! Everything that a report shows is here; nothing here knows how it came about.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::wire::transcript::{Direction, Entry};

/// How much a check matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// Worth knowing; never fails a run.
    May,
    /// Works today, hurts in production; reported, and does not fail a run.
    Should,
    /// The protocol or the checklist is broken; fails the run.
    Must,
}

impl Level {
    /// The keyword, as in RFC 2119.
    pub const fn name(self) -> &'static str {
        match self {
            Level::May => "MAY",
            Level::Should => "SHOULD",
            Level::Must => "MUST",
        }
    }

    /// How soon a finding of this level wants to be fixed.
    pub const fn priority(self) -> &'static str {
        match self {
            Level::May => "low",
            Level::Should => "medium",
            Level::Must => "high",
        }
    }
}

/// The rows of the scorecard: the twelve of the team's checklist, and two that it lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Row {
    /// Packages installed.
    C1,
    /// Server plugin structure.
    C2,
    /// Path configuration.
    C3,
    /// Authentication.
    C4,
    /// Event handlers.
    C5,
    /// Single port.
    C6,
    /// No Socket.IO in API routes.
    C7,
    /// Server instance detection.
    C8,
    /// Protection against double initialisation.
    C9,
    /// Client plugin structure.
    C10,
    /// REST (API route) emit.
    C11,
    /// ping → pong.
    C12,
    /// Protocol conformance.
    P,
    /// Deployment and security.
    D,
}

impl Row {
    /// All rows, in the order of the scorecard.
    pub const ALL: [Row; 14] = [
        Row::C1,
        Row::C2,
        Row::C3,
        Row::C4,
        Row::C5,
        Row::C6,
        Row::C7,
        Row::C8,
        Row::C9,
        Row::C10,
        Row::C11,
        Row::C12,
        Row::P,
        Row::D,
    ];

    /// The row's short name, such as `C4`.
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// What the row is about.
    pub const fn title(self) -> &'static str {
        match self {
            Row::C1 => "Packages installed",
            Row::C2 => "Server plugin structure",
            Row::C3 => "Path configuration",
            Row::C4 => "Authentication",
            Row::C5 => "Event handlers",
            Row::C6 => "Single port",
            Row::C7 => "No Socket.IO in API routes",
            Row::C8 => "Server instance detection",
            Row::C9 => "Protection against double init (HMR)",
            Row::C10 => "Client plugin structure",
            Row::C11 => "REST (API route) emit",
            Row::C12 => "ping → pong",
            Row::P => "Protocol conformance",
            Row::D => "Deployment and security",
        }
    }
}

/// A place in a document that a check rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Citation {
    /// The document and section, such as `RFC 8725, 3.1`.
    pub place: String,
    /// Where it can be read.
    pub url: String,
}

/// What a check found wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// What is wrong, as one sentence.
    pub reason: String,
    /// What siospec sent.
    pub sent: String,
    /// What came back.
    pub received: String,
    /// What should have come back.
    pub expected: String,
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// What must hold was seen to hold.
    Pass,
    /// What must hold was seen not to hold.
    Fail(Failure),
    /// The check was not run.
    Skip {
        /// Which capability is missing and how to supply it, or which failed check stands in the way.
        reason: String,
    },
    /// siospec or the network could not do its part; nothing was proven.
    Broken {
        /// What went wrong.
        reason: String,
    },
}

impl Outcome {
    /// One word for it.
    pub const fn name(&self) -> &'static str {
        match self {
            Outcome::Pass => "pass",
            Outcome::Fail(_) => "fail",
            Outcome::Skip { .. } => "skip",
            Outcome::Broken { .. } => "broken",
        }
    }
}

/// One check's result, complete enough to be shown without the catalogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckResult {
    /// The check's id, such as `auth.expired`.
    pub id: String,
    /// What must hold, as one sentence.
    pub title: String,
    /// How much it matters. A finding may weigh less than its check.
    pub level: Level,
    /// The scorecard's row.
    pub row: Row,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Remarks: lawful choices, how absence was judged, what could not be looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What a failure means for a user of the deployment.
    pub meaning: String,
    /// What to change in a Nuxt app. Code stands between backticks.
    pub fix: String,
    /// How much work the fix is, where that is known, such as `minutes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort: Option<String>,
    /// What the check rests on.
    pub cites: Vec<Citation>,
    /// A command that shows the result again.
    pub reproduce: String,
    /// Milliseconds that the check took.
    pub duration_ms: u64,
    /// What went over the wire, free of secrets. Empty where the check passed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transcript: Vec<Entry>,
}

impl CheckResult {
    /// The area: the id's first part.
    pub fn area(&self) -> &str {
        self.id.split('.').next().unwrap_or_default()
    }

    /// Whether this result alone makes the run fail.
    pub fn fails_the_run(&self) -> bool {
        matches!(self.outcome, Outcome::Fail(_)) && self.level == Level::Must
    }
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
    pub notes: Vec<String>,
    /// The results, in the catalogue's order.
    pub results: Vec<CheckResult>,
    /// Milliseconds that the run took.
    pub duration_ms: u64,
}

/// How many results there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Counts {
    /// Checks that passed.
    pub passed: usize,
    /// MUST checks that failed.
    pub failed: usize,
    /// SHOULD checks that failed.
    pub warned: usize,
    /// MAY checks that have something to say.
    pub noted: usize,
    /// Checks that were not run.
    pub skipped: usize,
    /// Checks that could not be judged.
    pub broken: usize,
}

impl Counts {
    /// Counts `results`.
    pub fn of<'a>(results: impl IntoIterator<Item = &'a CheckResult>) -> Counts {
        let mut counts = Counts::default();
        for result in results {
            let count = match (&result.outcome, result.level) {
                (Outcome::Pass, _) => &mut counts.passed,
                (Outcome::Fail(_), Level::Must) => &mut counts.failed,
                (Outcome::Fail(_), Level::Should) => &mut counts.warned,
                (Outcome::Fail(_), Level::May) => &mut counts.noted,
                (Outcome::Skip { .. }, _) => &mut counts.skipped,
                (Outcome::Broken { .. }, _) => &mut counts.broken,
            };
            *count += 1;
        }
        counts
    }
}

impl RunReport {
    /// How many results there are of each kind.
    pub fn counts(&self) -> Counts {
        Counts::of(&self.results)
    }

    /// What the run comes to.
    ///
    /// A check that could not be judged keeps the run from conforming: nothing was proven.
    pub fn exit_code(&self) -> ExitCode {
        let counts = self.counts();
        if counts.failed > 0 {
            ExitCode::DoesNotConform
        } else if counts.broken > 0 {
            ExitCode::OwnFault
        } else if self.results.iter().all(|result| matches!(result.outcome, Outcome::Skip { .. })) {
            // Also where nothing was selected: a run that judged nothing must not look like one that conforms.
            ExitCode::NothingMatched
        } else {
            ExitCode::Conforms
        }
    }
}

/// The exit codes of `siospec`; scripts may rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// No MUST check failed, and every check that ran could be judged.
    Conforms = 0,
    /// At least one MUST check failed.
    DoesNotConform = 1,
    /// A flag, a variable or the contract file is wrong.
    UsersMistake = 2,
    /// The target cannot be tested: unreachable, not HTTP, no Socket.IO there, …
    Untestable = 3,
    /// No check matches the selection, or all that do were skipped.
    NothingMatched = 4,
    /// siospec or the network could not do its part.
    OwnFault = 5,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        std::process::ExitCode::from(code as u8)
    }
}
