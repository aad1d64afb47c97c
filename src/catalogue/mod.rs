//! The catalogue: every check, one file each, in a folder per area.
//!
//! A check's id is its file's path (`auth/alg_none.rs` is `auth.alg-none`) and is never reused for another meaning. The
//! file is read top to bottom: module docs (what `siospec explain` prints), one [`Check`] with all that is to say of it,
//! and one function that reads like the exchange on the wire.

pub mod cite;

mod auth;
mod deploy;
mod disclosure;
mod engine;
mod events;
mod interop;
mod promises;
mod reconnect;
mod rest;
mod rooms;
mod security;
mod selection;
mod socket;
mod stock;
mod transport;

use std::time::Duration;

use futures::future::BoxFuture;

use crate::{
    contract::Contract,
    fault::Fault,
    message::{Arg, Joint, Message, ToArg, list},
    probe::{Probe, Verdict},
    verdict::{Citation, Level, Row},
    wire::{Handshake, Transport},
};
use cite::Cite;
pub use selection::{Selection, SelectionError, glob, nearest};

/// Each of what was tried, once, with the transports that it went over, in the order in which they come.
fn by_what<'a>(tried: impl IntoIterator<Item = (&'a Message, Transport)>) -> Vec<(&'a Message, Vec<Transport>)> {
    let mut names: Vec<(&Message, Vec<Transport>)> = Vec::new();
    for (what, transport) in tried {
        match names.iter_mut().find(|(known, _)| *known == what) {
            Some((_, transports)) => transports.push(transport),
            None => names.push((what, vec![transport])),
        }
    }
    names
}

/// `polling, WebSocket`
fn listed<'a>(transports: impl IntoIterator<Item = &'a Transport>) -> Arg {
    list(transports.into_iter().map(Transport::to_arg), Joint::Comma)
}

/// One check: what must hold, why, what its failure means, what to do, and how to see it fail.
pub struct Check {
    /// The id, equal to the file's path: `area.name-of-the-check`.
    pub id: &'static str,
    /// What must hold, as one sentence.
    pub title: &'static str,
    /// How much it matters.
    pub level: Level,
    /// The scorecard's row.
    pub row: Row,
    /// What it rests on.
    pub cites: &'static [Cite],
    /// What it cannot do without; a missing one makes it skip.
    pub needs: &'static [Need],
    /// Checks whose failure leaves nothing to judge here; this one runs after them, and is blocked when one fails the run,
    /// could not be judged, or was itself blocked.
    pub requires: &'static [&'static str],
    /// Whether it gets along with the checks beside it.
    pub isolation: Isolation,
    /// What it does to others, and to the target, beyond what a client does every day.
    pub effects: &'static [Effect],
    /// How long the protocol makes it wait. `--max-wait` leaves out what would wait longer.
    pub wait: Wait,
    /// What its failure means for a user of the deployment.
    pub meaning: &'static str,
    /// What to change in a Nuxt app.
    pub fix: &'static str,
    /// How much work that is.
    pub effort: Effort,
    /// The faults of the reference server that make it fail. Never empty.
    pub faults: &'static [Fault],
    /// The exchange.
    pub run: for<'a> fn(&'a Probe) -> BoxFuture<'a, Verdict>,
}

impl Check {
    /// The area: the id's first part.
    pub fn area(&self) -> &'static str {
        self.id.split('.').next().unwrap_or_default()
    }

    /// Whether it holds a server to what the protocol says of clients that do not keep to it. Socket.IO's own clients never
    /// meet a failure of such a check.
    pub fn is_for_misuse(&self) -> bool {
        self.effects.contains(&Effect::Malformed) && ["engine", "socket"].contains(&self.area())
    }

    /// What others than siospec's own clients feel of it, if anything.
    pub fn felt_by_others(&self) -> Option<Effect> {
        self.effects.iter().copied().find(|effect| effect.reaches_others())
    }

    /// What it rests on, as report data.
    pub fn citations(&self) -> Vec<Citation> {
        self.cites.iter().map(|cite| Citation { place: cite.place.to_owned(), url: cite.url.to_owned() }).collect()
    }
}

/// What a check does beyond what a client does every day. The target may be somebody's production.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It calls the REST trigger, so that every connected user gets a notification.
    Broadcasts,
    /// It sends much: many clients, messages or requests at once, or large ones.
    Heavy,
    /// It sends what no client sends.
    Malformed,
    /// What it sends, or does, may take a fragile target down, or keep everybody out for a while.
    Endangers,
}

impl Effect {
    /// All of them.
    pub const ALL: [Effect; 4] = [Effect::Broadcasts, Effect::Heavy, Effect::Malformed, Effect::Endangers];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Effect::Broadcasts => "broadcasts",
            Effect::Heavy => "heavy",
            Effect::Malformed => "malformed",
            Effect::Endangers => "endangers",
        }
    }

    /// What it means, for whoever decides whether to run the check.
    pub const fn meaning(self) -> &'static str {
        match self {
            Effect::Broadcasts => "sends notifications to every connected user",
            Effect::Heavy => "sends many messages or requests at once, or large ones",
            Effect::Malformed => "sends what no client sends",
            Effect::Endangers => "may take a fragile target down, or keep everybody out for a while",
        }
    }

    /// Whether others than siospec's own clients feel it.
    pub const fn reaches_others(self) -> bool {
        matches!(self, Effect::Broadcasts | Effect::Endangers)
    }
}

/// How much work the fix of a failure is in a Nuxt app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// A flag or a line.
    Minutes,
    /// A middleware or a handler that is written anew.
    Hours,
    /// The proxy, the cluster, or what else the application stands on.
    Days,
}

