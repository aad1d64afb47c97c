//! Heartbeats, and what the open packet promises: what their checks have in common.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::{
    probe::{Probe, Stop, Verdict, confirmed, fail, is_evasive},
    wire::{EnginePacket, Handshake, Heartbeats, Transport, WireError, round, session::CLOSE_PACKET},
};

/// Heartbeats that a session is watched for: two, or as many as come until a pong that was not taken has to show: by the
/// end of the session, `pingTimeout` after the first.
pub(super) fn beats(handshake: &Handshake) -> u32 {
    let more = handshake.ping_timeout().as_millis() / handshake.ping_interval().as_millis().max(1);
    2 + u32::try_from(more).unwrap_or(u32::MAX - 2)
}

/// Waits for heartbeats, each in time, and answers them.
pub(super) async fn expect_heartbeats(probe: &Probe, transport: Transport) -> Verdict {
    confirmed(probe, || watch_heartbeats(probe, transport)).await
}

async fn watch_heartbeats(probe: &Probe, transport: Transport) -> Verdict {
    let mut steady = probe.steady("idle", transport, Heartbeats::Answered).await?;
    let interval = steady.client.handshake().ping_interval();
    for beat in 1..=beats(steady.client.handshake()) {
        if steady.lifetime(probe).is_some_and(|lifetime| steady.opened.elapsed() + interval > lifetime) {
            let so_far = format!(
                "a session that is not connected may be closed after {}, before heartbeat {beat} is due",
                shown(probe.contract().choices.connect_timeout)
            );
            if beat == 1 {
                return Err(Stop::Skip(format!("{so_far}; to connect, give --auth-secret or --auth-token")));
            }
            probe.note(format!("judged by {} alone: {so_far}", plural(beat as usize - 1, "heartbeat")));
            return Ok(());
        }
        let until = Instant::now() + interval + probe.deadline();
        let end = loop {
            match steady.client.next_packet("heartbeat", until).await {
                Ok(EnginePacket::Ping(_)) => break None,
                Ok(_) => {}
                Err(error) => break Some(error),
            }
        };
        let Some(error) = end else { continue };
        let finding = |reason: String| {
            fail(reason)
                .sent(match beat {
                    1 => "a handshake".to_owned(),
                    _ => format!("3 to heartbeat number {}", beat - 1),
                })
                .expected(format!(
                    "2 within pingInterval = {} (tolerated: {} more)",
                    shown(interval),
                    shown(probe.deadline())
                ))
        };
        return Err(match error {
            WireError::Timeout { .. } => Stop::Fail(
                finding(format!("Heartbeat number {beat} does not come over {transport}"))
                    .received(format!("no 2 within {}", shown(interval + probe.deadline()))),
            ),
            error if transport == Transport::Polling && beat == 1 && is_cut(&error) => Stop::Broken(format!(
                "the first poll that waits for a heartbeat: {error} (see deploy.long-poll-survival)"
            )),
            error if has_ended(&error) && steady.may_be_over(probe) => Stop::Broken(format!(
                "the session is not connected, and may have been closed for that reason after {}: {error}",
                steady.age()
            )),
            error if has_ended(&error) => Stop::Fail(
                finding(format!("A session over {transport} ends although its heartbeats are answered"))
                    .received(format!("after {}: {error}", steady.age()))
                    .doubtful(),
            ),
            error => Stop::Broken(format!("the session that waits for a heartbeat: {error}")),
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
                Err(error) => return Err(Stop::Broken(format!("the session that should stay silent: {error}"))),
            }
        };
        if !early {
            return Ok(());
        }
        // Counted from before the handshake, so that only the server can have been early, and never this machine late.
        let after = begun.elapsed();
        if after < half {
            return fail(format!("The first heartbeat over {transport} comes too early"))
                .sent("a handshake")
                .received(format!("2 after {}", shown(after)))
                .expected(format!("no 2 before about pingInterval = {}", shown(2 * half)))
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
            return Err(Stop::Broken(format!("no heartbeat comes, so none can be left unanswered (see {check})")));
        }
        return fail(format!("A peer over {transport} that answers no heartbeat is never given up"))
            .sent("a handshake, and no 3 to any 2")
            .received(format!("{}, and the session still open after {}", plural(heartbeats, "heartbeat"), shown(limit)))
            .expected(format!(
                "the session closed after pingInterval + pingTimeout = {} (tolerated: pingTimeout + {} more)",
                shown(interval + timeout),
                shown(probe.deadline())
            ))
            .stop();
    }
    if !has_ended(&end) {
        return Err(Stop::Broken(format!("the session that should be closed: {end}")));
    }
    // Even a server that sends its first heartbeat at once has to wait for the pong.
    if steady.opened.elapsed() < timeout {
        return Err(Stop::Broken(format!(
            "the session ended before a heartbeat could be missed, after {}: {end}",
            steady.age()
        )));
    }
    if steady.may_be_over(probe) {
        return Err(Stop::Skip(format!(
            "the session was closed after {}, but perhaps because nothing was connected on it: to connect, give \
             --auth-secret or --auth-token",
            steady.age()
        )));
    }
    if heartbeats == 0 {
        return Err(Stop::Broken(format!(
            "the session ended before a heartbeat could be missed, after {}: {end}",
            steady.age()
        )));
    }
    if begun.elapsed() > interval + timeout + probe.deadline() {
        probe.note(format!(
            "lawful choice: the server gave up its peer after {}; it looks for missing pongs only every so often",
            steady.age()
        ));
    }
    Ok(())
}

