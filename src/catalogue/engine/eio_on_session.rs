//! A request of a known session that says another version of the protocol (`EIO=3`, `EIO=5`), or none, is refused: GET and
//! POST by 400, an upgrade by a refusal or by the end of the connection.
//!
//! `EIO` is mandatory in every request (Engine.IO v4, "Protocol": a missing mandatory parameter is 400), and a session has one
//! version. Each request goes to a session of its own, which was seen to be served just before: a server may end a session
//! because of such a request.

use futures::future::join_all;
use url::Url;

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    message::{Message, data},
    probe::{Client, Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
    wire::{Endpoint, Polling, Session, Transport, Upgrade, WebSocket, WireError},
};

pub const CHECK: Check = Check {
    id: "engine.eio-on-session",
    title: "A request of a session that says another version of Engine.IO is refused",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::EIO_QUERY, cite::EIO_WEBSOCKET],
    needs: &[Need::Polling],
    requires: &["transport.polling-handshake"],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Malformed],
    wait: Wait::None,
    meaning: "A client of another version, or a proxy that rewrites the query, is served in the middle of a session whose \
              framing it does not know: packets are cut in the wrong places instead of an error that names the version.",
    fix: "Leave the query to the package `socket.io` 4, which compares `EIO` with the session's: no router or proxy in front \
          may drop or rewrite it, and a server of your own looks at it in every request.",
    effort: Effort::Hours,
    faults: &[Fault::ServesSessionAnyEio, Fault::HangsBadUpgrade],
    run: |probe| Box::pin(run(probe)),
};

/// The versions that are said.
const VERSIONS: [Option<&str>; 3] = [Some("3"), Some("5"), None];

async fn run(probe: &Probe) -> Verdict {
    let upgrades = probe.transports().contains(&Transport::WebSocket);
    let looks = VERSIONS.into_iter().map(|version| async move {
        let upgraded = async { if upgrades { upgrade(probe, version).await } else { Ok(()) } };
        let (got, posted, upgraded) = tokio::join!(get(probe, version), post(probe, version), upgraded);
        [got, posted, upgraded]
    });
    let mut aside = Ok(());
    for verdict in join_all(looks).await.into_iter().flatten() {
        super::set_aside(&mut aside, verdict)?;
    }
    aside
}

/// What is sent, as the beginning of a sentence.
fn named(method: &'static str, version: Option<&str>) -> Message {
    match version {
        Some(version) => say!("{method} of a session with `EIO={version}`", method, version = data(version)),
        None => say!("{method} of a session without `EIO`", method),
    }
}

/// A session to be refused, and one beside it that tells whether sessions are lost by themselves.
struct Pair {
    endpoint: Endpoint,
    sid: String,
    witness: Client,
}

impl Pair {
    async fn open(probe: &Probe, label: &str) -> Result<Pair, Stop> {
        // A client, which answers its heartbeats: the looks may take longer than a session lives without.
        let mut witness = probe.open("witness", Transport::Polling).await?;
        let asked = witness.round_trip(None).await;
        asked.map_err(|error| Stop::Broken(say!("a POST with EIO=4, to compare with: {error}", error)))?;
        let (endpoint, sid) = served(probe, label).await?;
        Ok(Pair { endpoint, sid, witness })
    }

    /// A refusal counts where a session of the same age is served still.
    async fn still_served(mut self) -> Verdict {
        let asked = self.witness.round_trip(None).await;
        asked.map_err(|error| {
            Stop::Broken(say!("a session beside it, with EIO=4, is not served any more: {error}", error))
        })
    }
}

