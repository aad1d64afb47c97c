//! A poll that the client cuts ends its session, as the protocol's own tests have it.
//!
//! A server may notice the cut at once, as Node does. Behind a proxy it may not, and some servers do not look; then the
//! missing pong must end the session, by `pingInterval` + 2 × `pingTimeout`, and that only this did is noted. No heartbeat
//! is answered, and while that is waited for nothing is sent that a server could take for a sign of life.
//!
//! Where there is a token, the session is connected first, so that it does not end for want of a CONNECT.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::Asked;
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Stop, User, Verdict, fail},
    verdict::{Level, Row},
    wire::{EnginePacket, Polling, SocketPacket, Transport, WireError},
};

pub const CHECK: Check = Check {
    id: "engine.cancelled-poll",
    title: "A poll that the client aborts ends its session",
    level: Level::Should,
    row: Row::P,
    cites: &[cite::EIO_TESTS, cite::EIO_HEARTBEAT],
    needs: &[Need::Polling],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::DeadPeer,
    meaning: "Users whose tab is closed while on polling stay online for others, and what is sent to them in the \
              meantime is lost.",
    fix: "In Nuxt, give the engine the original objects, on which it listens for the request's end: \
          `engine.handleRequest(event.node.req, event.node.res)`. Let proxies pass on that a client has aborted \
          (nginx: not `proxy_ignore_client_abort on`), and keep `pingInterval` and `pingTimeout` within seconds.",
    effort: Effort::Hours,
    faults: &[Fault::KeepsDeadSessions],
    run: |probe| Box::pin(run(probe)),
};

/// Sessions that are tried for a cut that the server can notice: one that crosses with an answer is none.
const ATTEMPTS: usize = 3;

async fn run(probe: &Probe) -> Verdict {
    let user = probe.user("user");
    let mut left = Vec::new();
    for attempt in 1..=ATTEMPTS {
        let polling = left_by_a_cut(probe, &user, &format!("session {attempt}")).await?;
        if ends_within(probe, &polling, probe.target().quiet_window() * 4).await? {
            return Ok(());
        }
        left.push(polling);
    }
    let Some(polling) = left.last() else { return Ok(()) };
    let handshake = probe.target().handshake();
    let limit = handshake.ping_interval() + 2 * handshake.ping_timeout() + probe.deadline();
    // Nothing tells when the server has noticed, and to ask might keep the session alive.
    sleep(limit).await;
    let response = match polling.get(probe.deadline()).await {
        Ok(response) => response,
        Err(WireError::Closed(_)) => return probe.serves_still(Transport::Polling).await.map(drop),
        Err(WireError::Timeout { .. }) => return no_heartbeat(),
        Err(error) => return Err(Stop::Broken(say!("GET on the session that was left: {error}", error))),
    };
    if super::is_refusal(&response) || super::is_end(&response) {
        probe.serves_still(Transport::Polling).await?;
        probe.note(say!(
            "the server does not notice an aborted poll: the session ended within {limit}, by its heartbeat timeout",
            limit
        ));
        return Ok(());
    }
    if !super::holds_ping(&response) {
        return no_heartbeat();
    }
    fail(say!("A session stays open {limit} after its client aborted its poll", limit))
        .sent("a GET that is aborted while the server holds it, then no pong; at last another GET")
        .received(say!("HTTP {status}, and the packets that waited in the session", status = response.status))
        .expected(say!("HTTP 400 within pingInterval + 2 × pingTimeout + deadline = {limit}", limit))
        .stop()
}

fn no_heartbeat() -> Verdict {
    let reason = "the session that was left gets no heartbeat that could end it (see engine.heartbeat-polling)";
    Err(Stop::Broken(reason.into()))
}

/// A session that its client has left by cutting a poll while the server held it.
async fn left_by_a_cut(probe: &Probe, user: &User, label: &str) -> Result<Asked, Stop> {
    let polling = super::asked_session(probe, label).await?;
    let auth = probe.payload(probe.credentials(user).await.unwrap_or_default());
    let connect = SocketPacket::connect(&probe.contract().namespace, auth);
    let sent = polling.push(&[EnginePacket::Message(connect.encode())]).await;
    sent.map_err(|error| Stop::Broken(say!("the session to abandon: {error} (see engine.post-ok)", error)))?;
    drop(super::held_poll(probe, &polling).await?);
    Ok(polling)
}

/// POSTs until one is refused or `patience` is over. The first waits, too: the answer to it would cross with the cut, which
/// may still be on its way, and the poll would be none that was cut.
async fn ends_within(probe: &Probe, polling: &Polling, patience: Duration) -> Result<bool, Stop> {
    let end = Instant::now() + patience;
    let mut pause = probe.target().quiet_window() / 2;
    loop {
        sleep_until(end.min(Instant::now() + pause)).await;
        pause *= 2;
        let posted = polling.post(super::question(&probe.nonce("alive")).encode()).await;
        let posted = posted.map_err(|error| Stop::Broken(say!("POST on the session that was left: {error}", error)))?;
        if super::is_refusal(&posted) {
            probe.serves_still(Transport::Polling).await?;
            return Ok(true);
        }
        if Instant::now() >= end {
            return Ok(false);
        }
    }
}
