//! Over WebSocket, a client that answers no heartbeat is given up: its session is closed after `pingInterval` +
//! `pingTimeout`.
//!
//! The clients connection stays open, as it does when a network is lost. Some servers look for missing pongs only every
//! so often, which takes up to another `pingTimeout`: lawful, and noted. Where a token can be had, the session is connected:
//! one that is not is closed after 45 seconds for that reason alone, which is just when the default heartbeat runs out.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
    wire::Transport,
};

pub const CHECK: Check = Check {
    id: "engine.dead-peer-websocket",
    title: "A client that answers no heartbeat over WebSocket is disconnected",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::EIO_HEARTBEAT],
    needs: &[Need::WebSocket],
    requires: &["transport.open-packet"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::DeadPeer,
    meaning: "Every client that ever lost its network stays in the server's memory and in its rooms; it is shown as \
              online for ever, and `disconnect` handlers never run.",
    fix: "Leave the engine's heartbeat on (`pingInterval: 25000, pingTimeout: 20000`, not `Infinity` or days).",
    effort: Effort::Minutes,
    faults: &[Fault::KeepsDeadSessions],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    super::expect_dead_peer_closed(probe, Transport::WebSocket).await
}
