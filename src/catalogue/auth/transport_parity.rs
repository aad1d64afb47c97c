//! Polling and WebSocket give the same verdict on no token, a forged one and a valid one.
//!
//! The two ways in often run through different code: a check of the `Authorization` header or of `allowRequest`, or a
//! middleware of the HTTP framework, sees polling requests and no upgrades. Whether a verdict is the right one is judged
//! by other checks; so this one also runs where guests are let in.

use super::{Attempt, none_cut, none_silent, try_all};
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict, fail},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "auth.transport-parity",
    title: "Both transports give the same verdict on a token",
    level: Level::Must,
    row: Row::C4,
    cites: &[cite::SIO_CONNECT, cite::SIO_MIDDLEWARES],
    needs: &[Need::Polling, Need::WebSocket, Need::Token],
    requires: &["auth.rejection-in-time", "auth.valid-token"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Who is refused on one transport gets in by the other; or users lose their session with the upgrade.",
    fix: "Verify in `io.use()`, by `socket.handshake.auth.token`: it sees every CONNECT, whatever the transport. Do not \
          rely on `server/middleware`, `allowRequest` or a proxy for it.",
    effort: Effort::Hours,
    faults: &[Fault::AcceptsMissingTokenOnWebsocket],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let valid = probe.valid_token(&probe.user("a")).await?;
    let mut attempts = Attempt::missing();
    attempts.push(Attempt::forged(probe)?);
    attempts.push(Attempt::with_token(probe, "a valid token", valid));
    let tried = try_all(probe, &attempts).await?;
    none_silent(&tried)?;
    none_cut(&tried)?;
    let differing = tried.iter().find_map(|one| {
        let other = tried.iter().find(|other| other.what == one.what && other.is_accepted() != one.is_accepted())?;
        Some((one, other))
    });
    let Some((one, other)) = differing else { return Ok(()) };
    fail(say!("The verdict on CONNECT with {what} depends on the transport", what = one.what))
        .sent(say!("CONNECT with {what}", what = one.what))
        .received(say!(
            "over {transport}: {answer}; over {other}: {another}",
            transport = one.transport,
            answer = one.answer,
            other = other.transport,
            another = other.answer
        ))
        .expected("the same verdict over both")
        .stop()
}
