//! An upgrade request at the path gets 101, and then the open packet arrives on the WebSocket.
//!
//! A server that answers 101 and then stays silent has its own message: Nitro with the flag
//! `experimental.websocket` answers so on any path that no hook claims, so the 101 proves nothing.

use reqwest::header::HeaderMap;

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
    wire::{EnginePacket, Frame, Handshake, Transport, Upgrade, WebSocket, WireError},
};

pub const CHECK: Check = Check {
    id: "transport.websocket-handshake",
    title: "A WebSocket handshake at the path is answered with an open packet",
    level: Level::Must,
    row: Row::C8,
    cites: &[cite::EIO_WEBSOCKET, cite::EIO_HANDSHAKE, cite::RFC6455_4],
    needs: &[Need::WebSocketDeclared],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Clients stay on polling, or, where they are set to WebSocket only, never connect.",
    fix: "Socket.IO did not get the HTTP server's `upgrade` event. In Nuxt, bind an engine.io `Engine` to both Nitro's \
          router and the crossws `websocket` hook (`nitro.experimental.websocket: true`); `h3App.server` and \
          `h3App.nodeServer` are undefined there. Behind a proxy, let it pass `Upgrade` and `Connection`.",
    effort: Effort::Hours,
    faults: &[Fault::FirstHandshakesFail, Fault::WebsocketSilent],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    look(probe).await?;
    super::expect_each_served(probe, Transport::WebSocket)
}

async fn look(probe: &Probe) -> Verdict {
    let endpoint = probe.endpoint("a");
    let url = endpoint.engine_url(Transport::WebSocket, None);
    let finding = |reason: &'static str| {
        fail(reason).sent(say!("GET {url} with Upgrade: websocket", url)).expected(said!("HTTP 101, then 0{\"sid\":…}"))
    };
    let mut socket = match WebSocket::open(&endpoint, url.clone(), HeaderMap::new()).await {
        Ok(Upgrade::Accepted(socket)) => socket,
        Ok(Upgrade::Refused(response)) => {
            return finding("The upgrade to WebSocket is refused").received(response).stop();
        }
        // The target was there a moment ago, so this is the network's doing.
        Err(error @ (WireError::Connect(_) | WireError::Tls(_))) => return Err(Stop::Broken(error.message())),
        Err(error) => return finding("The upgrade to WebSocket gets no proper answer").received(error).stop(),
    };
    match socket.receive(probe.deadline()).await {
        Ok(Frame::Text(text)) => match EnginePacket::decode(&text) {
            Ok(EnginePacket::Open(data)) if Handshake::parse(&data).is_ok() => Ok(()),
            Ok(EnginePacket::Open(_)) => {
                let reason = "The open packet has no session id that clients could use";
                finding(reason).received(say!("101, then {text}", text)).stop()
            }
            _ => finding("What comes first is no open packet").received(say!("101, then {text}", text)).stop(),
        },
        Ok(Frame::Closed(how)) => {
            finding("The WebSocket is closed before the open packet").received(say!("101, then {how}", how)).stop()
        }
        Ok(frame) => finding("What comes first is no open packet").received(say!("101, then {frame}", frame)).stop(),
        Err(WireError::Timeout { .. }) => {
            finding("101, then silence: something accepts the WebSocket, but it is not Socket.IO")
                .received(say!("101, then nothing for {time}", time = probe.deadline()))
                .stop()
        }
        Err(error) => finding("The WebSocket breaks before the open packet").received(error).stop(),
    }
}
