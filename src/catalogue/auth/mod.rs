//! Tokens in the CONNECT payload.

mod alg_none;
mod algorithm_confusion;
mod empty_token;
mod expired;
mod expiry_during_session;
mod forged_signature;
mod key_injection;
mod malformed_token;
mod missing_exp;
mod missing_token;
mod not_yet_valid;
mod other_namespaces;
mod query_token;
mod recovery_without_token;
mod rejected_stays_out;
mod rejection_in_time;
mod rejection_shape;
mod retry_after_rejection;
mod stripped_signature;
mod tampered_payload;
mod transport_parity;
mod valid_token;
mod weaker_algorithm;
mod wrong_audience;
mod wrong_issuer;
mod wrong_type_token;

use std::time::Duration;

use futures::{StreamExt, stream};
use serde_json::{Value, json};

use super::{by_what, checks, listed};
use crate::{
    contract::Carrier,
    message::{Joint, Message, list, word},
    probe::{Answer, Life, Probe, Stop, Verdict, confirmed, fail},
    verdict::Evidence,
    wire::Transport,
};

checks![
    valid_token,
    rejection_in_time,
    missing_token,
    empty_token,
    malformed_token,
    wrong_type_token,
    forged_signature,
    tampered_payload,
    stripped_signature,
    alg_none,
    algorithm_confusion,
    weaker_algorithm,
    expired,
    not_yet_valid,
    missing_exp,
    wrong_issuer,
    wrong_audience,
    key_injection,
    query_token,
    rejection_shape,
    transport_parity,
    rejected_stays_out,
    retry_after_rejection,
    other_namespaces,
    expiry_during_session,
    recovery_without_token,
];

/// How many connections a check opens at once.
const AT_ONCE: usize = 32;

/// What a refusal looks like, for a failure's "expected".
const REFUSAL: &str = "CONNECT_ERROR: 44{\"message\":…}";

/// One CONNECT: its payload, and what to call it in a message ("a token signed with another key").
struct Attempt {
    what: Message,
    payload: Option<Value>,
}

impl Attempt {
    fn with_token(probe: &Probe, what: impl Into<Message>, token: impl Into<Value>) -> Attempt {
        Attempt { what: what.into(), payload: Some(probe.tokens().connect_payload(token.into())) }
    }

    fn without_payload() -> Attempt {
        Attempt { what: "no payload".into(), payload: None }
    }

    /// Both ways to send no token.
    fn missing() -> Vec<Attempt> {
        vec![Attempt::without_payload(), Attempt { what: "a payload without a token".into(), payload: Some(json!({})) }]
    }

    fn empty(probe: &Probe) -> Attempt {
        Attempt::with_token(probe, "an empty token", "")
    }

    fn forged(probe: &Probe) -> Result<Attempt, Stop> {
        let token = probe.tokens().forged(&probe.user("forger").name)?;
        Ok(Attempt::with_token(probe, "a token signed with another key", token))
    }

    fn malformed(probe: &Probe) -> Vec<Attempt> {
        let texts = probe.tokens().malformed().into_iter().filter(|(_, token)| probe.tokens().can_carry(token));
        texts.map(|(what, token)| Attempt::with_token(probe, say!("a malformed token ({what})", what), token)).collect()
    }

    fn wrong_types(probe: &Probe) -> Vec<Attempt> {
        // Whatever requests carry is a text.
        let sent = |_: &_| probe.tokens().carrier() == Carrier::Payload;
        let values = probe.tokens().wrong_types().into_iter().filter(sent);
        values
            .map(|(reads, value)| Attempt::with_token(probe, say!("the token {reads}", reads = word(reads)), value))
            .collect()
    }

    fn unsigned(probe: &Probe) -> Vec<Attempt> {
        let tokens = probe.tokens().unsigned(&probe.user("forger").name).into_iter();
        tokens
            .map(|(spelling, token)| {
                Attempt::with_token(
                    probe,
                    say!("an unsigned token (alg {spelling})", spelling = format!("{spelling:?}")),
                    token,
                )
            })
            .collect()
    }

    fn expired(probe: &Probe) -> Result<Attempt, Stop> {
        let token = probe.tokens().expired(&probe.user("late").name)?;
        Ok(Attempt::with_token(probe, "a token that ran out an hour ago", token))
    }
}

/// What came of an [`Attempt`] over one transport.
struct Tried {
    what: Message,
    transport: Transport,
    answer: Answer,
}

impl Tried {
    fn is_accepted(&self) -> bool {
        matches!(self.answer, Answer::Connected(_))
    }

    fn is_closed(&self) -> bool {
        matches!(self.answer, Answer::Closed(_))
    }

    fn is_shut(&self) -> bool {
        matches!(self.answer, Answer::Shut(_))
    }

    fn is_silence(&self) -> bool {
        matches!(self.answer, Answer::Silence(_))
    }

    fn sent(&self) -> Message {
        say!("CONNECT with {what} over {transport}", what = self.what, transport = self.transport)
    }
}

