//! However often a user's connection drops and comes back, one `ping` gives one `pong`.
//!
//! One user connects six times by each transport. Every connection but the last is cut without a word, as a lost
//! network does it. On each new one two pings are sent and their pongs counted behind a fence. A server that registers
//! its handlers once more for every connection (on `io`, on a shared emitter, on a kept socket) answers twice after the
//! first reconnect and six times after the fifth.

use super::Parting;
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict, in_order},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "reconnect.single-pong",
    title: "After dropped connections, one ping still gives one pong",
    level: Level::Must,
    row: Row::C9,
    cites: &[cite::SIO_LISTENING, cite::CHECKLIST],
    needs: &[Need::Connect, Need::Ping],
    requires: &["auth.valid-token", "events.ping-pong", "events.ping-pong-private", "reconnect.parallel-clients"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Each loss of the network multiplies what a click does: after an hour on a train one message is stored \
              and shown ten times, and the server's memory only grows.",
    fix: "Register handlers on the new connection's socket only, and once: `io.on('connection', (socket) => { \
          socket.on('ping', () => socket.emit('pong')) })`. Remove what was registered elsewhere when the socket goes: \
          `socket.on('disconnect', () => bus.off('event', listener))`.",
    effort: Effort::Hours,
    faults: &[Fault::HandlersPileUp],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let transports = probe.transports();
    let users = transports.into_iter().map(|transport| super::expect_single_pongs(probe, transport, Parting::Abrupt));
    in_order(users).await.map(drop)
}
