//! Binary data that the server sends arrives whole and in order, over both transports, in the form that the protocol has: after
//! the packet that announces it and before any other, on WebSocket as binary frames, on polling as `b` and base64.
//!
//! One client sends two attachments in the message's place, and another one hears them in the room (`rooms`); where an
//! acknowledgement holds the message (`ack.reply`), the sender hears them there. Which of them stands where is told by the
//! placeholders' `num`, whatever their order. Binary data that no packet announced, and a text packet
//! among attachments, end the connection of Socket.IO's own clients; on any connection of this check they are a failure. An
//! application that refuses binary data, or makes something else of it, is within its rights; the result says so, and where
//! nothing binary comes at all the check is skipped.

use bytes::Bytes;
use serde_json::Value;

use super::{binary_event, described, is_ack, placeholder, placeholders, replace, send};
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite, rooms},
    contract::{Ack, Emit, Rooms, Vars},
    fault::Fault,
    message::{Message, data},
    probe::{Client, Disorder, Finding, Probe, Stop, Verdict, confirmed, fail, in_order, is_expected},
    verdict::{Level, Row},
    wire::{SocketPacket, Transport, WireError, socket::Kind},
};

pub const CHECK: Check = Check {
    id: "socket.binary-from-server",
    title: "Binary data from the server arrives whole and in order",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::SIO_ENCODING, cite::EIO_WEBSOCKET, cite::EIO_POLLING],
    needs: &[Need::Connect, Need::Echo],
    requires: &["auth.valid-token", "socket.ack", "engine.payload-base64", "rooms.member-receives"],
    isolation: Isolation::Rooms,
    effects: &[],
    wait: Wait::None,
    meaning: "Pictures and files that others send arrive damaged or swapped, or the client's connection ends on them.",
    fix: "Send binary data by `emit` alone, with the Buffer in place: `io.to(room).emit('receive_message', { room, message })`. \
          Let nothing write to the engine's socket beside that (`socket.conn.write`, `engine.send`), and nothing between \
          client and server turn binary frames into text.",
    effort: Effort::Hours,
    faults: &[
        Fault::SwapsAttachmentsSent,
        Fault::UnannouncedBinary,
        Fault::TextAttachmentOnWebsocket,
        Fault::TruncatesAttachments,
        Fault::KeepsPlaceholders,
    ],
    run: |probe| Box::pin(run(probe)),
};

