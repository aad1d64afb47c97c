//! Polling works where WebSocket does.
//!
//! Clients poll first by default, and some networks let nothing else through. A deployment that is WebSocket-only on
//! purpose declares it (`choices.websocket-only`), and sets `transports: ['websocket']` in its client.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict, fail},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "transport.polling-available",
    title: "Polling works beside WebSocket",
    level: Level::Should,
    row: Row::C8,
    cites: &[cite::EIO_POLLING, cite::SIO_CLIENT_OPTIONS],
    needs: &[Need::PollingDeclared],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Clients with default settings do not connect at all, nor does anyone behind a proxy that blocks WebSocket.",
    fix: "Serve the path's HTTP requests too (`nitroApp.router.use('/socket.io/', …)`), or, if WebSocket-only is what \
          you want, set `transports: ['websocket']` in the client and `choices.websocket-only = true` in siospec.toml.",
    effort: Effort::Minutes,
    faults: &[Fault::NoPolling, Fault::RedirectsHandshake],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    match &probe.target().polling {
        Ok(_) => Ok(()),
        Err(error) => fail("WebSocket works, and polling does not")
            .sent("a polling handshake")
            .received(error)
            .expected("HTTP 200 with an open packet")
            .stop(),
    }
}
