//! A handshake without `transport` is refused.
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
    id: "engine.transport-missing",
    title: "A handshake without transport is refused",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::EIO_QUERY, cite::EIO_WEBSOCKET],
    needs: &[],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Malformed],
    wait: Wait::None,
    meaning: "Socket.IO clients always send `transport`, so they do not notice. But every request that happens to say \
              `EIO=4` opens a session that nobody uses and that stays until its heartbeat fails, or hangs.",
    fix: "Serve the path by the package `socket.io` 4, and let no proxy add query parameters; python-socketio takes a \
          missing `transport` for polling. Where an upgrade is left hanging in Nuxt, add a crossws `upgrade` hook that \
          throws `new Response(null, { status: 400 })` unless `transport` is websocket: Nitro accepts upgrades before \
          the engine sees them.",
    effort: Effort::Hours,
    faults: &[Fault::ServesMissingTransport, Fault::RefusesHandshakeByNotFound, Fault::HangsBadUpgrade],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    super::expect_refused_handshake(probe, "transport", None).await
}
