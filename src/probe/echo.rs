//! A message of ours that comes back, for checks that look at what became of it on its way.
//!
//! Over the declared event whose acknowledgement holds the message, where there is one; else over a room, with one client
//! that sends and another that listens, because a server need not send a room message back to its sender.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Client, Probe, Stop, is_expected};
use crate::{
    contract::{Ack, Emit, Rooms, Vars},
    message::{Message, quote_of},
    wire::{SocketPacket, Transport, WireError, socket::Kind},
};

/// A way to get a message back over one transport, in both directions.
pub struct Echo<'a> {
    probe: &'a Probe,
    way: Way<'a>,
    /// Before the first request was sent.
    opened: Instant,
}

enum Way<'a> {
    Ack { ack: &'a Ack, room: Value, client: Box<Client>, last_id: u64 },
    Room { rooms: &'a Rooms, room: Value, sender: Box<Client>, member: Box<Client> },
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Echoed {
    /// It came back as it was sent.
    Unchanged,
    /// It came back as something else.
    Changed(Message),
    /// It did not come back in time, and nobody said why.
    Nothing,
    /// It did not come back, and the application told its sender something instead.
    Refused(Message),
    /// The target ended the connection, or refused the request that carried it.
    Closed(Message),
}

impl Echoed {
    /// What came, as an answer.
    pub fn told(&self) -> Message {
        match self {
            Echoed::Unchanged => "the same text".into(),
            Echoed::Nothing => "no answer".into(),
            Echoed::Changed(found) | Echoed::Refused(found) | Echoed::Closed(found) => found.clone(),
        }
    }
}

impl Probe {
    /// A way to get messages back over `transport`, which was seen to work.
    ///
    /// # Errors
    /// [`Stop::Skip`] when the contract has none, [`Stop::Broken`] when a short message does not come back.
    pub async fn echo(&self, transport: Transport) -> Result<Echo<'_>, Stop> {
        let contract = self.contract();
        let name = transport.name();
        let opened = Instant::now();
        let way = match (&contract.ack, &contract.rooms) {
            (Some(ack), _) if ack.echoes() => {
                let room = self.room("room")?;
                let client = Box::new(self.client(name, transport).await?);
                Way::Ack { ack, room, client, last_id: 0 }
            }
            (_, Some(rooms)) if rooms.send.carries_message() => {
                let room = self.room("room")?;
                let mut sender = self.client(&format!("{name} sender"), transport).await?;
                let mut member = self.client(&format!("{name} member"), transport).await?;
                for client in [&mut sender, &mut member] {
                    client.emit(&rooms.join, &Vars::new().room(room.clone()));
                    client.catch_up().await?;
                }
                Way::Room { rooms, room, sender: Box::new(sender), member: Box::new(member) }
            }
            _ => {
                return Err(Stop::Skip(
                    "needs a way to get a message back: an event whose acknowledgement holds {{message}} (ack.event, \
                     ack.reply), or rooms whose messages do"
                        .into(),
                ));
            }
        };
        let mut echo = Echo { probe: self, way, opened };
        echo.settle().await?;
        Ok(echo)
    }
}

impl Echo<'_> {
    /// Sends `text` and waits for what comes of it.
    ///
    /// # Errors
    /// [`Stop::Broken`] when the network, not the target, ends the exchange.
    pub async fn text(&mut self, text: &str) -> Result<Echoed, Stop> {
        self.text_within(text, self.probe.deadline()).await
    }

    async fn text_within(&mut self, text: &str, patience: Duration) -> Result<Echoed, Stop> {
        // Known by its beginning even where the rest was changed.
        let mark = self.probe.nonce("echo");
        let vars = self.vars(&format!("{mark}:{text}"));
        let (mut packet, from) = self.packet(&vars);
        let said = self.sender().mark();
        let until = Instant::now() + patience;
        let came = match &mut self.way {
            Way::Ack { client, last_id, .. } => {
                *last_id += 1;
                let id = *last_id;
                packet.ack_id = Some(id);
                client.send(&packet);
                client.wait("acknowledgement", from, until, |packet| is_ack(packet, id)).await
            }
            Way::Room { rooms, sender, member, .. } => {
                sender.send(&packet);
                let event = rooms.receive.event.as_str();
                let ours = |packet: &SocketPacket| {
                    packet.event_name() == Some(event) && packet.event_args().iter().any(|arg| holds(arg, &mark))
                };
                either(member, from, sender, until, ours).await
            }
        };
        let packet = match self.end_of(came)? {
            Ok(packet) => packet,
            Err(Echoed::Nothing) => return Ok(self.refusal(said, from).map_or(Echoed::Nothing, Echoed::Refused)),
            Err(end) => return Ok(end),
        };
        let is_whole = match &self.way {
            Way::Ack { ack, .. } => ack.check(arguments(&packet), &vars).is_ok(),
            Way::Room { rooms, .. } => is_expected(&packet, &rooms.receive, &vars),
        };
        if is_whole {
            return Ok(Echoed::Unchanged);
        }
        let found = arguments(&packet).iter().find_map(|arg| text_with(arg, &mark));
        let found = found.map(|found| found.trim_start_matches(&mark).trim_start_matches(':').to_owned());
        Ok(Echoed::Changed(match found {
            Some(found) => {
                say!("{found} ({chars} characters)", found = quote_of(&found, 80), chars = found.chars().count())
            }
            None => packet.shown().into(),
        }))
    }

    /// Sends `data` as an attachment in the message's place and waits for what comes of it.
    ///
    /// # Errors
    /// As [`Echo::text`]; [`Stop::Skip`] when the declared arguments have no place for an attachment.
    pub async fn binary(&mut self, data: &[u8]) -> Result<Echoed, Stop> {
        let mark = self.probe.nonce("binary");
        let (mut packet, from) = self.packet(&self.vars(&mark));
        let mut places = 0;
        if let Some(data) = &mut packet.data {
            place_attachment(data, &mark, &mut places);
        }
        if places == 0 {
            return Err(Stop::Skip(
                "needs {{message}} as an argument or a field of its own, not as a part of a longer text, to send binary \
                 data in its place"
                    .into(),
            ));
        }
        packet.kind = Kind::BinaryEvent;
        packet.attachments = 1;
        let until = self.probe.in_time();
        let (came, before) = match &mut self.way {
            Way::Ack { client, last_id, .. } => {
                *last_id += 1;
                let id = *last_id;
                packet.ack_id = Some(id);
                let before = client.attachments().len();
                client.send(&packet);
                client.send_binary(data.to_vec());
                (client.wait("acknowledgement", from, until, |packet| is_ack(packet, id)).await, before)
            }
            Way::Room { rooms, sender, member, .. } => {
                let before = member.attachments().len();
                sender.send(&packet);
                sender.send_binary(data.to_vec());
                let event = rooms.receive.event.as_str();
                // Where rooms are shared with other checks, what has no attachment may be another's.
                let is_shared = self.probe.has_room_pool();
                let ours = |packet: &SocketPacket| {
                    packet.event_name() == Some(event)
                        && (!is_shared || arguments(packet).iter().any(|arg| placeholder(arg).is_some()))
                };
                (either(member, from, sender, until, ours).await, before)
            }
        };
        let packet = match self.end_of(came)? {
            Ok(packet) => packet,
            Err(end) => return Ok(end),
        };
        let Some(index) = arguments(&packet).iter().find_map(placeholder) else {
            return Ok(Echoed::Changed(say!("{packet}, without an attachment", packet = packet.shown())));
        };
        let listener = self.listener();
        while listener.attachments().len() <= before + index {
            match listener.next_packet("attachment", until).await {
                Ok(_) => {}
                Err(WireError::Timeout { .. }) => {
                    return Ok(Echoed::Changed(say!("{packet}, and no attachment after it", packet = packet.shown())));
                }
                Err(error) => return self.end_of(Err(error)).map(|end| end.err().unwrap_or(Echoed::Nothing)),
            }
        }
        let found: &Bytes = &listener.attachments()[before + index];
        Ok(if found.as_ref() == data { Echoed::Unchanged } else { Echoed::Changed(bytes_as_text(found)) })
    }

    /// How many bytes of an Engine.IO message are not the text that [`Echo::text`] is given.
    pub fn envelope(&self) -> usize {
        let mark = self.probe.nonce("echo");
        let (mut packet, _) = self.packet(&self.vars(&format!("{mark}:")));
        packet.ack_id = Some(u64::from(u32::MAX));
        1 + packet.encode().len()
    }

    /// What the event is that carries the message, for a failure's "sent".
    pub fn event(&self) -> &str {
        &self.emit().event
    }

    fn emit(&self) -> &Emit {
        match &self.way {
            Way::Ack { ack, .. } => &ack.emit,
            Way::Room { rooms, .. } => &rooms.send,
        }
    }

    fn vars(&self, message: &str) -> Vars {
        let vars = Vars::new().message(message);
        match &self.way {
            Way::Ack { room, .. } | Way::Room { room, .. } => vars.room(room.clone()),
        }
    }

    /// The packet that carries the message of `vars`, and the place in the listener's inbox before it.
    fn packet(&self, vars: &Vars) -> (SocketPacket, usize) {
        let (event, args) = self.emit().render(vars);
        let listener = match &self.way {
            Way::Ack { client, .. } => client,
            Way::Room { member, .. } => member,
        };
        (SocketPacket::event(&self.probe.contract().namespace, &event, &args), listener.mark())
    }

    /// What the application told the sender in place of the message: an event that is neither the room's nor everybody's. A
    /// room message asks for no acknowledgement, so that this is all by which it can be refused aloud.
    fn refusal(&self, said: usize, from: usize) -> Option<Message> {
        let Way::Room { rooms, sender, member, .. } = &self.way else { return None };
        let broadcast = self.probe.contract().rest.as_ref().map(|rest| rest.event.event.as_str());
        let is_refusal = |packet: &&SocketPacket| {
            let goes_to_all = |name| member.since(from).iter().any(|packet| packet.event_name() == Some(name));
            packet
                .event_name()
                .is_some_and(|name| name != rooms.receive.event && Some(name) != broadcast && !goes_to_all(name))
        };
        let told = sender.since(said).iter().find(is_refusal)?;
        Some(told.shown().into())
    }

    /// What the contract says that becomes of a message, for a failure's "expected".
    pub fn promise(&self) -> &'static str {
        match &self.way {
            Way::Ack { .. } => "the same text in the acknowledgement (ack.event, ack.reply)",
            Way::Room { .. } => "the same text at the other member of the room (rooms.send-args, rooms.receive-event)",
        }
    }

    /// Whether an acknowledgement was declared for the very purpose of giving back what is sent. Room messages are declared
    /// for what people say to each other, and an application may bound that.
    pub fn is_declared(&self) -> bool {
        matches!(self.way, Way::Ack { .. })
    }

    fn sender(&self) -> &Client {
        match &self.way {
            Way::Ack { client, .. } => client,
            Way::Room { sender, .. } => sender,
        }
    }

    fn listener(&mut self) -> &mut Client {
        match &mut self.way {
            Way::Ack { client, .. } => client,
            Way::Room { member, .. } => member,
        }
    }

    /// Waits until short messages come back. A join is not answered, and its handler may have to ask a database first; so
    /// over a room several messages are sent, each after a longer wait.
    async fn settle(&mut self) -> Result<(), Stop> {
        let end = self.probe.in_time();
        let (subject, mut patience) = match &self.way {
            Way::Ack { .. } => ("socket.ack", self.probe.deadline()),
            Way::Room { .. } => ("rooms.member-receives", self.probe.target().quiet_window()),
        };
        let broken = |what: Message| Err(Stop::Broken(say!("a short message {what} (see {subject})", what, subject)));
        loop {
            match self.text_within("hello", patience).await? {
                Echoed::Unchanged => return Ok(()),
                Echoed::Changed(found) => return broken(say!("comes back as {found}", found)),
                Echoed::Closed(how) => return broken(say!("ends the connection: {how}", how)),
                Echoed::Refused(how) => return broken(say!("is refused: {how}", how)),
                Echoed::Nothing if Instant::now() >= end => return broken("does not come back".into()),
                Echoed::Nothing => patience *= 2,
            }
        }
    }

    /// Tells what is an answer of the target from what is none.
    fn end_of(&self, came: Result<SocketPacket, WireError>) -> Result<Result<SocketPacket, Echoed>, Stop> {
        let handshake = self.probe.target().handshake();
        let patience = handshake.ping_interval() + handshake.ping_timeout();
        match came {
            Ok(packet) => Ok(Ok(packet)),
            Err(WireError::Timeout { .. }) => Ok(Err(Echoed::Nothing)),
            // After that long, a heartbeat that was missed may be the reason.
            Err(error @ (WireError::Closed(_) | WireError::Status { .. })) if self.opened.elapsed() >= patience => {
                let age = self.opened.elapsed();
                Err(Stop::Broken(say!(
                    "the session ended after {age}: {error} (see engine.heartbeat-polling)",
                    age,
                    error
                )))
            }
            Err(WireError::Closed(how)) => Ok(Err(Echoed::Closed(how))),
            Err(error @ WireError::Status { .. }) => Ok(Err(Echoed::Closed(error.message()))),
            Err(error) => Err(Stop::Broken(error.message())),
        }
    }
}