/// Whether an exchange ended because the session did. Close frame, `1`, end of stream, reset and 400 are all lawful.
pub(in crate::catalogue) fn has_ended(error: &WireError) -> bool {
    matches!(error, WireError::Closed(_)) || error.is_bad_request()
}

/// Whether a poll ended because what stands in between cut it, or answered it by itself.
pub(in crate::catalogue) fn is_cut(error: &WireError) -> bool {
    match error {
        WireError::Closed(how) => how != CLOSE_PACKET,
        WireError::Status { response, .. } => response.status >= 500,
        _ => false,
    }
}

/// What became of a message larger than the server says it takes.
pub(in crate::catalogue) enum Oversized {
    /// The connection ended, or the request was refused.
    Refused(String),
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
        return Err(Stop::Skip(format!(
            "maxPayload is {limit} bytes, and siospec sends no message larger than {MAX_LIMIT} bytes"
        )));
    }
    let mut client = probe.open(transport.name(), transport).await?;
    let broken = |error: WireError| {
        Stop::Broken(format!("the session over {transport}: {error} (see socket.unknown-namespace)"))
    };
    client.question(None).await.map_err(broken)?;
    match client.round_trip(Some(json!({ "padding": "x".repeat(limit + EXCESS) }))).await {
        Ok(()) => Ok(Oversized::Taken),
        Err(error) if is_beside(&error) => Err(broken(error)),
        // A poll that is released with nothing in it is one of the ends that a session may come to.
        Err(error @ (WireError::Closed(_) | WireError::Status { .. } | WireError::Malformed(_))) => {
            Ok(Oversized::Refused(error.to_string()))
        }
        Err(WireError::Timeout { .. }) => {
            // Neither answered nor refused: dropped, if the connection still works.
            client.round_trip(None).await.map_err(broken)?;
            let dropped = "dropped without a word";
            probe.note(format!("lawful choice: over {transport}, a message over maxPayload is {dropped}"));
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
pub(in crate::catalogue) fn oversized_on_wire(limit: usize) -> String {
    format!("a message of {} bytes: 40/<unknown namespace>,{{\"padding\":\"xxx…\"}}", limit + EXCESS)
}

/// Sends a message over `maxPayload`, which must be refused, and finds the server alive afterwards.
pub(super) async fn expect_refused(probe: &Probe, transport: Transport, expected: &str) -> Verdict {
    let limit = payload_limit(probe)?;
    let finding = |reason: String| fail(reason).sent(oversized_on_wire(limit));
    if let Oversized::Taken = oversized(probe, transport).await? {
        return finding(format!("A message over maxPayload ({limit} bytes) is taken over {transport}"))
            .received("an answer to it, and the connection stays open")
            .expected(expected)
            .stop();
    }
    match probe.open("afterwards", transport).await {
        Err(Stop::Broken(why)) => {
            finding(format!("After a message over maxPayload came over {transport}, the server takes no more sessions"))
                .received(why)
                .expected("a handshake as before")
                .stop()
        }
        opened => opened.map(drop),
    }
}

pub(super) fn shown(duration: Duration) -> String {
    humantime::format_duration(round(duration)).to_string()
}

pub(super) fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
