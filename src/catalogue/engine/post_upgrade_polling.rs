//! After a session has moved to WebSocket, polling requests with its id are refused by 400.
//!
//! A message is exchanged on the WebSocket first, so that the server has completed the upgrade; then come a GET and a
//! POST with the same id.

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Stop, Verdict},
    verdict::{Level, Row},
    wire::Session,
};

pub const CHECK: Check = Check {
    id: "engine.post-upgrade-polling",
    title: "After an upgrade, polling requests are refused",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::EIO_UPGRADE, cite::EIO_TESTS],
    needs: &[Need::Polling, Need::WebSocket],
    requires: &["transport.upgrade"],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Malformed],
    wait: Wait::None,
    meaning: "One session has two ways in: a late or repeated polling request takes messages that belong to the \
              WebSocket, or puts its own in between.",
    fix: "Serve both transports by one engine of the package `socket.io`, which refuses such requests by itself; let no \
          proxy repeat or answer polling requests.",
    effort: Effort::Hours,
    faults: &[Fault::PollsAfterUpgrade],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let upgraded = probe.upgraded("a", &[]).await?;
    let polling = upgraded.polling;
    let mut session = Session::over_websocket(upgraded.socket, upgraded.handshake);
    super::exchange(probe, &mut session)
        .await
        .map_err(|error| Stop::Broken(say!("after the upgrade: {error} (see transport.upgrade)", error)))?;

    let got = polling.get(probe.deadline()).await;
    let got =
        super::expect_bad_request(probe, "A GET after the upgrade", "GET with the sid of the upgraded session", got)
            .await;
    let mut aside = Ok(());
    super::set_aside(&mut aside, got)?;
    let packet = super::question(&probe.nonce("late")).encode();
    let posted = polling.post(packet.clone()).await;
    let sent = say!("POST of {packet} with the sid of the upgraded session", packet);
    let posted = super::expect_bad_request(probe, "A POST after the upgrade", &sent, posted).await;
    super::set_aside(&mut aside, posted)?;
    aside
}
