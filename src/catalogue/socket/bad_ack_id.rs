//! An event whose acknowledgement id is no whole number closes the connection: `42abc["x"]`, `42-1["x"]`, `421.5["x"]`.
//!
//! To the protocol, what stands there is neither an id nor the array that must follow.

use super::{Stage, expect_close, packet};
use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "socket.bad-ack-id",
    title: "A malformed acknowledgement id closes the connection",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::SIO_ACK, cite::SIO_EVENTS, cite::SIO_TEST_SUITE],
    needs: &[Need::Connect],
    requires: &["auth.valid-token"],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Malformed],
    wait: Wait::None,
    meaning: "A client that asks for an acknowledgement in a broken way waits for it for ever.",
    fix: "Serve Socket.IO by an up-to-date `socket.io` (`npm update socket.io socket.io-parser`). A `parser` of one's own \
          must throw in its Decoder when neither digits nor the payload's `[` follow the namespace.",
    effort: Effort::Minutes,
    faults: &[Fault::IgnoresBadAckId],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let texts = ["abc", "-1", "1.5"].map(|id| packet(probe, "2", &format!("{id}[\"siospec-bad-id\"]")));
    expect_close(probe, Stage::Connected, &texts, "An event with a malformed acknowledgement id").await
}
