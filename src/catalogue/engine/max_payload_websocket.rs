//! Over WebSocket, a message that is larger than the advertised `maxPayload` ends the connection (close code 1009, or any
//! other way), and the server lives on.
//!
//! The message is a CONNECT to a namespace that does not exist, which a server that takes it answers, whatever the
//! application does. A server that drops it without a word has not taken it either: lawful, and noted.

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
    wire::Transport,
};

pub const CHECK: Check = Check {
    id: "engine.max-payload-websocket",
    title: "A message over maxPayload is refused over WebSocket",
    level: Level::Should,
    row: Row::P,
    cites: &[cite::EIO_HANDSHAKE, cite::SIO_MAX_PAYLOAD],
    needs: &[Need::WebSocket],
    // That one transport has the limit and the other has not is one defect.
    requires: &["transport.open-packet", "security.payload-limit-parity"],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Heavy],
    wait: Wait::None,
    meaning: "A stranger without any token fills the server's memory with messages as large as they like.",
    fix: "Set `maxHttpBufferSize` (1 MB by default) on the server that accepts the WebSocket. With the engine behind \
          Nitro's crossws, that is crossws' own, which does not know it; close such peers yourself, in the `open` hook: \
          `peer.websocket.on('message', (data) => { if (data.length > engine.opts.maxHttpBufferSize) peer.close(1009) })`.",
    effort: Effort::Hours,
    faults: &[Fault::NoPayloadLimit, Fault::NoPayloadLimitOnWebsocket],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    super::expect_refused(probe, Transport::WebSocket, "a close frame (1009), or any other end of the connection").await
}
