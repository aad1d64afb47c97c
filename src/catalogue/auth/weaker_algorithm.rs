//! A token that is signed with the right secret, but by another HMAC algorithm than the declared one, is refused.
//!
//! Whoever can make such a token has the secret, so that nobody gets in by this alone. But it shows that the algorithm is
//! not fixed on the server: what it accepts is what the token's header says, or whatever the library takes by default.

use super::{Attempt, expect_refusal_of_one_flaw};
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "auth.weaker-algorithm",
    title: "A token signed by another algorithm than the declared one is refused",
    level: Level::Should,
    row: Row::C4,
    cites: &[cite::RFC8725_3_1, cite::RFC8725_3_2],
    needs: &[Need::SigningKey, Need::Hmac, Need::Refusals],
    requires: &["auth.rejection-in-time", "auth.valid-token", "auth.forged-signature"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "The server does not enforce its algorithm. Once the secret is replaced by a key pair, this becomes a \
              way in.",
    fix: "Name the one algorithm that signs the tokens: `jwt.verify(token, secret, { algorithms: ['HS256'] })`.",
    effort: Effort::Minutes,
    faults: &[Fault::AcceptsOtherHmac],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let tokens = probe.tokens().other_hmac(&probe.user("a").name)?.into_iter();
    let attempts = tokens.map(|(algorithm, token)| {
        Attempt::with_token(
            probe,
            say!("a token signed by {algorithm} with the right secret", algorithm = format!("{algorithm:?}")),
            token,
        )
    });
    expect_refusal_of_one_flaw(probe, &attempts.collect::<Vec<_>>()).await
}
