//! The declared `ping` is answered with exactly one `pong`, over polling and over WebSocket.
//!
//! A second `ping` and a fence follow before the pongs are counted, so that a second `pong` to the first `ping` is seen
//! even where the handler answers after a pause of its own.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    mock::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "events.ping-pong",
    title: "ping is answered with exactly one pong",
    level: Level::Must,
    row: Row::C12,
    cites: &[cite::CHECKLIST, cite::SIO_EVENTS],
    needs: &[Need::Connect, Need::Ping],
    requires: &["auth.valid-token"],
    isolation: Isolation::SideBySide,
    wait: Wait::None,
    meaning: "The application's own liveness test fails, or its answers are doubled: clients believe that the server \
              is gone, or handle everything twice.",
    fix: "Register one handler per connection: `io.on('connection', (socket) => { socket.on('ping', () => \
          socket.emit('pong')) })`, once, behind the guard `if (!globalThis.io)`.",
    effort: Effort::Minutes,
    faults: &[Fault::NoPong, Fault::DoublePong],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    for transport in probe.transports() {
        let mut client = probe.client("a", transport).await?;
        super::expect_one_pong_each(probe, &mut client, 2).await?;
    }
    Ok(())
}