/// A session that was just served: a POST that asks something was taken, so that a poll has something to bring.
async fn served(probe: &Probe, label: &str) -> Result<(Endpoint, String), Stop> {
    let endpoint = probe.endpoint(label);
    let session = Session::polling_handshake(&endpoint).await;
    let (handshake, _) = session
        .map_err(|error| Stop::Broken(say!("no polling session: {error} (see transport.polling-handshake)", error)))?;
    let asked = Polling::new(&endpoint, &handshake.sid).push(&[super::question(&probe.nonce("question"))]).await;
    asked.map_err(|error| Stop::Broken(say!("a POST with EIO=4, to compare with: {error}", error)))?;
    Ok((endpoint, handshake.sid))
}

fn url(endpoint: &Endpoint, transport: Transport, sid: &str, version: Option<&str>) -> Url {
    let mut url = super::handshake_url(endpoint, transport, "EIO", version);
    url.query_pairs_mut().append_pair("sid", sid);
    url
}

async fn get(probe: &Probe, version: Option<&str>) -> Verdict {
    let pair = Pair::open(probe, "GET").await?;
    let url = url(&pair.endpoint, Transport::Polling, &pair.sid, version);
    let answer = pair.endpoint.get(url.clone()).await;
    super::expect_bad_request(probe, &named("A GET", version), &format!("GET {url}"), answer).await?;
    pair.still_served().await
}

async fn post(probe: &Probe, version: Option<&str>) -> Verdict {
    let pair = Pair::open(probe, "POST").await?;
    let url = url(&pair.endpoint, Transport::Polling, &pair.sid, version);
    let body = super::question(&probe.nonce("question")).encode();
    let sent = say!("POST {url} of {body}", url, body);
    let headers = Endpoint::content_type("text/plain;charset=UTF-8");
    let answer = pair.endpoint.send(reqwest::Method::POST, url, headers, Some(body.into()), probe.deadline()).await;
    super::expect_bad_request(probe, &named("A POST", version), &sent, answer).await?;
    pair.still_served().await
}

async fn upgrade(probe: &Probe, version: Option<&str>) -> Verdict {
    let pair = Pair::open(probe, "upgrade").await?;
    refused(&pair, version).await?;
    // A server that is gone closes connections as well.
    probe.serves_still(Transport::WebSocket).await?;
    pair.still_served().await
}

async fn refused(pair: &Pair, version: Option<&str>) -> Verdict {
    let Pair { endpoint, sid, .. } = pair;
    let url = url(endpoint, Transport::WebSocket, sid, version);
    let what = named("An upgrade", version);
    let sent = say!("GET {url} with Upgrade: websocket, then 2probe", url);
    let finding = |reason: Message| {
        fail(say!("{what} {reason}", what, reason))
            .sent(&sent)
            .expected("a 4xx, or the end of the connection instead of 3probe")
    };
    match WebSocket::open(endpoint, url.clone(), Default::default()).await {
        Ok(Upgrade::Accepted(mut socket)) => {
            if socket.send_text("2probe").await.is_err() {
                return Ok(());
            }
            match super::first_word(&mut socket, endpoint).await {
                Ok(None) => Ok(()),
                Ok(Some(text)) => finding("is served".into()).received(text).stop(),
                Err(error) => finding("is let in and then left hanging".into())
                    .received(say!("HTTP 101, then {error}", error))
                    .stop(),
            }
        }
        Ok(Upgrade::Refused(response)) if super::is_refusal(&response) => Ok(()),
        Ok(Upgrade::Refused(response)) if response.status == 429 => {
            Err(Stop::Broken(say!("{sent} is answered {response} (see deploy.poll-rate)", sent, response)))
        }
        Ok(Upgrade::Refused(response)) => {
            let reason = say!("is refused over WebSocket by HTTP {status}", status = response.status);
            finding(reason).received(response).at(Level::Should).stop()
        }
        Err(WireError::Closed(_) | WireError::Malformed(_)) => Ok(()),
        Err(error @ WireError::Timeout { .. }) => finding("gets no answer".into()).received(error).stop(),
        Err(error) => Err(Stop::Broken(say!("{sent}: {error}", sent, error))),
    }
}
