//! A close packet (`1`) by POST ends the polling session: its id is unknown from then on, and a poll that is pending is
//! released.
//!
//! What the poll is released with, a noop as by Node, a close packet or 400, is the server's choice. The client that
//! leaves does not wait for it, so that a poll which stays pending is a finding of lesser weight.

use tokio::time::timeout;

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Life, Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "engine.close-polling",
    title: "A close packet ends a polling session",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::EIO_PACKETS, cite::EIO_TESTS],
    needs: &[Need::Polling],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Users who leave (`socket.disconnect()`, a closed tab) stay online until their heartbeat fails. Where only \
              the pending poll stays, each of them holds a connection of the server for that long.",
    fix: "Serve polling by the package `socket.io`, which ends the session and releases the poll by itself, and hand it \
          every POST as it came: `engine.handleRequest(event.node.req, event.node.res)`.",
    effort: Effort::Hours,
    faults: &[Fault::IgnoresClose, Fault::CloseHoldsPoll],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let polling = super::asked_session(probe, "a").await?;
    let mut held = super::held_poll(probe, &polling).await?;
    let posted = polling.post("1".into()).await.map_err(|error| Stop::Broken(say!("POST of 1: {error}", error)))?;

    let released = timeout(probe.deadline(), &mut held).await.is_ok();
    // A poll that is still pending must not be dropped, which would end the session as well.
    let held = (!released).then_some(held);
    if super::life_of(probe, &polling, held).await? == Life::Open {
        return fail("A polling session lives on after a close packet")
            .sent("POST of 1, then a message")
            .received(say!("{posted}; the message is accepted, and answered", posted))
            .expected("HTTP 400 to everything after the close packet")
            .stop();
    }
    if !released {
        return fail("The poll that is pending at a close packet is not released")
            .sent("POST of 1 while a GET is pending")
            .received(say!("{posted}; no answer to the GET within {time}", posted, time = probe.deadline()))
            .expected("an answer to the GET: 6, 1 or HTTP 400")
            .at(Level::Should)
            .stop();
    }
    Ok(())
}
