//! Over polling, a POST that is larger than the advertised `maxPayload` is refused (413, another 4xx, or the end of the
//! connection), and the server lives on.
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
    id: "engine.max-payload-polling",
    title: "A message over maxPayload is refused over polling",
    level: Level::Should,
    row: Row::P,
    cites: &[cite::EIO_HANDSHAKE, cite::SIO_MAX_PAYLOAD],
    needs: &[Need::Polling],
    // That one transport has the limit and the other has not is one defect.
    requires: &["transport.open-packet", "security.payload-limit-parity"],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Heavy],
    wait: Wait::None,
    meaning: "A stranger without any token fills the server's memory with messages as large as they like.",
    fix: "Set `maxHttpBufferSize` (1 MB by default) on the server, and a limit for request bodies on the proxy in front of \
          it that is not lower (nginx: `client_max_body_size 1m`).",
    effort: Effort::Hours,
    faults: &[Fault::NoPayloadLimit, Fault::NoPayloadLimitOnPolling],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    super::expect_refused(probe, Transport::Polling, "HTTP 413, another 4xx, or the end of the connection").await
}
