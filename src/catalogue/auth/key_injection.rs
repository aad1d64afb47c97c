//! A token whose header tells the server which key to verify it with is refused: `jwk`, `jku`, `x5u`, and a `kid` that is
//! a path or a piece of SQL.
//!
//! Each token is signed with a key of ours: the one in `jwk`, or the content that the `kid` leads to (an empty file, the
//! result of an injected query). The addresses in `jku` and `x5u` lead nowhere, so a server that asks them cannot be told
//! from one that does not, unless it stumbles. It must answer each, and live on.

use super::{Attempt, expect_refusal_unharmed};
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    mock::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "auth.key-injection",
    title: "A token that brings its own key is refused",
    level: Level::Must,
    row: Row::C4,
    cites: &[cite::RFC8725_3_10, cite::RFC7515_5_2],
    needs: &[Need::Refusals],
    requires: &["auth.rejection-in-time", "auth.forged-signature"],
    isolation: Isolation::SideBySide,
    wait: Wait::None,
    meaning: "Anybody can connect as any user: they bring the key that their token is verified with. Through `kid`, they \
              may also reach files or the database.",
    fix: "Verify with a key of the server's own choice. Where `kid` picks one of several, look it up in a fixed list, \
          `const key = keys.get(header.kid)`, and refuse what is not in it: never read a file, run a query or fetch an \
          address that the token names.",
    effort: Effort::Hours,
    faults: &[Fault::TrustsEmbeddedKey, Fault::TrustsKeyPath],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let tokens = probe.tokens().key_injections(&probe.user("forger").name)?.into_iter();
    let attempts = tokens.map(|(what, token)| Attempt::with_token(probe, format!("a token with {what}"), token));
    expect_refusal_unharmed(probe, &attempts.collect::<Vec<_>>()).await
}
