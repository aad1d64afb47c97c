//! A token with another `aud` than the declared one is refused, although it is signed with the right key.

use super::{Attempt, expect_refusal_of_one_flaw};
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "auth.wrong-audience",
    title: "A token for another audience is refused",
    level: Level::Must,
    row: Row::C4,
    cites: &[cite::RFC7519_4_1_3, cite::RFC8725_3_9],
    needs: &[Need::SigningKey, Need::Audience, Need::Refusals],
    requires: &["auth.rejection-in-time", "auth.valid-token", "auth.forged-signature"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "A token that was made for another application of the same provider opens this one as well.",
    fix: "Name the audience where the token is verified: `jwt.verify(token, secret, { algorithms: ['HS256'], audience: 'web' })`.",
    effort: Effort::Minutes,
    faults: &[Fault::AcceptsAnyAudience],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let token = probe.tokens().wrong_audience(&probe.user("foreign").name)?;
    expect_refusal_of_one_flaw(probe, &[Attempt::with_token(probe, "a token for another audience", token)]).await
}
