//! A request with a session id that the server does not know is refused: GET and POST by 400, an upgrade by a refusal or
//! by the end of the connection.
//!
//! The id is random and of the usual form. This is how a client learns that its session is over, so that it begins a new
//! one: after a restart of the server, and where requests of one session reach different nodes.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    catalogue::{Check, Effort, Isolation, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
    wire::{Polling, Transport},
};

pub const CHECK: Check = Check {
    id: "engine.unknown-sid",
    title: "A request with an unknown session id is refused",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::EIO_SENDING, cite::EIO_RECEIVING, cite::EIO_WEBSOCKET],
    needs: &[],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "After a restart of the server its clients do not learn that their sessions are gone: they send into the \
              void, or wait, until their own heartbeat gives up, which takes 45 s by default.",
    fix: "Leave the refusal to the package `socket.io`, and let its 400 through: no error page, redirect or retry of a \
          proxy in its place. In Nuxt, hand every upgrade to the engine (`engine.prepare`, `engine.onWebSocket` in the \
          crossws `open` hook), which closes those with an unknown sid.",
    effort: Effort::Hours,
    faults: &[Fault::AcceptsPostToUnknownSid, Fault::UnknownSidNotFound, Fault::HangsBadUpgrade],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let sid = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 15]>());
    let mut aside = Ok(());
    for transport in probe.transports() {
        let endpoint = probe.endpoint(&transport.to_string());
        let url = endpoint.engine_url(transport, Some(&sid));
        if transport == Transport::WebSocket {
            let verdict = super::expect_refused_upgrade(probe, &endpoint, "An upgrade with an unknown sid", url).await;
            super::set_aside(&mut aside, verdict)?;
            continue;
        }
        let polling = Polling::new(&endpoint, &sid);
        let got = polling.get(probe.deadline()).await;
        let got = super::expect_bad_request(probe, "A GET with an unknown sid", &format!("GET {url}"), got).await;
        super::set_aside(&mut aside, got)?;
        let posted = polling.post("40".into()).await;
        let posted =
            super::expect_bad_request(probe, "A POST with an unknown sid", &say!("POST {url} of 40", url), posted)
                .await;
        super::set_aside(&mut aside, posted)?;
    }
    aside
}