/// How a message comes back.
#[derive(Clone, Copy)]
enum Way<'a> {
    Room(&'a Rooms),
    Ack(&'a Ack),
}

/// What was sent, and what is to come of it.
struct Sent {
    packet: SocketPacket,
    attachments: [Bytes; 2],
}

impl Sent {
    /// The event with two attachments in its message's place. `None` where the message has no
    /// place of its own.
    fn new(probe: &Probe, emit: &Emit, vars: Vars) -> Option<Sent> {
        let mark = probe.nonce("binary");
        let (event, mut args) = emit.render(&vars.message(&mark));
        let in_place = Value::Array(vec![placeholder(0), placeholder(1)]);
        let packet = replace(&mut args, &mark, &in_place)
            .then(|| binary_event(&probe.contract().namespace, &event, &args, 2))?;
        // Separators, quotes, zero and 255; none of it is text.
        let attachments = [[0, 30, 34, 255, 1], [128, 10, b'4', b'b', 2]].map(|data| Bytes::from(data.to_vec()));
        Some(Sent { packet, attachments })
    }

    fn finding(&self, reason: Message) -> Finding {
        fail(reason).sent(described(&self.packet, &self.attachments))
    }
}

async fn run(probe: &Probe) -> Verdict {
    let contract = probe.contract();
    let rooms = contract.rooms.as_ref().filter(|rooms| rooms.send.carries_message()).map(Way::Room);
    let ack = contract.ack.as_ref().filter(|ack| ack.echoes()).map(Way::Ack);
    let mut looks = Vec::new();
    for over in probe.transports() {
        looks.extend([rooms, ack].into_iter().flatten().map(|way| confirmed(probe, move || look(probe, way, over))));
    }
    let looked = in_order(looks).await;
    // Whatever came of it otherwise: the client gives up on a connection like that.
    if let Some(disorder) = probe.disorder() {
        return disordered(&disorder);
    }
    if looked?.contains(&true) {
        return Ok(());
    }
    Err(Stop::Skip(
        "no binary data comes from the server: the application refuses it, or makes something else of it; declare an event \
         that returns whatever it is sent (ack.event, ack.reply)"
            .into(),
    ))
}

fn disordered(disorder: &Disorder) -> Verdict {
    let (reason, expected) = match disorder {
        Disorder::Unannounced(over, _) => (
            say!("The server sends binary data over {over} that no packet announced", over),
            "as many attachments as the packet before them announces, and no other binary data",
        ),
        Disorder::Interrupted(over, ..) => (
            say!("Another packet comes over {over} before the attachments that were announced", over),
            "the attachments right after the packet that announces them",
        ),
        Disorder::AsText(_) => (
            "The server sends binary data as text over WebSocket".into(),
            "a binary frame: `b` and base64 are polling's",
        ),
    };
    fail(reason).received(disorder).expected(expected).stop()
}

/// Whether binary data came, whole; what came of it otherwise is noted.
async fn look(probe: &Probe, way: Way<'_>, over: Transport) -> Result<bool, Stop> {
    match way {
        Way::Room(rooms) => in_room(probe, rooms, over).await,
        Way::Ack(ack) => in_ack(probe, ack, over).await,
    }
}

async fn in_room(probe: &Probe, declared: &Rooms, over: Transport) -> Result<bool, Stop> {
    let room = probe.room("room")?;
    let Some(sent) = Sent::new(probe, &declared.send, Vars::new().room(room.clone())) else {
        probe.note("no binary data was sent to a room: {{message}} is no argument of its own in rooms.send-args");
        return Ok(false);
    };
    let mut sender = probe.client(&format!("sender-{}", over.name()), over).await?;
    let mut member = probe.client(&format!("member-{}", over.name()), over).await?;
    for client in [&mut sender, &mut member] {
        rooms::join(probe, client, &room).await?;
    }
    rooms::settle(probe, &sender, &mut member, &room).await?;
    member.catch_up().await?;
    let (from, before) = (member.mark(), member.attachments().len());
    send(&sender, &sent.packet, &sent.attachments);
    // What comes after it tells that no more is to come.
    let after = rooms::message(probe, &room)?;
    sender.emit(&declared.send, &after);
    let event = declared.receive.event.as_str();
    let is_binary = |packet: &SocketPacket| {
        packet.event_name() == Some(event)
            && (packet.kind == Kind::BinaryEvent || !placeholders(&Value::from(packet.event_args())).is_empty())
    };
    let last = |packet: &SocketPacket| is_expected(packet, &declared.receive, &after);
    let until = probe.in_time();
    let wanted = |packet: &SocketPacket| is_binary(packet) || last(packet);
    let packet = match member.wait("room message", from, until, wanted).await {
        Ok(packet) if is_binary(&packet) => Some(packet),
        // Its handler may take longer than that of the text behind it.
        Ok(_) => {
            let until = until.min(tokio::time::Instant::now() + probe.target().quiet_window());
            match member.wait("room message", from, until, is_binary).await {
                Ok(packet) => Some(packet),
                Err(WireError::Timeout { .. }) => None,
                Err(error) => return Err(lost(&member, &error)),
            }
        }
        Err(WireError::Timeout { .. }) => None,
        Err(error) => return Err(lost(&member, &error)),
    };
    let Some(packet) = packet else {
        probe.note("binary data in a room message does not arrive as such; the application may refuse it");
        return Ok(false);
    };
    is_whole(probe, &mut member, &sent, &packet, before, "A room message").await?;
    // Behind the attachments as well, nothing may come that was not announced.
    if member.wait("room message", from, probe.in_time(), last).await.is_ok() {
        member.fence().await?;
    }
    member.take_notes(probe);
    Ok(true)
}

async fn in_ack(probe: &Probe, ack: &Ack, over: Transport) -> Result<bool, Stop> {
    let Some(mut sent) = Sent::new(probe, &ack.emit, Vars::new().room(probe.room("room")?)) else {
        probe.note("no binary data was acknowledged: {{message}} is no argument of its own in ack.args");
        return Ok(false);
    };
    let id = 31;
    sent.packet.ack_id = Some(id);
    let mut client = probe.client(&format!("asking-{}", over.name()), over).await?;
    let (from, before) = (client.mark(), client.attachments().len());
    send(&client, &sent.packet, &sent.attachments);
    let namespace = &probe.contract().namespace;
    let wanted = |packet: &SocketPacket| is_ack(packet, namespace, id);
    let packet = match client.wait("acknowledgement", from, probe.in_time(), wanted).await {
        Ok(packet) => packet,
        Err(WireError::Timeout { .. }) => {
            probe.note(say!("`{event}` does not acknowledge binary data", event = ack.emit.event));
            return Ok(false);
        }
        Err(error) => return Err(lost(&client, &error)),
    };
    let data = packet.data.clone().unwrap_or_default();
    if packet.kind == Kind::Ack && placeholders(&data).is_empty() {
        probe.note(say!("`{event}` does not give binary data back", event = ack.emit.event));
        return Ok(false);
    }
    is_whole(probe, &mut client, &sent, &packet, before, "An acknowledgement").await?;
    client.fence().await?;
    client.take_notes(probe);
    Ok(true)
}

/// Waits for the attachments of `packet`, which must be those that were sent, in the order of their places.
async fn is_whole(
    probe: &Probe,
    client: &mut Client,
    sent: &Sent,
    packet: &SocketPacket,
    before: usize,
    what: &'static str,
) -> Verdict {
    let over = client.transport();
    if !matches!(packet.kind, Kind::BinaryEvent | Kind::BinaryAck) {
        return sent
            .finding(say!("{what} holds placeholders over {over}, and announces no attachments", what, over))
            .received(format!("4{}", packet.encode()))
            .expected("a binary packet, and its attachments after it")
            .stop();
    }
    let until = probe.in_time();
    // The number is the target's word, and may be any.
    while client.attachments().len() - before < packet.attachments {
        match client.next_packet("attachment", until).await {
            Ok(_) => {}
            Err(WireError::Timeout { .. }) => {
                return sent
                    .finding(say!("{what} announces attachments that do not come over {over}", what, over))
                    .received(described(packet, &client.attachments()[before..]))
                    .expected(say!("{attachments} binary packets after it", attachments = packet.attachments))
                    .stop();
            }
            Err(error) => return Err(lost(client, &error)),
        }
    }
    let came = &client.attachments()[before..before + packet.attachments];
    let places = placeholders(packet.data.as_ref().unwrap_or(&Value::Null));
    let placed: Vec<Option<&Bytes>> = places.iter().map(|place| came.get(*place)).collect();
    let expected = [Some(&sent.attachments[0]), Some(&sent.attachments[1])];
    // An application may send more than it was sent.
    if placed.windows(2).any(|pair| pair == expected) && !placed.contains(&None) {
        return Ok(());
    }
    sent.finding(say!("{what} brings other binary data over {over} than was sent", what, over))
        .received(described(packet, came))
        .expected("the same attachments in the same places, by the placeholders' `num`")
        .stop()
}

fn lost(client: &Client, error: &WireError) -> Stop {
    Stop::Broken(say!(
        "client {label} ({transport}): {error} (see socket.binary-event)",
        label = data(client.label()),
        transport = client.transport(),
        error
    ))
}
