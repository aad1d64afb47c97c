//! The Socket.IO v5 layer of the gateway: it reads every packet that passes, and puts right or spoils what has to be.
//!
//! From the client it lets through only what Node's socket.io would accept, because the upstream's library is laxer in
//! places and stricter in others. To the client it lets through only what belongs to a connected namespace.

use std::{collections::HashMap, fmt, sync::Arc};

use bytes::Bytes;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::Value;

use super::{
    super::{Fault, Faults},
    Settings,
    packet::Packet,
    random_id,
    upstream::{Link, SocketId, Standing},
};

/// How many characters a socket's id has.
const SOCKET_ID: usize = 20;

/// Socket.IO's own default, in attachments of one packet.
const MAX_ATTACHMENTS: usize = 10;

/// How many namespaces one session may be connected to, or be asking for, at the same time.
const MAX_NAMESPACES: usize = 1_000;

/// Event names that only the library itself may use (socket.io-parser).
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// The client broke the protocol; its connection is to be closed.
#[derive(Clone, Copy, Debug)]
pub struct Violation;

/// What a session knows of its namespaces.
pub struct SocketIo {
    faults: Faults,
    link: Arc<Link>,
    /// Nothing that passes is Socket.IO, so all of it passes as it is.
    absent: bool,
    namespaces: HashMap<String, Namespace>,
    /// A binary packet of the client whose attachments are still to come.
    incomplete: Option<Incomplete>,
    /// How many attachments of a packet that is being dropped are still to come from the upstream.
    drop_attachments: usize,
    /// The attachments of an event for the client that came from the upstream, and how many are still to come.
    sending: (Vec<Bytes>, usize),
    /// With the fault `late-handlers`: the CONNECT reply has just gone out.
    handlers_missing: bool,
    /// With the fault `second-connect-doubles-events`: there was a second CONNECT.
    doubles_events: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Namespace {
    Asking,
    Connected,
}

struct Incomplete {
    packets: Vec<Packet>,
    missing: usize,
    handled: bool,
    /// With the faults about numbers of attachments: these are waited for without end.
    endless: bool,
}

/// What becomes of a packet from the client.
#[derive(Default)]
pub struct Passage {
    /// Sent on to the upstream.
    pub upstream: Vec<Packet>,
    /// Answered to the client by the gateway itself.
    pub client: Vec<Packet>,
}

impl Passage {
    fn on(packet: Packet) -> Passage {
        Passage { upstream: vec![packet], client: Vec::new() }
    }

    fn back(text: String) -> Passage {
        Passage { upstream: Vec::new(), client: vec![Packet::Message(text)] }
    }
}

impl SocketIo {
    pub fn new(settings: &Settings, link: Arc<Link>) -> SocketIo {
        SocketIo {
            faults: settings.faults.clone(),
            link,
            absent: !settings.socket_io,
            namespaces: HashMap::new(),
            incomplete: None,
            drop_attachments: 0,
            sending: (Vec::new(), 0),
            handlers_missing: false,
            doubles_events: false,
        }
    }

    /// Whether any namespace is connected, where there are any.
    pub fn is_connected(&self) -> bool {
        self.absent || self.namespaces.values().any(|namespace| *namespace == Namespace::Connected)
    }

    /// Whether attachments of the client are still to come, which must not take for ever.
    pub fn is_incomplete(&self) -> bool {
        self.incomplete.as_ref().is_some_and(|incomplete| !incomplete.endless)
    }

    /// How many attachments a packet announces.
    pub fn attachments_of(text: &str) -> usize {
        Head::parse(text).map_or(0, |head| head.attachments)
    }

    /// Notes that something else than a Socket.IO packet has arrived.
    pub fn other_packet(&mut self) {
        self.handlers_missing = false;
    }

