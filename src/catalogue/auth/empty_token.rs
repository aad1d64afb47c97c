//! The empty string is refused as a token.
//!
//! It is what a page sends that reads its token from storage before the user has logged in. Code that asks whether a
//! token is `undefined` or `null` takes it for one.

use super::{Attempt, expect_refusal};
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "auth.empty-token",
    title: "An empty token is refused",
    level: Level::Must,
    row: Row::C4,
    cites: &[cite::RFC7519_7_2, cite::SIO_MIDDLEWARES],
    needs: &[Need::Refusals],
    requires: &["auth.rejection-in-time"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Anybody can connect with `auth: { token: '' }`.",
    fix: "Let the verification decide, also about empty texts: `jwt.verify(socket.handshake.auth.token ?? '', secret, \
          { algorithms: ['HS256'] })` throws for them, and the `catch` calls `next(new Error('unauthorized'))`.",
    effort: Effort::Minutes,
    faults: &[Fault::AcceptsEmptyToken],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    expect_refusal(probe, &[Attempt::empty(probe)]).await
}
