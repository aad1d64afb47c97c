//! A token that ran out an hour ago is refused, although it is signed as it should be.
//!
//! An hour is far more than what clocks may differ by. Libraries look at `exp` by themselves, unless told not to
//! (`ignoreExpiration`); code of one's own tends to forget it.

use super::{Attempt, expect_refusal_of_one_flaw};
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "auth.expired",
    title: "A token that has run out is refused",
    level: Level::Must,
    row: Row::C4,
    cites: &[cite::RFC7519_4_1_4, cite::SIO_MIDDLEWARES],
    needs: &[Need::SigningKey, Need::Refusals],
    requires: &["auth.rejection-in-time", "auth.valid-token"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "A stolen token, or the token of a user who was removed, works forever.",
    fix: "Let the library look at `exp`: `jwt.verify(token, secret, { algorithms: ['HS256'] })`, without \
          `ignoreExpiration: true`.",
    effort: Effort::Minutes,
    faults: &[Fault::AcceptsExpiredToken],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    expect_refusal_of_one_flaw(probe, &[Attempt::expired(probe)?]).await
}
