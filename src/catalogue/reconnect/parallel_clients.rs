//! Twenty clients ping at the same time, and each gets its own pong: one, and nobody else's.
//!
//! A server that keeps "the socket" in a variable which all connections share answers whoever came last. One client
//! alone never shows that. All clients are connected first, half of them by each transport; then all pings go out
//! before any pong is read.

use std::collections::BTreeMap;

use futures::future::{join_all, try_join_all};

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    contract::Vars,
    fault::Fault,
    message::{Joint, list},
    probe::{Client, Probe, Verdict, fail, on_wire},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "reconnect.parallel-clients",
    title: "Clients that ping at the same time each get their own pong",
    level: Level::Must,
    row: Row::C9,
    cites: &[cite::SIO_BROADCAST, cite::CHECKLIST],
    needs: &[Need::Connect, Need::Ping],
    requires: &["auth.valid-token", "events.ping-pong", "events.ping-pong-private"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "As soon as two people are online, answers go to the wrong one: one client never gets its answer, and \
              the other sees what was not meant for it.",
    fix: "Answer the socket that the handler was registered on, `io.on('connection', (socket) => { socket.on('ping', \
          () => socket.emit('pong')) })`, and keep no `let socket` outside of it, on `globalThis` or on `nitroApp`.",
    effort: Effort::Hours,
    faults: &[Fault::PongsCross],
    run: |probe| Box::pin(run(probe)),
};

const CLIENTS: usize = 20;

async fn run(probe: &Probe) -> Verdict {
    let ping = probe.ping()?;
    let mut clients = probe.clients("client", &probe.mixed_transports(CLIENTS)).await?;
    let marks: Vec<usize> = clients.iter().map(Client::mark).collect();
    for client in &clients {
        client.emit(&ping.emit, &Vars::new());
    }
    let waits = clients.iter_mut().zip(&marks).map(|(client, &from)| client.wait_event(from, &ping.reply));
    // Who waits in vain is seen below, where it is known as well who got too much.
    join_all(waits).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    try_join_all(clients.iter_mut().map(Client::fence)).await?;

    let mut wrong = BTreeMap::<usize, Vec<String>>::new();
    for (client, &from) in clients.iter_mut().zip(&marks) {
        client.take_notes(probe);
        let pongs = client.events_since(from, &ping.reply).len();
        if pongs != 1 {
            wrong.entry(pongs).or_default().push(format!("{} ({})", client.label(), client.transport()));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let count = wrong.values().map(Vec::len).sum::<usize>();
    let got = wrong.iter().map(|(pongs, clients)| match &clients[..] {
        [one] => say!("{pongs} at {one}", pongs, one),
        [first, ..] => say!("{pongs} at {count} clients, such as {first}", pongs, count = clients.len(), first),
        [] => "".into(),
    });
    let got = list(got, Joint::Comma);
    fail(say!(
        "{count} of {clients} clients that pinged at the same time did not get exactly one pong",
        count,
        clients = CLIENTS
    ))
    .extent(count, CLIENTS)
    .sent(say!(
        "{ping} by each of {clients} clients",
        ping = on_wire(&probe.contract().namespace, &ping.emit, &Vars::new()),
        clients = CLIENTS
    ))
    .received(say!("`{reply}`: {got}", reply = ping.reply, got))
    .expected(say!("one `{reply}` at each client", reply = ping.reply))
    .stop()
}
