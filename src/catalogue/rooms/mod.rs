//! Rooms.

mod cross_transport;
mod disconnect_leaves;
mod join_authorization;
mod join_twice;
mod leave;
mod member_receives;
mod names;
mod outsider_silent;
mod own_room_eavesdrop;
mod payload;
mod two_rooms;

use futures::future::try_join_all;
use serde_json::Value;
use tokio::time::Instant;

use super::checks;
use crate::{
    contract::{Expect, Vars},
    message::Message,
    probe::{Client, Finding, Probe, Stop, fail, is_expected, on_wire},
    wire::{SocketPacket, Transport, WireError},
};

checks![
    member_receives,
    outsider_silent,
    two_rooms,
    leave,
    disconnect_leaves,
    join_twice,
    cross_transport,
    payload,
    names,
    own_room_eavesdrop,
    join_authorization,
];

/// The variables of a new message to `room`. Where the contract's events carry no message, none is looked for.
pub(super) fn message(probe: &Probe, room: &Value) -> Result<Vars, Stop> {
    let vars = Vars::new().room(room.clone());
    Ok(if probe.rooms()?.send.carries_message() { vars.message(probe.nonce("message")) } else { vars })
}

/// Connected clients that have joined `room`, over these transports; what the first one sends to the room reaches all
/// others.
async fn members<const N: usize>(probe: &Probe, room: &Value, transports: [Transport; N]) -> Result<[Client; N], Stop> {
    let mut clients = probe.clients("member", &transports).await?;
    try_join_all(clients.iter_mut().map(|client| join(probe, client, room))).await?;
    if let [sender, receivers @ ..] = &mut clients[..] {
        try_join_all(receivers.iter_mut().map(|receiver| settle(probe, sender, receiver, room))).await?;
    }
    clients.try_into().map_err(|_| Stop::Broken("a client is missing".into()))
}

/// Joins `room`. The fence tells that the server has taken the event, not that its handler is done.
pub(super) async fn join(probe: &Probe, client: &mut Client, room: &Value) -> Result<(), Stop> {
    client.emit(&probe.rooms()?.join, &Vars::new().room(room.clone()));
    client.catch_up().await
}

/// Waits until the joins of both have taken effect. That they do is judged by `rooms.member-receives`.
pub(super) async fn settle(probe: &Probe, sender: &Client, receiver: &mut Client, room: &Value) -> Result<(), Stop> {
    match unsettled(probe, sender, receiver, room).await? {
        None => Ok(()),
        Some(_) => Err(undelivered(&probe.rooms()?.receive)),
    }
}

/// Waits until a message from `sender` to `room` reaches `receiver`. The protocol has no answer to a join, and its
/// handler may have to ask a database first; so messages of their own are sent, each after a longer wait, until one
/// arrives. When none does in time, returns the last of them.
pub(super) async fn unsettled(
    probe: &Probe,
    sender: &Client,
    receiver: &mut Client,
    room: &Value,
) -> Result<Option<Vars>, Stop> {
    let rooms = probe.rooms()?;
    let end = probe.in_time();
    let mut patience = probe.target().quiet_window();
    let from = receiver.mark();
    let mut sent = Vec::new();
    while Instant::now() < end {
        let vars = message(probe, room)?;
        sender.emit(&rooms.send, &vars);
        sent.push(vars.clone());
        let arrived = |packet: &SocketPacket| sent.iter().any(|vars| is_expected(packet, &rooms.receive, vars));
        let until = end.min(Instant::now() + patience);
        match receiver.wait("room message", from, until, arrived).await {
            Ok(_) => {
                if !rooms.send.carries_message() && sent.len() > 1 {
                    // The others may still be under way, and nothing will tell them from what is sent next.
                    let all = sent.len();
                    while receiver.expected_since(from, &rooms.receive, &vars).len() < all && Instant::now() < end {
                        receiver.listen(patience).await?;
                    }
                }
                return Ok(None);
            }
            Err(WireError::Timeout { .. }) => patience *= 2,
            Err(error) => return Err(receiver.broken(&error)),
        }
    }
    Ok(sent.pop())
}

/// Sends the message of `vars` and waits until `receiver` has it. That it does is judged by `rooms.member-receives`.
async fn deliver(probe: &Probe, sender: &Client, receiver: &mut Client, vars: &Vars) -> Result<(), Stop> {
    if arrives(probe, sender, receiver, vars).await? { Ok(()) } else { Err(undelivered(&probe.rooms()?.receive)) }
}

/// Sends the message of `vars`; whether `receiver` gets it in time.
async fn arrives(probe: &Probe, sender: &Client, receiver: &mut Client, vars: &Vars) -> Result<bool, Stop> {
    let rooms = probe.rooms()?;
    let from = receiver.mark();
    sender.emit(&rooms.send, vars);
    Ok(receiver.wait_expected(from, &rooms.receive, vars).await?.is_some())
}

/// Sends two messages to `room`, one after the other's arrival, and counts them at `receiver` behind the fence that
/// follows: a second copy of the first is seen even where the server takes its time for it. Returns the count that is
/// not one, if any, and the message it belongs to.
async fn copies(
    probe: &Probe,
    sender: &Client,
    receiver: &mut Client,
    room: &Value,
) -> Result<Option<(usize, Vars)>, Stop> {
    let rooms = probe.rooms()?;
    let from = receiver.mark();
    let messages = [message(probe, room)?, message(probe, room)?];
    for vars in &messages {
        if !arrives(probe, sender, receiver, vars).await? {
            return Ok(Some((0, vars.clone())));
        }
    }
    receiver.fence().await?;
    receiver.take_notes(probe);
    let indistinct = if rooms.send.carries_message() { 1 } else { messages.len() };
    let mut counted = messages.into_iter().map(|vars| {
        let copies = receiver.expected_since(from, &rooms.receive, &vars).len();
        (copies.div_ceil(indistinct), vars)
    });
    Ok(counted.find(|(copies, _)| *copies != 1))
}

/// Begins a finding about the message of `vars`.
pub(super) fn finding(probe: &Probe, reason: impl Into<Message>, vars: &Vars) -> Result<Finding, Stop> {
    Ok(fail(reason).sent(on_wire(&probe.contract().namespace, &probe.rooms()?.send, vars)))
}

fn undelivered(receive: &Expect) -> Stop {
    Stop::Broken(say!("`{event}` does not reach the other member (see rooms.member-receives)", event = receive.event))
}
