//! A handshake for a transport that does not exist is refused.
//!
//! Over polling the answer is 400. Where the request asks for an upgrade, that is refused, or the connection is closed
//! after 101; which of them, and how, is the server's choice.

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "engine.transport-unknown",
    title: "A handshake for an unknown transport is refused",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::EIO_QUERY, cite::EIO_WEBSOCKET, cite::EIO_TESTS],
    needs: &[],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Malformed],
    wait: Wait::None,
    meaning: "A client that asks for a transport which the server lacks is let in over another one, or waits for ever, \
              instead of being told.",
    fix: "Serve the path by the package `socket.io` 4, and let no proxy rewrite `transport`. Where an upgrade is left \
          hanging in Nuxt, add a crossws `upgrade` hook that throws `new Response(null, { status: 400 })` unless \
          `transport` is websocket: Nitro accepts upgrades before the engine sees them.",
    effort: Effort::Hours,
    faults: &[Fault::ServesUnknownTransport, Fault::RefusesHandshakeByNotFound, Fault::HangsBadUpgrade],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    super::expect_refused_handshake(probe, "transport", Some("abc")).await
}