/// Bytes as a failure shows them.
pub fn bytes_as_text(bytes: &[u8]) -> Message {
    let head: Vec<String> = bytes.iter().take(24).map(|byte| format!("{byte:02x}")).collect();
    say!(
        "{count} bytes: {head}{rest}",
        count = bytes.len(),
        head = head.join(" "),
        rest = if bytes.len() > 24 { " …" } else { "" }
    )
}

/// Waits for a packet at `member`, or for the end of `sender`.
async fn either(
    member: &mut Client,
    from: usize,
    sender: &mut Client,
    until: Instant,
    wanted: impl Fn(&SocketPacket) -> bool,
) -> Result<SocketPacket, WireError> {
    tokio::select! {
        biased;
        came = member.wait("room message", from, until, wanted) => came,
        end = sender.watch(until) => Err(end),
    }
}

fn is_ack(packet: &SocketPacket, id: u64) -> bool {
    matches!(packet.kind, Kind::Ack | Kind::BinaryAck) && packet.ack_id == Some(id)
}

/// The arguments of an event or of an acknowledgement.
fn arguments(packet: &SocketPacket) -> &[Value] {
    match (packet.kind, &packet.data) {
        (Kind::Ack | Kind::BinaryAck, Some(Value::Array(args))) => args,
        (Kind::Ack | Kind::BinaryAck, _) => &[],
        _ => packet.event_args(),
    }
}

