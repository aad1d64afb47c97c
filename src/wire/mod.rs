//! What goes over the wire: the codecs of Engine.IO v4 and Socket.IO v5, the two transports, and the transcript.
//!
//! This code is the suite's own and shares nothing with the reference server: two ends that share a codec hide each
//! other's mistakes. HTTP is reqwest, WebSocket framing tokio-tungstenite.

pub mod engine;
pub mod http;
pub mod json;
pub mod pace;
mod pool;
pub mod session;
pub mod socket;
pub mod transcript;
pub mod websocket;

use std::time::Duration;

pub use engine::{Handshake, Packet as EnginePacket};
pub use http::{Endpoint, HttpResponse};
pub use session::{Heartbeats, Polling, Session};
pub use socket::Packet as SocketPacket;
pub use transcript::{Direction, Entry, Transcript};
pub use websocket::{Frame, Upgrade, WebSocket};

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
}

impl std::fmt::Display for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Transport::Polling => "polling",
            Transport::WebSocket => "WebSocket",
        })
    }
}

/// Why an exchange with the target came to nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WireError {
    /// No connection could be made.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The TLS handshake failed: certificate, host name or protocol version.
    #[error("TLS: {0}")]
    Tls(String),
    /// Nothing came within the deadline.
    #[error("no {what} came within {}", humantime::format_duration(round(*after)))]
    Timeout {
        /// What was awaited, as a noun phrase.
        what: &'static str,
        /// How long it was awaited.
        after: Duration,
    },
    /// The other end closed the connection, or the session.
    #[error("the connection was closed: {0}")]
    Closed(String),
    /// siospec's own limits ended the exchange, which says nothing of how the target ends its connections.
    #[error("siospec cut the connection: {0}")]
    Cut(String),
    /// What came is not what the protocol has.
    #[error("{0}")]
    Malformed(String),
    /// An HTTP request was answered, but not with what the exchange needs.
    #[error("{method} was answered {response}")]
    Status {
        /// The request's method.
        method: &'static str,
        /// The answer.
        response: Box<HttpResponse>,
    },
}

impl WireError {
    /// Whether the target answered 400, as it does for a session that it does not know (any more).
    pub fn is_bad_request(&self) -> bool {
        matches!(self, WireError::Status { response, .. } if response.status == 400)
    }
}

/// Rounds to what a person wants to read: whole milliseconds.
pub fn round(duration: Duration) -> Duration {
    Duration::from_millis(duration.as_millis() as u64)
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
