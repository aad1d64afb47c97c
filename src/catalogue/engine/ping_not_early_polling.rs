//! Over polling, the first heartbeat comes after about `pingInterval`, not at once: none in the first half of it.
//!
//! The protocol has the server send heartbeats at an interval that it tells in the handshake. Some servers send the first
//! one right after the handshake, which is one more exchange for each connection. The time is counted from before the
//! handshake's request, so that a busy machine cannot make a heartbeat look early.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
    wire::Transport,
};

pub const CHECK: Check = Check {
    id: "engine.ping-not-early-polling",
    title: "The first heartbeat over polling does not come at once",
    level: Level::Should,
    row: Row::P,
    cites: &[cite::EIO_HEARTBEAT],
    needs: &[Need::Polling],
    requires: &["transport.open-packet"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::Heartbeat,
    meaning: "Each new connection costs one more exchange in the moment in which it costs most, such as when all clients \
              come back after a restart.",
    fix: "Let the server wait for `pingInterval` before its first heartbeat, as engine.io does; where the library \
          sends it at once (socketioxide), there is no setting for it: open an issue there.",
    effort: Effort::Days,
    faults: &[Fault::PingsAtOnce],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    super::expect_no_early_ping(probe, Transport::Polling).await
}
