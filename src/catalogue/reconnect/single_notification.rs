//! However often a user's connection drops and comes back, one call of the REST trigger gives one event.
//!
//! One user for each transport connects six times; the first five connections are cut without a word. Then the trigger
//! is called once, and the notifications that carry this call's message are counted at each user behind a fence. A
//! server that subscribes on every connection and never unsubscribes delivers once for each.

use futures::future::try_join_all;

use super::RECONNECTS;
use crate::{
    catalogue::{Check, Isolation, Need, cite},
    contract::Vars,
    mock::Fault,
    probe::{Probe, Verdict, fail},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "reconnect.single-notification",
    title: "After dropped connections, one REST call still gives one event",
    level: Level::Must,
    row: Row::C9,
    cites: &[cite::SIO_DISCONNECT_EVENTS, cite::CHECKLIST],
    needs: &[Need::Connect, Need::Rest],
    requires: &["socket.connect-reply-once", "rest.response", "rest.emit-once", "rest.emit-all"],
    isolation: Isolation::Notifications,
    meaning: "The same notification pops up once more after every loss of the network.",
    fix: "Emit from the route to all: `nitroApp.io.emit('notification', body)`. If connections subscribe to something, \
          unsubscribe: `bus.on('notify', send); socket.on('disconnect', () => bus.off('notify', send))`.",
    faults: &[Fault::NotificationsPileUp],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let rest = probe.rest()?;
    let message = probe.nonce("notification");
    let vars = Vars::new().message(&message);
    let users = probe.transports().into_iter().map(|transport| async move {
        super::reconnected(probe, &probe.user("user"), transport.name(), transport).await
    });
    let mut clients = try_join_all(users).await?;
    let marks: Vec<usize> = clients.iter().map(|client| client.mark()).collect();
    probe.notify(&message).await?;
    for (client, from) in clients.iter_mut().zip(marks) {
        client.wait_expected(from, &rest.event, &vars).await?;
        client.fence().await?;
        client.take_notes(probe);
        let count = client.expected_since(from, &rest.event, &vars).len();
        if count != 1 {
            let event = &rest.event.event;
            return fail(format!("After {RECONNECTS} reconnects, one REST call gives {count} events"))
                .sent(format!(
                    "{} {} once, with a client connected over {}",
                    rest.method,
                    rest.path,
                    client.transport()
                ))
                .received(format!("{count} × `{event}` at this client"))
                .expected(format!("one `{event}`"))
                .stop();
        }
    }
    Ok(())
}
