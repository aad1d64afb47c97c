//! A valid token is refused once a claim of it was changed: its signature no longer fits.
//!
//! This is how a user becomes another one, where the server looks into the token without verifying it. A valid token
//! that is no JSON Web Token has no claims to change; the check is skipped then.

use super::{Attempt, expect_refusal_of_one_flaw};
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Stop, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "auth.tampered-payload",
    title: "A valid token with a changed claim is refused",
    level: Level::Must,
    row: Row::C4,
    cites: &[cite::RFC8725_3_3, cite::RFC7515_5_2, cite::SIO_MIDDLEWARES],
    needs: &[Need::Token, Need::Refusals],
    requires: &["auth.rejection-in-time", "auth.valid-token"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "A user who changes the name in their own token is taken for the user of that name.",
    fix: "Verify, do not merely decode: `jwt.verify(token, secret, { algorithms: ['HS256'] })` in `io.use()`, and take \
          the user from what it returns.",
    effort: Effort::Minutes,
    faults: &[Fault::AcceptsAnySignature],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let valid = probe.valid_token(&probe.user("a")).await?;
    let Some(tampered) = probe.tokens().tampered(&valid) else {
        return Err(Stop::Skip("the valid token is no JSON Web Token, so it has no claims to change".into()));
    };
    expect_refusal_of_one_flaw(probe, &[Attempt::with_token(probe, "a valid token with one claim changed", tampered)])
        .await
}