impl Effort {
    /// The word for it in a report.
    pub const fn name(self) -> &'static str {
        match self {
            Effort::Minutes => "minutes",
            Effort::Hours => "hours",
            Effort::Days => "days",
        }
    }
}

/// What a check cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A CONNECT that is accepted: a valid token or the means to make one, or declared guests.
    Connect,
    /// A valid token.
    Token,
    /// The signing secret or key, to mint tokens that are bad in one way only.
    SigningKey,
    /// A deployment that refuses a CONNECT without a valid token (guests are not declared).
    Refusals,
    /// The declared `ping` event.
    Ping,
    /// The declared room events.
    Rooms,
    /// Room messages with a text of ours, by which those of several senders are told apart.
    DistinctRoomMessages,
    /// The REST trigger.
    Rest,
    /// Declared credentials of the REST trigger.
    RestCredentials,
    /// The declared event that is acknowledged.
    Ack,
    /// A way to get a message of ours back: a declared acknowledgement that holds it, or room messages that do.
    Echo,
    /// A declared second namespace.
    Namespaces,
    /// A deployment in which unknown namespaces are refused.
    FixedNamespaces,
    /// A declared room that the tokens' users may not join.
    PrivateRoom,
    /// Declared foreign origins.
    Origins,
    /// A declared cookie.
    Cookie,
    /// Further nodes of the deployment.
    Nodes,
    /// A declared issuer of tokens.
    Issuer,
    /// A declared audience of tokens.
    Audience,
    /// Tokens signed by HMAC.
    Hmac,
    /// The public key of an asymmetric algorithm.
    PublicKey,
    /// A target that is reached by https.
    Https,
    /// A reload hook.
    Reload,
    /// Polling that works.
    Polling,
    /// WebSocket that works.
    WebSocket,
    /// A deployment that is not declared WebSocket-only.
    PollingDeclared,
    /// A deployment that is not declared polling-only.
    WebSocketDeclared,
    /// A build of siospec with the feature `interop`.
    InteropClient,
}

/// Whether a check gets along with the checks beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// It looks at nothing that others cause.
    SideBySide,
    /// It calls the REST trigger, whose broadcast every client hears. Where the contract's body carries no message of
    /// ours, such checks run one at a time.
    Notifications,
    /// It sends to rooms. Where the contract's arguments carry no message of ours, such checks run one at a time.
    Rooms,
    /// It measures what all other requests would use up, such as a limit of their rate: it runs alone, before all others, and
    /// its requests are sent as they come.
    First,
    /// It disturbs everything else, such as by a reload: it runs alone, after all others.
    Alone,
    /// What stands in front of the target may keep everybody out for a while because of it: it runs alone, after those as well,
    /// and ends when the target serves again.
    Last,
}

/// How long the protocol makes a check wait, beyond the deadline of each answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// It waits for answers only.
    None,
    /// Until the first heartbeat: `pingInterval`.
    Heartbeat,
    /// Until a pong that is not taken has to show: twice `pingInterval`, and as much more as `pingTimeout` takes.
    Heartbeats,
    /// Until a peer that does not answer is given up: `pingInterval` + `pingTimeout`, and another `pingTimeout` for
    /// servers that look only every so often.
    DeadPeer,
    /// Until a session without a CONNECT is closed: `choices.connect-timeout`.
    ConnectTimeout,
    /// As long as an idle connection must be kept: `choices.idle-limit`.
    Idle,
}

impl Wait {
    /// How long that is at a target with this handshake, by this contract.
    pub fn duration(self, handshake: &Handshake, contract: &Contract) -> Duration {
        let (interval, timeout) = (handshake.ping_interval(), handshake.ping_timeout());
        match self {
            Wait::None => Duration::ZERO,
            Wait::Heartbeat => interval,
            Wait::Heartbeats => interval.saturating_mul(promises::beats(handshake)),
            Wait::DeadPeer => interval + 2 * timeout,
            Wait::ConnectTimeout => contract.choices.connect_timeout,
            Wait::Idle => contract.choices.idle_limit,
        }
    }
}

/// A check and its source file's text.
pub struct Entry {
    /// The check.
    pub check: &'static Check,
    source: &'static str,
}

impl Entry {
    /// The check's documentation: the module docs of its file, as Markdown.
    pub fn documentation(&self) -> String {
        let docs = self.source.lines().map_while(|line| line.strip_prefix("//!"));
        docs.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
    }
}

/// Lists an area's checks. A name without its file does not compile; a `mod` line without a name here is dead code,
/// which clippy refuses; and a file without a `mod` line is found by a test.
macro_rules! checks {
    ($($module:ident),* $(,)?) => {
        pub(super) const CHECKS: &[$crate::catalogue::Entry] = &[
            $($crate::catalogue::Entry {
                check: &$module::CHECK,
                source: include_str!(concat!(stringify!($module), ".rs")),
            }),*
        ];
    };
}
use checks;

/// Every check, area by area.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    [
        transport::CHECKS,
        engine::CHECKS,
        socket::CHECKS,
        auth::CHECKS,
        events::CHECKS,
        rooms::CHECKS,
        rest::CHECKS,
        reconnect::CHECKS,
        deploy::CHECKS,
        security::CHECKS,
        interop::CHECKS,
    ]
    .into_iter()
    .flatten()
}

/// The check with this id.
pub fn find(id: &str) -> Option<&'static Entry> {
    all().find(|entry| entry.check.id == id)
}
