//! One call of the REST trigger reaches every connected client, on polling and on WebSocket, exactly once.
//!
//! Ten clients are connected, half on each transport where both work. Each must have the event in time; a second call
//! and a fence on each connection follow before copies are counted.

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    message::{Joint, Message, list},
    probe::{Client, Probe, Verdict, fail},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "rest.emit-all",
    title: "One REST call gives every connected client exactly one event",
    level: Level::Must,
    row: Row::C11,
    cites: &[cite::CHECKLIST, cite::SIO_BROADCAST],
    needs: &[Need::Connect, Need::Rest],
    requires: &["auth.valid-token", "rest.response", "rest.emit-once"],
    isolation: Isolation::Notifications,
    effects: &[Effect::Broadcasts],
    wait: Wait::None,
    meaning: "Some people see what happened and others do not, seemingly at random.",
    fix: "Emit to all by `globalThis.io.emit(…)`, on the one `Server` that both transports are bound to, not on a list \
          of sockets or crossws peers of one's own; with several processes, add an adapter such as \
          `@socket.io/redis-adapter`.",
    effort: Effort::Hours,
    faults: &[Fault::RestSkipsPolling],
    run: |probe| Box::pin(run(probe)),
};

const CLIENTS: usize = 10;

async fn run(probe: &Probe) -> Verdict {
    let rest = probe.rest()?;
    let name = &rest.event.event;
    let mut clients = probe.clients("client", &probe.mixed_transports(CLIENTS)).await?;
    let super::Deliveries { copies, vars } = super::deliveries(probe, &mut clients).await?;
    let finding = |reason: Message, concerned: &[&Client], what: Message| {
        let over = probe.transports().into_iter().filter_map(|transport| {
            let count = concerned.iter().filter(|client| client.transport() == transport).count();
            (count > 0).then(|| say!("{count} over {transport}", count, transport))
        });
        fail(reason)
            .extent(concerned.len(), CLIENTS)
            .sent(super::on_wire(rest, &vars))
            .received(say!("{what}: {over}", what, over = list(over, Joint::Comma)))
            .expected(say!("one `{name}` at each of {clients} clients", name, clients = CLIENTS))
            .stop()
    };
    let with = |wanted: fn(usize) -> bool| -> Vec<&Client> {
        clients.iter().zip(&copies).filter_map(|(client, copies)| wanted(*copies).then_some(client)).collect()
    };
    let missed = with(|copies| copies == 0);
    if !missed.is_empty() {
        let reason = say!(
            "The event of a REST call misses {count} of {clients} clients",
            count = missed.len(),
            clients = CLIENTS
        );
        return finding(reason, &missed, say!("no `{name}` in time", name));
    }
    let repeated = with(|copies| copies > 1);
    if !repeated.is_empty() {
        let reason = say!(
            "The event of a REST call is repeated at {count} of {clients} clients",
            count = repeated.len(),
            clients = CLIENTS
        );
        return finding(reason, &repeated, say!("more than one `{name}` with the same message", name));
    }
    Ok(())
}
