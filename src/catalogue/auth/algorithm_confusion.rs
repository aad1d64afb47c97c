//! A token that is signed by HS256, with the server's public key as its secret, is refused.
//!
//! The key is public: everybody has it. A server that lets the token's header choose the algorithm takes that key for an
//! HMAC secret, and accepts what anybody has signed with it. The key is tried in each form in which a server may hold it:
//! PEM with and without its final line break, and DER.

use super::{Attempt, expect_refusal};
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "auth.algorithm-confusion",
    title: "A token signed by HS256 with the public key is refused",
    level: Level::Must,
    row: Row::C4,
    cites: &[cite::RFC8725_2_1, cite::RFC8725_3_1],
    needs: &[Need::PublicKey, Need::Refusals],
    requires: &["auth.rejection-in-time", "auth.forged-signature"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Anybody who has the public key, that is everybody, can connect as any user.",
    fix: "Name the algorithm where the token is verified, `jwt.verify(token, publicKey, { algorithms: ['RS256'] })`, \
          and never take it from the token's header.",
    effort: Effort::Minutes,
    faults: &[Fault::AcceptsPublicKeyAsSecret],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let tokens = probe.tokens().confused(&probe.user("forger").name)?.into_iter();
    let attempts = tokens.map(|(form, token)| {
        Attempt::with_token(probe, say!("an HS256 token keyed with the public key ({form})", form), token)
    });
    expect_refusal(probe, &attempts.collect::<Vec<_>>()).await
}