/// Tries each over every transport, each on a connection of its own on which the target has answered something before:
/// without that, its end would be no refusal.
async fn try_all(probe: &Probe, attempts: &[Attempt]) -> Result<Vec<Tried>, Stop> {
    try_each(probe, attempts).await.into_iter().collect()
}

/// As [`try_all`], where losing one connection does not end the others.
async fn try_each(probe: &Probe, attempts: &[Attempt]) -> Vec<Result<Tried, Stop>> {
    exchange_each(probe, attempts, true).await
}

/// As [`try_all`], for what should be accepted: nothing need be asked before.
async fn try_unasked(probe: &Probe, attempts: &[Attempt]) -> Result<Vec<Tried>, Stop> {
    exchange_each(probe, attempts, false).await.into_iter().collect()
}

async fn exchange_each(probe: &Probe, attempts: &[Attempt], asks: bool) -> Vec<Result<Tried, Stop>> {
    let transports = probe.transports();
    let attempts = attempts.iter().flat_map(|attempt| transports.iter().map(move |transport| (attempt, *transport)));
    let exchanges: Vec<_> = attempts
        .enumerate()
        .map(|(index, (attempt, transport))| async move {
            let mut client = probe.open(&format!("c{}", index + 1), transport).await?;
            if asks {
                client.ask(probe).await?;
            }
            let answer = client.connect(attempt.payload.clone()).await?;
            Ok(Tried { what: attempt.what.clone(), transport, answer })
        })
        .collect();
    stream::iter(exchanges).buffered(probe.at_once(AT_ONCE)).collect().await
}

/// Names those tried, and the transports: `the token 1, the token true (polling, WebSocket)`, or each with its own where
/// they differ. Beyond the first few they are counted.
fn name_all(tried: &[&Tried]) -> Message {
    const SHOWN: usize = 6;
    let names = by_what(tried.iter().map(|one| (&one.what, one.transport)));
    let more = names.len().saturating_sub(SHOWN);
    let shown = names.iter().take(SHOWN);
    let some = |parts: Vec<Message>| {
        let named = list(parts, Joint::Comma);
        if more > 0 { say!("{named} and {more} more", named, more) } else { named.into() }
    };
    match names.first() {
        Some((_, same)) if names.iter().all(|(_, transports)| transports == same) => {
            let named = some(shown.map(|(what, _)| (*what).clone()).collect());
            say!("{named} ({over})", named, over = listed(same))
        }
        _ => some(shown.map(|(what, transports)| say!("{what} ({over})", what, over = listed(transports))).collect()),
    }
}

/// Tries each, all of which must be refused.
///
/// Only acceptance is a failure here, so that each defect shows up once: what a refusal looks like is judged by
/// `auth.rejection-shape`, and silence by `auth.rejection-in-time`.
async fn expect_refusal(probe: &Probe, attempts: &[Attempt]) -> Verdict {
    let tried = try_all(probe, attempts).await?;
    none_accepted(&tried)?;
    none_silent(&tried)?;
    none_cut(&tried)?;
    if tried.iter().any(Tried::is_closed) {
        probe.note("refused by closing the connection (see auth.rejection-shape)");
    }
    Ok(())
}

/// As [`expect_refusal`], for tokens that are bad in one way only: a valid one must be accepted.
async fn expect_refusal_of_one_flaw(probe: &Probe, attempts: &[Attempt]) -> Verdict {
    expect_refusal(probe, attempts).await?;
    admits(probe).await
}

/// A valid token is accepted over each transport.
async fn admits(probe: &Probe) -> Verdict {
    for transport in probe.transports() {
        probe.admits(transport).await?;
    }
    Ok(())
}

/// As [`expect_refusal`], for tokens that code may stumble over: the server must answer them, and live on.
///
/// A server that refuses by closing connections is told from one that stumbles by a CONNECT without a token afterwards:
/// it closes that one, too.
async fn expect_refusal_unharmed(probe: &Probe, attempts: &[Attempt]) -> Verdict {
    confirmed(probe, || refused_unharmed(probe, attempts)).await
}

async fn refused_unharmed(probe: &Probe, attempts: &[Attempt]) -> Verdict {
    let (tried, lost) = sort(try_each(probe, attempts).await)?;
    none_accepted(&tried)?;
    let after = expect_life(probe, attempts).await?;
    let closes_always = |transport| after.iter().any(|one| one.transport == transport && one.is_closed());
    let fallen: Vec<&Tried> = tried.iter().filter(|one| one.is_closed() && !closes_always(one.transport)).collect();
    if let Some(first) = fallen.first() {
        return fail(say!("CONNECT takes the connection down with {fallen}", fallen = name_all(&fallen)))
            .sent(first.sent())
            .received(say!("{answer}, while a CONNECT without a token is answered", answer = first.answer))
            .expected(REFUSAL)
            .doubtful()
            .stop();
    }
    if after.iter().any(Tried::is_closed) {
        probe.note("refused by closing the connection (see auth.rejection-shape)");
    }
    none_silent(&tried)?;
    none_cut(&tried)?;
    lost.map_or(Ok(()), Err)
}

