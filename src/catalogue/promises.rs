//! Heartbeats, and what the open packet promises: what their checks have in common.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::{
    message::Message,
    probe::{Probe, Stop, Verdict, confirmed, fail, is_evasive},
    wire::{EnginePacket, Handshake, Heartbeats, Transport, WireError, session::CLOSE_PACKET},
};

/// Heartbeats that a session is watched for: two, or as many as come until a pong that was not taken has to show: by the
/// end of the session, `pingTimeout` after the first.
pub(super) fn beats(handshake: &Handshake) -> u32 {
    let more = handshake.ping_timeout().as_millis() / handshake.ping_interval().as_millis().max(1);
    2 + u32::try_from(more).unwrap_or(u32::MAX - 2)
}

/// Waits for heartbeats, each in time, and answers them.
pub(super) async fn expect_heartbeats(probe: &Probe, transport: Transport) -> Verdict {
    confirmed(probe, || watch_heartbeats(probe, transport, None)).await
}

/// Parts of the time after which a silent session ends, in each of which a busy one sends something.
pub(super) const BUSY: u32 = 3;

/// What keeps `deploy.proxy-idle` from its verdict.
pub(super) fn unjudged(why: Message) -> Stop {
    Stop::Broken(say!("{why} (see engine.heartbeat-websocket)", why))
}

/// Whether a session over WebSocket lives half as long again as one that ended at that `age`, after that `silence`, when
/// something is sent on it now and then. It is connected as the other one was: a server ends those that are not, at some time.
///
/// # Errors
/// [`Stop::Broken`] where no session can be had.
pub(super) async fn lives_when_busy(
    probe: &Probe,
    age: Duration,
    silence: Duration,
    is_connected: bool,
) -> Result<bool, Stop> {
    let mut client = if is_connected {
        probe.steady("busy", Transport::WebSocket, Heartbeats::Answered).await?.client
    } else {
        probe.open("busy", Transport::WebSocket).await?
    };
    let until = Instant::now() + age * 3 / 2;
    while Instant::now() < until {
        match client.next_packet("heartbeat", until.min(Instant::now() + silence / BUSY)).await {
            Ok(_) => {}
            Err(WireError::Timeout { .. }) => match client.round_trip(None).await {
                Ok(()) | Err(WireError::Timeout { .. }) => {}
                Err(_) => return Ok(false),
            },
            Err(_) => return Ok(false),
        }
    }
    Ok(true)
}

/// Watches the heartbeats of a session on which nothing is sent but pongs, or something else each `busy`.
async fn watch_heartbeats(probe: &Probe, transport: Transport, busy: Option<Duration>) -> Verdict {
    let mut steady = probe.steady("idle", transport, Heartbeats::Answered).await?;
    let mut heard = Instant::now();
    let interval = steady.client.handshake().ping_interval();
    for beat in 1..=beats(steady.client.handshake()) {
        if steady.lifetime(probe).is_some_and(|lifetime| steady.opened.elapsed() + interval > lifetime) {
            let so_far = say!(
                "a session without a successful CONNECT may be closed after {time}, before heartbeat {beat} is due",
                time = probe.contract().choices.connect_timeout,
                beat
            );
            if beat == 1 {
                return Err(probe.unconnected(so_far));
            }
            let count = beat - 1;
            let heartbeats = say!("{count} heartbeat" | "{count} heartbeats", count);
            probe.note(say!("judged by {heartbeats} alone: {so_far}", heartbeats, so_far));
            return Ok(());
        }
        let until = Instant::now() + interval + probe.deadline();
        let so_far = steady.client.heartbeats();
        let end = loop {
            if steady.client.heartbeats() > so_far {
                break None;
            }
            let soon = busy.map_or(until, |pause| until.min(Instant::now() + pause));
            match steady.client.next_packet("heartbeat", soon).await {
                Ok(_) => heard = Instant::now(),
                Err(WireError::Timeout { .. }) if Instant::now() < until => {
                    match steady.client.round_trip(None).await {
                        Ok(()) | Err(WireError::Timeout { .. }) => {}
                        Err(error) => break Some(error),
                    }
                }
                Err(error) => break Some(error),
            }
        };
        let Some(error) = end else { continue };
        let (age, silence) = (steady.opened.elapsed(), heard.elapsed());
        if busy.is_none()
            && transport == Transport::WebSocket
            && has_ended(&error)
            && !steady.may_be_over(probe)
            && lives_when_busy(probe, age, silence, steady.is_connected).await?
        {
            probe.note("judged on a session on which something was sent now and then: a silent one is cut on the way (see deploy.proxy-idle)");
            return Box::pin(watch_heartbeats(probe, transport, Some(silence / BUSY))).await;
        }
        let finding = |reason: Message| {
            fail(reason)
                .sent(match beat {
                    1 => "a handshake".into(),
                    _ => say!("3 to heartbeat number {beat}", beat = beat - 1),
                })
                .expected(say!(
                    "2 within pingInterval = {time} (tolerated: {tolerated} more)",
                    time = interval,
                    tolerated = probe.deadline()
                ))
        };
        return Err(match error {
            WireError::Timeout { .. } => Stop::Fail(
                finding(say!("Heartbeat number {beat} does not come over {transport}", beat, transport))
                    .received(say!("no 2 within {time}", time = interval + probe.deadline())),
            ),
            error if transport == Transport::Polling && beat == 1 && is_cut(&error) => Stop::Broken(say!(
                "the first poll that waits for a heartbeat: {error} (see deploy.long-poll-survival)",
                error
            )),
            error if has_ended(&error) && steady.may_be_over(probe) => Stop::Broken(say!(
                "no CONNECT succeeded on the session, which may be why it closed after {age}: {error}",
                age = steady.age(),
                error
            )),
            error if has_ended(&error) => Stop::Fail(
                finding(say!("A session over {transport} ends although its heartbeats are answered", transport))
                    .received(say!("after {age}: {error}", age = steady.age(), error))
                    .doubtful(),
            ),
            error => Stop::Broken(say!("the session that waits for a heartbeat: {error}", error)),
        });
    }
    Ok(())
}

