//! The polling handshake offers `websocket` among its `upgrades`.
//!
//! A deployment that is polling-only on purpose declares it (`choices.polling-only`), and then the offer is the finding:
//! clients take it, and fail, each time that they connect.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    message::Message,
    probe::{Probe, Verdict, fail},
    verdict::{Level, Row},
    wire::Handshake,
};

pub const CHECK: Check = Check {
    id: "transport.upgrade-offered",
    title: "The polling handshake offers an upgrade to WebSocket",
    level: Level::Should,
    row: Row::C8,
    cites: &[cite::EIO_HANDSHAKE, cite::EIO_UPGRADE],
    needs: &[Need::Polling],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Every client stays on polling: two HTTP requests for each message, and higher latency and load.",
    fix: "Leave `transports` at its default or list both: `transports: ['polling', 'websocket']`, and do not set \
          `allowUpgrades: false`.",
    effort: Effort::Minutes,
    faults: &[Fault::NoUpgradeOffered],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let Ok(handshake) = &probe.target().polling else { return Ok(()) };
    let is_offered = handshake.upgrades().contains(&"websocket");
    if probe.contract().choices.polling_only {
        if !is_offered {
            return Ok(());
        }
        return fail("The polling handshake offers WebSocket, and the contract declares a polling-only deployment")
            .sent("a polling handshake")
            .received(say!("upgrades: {offered}", offered = offered(handshake)))
            .expected("no \"websocket\" among `upgrades`: `transports: ['polling']` or `allowUpgrades: false`")
            .stop();
    }
    if is_offered {
        return Ok(());
    }
    fail("The polling handshake does not offer WebSocket")
        .sent("a polling handshake")
        .received(say!("upgrades: {offered}", offered = offered(handshake)))
        .expected("\"websocket\" among `upgrades`")
        .stop()
}

fn offered(handshake: &Handshake) -> Message {
    if handshake.upgrades().is_empty() { said!("none").into() } else { handshake.upgrades().join(", ").into() }
}
