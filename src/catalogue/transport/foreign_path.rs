//! An upgrade on a path that nobody serves is refused or closed, not left hanging after 101.
//!
//! Node's server ends such a connection after a second (`destroyUpgradeTimeout`). Nitro with
//! `experimental.websocket` accepts it and then says nothing, for as long as the client likes.

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Wait, cite},
    fault::Fault,
    probe::{Foreign, Probe, Verdict, fail, to_the_point},
    verdict::{Level, Row},
    wire::{Frame, Transport},
};

pub const CHECK: Check = Check {
    id: "transport.foreign-path",
    title: "An upgrade on a path that nobody serves is refused or closed",
    level: Level::Should,
    row: Row::C3,
    cites: &[cite::RFC6455_4, cite::SIO_SERVER_OPTIONS],
    needs: &[],
    requires: &[],
    isolation: Isolation::Last,
    effects: &[Effect::Endangers],
    wait: Wait::None,
    meaning: "A client with a mistyped path waits for ever instead of failing, and anybody can hold connections open \
              without a session that would time them out.",
    fix: "Refuse upgrades on other paths: in Nitro, a crossws `upgrade` hook that throws a 404 `Response` unless the \
          request's path is Socket.IO's.",
    effort: Effort::Hours,
    faults: &[Fault::HangsForeignUpgrade],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let endpoint = probe.endpoint("a");
    let url = endpoint.engine_url_at(&format!("/{}", probe.nonce("nowhere")), Transport::WebSocket, None);
    let finding = |reason: &'static str| {
        fail(reason)
            .sent(say!("GET {url} with Upgrade: websocket", url))
            .expected("a 4xx, or the end of the connection")
    };
    let mut socket = match probe.upgrade_elsewhere(&endpoint, &url).await? {
        Foreign::EndedBehind => return Ok(()),
        Foreign::Refused(response) => {
            to_the_point(format!("GET {url}"), response)?;
            return probe.served_at_all().await.map(drop);
        }
        Foreign::Closed => return probe.serves_at_all_still().await.map(drop),
        Foreign::Accepted(socket) => socket,
        Foreign::Silence(error) => {
            return finding("The upgrade is left without an answer").received(error).stop();
        }
    };
    match socket.receive(probe.deadline()).await {
        Ok(Frame::Closed(_)) => probe.serves_at_all_still().await.map(drop),
        Ok(_) => {
            probe.note("lawful choice: another WebSocket service answers on every path");
            probe.served_at_all().await.map(drop)
        }
        Err(error) => finding("The upgrade is accepted and then left hanging")
            .received(say!("HTTP 101, then {error}", error))
            .stop(),
    }
}
