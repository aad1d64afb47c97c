//! A poll that the server holds until its next heartbeat is answered by that heartbeat, and neither cut nor answered by
//! something that stands in between.
//!
//! That is the longest that a poll is held: `pingInterval`, 25 seconds by default. Proxies and serverless platforms tend
//! to give an answer less time than that, and then answer 502 or 504 by themselves.

use tokio::time::Instant;

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite, engine},
    fault::Fault,
    probe::{Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
    wire::{EnginePacket, Polling, Session, WireError},
};

pub const CHECK: Check = Check {
    id: "deploy.long-poll-survival",
    title: "A poll that is held until the next heartbeat is not cut",
    level: Level::Should,
    row: Row::D,
    cites: &[cite::EIO_POLLING, cite::EIO_HEARTBEAT],
    needs: &[Need::Polling],
    requires: &["transport.open-packet"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::Heartbeat,
    meaning: "Users on polling are thrown out whenever nothing happens for a while; each time their client has to connect \
              anew, and misses what was sent meanwhile.",
    fix: "Let the proxy wait longer for an answer than `pingInterval`: nginx `proxy_read_timeout 75s`, a load balancer's or \
          platform's request timeout likewise; or set `pingInterval` below that limit.",
    effort: Effort::Days,
    faults: &[Fault::CutsLongPolls],
    run: |probe| Box::pin(run(probe)),
};

/// Polls that are looked at: a server may answer the first by a heartbeat at once, or by a noop, and the first may be late.
const POLLS: usize = 4;

async fn run(probe: &Probe) -> Verdict {
    let endpoint = probe.endpoint("a");
    let lost =
        |error: WireError| Stop::Broken(say!("the session to poll: {error} (see engine.heartbeat-polling)", error));
    let (handshake, _) = Session::polling_handshake(&endpoint).await.map_err(lost)?;
    let interval = handshake.ping_interval();
    let polling = Polling::new(&endpoint, &handshake.sid);
    for _ in 0..POLLS {
        let begun = Instant::now();
        let packets = match polling.poll(interval + probe.deadline()).await {
            Ok(packets) => packets,
            Err(error) if engine::is_cut(&error) => {
                return fail("A poll that waits for the next heartbeat is cut")
                    .sent("GET, and nothing to answer it with but a heartbeat")
                    .received(say!("after {time}: {error}", time = begun.elapsed(), error))
                    .expected(say!("200 with 2 after up to pingInterval = {time}", time = interval))
                    .stop();
            }
            Err(error) => return Err(lost(error)),
        };
        let is_heartbeat = packets.iter().any(|packet| matches!(packet, EnginePacket::Ping(_)));
        if is_heartbeat && begun.elapsed() >= interval * 3 / 4 {
            return Ok(());
        }
        if is_heartbeat {
            polling.push(&[EnginePacket::Pong(String::new())]).await.map_err(lost)?;
        }
    }
    Err(Stop::Broken(say!(
        "no poll was held until a heartbeat: {polls} were answered earlier (see engine.ping-not-early-polling)",
        polls = POLLS
    )))
}