/// Handshakes that are tried where this machine is too busy to tell when a heartbeat was sent.
const EARLY_ATTEMPTS: usize = 3;

/// Waits half of `pingInterval` for a heartbeat that should not come yet.
pub(super) async fn expect_no_early_ping(probe: &Probe, transport: Transport) -> Verdict {
    for attempt in 1..=EARLY_ATTEMPTS {
        let begun = Instant::now();
        let mut client = probe.open(&format!("handshake {attempt}"), transport).await?;
        let opened = Instant::now();
        let half = client.handshake().ping_interval() / 2;
        let early = loop {
            match client.next_packet("heartbeat", opened + half).await {
                Ok(EnginePacket::Ping(_)) => break true,
                Ok(_) => {}
                Err(WireError::Timeout { .. }) => break false,
                Err(error) => return Err(Stop::Broken(say!("the session that should stay silent: {error}", error))),
            }
        };
        if !early {
            return Ok(());
        }
        // Counted from before the handshake, so that only the server can have been early, and never this machine late.
        let after = begun.elapsed();
        if after < half {
            return fail(say!("The first heartbeat over {transport} comes too early", transport))
                .sent("a handshake")
                .received(say!("2 after {time}", time = after))
                .expected(say!("no 2 before about pingInterval = {time}", time = 2 * half))
                .stop();
        }
    }
    Err(Stop::Broken("handshakes take so long that nobody can tell when a heartbeat was sent".into()))
}

/// Answers no heartbeat and waits for the server to close the session.
pub(super) async fn expect_dead_peer_closed(probe: &Probe, transport: Transport) -> Verdict {
    let mut steady = probe.steady("silent", transport, Heartbeats::Ignored).await?;
    let handshake = steady.client.handshake();
    let (interval, timeout) = (handshake.ping_interval(), handshake.ping_timeout());
    let begun = Instant::now();
    let limit = interval + 2 * timeout + probe.deadline();
    let end = loop {
        if let Err(error) = steady.client.next_packet("end", begun + limit).await {
            break error;
        }
    };
    let heartbeats = steady.client.heartbeats();
    if matches!(end, WireError::Timeout { .. }) && begun.elapsed() >= limit {
        if heartbeats == 0 {
            let check = match transport {
                Transport::Polling => "engine.heartbeat-polling",
                Transport::WebSocket => "engine.heartbeat-websocket",
            };
            return Err(Stop::Broken(say!("no heartbeat comes, so none can be left unanswered (see {check})", check)));
        }
        return fail(say!("A client over {transport} that answers no heartbeat is never disconnected", transport))
            .sent("a handshake, and no 3 to any 2")
            .received(say!(
                "{heartbeats}, and the session still open after {time}",
                heartbeats = say!("{count} heartbeat" | "{count} heartbeats", count = heartbeats),
                time = limit
            ))
            .expected(say!(
                "the session closed after pingInterval + pingTimeout = {time} (tolerated: pingTimeout + {tolerated} more)",
                time = interval + timeout,
                tolerated = probe.deadline()
            ))
            .stop();
    }
    if !has_ended(&end) {
        return Err(Stop::Broken(say!("the session that should be closed: {end}", end)));
    }
    // Even a server that sends its first heartbeat at once has to wait for the pong.
    if steady.opened.elapsed() < timeout {
        return Err(Stop::Broken(say!(
            "the session ended before a heartbeat could be missed, after {age}: {end}",
            age = steady.age(),
            end
        )));
    }
    if steady.may_be_over(probe) {
        return Err(probe.unconnected(say!(
            "the session was closed after {age}, but perhaps because no CONNECT succeeded on it",
            age = steady.age()
        )));
    }
    if heartbeats == 0 {
        return Err(Stop::Broken(say!(
            "the session ended before a heartbeat could be missed, after {age}: {end}",
            age = steady.age(),
            end
        )));
    }
    if begun.elapsed() > interval + timeout + probe.deadline() {
        probe.note(say!(
            "lawful choice: the server disconnected its client after {age}; it checks for missing pongs only from \
             time to time",
            age = steady.age()
        ));
    }
    Ok(())
}

