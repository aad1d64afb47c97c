//! A packet of a type that Socket.IO does not have closes the connection: `47`, `49["x"]`, `4abc`.

use super::{Stage, expect_close};
use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "socket.unknown-type",
    title: "A packet of an unknown type closes the connection",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::SIO_ENCODING, cite::SIO_TEST_SUITE],
    needs: &[Need::Connect],
    requires: &["auth.valid-token"],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Malformed],
    wait: Wait::None,
    meaning: "Broken clients, and clients of another protocol, go unnoticed: their packets vanish without a word.",
    fix: "Serve Socket.IO by an up-to-date `socket.io` (`npm update socket.io socket.io-parser`). A `parser` of one's own \
          must throw in its Decoder when the type is not one of 0 to 6.",
    effort: Effort::Minutes,
    faults: &[Fault::IgnoresUnknownType],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let texts = ["47", "49[\"x\"]", "4abc"].map(str::to_owned);
    expect_close(probe, Stage::Connected, &texts, "A packet of an unknown type").await
}
