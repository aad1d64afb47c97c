//! One call of the REST trigger gives a connected client exactly one event, with the call's message in it.
//!
//! A second call and a fence follow before the events are counted, so that a second copy of the first is seen even where
//! it comes late.

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    contract::{Expect, Mismatch, Vars},
    fault::Fault,
    message::Message,
    probe::{Client, Probe, Verdict, fail},
    verdict::{Copied, Level, Row},
    wire::SocketPacket,
};

pub const CHECK: Check = Check {
    id: "rest.emit-once",
    title: "One REST call gives a connected client exactly one event",
    level: Level::Must,
    row: Row::C11,
    cites: &[cite::CHECKLIST, cite::SIO_BROADCAST],
    needs: &[Need::Connect, Need::Rest],
    requires: &["auth.valid-token", "rest.response"],
    isolation: Isolation::Notifications,
    effects: &[Effect::Broadcasts],
    wait: Wait::None,
    meaning: "What happens on the server does not show on the page until it is reloaded, shows twice, or shows without \
              its content.",
    fix: "Emit once, on the instance that the plugin made: `globalThis.io.emit('notification', { message: \
          body.message })` after `const body = await readBody(event)`; and guard the plugin against a second server \
          by `if (!globalThis.io)`.",
    effort: Effort::Minutes,
    faults: &[Fault::RestEmitsNothing, Fault::RestEmitsTwice, Fault::RestWrongPayload],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let rest = probe.rest()?;
    let name = &rest.event.event;
    let mut clients = [probe.client("a", probe.transport()).await?];
    let super::Deliveries { copies, vars } = super::deliveries(probe, &mut clients).await?;
    let finding = |reason: Message| {
        let expected = say!("one `{name}` with the call's message", name);
        fail(reason).sent(super::on_wire(rest, &vars)).expected(expected)
    };
    match copies[..] {
        [1] => Ok(()),
        [0] => match misfit(&clients[0], &rest.event, &vars) {
            Some((event, mismatch)) => finding("A REST call gives an event that is not as declared".into())
                .received(say!("4{event} ({mismatch})", event = event.encode(), mismatch))
                .stop(),
            None => finding("A REST call gives a connected client no event".into())
                .received(say!("no `{name}` in time", name))
                .stop(),
        },
        [copies] => finding(say!("One REST call gives a connected client {copies} events", copies))
            .received(say!("{copies} × `{name}` with the same message", copies, name))
            .copies(Copied::Notification, [copies])
            .stop(),
        _ => unreachable!("there is one client"),
    }
}

/// An event by the declared name that comes of our call and does not match, and the first difference. Other checks'
/// calls have their own nonces in them.
fn misfit(client: &Client, expect: &Expect, vars: &Vars) -> Option<(SocketPacket, Mismatch)> {
    let is_ours = |event: &SocketPacket| {
        let text = event.encode();
        vars.get("message").is_some_and(|message| text.contains(message)) || !text.contains("siospec-")
    };
    let mut events = client.events_since(0, &expect.event).into_iter().filter(is_ours);
    events.find_map(|event| {
        let mismatch = expect.check(event.event_args(), vars).err()?;
        Some((event, mismatch))
    })
}
