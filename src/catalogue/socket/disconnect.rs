//! A client that has left the namespace by DISCONNECT (`41`) is out: its events are not handled any more.
//!
//! The declared `ping` is sent after it, and must not be answered. Whether the connection itself then ends is the server's
//! choice: Node's keeps it for a while, and closes it when an event comes.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    contract::Vars,
    fault::Fault,
    probe::{Probe, Verdict, fail, on_wire},
    verdict::{Level, Row},
    wire::{SocketPacket, socket::Kind},
};

pub const CHECK: Check = Check {
    id: "socket.disconnect",
    title: "After DISCONNECT, a client's events are not handled",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::SIO_DISCONNECT, cite::SIO_CONNECT],
    needs: &[Need::Connect, Need::Ping],
    requires: &[
        "auth.valid-token",
        "socket.connect-reply-once",
        "events.ping-pong",
        "events.ping-pong-private",
        "reconnect.parallel-clients",
    ],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Users who have logged out still act, and still count as present.",
    fix: "Serve Socket.IO by the package `socket.io`, and register handlers on the `socket` of `io.on('connection')`, \
          not on the engine's connection, whose handlers outlive the namespace.",
    effort: Effort::Hours,
    faults: &[Fault::IgnoresDisconnect],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let ping = probe.ping()?;
    let namespace = &probe.contract().namespace;
    for transport in probe.transports() {
        let mut client = probe.client(&format!("a ({transport})"), transport).await?;
        let disconnect = SocketPacket::new(Kind::Disconnect, namespace);
        client.send(&disconnect);
        let mark = client.mark();
        // Asked whatever came back: a server may answer with a DISCONNECT of its own, and handle events all the same.
        client.life().await?;
        client.emit(&ping.emit, &Vars::new());
        client.life().await?;
        client.take_notes(probe);
        if let Some(pong) = client.events_since(mark, &ping.reply).first() {
            return fail(say!("An event is handled after DISCONNECT, over {transport}", transport))
                .sent(say!(
                    "4{disconnect}; then {ping}",
                    disconnect = disconnect.encode(),
                    ping = on_wire(namespace, &ping.emit, &Vars::new())
                ))
                .received(format!("4{}", pong.encode()))
                .expected("no answer, or the end of the connection")
                .stop();
        }
        probe.takes_events(transport).await?;
    }
    Ok(())
}
