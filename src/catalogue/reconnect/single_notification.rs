//! However often a user's connection drops and comes back, one call of the REST trigger gives one event.
//!
//! One user for each transport connects six times; the first five connections are cut without a word. Then the trigger
//! is called once, and the notifications that carry this call's message are counted at each user behind a fence. A
//! server that subscribes on every connection and never unsubscribes delivers once for each.

use futures::future::try_join_all;

use super::RECONNECTS;
use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite, rest},
    fault::Fault,
    probe::{Probe, Verdict, fail},
    verdict::{Copied, Level, Row},
};

pub const CHECK: Check = Check {
    id: "reconnect.single-notification",
    title: "After dropped connections, one REST call still gives one event",
    level: Level::Must,
    row: Row::C9,
    cites: &[cite::SIO_DISCONNECT_EVENTS, cite::CHECKLIST],
    needs: &[Need::Connect, Need::Rest],
    requires: &["auth.valid-token", "rest.response", "rest.emit-once", "rest.emit-all"],
    isolation: Isolation::Notifications,
    effects: &[Effect::Broadcasts],
    wait: Wait::None,
    meaning: "The same notification pops up once more after every loss of the network.",
    fix: "Emit from the route to all: `nitroApp.io.emit('notification', body)`. If connections subscribe to something, \
          unsubscribe: `bus.on('notify', send); socket.on('disconnect', () => bus.off('notify', send))`.",
    effort: Effort::Hours,
    faults: &[Fault::NotificationsPileUp],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let rest = probe.rest()?;
    let users = probe.transports().into_iter().map(|transport| async move {
        super::reconnected(probe, &probe.user("user"), transport.name(), transport).await
    });
    let mut clients = try_join_all(users).await?;
    let deliveries = rest::deliveries(probe, &mut clients).await?;
    let Some((client, count)) = clients.iter().zip(&deliveries.copies).find(|(_, count)| **count != 1) else {
        return Ok(());
    };
    let event = &rest.event.event;
    let events = if *count == 0 { "no event".into() } else { say!("{count} events", count) };
    fail(say!(
        "After {reconnects} reconnects, one REST call gives {events} over {transport}",
        reconnects = RECONNECTS,
        events,
        transport = client.transport()
    ))
    .sent(say!(
        "{call} with a client connected over {transport}",
        call = rest::on_wire(rest, &deliveries.vars),
        transport = client.transport()
    ))
    .received(say!("{count} × `{event}` at this client", count, event))
    .expected(say!("one `{event}`", event))
    .copies(Copied::Notification, [*count])
    .stop()
}
