//! A session that is opened by one TCP connection can be carried on by another: where several nodes share the load, all
//! requests of a session reach the node that knows it.
//!
//! Twelve sessions are opened by polling, one after the other. Each handshake, and the request that follows it, has a TCP
//! connection of its own, which is closed afterwards: kept connections hide a balancer that forgets. Cookies are kept, as
//! by every browser. A session that is answered 400 was not known to whoever answered; where it is a moment later, each time that
//! it is asked for, the word of it was still on its way between workers, and that is a note.
//!
//! Stickiness by the client's address cannot be told from a single node: all requests come from this machine.

use bytes::Bytes;
use reqwest::{Method, header::HeaderMap};
use tokio::time::sleep;

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    message::{data, word},
    probe::{Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
    wire::{
        Endpoint, EnginePacket, Handshake, HttpResponse, Polling, SocketPacket, Transport, WireError, YOUNG, engine,
    },
};

pub const CHECK: Check = Check {
    id: "deploy.sticky-sessions",
    title: "A session goes on over a new TCP connection",
    level: Level::Must,
    row: Row::D,
    cites: &[cite::SIO_NODES],
    needs: &[Need::Polling],
    requires: &["transport.polling-handshake"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Clients connect and lose their connection at once, over and over: each request lands on another node, which \
              has never heard of the session. It works on one developer's machine, and with one node.",
    fix: "Let the balancer send all requests of a client to one node: in nginx `ip_hash;` or `hash $remote_addr \
          consistent;` in the `upstream`; elsewhere a cookie, which clients of another origin send by \
          `withCredentials: true` only. Processes of one machine (PM2, `cluster`) need `@socket.io/sticky`. Or do without \
          polling, on the server and on every client: `transports: ['websocket']`.",
    effort: Effort::Days,
    faults: &[Fault::SessionsStickToConnections],
    run: |probe| Box::pin(run(probe)),
};

const SESSIONS: usize = 12;
/// How often a session is asked for that was not known at first: enough for a balancer that goes by turns to show.
const ASKED_LATER: usize = 4;

async fn run(probe: &Probe) -> Verdict {
    // One after the other: side by side, a balancer that deals out connections in turn might meet the right node each time.
    let mut lost = Vec::new();
    for number in 1..=SESSIONS {
        if let Some(answer) = carried_on(probe, &number.to_string()).await? {
            lost.push(answer);
        }
    }
    let Some(answer) = lost.first() else { return probe.served(Transport::Polling).await.map(drop) };
    fail(say!(
        "{count} of {sessions} sessions are unknown to the next TCP connection",
        count = lost.len(),
        sessions = SESSIONS
    ))
    .extent(lost.len(), SESSIONS)
    .sent("a polling handshake, then a POST with the new session's sid on another TCP connection")
    .received(answer)
    .expected(word("HTTP 200, ok"))
    .stop()
}

/// Opens a session and sends a packet on it; the answer by which it turns out to be lost.
async fn carried_on(probe: &Probe, label: &str) -> Result<Option<HttpResponse>, Stop> {
    let endpoint = probe.endpoint(label).taking_first_answers();
    let broken = |error: WireError| Stop::Broken(say!("session {label}: {error}", label = data(label), error));
    let url = endpoint.engine_url(Transport::Polling, None);
    let opened = endpoint.send_apart(Method::GET, url, HeaderMap::new(), None).await.map_err(broken)?;
    let Some(handshake) = handshake(&opened) else {
        return Err(Stop::Broken(say!(
            "session {label}: the handshake was answered {opened} (see transport.polling-handshake)",
            label = data(label),
            opened
        )));
    };

    let packet = SocketPacket::connect(&format!("/{}", probe.nonce("sticky")), None);
    let body = Bytes::from(EnginePacket::Message(packet.encode()).encode());
    let post = async || {
        let url = endpoint.engine_url(Transport::Polling, Some(&handshake.sid));
        let headers = Endpoint::content_type("text/plain;charset=UTF-8");
        endpoint.send_apart(Method::POST, url, headers, Some(body.clone())).await.map_err(broken)
    };
    let answer = post().await?;
    if answer.misses_session() {
        // What is on its way between workers has arrived by then, for whoever asks.
        sleep(YOUNG).await;
        for _ in 0..ASKED_LATER {
            if !post().await?.is_success() {
                return Ok(Some(answer));
            }
        }
        probe.note(say!(
            "a session was not known to the next TCP connection at first, and {time} later it was, as between the workers of \
             @socket.io/sticky: clients that go on by another connection at once may lose it",
            time = YOUNG
        ));
    } else if !answer.is_success() {
        return Err(Stop::Broken(say!("session {label}: its POST was answered {answer}", label = data(label), answer)));
    }
    // Nobody needs it any more; whether the target takes note is judged elsewhere.
    let _ = Polling::new(&endpoint, &handshake.sid).push(&[EnginePacket::Close]).await;
    Ok(None)
}

fn handshake(response: &HttpResponse) -> Option<Handshake> {
    match engine::decode_payload(&response.text()).ok()?.into_iter().next()? {
        EnginePacket::Open(data) if response.status == 200 => Handshake::parse(&data).ok(),
        _ => None,
    }
}
