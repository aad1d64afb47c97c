//! An event whose payload is not an array with at least a name in it closes the connection, as the protocol says it must:
//! `42[]`, `42{}`, `42null`, `42"x"`, and JSON that breaks off.
//!
//! `42` with no payload at all is against the text as well, but Node's server lets it pass, so it is not sent.

use super::{Stage, expect_close, packet};
use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "socket.empty-event",
    title: "An event without a name closes the connection",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::SIO_EVENTS, cite::SIO_TEST_SUITE],
    needs: &[Need::Connect],
    requires: &["auth.valid-token"],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Malformed],
    wait: Wait::None,
    meaning: "Broken clients go unnoticed, and what is no event may reach code that expects one.",
    fix: "Serve Socket.IO by an up-to-date `socket.io` (`npm update socket.io socket.io-parser`). A `parser` of one's own \
          must throw in its Decoder when a payload is not an array that begins with the event's name.",
    effort: Effort::Minutes,
    faults: &[Fault::IgnoresEmptyEvent],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let texts = ["[]", "{}", "null", "\"x\"", "[\"x\""].map(|payload| packet(probe, "2", payload));
    expect_close(probe, Stage::Connected, &texts, "An event whose payload is not an array with a name in it").await
}
