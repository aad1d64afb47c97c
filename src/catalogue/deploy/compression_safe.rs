//! Which messages the deployment compresses: polling answers by gzip, WebSocket messages by permessage-deflate.
//!
//! For information. Both are offered, as browsers do. Polling answers are compressed by Node's socket.io from one
//! kilobyte on, so a long one is made: the refusal of a CONNECT to a namespace with a long name. This one is noted only,
//! since each answer is compressed by itself. permessage-deflate is off by default in Socket.IO, and a finding: one
//! dictionary for a whole connection lets whoever can put text into it (a room message) guess at what else goes over it
//! from the length of the encrypted messages, and it takes memory for every connection.

use reqwest::{
    Method,
    header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, SEC_WEBSOCKET_EXTENSIONS},
};

use crate::{
    catalogue::{Check, Effort, Isolation, Wait, cite},
    fault::Fault,
    message::{data, word},
    probe::{Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
    wire::{EnginePacket, Polling, Session, SocketPacket, Transport, Upgrade, WebSocket, WireError},
};

pub const CHECK: Check = Check {
    id: "deploy.compression-safe",
    title: "WebSocket messages are not compressed",
    level: Level::May,
    row: Row::D,
    cites: &[cite::SIO_DEFLATE, cite::RFC7692_10],
    needs: &[],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "An attacker who can observe the encrypted connection and put text into it learns from message lengths \
              what else it carries; and each connection takes up to some hundred kilobytes more of memory.",
    fix: "Leave `perMessageDeflate` out of `new Server({ … })`, or keep it for deployments that send large public texts \
          only; with `serverNoContextTakeover: true` messages at least share no dictionary.",
    effort: Effort::Minutes,
    faults: &[Fault::CompressesWebsocket],
    run: |probe| Box::pin(run(probe)),
};

/// Characters of the namespace that makes an answer long.
const LONG: usize = 2_000;

const OFFER: &str = "permessage-deflate; client_max_window_bits";

async fn run(probe: &Probe) -> Verdict {
    let transports = probe.transports();
    if transports.contains(&Transport::Polling) {
        match polling_encoding(probe).await? {
            Some(encoding) => {
                probe.note(say!("polling answers are compressed by {encoding}, as is Node's default", encoding))
            }
            None => probe.note("polling answers are not compressed"),
        }
        // Only what is answered could have been compressed.
        probe.served(Transport::Polling).await?;
    }
    if !transports.contains(&Transport::WebSocket) {
        return Ok(());
    }
    let endpoint = probe.endpoint("WebSocket");
    let url = endpoint.engine_url(Transport::WebSocket, None);
    let offer = HeaderMap::from_iter([(SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(OFFER))]);
    let socket = match WebSocket::open(&endpoint, url, offer).await {
        Ok(Upgrade::Accepted(socket)) => socket,
        Ok(Upgrade::Refused(response)) => {
            return Err(Stop::Broken(say!("an upgrade that offers compression is answered {response}", response)));
        }
        Err(error) => return Err(Stop::Broken(say!("an upgrade that offers compression: {error}", error))),
    };
    // Nothing is read from it: this client could not inflate it.
    if socket.extensions().is_empty() {
        return Ok(());
    }
    fail("WebSocket messages are compressed")
        .sent(say!("an upgrade with Sec-WebSocket-Extensions: {offer}", offer = word(OFFER)))
        .received(say!("HTTP 101, Sec-WebSocket-Extensions: {extensions}", extensions = data(socket.extensions())))
        .expected("HTTP 101 without an extension")
        .stop()
}

/// By what a long polling answer is compressed, if at all.
async fn polling_encoding(probe: &Probe) -> Result<Option<String>, Stop> {
    let endpoint = probe.endpoint("polling");
    let broken = |error: WireError| Stop::Broken(say!("the session: {error}", error));
    let (handshake, _) = Session::polling_handshake(&endpoint).await.map_err(broken)?;
    let polling = Polling::new(&endpoint, &handshake.sid);
    let long = format!("/{}{}", probe.nonce("long"), "x".repeat(LONG));
    polling.push(&[EnginePacket::Message(SocketPacket::connect(&long, None).encode())]).await.map_err(broken)?;
    let url = endpoint.engine_url(Transport::Polling, Some(&handshake.sid));
    let accepts = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("gzip, deflate"))]);
    let answer = endpoint.send(Method::GET, url, accepts, None, probe.deadline()).await.map_err(broken)?;
    let _ = polling.push(&[EnginePacket::Close]).await;
    Ok(Some(answer.header("content-encoding").to_owned()).filter(|encoding| !encoding.is_empty()))
}