fn holds(value: &Value, text: &str) -> bool {
    text_with(value, text).is_some()
}

/// The first text inside `value` that holds `text`.
fn text_with<'v>(value: &'v Value, text: &str) -> Option<&'v str> {
    match value {
        Value::String(found) => found.contains(text).then_some(found),
        Value::Array(items) => items.iter().find_map(|item| text_with(item, text)),
        Value::Object(fields) => fields.values().find_map(|field| text_with(field, text)),
        _ => None,
    }
}

/// Puts a placeholder for the first attachment where the text `mark` stands.
fn place_attachment(value: &mut Value, mark: &str, places: &mut usize) {
    match value {
        Value::String(text) if text == mark => {
            *value = json!({ "_placeholder": true, "num": 0 });
            *places += 1;
        }
        Value::Array(items) => items.iter_mut().for_each(|item| place_attachment(item, mark, places)),
        Value::Object(fields) => fields.values_mut().for_each(|field| place_attachment(field, mark, places)),
        _ => {}
    }
}

/// The attachment that the first placeholder inside `value` stands for.
fn placeholder(value: &Value) -> Option<usize> {
    match value {
        Value::Object(fields) if fields.get("_placeholder") == Some(&Value::Bool(true)) => {
            // No application sends more of them than one can count by hand.
            fields.get("num")?.as_u64().filter(|num| *num < 100)?.try_into().ok()
        }
        Value::Array(items) => items.iter().find_map(placeholder),
        Value::Object(fields) => fields.values().find_map(placeholder),
        _ => None,
    }
}
