//! The data of a run: levels, rows, outcomes, results, and what they come to.
//!
//! Everything that a report shows is here; nothing here knows how it came about.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::wire::{Direction, Entry};
use crate::{message::Message, wire::transcript};

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
    pub reason: Message,
    /// What siospec sent.
    pub sent: Message,
    /// What came back.
    pub received: Message,
    /// What should have come back.
    pub expected: Message,
    /// How much of it is wrong, where that can be counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extent: Option<Extent>,
}

/// How much of what a check looked at is wrong: the size of a failure, which its fingerprint leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Extent {
    /// Some of several failed.
    Share {
        /// How many failed.
        failed: u16,
        /// Of how many.
        of: u16,
    },
    /// What must come once came more often, and equally often on each connection.
    Copies {
        /// How often.
        copies: u16,
    },
}

impl Extent {
    /// That many of that many.
    pub fn share(failed: usize, of: usize) -> Extent {
        Extent::Share { failed: bounded(failed), of: bounded(of) }
    }

    /// Whether it is clearly more than it was `before`: a share that is larger by half of all, or five times as large and by
    /// a quarter of all; twice as many copies. What fails by chance, now two of ten and now four, is the same failure.
    pub fn is_worse_than(self, before: Extent) -> bool {
        match (self, before) {
            (Extent::Share { failed, of }, Extent::Share { failed: failed_before, of: of_before }) => {
                let [now, then] = [u64::from(failed) * u64::from(of_before), u64::from(failed_before) * u64::from(of)];
                let whole = u64::from(of) * u64::from(of_before);
                let more = now.saturating_sub(then);
                let is_comparable = whole > 0 && failed_before > 0;
                is_comparable && (more >= whole.div_ceil(2) || (more >= whole.div_ceil(4) && now / 5 >= then))
            }
            (Extent::Copies { copies }, Extent::Copies { copies: before }) => copies / 2 >= before,
            _ => false,
        }
    }

    /// A number that is the larger the worse it is, among failures of one check.
    fn size(self) -> u64 {
        match self {
            Extent::Share { failed, of } => (u64::from(failed) * 1_000_000).checked_div(u64::from(of)).unwrap_or(0),
            Extent::Copies { copies } => u64::from(copies),
        }
    }
}

fn bounded(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// What must hold was seen to hold.
    Pass,
    /// What must hold was seen not to hold.
    Fail(Failure),
    /// The check was not run, by the contract's choice or for lack of a capability.
    Skip {
        /// What rules the check out, or which capability is missing and how to supply it.
        reason: Message,
        /// What would have to be supplied. Without it the contract, the deployment or this build of
        /// siospec rules the check out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lacks: Option<Lack>,
    },
    /// The check was not run, because another one that fails the run, or could not be judged, leaves it nothing to judge.
    Blocked {
        /// The check that stands in the way.
        by: String,
        /// What came of that check.
        reason: Message,
    },
    /// siospec or the network could not do its part; nothing was proven.
    Broken {
        /// What went wrong.
        reason: Message,
    },
}

impl Outcome {
    /// One word for it.
    pub const fn name(&self) -> &'static str {
        match self {
            Outcome::Pass => "pass",
            Outcome::Fail(_) => "fail",
            Outcome::Skip { .. } => "skip",
            Outcome::Blocked { .. } => "blocked",
            Outcome::Broken { .. } => "broken",
        }
    }
}

/// What a check that applies to the deployment lacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Lack {
    /// A way to get a valid token. Without one most of what must hold cannot be judged.
    Token,
    /// The key that signs or verifies tokens. Those of an identity provider are nobody's to give.
    Key,
    /// A transport that works. That it does not is accepted.
    Transport,
    /// Leave to do what others would feel.
    Leave,
    /// A certificate that counts.
    Certificate,
    /// The time that the protocol makes it wait.
    Time,
}

/// Something that a user must see once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Copied {
    /// The reply to a CONNECT.
    ConnectReply,
    /// The answer to a ping.
    Pong,
    /// What a REST call gives.
    Notification,
    /// What is said in a room.
    RoomMessage,
    /// What a server says by itself on a connect.
    Greeting,
}

