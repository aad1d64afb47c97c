//! Engine.IO v4 packets, as text for polling and for WebSocket.
//!
//! This is the server's own codec. The suite's (`crate::wire`) is not used here: two ends that share a codec hide each
//! other's mistakes.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;

/// Separates the packets of one polling payload (Engine.IO v4, "HTTP long-polling").
const SEPARATOR: char = '\x1e';

/// Decodes with and without padding, as Node's `Buffer` does.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One Engine.IO packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    Open(String),
    Close,
    /// `2`, or `2probe`.
    Ping {
        probe: bool,
    },
    /// `3`, or `3probe`.
    Pong {
        probe: bool,
    },
    Message(String),
    Upgrade,
    Noop,
    Binary(Bytes),
    /// With the fault `text-attachment-on-websocket`: binary data as `b…`, on WebSocket as well.
    BinaryAsText(Bytes),
}

/// A packet that has no type, or an unknown one, or broken base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl Packet {
    /// Decodes one packet from its text form.
    pub fn decode(text: &str) -> Result<Packet, Malformed> {
        let mut rest = text.chars();
        let kind = rest.next().ok_or(Malformed)?;
        let data = rest.as_str();
        Ok(match kind {
            '0' => Packet::Open(data.to_owned()),
            '1' => Packet::Close,
            '2' => Packet::Ping { probe: data == "probe" },
            '3' => Packet::Pong { probe: data == "probe" },
            '4' => Packet::Message(data.to_owned()),
            '5' => Packet::Upgrade,
            '6' => Packet::Noop,
            'b' => Packet::Binary(BASE64.decode(data).map_err(|_| Malformed)?.into()),
            _ => return Err(Malformed),
        })
    }

    /// The text form.
    pub fn encode(&self) -> String {
        match self {
            Packet::Open(data) => format!("0{data}"),
            Packet::Close => "1".to_owned(),
            Packet::Ping { probe: false } => "2".to_owned(),
            Packet::Ping { probe: true } => "2probe".to_owned(),
            Packet::Pong { probe: false } => "3".to_owned(),
            Packet::Pong { probe: true } => "3probe".to_owned(),
            Packet::Message(data) => format!("4{data}"),
            Packet::Upgrade => "5".to_owned(),
            Packet::Noop => "6".to_owned(),
            Packet::Binary(data) | Packet::BinaryAsText(data) => format!("b{}", BASE64.encode(data)),
        }
    }

    /// Whether it carries something of the application's.
    pub fn is_message(&self) -> bool {
        matches!(self, Packet::Message(_) | Packet::Binary(_) | Packet::BinaryAsText(_))
    }

    /// About what it weighs, in bytes.
    pub fn len(&self) -> usize {
        1 + match self {
            Packet::Open(data) | Packet::Message(data) => data.len(),
            Packet::Binary(data) | Packet::BinaryAsText(data) => data.len(),
            _ => 0,
        }
    }
}

/// Decodes a polling payload. What comes after a malformed packet is not looked at.
pub fn decode_payload(body: &str) -> Vec<Result<Packet, Malformed>> {
    let mut packets = Vec::new();
    for text in body.split(SEPARATOR) {
        let packet = Packet::decode(text);
        packets.push(packet);
        if packets.last() == Some(&Err(Malformed)) {
            break;
        }
    }
    packets
}

/// Encodes a polling payload.
pub fn encode_payload(packets: &[Packet]) -> String {
    packets.iter().map(Packet::encode).collect::<Vec<_>>().join(SEPARATOR.encode_utf8(&mut [0; 1]))
}
