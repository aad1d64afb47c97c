//! However often a user leaves and comes back, one `ping` gives one `pong`.
//!
//! As `reconnect.single-pong`, but each connection ends as a well-behaved client ends it: DISCONNECT (`41`), then the
//! end of the session (`1` on polling, a close frame on WebSocket). Servers take another path through their code then,
//! and what is tidied up on the one may be left behind on the other.

use super::Parting;
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict, in_order},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "reconnect.graceful",
    title: "After clean disconnects, one ping still gives one pong",
    level: Level::Must,
    row: Row::C9,
    cites: &[cite::SIO_DISCONNECT, cite::SIO_DISCONNECT_EVENTS, cite::CHECKLIST],
    needs: &[Need::Connect, Need::Ping],
    requires: &["auth.valid-token", "events.ping-pong", "events.ping-pong-private", "reconnect.parallel-clients"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Whoever logs out and in again, or moves between pages that connect and disconnect, gets every answer \
              several times.",
    fix: "Tidy up on `disconnect` whatever its reason: `socket.on('disconnect', () => bus.off('event', listener))`, \
          without an `if (reason === 'transport close')` around it; keep no listeners per user beyond their socket.",
    effort: Effort::Hours,
    faults: &[Fault::HandlersPileUpAfterDisconnect],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let transports = probe.transports();
    let users = transports.into_iter().map(|transport| super::expect_single_pongs(probe, transport, Parting::Clean));
    in_order(users).await.map(drop)
}
