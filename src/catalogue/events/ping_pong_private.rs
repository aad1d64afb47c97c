//! The answer to a client's `ping` goes to that client alone.
//!
//! One client pings while others, one on each transport, listen. Once the pongs are there, the listeners' connections
//! are fenced: whatever the server sent to them before, they have by then.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    contract::Vars,
    fault::Fault,
    probe::{Probe, Stop, Verdict, fail, on_wire},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "events.ping-pong-private",
    title: "pong goes to the client that sent ping, and to nobody else",
    level: Level::Must,
    row: Row::C12,
    cites: &[cite::CHECKLIST, cite::SIO_BROADCAST],
    needs: &[Need::Connect, Need::Ping],
    requires: &["events.ping-pong"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Each client takes the answers to all others for its own: a dead handler goes unseen, and n clients cause \
              n² messages.",
    fix: "Answer the socket that asked: `socket.on('ping', () => socket.emit('pong'))`, not `io.emit('pong')`.",
    effort: Effort::Minutes,
    faults: &[Fault::BroadcastsPong],
    run: |probe| Box::pin(run(probe)),
};

const PINGS: usize = 2;

async fn run(probe: &Probe) -> Verdict {
    let ping = probe.ping()?;
    let mut sender = probe.client("sender", probe.transport()).await?;
    let mut listeners = probe.clients("listener", &probe.transports()).await?;
    for _ in 0..PINGS {
        let from = sender.mark();
        sender.emit(&ping.emit, &Vars::new());
        if sender.wait_event(from, &ping.reply).await?.is_none() {
            let (event, reply) = (&ping.emit.event, &ping.reply);
            return Err(Stop::Broken(say!("`{event}` got no `{reply}` in time (see events.ping-pong)", event, reply)));
        }
    }
    for listener in &mut listeners {
        listener.fence().await?;
        listener.take_notes(probe);
        let heard = listener.events_since(0, &ping.reply);
        if let Some(pong) = heard.first() {
            let transport = listener.transport();
            return fail(say!(
                "`{reply}` also goes to a client that sent nothing, over {transport}",
                reply = ping.reply,
                transport
            ))
            .sent(say!(
                "{ping} ({pings} times, by another client)",
                ping = on_wire(&probe.contract().namespace, &ping.emit, &Vars::new()),
                pings = PINGS
            ))
            .received(say!(
                "at the client that sent nothing: {count} × 4{pong}",
                count = heard.len(),
                pong = pong.encode()
            ))
            .expected(say!("no `{reply}` there", reply = ping.reply))
            .stop();
        }
    }
    Ok(())
}
