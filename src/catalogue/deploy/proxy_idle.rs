//! A WebSocket on which nothing goes lives on until its first heartbeat: nothing on the way cuts what is silent for less than
//! `pingInterval`.
//!
//! Proxies and load balancers count the time in which nothing went (haproxy's `timeout tunnel`, nginx's `proxy_read_timeout`,
//! an idle timeout), and cut what exceeds it. That is told apart from a server that ends its sessions by a second look: a
//! session on which something is sent now and then lives on. Polls that are cut are the subject of
//! `deploy.long-poll-survival`; what happens between later heartbeats, of `deploy.idle-survival`.

use tokio::time::Instant;

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite, promises},
    fault::Fault,
    probe::{Answer, Probe, Verdict, confirmed, fail},
    verdict::{Level, Row},
    wire::{EnginePacket, Transport, WireError},
};

pub const CHECK: Check = Check {
    id: "deploy.proxy-idle",
    title: "Nothing on the way cuts a WebSocket that is silent until its first heartbeat",
    level: Level::Should,
    row: Row::D,
    cites: &[cite::EIO_HEARTBEAT, cite::NGINX_WEBSOCKET],
    needs: &[Need::WebSocket],
    requires: &["transport.open-packet"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::Heartbeat,
    meaning: "Users who only look on lose their connection every few seconds, and miss what is sent until they are back.",
    fix: "Let whatever stands in front keep a silent connection for longer than `pingInterval` (25 s by default): haproxy \
          `timeout tunnel 1h`, or `timeout client` and `timeout server` above it; nginx `proxy_read_timeout 75s`; a load \
          balancer's idle timeout likewise. Or set `pingInterval` below the limit.",
    effort: Effort::Hours,
    faults: &[Fault::CutsSilentWebsockets],
    run: |probe| Box::pin(run(probe)),
};

/// Heartbeats that are waited for where something else came before one: a server may send the first at once.
const BEATS: usize = 4;

async fn run(probe: &Probe) -> Verdict {
    confirmed(probe, || look(probe)).await
}

async fn look(probe: &Probe) -> Verdict {
    // Who is not connected hears nothing of what others cause, but is not kept for ever. Where it is kept until a heartbeat is due,
    // and that comes late, a connected session is looked at after it.
    let interval = probe.target().handshake().ping_interval();
    let patience = probe.contract().choices.connect_timeout.mul_f64(0.9);
    watch(probe, interval > patience).await
}

async fn watch(probe: &Probe, is_connected: bool) -> Verdict {
    let opened = Instant::now();
    let mut client = probe.open("silent", Transport::WebSocket).await?;
    let interval = client.handshake().ping_interval();
    if is_connected {
        let credentials = probe.credentials(&probe.user("silent")).await?;
        if !matches!(client.connect(credentials).await?, Answer::Connected(_)) {
            return Err(probe.unconnected(
                "a session without a successful CONNECT may be closed before its first heartbeat is due",
            ));
        }
    }
    let mut silent_since = Instant::now();
    let end = loop {
        match client.next_packet("heartbeat", silent_since + interval + probe.deadline()).await {
            // What others cause keeps a connection busy, and one that was never silent for long shows nothing.
            Ok(EnginePacket::Ping(_)) if silent_since.elapsed() >= interval * 3 / 4 => return Ok(()),
            Ok(EnginePacket::Ping(_)) if client.heartbeats() >= BEATS => {
                return Err(promises::unjudged("something came before each heartbeat".into()));
            }
            Ok(_) => silent_since = Instant::now(),
            Err(error) => break error,
        }
    };
    let after = silent_since.elapsed();
    if let WireError::Timeout { .. } = end {
        return Err(promises::unjudged("no heartbeat comes".into()));
    }
    if !promises::has_ended(&end) {
        return Err(promises::unjudged(say!("the silent session: {end}", end)));
    }
    if !promises::lives_when_busy(probe, opened.elapsed(), after, is_connected).await? {
        if !is_connected {
            // The server may wait for a CONNECT for less long than the contract says, as it may.
            return Box::pin(watch(probe, true)).await;
        }
        return Err(promises::unjudged(say!("a session ends after {time}, silent or not: {end}", time = after, end)));
    }
    fail("A WebSocket is cut when nothing goes on it until the first heartbeat")
        .sent("a handshake, and then nothing")
        .received(say!(
            "the end of the connection after {time} of silence: {end}; one on which something was sent each {interval} \
             lived on",
            time = after,
            end,
            interval = after / promises::BUSY
        ))
        .expected(say!(
            "a connection that is open until the first heartbeat, after pingInterval = {time}",
            time = interval
        ))
        .doubtful()
        .stop()
}
