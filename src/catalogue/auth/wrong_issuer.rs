//! A token with another `iss` than the declared one is refused, although it is signed with the right key.

use super::{Attempt, expect_refusal_of_one_flaw};
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "auth.wrong-issuer",
    title: "A token of another issuer is refused",
    level: Level::Must,
    row: Row::C4,
    cites: &[cite::RFC7519_4_1_1, cite::RFC8725_3_8],
    needs: &[Need::SigningKey, Need::Issuer, Need::Refusals],
    requires: &["auth.rejection-in-time", "auth.valid-token", "auth.forged-signature"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Where several services sign with one key, or one provider serves several customers, a token of one is good for all.",
    fix: "Name the issuer where the token is verified: `jwt.verify(token, secret, { algorithms: ['HS256'], issuer: 'https://example.com' })`.",
    effort: Effort::Minutes,
    faults: &[Fault::AcceptsAnyIssuer],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let token = probe.tokens().wrong_issuer(&probe.user("foreign").name)?;
    expect_refusal_of_one_flaw(probe, &[Attempt::with_token(probe, "a token of another issuer", token)]).await
}
