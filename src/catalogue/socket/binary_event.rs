//! A binary event is taken whole, with one attachment and with three: the connection lives, and the next event is handled.
//!
//! The event's name is one that nobody handles, so that the attachments must be taken even where nobody wants them. Where
//! the contract declares an acknowledgement that holds the message (`ack.reply`), binary data is sent in the message's
//! place as well: what comes back must be the same bytes. An application that acknowledges binary data by something else,
//! or not at all, is within its rights; the result says so.

use bytes::Bytes;
use serde_json::Value;

use super::{binary_event, described, heard, is_ack, placeholder, placeholders, replace, send};
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    contract::{Ack, Vars},
    fault::Fault,
    message::Message,
    probe::{Client, Life, Probe, Verdict, confirmed, fail, in_order},
    verdict::{Level, Row},
    wire::{SocketPacket, Transport, WireError, socket::Kind},
};

pub const CHECK: Check = Check {
    id: "socket.binary-event",
    title: "A binary event is taken whole",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::SIO_EVENTS, cite::SIO_ENCODING, cite::SIO_TEST_SUITE],
    needs: &[Need::Connect],
    requires: &[
        "auth.valid-token",
        "socket.unknown-event",
        "socket.ack",
        "engine.payload-batching",
        "engine.payload-base64",
        "events.ping-pong",
        "reconnect.parallel-clients",
    ],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Uploads and images break the connection, or arrive damaged.",
    fix: "Let nothing between client and server touch binary frames or POST bodies, and let no handler of \
          `engine.on('connection')` swallow them. With a `parser` of one's own on the server, the clients need it too.",
    effort: Effort::Hours,
    faults: &[
        Fault::TakesOneAttachmentOnly,
        Fault::TruncatesAttachments,
        Fault::KeepsPlaceholders,
        Fault::ReversesPayload,
    ],
    run: |probe| Box::pin(run(probe)),
};

/// How many attachments are sent.
const COUNTS: [usize; 2] = [1, 3];

/// Attachments of an answer that are waited for: what came back is what was sent, or little more.
const MAX_ATTACHMENTS: usize = 100;

async fn run(probe: &Probe) -> Verdict {
    let tries = probe.transports().into_iter().flat_map(|transport| COUNTS.map(|count| (transport, count)));
    let exchanges = tries.map(|(transport, count)| confirmed(probe, move || exchange(probe, transport, count)));
    in_order(exchanges).await.map(drop)
}

async fn exchange(probe: &Probe, transport: Transport, count: usize) -> Verdict {
    // So that the client is a user who may join the room that the acknowledged event names, where it names one.
    probe.room("room")?;
    let mut client = probe.client(&format!("a{count} ({transport})"), transport).await?;
    is_taken(probe, &mut client, count).await?;
    match &probe.contract().ack {
        Some(ack) if ack.echoes() => comes_back(probe, &mut client, ack, count).await,
        _ => Ok(()),
    }
}

/// Different bytes in each, of which none is text: separators, quotes, zero and 255.
fn attachments(count: usize) -> Vec<Bytes> {
    (0..count).map(|index| Bytes::from(vec![0, 30, 34, 255, 128, 10, b'4', index as u8 + 1])).collect()
}

fn counted(count: usize) -> Message {
    say!("{count} attachment" | "{count} attachments", count)
}

/// The event must not end the connection, and must not be taken for longer or shorter than it is.
async fn is_taken(probe: &Probe, client: &mut Client, count: usize) -> Verdict {
    let namespace = &probe.contract().namespace;
    let transport = client.transport();
    let data = attachments(count);
    let args: Vec<Value> = (0..count).map(placeholder).collect();
    let event = binary_event(namespace, &probe.nonce("binary"), &args, count);
    send(client, &event, &data);
    let life = client.life().await?;
    client.take_notes(probe);
    if let Life::Closed(_) = life {
        return fail(say!(
            "A binary event with {counted} ends the connection over {transport}",
            counted = counted(count),
            transport
        ))
        .sent(described(&event, &data))
        .received(life)
        .doubtful()
        .expected("a connection that goes on")
        .stop();
    }
    let Some(ping) = &probe.contract().ping else { return Ok(()) };
    let mark = client.mark();
    client.emit(&ping.emit, &Vars::new());
    if client.wait_event(mark, &ping.reply).await?.is_some() {
        return Ok(());
    }
    fail(say!(
        "After a binary event with {counted}, the next event is not handled over {transport}",
        counted = counted(count),
        transport
    ))
    .sent(say!("{packet}; then `{event}`", packet = described(&event, &data), event = ping.emit.event))
    .received(heard(probe, client, mark))
    .expected(say!("one `{reply}`", reply = ping.reply))
    .stop()
}

