//! A second WebSocket for a session that has moved to WebSocket is refused or closed, and the first one keeps working.
//!
//! The second one asks as for an upgrade (`2probe`). That a server which closes it closes the session, too, is a finding
//! of lesser weight: the protocol does not say which of the two connections it means, and Node keeps the first.

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
    wire::{EnginePacket, Session, Transport, Upgrade, WebSocket, WireError},
};

pub const CHECK: Check = Check {
    id: "engine.second-websocket",
    title: "A second WebSocket on one session is closed, and the first keeps working",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::EIO_WEBSOCKET, cite::EIO_TESTS],
    needs: &[Need::Polling, Need::WebSocket],
    requires: &["transport.upgrade"],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Malformed],
    wait: Wait::None,
    meaning: "Whoever learns a session's id can take the session over, or cut its owner off.",
    fix: "Serve WebSocket by the package `socket.io`. In Nuxt, bind one engine to the crossws hook and to the router, so \
          that it knows which sessions have moved already.",
    effort: Effort::Hours,
    faults: &[Fault::SecondWebsocketLetIn, Fault::SecondWebsocketCutsFirst],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let upgraded = probe.upgraded("first", &[]).await?;
    let sid = upgraded.handshake.sid.clone();
    let mut first = Session::over_websocket(upgraded.socket, upgraded.handshake);
    super::exchange(probe, &mut first)
        .await
        .map_err(|error| Stop::Broken(say!("after the upgrade: {error} (see transport.upgrade)", error)))?;

    let endpoint = probe.endpoint("second");
    let url = endpoint.engine_url(Transport::WebSocket, Some(&sid));
    let sent = say!("GET {url} with Upgrade: websocket, then 2probe, after the session was upgraded", url);
    let finding =
        |reason: &'static str| fail(reason).sent(&sent).expected("a refusal, or the end of the second connection");
    match WebSocket::open(&endpoint, url.clone(), Default::default()).await {
        Ok(Upgrade::Accepted(mut second)) => {
            // Where it is closed already, that shows below.
            let _ = second.send_packet(&EnginePacket::Ping("probe".into())).await;
            match super::first_word(&mut second, &endpoint).await {
                Ok(None) => {}
                Ok(Some(text)) => {
                    return finding("A second WebSocket is let into a session").received(text).stop();
                }
                Err(error) => {
                    return finding("A second WebSocket is let in and then left hanging")
                        .received(say!("HTTP 101, then {error}", error))
                        .stop();
                }
            }
        }
        Ok(Upgrade::Refused(_)) | Err(WireError::Closed(_) | WireError::Malformed(_)) => {}
        Err(error @ WireError::Timeout { .. }) => {
            return finding("A second WebSocket gets no answer").received(error).stop();
        }
        Err(error) => return Err(Stop::Broken(say!("GET {url}: {error}", url, error))),
    }
    match super::exchange(probe, &mut first).await {
        Ok(()) => Ok(()),
        Err(error) => fail("A second WebSocket takes the first one down")
            .sent(say!("{sent}; then a message on the first WebSocket", sent))
            .received(error)
            .expected("an answer on the first WebSocket")
            .at(Level::Should)
            .stop(),
    }
}
