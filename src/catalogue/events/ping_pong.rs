//! The declared `ping` is answered with exactly one `pong`, over polling and over WebSocket.
//!
//! A second `ping` and a fence follow before the pongs are counted, so that a second `pong` to the first `ping` is seen
//! even where the handler answers after a pause of its own.
//!
//! Where there are too many, two more users connect, one after the other: whether each gets as many, or more than the one
//! before, tells a server that was set up twice from one that adds handlers with every connection.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Finding, Probe, Stop, Verdict},
    verdict::{Evidence, Level, Row},
    wire::Transport,
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
    effects: &[],
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
        match super::expect_one_pong_each(probe, &mut client, 2).await {
            Err(Stop::Fail(finding)) => {
                return Err(Stop::Fail(on_further_connections(probe, transport, finding).await));
            }
            other => other?,
        }
    }
    Ok(())
}

/// Adds to the finding how many pongs two more users get, where there were too many.
async fn on_further_connections(probe: &Probe, transport: Transport, mut finding: Finding) -> Finding {
    if let Some(Evidence::Copies { counts, .. }) = finding.evidence.as_deref_mut() {
        for _ in 0..2 {
            match super::pongs(probe, transport).await {
                Ok(pongs) => counts.push(pongs),
                Err(_) => break,
            }
        }
    }
    finding
}
