//! A token whose `nbf` lies an hour ahead is refused, although it is signed as it should be.
//!
//! An hour is far more than what clocks may differ by. A token without `nbf` is none of this check's business.

use super::{Attempt, expect_refusal_of_one_flaw};
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "auth.not-yet-valid",
    title: "A token that is not valid yet is refused",
    level: Level::Must,
    row: Row::C4,
    cites: &[cite::RFC7519_4_1_5, cite::SIO_MIDDLEWARES],
    needs: &[Need::SigningKey, Need::Refusals],
    requires: &["auth.rejection-in-time", "auth.valid-token", "auth.forged-signature"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Access that was granted from a day on, such as for a new employee or a paid month, begins at once.",
    fix: "Let the library look at `nbf`: `jwt.verify(token, secret, { algorithms: ['HS256'] })`, without `ignoreNotBefore: true`.",
    effort: Effort::Minutes,
    faults: &[Fault::AcceptsEarlyToken],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let token = probe.tokens().not_yet_valid(&probe.user("early").name)?;
    expect_refusal_of_one_flaw(probe, &[Attempt::with_token(probe, "a token that becomes valid in an hour", token)])
        .await
}
