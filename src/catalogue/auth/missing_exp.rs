//! A token without `exp` is refused, although it is signed as it should be.
//!
//! Libraries look at `exp` where it is there, and take a token without it for one that is always valid.

use super::{Attempt, expect_refusal_of_one_flaw};
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "auth.missing-exp",
    title: "A token that never runs out is refused",
    level: Level::Should,
    row: Row::C4,
    cites: &[cite::RFC7519_4_1_4, cite::CWE_613],
    needs: &[Need::SigningKey, Need::Refusals],
    requires: &["auth.rejection-in-time", "auth.valid-token", "auth.forged-signature"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "A leaked token gives access forever, and nobody can tell it from a legitimate one.",
    fix: "Sign with `expiresIn`, and refuse what has no `exp`: `const { exp } = jwt.verify(token, secret, { algorithms: ['HS256'] }); if (typeof exp !== 'number') throw new Error('unauthorized')`; or give `maxAge`.",
    effort: Effort::Hours,
    faults: &[Fault::AcceptsMissingExp],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let token = probe.tokens().without_expiry(&probe.user("eternal").name)?;
    expect_refusal_of_one_flaw(probe, &[Attempt::with_token(probe, "a token without exp", token)]).await
}
