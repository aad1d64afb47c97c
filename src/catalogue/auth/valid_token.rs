//! A CONNECT with a valid token is accepted, over polling and over WebSocket.
//!
//! The token is the one that the contract gives, or is made from its secret or key, claims, issuer and audience. Where
//! this fails, look at those first: a server that verifies with another secret is right to refuse.

use super::{Attempt, Tried, name_all, try_unasked};
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    contract::Carrier,
    fault::Fault,
    message::word,
    probe::{Probe, Verdict, fail},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "auth.valid-token",
    title: "A valid token connects",
    level: Level::Must,
    row: Row::C4,
    cites: &[cite::SIO_CONNECT, cite::SIO_CREDENTIALS],
    needs: &[Need::Token],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Nobody can connect, or nobody with a token like this one.",
    fix: "Read the token where clients put it, and verify it with the secret that signed it: \
          `jwt.verify(socket.handshake.auth.token, secret, { algorithms: ['HS256'] })`, then `next()`. Does the \
          contract give the deployment's own secret, algorithm, claims and token field?",
    effort: Effort::Hours,
    faults: &[Fault::RejectsValidToken],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let token = probe.valid_token(&probe.user("a")).await?;
    let tried = try_unasked(probe, &[Attempt::with_token(probe, "a valid token", token)]).await?;
    let turned_away: Vec<&Tried> = tried.iter().filter(|one| !one.is_accepted()).collect();
    match probe.tokens().carrier() {
        Carrier::Payload => {}
        Carrier::Query => probe.note(
            "lawful choice: the query carries the token (auth.carrier), and so every log of URLs on the way keeps it; the \
             CONNECT payload is the recommended place",
        ),
        carrier => probe.note(say!(
            "lawful choice: the {carrier} carries the token (auth.carrier); the CONNECT payload is the recommended \
             place",
            carrier = word(carrier.name())
        )),
    }
    let Some(first) = turned_away.first() else { return Ok(()) };
    fail(say!("CONNECT is not accepted with {turned_away}", turned_away = name_all(&turned_away)))
        .sent(first.sent())
        .received(&first.answer)
        .expected("a CONNECT reply: 40{\"sid\":…}")
        .stop()
}
