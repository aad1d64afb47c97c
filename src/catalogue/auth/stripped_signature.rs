//! A valid token is refused once its signature was cut off, with and without the dot before it.
//!
//! Code that verifies a signature only where there is one accepts it. A valid token that is no JSON Web Token has no
//! signature to cut off; the check is skipped then.

use super::{Attempt, expect_refusal_of_one_flaw};
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Stop, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "auth.stripped-signature",
    title: "A valid token without its signature is refused",
    level: Level::Must,
    row: Row::C4,
    cites: &[cite::RFC8725_3_3, cite::RFC7515_5_2, cite::SIO_MIDDLEWARES],
    needs: &[Need::Token, Need::Refusals],
    requires: &["auth.rejection-in-time", "auth.valid-token"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Anybody can connect as any user: what is not signed can be written by everyone.",
    fix: "Leave the verification to a library, and name the algorithm: `jwt.verify(token, secret, { algorithms: \
          ['HS256'] })` refuses a token without a signature.",
    effort: Effort::Minutes,
    faults: &[Fault::AcceptsStrippedSignature],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let valid = probe.valid_token(&probe.user("a")).await?;
    let tokens = probe.tokens().stripped(&valid);
    if tokens.is_empty() {
        return Err(Stop::Skip("the valid token is no JSON Web Token, so it has no signature to cut off".into()));
    }
    let attempts: Vec<Attempt> = tokens
        .into_iter()
        .map(|token| {
            let dot = if token.ends_with('.') { "the dot kept" } else { "the dot gone" };
            Attempt::with_token(probe, say!("a valid token without its signature ({dot})", dot), token)
        })
        .collect();
    expect_refusal_of_one_flaw(probe, &attempts).await
}
