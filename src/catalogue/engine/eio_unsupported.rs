//! A handshake for a version of the protocol that does not exist (`EIO=5`, `EIO=abc`) is refused, and so is `EIO=3`
//! unless it is served as version 3.
//!
//! Over polling the answer is 400; over WebSocket the upgrade is refused, or the connection is closed after 101. Servers
//! may speak version 3 beside version 4 (`allowEIO3` in socket.io), which is noted. Over polling that shows in the
//! framing; over WebSocket the open packets of both versions look alike, and what is served there passes.

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict, fail},
    verdict::{Level, Row},
    wire::{Transport, engine},
};

pub const CHECK: Check = Check {
    id: "engine.eio-unsupported",
    title: "A handshake for an unknown version of Engine.IO is refused",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::EIO_QUERY, cite::EIO_WEBSOCKET, cite::EIO_TESTS],
    needs: &[],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Malformed],
    wait: Wait::None,
    meaning: "A client of another version is let in instead of being told so; it then fails in ways that do not point \
              to the version, such as a heartbeat that never comes.",
    fix: "Serve the path by the package `socket.io` 4. For clients of Socket.IO 2, set `allowEIO3: true` instead of \
          rewriting their query. Where an upgrade is left hanging in Nuxt, add a crossws `upgrade` hook that throws \
          `new Response(null, { status: 400 })` unless `EIO` is 4: Nitro accepts upgrades before the engine sees them.",
    effort: Effort::Hours,
    faults: &[Fault::ServesAnyEio, Fault::RefusesHandshakeByNotFound, Fault::HangsBadUpgrade],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let mut aside = Ok(());
    for version in ["5", "abc"] {
        super::set_aside(&mut aside, super::expect_refused_handshake(probe, "EIO", Some(version)).await)?;
    }
    for transport in probe.transports() {
        super::set_aside(&mut aside, version_3(probe, transport).await)?;
    }
    aside
}

async fn version_3(probe: &Probe, transport: Transport) -> Verdict {
    let what = "A handshake with `EIO=3`";
    let endpoint = probe.endpoint(&transport.to_string());
    let url = super::handshake_url(&endpoint, transport, "EIO", Some("3"));
    if transport == Transport::WebSocket {
        return super::expect_refused_upgrade_unless(probe, &endpoint, what, url, |text| {
            let served = text.starts_with('0');
            if served {
                probe.note("lawful choice: EIO=3 is served over WebSocket, as by `allowEIO3`");
            }
            served
        })
        .await;
    }
    // As text: version 3 frames an answer in binary for clients that do not ask for base64.
    let mut url = url;
    url.query_pairs_mut().append_pair("b64", "1");
    let sent = format!("GET {url}");
    match endpoint.get(url).await {
        Ok(response) if response.status == 200 && engine::is_version_3(&response.text()) => {
            probe.note("lawful choice: EIO=3 is served over polling, as by `allowEIO3`");
            Ok(())
        }
        Ok(response) if super::opens_session(&response) => {
            fail(say!("{what} is answered in the framing of version 4", what))
                .sent(sent)
                .received(response)
                .expected("HTTP 400, or the framing of version 3 (96:0{…)")
                .stop()
        }
        answer => super::expect_bad_request(probe, what, &sent, answer).await,
    }
}
