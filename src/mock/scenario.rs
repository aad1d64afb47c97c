//! Broken deployments as they occur in the field: several deviations at once, of one cause.
//!
//! A [`Fault`] is one deviation, and proves the checks that declare it. A scenario belongs to no check: it proves that what
//! its deviations have in common is concluded from the results.

use std::{fmt, str::FromStr};

use super::Fault;

/// A broken deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scenario {
    /// The application is set up twice in one process.
    DoubleInit,
    /// Two servers are attached to one port.
    TwoServers,
    /// Each connection registers handlers for all that follow.
    HandlersPerConnection,
    /// Each connection registers handlers that outlive it, for its user.
    HandlersPerReconnect,
    /// A reload leaves the old server in place.
    ReloadWithoutGuard,
    /// What the verification throws ends the process.
    CrashesOnBadToken,
    /// The middleware never calls `next` for a bad token.
    HangsInMiddleware,
    /// Several nodes behind a balancer that forgets.
    NoStickySessions,
    /// A cache in front keeps handshakes.
    CachesHandshakes,
    /// A proxy in front takes `Upgrade` out of requests.
    StripsUpgrade,
    /// Something else takes WebSockets.
    SilentWebsocket,
    /// A proxy in front limits requests.
    LimitsRequests,
    /// The event loop is blocked most of the time.
    AnswersSlowly,
}

impl Scenario {
    /// Every scenario, in the order in which `siospec faults` lists them.
    pub const ALL: [Scenario; 13] = [
        Scenario::DoubleInit,
        Scenario::TwoServers,
        Scenario::HandlersPerConnection,
        Scenario::HandlersPerReconnect,
        Scenario::ReloadWithoutGuard,
        Scenario::CrashesOnBadToken,
        Scenario::HangsInMiddleware,
        Scenario::NoStickySessions,
        Scenario::CachesHandshakes,
        Scenario::StripsUpgrade,
        Scenario::SilentWebsocket,
        Scenario::LimitsRequests,
        Scenario::AnswersSlowly,
    ];

    /// The kebab-case name, as given to `siospec serve --scenario`.
    pub const fn name(self) -> &'static str {
        match self {
            Scenario::DoubleInit => "double-init",
            Scenario::TwoServers => "two-servers",
            Scenario::HandlersPerConnection => "handlers-per-connection",
            Scenario::HandlersPerReconnect => "handlers-per-reconnect",
            Scenario::ReloadWithoutGuard => "reload-without-guard",
            Scenario::CrashesOnBadToken => "crashes-on-bad-token",
            Scenario::HangsInMiddleware => "hangs-in-middleware",
            Scenario::NoStickySessions => "no-sticky-sessions",
            Scenario::CachesHandshakes => "caches-handshakes",
            Scenario::StripsUpgrade => "strips-upgrade",
            Scenario::SilentWebsocket => "silent-websocket",
            Scenario::LimitsRequests => "limits-requests",
            Scenario::AnswersSlowly => "answers-slowly",
        }
    }

    /// What the broken deployment does, as one sentence.
    pub const fn description(self) -> &'static str {
        match self {
            Scenario::DoubleInit => {
                "The application is set up twice: two pongs, two notifications, two of each room message."
            }
            Scenario::TwoServers => "Two servers answer: two CONNECT replies, two pongs, two notifications.",
            Scenario::HandlersPerConnection => "Each connection adds one more pong to those of all that follow.",
            Scenario::HandlersPerReconnect => {
                "Each reconnect of a user adds one more pong, notification, room message and greeting."
            }
            Scenario::ReloadWithoutGuard => "A reload leaves the old server in place beside the new one.",
            Scenario::CrashesOnBadToken => "A bad token drops every connection, its own without an answer.",
            Scenario::HangsInMiddleware => "A bad token gets no answer at all.",
            Scenario::NoStickySessions => {
                "A session is unknown once the TCP connection that it was opened on is closed."
            }
            Scenario::CachesHandshakes => "Two handshakes by the very same URL get the same answer.",
            Scenario::StripsUpgrade => "Requests arrive without their `Upgrade` header.",
            Scenario::SilentWebsocket => "A WebSocket handshake gets 101 and then nothing.",
            Scenario::LimitsRequests => "Of more than sixty requests within a second, the rest is answered 429.",
            Scenario::AnswersSlowly => "Each HTTP request takes three and a half seconds.",
        }
    }

    /// The single deviations that it consists of; some of what it does is its own.
    pub const fn faults(self) -> &'static [Fault] {
        match self {
            Scenario::DoubleInit => &[Fault::DoublePong, Fault::RestEmitsTwice],
            Scenario::TwoServers => &[Fault::DoubleConnectReply, Fault::DoublePong, Fault::RestEmitsTwice],
            Scenario::HandlersPerReconnect => &[
                Fault::HandlersPileUp,
                Fault::HandlersPileUpAfterDisconnect,
                Fault::NotificationsPileUp,
                Fault::RoomDeliveriesPileUp,
                Fault::GreetingsPileUp,
            ],
            Scenario::ReloadWithoutGuard => &[Fault::ReloadDoublesServer],
            Scenario::HangsInMiddleware => &[Fault::HangsOnRejection],
            Scenario::NoStickySessions => &[Fault::SessionsStickToConnections],
            Scenario::CachesHandshakes => &[Fault::CachedHandshake],
            Scenario::SilentWebsocket => &[Fault::WebsocketSilent],
            Scenario::HandlersPerConnection
            | Scenario::CrashesOnBadToken
            | Scenario::StripsUpgrade
            | Scenario::LimitsRequests
            | Scenario::AnswersSlowly => &[],
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scenario {
    type Err = String;

    /// Parses the kebab-case name; the error names them all.
    fn from_str(name: &str) -> Result<Self, String> {
        Scenario::ALL.into_iter().find(|scenario| scenario.name() == name).ok_or_else(|| {
            let all = Scenario::ALL.map(Scenario::name).join(", ");
            format!("there is no scenario `{name}`; there are {all}")
        })
    }
}
