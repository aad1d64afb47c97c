//! A second CONNECT to a namespace that the connection is already connected to makes no second client of it.
//!
//! Node's server closes the connection. The protocol's text does not say what to do, so ignoring it or answering by a
//! CONNECT_ERROR is a lawful choice. A second CONNECT reply is a finding of the level SHOULD: the client has two ids now.
//! Where each `ping` is answered twice from then on, everything that this user does happens twice, and that is a failure.

use super::{END, heard};
use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    contract::Vars,
    fault::Fault,
    probe::{Life, Probe, Verdict, fail, in_order, on_wire},
    verdict::{Level, Row},
    wire::{SocketPacket, Transport, socket::Kind},
};

pub const CHECK: Check = Check {
    id: "socket.second-connect",
    title: "A second CONNECT on one namespace makes no second client",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::SIO_CONNECT],
    needs: &[Need::Connect],
    requires: &[
        "auth.valid-token",
        "socket.connect-reply-once",
        "events.ping-pong",
        "events.ping-pong-private",
        "reconnect.parallel-clients",
    ],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Malformed],
    wait: Wait::None,
    meaning: "One connection counts as several users: events are handled twice, and whoever counts clients counts wrong.",
    fix: "Serve Socket.IO by the package `socket.io` 4, which closes such a connection by itself. With packets of one's \
          own on `engine.on('connection')`, close it there: `if (nsps.has(name)) socket.close()`.",
    effort: Effort::Hours,
    faults: &[Fault::AcceptsSecondConnect, Fault::SecondConnectDoublesEvents],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let transports = probe.transports();
    in_order(transports.into_iter().map(|transport| connects_twice(probe, transport))).await.map(drop)
}

async fn connects_twice(probe: &Probe, transport: Transport) -> Verdict {
    let namespace = &probe.contract().namespace;
    let user = probe.user("a");
    let credentials = probe.payload(probe.credentials(&user).await?);
    let mut client = probe.client_of(&user, &format!("a ({transport})"), transport).await?;
    let mark = client.mark();
    client.send(&SocketPacket::connect(namespace, credentials));
    if client.wait_end(probe.deadline()).await? != Life::Open {
        return probe.takes_events(transport).await;
    }
    let answers = heard(probe, &client, mark);
    let is_reply = |packet: &SocketPacket| packet.kind == Kind::Connect && packet.namespace == *namespace;
    let accepted = client.since(mark).iter().any(is_reply);

    if let Some(ping) = &probe.contract().ping {
        let from = client.mark();
        client.emit(&ping.emit, &Vars::new());
        let _ = client.wait_event(from, &ping.reply).await?;
        let life = client.life().await?;
        client.take_notes(probe);
        let pongs = client.events_since(from, &ping.reply).len();
        if life == Life::Open && pongs > 1 {
            return fail(say!(
                "After a second CONNECT over {transport}, one event is handled {pongs} times",
                transport,
                pongs
            ))
            .sent(say!(
                "CONNECT to {namespace}, twice; then {ping}, once",
                namespace,
                ping = on_wire(namespace, &ping.emit, &Vars::new())
            ))
            .received(say!("{pongs} × `{reply}`", pongs, reply = ping.reply))
            .expected(END)
            .stop();
        }
    }
    if accepted {
        return fail(say!("A second CONNECT is accepted over {transport}", transport))
            .at(Level::Should)
            .sent(say!("CONNECT to {namespace}, to which the client is connected", namespace))
            .received(answers)
            .expected(END)
            .stop();
    }
    probe.note("lawful choice: a second CONNECT is not accepted, and the connection stays open");
    Ok(())
}
