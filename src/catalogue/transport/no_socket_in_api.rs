//! No Engine.IO handshake is answered below `/api`: a socket server in an API route is one that is created anew by each
//! reload, or even each request.
//!
//! The usual places are tried, by polling and by upgrade. Only an open packet counts: an answer of any other kind is the
//! application's own business.

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Wait, cite},
    fault::Fault,
    message::data,
    probe::{Foreign, Probe, Stop, Verdict, fail, in_order, to_the_point},
    verdict::{Level, Row},
    wire::{EnginePacket, Frame, Transport, WireError, engine},
};

pub const CHECK: Check = Check {
    id: "transport.no-socket-in-api",
    title: "No API route answers as a Socket.IO server",
    level: Level::Must,
    row: Row::C7,
    cites: &[cite::CHECKLIST, cite::SIO_NUXT],
    needs: &[],
    requires: &[],
    isolation: Isolation::Last,
    effects: &[Effect::Endangers],
    wait: Wait::None,
    meaning: "Two socket servers run side by side: clients of one never hear what the other emits.",
    fix: "Make the one `Server` in `server/plugins/`, and delete the one in `server/api/` (or `server/routes/`).",
    effort: Effort::Minutes,
    faults: &[Fault::SocketInApi],
    run: |probe| Box::pin(run(probe)),
};

const PLACES: [&str; 4] = ["/api/socket.io", "/api/socketio", "/api/socket", "/api/ws"];

async fn run(probe: &Probe) -> Verdict {
    // What lies below the declared path is the one server, not a second one: Node serves every path with its prefix.
    let own = format!("{}/", probe.contract().path);
    let places = PLACES.iter().map(|place| format!("{}{place}", probe.contract().base));
    let places: Vec<_> = places.filter(|place| !format!("{place}/").starts_with(&own)).collect();
    if places.is_empty() {
        return Err(Stop::Skip(say!("the declared path, `{own}`, holds all places to look at", own)));
    }
    in_order(places.iter().map(|place| poll_at(probe, place))).await?;
    in_order(places.iter().map(|place| upgrade_at(probe, place))).await?;
    // Silence, and closed connections, are what a server that is gone has for everything.
    probe.serves_at_all_still().await.map(drop)
}

fn finding(how: &str, place: &str, got: &str) -> Verdict {
    fail(say!("{place} answers a Socket.IO handshake", place = data(place)))
        .sent(format!("{how} {place}/?EIO=4"))
        .received(data(got))
        .expected("anything but an open packet")
        .stop()
}

async fn poll_at(probe: &Probe, place: &str) -> Verdict {
    let endpoint = probe.endpoint(place);
    for url in [
        endpoint.engine_url_at(place, Transport::Polling, None),
        without_slash(endpoint.engine_url_at(place, Transport::Polling, None)),
    ] {
        match endpoint.get(url).await {
            Ok(response) => {
                let text = response.text();
                if matches!(engine::decode_payload(&text).as_deref(), Ok([EnginePacket::Open(data), ..]) if is_open(data))
                {
                    return finding("GET", place, &text);
                }
                to_the_point(data(place), response)?;
            }
            // No answer is no socket server either.
            Err(WireError::Timeout { .. } | WireError::Closed(_) | WireError::Malformed(_)) => {}
            Err(error) => return Err(Stop::Broken(say!("{place}: {error}", place = data(place), error))),
        }
    }
    Ok(())
}

async fn upgrade_at(probe: &Probe, place: &str) -> Verdict {
    let endpoint = probe.endpoint(place);
    let url = endpoint.engine_url_at(place, Transport::WebSocket, None);
    match probe.upgrade_elsewhere(&endpoint, &url).await? {
        Foreign::Refused(response) => drop(to_the_point(data(place), response)?),
        Foreign::EndedBehind | Foreign::Closed | Foreign::Silence(_) => {}
        // Only silence keeps this waiting.
        Foreign::Accepted(mut socket) => {
            if let Ok(Frame::Text(text)) = socket.receive(probe.deadline()).await
                && matches!(EnginePacket::decode(&text), Ok(EnginePacket::Open(data)) if is_open(&data))
            {
                return finding("upgrade at", place, &text);
            }
        }
    }
    Ok(())
}

fn is_open(data: &str) -> bool {
    engine::Handshake::parse(data).is_ok()
}

fn without_slash(mut url: url::Url) -> url::Url {
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    url
}
