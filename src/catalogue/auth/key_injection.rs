//! A token whose header tells the server which key to verify it with is refused: `jwk`, `jku`, `x5u`, and a `kid` that is
//! a path or a piece of SQL.
//!
//! Each token is signed with a key of ours: the one in `jwk`, the one that the address in `jku` serves, or the content that the
//! `kid` leads to (an empty file, the result of an injected query). The server must answer each, and live on. siospec itself
//! serves that key set, on this machine's loopback: who asks for it lets a stranger choose what the server connects to
//! (server-side request forgery), whatever it does with the answer. Targets elsewhere cannot reach it; then the addresses lead
//! nowhere, and a server that asks them cannot be told from one that does not.

use serde_json::json;

use super::{Attempt, expect_refusal_unharmed};
use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    message::data,
    probe::{Elsewhere, Probe, Verdict, fail, is_this_machine},
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
    effects: &[Effect::Malformed],
    wait: Wait::None,
    meaning: "Anybody can connect as any user: they bring the key that their token is verified with. Through `kid`, they \
              may also reach files or the database.",
    fix: "Verify with a key of the server's own choice. Where `kid` picks one of several, look it up in a fixed list, \
          `const key = keys.get(header.kid)`, and refuse what is not in it: never read a file, run a query or fetch an \
          address that the token names.",
    effort: Effort::Hours,
    faults: &[Fault::TrustsEmbeddedKey, Fault::TrustsKeyPath, Fault::TrustsNamedKeySet, Fault::AsksNamedKeySet],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    const NOWHERE: &str = "https://siospec.invalid";
    let keys = json!({ "keys": [probe.tokens().forgers_key()?] });
    let elsewhere = match is_this_machine(&probe.target().origin) {
        true => Elsewhere::answering(keys).await.ok(),
        false => None,
    };
    let address = elsewhere.as_ref().map_or(NOWHERE, Elsewhere::url);
    let tokens = probe.tokens().key_injections(&probe.user("forger").name, address)?.into_iter();
    let attempts = tokens.map(|(what, token)| Attempt::with_token(probe, say!("a token with {what}", what), token));
    expect_refusal_unharmed(probe, &attempts.collect::<Vec<_>>()).await?;
    let Some(elsewhere) = &elsewhere else {
        probe
            .note("not checked whether the addresses in jku and x5u are fetched: siospec serves keys on loopback only");
        return Ok(());
    };
    if let Some(asked) = elsewhere.asked().first() {
        return fail("The server fetches an address that a token names")
            .sent(say!("CONNECT with a token whose header names {address}{asked}", address = data(address), asked))
            .received(say!("GET {asked} at that address, from the server", asked))
            .expected("no request: a token must not choose what the server connects to")
            .stop();
    }
    probe.note(say!(
        "no request for {address}, named by jku and x5u; a target in a container, or limited to https, cannot send one",
        address = data(address)
    ));
    Ok(())
}
