//! A handshake without `EIO`, the version of the protocol, is refused.
//!
//! Over polling the answer is 400. Over WebSocket the upgrade is refused, or the connection is closed after 101; which
//! of them, and how, is the server's choice.

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "engine.eio-missing",
    title: "A handshake without EIO is refused",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::EIO_QUERY, cite::EIO_WEBSOCKET],
    needs: &[],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Malformed],
    wait: Wait::None,
    meaning: "Socket.IO clients always send `EIO`, so they do not notice. Clients of another version, and things that \
              are no clients, get sessions in which both sides read the packets differently, or a connection that hangs.",
    fix: "Serve the path by the package `socket.io` 4 and let nothing add query parameters on the way. Where an upgrade \
          is left hanging in Nuxt, add a crossws `upgrade` hook that throws `new Response(null, { status: 400 })` unless \
          `EIO` is 4: Nitro accepts upgrades before the engine sees them.",
    effort: Effort::Hours,
    faults: &[Fault::ServesMissingEio, Fault::RefusesHandshakeByNotFound, Fault::HangsBadUpgrade],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    super::expect_refused_handshake(probe, "EIO", None).await
}
