//! Socket.IO v5: packets and namespaces.

mod ack;
mod bad_ack_id;
mod binary_event;
mod binary_from_server;
mod binary_truncated;
mod clean_close;
mod connect;
mod connect_payload;
mod connect_reply_once;
mod connect_timeout;
mod disconnect;
mod empty_event;
mod event_before_connect;
mod multi_namespace;
mod reserved_event;
mod second_connect;
mod unknown_ack;
mod unknown_event;
mod unknown_namespace;
mod unknown_type;

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::{by_what, checks, listed};
use crate::{
    message::{Arg, Joint, Message, list},
    probe::{Client, Life, Probe, Stop, Verdict, fail},
    wire::{SocketPacket, Transport, socket::Kind},
};

checks![
    connect,
    connect_reply_once,
    unknown_namespace,
    second_connect,
    connect_payload,
    event_before_connect,
    connect_timeout,
    empty_event,
    reserved_event,
    unknown_type,
    bad_ack_id,
    ack,
    unknown_ack,
    unknown_event,
    binary_event,
    binary_from_server,
    binary_truncated,
    disconnect,
    multi_namespace,
    clean_close,
];

/// How many connections a check opens at once.
const AT_ONCE: usize = 16;

/// What the end of a connection looks like, for a failure's "expected".
pub(super) const END: &str =
    "the end of the connection: a close frame, `1`, the end of the stream, or 400 to the next poll";

/// How far a connection has come when it is sent something.
#[derive(Clone, Copy)]
pub(super) enum Stage {
    /// It is open, and has sent no CONNECT.
    Opened,
    /// It is connected to the contract's namespace.
    Connected,
}

/// A connection that was sent something and stayed open.
pub(super) struct StillOpen {
    /// What was sent.
    pub sent: Message,
    /// The transport it went over.
    pub transport: Transport,
    /// How long its end was waited for.
    pub waited: Duration,
}

/// A packet of the contract's namespace, as text: its type (and number of attachments), and what follows the namespace.
pub(super) fn packet(probe: &Probe, kind: &str, rest: &str) -> String {
    match probe.contract().namespace.as_str() {
        "/" => format!("4{kind}{rest}"),
        namespace => format!("4{kind}{namespace},{rest}"),
    }
}

/// Sends each text over every transport, each on a connection of its own, and gives back those connections that the
/// target did not close in time.
pub(super) async fn still_open(probe: &Probe, stage: Stage, texts: &[String]) -> Result<Vec<StillOpen>, Stop> {
    let transports = probe.transports();
    let tries = texts.iter().flat_map(|text| transports.iter().map(move |transport| (text, *transport)));
    let exchanges: Vec<_> = tries
        .enumerate()
        .map(|(index, (text, transport))| async move {
            let label = format!("c{}", index + 1);
            let (mut client, waited) = match stage {
                Stage::Opened => (probe.open_asked(&label, transport).await?, probe.unconnected_deadline()),
                Stage::Connected => (probe.client(&label, transport).await?, probe.deadline()),
            };
            client.send_raw(text);
            let life = client.wait_close(waited).await?;
            client.take_notes(probe);
            Ok::<_, Stop>((life == Life::Open).then(|| StillOpen { sent: text.into(), transport, waited }))
        })
        .collect();
    let tried: Vec<Option<StillOpen>> = stream::iter(exchanges).buffered(probe.at_once(AT_ONCE)).try_collect().await?;
    let open: Vec<StillOpen> = tried.into_iter().flatten().collect();
    if let (Stage::Connected, true) = (stage, open.is_empty()) {
        for transport in transports {
            probe.takes_events(transport).await?;
        }
    }
    Ok(open)
}

/// Sends each text over every transport, each on a connection of its own, all of which must be closed for it. `what` names
/// what the texts have in common.
pub(super) async fn expect_close(probe: &Probe, stage: Stage, texts: &[String], what: &'static str) -> Verdict {
    not_closed(&still_open(probe, stage, texts).await?, what)
}

