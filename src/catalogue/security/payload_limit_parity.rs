//! What is too large for one transport is too large for the other: `maxPayload` is enforced on WebSocket as on polling.
//!
//! The engine checks the size of a POST by itself; the size of a WebSocket message is checked by whoever accepted the
//! WebSocket. Where that is not the engine, as behind Nitro's crossws, nobody may check it. That neither transport has a
//! limit is the subject of `engine.max-payload-polling` and `engine.max-payload-websocket`.

use crate::{
    catalogue::{
        Check, Effect, Effort, Isolation, Need, Wait, cite,
        engine::{Oversized, oversized, oversized_on_wire, payload_limit},
    },
    fault::Fault,
    probe::{Probe, Verdict, fail},
    verdict::{Level, Row},
    wire::Transport,
};

pub const CHECK: Check = Check {
    id: "security.payload-limit-parity",
    title: "maxPayload is enforced on WebSocket as on polling",
    level: Level::Should,
    row: Row::D,
    cites: &[cite::SIO_MAX_PAYLOAD, cite::CWE_400],
    needs: &[Need::Polling, Need::WebSocket],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Heavy],
    wait: Wait::None,
    meaning: "The limit protects nothing: a stranger without any token takes the other transport, and fills the server's \
              memory with messages as large as they like.",
    fix: "Give the server that accepts the WebSocket the engine's limit (`new WebSocketServer({ maxPayload: 1e6 })`). Behind \
          Nitro's crossws, close such peers yourself, in the `open` hook: `peer.websocket.on('message', (data) => { if \
          (data.length > engine.opts.maxHttpBufferSize) peer.close(1009) })`.",
    effort: Effort::Hours,
    faults: &[Fault::NoPayloadLimitOnWebsocket, Fault::NoPayloadLimitOnPolling],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let limit = payload_limit(probe)?;
    let (polling, websocket) =
        tokio::try_join!(oversized(probe, Transport::Polling), oversized(probe, Transport::WebSocket))?;
    let (taken, refused, how) = match (polling, websocket) {
        (Oversized::Refused(how), Oversized::Taken) => (Transport::WebSocket, Transport::Polling, how),
        (Oversized::Taken, Oversized::Refused(how)) => (Transport::Polling, Transport::WebSocket, how),
        (Oversized::Taken, Oversized::Taken) => {
            probe.note("neither transport enforces maxPayload (see engine.max-payload-polling)");
            return Ok(());
        }
        (Oversized::Refused(_), Oversized::Refused(_)) => return Ok(()),
    };
    fail(say!("maxPayload ({limit} bytes) is enforced on {refused}, and not on {taken}", limit, refused, taken))
        .sent(oversized_on_wire(limit))
        .received(say!("over {taken}, an answer to it; over {refused}: {how}", taken, refused, how))
        .expected("the message refused over both")
        .stop()
}
