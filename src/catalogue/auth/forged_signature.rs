//! A token of the right shape, with plausible claims, but signed with a key that the server does not know, is refused.
//!
//! A server that only decodes tokens (`jwt.decode`, or `atob` on the middle segment) accepts it, and with it whoever
//! cares to write any user's name into a token.

use super::{Attempt, expect_refusal};
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "auth.forged-signature",
    title: "A token signed with another key is refused",
    level: Level::Must,
    row: Row::C4,
    cites: &[cite::RFC8725_3_3, cite::RFC7515_5_2, cite::SIO_MIDDLEWARES],
    needs: &[Need::Refusals],
    requires: &["auth.rejection-in-time"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Anybody can connect as any user: a token is a text file that everyone can write.",
    fix: "Verify, do not merely decode: `jwt.verify(token, secret, { algorithms: ['HS256'] })` in `io.use()`, and \
          `next(new Error('unauthorized'))` when it throws.",
    effort: Effort::Minutes,
    faults: &[Fault::AcceptsAnySignature],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    expect_refusal(probe, &[Attempt::forged(probe)?]).await
}