    /// A text packet from the client.
    pub fn inbound(&mut self, text: String) -> Result<Passage, Violation> {
        if self.absent {
            return Ok(Passage::on(Packet::Message(text)));
        }
        let handlers_missing = std::mem::take(&mut self.handlers_missing);
        if self.incomplete.take().is_some() && !self.faults.has(Fault::TakesTextForAttachment) {
            return Err(Violation);
        }
        let Some(head) = Head::parse(&text) else { return self.unreadable(&text) };
        match (head.kind, self.namespaces.get(head.namespace).copied()) {
            (Kind::Connect, None) => self.connect(&head, &text),
            (Kind::Connect, Some(Namespace::Connected)) => self.connect_again(&head),
            (Kind::Disconnect, Some(Namespace::Connected)) if head.payload.is_empty() => {
                Ok(self.disconnect(&head, &text))
            }
            (Kind::Event, None)
                if self.faults.has(Fault::IgnoresEventBeforeConnect) && self.link.standing() == Standing::Silent =>
            {
                Ok(Passage::default())
            }
            (Kind::Event | Kind::BinaryEvent, None)
                if self.faults.has(Fault::RejectedStillHandled)
                    && head.namespace == "/"
                    && self.link.standing() == Standing::Refused =>
            {
                Ok(handle_though_refused(&head))
            }
            (Kind::Event | Kind::BinaryEvent, Some(Namespace::Connected)) => {
                let Some(name) = event_name(head.payload) else { return self.without_name(head.payload) };
                if is_reserved(&name) && !self.faults.has(Fault::HandlesReservedEvents) {
                    return Err(Violation);
                }
                let lost = handlers_missing && head.namespace == "/";
                let handled = can_be_handled(&name, head.payload) && !lost;
                let mut passage = self.take(&head, handled, &text)?;
                if self.doubles_events {
                    passage.upstream.extend(passage.upstream.clone());
                }
                Ok(passage)
            }
            (Kind::Ack | Kind::BinaryAck, Some(Namespace::Connected)) => {
                // This server asks for no acknowledgements, so that each is one that nobody waits for.
                if !is_array(head.payload) || self.faults.has(Fault::ClosesOnUnknownAck) {
                    return Err(Violation);
                }
                // Without an id nobody can be waiting for it, as Node sees it.
                let handled = head.id.is_some();
                self.take(&head, handled, &text)
            }
            _ => Err(Violation),
        }
    }

    /// A binary packet from the client: an attachment.
    pub fn inbound_attachment(&mut self, data: Bytes) -> Result<Passage, Violation> {
        if self.absent {
            return Ok(Passage::on(Packet::Binary(data)));
        }
        self.handlers_missing = false;
        let mut incomplete = self.incomplete.take().ok_or(Violation)?;
        if incomplete.handled {
            incomplete.packets.push(Packet::Binary(data));
        }
        incomplete.missing -= 1;
        if incomplete.missing > 0 {
            self.incomplete = Some(incomplete);
            return Ok(Passage::default());
        }
        if !incomplete.handled {
            return Ok(Passage::default());
        }
        Ok(Passage { upstream: incomplete.packets, client: Vec::new() })
    }