/// A failure that names all connections that should have been closed; a pass where there is none.
pub(super) fn not_closed(open: &[StillOpen], what: &'static str) -> Verdict {
    let Some(first) = open.first() else { return Ok(()) };
    fail(say!("{what} does not close the connection: {open}", what, open = name_all(open)))
        .sent(say!("{sent} over {transport}", sent = first.sent, transport = first.transport))
        .received(say!("the connection is still open after {time}", time = first.waited))
        .expected(END)
        .stop()
}

/// Names what was sent, and the transports: `42[] (polling, WebSocket), 42{} (polling)`.
fn name_all(open: &[StillOpen]) -> Arg {
    let names = by_what(open.iter().map(|one| (&one.sent, one.transport)));
    list(names.into_iter().map(|(sent, over)| say!("`{sent}` ({over})", sent, over = listed(&over))), Joint::Comma)
}

/// What stands for the attachment `number` in a binary packet's payload.
fn placeholder(number: usize) -> Value {
    json!({ "_placeholder": true, "num": number })
}

/// A BINARY_EVENT with arguments of which `attachments` are placeholders.
fn binary_event(namespace: &str, event: &str, args: &[Value], attachments: usize) -> SocketPacket {
    SocketPacket { kind: Kind::BinaryEvent, attachments, ..SocketPacket::event(namespace, event, args) }
}

/// Whether `packet` acknowledges the event `id`.
fn is_ack(packet: &SocketPacket, namespace: &str, id: u64) -> bool {
    matches!(packet.kind, Kind::Ack | Kind::BinaryAck) && packet.namespace == namespace && packet.ack_id == Some(id)
}

/// What came since `mark`, for a failure's "received", without what other checks have the server tell everybody.
fn heard(probe: &Probe, client: &Client, mark: usize) -> Message {
    const SHOWN: usize = 5;
    let broadcast = probe.contract().rest.as_ref().map(|rest| rest.event.event.as_str());
    let is_own = |packet: &&SocketPacket| packet.event_name().is_none() || packet.event_name() != broadcast;
    let packets: Vec<_> = client.since(mark).iter().filter(is_own).collect();
    let shown: Vec<String> = packets.iter().take(SHOWN).map(|packet| format!("4{}", packet.encode())).collect();
    let shown = shown.join(", ");
    match packets.len() {
        0 => "nothing".into(),
        count if count > SHOWN => say!("{shown}, and {more} more packets", shown, more = count - SHOWN),
        _ => shown.into(),
    }
}

/// Sends a packet and its attachments.
fn send(client: &Client, packet: &SocketPacket, attachments: &[Bytes]) {
    client.send(packet);
    for data in attachments {
        client.send_binary(data.clone());
    }
}

/// A packet and its attachments, for a failure.
fn described(packet: &SocketPacket, attachments: &[Bytes]) -> Message {
    let attachments: Vec<String> = attachments.iter().map(hex).collect();
    say!("4{packet} and the attachments {attachments}", packet = packet.encode(), attachments = attachments.join(", "))
}

fn hex(data: &Bytes) -> String {
    data.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Puts `by` where `text` stands alone. False when it stands nowhere alone.
fn replace(args: &mut [Value], text: &str, by: &Value) -> bool {
    let mut found = false;
    for arg in args {
        match arg {
            Value::String(value) if value == text => {
                // Only once: each attachment has one place.
                if !found {
                    *arg = by.clone();
                }
                found = true;
            }
            Value::Array(items) => found |= replace(items, text, by),
            Value::Object(fields) => {
                for (_, field) in fields.iter_mut() {
                    found |= replace(std::slice::from_mut(field), text, by);
                }
            }
            _ => {}
        }
    }
    found
}

/// The numbers of the attachments that a payload has places for, in its order.
fn placeholders(value: &Value) -> Vec<usize> {
    match value {
        Value::Array(items) => items.iter().flat_map(placeholders).collect(),
        Value::Object(fields) if fields.get("_placeholder") == Some(&Value::Bool(true)) => {
            fields.get("num").and_then(Value::as_u64).map(|number| number as usize).into_iter().collect()
        }
        Value::Object(fields) => fields.values().flat_map(placeholders).collect(),
        _ => Vec::new(),
    }
}