/// Those that came to an end, and why the first of the others did not. An error where all were lost: then it is not
/// their tokens that did it.
fn sort(results: Vec<Result<Tried, Stop>>) -> Result<(Vec<Tried>, Option<Stop>), Stop> {
    let (mut tried, mut lost) = (Vec::new(), None);
    for result in results {
        match result {
            Ok(one) => tried.push(one),
            Err(stop) => lost = lost.or(Some(stop)),
        }
    }
    match lost {
        Some(stop) if tried.is_empty() => Err(stop),
        lost => Ok((tried, lost)),
    }
}

/// The server must answer a CONNECT without a token on a new connection, in whatever way, now that it was sent
/// `attempts`.
async fn expect_life(probe: &Probe, attempts: &[Attempt]) -> Result<Vec<Tried>, Stop> {
    let mut answered = Vec::new();
    for after in try_each(probe, &[Attempt::without_payload()]).await {
        let trouble = match after {
            Err(Stop::Broken(reason)) => reason,
            Err(stop) => return Err(stop),
            Ok(after) if after.is_silence() => after.answer.message(),
            Ok(after) => {
                answered.push(after);
                continue;
            }
        };
        let all = list(attempts.iter().map(|attempt| &attempt.what), Joint::Comma);
        return fail("Bad tokens take the server down: it no longer answers")
            .sent(say!("CONNECT with each of: {all}; then CONNECT with no payload on a new connection", all))
            .received(trouble)
            .expected(say!("{refusal} to each", refusal = REFUSAL))
            .doubtful()
            .harms_others()
            .stop();
    }
    Ok(answered)
}

/// How often a bystander must lose its connection by another client's bad token, and how often that is tried.
const ENDED: usize = 3;
const TRIES: usize = 12;
/// How long the bystander is watched before and after, and what a restart is given, at the least.
const WATCHED: Duration = Duration::from_millis(500);

/// In place of an end that a server shows whose process ends by a bad token: the finding that it does. A bystander must
/// keep its connection for a while, and lose it as soon as another client sends no token, three times of three.
async fn unless_it_ends_others(probe: &Probe, stop: Stop) -> Stop {
    if !ends_others(probe).await {
        return stop;
    }
    let mut finding = match stop {
        Stop::Fail(finding) => finding,
        _ => fail("A bad token ends the connections of other clients")
            .sent("CONNECT with no payload, beside a client that is connected")
            .received(say!("the other client's connection ends, {ended} times out of {ended}", ended = ENDED))
            .expected(REFUSAL),
    };
    finding.evidence = Some(Box::new(Evidence::EndsOthers { times: ENDED }));
    Stop::Fail(finding)
}

async fn ends_others(probe: &Probe) -> bool {
    let watched = probe.target().quiet_window().max(WATCHED);
    let mut ended = 0;
    for _ in 0..TRIES {
        // The last bad token may have ended it.
        if probe.until_somebody_is_there().await.is_err() {
            return false;
        }
        let Ok(mut bystander) = probe.client("bystander", probe.transport()).await else { continue };
        // Others may send bad tokens as well: only one that lives until ours is sent tells something.
        let Ok(Life::Open) = bystander.wait_end(watched).await else { continue };
        let Ok(mut client) = probe.open("stranger", probe.transport()).await else { continue };
        let (_, after) = tokio::join!(client.connect(None), bystander.wait_end(watched));
        if matches!(after, Ok(Life::Open)) {
            return false;
        }
        ended += 1;
        if ended == ENDED {
            return true;
        }
    }
    false
}

fn none_accepted(tried: &[Tried]) -> Verdict {
    let accepted: Vec<&Tried> = tried.iter().filter(|one| one.is_accepted()).collect();
    let Some(first) = accepted.first() else { return Ok(()) };
    fail(say!("CONNECT is accepted with {accepted}", accepted = name_all(&accepted)))
        .sent(first.sent())
        .received(&first.answer)
        .expected(REFUSAL)
        .stop()
}

/// [`Stop::Broken`] where a connection ended on which nothing was ever answered: that is no refusal.
fn none_cut(tried: &[Tried]) -> Verdict {
    match tried.iter().find(|one| matches!(one.answer, Answer::Cut(_))) {
        None => Ok(()),
        Some(one) => Err(Stop::Broken(say!("{sent}: {answer}", sent = one.sent(), answer = one.answer))),
    }
}

/// [`Stop::Broken`], as `auth.rejection-in-time` judges it, unless that check was left out.
fn none_silent(tried: &[Tried]) -> Verdict {
    match tried.iter().find(|one| one.is_silence()) {
        None => Ok(()),
        Some(one) => Err(Stop::Broken(say!(
            "{sent}: {answer} (see auth.rejection-in-time)",
            sent = one.sent(),
            answer = one.answer
        ))),
    }
}