/// Whether an exchange ended because the session did. Close frame, `1`, end of stream, reset and 400 are all lawful; 404
/// says as much.
pub(in crate::catalogue) fn has_ended(error: &WireError) -> bool {
    matches!(error, WireError::Closed(_)) || error.misses_session()
}

/// Whether a poll ended because what stands in between cut it, or answered it by itself.
pub(in crate::catalogue) fn is_cut(error: &WireError) -> bool {
    match error {
        WireError::Closed(how) => how.text() != CLOSE_PACKET,
        WireError::Status { response, .. } => response.status >= 500,
        _ => false,
    }
}

/// What became of a message larger than the server says it takes.
pub(in crate::catalogue) enum Oversized {
    /// The connection ended, or the request was refused.
    Refused(Message),
    /// It was answered.
    Taken,
}

/// Bytes by which an oversized message is too large.
const EXCESS: usize = 4_096;
/// The largest limit that is tried, in bytes: nobody wants a test to send more.
const MAX_LIMIT: usize = 8_000_000;

/// What the open packet says of the largest message.
///
/// # Errors
/// [`Stop::Skip`] where it says nothing.
pub(in crate::catalogue) fn payload_limit(probe: &Probe) -> Result<usize, Stop> {
    let limit = probe.target().handshake().max_payload();
    limit.ok_or_else(|| Stop::Skip("the open packet advertises no maxPayload (see transport.open-packet)".into()))
}

/// Sends a message larger than `maxPayload`: a CONNECT to a namespace that does not exist, which every server that takes
/// it answers.
pub(in crate::catalogue) async fn oversized(probe: &Probe, transport: Transport) -> Result<Oversized, Stop> {
    let limit = payload_limit(probe)?;
    if limit > MAX_LIMIT {
        return Err(Stop::Skip(say!(
            "maxPayload is {limit} bytes, and siospec sends no message larger than {largest} bytes",
            limit,
            largest = MAX_LIMIT
        )));
    }
    let mut client = probe.open(transport.name(), transport).await?;
    let broken = |error: WireError| {
        Stop::Broken(say!("the session over {transport}: {error} (see socket.unknown-namespace)", transport, error))
    };
    client.question(None).await.map_err(broken)?;
    match client.round_trip(Some(json!({ "padding": "x".repeat(limit + EXCESS) }))).await {
        Ok(()) => Ok(Oversized::Taken),
        Err(error) if is_beside(&error) => Err(broken(error)),
        // A poll that is released with nothing in it is one of the ends that a session may come to.
        Err(error @ (WireError::Closed(_) | WireError::Status { .. } | WireError::Malformed(_))) => {
            Ok(Oversized::Refused(error.message()))
        }
        Err(WireError::Timeout { .. }) => {
            // Neither answered nor refused: dropped, if the connection still works.
            client.round_trip(None).await.map_err(broken)?;
            let dropped = "dropped silently";
            probe.note(say!(
                "lawful choice: over {transport}, a message over maxPayload is {dropped}",
                transport,
                dropped
            ));
            Ok(Oversized::Refused(dropped.into()))
        }
        Err(error) => Err(broken(error)),
    }
}

/// Whether what came says nothing of the message, but that there were too many requests, or that nobody could answer.
fn is_beside(error: &WireError) -> bool {
    matches!(error, WireError::Status { response, .. } if is_evasive(response))
}

/// How an oversized message is described in a failure.
pub(in crate::catalogue) fn oversized_on_wire(limit: usize) -> Message {
    say!("a message of {excess} bytes: 40/<unknown namespace>,{\"padding\":\"xxx…\"}", excess = limit + EXCESS)
}

/// Sends a message over `maxPayload`, which must be refused, and finds the server alive afterwards.
pub(super) async fn expect_refused(probe: &Probe, transport: Transport, expected: &'static str) -> Verdict {
    let limit = payload_limit(probe)?;
    let finding = |reason: Message| fail(reason).sent(oversized_on_wire(limit));
    if let Oversized::Taken = oversized(probe, transport).await? {
        return finding(say!("A message over maxPayload ({limit} bytes) is taken over {transport}", limit, transport))
            .received("an answer to it, and the connection stays open")
            .expected(expected)
            .stop();
    }
    match probe.open("afterwards", transport).await {
        Err(Stop::Broken(why)) => finding(say!(
            "After a message over maxPayload came over {transport}, the server takes no more sessions",
            transport
        ))
        .received(why)
        .expected("a handshake as before")
        .stop(),
        opened => opened.map(drop),
    }
}