    /// A text packet from the upstream, as it is to reach the client.
    pub fn outbound(&mut self, text: String) -> Vec<Packet> {
        if self.absent {
            return vec![Packet::Message(text)];
        }
        let Some(head) = Head::parse(&text) else { return Vec::new() };
        let root = head.namespace == "/";
        match head.kind {
            Kind::Connect => {
                self.namespaces.insert(head.namespace.to_owned(), Namespace::Connected);
                let reply = Packet::Message(self.connect_reply(head.namespace, &text));
                if !root {
                    return vec![reply];
                }
                self.link.set_standing(Standing::Admitted);
                self.handlers_missing = self.faults.has(Fault::LateHandlers);
                if self.faults.has(Fault::DoubleConnectReply) || self.link.is_doubled() {
                    return vec![reply.clone(), reply];
                }
                vec![reply]
            }
            Kind::ConnectError => {
                self.namespaces.remove(head.namespace);
                if is_unknown_namespace(&head) {
                    return self.refuse_unknown_namespace(head.namespace, &text);
                }
                if !root {
                    return vec![Packet::Message(text)];
                }
                self.link.set_standing(Standing::Refused);
                if self.faults.has(Fault::RejectsWithString) {
                    return vec![Packet::Message(r#"4"unauthorized""#.to_owned())];
                }
                vec![Packet::Message(text)]
            }
            Kind::Disconnect => {
                self.namespaces.remove(head.namespace);
                vec![Packet::Message(text)]
            }
            Kind::Event | Kind::Ack | Kind::BinaryEvent | Kind::BinaryAck => {
                if self.namespaces.get(head.namespace) != Some(&Namespace::Connected) {
                    // Sent before the upstream knew that the client has left.
                    self.drop_attachments = head.attachments;
                    return Vec::new();
                }
                if matches!(head.kind, Kind::Ack | Kind::BinaryAck) {
                    return self.acknowledge(&head, &text);
                }
                self.sending = (Vec::new(), head.attachments);
                if !root && self.faults.has(Fault::NamespacesRunTogether) {
                    return vec![Packet::Message(head.encode("/", head.id))];
                }
                vec![Packet::Message(text)]
            }
        }
    }

    /// An acknowledgement for the client.
    fn acknowledge(&mut self, head: &Head<'_>, text: &str) -> Vec<Packet> {
        if self.faults.has(Fault::NoAck) {
            self.drop_attachments = head.attachments;
            return Vec::new();
        }
        if self.faults.has(Fault::AckWrongId) {
            return vec![Packet::Message(head.encode(head.namespace, head.id.map(|id| id + 1)))];
        }
        if self.faults.has(Fault::KeepsPlaceholders) && head.attachments > 0 {
            self.drop_attachments = head.attachments;
            let plain = Head { kind: Kind::Ack, attachments: 0, ..*head };
            return vec![Packet::Message(plain.encode(head.namespace, head.id))];
        }
        if self.faults.has(Fault::DoubleAck) && head.attachments == 0 {
            return vec![Packet::Message(text.to_owned()); 2];
        }
        vec![Packet::Message(text.to_owned())]
    }

    /// The refusal of a namespace that does not exist.
    fn refuse_unknown_namespace(&mut self, namespace: &str, text: &str) -> Vec<Packet> {
        if self.faults.has(Fault::IgnoresUnknownNamespace) {
            return Vec::new();
        }
        if self.faults.has(Fault::RefusesUnknownNamespaceWithString) {
            return vec![Packet::Message(format!(r#"4{namespace},"Invalid namespace""#))];
        }
        if self.faults.has(Fault::AcceptsUnknownNamespace) {
            self.namespaces.insert(namespace.to_owned(), Namespace::Connected);
            return vec![Packet::Message(connect_reply(namespace, &any_socket()))];
        }
        vec![Packet::Message(text.to_owned())]
    }

    /// A binary packet from the upstream, as it is to reach the client.
    pub fn outbound_attachment(&mut self, data: Bytes) -> Vec<Packet> {
        if self.drop_attachments > 0 {
            self.drop_attachments -= 1;
            return Vec::new();
        }
        let data = match self.faults.has(Fault::TruncatesAttachments) {
            true => data.slice(..data.len().saturating_sub(1)),
            false => data,
        };
        let (came, missing) = &mut self.sending;
        if *missing == 0 {
            return vec![Packet::Binary(data)];
        }
        came.push(data);
        *missing -= 1;
        if *missing > 0 && self.faults.has(Fault::SwapsAttachmentsSent) {
            return Vec::new();
        }
        let is_last = *missing == 0;
        let as_text = self.faults.has(Fault::TextAttachmentOnWebsocket);
        let form = if as_text { Packet::BinaryAsText } else { Packet::Binary };
        let mut packets: Vec<Packet> = came.drain(..).rev().map(form).collect();
        if is_last && self.faults.has(Fault::UnannouncedBinary) {
            packets.push(Packet::Binary(Bytes::from_static(b"nobody announced this")));
        }
        packets
    }

    fn connect(&mut self, head: &Head<'_>, text: &str) -> Result<Passage, Violation> {
        let payload = head.payload;
        if !payload.is_empty() && !is_object(payload) {
            if self.faults.has(Fault::AcceptsConnectPayloadOfAnyKind) {
                return Ok(Passage::back(connect_reply(head.namespace, &any_socket())));
            }
            return Err(Violation);
        }
        if self.namespaces.len() >= MAX_NAMESPACES {
            return Err(Violation);
        }
        self.namespaces.insert(head.namespace.to_owned(), Namespace::Asking);
        if head.namespace == "/" {
            self.link.set_standing(Standing::Asking);
        }
        Ok(Passage::on(Packet::Message(text.to_owned())))
    }

    /// A CONNECT to a namespace that the client is connected to.
    fn connect_again(&mut self, head: &Head<'_>) -> Result<Passage, Violation> {
        self.doubles_events = self.faults.has(Fault::SecondConnectDoublesEvents);
        if self.doubles_events || self.faults.has(Fault::AcceptsSecondConnect) {
            return Ok(Passage::back(connect_reply(head.namespace, &any_socket())));
        }
        Err(Violation)
    }

    fn disconnect(&mut self, head: &Head<'_>, text: &str) -> Passage {
        if self.faults.has(Fault::IgnoresDisconnect) {
            return Passage::default();
        }
        self.namespaces.remove(head.namespace);
        let mut passage = Passage::on(Packet::Message(text.to_owned()));
        if self.faults.has(Fault::DisconnectLeavesAllNamespaces) && self.namespaces.remove("/").is_some() {
            passage.upstream.push(Packet::Message("1".to_owned()));
        }
        passage
    }

    /// A packet that is none, by its type, its number of attachments or its id.
    fn unreadable(&self, text: &str) -> Result<Passage, Violation> {
        let has_type = text.starts_with(|first| matches!(first, '0'..='6'));
        if !has_type && self.faults.has(Fault::IgnoresUnknownType) {
            return Ok(Passage::default());
        }
        Err(Violation)
    }

    /// An event whose payload is not an array that begins with a name.
    fn without_name(&self, payload: &str) -> Result<Passage, Violation> {
        let is_json = serde_json::from_str::<IgnoredAny>(payload).is_ok();
        let id_is_wrong = !is_json && !payload.starts_with('[') && payload.contains('[');
        let ignored = (is_json && self.faults.has(Fault::IgnoresEmptyEvent))
            || (id_is_wrong && self.faults.has(Fault::IgnoresBadAckId));
        if ignored { Ok(Passage::default()) } else { Err(Violation) }
    }

    /// Takes a packet that may have attachments; it is sent on when all of them are here, if anyone would handle it.
    fn take(&mut self, head: &Head<'_>, handled: bool, text: &str) -> Result<Passage, Violation> {
        let packet = Packet::Message(text.to_owned());
        if !head.kind.is_binary() {
            return Ok(if handled { Passage::on(packet) } else { Passage::default() });
        }
        let mut incomplete = Incomplete { packets: vec![packet], missing: head.attachments, handled, endless: false };
        let number_is_wrong = match head.attachments {
            0 => Some(Fault::WaitsForZeroAttachments),
            1..=MAX_ATTACHMENTS => None,
            _ => Some(Fault::TakesExcessAttachments),
        };
        if let Some(fault) = number_is_wrong {
            if !self.faults.has(fault) {
                return Err(Violation);
            }
            incomplete = Incomplete { missing: usize::MAX, handled: false, endless: true, ..incomplete };
        }
        if !placeholders_fit(text, head.attachments) {
            return Err(Violation);
        }
        if self.faults.has(Fault::TakesOneAttachmentOnly) && head.attachments > 1 {
            incomplete = Incomplete { missing: 1, handled: false, ..incomplete };
        }
        let mut passage = Passage::default();
        if self.faults.has(Fault::HandlesIncompleteBinary) && head.id.is_some() {
            incomplete.handled = false;
            let early = Head { kind: Kind::Ack, attachments: 0, payload: "[null]", ..*head };
            passage = Passage::back(early.encode(head.namespace, head.id));
        }
        self.incomplete = Some(incomplete);
        Ok(passage)
    }

    /// The CONNECT reply, with the socket's own id: socketioxide takes the Engine.IO session's, which Socket.IO must
    /// not show to other clients.
    fn connect_reply(&self, namespace: &str, text: &str) -> String {
        if self.faults.has(Fault::ConnectReplyWithoutSid) && namespace == "/" {
            return "0{}".to_owned();
        }
        match self.link.take_socket_id(namespace) {
            Some(id) => connect_reply(namespace, &id),
            None => text.to_owned(),
        }
    }
}

/// A CONNECT reply.
fn connect_reply(namespace: &str, id: &SocketId) -> String {
    let mut payload = serde_json::json!({ "sid": id.public });
    if let Some(private) = &id.private {
        payload["pid"] = private.as_str().into();
    }
    let payload = payload.to_string();
    Head { kind: Kind::Connect, attachments: 0, namespace, id: None, payload: &payload }.encode(namespace, None)
}

/// A socket that the upstream knows nothing of.
fn any_socket() -> SocketId {
    SocketId { public: random_id(SOCKET_ID), private: None }
}

/// Whether the upstream refuses the namespace itself, and not the client.
fn is_unknown_namespace(head: &Head<'_>) -> bool {
    let payload = serde_json::from_str::<Value>(head.payload);
    payload.is_ok_and(|payload| payload.get("message") == Some(&Value::from("Invalid namespace")))
}

/// With the fault `rejected-still-handled`: the answer of handlers that a refused client should never reach.
fn handle_though_refused(head: &Head<'_>) -> Passage {
    let mut passage = Passage::default();
    if event_name(head.payload) == Some(Name::Text("ping".to_owned())) {
        passage.client.push(Packet::Message(r#"2["pong"]"#.to_owned()));
    }
    passage
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Connect,
    Disconnect,
    Event,
    Ack,
    ConnectError,
    BinaryEvent,
    BinaryAck,
}

impl Kind {
    fn is_binary(self) -> bool {
        matches!(self, Kind::BinaryEvent | Kind::BinaryAck)
    }
}

/// The parts of a Socket.IO packet (Socket.IO v5, "Packet encoding").
struct Head<'a> {
    kind: Kind,
    attachments: usize,
    namespace: &'a str,
    id: Option<u64>,
    payload: &'a str,
}

impl<'a> Head<'a> {
    /// Splits a packet. Nothing, where its type, its number of attachments or its id makes no sense.
    fn parse(text: &'a str) -> Option<Head<'a>> {
        let kind = match text.as_bytes().first()? {
            b'0' => Kind::Connect,
            b'1' => Kind::Disconnect,
            b'2' => Kind::Event,
            b'3' => Kind::Ack,
            b'4' => Kind::ConnectError,
            b'5' => Kind::BinaryEvent,
            b'6' => Kind::BinaryAck,
            _ => return None,
        };
        let mut rest = &text[1..];

        let mut attachments = 0;
        if kind.is_binary() {
            let (number, after) = rest.split_once('-')?;
            attachments = digits(number)?.try_into().ok()?;
            rest = after;
        }

        let mut namespace = "/";
        if rest.starts_with('/') {
            (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
        }

        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let id = if end == 0 { None } else { Some(digits(&rest[..end])?) };
        Some(Head { kind, attachments, namespace, id, payload: &rest[end..] })
    }

    /// The packet again, with that namespace and that id.
    fn encode(&self, namespace: &str, id: Option<u64>) -> String {
        let attachments = if self.kind.is_binary() { format!("{}-", self.attachments) } else { String::new() };
        let namespace = if namespace == "/" { String::new() } else { format!("{namespace},") };
        let id = id.map(|id| id.to_string()).unwrap_or_default();
        format!("{}{attachments}{namespace}{id}{}", self.kind as u8, self.payload)
    }
}

/// A number of nothing but digits, that JavaScript could represent.
fn digits(text: &str) -> Option<u64> {
    let all_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| all_digits && *number <= 1 << 53)
}

fn is_object(json: &str) -> bool {
    json.trim_ascii_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(json).is_ok()
}

fn is_array(json: &str) -> bool {
    json.trim_ascii_start().starts_with('[') && serde_json::from_str::<IgnoredAny>(json).is_ok()
}

/// An event's name, as far as it is one.
#[derive(Debug, PartialEq, Eq)]
enum Name {
    Text(String),
    Number,
}

/// The name of an event, if the payload is that of an event: an array that begins with a name.
///
/// The arguments are only skimmed, so that neither depth nor size of what a client sends can do harm.
fn event_name(payload: &str) -> Option<Name> {
    struct Arguments;

    impl<'de> Visitor<'de> for Arguments {
        type Value = Option<Name>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array that begins with the event's name")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut arguments: A) -> Result<Self::Value, A::Error> {
            let name = arguments.next_element::<Name>()?;
            while arguments.next_element::<IgnoredAny>()?.is_some() {}
            Ok(name)
        }
    }

    let mut json = serde_json::Deserializer::from_str(payload);
    let name = json.deserialize_seq(Arguments).ok()??;
    json.end().ok()?;
    Some(name)
}

fn is_reserved(name: &Name) -> bool {
    matches!(name, Name::Text(text) if RESERVED.contains(&text.as_str()))
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl Visitor<'_> for NameVisitor {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event's name")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Name, E> {
                Ok(Name::Text(text.to_owned()))
            }

            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Name, E> {
                Ok(Name::Number)
            }

            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Name, E> {
                Ok(Name::Number)
            }

            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Name, E> {
                Ok(Name::Number)
            }
        }

        deserializer.deserialize_any(NameVisitor)
    }
}

/// Whether an event of that name can have a handler. socketioxide fails on numbers, and on names that JSON writes with
/// an escape, where Node just finds no listener.
fn can_be_handled(name: &Name, payload: &str) -> bool {
    let Name::Text(name) = name else { return false };
    let inside = payload.trim_ascii_start().trim_start_matches('[').trim_ascii_start();
    inside.strip_prefix('"').and_then(|rest| rest.strip_prefix(name.as_str())).is_some_and(|rest| rest.starts_with('"'))
}

/// Whether each placeholder of a binary packet points at one of its attachments.
fn placeholders_fit(text: &str, attachments: usize) -> bool {
    fn fit(value: &Value, attachments: usize) -> bool {
        match value {
            Value::Array(items) => items.iter().all(|item| fit(item, attachments)),
            Value::Object(fields) if fields.get("_placeholder") == Some(&Value::Bool(true)) => {
                fields.get("num").and_then(Value::as_u64).is_some_and(|number| number < attachments as u64)
            }
            Value::Object(fields) => fields.values().all(|field| fit(field, attachments)),
            _ => true,
        }
    }
    let payload = Head::parse(text).map_or("", |head| head.payload);
    // Too deep for this is too deep for an application that uses it.
    serde_json::from_str(payload).is_ok_and(|payload| fit(&payload, attachments))
}
