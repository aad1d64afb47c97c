//! A second poll while one is pending is refused by 400, and the session is closed.
//!
//! Which of the two polls is refused is the server's choice, because they may arrive in either order; the other one is
//! released or refused, too. A poll that is answered in the very moment in which the other one is sent does not overlap
//! with it; then another session is tried.

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, timeout_at};

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    message::{Joint, Message},
    probe::{Life, Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
    wire::WireError,
};

pub const CHECK: Check = Check {
    id: "engine.overlapping-poll",
    title: "A second poll on one session is refused, and the session closed",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::EIO_RECEIVING, cite::EIO_TESTS],
    needs: &[Need::Polling],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Malformed],
    wait: Wait::None,
    meaning: "Two polls take packets from one session at the same time, so that messages arrive in the wrong order, or \
              at a request that nobody reads any more.",
    fix: "Serve polling by the package `socket.io`, and hand it every request: no cache, retry or request coalescing of \
          a proxy, and no handler in Nitro that answers in its place.",
    effort: Effort::Hours,
    faults: &[Fault::SecondPollTakesOver, Fault::KeepsDeadSessions],
    run: |probe| Box::pin(run(probe)),
};

/// Sessions that are tried, and how many more where two polls did not overlap for sure.
const ENOUGH: usize = 3;
const ATTEMPTS: usize = 6;

const SENT: &str = "two GETs with the same sid, the second while the first is pending";
const EXPECTED: &str = "HTTP 400 to one of them, and the end of the session";

async fn run(probe: &Probe) -> Verdict {
    let lost = |error: WireError| Stop::Broken(say!("two polls at once: {error}", error));
    let mut served = Message::from("");
    let mut ended = false;
    let mut is_unsure = false;
    let mut overlapped = false;
    let ping_timeout = probe.target().handshake().ping_timeout();
    for attempt in 1..=ATTEMPTS {
        let opened = Instant::now();
        let polling = super::asked_session(probe, &format!("session {attempt}")).await?;
        // What a request takes now, which may be more than at the run's beginning: a session is opened by one, at the least, and
        // asked something by two.
        let pace = opened.elapsed() / if polling.served.answers_unknown_namespaces() { 3 } else { 1 };
        let held = super::held_poll(probe, &polling).await?;
        let begun = Instant::now();
        let mut polls = FuturesUnordered::from_iter([held, super::poll(probe, &polling)]);
        let deadline = probe.in_time();
        let mut answers = Vec::new();
        (ended, is_unsure) = (false, false);
        let mut first = None;
        while let Ok(Some(answer)) = timeout_at(deadline, polls.next()).await {
            // What is no heartbeat has the second poll for its cause.
            let is_heartbeat = answer.as_ref().is_ok_and(super::holds_ping);
            first.get_or_insert_with(|| (begun.elapsed(), is_heartbeat));
            match answer {
                // All heartbeats up to then were answered, and the server has taken the pongs. One that has come since, and was
                // not answered in time on a busy machine, can have ended the session by now.
                Ok(response) if super::is_refusal(&response) && begun.elapsed() >= ping_timeout => {
                    answers.push(say!("{response}, {time} later", response, time = begun.elapsed()));
                    is_unsure = true;
                }
                Ok(response) if super::is_refusal(&response) => {
                    return match super::life_of(probe, &polling, polls.into_iter().next()).await? {
                        Life::Closed(_) => {
                            super::expect_bad_request(probe, "A second poll on one session", SENT, Ok(response)).await
                        }
                        Life::Open => fail("A session lives on after two polls at once")
                            .sent(say!("{sent}; then a message", sent = SENT))
                            .received(say!("{response}; then the message is accepted", response))
                            .expected(EXPECTED)
                            .stop(),
                    };
                }
                Ok(response) => {
                    ended |= super::is_end(&response) || response.status >= 500;
                    // A session that dies of its heartbeat would look like one that is refused for its two polls.
                    if response.status == 200 {
                        super::answer_heartbeats(&polling, &response).await.map_err(lost)?;
                    }
                    answers.push(response.message());
                }
                Err(WireError::Closed(how)) => {
                    ended = true;
                    answers.push(how);
                }
                Err(error) => return Err(lost(error)),
            }
        }
        if answers.is_empty() {
            served = "no answer to either".into();
            overlapped = true;
            break;
        }
        served = Message::list(answers, Joint::Semicolon);
        // A heartbeat that was on its way when the second was sent leaves the second alone.
        overlapped =
            first.is_none_or(|(after, is_heartbeat)| !is_heartbeat || after >= probe.target().promptly().max(pace));
        if attempt >= ENOUGH && (overlapped || ended || is_unsure) {
            break;
        }
    }
    if !overlapped && !ended && !is_unsure {
        return Err(Stop::Broken(say!(
            "two polls at once: in {attempts} sessions the first was answered before the second could be there \
             ({served})",
            attempts = ATTEMPTS,
            served
        )));
    }
    if is_unsure {
        return Err(Stop::Broken(say!(
            "two polls at once: the session ended so late that an unanswered heartbeat may have ended it ({served})",
            served
        )));
    }
    if ended {
        return fail("Two polls at once end the session, but neither is refused by 400")
            .sent(SENT)
            .received(served)
            .expected(EXPECTED)
            .at(Level::Should)
            .stop();
    }
    fail("Two polls at once on one session are both accepted").sent(SENT).received(served).expected(EXPECTED).stop()
}
