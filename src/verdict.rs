//! The data of a run: levels, rows, outcomes, results, and what they come to.
//!
//! Everything that a report shows is here; nothing here knows how it came about.

mod run;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::message::Message;
pub use crate::wire::{Direction, Entry};
pub use run::{Cause, Counts, ExitCode, FailOn, Gate, Idle, IdleWaiver, RunReport, Shards};

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
