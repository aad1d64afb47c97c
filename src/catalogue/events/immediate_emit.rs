//! An event that a client sends in the same instant as it gets the CONNECT reply is handled.
//!
//! Clients emit from their `connect` listener, and what they buffered before goes out then, too. A server that registers
//! its handlers after an `await`, or once the reply has gone out, loses such events: rarely on one machine, more often
//! under load. So many clients connect, each pings at once, and each pings again behind a fence. When, by the end of the
//! deadline, a later `ping` was answered and another was not, the first was lost rather than slow.
//!
//! A pass says that no loss was seen in as many connections as fit in five seconds, a hundred at the most; it cannot say
//! that none is possible.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    contract::Vars,
    fault::Fault,
    message::{Joint, list},
    probe::{Answer, Probe, Stop, Verdict, fail, on_wire},
    verdict::{Level, Row},
    wire::{Transport, WireError},
};

pub const CHECK: Check = Check {
    id: "events.immediate-emit",
    title: "An event that follows the CONNECT reply at once is handled",
    level: Level::Must,
    row: Row::C5,
    cites: &[cite::SIO_LISTENING, cite::CHECKLIST],
    needs: &[Need::Connect, Need::Ping],
    requires: &["auth.valid-token", "events.ping-pong", "events.ping-pong-private", "reconnect.parallel-clients"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "What a page sends right after it connects is lost now and then: a room that is never joined, a list that \
              stays empty until a reload.",
    fix: "Register every handler before the first `await`: `io.on('connection', (socket) => { socket.on('ping', …); \
          … })`. Load what the handlers need in `io.use(async (socket, next) => { …; next() })`, or await it inside each \
          handler.",
    effort: Effort::Hours,
    faults: &[Fault::LateHandlers],
    run: |probe| Box::pin(run(probe)),
};

/// Connections to try, if time allows.
const CONNECTIONS: usize = 100;
/// Connections made at once.
const BATCH: usize = 10;
/// No further batch is begun after this.
const TIME: Duration = Duration::from_secs(5);
/// Pings sent on one connection before it counts as dead.
const MAX_PINGS: usize = 3;

async fn run(probe: &Probe) -> Verdict {
    let ping = probe.ping()?;
    let begun = Instant::now();
    let mut tried = 0;
    while tried < CONNECTIONS && begun.elapsed() < TIME {
        let transports = probe.mixed_transports(BATCH);
        let outcomes = join_all(transports.iter().map(|transport| is_handled(probe, *transport))).await;
        tried += outcomes.len();
        let lost: Vec<Transport> = transports
            .into_iter()
            .zip(&outcomes)
            .filter_map(|(transport, outcome)| matches!(outcome, Ok(false)).then_some(transport))
            .collect();
        if !lost.is_empty() {
            let over = probe.transports().into_iter().filter_map(|transport| {
                let count = lost.iter().filter(|other| **other == transport).count();
                (count > 0).then(|| say!("{count} over {transport}", count, transport))
            });
            let namespace = &probe.contract().namespace;
            return fail(say!(
                "The server loses {count} of {tried} events sent at once after the CONNECT reply",
                count = lost.len(),
                tried
            ))
            .extent(lost.len(), tried)
            .sent(say!(
                "CONNECT, then {ping} right after the reply",
                ping = on_wire(namespace, &ping.emit, &Vars::new())
            ))
            .received(say!(
                "no `{reply}` in time ({over}), though a later `{event}` on the same connection was answered",
                reply = ping.reply,
                over = list(over, Joint::Comma),
                event = ping.emit.event
            ))
            .expected(say!("one `{reply}` to each `{event}`", reply = ping.reply, event = ping.emit.event))
            .stop();
        }
        for outcome in outcomes {
            outcome?;
        }
    }
    if tried < CONNECTIONS {
        probe.note(say!(
            "tried on {tried} connections: there was no time for {connections}",
            tried,
            connections = CONNECTIONS
        ));
    }
    Ok(())
}

/// Connects, pings in the same instant, and finds out whether that `ping` was handled.
async fn is_handled(probe: &Probe, transport: Transport) -> Result<bool, Stop> {
    let ping = probe.ping()?;
    let credentials = probe.credentials(&probe.user("a")).await?;
    let mut client = probe.open("a", transport).await?;
    match client.connect(credentials).await? {
        Answer::Connected(_) => client.emit(&ping.emit, &Vars::new()),
        answer => {
            return Err(Stop::Broken(say!("{answer} over {transport} (see auth.valid-token)", answer, transport)));
        }
    }
    client.fence().await?;
    for pings in 2..=MAX_PINGS {
        client.emit(&ping.emit, &Vars::new());
        let end = probe.in_time();
        let mut from = 0;
        while client.events_since(0, &ping.reply).len() < pings {
            match client.wait("pong", from, end, |packet| packet.event_name() == Some(&ping.reply)).await {
                Ok(_) => from = client.mark(),
                Err(WireError::Timeout { .. }) => break,
                Err(error) => return Err(Stop::Broken(say!("client a ({transport}): {error}", transport, error))),
            }
        }
        match client.events_since(0, &ping.reply).len() {
            0 => continue,
            pongs => {
                client.disconnect().await;
                return Ok(pongs >= pings);
            }
        }
    }
    Err(Stop::Broken(say!(
        "`{event}` got no `{reply}` over {transport} (see events.ping-pong)",
        event = ping.emit.event,
        reply = ping.reply,
        transport
    )))
}
