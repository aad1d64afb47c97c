//! A GET for `{path}/?EIO=4&transport=polling` opens a session: status 200, content type `text/plain`, and a body that
//! begins with the open packet, `0{"sid":…}`.
//!
//! Clients poll first by default, so this is the first thing that a browser asks of the server. Where something else
//! answers (the application's 404, its page, a proxy's error page), the check says what it was. An answer without any
//! content type is lawful: the protocol has the receiver take it for text.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
    wire::{Handshake, Transport, WireError, engine, response::BodyKind},
};

pub const CHECK: Check = Check {
    id: "transport.polling-handshake",
    title: "A polling handshake at the path is answered with an open packet",
    level: Level::Must,
    row: Row::C3,
    cites: &[cite::EIO_HANDSHAKE, cite::EIO_HEADERS],
    needs: &[Need::PollingDeclared],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Browsers poll first: without this answer no client connects with its default settings.",
    fix: "Give the server and the client the same path, `new Server({ path: '/socket.io' })`, and see that the route \
          handler for `/socket.io/` is registered in the Nitro plugin (`nitroApp.router.use('/socket.io/', …)`), \
          before anything that answers every path.",
    effort: Effort::Minutes,
    faults: &[
        Fault::FirstHandshakesFail,
        Fault::HandshakeWrongContentType,
        Fault::NoPolling,
        Fault::RedirectsHandshake,
    ],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    look(probe).await?;
    super::expect_each_served(probe, Transport::Polling)
}

async fn look(probe: &Probe) -> Verdict {
    let endpoint = probe.endpoint("a");
    let url = endpoint.engine_url(Transport::Polling, None);
    let sent = format!("GET {url}");
    let finding = |reason: &'static str| {
        fail(reason).sent(&sent).expected("HTTP 200, text/plain, a body that begins with 0{\"sid\":…}")
    };
    let response = match endpoint.get(url.clone()).await {
        Ok(response) => response,
        // The target was there a moment ago, so this is the network's doing.
        Err(error @ (WireError::Connect(_) | WireError::Tls(_))) => return Err(Stop::Broken(error.message())),
        Err(error) => return finding("The polling handshake gets no answer").received(error).stop(),
    };
    let finding = |reason: &'static str| finding(reason).received(&response);
    if response.is_redirect() {
        return finding("The polling handshake is redirected").stop();
    }
    if matches!(response.status, 502..=504) {
        return finding("A proxy's error page answers the polling handshake").stop();
    }
    if response.kind() == BodyKind::Html {
        return finding("A web page answers the polling handshake: Socket.IO does not serve this path").stop();
    }
    if response.status == 404 {
        return finding("Nothing is found at the polling handshake's path").stop();
    }
    if response.status != 200 {
        return finding("The polling handshake is refused").stop();
    }
    let packets = engine::decode_payload(&response.text());
    let Ok([engine::Packet::Open(data), ..]) = packets.as_deref() else {
        return finding("The polling handshake's answer does not begin with an open packet").stop();
    };
    if Handshake::parse(data).is_err() {
        return finding("The open packet has no session id that clients could use").stop();
    }
    match response.media_type().as_str() {
        "text/plain" => Ok(()),
        "" => {
            probe.note("lawful choice: the polling handshake's answer has no Content-Type, and is taken for text");
            Ok(())
        }
        _ => finding("The polling handshake's answer has the wrong content type").stop(),
    }
}
