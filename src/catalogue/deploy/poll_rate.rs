//! Thirty polls in a row meet no limit of a rate: none is answered 429, nor 503 as nginx does it by default.
//!
//! Each poll is released by the answer to a CONNECT to a namespace that does not exist, so that it looks like a busy chat.
//! A client on polling sends two requests for each exchange; limits that were made for pages are too low for that. The check
//! runs first and alone, so that what it meets is the limit for one user.

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
    wire::{Heartbeats, Transport, WireError},
};

pub const CHECK: Check = Check {
    id: "deploy.poll-rate",
    title: "Thirty polls in a row meet no rate limit",
    level: Level::Should,
    row: Row::D,
    cites: &[cite::EIO_POLLING, cite::RFC6585_4],
    needs: &[Need::Polling],
    requires: &[],
    isolation: Isolation::First,
    effects: &[Effect::Heavy],
    wait: Wait::None,
    meaning: "Users on polling are thrown out just when much is going on, and everybody behind one company's address at \
              once.",
    fix: "Leave the Socket.IO path out of the limit that the proxy or a Nitro middleware has for pages and API routes \
          (nginx: no `limit_req` in `location /socket.io/`), or bound connections instead of requests.",
    effort: Effort::Days,
    faults: &[Fault::LimitsPolls],
    run: |probe| Box::pin(run(probe)),
};

/// Exchanges, each of which takes a POST and a poll at least.
const ROUNDS: usize = 30;

async fn run(probe: &Probe) -> Verdict {
    let mut steady = probe.steady("a", Transport::Polling, Heartbeats::Answered).await?;
    for round in 0..ROUNDS {
        match steady.client.round_trip(None).await {
            Ok(()) => {}
            Err(error @ WireError::Status { .. }) if is_limit(&error) => {
                return fail(say!("Polling meets a rate limit after {round} exchanges", round))
                    .extent(ROUNDS - round, ROUNDS)
                    .sent(say!("up to {rounds} polls, one after the other, and as many POSTs", rounds = ROUNDS))
                    .received(error)
                    .expected("HTTP 200 to each")
                    .stop();
            }
            Err(WireError::Timeout { .. }) => {
                return Err(Stop::Broken(
                    "a CONNECT to an unknown namespace is not answered (see socket.unknown-namespace)".into(),
                ));
            }
            Err(error) => {
                return Err(Stop::Broken(say!("the session to poll, after {round} exchanges: {error}", round, error)));
            }
        }
    }
    Ok(())
}

/// Whether a request was refused because there were too many: nginx says 503 unless told otherwise.
fn is_limit(error: &WireError) -> bool {
    matches!(error, WireError::Status { response, .. } if matches!(response.status, 429 | 503))
}