/// What a check saw, for what is concluded from several checks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Evidence {
    /// Something that must come once came more often.
    Copies {
        /// What it is.
        of: Copied,
        /// How often it came, on connections that were opened one after the other.
        counts: Vec<usize>,
    },
    /// A client's bad token ended the connection of another client, each time that this was looked at.
    EndsOthers {
        /// How often.
        times: usize,
    },
    /// The target turned requests away for coming too fast.
    Limited {
        /// The status of what was turned away.
        status: u16,
        /// How many requests were sent before the first was turned away.
        after: usize,
        /// Within what time, in milliseconds.
        ms: u64,
    },
    /// Nobody was there for a while.
    Outage {
        /// When something was answered last before it, in milliseconds from the run's beginning.
        heard_ms: u64,
        /// When the first request found nobody, in milliseconds from the run's beginning.
        missed_ms: u64,
        /// When somebody was there again, if that was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        back_ms: Option<u64>,
        /// The checks that ran when it began.
        ran: Vec<String>,
        /// Whether the page is one that Vite's development server serves, as `nuxt dev` has it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        dev_server: bool,
    },
    /// The target went down again while this check had it to itself.
    TakesDown,
    /// There is no page at `/`, and there is one at this path.
    PageAt {
        /// The path.
        path: String,
    },
}

impl Evidence {
    fn is_outage(&self) -> bool {
        matches!(self, Evidence::Outage { .. })
    }

