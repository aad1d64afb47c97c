//! An event that is sent before any CONNECT closes the connection: the protocol has CONNECT come first, "or else".
//!
//! The events are of a name that nobody handles, with and without an acknowledgement id, each on a connection of its own.

use super::{Stage, expect_close, packet};
use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "socket.event-before-connect",
    title: "An event before CONNECT closes the connection",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::SIO_CONNECT],
    needs: &[],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Malformed],
    wait: Wait::None,
    meaning: "Strangers keep connections open, and have packets parsed, without ever showing a token.",
    fix: "Serve Socket.IO by the package `socket.io` 3 or newer, which does this by itself. With packets of one's own on \
          `engine.on('connection')`, let `io.bind(engine)` do it instead.",
    effort: Effort::Hours,
    faults: &[Fault::IgnoresEventBeforeConnect],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let texts = [packet(probe, "2", "[\"siospec-early\"]"), packet(probe, "2", "7[\"siospec-early\"]")];
    expect_close(probe, Stage::Opened, &texts, "An event before CONNECT").await
}
