//! What a REST call emits reaches connected clients only: a connection that never sent a CONNECT, and so never showed a
//! token, gets nothing.
//!
//! An Engine.IO session can be opened by anybody; it is the CONNECT that is judged. Once a connected client has the
//! event, the others' connections are fenced: whatever the server sent to them before, they have by then. The rule holds
//! where guests are let in, too: they send a CONNECT as well.

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Stop, Verdict, fail, is_expected},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "rest.emit-authenticated-only",
    title: "A REST call's event does not reach connections without a CONNECT",
    level: Level::Must,
    row: Row::C11,
    cites: &[cite::SIO_CONNECT, cite::SIO_MIDDLEWARES, cite::CHECKLIST],
    needs: &[Need::Connect, Need::Rest],
    requires: &["rest.response", "rest.emit-once"],
    isolation: Isolation::Notifications,
    effects: &[Effect::Broadcasts],
    wait: Wait::None,
    meaning: "Anybody who opens a connection can read these events, without any token.",
    fix: "Emit on the Socket.IO server or a namespace, `globalThis.io.emit(…)`: that reaches those whom `io.use()` let \
          in. Never write to `io.engine.clients` or to crossws peers.",
    effort: Effort::Minutes,
    faults: &[Fault::RestEmitsBeforeConnect],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let rest = probe.rest()?;
    let mut client = probe.client("a", probe.transport()).await?;
    let mut strangers = Vec::new();
    for transport in probe.transports() {
        strangers.push(probe.open("stranger", transport).await?);
    }
    let (message, vars) = super::message(probe)?;
    let from = client.mark();
    probe.notify(&message).await?;
    if client.wait_expected(from, &rest.event, &vars).await?.is_none() {
        let event = &rest.event.event;
        return Err(Stop::Broken(say!("no `{event}` at the connected client in time (see rest.emit-once)", event)));
    }
    for stranger in &mut strangers {
        stranger.fence().await?;
        stranger.take_notes(probe);
        if let Some(heard) = stranger.since(0).iter().find(|packet| is_expected(packet, &rest.event, &vars)) {
            return fail(say!(
                "A connection without a CONNECT hears a REST call's event over {transport}",
                transport = stranger.transport()
            ))
            .sent(super::on_wire(rest, &vars))
            .received(say!("at the connection without a CONNECT: 4{heard}", heard = heard.encode()))
            .expected("nothing on that connection")
            .stop();
        }
    }
    Ok(())
}
