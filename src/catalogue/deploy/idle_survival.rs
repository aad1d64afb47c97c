//! A connection on which nothing but heartbeats goes lives on, for 75 seconds or as long as `choices.idle-limit` says.
//!
//! Proxies tend to cut what is silent for 60 seconds, and some cut any connection at a certain age. Heartbeats keep the
//! first kind away only where `pingInterval` is below 60 seconds, so that is asked too. The end of the connection before
//! its second heartbeat is the subject of `engine.heartbeat-websocket`.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    catalogue::{Check, Effort, Isolation, Wait, cite},
    mock::Fault,
    probe::{Life, Probe, Stop, Verdict, confirmed, fail},
    verdict::{Level, Row},
    wire::{EnginePacket, Heartbeats, Transport, WireError, round},
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
    meaning: "Users who only look on are thrown out about once a minute; each reconnect is a moment in which messages are \
              missed, and all of them together are a load that never ends.",
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
            .received(format!("pingInterval = {}", shown(interval)))
            .expected(format!("less than {}, after which most proxies cut what is silent", shown(SILENCE)))
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
            probe.note(format!(
                "judged for {} only: the session is not connected, and may be closed for that reason after {}",
                shown(lifetime),
                shown(probe.contract().choices.connect_timeout)
            ));
            lifetime
        }
        _ => wanted,
    };
    let until = Instant::now() + limit;
    let mut heartbeats = 0;
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
                    Life::Closed(how) => how.to_string(),
                }
            } else {
                match steady.client.question(None).await {
                    Ok(_) => return Ok(()),
                    Err(error @ (WireError::Timeout { .. } | WireError::Closed(_))) => error.to_string(),
                    Err(error) if error.is_bad_request() => error.to_string(),
                    Err(error) => return Err(Stop::Broken(format!("the idle session: {error}"))),
                }
            }
        }
        WireError::Closed(how) => how,
        error if error.is_bad_request() => error.to_string(),
        error => return Err(Stop::Broken(format!("the idle session: {error}"))),
    };
    if steady.may_be_over(probe) {
        // Lawful, and later than was asked.
        return Ok(());
    }
    if heartbeats < 2 {
        return Err(Stop::Broken(format!(
            "the connection ended after {}, before its second heartbeat: {end} (see engine.heartbeat-{})",
            steady.age(),
            transport.name()
        )));
    }
    fail(format!("An idle connection over {transport} is cut"))
        .sent("a handshake, and then nothing but pongs")
        .received(format!("the end of the connection after {} and {heartbeats} heartbeats: {end}", steady.age()))
        .expected(format!("a connection that is open after {} (choices.idle-limit)", shown(wanted)))
        .doubtful()
        .stop()
}

fn shown(duration: Duration) -> String {
    humantime::format_duration(round(duration)).to_string()
}
