//! What goes over the wire: the codecs of Engine.IO v4 and Socket.IO v5, the two transports, and the transcript.
//!
//! This code is the suite's own and shares nothing with the reference server: two ends that share a codec hide each
//! other's mistakes. HTTP is reqwest, WebSocket framing tokio-tungstenite.

mod endpoint;
pub mod engine;
mod entry;
mod held;
pub mod http;
pub mod json;
pub mod pace;
mod pool;
pub mod presence;
pub mod response;
pub mod session;
pub mod socket;
pub mod transcript;
pub mod websocket;
mod young;

use std::time::Duration;

use crate::message::{Arg, Message, ToArg, word};

pub use endpoint::Endpoint;
pub use engine::{Handshake, Packet as EnginePacket};
pub use entry::{Direction, Entry};
pub use http::Carried;
pub use response::HttpResponse;
pub use session::{Heartbeats, Polling, Session};
pub use socket::Packet as SocketPacket;
pub use transcript::Transcript;
pub use websocket::{Frame, Upgrade, WebSocket};
pub use young::YOUNG;

/// A low-level way to carry Engine.IO packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// HTTP long-polling.
    Polling,
    /// WebSocket.
    WebSocket,
}

impl Transport {
    /// The value of the query parameter `transport` (Engine.IO v4, "Transports").
    pub const fn name(self) -> &'static str {
        match self {
            Transport::Polling => "polling",
            Transport::WebSocket => "websocket",
        }
    }

    /// The word for it in a sentence.
    pub const fn shown(self) -> &'static str {
        match self {
            Transport::Polling => "polling",
            Transport::WebSocket => "WebSocket",
        }
    }
}

impl ToArg for Transport {
    fn to_arg(&self) -> Arg {
        word(self.shown())
    }
}

impl std::fmt::Display for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.shown())
    }
}

/// Why an exchange with the target came to nothing.
#[derive(Clone, Debug)]
pub enum WireError {
    /// No connection could be made.
    Connect(Message),
    /// The TLS handshake failed: certificate, host name or protocol version.
    Tls(Message),
    /// Nothing came within the deadline.
    Timeout {
        /// What was awaited, as a noun phrase.
        what: &'static str,
        /// How long it was awaited.
        after: Duration,
    },
    /// The other end closed the connection, or the session.
    Closed(Message),
    /// siospec's own limits ended the exchange, which says nothing of how the target ends its connections.
    Cut(Message),
    /// What came is not what the protocol has.
    Malformed(Message),
    /// An HTTP request was answered, but not with what the exchange needs.
    Status {
        /// The request's method.
        method: &'static str,
        /// The answer.
        response: Box<HttpResponse>,
    },
}

spoken!(WireError);

impl WireError {
    /// What happened, in words.
    pub fn message(&self) -> Message {
        match self {
            WireError::Connect(why) => say!("cannot connect: {why}", why),
            WireError::Tls(why) => say!("TLS: {why}", why),
            WireError::Timeout { what, after } => say!("no {what} came within {after}", what, after),
            WireError::Closed(how) => say!("the connection was closed: {how}", how),
            WireError::Cut(why) => say!("siospec cut the connection: {why}", why),
            WireError::Malformed(why) => why.clone(),
            WireError::Status { method, response } => say!("{method} was answered {response}", method, response),
        }
    }

    /// Whether the target [misses the session](HttpResponse::misses_session), as it answered.
    pub fn misses_session(&self) -> bool {
        matches!(self, WireError::Status { response, .. } if response.misses_session())
    }

    /// Whether nobody was met: no connection, no answer, or that of a proxy which misses its server (RFC 9110, 15.6.3 to
    /// 15.6.5). What comes too fast is turned away by somebody.
    pub fn finds_nobody(&self) -> bool {
        match self {
            WireError::Connect(_) | WireError::Timeout { .. } | WireError::Closed(_) => true,
            WireError::Status { response, .. } => {
                matches!(response.status, 502..=504) && pace::limits(response).is_none()
            }
            WireError::Tls(_) | WireError::Cut(_) | WireError::Malformed(_) => false,
        }
    }
}

/// Shortens `text` to at most `limit` characters and says how much is missing.
pub fn shorten(text: &str, limit: usize) -> String {
    let total = text.chars().count();
    if total <= limit {
        return text.to_owned();
    }
    let head: String = text.chars().take(limit).collect();
    format!("{head}… ({} more characters)", total - limit)
}
