//! A user that comes back gets nothing that was sent before: no notification that its earlier connection has had, and none
//! that went out while it was away.
//!
//! One user for each transport connects, hears a notification, and loses its connection; another notification goes out
//! before it is back. Then a third one is sent, which must arrive, so that the new connection was seen to hear; whatever came
//! on it before and carries one of the others was kept and replayed. Where the server offers to recover connections
//! (`pid`), what was missed goes to a client that asks for it, and this one does not.

use futures::future::try_join_all;

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite, rest},
    contract::Vars,
    fault::Fault,
    message::data,
    probe::{Client, Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "reconnect.nothing-replayed",
    title: "A user that comes back gets nothing that was sent before",
    level: Level::Must,
    row: Row::C9,
    cites: &[cite::SIO_DELIVERY, cite::SIO_RECOVERY, cite::CHECKLIST],
    needs: &[Need::Connect, Need::Rest],
    requires: &["socket.connect-reply-once", "rest.response", "rest.emit-once"],
    // Else the last notification would be another check's.
    isolation: Isolation::Alone,
    effects: &[Effect::Broadcasts],
    wait: Wait::None,
    meaning: "With every loss of the network the last notification pops up again, as if it were new.",
    fix: "Emit notifications when they happen and keep none for later: no variable that the `connection` handler sends from. \
          Where missed ones must arrive, turn on `connectionStateRecovery`, or have the client fetch them by REST, each with \
          an id that it has seen or not.",
    effort: Effort::Hours,
    faults: &[Fault::ReplaysLastNotification],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let declared = probe.rest()?;
    let users: Vec<_> =
        probe.transports().into_iter().map(|transport| (probe.user(transport.name()), transport)).collect();
    let connect =
        || try_join_all(users.iter().map(|(user, transport)| probe.client_of(user, transport.name(), *transport)));

    let mut clients = connect().await?;
    let heard = notify(probe).await?;
    for client in &mut clients {
        hear(probe, client, &heard).await?;
    }
    clients.into_iter().for_each(Client::drop_connection);
    let missed = notify(probe).await?;

    let mut clients = connect().await?;
    let new = notify(probe).await?;
    for client in &mut clients {
        hear(probe, client, &new).await?;
        client.fence().await?;
        client.take_notes(probe);
        let tells_apart = declared.carries_message();
        for (vars, when) in [(&heard, "that it has had before"), (&missed, "that went out while it was away")] {
            let copies = client.expected_since(0, &declared.event, vars);
            // Without a text of ours all look alike, and one of them is the new one.
            let Some(first) = copies.first().filter(|_| tells_apart || copies.len() > 1) else { continue };
            return fail(say!(
                "A user that comes back over {transport} gets a notification {when}",
                transport = client.transport(),
                when
            ))
            .sent(say!("{call}, then a new connection of the user", call = rest::on_wire(declared, vars)))
            .received(say!("on the new connection: 4{packet}", packet = first.encode()))
            .expected("only what is sent from then on")
            .stop();
        }
    }
    Ok(())
}

/// Calls the trigger with a message of its own.
async fn notify(probe: &Probe) -> Result<Vars, Stop> {
    let (message, vars) = rest::message(probe)?;
    probe.notify(&message).await?;
    Ok(vars)
}

/// Waits for the notification. That it arrives is judged by `rest.emit-once`.
async fn hear(probe: &Probe, client: &mut Client, vars: &Vars) -> Verdict {
    match client.wait_expected(0, &probe.rest()?.event, vars).await? {
        Some(_) => Ok(()),
        None => Err(Stop::Broken(say!(
            "a notification does not reach client {label} (see rest.emit-once)",
            label = data(client.label())
        ))),
    }
}
