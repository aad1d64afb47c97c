//! What one client sends is handled in the order in which it was sent: acknowledgements come back in that order, and so
//! do the messages that it sends to a room.
//!
//! Some messages go out at once, without a wait between them; the next ones follow when they are back. A server whose
//! handlers wait for something first (a database, a token, a file) without keeping the messages in a row lets them
//! overtake each other. Only the order is judged: messages that are lost or come twice are what `engine.order` and the checks
//! of acknowledgements and rooms look for, and what did not come back is noted.

use serde_json::Value;
use tokio::time::Instant;

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite, rooms},
    contract::{Ack, Rooms, Vars},
    fault::Fault,
    message::Message,
    probe::{Client, Probe, Stop, Verdict, fail, in_order},
    verdict::{Level, Row},
    wire::{SocketPacket, Transport, WireError, socket::Kind},
};

pub const CHECK: Check = Check {
    id: "engine.message-order",
    title: "Messages of one client are handled in the order in which it sent them",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::SIO_DELIVERY, cite::SIO_EVENTS],
    needs: &[Need::Connect, Need::Echo],
    requires: &["socket.connect-reply-once", "socket.ack", "rooms.member-receives"],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Heavy],
    wait: Wait::None,
    meaning: "Answers and messages overtake each other: a chat shows its lines in another order, and an older state overwrites \
              a newer one.",
    fix: "Handle the events of a socket one after the other. Where a handler has to wait (`await`), do what decides the order \
          before that, or chain the work by socket: `queue = queue.then(() => handle(message))`. In python-socketio, \
          `async_handlers=False`.",
    effort: Effort::Hours,
    faults: &[Fault::ReordersAcks, Fault::ReordersRoomMessages, Fault::ReversesPayload],
    run: |probe| Box::pin(run(probe)),
};

/// Messages in all.
const COUNT: usize = 100;

/// Messages that go out at once. Those that gather go into one POST, and python-engineio takes no more than 16 of them.
fn at_once(transport: Transport) -> usize {
    if transport == Transport::Polling { 10 } else { 50 }
}

async fn run(probe: &Probe) -> Verdict {
    let looks = probe.transports().into_iter().map(|transport| async move {
        let (acks, rooms) = tokio::join!(
            async {
                match &probe.contract().ack {
                    Some(ack) => acknowledged(probe, ack, transport).await,
                    None => Ok(()),
                }
            },
            async {
                match &probe.contract().rooms {
                    Some(rooms) if rooms.send.carries_message() => delivered(probe, rooms, transport).await,
                    _ => Ok(()),
                }
            },
        );
        acks.and(rooms)
    });
    in_order(looks).await.map(drop)
}

/// Acknowledgements, known by their ids.
async fn acknowledged(probe: &Probe, ack: &Ack, transport: Transport) -> Verdict {
    let room = probe.room("room")?;
    let mut client = probe.client(&format!("acks ({})", transport.name()), transport).await?;
    let mut burst = Burst::new(probe, transport);
    let nonce = probe.nonce("order");
    while let Some(numbers) = burst.next() {
        let from = client.mark();
        for number in numbers.clone() {
            let (event, args) = ack.emit.render(&Vars::new().room(room.clone()).message(text(&nonce, number)));
            let mut packet = SocketPacket::event(&probe.contract().namespace, &event, &args);
            packet.ack_id = Some(number as u64);
            client.send(&packet);
        }
        let number_of = |packet: &SocketPacket| {
            let is_ack = matches!(packet.kind, Kind::Ack | Kind::BinaryAck);
            packet.ack_id.filter(|_| is_ack).and_then(|id| usize::try_from(id).ok())
        };
        if !burst.listen(&mut client, from, numbers.len(), number_of).await? {
            break;
        }
    }
    client.take_notes(probe);
    burst.judge(said!("acknowledgements"), say!("`{event}` with acknowledgement ids", event = ack.emit.event))
}

