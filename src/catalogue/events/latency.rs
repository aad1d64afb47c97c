//! How long a `pong` takes: the median and the 99th percentile of fifty rounds, one after the other.
//!
//! For comparison, each round also measures an answer that the library gives without the application: that to a CONNECT
//! to an unknown namespace. Both pass the same network and the same load. When the median `pong` takes 400 ms
//! longer, and more than twice as long, it is the handler that is slow, or something else that keeps the server's one thread
//! busy. The figures are of one client, and no benchmark.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    contract::Vars,
    fault::Fault,
    probe::{Probe, Stop, Verdict, fail, on_wire},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "events.latency",
    title: "pong does not take much longer than the server's other answers",
    level: Level::May,
    row: Row::C12,
    cites: &[cite::CHECKLIST],
    needs: &[Need::Connect, Need::Ping],
    requires: &["auth.valid-token", "events.ping-pong"],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Heavy],
    wait: Wait::None,
    meaning: "Everything that a user does on the page takes noticeably long.",
    fix: "Answer at once, `socket.on('ping', () => socket.emit('pong'))`, without waiting for a database or another \
          service first. Move long computations out of the process: they hold up every client.",
    effort: Effort::Hours,
    faults: &[Fault::SlowPong],
    run: |probe| Box::pin(run(probe)),
};

const ROUNDS: usize = 50;
/// No further round is begun after this, once there are so many that one which was held up on its way is not the median.
const TIME: Duration = Duration::from_secs(3);
const FEWEST: usize = 5;
/// What a handler may take on top of the library's own answer, where that takes less.
const ALLOWANCE: Duration = Duration::from_millis(400);

async fn run(probe: &Probe) -> Verdict {
    let ping = probe.ping()?;
    let mut client = probe.client("a", probe.transport()).await?;
    let (mut pongs, mut others) = (Vec::new(), vec![probe.target().round_trip]);
    let begun = Instant::now();
    while pongs.len() < FEWEST || (pongs.len() < ROUNDS && begun.elapsed() < TIME) {
        let (from, sent) = (client.mark(), Instant::now());
        client.emit(&ping.emit, &Vars::new());
        if client.wait_event(from, &ping.reply).await?.is_none() {
            return Err(Stop::Broken(say!("no `{reply}` in time (see events.ping-pong)", reply = ping.reply)));
        }
        pongs.push(sent.elapsed());
        let sent = Instant::now();
        client.catch_up().await?;
        others.push(sent.elapsed());
    }
    let [pong, other] = [&mut pongs, &mut others].map(|times| percentile(times, 50));
    let milliseconds = |duration: Duration| format!("{:.1} ms", duration.as_secs_f64() * 1_000.0);
    let figures = say!(
        "`{event}` to `{reply}` in {count} rounds: median {pong}, 99th percentile {slowest}; the library's own answer: \
         median {other}",
        event = ping.emit.event,
        reply = ping.reply,
        count = pongs.len(),
        pong = milliseconds(pong),
        slowest = milliseconds(percentile(&mut pongs, 99)),
        other = milliseconds(other)
    );
    probe.note(&figures);
    let limit = other + ALLOWANCE.max(other);
    if pong <= limit {
        return Ok(());
    }
    fail(say!("`{reply}` takes long: {pong} in the median", reply = ping.reply, pong = milliseconds(pong)))
        .sent(on_wire(&probe.contract().namespace, &ping.emit, &Vars::new()))
        .received(figures)
        .expected(say!("at most {limit} in the median", limit = milliseconds(limit)))
        .stop()
}

/// The smallest time that so many percent do not exceed.
fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    let rank = (times.len() * percent).div_ceil(100).max(1);
    times.get(rank - 1).copied().unwrap_or_default()
}
