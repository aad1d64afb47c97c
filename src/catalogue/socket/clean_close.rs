//! When a client closes its WebSocket by a close frame, the server completes the close: by a close frame of its own, or at
//! least by the end of the connection.
//!
//! This is how `socket.disconnect()` and a closed tab end. A server, or a proxy, that does not answer keeps the connection
//! until something times out.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Stop, Verdict, fail, unasked},
    verdict::{Level, Row},
    wire::{EnginePacket, Frame, Session, SocketPacket, Transport, WebSocket, WireError},
};

pub const CHECK: Check = Check {
    id: "socket.clean-close",
    title: "A client's close frame completes the close",
    level: Level::Should,
    row: Row::P,
    cites: &[cite::RFC6455_5_5_1, cite::RFC6455_7_1_2],
    needs: &[Need::WebSocket],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Connections of users who have left pile up, and clients that wait for the close hang on to them.",
    fix: "Let the WebSocket library answer close frames by itself: `ws` and crossws do, unless the socket underneath is \
          written to directly. A proxy in front must pass frames on (nginx: `proxy_http_version 1.1` and the `Upgrade` \
          headers), not end the upgrade itself.",
    effort: Effort::Hours,
    faults: &[Fault::IgnoresCloseFrame],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let broken = |error: WireError| Stop::Broken(say!("{error} (see transport.websocket-handshake)", error));
    let (mut socket, _) = Session::websocket_handshake(&probe.endpoint("a")).await.map_err(broken)?;
    // A connection that closes whatever it is sent proves nothing.
    if probe.served(Transport::WebSocket).await?.answers_unknown_namespaces() {
        let asked = ask(probe, &mut socket).await;
        asked.map_err(|error| unasked(Transport::WebSocket, &error))?;
    }
    socket.send_close().await.map_err(broken)?;
    let end = probe.in_time();
    loop {
        let left = end.saturating_duration_since(tokio::time::Instant::now());
        match socket.receive(left).await {
            Ok(Frame::Closed(_)) => return Ok(()),
            // Sent before the close frame arrived.
            Ok(_) => {}
            Err(_) => {
                return fail("A client's close frame is not answered, and the connection stays open")
                    .sent("a close frame on an open WebSocket")
                    .received(say!("nothing more within {time}", time = probe.deadline()))
                    .expected("a close frame, or the end of the connection")
                    .stop();
            }
        }
    }
}

/// Sends a CONNECT to a namespace that does not exist, and waits for the answer.
async fn ask(probe: &Probe, socket: &mut WebSocket) -> Result<(), WireError> {
    let namespace = format!("/{}", probe.nonce("nowhere"));
    socket.send_packet(&EnginePacket::Message(SocketPacket::connect(&namespace, None).encode())).await?;
    let end = probe.in_time();
    loop {
        let left = end.saturating_duration_since(tokio::time::Instant::now());
        match socket.receive(left).await? {
            Frame::Closed(how) => return Err(WireError::Closed(how)),
            Frame::Text(text) if text.contains(&namespace) => return Ok(()),
            _ => {}
        }
    }
}
