//! Over WebSocket, the server sends a heartbeat (`2`) within `pingInterval`, and again after the client's `3`, for two
//! rounds.
//!
//! An answered heartbeat must keep the session: where `pingTimeout` is the longer one, it is watched for as many more
//! rounds as a server needs that did not take the first pong. The deadline of one answer is tolerated beyond `pingInterval`. Where a token can be had, the session is connected, because
//! servers close one that is not after 45 seconds; else only what fits into that time is judged. What cuts a silent WebSocket is
//! no fault of its heartbeats, and the subject of `deploy.proxy-idle`: where a session on which something is sent now and then
//! lives on, its heartbeats are judged.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
    wire::Transport,
};

pub const CHECK: Check = Check {
    id: "engine.heartbeat-websocket",
    title: "Heartbeats come in time over WebSocket, and answering them keeps the session",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::EIO_HEARTBEAT],
    needs: &[Need::WebSocket],
    requires: &["transport.open-packet"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::Heartbeats,
    meaning: "Clients take the server for dead and reconnect all the time, or are thrown out although they answer: \
              messages sent in between are lost.",
    fix: "Advertise the heartbeat timing that is really used: set `pingInterval` and `pingTimeout` on the one engine \
          that serves the requests, and let a proxy in front keep a connection for hours, however little is sent on \
          it.",
    effort: Effort::Hours,
    faults: &[Fault::NoHeartbeatOnWebsocket, Fault::IgnoresPongs],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    super::expect_heartbeats(probe, Transport::WebSocket).await
}
