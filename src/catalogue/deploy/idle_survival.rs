//! A connection on which nothing but heartbeats goes lives on, for 75 seconds or as long as `choices.idle-limit` says.
//!
//! Proxies tend to cut what is silent for 60 seconds, and some cut any connection at a certain age. Heartbeats keep the
//! first kind away only where `pingInterval` is below 60 seconds, so that is asked too. The end of the connection before
//! its second heartbeat is the subject of `engine.heartbeat-websocket`, unless one on which something is sent lives on.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    catalogue::{Check, Effort, Isolation, Wait, cite, promises},
    fault::Fault,
    message::word,
    probe::{Life, Probe, Stop, Verdict, confirmed, fail},
    verdict::{Level, Row},
    wire::{EnginePacket, Heartbeats, Transport, WireError},
};

pub const CHECK: Check = Check {
    id: "deploy.idle-survival",
    title: "An idle connection lives on",
    level: Level::Should,
    row: Row::D,
    cites: &[cite::EIO_HEARTBEAT, cite::NGINX_WEBSOCKET],
    needs: &[],
    requires: &["transport.open-packet"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::Idle,
    meaning: "Users who only watch are disconnected about once a minute; each reconnect can miss messages, and all \
              reconnects together are a constant load.",
    fix: "Keep `pingInterval` below 60 seconds (25 s by default), and let the proxy keep what is in use: nginx \
          `proxy_read_timeout 75s; proxy_send_timeout 75s;`, a load balancer's idle timeout above `pingInterval` and its \
          limit for a connection's age in hours.",
    effort: Effort::Days,
    faults: &[Fault::CutsIdleConnections],
    run: |probe| Box::pin(run(probe)),
};

/// What proxies cut by default when it is silent for so long.
const SILENCE: Duration = Duration::from_secs(60);

async fn run(probe: &Probe) -> Verdict {
    let interval = probe.target().handshake().ping_interval();
    if interval >= SILENCE {
        return fail("Heartbeats are so far apart that proxies cut the connection in between")
            .sent("a handshake")
            .received(say!("pingInterval = {time}", time = interval))
            .expected(say!("less than {time}, after which most proxies cut what is silent", time = SILENCE))
            .stop();
    }
    confirmed(probe, || stay_idle(probe, probe.transport())).await
}

/// Keeps a connection idle for as long as it must live.
async fn stay_idle(probe: &Probe, transport: Transport) -> Verdict {
    let mut steady = probe.steady("idle", transport, Heartbeats::Answered).await?;
    let wanted = probe.contract().choices.idle_limit;
    let limit = match steady.lifetime(probe) {
        Some(lifetime) if lifetime < wanted => {
            probe.note(say!(
                "judged for {time} only: no CONNECT succeeded on the session, so it may be closed after {patience}",
                time = lifetime,
                patience = probe.contract().choices.connect_timeout
            ));
            lifetime
        }
        _ => wanted,
    };
    let until = Instant::now() + limit;
    let mut heartbeats = 0_usize;
    let end = loop {
        match steady.client.next_packet("heartbeat", until).await {
            Ok(EnginePacket::Ping(_)) => heartbeats += 1,
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    let end = match end {
        // Silence is what a connection looks like that was cut without a word, so it has to answer.
        WireError::Timeout { .. } if Instant::now() >= until => {
            let served = probe.served(transport).await?;
            if !served.answers_unknown_namespaces() {
                match steady.client.life().await? {
                    Life::Open => return Ok(()),
                    Life::Closed(how) => how.message(),
                }
            } else {
                match steady.client.question(None).await {
                    Ok(_) => return Ok(()),
                    Err(error @ (WireError::Timeout { .. } | WireError::Closed(_))) => error.message(),
                    Err(error) if error.misses_session() => error.message(),
                    Err(error) => return Err(Stop::Broken(say!("the idle session: {error}", error))),
                }
            }
        }
        WireError::Closed(how) => how,
        error if error.misses_session() => error.message(),
        error => return Err(Stop::Broken(say!("the idle session: {error}", error))),
    };
    if steady.may_be_over(probe) {
        // Lawful, and later than was asked.
        return Ok(());
    }
    let age = steady.age();
    if heartbeats < 2
        && !(transport == Transport::WebSocket
            && promises::lives_when_busy(probe, age, age, steady.is_connected).await?)
    {
        return Err(Stop::Broken(say!(
            "the connection ended after {time}, before its second heartbeat: {end} (see deploy.proxy-idle, \
             engine.heartbeat-{transport})",
            time = age,
            end,
            transport = word(transport.name())
        )));
    }
    fail(say!("An idle connection over {transport} is cut", transport))
        .sent("a handshake, and then nothing but pongs")
        .received(say!(
            "the end of the connection after {time} and {heartbeats} heartbeats: {end}",
            time = age,
            heartbeats,
            end
        ))
        .expected(say!("a connection that is open after {time} (choices.idle-limit)", time = wanted))
        .doubtful()
        .stop()
}
