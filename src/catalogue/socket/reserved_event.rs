//! The names that the library keeps for itself (`connect`, `connect_error`, `disconnect`, `disconnecting`, `newListener`,
//! `removeListener`) reach no handler when a client sends them as events.
//!
//! Node's server closes the connection; ignoring the event is a lawful choice. Where the connection stays open, an
//! acknowledgement shows that a handler was reached, and so does a `ping` that is no longer answered once: the handlers
//! of `disconnect` have taken the client for gone, or those of `connect` have run again.

use futures::{StreamExt, TryStreamExt, stream};

use super::{AT_ONCE, END, is_ack};
use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    contract::Vars,
    fault::Fault,
    message::{Joint, Message, list, word},
    probe::{Life, Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
    wire::{SocketPacket, Transport, WireError},
};

pub const CHECK: Check = Check {
    id: "socket.reserved-event",
    title: "Reserved event names reach no handler",
    level: Level::Should,
    row: Row::P,
    cites: &[cite::SIO_RESERVED],
    needs: &[Need::Connect],
    requires: &["auth.valid-token", "events.ping-pong", "events.ping-pong-private", "reconnect.parallel-clients"],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Malformed],
    wait: Wait::None,
    meaning: "A client can make the server believe that it has left, and go on reading; or have it greeted twice.",
    fix: "Serve Socket.IO by an up-to-date `socket.io` (`npm update socket.io socket.io-parser`), which closes such \
          connections. A `parser` of one's own must throw in its Decoder for these names.",
    effort: Effort::Minutes,
    faults: &[Fault::HandlesReservedEvents],
    run: |probe| Box::pin(run(probe)),
};

const NAMES: [&str; 6] = ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// The acknowledgement id that goes along.
const ID: u64 = 17;

/// A name that reached a handler, and how that shows.
struct Reached {
    name: &'static str,
    transport: Transport,
    sign: Message,
}

async fn run(probe: &Probe) -> Verdict {
    let transports = probe.transports();
    let tries = NAMES.into_iter().flat_map(|name| transports.iter().map(move |transport| (name, *transport)));
    let exchanges: Vec<_> = tries.map(|(name, transport)| send(probe, name, transport)).collect();
    let tried: Vec<Option<Reached>> = stream::iter(exchanges).buffered(probe.at_once(AT_ONCE)).try_collect().await?;
    let reached: Vec<Reached> = tried.into_iter().flatten().collect();
    let Some(first) = reached.first() else { return Ok(()) };
    let names =
        reached.iter().map(|one| say!("`{name}` ({transport})", name = word(one.name), transport = one.transport));
    fail(say!("Events of a reserved name reach a handler: {names}", names = list(names, Joint::Comma)))
        .sent(say!("{event} over {transport}", event = event(probe, first.name), transport = first.transport))
        .received(&first.sign)
        .expected(say!("nothing, or {end}", end = END))
        .stop()
}

fn event(probe: &Probe, name: &str) -> String {
    super::packet(probe, "2", &format!("{ID}[\"{name}\"]"))
}

/// Sends the event, and looks for signs of a handler. None where the connection is closed for it.
async fn send(probe: &Probe, name: &'static str, transport: Transport) -> Result<Option<Reached>, Stop> {
    let mut client = probe.client(&format!("{name} ({transport})"), transport).await?;
    let namespace = &probe.contract().namespace;
    let reached = |sign: Message| Ok(Some(Reached { name, transport, sign }));
    let mark = client.mark();
    client.send_raw(event(probe, name));
    if client.life().await? != Life::Open {
        probe.takes_events(transport).await?;
        return Ok(None);
    }
    client.take_notes(probe);
    if let Some(ack) = client.since(mark).iter().find(|packet| is_ack(packet, namespace, ID)) {
        return reached(say!("an acknowledgement: 4{ack}", ack = ack.encode()));
    }
    probe.note("lawful choice: events of a reserved name are ignored, and the connection lives");
    let Some(ping) = &probe.contract().ping else {
        probe.note("judged by acknowledgements alone: the contract declares no ping");
        return Ok(None);
    };
    let mark = client.mark();
    client.emit(&ping.emit, &Vars::new());
    let is_pong =
        |packet: &SocketPacket| packet.namespace == *namespace && packet.event_name() == Some(ping.reply.as_str());
    match client.wait("pong", mark, probe.in_time(), is_pong).await {
        Ok(_) => {}
        Err(WireError::Timeout { .. }) => {
            return reached(say!(
                "a `{event}` after it gets no `{reply}`",
                event = ping.emit.event,
                reply = ping.reply
            ));
        }
        Err(error) => return client.ended_by(error).map(|_| None),
    }
    let life = client.life().await?;
    match client.events_since(mark, &ping.reply).len() {
        pongs @ 2.. if life == Life::Open => reached(say!(
            "one `{event}` after it gets {pongs} × `{reply}`",
            event = ping.emit.event,
            pongs,
            reply = ping.reply
        )),
        _ => Ok(None),
    }
}