    /// How bad that is, where it can be compared with another run's. Where each connection adds copies, their number says
    /// only how many connections there were.
    pub fn extent(&self) -> Option<Extent> {
        match self {
            Evidence::Copies { counts, .. } => match counts[..] {
                [first, ref others @ ..] if !others.is_empty() && others.iter().all(|count| *count == first) => {
                    Some(Extent::Copies { copies: bounded(first) })
                }
                _ => None,
            },
            _ => None,
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
    pub notes: Vec<Message>,
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
    /// Milliseconds from the run's beginning to the check's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_ms: Option<u64>,
    /// What the check saw, for what is concluded from several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// Shell commands that show the failure again without siospec, where there are such.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_hand: Vec<Step>,
    /// Whether only a client meets the failure that sends what none of Socket.IO's clients sends.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unfelt: bool,
    /// The waiver of this failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waived: Option<Waived>,
    /// Whether the failure is in the baseline, and is not clearly worse than there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub known: bool,
    /// What the baseline has of the failure, where it is clearly worse by now. It counts as new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worse_than: Option<Extent>,
    /// How often which outcome was seen, where the check was run more than once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tries: Option<Tries>,
    /// What went over the wire, free of secrets. Empty where the check passed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transcript: Vec<Entry>,
}

/// A line of a shell script.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// What is to be known of the commands.
    Comment(Message),
    /// A command.
    Command(String),
}

/// The lines as a script.
pub fn script(steps: &[Step]) -> String {
    let lines = steps.iter().map(|step| match step {
        Step::Comment(comment) => format!("# {}", comment.text()),
        Step::Command(command) => command.clone(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

impl CheckResult {
    /// The script that shows the failure again without siospec; empty where there is none.
    pub fn script(&self) -> String {
        script(&self.by_hand)
    }

    /// All that was said about the deployment: the outcome's sentences, the remarks, and the comments of the script. It may be changed.
    pub fn messages_mut(&mut self) -> Vec<&mut Message> {
        let outcome = match &mut self.outcome {
            Outcome::Pass => Vec::new(),
            Outcome::Fail(Failure { reason, sent, received, expected, extent: _ }) => {
                vec![reason, sent, received, expected]
            }
            Outcome::Skip { reason, .. } | Outcome::Blocked { reason, .. } | Outcome::Broken { reason } => vec![reason],
        };
        let comments = self.by_hand.iter_mut().filter_map(|step| match step {
            Step::Comment(comment) => Some(comment),
            Step::Command(_) => None,
        });
        outcome.into_iter().chain(&mut self.notes).chain(comments).collect()
    }

    /// The area: the id's first part.
    pub fn area(&self) -> &str {
        self.id.split('.').next().unwrap_or_default()
    }

    /// Whether this result alone makes a run fail by the default policy.
    pub fn fails_the_run(&self) -> bool {
        Gate::default().refuses(self)
    }

    /// Whether the check failed.
    pub fn is_failure(&self) -> bool {
        matches!(self.outcome, Outcome::Fail(_))
    }

    /// How much of what the check looked at is wrong, where that was counted.
    pub fn extent(&self) -> Option<Extent> {
        match &self.outcome {
            Outcome::Fail(failure) => failure.extent,
            _ => None,
        }
    }

    /// Whether the check applies to the deployment and was not judged.
    pub fn is_unjudged(&self) -> bool {
        matches!(self.outcome, Outcome::Broken { .. } | Outcome::Blocked { .. } | Outcome::Skip { lacks: Some(_), .. })
    }

    /// Whether a MUST check was not run because there was no way to get a token.
    pub fn wants_token(&self) -> bool {
        self.level == Level::Must && matches!(self.outcome, Outcome::Skip { lacks: Some(Lack::Token), .. })
    }

    /// Whether the failure is covered by a waiver that has not run out.
    pub fn is_waived(&self) -> bool {
        self.is_failure() && self.waived.as_ref().is_some_and(|waived| !waived.expired)
    }

    /// What comes of this result and another one of the same check: the worst that was seen, and how often what was.
    pub fn tried_again(self, second: CheckResult) -> CheckResult {
        let (a, b) = (self.seen(), second.seen());
        let tries =
            Tries { pass: a.pass + b.pass, fail: a.fail + b.fail, skip: a.skip + b.skip, broken: a.broken + b.broken };
        let duration_ms = self.duration_ms + second.duration_ms;
        let (mut kept, other) = if second.badness() > self.badness() { (second, self) } else { (self, second) };
        for note in other.notes {
            if !kept.notes.contains(&note) {
                kept.notes.push(note);
            }
        }
        CheckResult { duration_ms, tries: Some(tries), ..kept }
    }

    fn seen(&self) -> Tries {
        self.tries.unwrap_or_else(|| {
            let mut tries = Tries::default();
            *match self.outcome {
                Outcome::Pass => &mut tries.pass,
                Outcome::Fail(_) => &mut tries.fail,
                Outcome::Skip { .. } | Outcome::Blocked { .. } => &mut tries.skip,
                Outcome::Broken { .. } => &mut tries.broken,
            } = 1;
            tries
        })
    }

    /// A failure says most. A skip says nothing, so that any verdict is more than that.
    fn badness(&self) -> impl Ord + use<> {
        let kind = match self.outcome {
            Outcome::Skip { .. } => 0,
            Outcome::Blocked { .. } => 1,
            Outcome::Pass => 2,
            Outcome::Broken { .. } => 3,
            Outcome::Fail(_) => 4,
        };
        (kind, self.level, self.extent().map(Extent::size))
    }

    /// Whether the check passed at times, and at times did not. Its outcome is the worst that was seen.
    pub fn is_flaky(&self) -> bool {
        self.tries.is_some_and(|tries| tries.pass > 0 && tries.fail + tries.broken > 0)
    }
}

/// A waiver beside the failure that it covers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Waived {
    /// Who answers for it.
    pub owner: String,
    /// Why the failure is accepted.
    pub reason: String,
    /// The last day on which it holds, `2026-12-31`.
    pub until: String,
    /// Whether it had run out when the run began.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub expired: bool,
}

/// How often which outcome of a check was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tries {
    /// It passed.
    pub pass: u32,
    /// It failed.
    pub fail: u32,
    /// It was not run: skipped, or blocked.
    pub skip: u32,
    /// It could not be judged.
    pub broken: u32,
}

impl Tries {
    /// How often the check was run, or skipped.
    pub const fn total(self) -> u32 {
        self.pass + self.fail + self.skip + self.broken
    }
}

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
