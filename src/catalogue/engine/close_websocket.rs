//! A close packet (`1`) on a WebSocket does not leave a connection behind that is neither served nor closed.
//!
//! The protocol says that the packet indicates that a transport can be closed, and not by whom or when. Servers differ:
//! most close the connection; Node ignores the packet and serves on, until the client closes; python-socketio ends the
//! session and closes the connection when the heartbeat would have failed. All three are lawful, and the latter two are
//! noted. What no server may do is to end the session and forget the connection: nothing would close it any more.
//!
//! So something is asked after the packet. If it is answered, the session goes on. If not, the connection must end by
//! `pingInterval` + 2 × `pingTimeout`; no heartbeat is answered, as by a client that has taken its leave.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Life, Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
    wire::{Heartbeats, Transport, WireError},
};

pub const CHECK: Check = Check {
    id: "engine.close-websocket",
    title: "A close packet on a WebSocket leaves no dead connection behind",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::EIO_PACKETS, cite::EIO_WEBSOCKET, cite::EIO_HEARTBEAT],
    needs: &[Need::WebSocket],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::DeadPeer,
    meaning: "Each client that says goodbye in this way leaves a connection open that belongs to no session, until the \
              server runs out of them.",
    fix: "Close the WebSocket where its session ends. In Nuxt, bind the engine to the crossws hook, whose connections it \
          then closes by itself; where something of your own handles `1`, let it call `peer.close()`.",
    effort: Effort::Hours,
    faults: &[Fault::CloseHoldsWebsocket],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let mut client = probe.open_with("a", Transport::WebSocket, Heartbeats::Ignored).await?;
    if let Err(error) = client.question(None).await {
        return Err(Stop::Broken(say!("before the close packet: {error} (see socket.unknown-namespace)", error)));
    }
    client.send_raw("1");
    match client.question(None).await {
        Ok(_) => {
            probe.note("lawful choice: a session on WebSocket goes on after a close packet, until the client closes");
            return Ok(());
        }
        Err(WireError::Closed(_)) => return Ok(()),
        Err(WireError::Timeout { .. }) => {}
        Err(error) => return Err(Stop::Broken(say!("after the close packet: {error}", error))),
    }
    let handshake = client.handshake();
    let limit = handshake.ping_interval() + 2 * handshake.ping_timeout() + probe.deadline();
    if let Life::Closed(_) = client.wait_end(limit).await? {
        probe.note("lawful choice: after a close packet, the WebSocket is closed only when its heartbeat fails");
        return Ok(());
    }
    client.show_life().await;
    fail("After a close packet, the WebSocket is neither served nor closed")
        .sent("1, then a message; no pong to any heartbeat")
        .received(say!("no answer, and no end of the connection within {limit}", limit))
        .expected("the end of the connection, or an answer")
        .stop()
}