/// Messages to a room, known by what they say.
async fn delivered(probe: &Probe, declared: &Rooms, transport: Transport) -> Verdict {
    let room = probe.room("room")?;
    let nonce = probe.nonce("order");
    let mut sender = probe.client(&format!("sender ({})", transport.name()), transport).await?;
    let mut member = probe.client(&format!("member ({})", transport.name()), transport).await?;
    for client in [&mut sender, &mut member] {
        rooms::join(probe, client, &room).await?;
    }
    rooms::settle(probe, &sender, &mut member, &room).await?;
    let mut burst = Burst::new(probe, transport);
    while let Some(numbers) = burst.next() {
        let from = member.mark();
        for number in numbers.clone() {
            sender.emit(&declared.send, &Vars::new().room(room.clone()).message(text(&nonce, number)));
        }
        let event = declared.receive.event.as_str();
        let number_of = |packet: &SocketPacket| {
            let is_ours = packet.event_name() == Some(event);
            packet.event_args().iter().filter(|_| is_ours).find_map(|arg| number_in(arg, &nonce))
        };
        if !burst.listen(&mut member, from, numbers.len(), number_of).await? {
            break;
        }
    }
    for client in [&mut sender, &mut member] {
        client.take_notes(probe);
    }
    burst.judge("room messages", say!("`{event}` to a room with another member", event = declared.send.event))
}

/// A message that says its number.
fn text(nonce: &str, number: usize) -> String {
    format!("{nonce}-number-{number}-")
}

/// The number of the message that stands in `value`.
fn number_in(value: &Value, nonce: &str) -> Option<usize> {
    match value {
        Value::String(found) => {
            let (_, after) = found.split_once(&format!("{nonce}-number-"))?;
            after.split('-').next()?.parse().ok()
        }
        Value::Array(items) => items.iter().find_map(|item| number_in(item, nonce)),
        Value::Object(fields) => fields.values().find_map(|field| number_in(field, nonce)),
        _ => None,
    }
}

/// What was sent, and in which order it came back.
struct Burst<'a> {
    probe: &'a Probe,
    transport: Transport,
    sent: usize,
    heard: Vec<usize>,
}

impl<'a> Burst<'a> {
    fn new(probe: &'a Probe, transport: Transport) -> Burst<'a> {
        Burst { probe, transport, sent: 0, heard: Vec::new() }
    }

    /// The numbers of the messages that go out next.
    fn next(&mut self) -> Option<std::ops::Range<usize>> {
        let first = self.sent;
        self.sent = (first + at_once(self.transport)).min(COUNT);
        (first < self.sent).then_some(first..self.sent)
    }

    /// Listens until so many more are back, each of which may take a deadline; whether all came.
    async fn listen(
        &mut self,
        client: &mut Client,
        from: usize,
        count: usize,
        number_of: impl Fn(&SocketPacket) -> Option<usize>,
    ) -> Result<bool, Stop> {
        let wanted = self.heard.len() + count;
        let mut until = self.probe.in_time();
        let mut next = from;
        loop {
            let new: Vec<usize> = client.since(next).iter().filter_map(&number_of).collect();
            next = client.mark();
            for number in new {
                if number < COUNT && !self.heard.contains(&number) {
                    self.heard.push(number);
                    until = Instant::now() + self.probe.deadline();
                }
            }
            if self.heard.len() >= wanted {
                return Ok(true);
            }
            match client.next_packet("message that comes back", until).await {
                Ok(_) => {}
                Err(WireError::Timeout { .. }) => return Ok(false),
                Err(error) => {
                    return Err(Stop::Broken(say!(
                        "{count} of {sent} messages were back over {transport} when the session ended: {error}",
                        count = self.heard.len(),
                        sent = self.sent,
                        transport = self.transport,
                        error
                    )));
                }
            }
        }
    }

    fn judge(self, what: &'static str, sent: Message) -> Verdict {
        let transport = self.transport;
        if let Some(pair) = self.heard.windows(2).find(|pair| pair[0] > pair[1]) {
            return fail(say!(
                "Messages of one client overtake each other over {transport}: {what} out of order",
                transport,
                what
            ))
            .sent(say!("{sent}, {count} at once, numbered from 0", sent, count = at_once(transport)))
            .received(say!("number {earlier} before number {later}", earlier = pair[0], later = pair[1]))
            .expected("the order in which they were sent")
            .stop();
        }
        if self.heard.len() < 2 {
            return Err(Stop::Broken(say!(
                "{what} over {transport}: {count} of {sent} messages came back, too few to judge their order",
                what,
                transport,
                count = self.heard.len(),
                sent = self.sent
            )));
        }
        if self.heard.len() < self.sent {
            self.probe.note(say!(
                "{what} over {transport}: judged by the {count} of {sent} messages that came back",
                what,
                transport,
                count = self.heard.len(),
                sent = self.sent
            ));
        }
        Ok(())
    }
}
