//! Twenty calls of the REST trigger at the same time give every connected client twenty events, each call's own once.
//!
//! A route that keeps what it is about to emit in a variable outside of its handler mixes up calls that overlap. Every
//! call has a text of its own, by which its event is known.
//!
//! The check runs alone, after all others, so that the load of its calls is not theirs.

use futures::future::{join_all, try_join_all};

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Client, Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "rest.concurrent",
    title: "REST calls at the same time each give their own event",
    level: Level::Must,
    row: Row::C11,
    cites: &[cite::CHECKLIST, cite::SIO_BROADCAST],
    needs: &[Need::Connect, Need::Rest],
    requires: &["auth.valid-token", "rest.response", "rest.emit-once", "rest.emit-all"],
    isolation: Isolation::Alone,
    effects: &[Effect::Broadcasts, Effect::Heavy],
    wait: Wait::None,
    meaning: "As soon as two things happen at once, one is lost, or shown twice in place of the other.",
    fix: "Keep what belongs to one call inside the handler: `const { message } = await readBody(event); \
          globalThis.io.emit('notification', { message })`, with no `let` outside of `defineEventHandler` and no flag \
          such as `if (busy) return`.",
    effort: Effort::Hours,
    faults: &[Fault::RestLosesBursts],
    run: |probe| Box::pin(run(probe)),
};

const CALLS: usize = 20;

async fn run(probe: &Probe) -> Verdict {
    let rest = probe.rest()?;
    let name = &rest.event.event;
    let mut clients = probe.clients("client", &probe.transports()).await?;
    let marks: Vec<usize> = clients.iter().map(Client::mark).collect();
    let messages = (0..CALLS).map(|_| super::message(probe)).collect::<Result<Vec<_>, _>>()?;
    let responses = join_all(messages.iter().map(|(message, _)| probe.trigger(message))).await;
    let failed = responses.iter().flatten().filter(|response| !response.is_success()).count();
    for response in responses {
        match response? {
            response if response.status == 429 => {
                return Err(Stop::Skip("the REST trigger limits how often it is called (HTTP 429)".into()));
            }
            response if response.is_success() => {}
            response => {
                return fail(say!("Of {calls} REST calls at the same time, not all succeed", calls = CALLS))
                    .extent(failed, CALLS)
                    .sent(say!("{calls} × {call}, at once", calls = CALLS, call = super::on_wire(rest, &messages[0].1)))
                    .received(response)
                    .expected("HTTP 2xx to each")
                    .stop();
            }
        }
    }
    // Who waits in vain for one of them is seen below. One that is lost costs the deadline only once.
    for (client, &from) in clients.iter_mut().zip(&marks) {
        for (_, vars) in &messages {
            if client.wait_expected(from, &rest.event, vars).await?.is_none() {
                break;
            }
        }
    }
    try_join_all(clients.iter_mut().map(Client::fence)).await?;
    for (client, from) in clients.iter_mut().zip(marks) {
        client.take_notes(probe);
        let copies = |vars| client.expected_since(from, &rest.event, vars).len();
        let received = if rest.carries_message() {
            let counts: Vec<usize> = messages.iter().map(|(_, vars)| copies(vars)).collect();
            let lost = counts.iter().filter(|count| **count == 0).count();
            let repeated = counts.iter().filter(|count| **count > 1).count();
            let text =
                say!("{lost} of {calls} events missing, {repeated} more than once", lost, calls = CALLS, repeated);
            (lost + repeated > 0).then_some((text, lost + repeated))
        } else {
            let count = copies(&messages[0].1);
            (count != CALLS).then(|| (say!("{count} × `{name}`", count, name), count.abs_diff(CALLS)))
        };
        if let Some((received, wrong)) = received {
            return fail(say!("{calls} REST calls at the same time do not give {calls} events", calls = CALLS))
                .extent(wrong, CALLS)
                .sent(say!(
                    "{calls} × {call}, at once, each with its own message",
                    calls = CALLS,
                    call = super::on_wire(rest, &messages[0].1)
                ))
                .received(say!("over {transport}: {received}", transport = client.transport(), received))
                .expected(say!("one `{name}` for each call, at each client", name))
                .stop();
        }
    }
    Ok(())
}
