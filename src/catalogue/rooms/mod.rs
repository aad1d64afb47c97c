//! Rooms.

mod outsider_silent;

use tokio::time::Instant;

use super::checks;
use crate::{
    contract::{Expect, Vars},
    probe::{Client, Probe, Stop, is_expected},
    wire::{SocketPacket, Transport, WireError},
};

checks![outsider_silent];

/// Connected clients that have joined the room of `vars`, over these transports; what the first one sends to the room
/// reaches all others.
async fn members<const N: usize>(probe: &Probe, vars: &Vars, transports: [Transport; N]) -> Result<[Client; N], Stop> {
    let mut clients = probe.clients("member", &transports).await?;
    for client in &mut clients {
        join(probe, client, vars).await?;
    }
    if let [sender, receivers @ ..] = &mut clients[..] {
        for receiver in receivers {
            settle(probe, sender, receiver, vars).await?;
        }
    }
    clients.try_into().map_err(|_| Stop::Broken("a client is missing".into()))
}

/// Joins the room of `vars`. The fence tells that the server has taken the event, not that its handler is done.
pub(super) async fn join(probe: &Probe, client: &mut Client, vars: &Vars) -> Result<(), Stop> {
    client.emit(&probe.rooms()?.join, vars);
    client.fence().await
}

/// Waits until a join has taken effect. The protocol has no answer to a join, and its handler may have to ask a
/// database first; so messages of their own are sent, each after a longer wait, until one arrives.
pub(super) async fn settle(probe: &Probe, sender: &mut Client, receiver: &mut Client, vars: &Vars) -> Result<(), Stop> {
    let rooms = probe.rooms()?;
    let end = probe.in_time();
    let mut patience = probe.target().quiet_window();
    let from = receiver.mark();
    let mut sent = Vec::new();
    while Instant::now() < end {
        let vars = vars.clone().message(probe.nonce("settle"));
        sender.emit(&rooms.send, &vars);
        sent.push(vars);
        let arrived = |packet: &SocketPacket| sent.iter().any(|vars| is_expected(packet, &rooms.receive, vars));
        let until = end.min(Instant::now() + patience);
        match receiver.wait("room message", from, until, arrived).await {
            Ok(_) => return Ok(()),
            Err(WireError::Timeout { .. }) => patience *= 2,
            Err(error) => return Err(Stop::Broken(format!("client {}: {error}", receiver.label()))),
        }
    }
    Err(undelivered(&rooms.receive))
}

/// Sends the message of `vars` and waits until `receiver` has it. That it does is judged by `rooms.member-receives`.
async fn deliver(probe: &Probe, sender: &mut Client, receiver: &mut Client, vars: &Vars) -> Result<(), Stop> {
    let rooms = probe.rooms()?;
    let from = receiver.mark();
    sender.emit(&rooms.send, vars);
    match receiver.wait_expected(from, &rooms.receive, vars).await? {
        Some(_) => Ok(()),
        None => Err(undelivered(&rooms.receive)),
    }
}

fn undelivered(receive: &Expect) -> Stop {
    Stop::Broken(format!("`{}` does not reach the other member (see rooms.member-receives)", receive.event))
}
