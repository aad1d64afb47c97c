//! Socket.IO v5: packets.
//!
//! Source: Socket.IO protocol, revision 5, "Packet encoding":
//! `<type>[<attachments>-][<namespace>,][<ack id>][<JSON>]`.

use serde_json::Value;

use super::{
    WireError,
    json::{self, Unread},
};
use crate::message::{Arg, Message, excerpt, quote};

/// The packet types of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `0`
    Connect,
    /// `1`
    Disconnect,
    /// `2`
    Event,
    /// `3`
    Ack,
    /// `4`
    ConnectError,
    /// `5`
    BinaryEvent,
    /// `6`
    BinaryAck,
}

impl Kind {
    const ALL: [Kind; 7] = [
        Kind::Connect,
        Kind::Disconnect,
        Kind::Event,
        Kind::Ack,
        Kind::ConnectError,
        Kind::BinaryEvent,
        Kind::BinaryAck,
    ];

    fn digit(self) -> usize {
        self as usize
    }
}

/// A Socket.IO packet, without its attachments.
#[derive(Clone, Debug, PartialEq)]
pub struct Packet {
    /// The type.
    pub kind: Kind,
    /// How many binary attachments follow.
    pub attachments: usize,
    /// The namespace; `/` when the packet names none.
    pub namespace: String,
    /// The acknowledgement id.
    pub ack_id: Option<u64>,
    /// The payload.
    pub data: Option<Value>,
}

impl Packet {
    /// A packet without attachments, acknowledgement or payload.
    pub fn new(kind: Kind, namespace: &str) -> Packet {
        Packet { kind, attachments: 0, namespace: namespace.to_owned(), ack_id: None, data: None }
    }

    /// A CONNECT with the given payload.
    pub fn connect(namespace: &str, auth: Option<Value>) -> Packet {
        Packet { data: auth, ..Packet::new(Kind::Connect, namespace) }
    }

    /// An EVENT.
    pub fn event(namespace: &str, event: &str, args: &[Value]) -> Packet {
        let data = std::iter::once(Value::from(event)).chain(args.iter().cloned()).collect();
        Packet { data: Some(Value::Array(data)), ..Packet::new(Kind::Event, namespace) }
    }

    /// The event's name, where this is an event with one.
    pub fn event_name(&self) -> Option<&str> {
        match self.kind {
            Kind::Event | Kind::BinaryEvent => self.data.as_ref()?.get(0)?.as_str(),
            _ => None,
        }
    }

    /// The event's arguments (all but its name).
    pub fn event_args(&self) -> &[Value] {
        match &self.data {
            Some(Value::Array(items)) if !items.is_empty() => &items[1..],
            _ => &[],
        }
    }

    /// The message's text for a person to read, at most 200 characters of it.
    pub fn shown(&self) -> Arg {
        excerpt(&format!("4{}", self.encode()), 201)
    }

    /// Encodes the packet as the data of an Engine.IO message.
    pub fn encode(&self) -> String {
        let mut text = self.kind.digit().to_string();
        if matches!(self.kind, Kind::BinaryEvent | Kind::BinaryAck) {
            text += &format!("{}-", self.attachments);
        }
        if self.namespace != "/" {
            text += &self.namespace;
            text.push(',');
        }
        if let Some(id) = self.ack_id {
            text += &id.to_string();
        }
        if let Some(data) = &self.data {
            text += &data.to_string();
        }
        text
    }

    /// Decodes the data of an Engine.IO message.
    ///
    /// # Errors
    /// [`WireError::Malformed`] says what is wrong with it, [`WireError::Cut`] that it is more than siospec reads.
    pub fn decode(text: &str) -> Result<Packet, WireError> {
        let (mut packet, json) = Packet::decode_head(text).map_err(WireError::Malformed)?;
        if !json.is_empty() {
            packet.data = Some(json::parse(json).map_err(|unread| match unread {
                Unread::TooDeep => WireError::Cut(unread.to_string().into()),
                Unread::NotJson(why) => WireError::Malformed(say!(
                    "a payload that is not JSON ({why}): {json}",
                    why,
                    json = excerpt(json, 200)
                )),
            })?);
        }
        Ok(packet)
    }

    fn decode_head(text: &str) -> Result<(Packet, &str), Message> {
        let digit = text.chars().next().ok_or("an empty Socket.IO packet")?;
        let kind = digit
            .to_digit(10)
            .and_then(|digit| Kind::ALL.get(digit as usize).copied())
            .ok_or_else(|| say!("a Socket.IO packet of unknown type {digit}", digit = quote(&digit.to_string())))?;
        let mut rest = &text[digit.len_utf8()..];

        let mut attachments = 0;
        if matches!(kind, Kind::BinaryEvent | Kind::BinaryAck) {
            let (count, tail) = rest.split_once('-').ok_or("a binary packet that does not count its attachments")?;
            attachments = count
                .parse()
                .map_err(|_| say!("an invalid number of attachments: {count}", count = excerpt(count, 200)))?;
            rest = tail;
        }

        let mut namespace = "/".to_owned();
        if rest.starts_with('/') {
            // The comma may be missing where nothing follows; older servers write it so.
            let (name, tail) = rest.split_once(',').unwrap_or((rest, ""));
            namespace = name.to_owned();
            rest = tail;
        }

        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let ack_id = match &rest[..digits] {
            "" => None,
            id => {
                Some(id.parse().map_err(|_| say!("an acknowledgement id out of range: {id}", id = excerpt(id, 200)))?)
            }
        };
        rest = &rest[digits..];

        Ok((Packet { kind, attachments, namespace, ack_id, data: None }, rest))
    }
}
