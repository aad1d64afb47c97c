//! After a refusal, a CONNECT with a valid token on the same connection succeeds, over polling and over WebSocket.
//!
//! A refused CONNECT leaves the connection open, and clients make use of that: on `connect_error` they fetch a fresh
//! token, and call `socket.connect()`, which sends another CONNECT on it.

use super::Attempt;
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    contract::Carrier,
    fault::Fault,
    probe::{Answer, Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "auth.retry-after-rejection",
    title: "After a refusal, a valid token connects on the same connection",
    level: Level::Should,
    row: Row::C4,
    cites: &[cite::SIO_CONNECT, cite::SIO_MIDDLEWARE_ERRORS],
    needs: &[Need::Token, Need::Refusals],
    requires: &["auth.rejection-shape", "auth.valid-token", "auth.forged-signature"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "A user whose token has run out stays out after a fresh login, until the page is reloaded.",
    fix: "Judge each CONNECT by itself in `io.use()`: keep no note of a refusal on `socket.conn`, and do not close the \
          connection. Read the token anew each time, from `socket.handshake.auth`.",
    effort: Effort::Hours,
    faults: &[Fault::RefusesForGood],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    if probe.tokens().carrier() != Carrier::Payload {
        let reason = "requests carry the token (auth.carrier), so that another one needs another connection";
        return Err(Stop::Skip(reason.into()));
    }
    for transport in probe.transports() {
        let mut client = probe.open(transport.name(), transport).await?;
        let forged = Attempt::forged(probe)?;
        match client.connect(forged.payload).await? {
            Answer::Refused(_) => {}
            answer => {
                let reason = say!(
                    "{what} over {transport}: {answer} (see auth.rejection-shape)",
                    what = forged.what,
                    transport,
                    answer
                );
                return Err(Stop::Broken(reason));
            }
        }
        let answer = client.connect(probe.credentials(&probe.user("a")).await?).await?;
        if !matches!(answer, Answer::Connected(_)) {
            return fail(say!(
                "After a refusal, a valid token does not connect on the same connection ({transport})",
                transport
            ))
            .sent(say!("CONNECT with {what}, which was refused; then CONNECT with a valid token", what = forged.what))
            .received(answer)
            .expected("a CONNECT reply: 40{\"sid\":…}")
            .stop();
        }
    }
    Ok(())
}
