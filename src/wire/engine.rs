//! Engine.IO v4: packets, payloads, the open packet.
//!
//! Source: Engine.IO protocol, revision 4, "Protocol" (packet types, packet encoding, payload encoding).

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Map, Value};

use crate::message::{Message, quote};

/// Separates packets in a polling payload (ASCII record separator).
pub const SEPARATOR: char = '\u{1e}';

/// An Engine.IO packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// `0`: the handshake, as JSON text.
    Open(String),
    /// `1`: the session ends.
    Close,
    /// `2`: heartbeat (or `2probe` during an upgrade).
    Ping(String),
    /// `3`: the answer to a heartbeat or probe.
    Pong(String),
    /// `4`: a text message.
    Message(String),
    /// A binary message: a binary frame on WebSocket, `b` and base64 on polling.
    Binary(Bytes),
    /// `5`: the upgrade is complete.
    Upgrade,
    /// `6`: releases a pending poll.
    Noop,
}

impl Packet {
    /// Decodes one packet in text form, as a WebSocket text frame or a polling payload holds it.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn decode(text: &str) -> Result<Packet, Message> {
        let mut chars = text.chars();
        let kind = chars.next().ok_or("an empty packet")?;
        let rest = chars.as_str().to_owned();
        Ok(match kind {
            '0' => Packet::Open(rest),
            '1' => Packet::Close,
            '2' => Packet::Ping(rest),
            '3' => Packet::Pong(rest),
            '4' => Packet::Message(rest),
            '5' => Packet::Upgrade,
            '6' => Packet::Noop,
            'b' => Packet::Binary(
                STANDARD
                    .decode(&rest)
                    .map_err(|error| say!("a binary packet that is not base64: {error}", error))?
                    .into(),
            ),
            other => return Err(say!("a packet of unknown type {other}", other = quote(&other.to_string()))),
        })
    }

    /// How many bytes its data takes.
    pub fn len(&self) -> usize {
        match self {
            Packet::Open(data) | Packet::Ping(data) | Packet::Pong(data) | Packet::Message(data) => data.len(),
            Packet::Binary(data) => data.len(),
            Packet::Close | Packet::Upgrade | Packet::Noop => 0,
        }
    }

    /// Whether it has no data.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Encodes the packet as text; binary becomes `b` and base64, as polling wants it.
    pub fn encode(&self) -> String {
        match self {
            Packet::Open(data) => format!("0{data}"),
            Packet::Close => "1".into(),
            Packet::Ping(data) => format!("2{data}"),
            Packet::Pong(data) => format!("3{data}"),
            Packet::Message(data) => format!("4{data}"),
            Packet::Binary(data) => format!("b{}", STANDARD.encode(data)),
            Packet::Upgrade => "5".into(),
            Packet::Noop => "6".into(),
        }
    }
}

/// Decodes a polling payload: packets joined by [`SEPARATOR`].
///
/// # Errors
/// A sentence about the first packet that is wrong.
pub fn decode_payload(body: &str) -> Result<Vec<Packet>, Message> {
    body.split(SEPARATOR).map(Packet::decode).collect()
}

/// Encodes packets as one polling payload.
pub fn encode_payload(packets: &[Packet]) -> String {
    packets.iter().map(Packet::encode).collect::<Vec<_>>().join("\u{1e}")
}

/// Whether this is a handshake's answer in the framing of version 3, which counts characters: `96:0{"sid":…`.
pub fn is_version_3(body: &str) -> bool {
    let digits = body.chars().take_while(char::is_ascii_digit).count();
    digits > 0 && body[digits..].starts_with(":0{")
}

/// Ten minutes, in milliseconds: beyond any sane heartbeat. A hostile server must not make a wait endless.
const MAX_HEARTBEAT: u64 = 600_000;

/// The open packet: what the server says of the session (Engine.IO v4, "Handshake").
///
/// Only the session id is indispensable here, so that a check can look at the rest.
#[derive(Clone, Debug)]
pub struct Handshake {
    /// The session id.
    pub sid: String,
    /// The JSON object as it came.
    pub raw: Map<String, Value>,
}

impl Handshake {
    /// Reads the data of an open packet.
    ///
    /// # Errors
    /// A sentence that says what is wrong: not JSON, not an object, no usable `sid`.
    pub fn parse(data: &str) -> Result<Handshake, Message> {
        let raw: Map<String, Value> = serde_json::from_str(data)
            .map_err(|error| say!("an open packet that is no JSON object: {error}", error))?;
        match raw.get("sid").and_then(Value::as_str) {
            Some(sid) if !sid.is_empty() => Ok(Handshake { sid: sid.to_owned(), raw }),
            _ => Err("an open packet without a `sid`".into()),
        }
    }

    /// The heartbeat interval; 25 s, Node's default, where the packet lacks it.
    pub fn ping_interval(&self) -> Duration {
        self.milliseconds("pingInterval").unwrap_or(Duration::from_millis(25_000))
    }

    /// How long the server waits for a pong; 20 s, Node's default, where the packet lacks it.
    pub fn ping_timeout(&self) -> Duration {
        self.milliseconds("pingTimeout").unwrap_or(Duration::from_millis(20_000))
    }

    /// The largest payload and message that the server takes, in bytes; `None` where the packet does not say.
    pub fn max_payload(&self) -> Option<usize> {
        self.whole("maxPayload").and_then(|bytes| bytes.try_into().ok())
    }

    /// The transports that the session can be upgraded to.
    pub fn upgrades(&self) -> Vec<&str> {
        self.raw.get("upgrades").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }

    fn milliseconds(&self, field: &str) -> Option<Duration> {
        self.whole(field).map(|value| Duration::from_millis(value.min(MAX_HEARTBEAT)))
    }

    /// A whole number, be it written as `25000` or as `25000.0`.
    fn whole(&self, field: &str) -> Option<u64> {
        let value = self.raw.get(field)?;
        let float = || value.as_f64().filter(|number| *number >= 0.0 && number.fract() == 0.0);
        value.as_u64().or_else(|| float().map(|number| number as u64))
    }
}