/// The declared event, with attachments in place of its message, must not give back other bytes.
async fn comes_back(probe: &Probe, client: &mut Client, ack: &Ack, count: usize) -> Verdict {
    let namespace = &probe.contract().namespace;
    let transport = client.transport();
    let nonce = probe.nonce("message");
    let (event, mut args) = ack.emit.render(&Vars::new().room(probe.room("room")?).message(&nonce));
    let in_place = if count == 1 { placeholder(0) } else { (0..count).map(placeholder).collect() };
    if !replace(&mut args, &nonce, &in_place) {
        probe.note("the bytes were not looked at: {{message}} is no argument of its own in ack.args");
        return Ok(());
    }
    let id = 20 + count as u64;
    let event = SocketPacket { ack_id: Some(id), ..binary_event(namespace, &event, &args, count) };
    let data = attachments(count);
    let (mark, before) = (client.mark(), client.attachments().len());
    send(client, &event, &data);
    let finding = |reason: &'static str, received: Message| {
        fail(say!("{reason} over {transport}, with {counted}", reason, transport, counted = counted(count)))
            .sent(described(&event, &data))
            .received(received)
            .expected(say!(
                "{packet} with the same attachments",
                packet = super::packet(probe, &format!("6{count}-"), &format!("{id}[…]"))
            ))
            .stop()
    };
    let wanted = |packet: &SocketPacket| is_ack(packet, namespace, id);
    let answer = match client.wait("acknowledgement", mark, probe.in_time(), wanted).await {
        Ok(answer) => answer,
        Err(WireError::Timeout { .. }) => {
            probe.note(say!(
                "the bytes were not looked at: `{event}` does not acknowledge binary data",
                event = ack.emit.event
            ));
            return Ok(());
        }
        Err(error) => match client.ended_by(error)? {
            Life::Open => return Ok(()),
            life @ Life::Closed(_) => {
                return finding("An acknowledged binary event ends the connection", life.message());
            }
        },
    };
    let reply = answer.data.clone().unwrap_or_default();
    let numbers = placeholders(&reply);
    if answer.kind == Kind::Ack {
        if !numbers.is_empty() {
            let received = format!("4{}", answer.encode()).into();
            return finding("Placeholders come back instead of the attachments", received);
        }
        probe.note(say!(
            "the bytes were not looked at: `{event}` does not give binary data back",
            event = ack.emit.event
        ));
        return Ok(());
    }
    if answer.attachments > MAX_ATTACHMENTS {
        let received = format!("4{}", answer.encode()).into();
        return finding("An acknowledgement announces far too many attachments", received);
    }
    let until = probe.in_time();
    while client.attachments().len() < before + answer.attachments {
        match client.next_packet("attachment", until).await {
            Ok(_) => {}
            Err(WireError::Timeout { .. }) => {
                let came = client.attachments().len() - before;
                let received = say!("4{answer} and {came} of its attachments", answer = answer.encode(), came);
                return finding("An acknowledgement's attachments do not follow it", received);
            }
            Err(error) => {
                let life = client.ended_by(error)?;
                return finding("The connection ends before an acknowledgement's attachments", life.message());
            }
        }
    }
    let came = &client.attachments()[before..before + answer.attachments];
    let returned: Vec<Bytes> = numbers.iter().filter_map(|number| came.get(*number).cloned()).collect();
    if returned == data {
        return Ok(());
    }
    finding("Binary data comes back altered", described(&answer, came))
}
