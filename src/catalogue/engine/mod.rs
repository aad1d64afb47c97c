//! Engine.IO v4: sessions, packets, heartbeats, limits.

mod bad_method;
mod cancelled_poll;
mod close_polling;
mod close_websocket;
mod dead_peer_polling;
mod dead_peer_websocket;
mod eio_missing;
mod eio_on_session;
mod eio_unsupported;
mod heartbeat_polling;
mod heartbeat_websocket;
mod invalid_packet_polling;
mod invalid_packet_websocket;
mod large_message;
mod max_payload_polling;
mod max_payload_websocket;
mod message_order;
mod order;
mod overlapping_poll;
mod payload_base64;
mod payload_batching;
mod ping_not_early_polling;
mod ping_not_early_websocket;
mod post_ok;
mod post_upgrade_polling;
mod second_websocket;
mod transport_missing;
mod transport_unknown;
mod unknown_sid;
mod utf8;

use futures::{FutureExt, future::BoxFuture};
use tokio::time::{Instant, timeout};
use url::Url;

pub(super) use super::promises::{Oversized, is_cut, oversized, oversized_on_wire, payload_limit};
use super::promises::{expect_dead_peer_closed, expect_heartbeats, expect_no_early_ping, expect_refused};

use super::checks;
use crate::{
    message::{Message, data},
    probe::{Life, Probe, Served, Stop, Verdict, fail, unasked},
    verdict::Level,
    wire::{
        Endpoint, EnginePacket, Frame, HttpResponse, Polling, Session, SocketPacket, Transport, Upgrade, WebSocket,
        WireError, engine, socket::Kind,
    },
};

checks![
    eio_missing,
    eio_unsupported,
    eio_on_session,
    transport_missing,
    transport_unknown,
    bad_method,
    unknown_sid,
    post_ok,
    payload_batching,
    overlapping_poll,
    cancelled_poll,
    invalid_packet_polling,
    invalid_packet_websocket,
    close_polling,
    close_websocket,
    post_upgrade_polling,
    second_websocket,
    heartbeat_polling,
    heartbeat_websocket,
    ping_not_early_polling,
    ping_not_early_websocket,
    dead_peer_polling,
    dead_peer_websocket,
    max_payload_polling,
    max_payload_websocket,
    large_message,
    utf8,
    payload_base64,
    order,
    message_order,
];

/// An HTTP answer, or why there is none.
type HttpResult = Result<HttpResponse, WireError>;

/// The URL of a handshake with one query parameter left out, or set to `value`.
fn handshake_url(endpoint: &Endpoint, transport: Transport, parameter: &str, value: Option<&str>) -> Url {
    let mut url = endpoint.engine_url(transport, None);
    let mut pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    pairs.retain(|(name, _)| name != parameter);
    pairs.extend(value.map(|value| (parameter.to_owned(), value.to_owned())));
    url.query_pairs_mut().clear().extend_pairs(pairs);
    url
}

/// Expects a handshake with a query parameter left out, or set to `value`, to be refused over each transport. With
/// `allowEIO3`, socket.io takes every version but 4 for 3: served in that one's framing over polling, it is a lawful choice, and
/// so is then WebSocket, where the open packets of both look alike.
async fn expect_refused_handshake(probe: &Probe, parameter: &str, value: Option<&str>) -> Verdict {
    let what = match value {
        Some(value) => say!("A handshake with `{parameter}={value}`", parameter = data(parameter), value = data(value)),
        None => say!("A handshake without `{parameter}`", parameter = data(parameter)),
    };
    let mut aside = Ok(());
    let mut is_version_3 = false;
    for transport in probe.transports() {
        let endpoint = probe.endpoint(&transport.to_string());
        let url = handshake_url(&endpoint, transport, parameter, value);
        let verdict = match transport {
            Transport::Polling => match endpoint.get(url.clone()).await {
                Ok(answer) if parameter == "EIO" && answer.status == 200 && engine::is_version_3(&answer.text()) => {
                    is_version_3 = true;
                    probe.note(say!("lawful choice: {what} is served as version 3, as by `allowEIO3`", what));
                    Ok(())
                }
                answer => expect_bad_request(probe, &what, format!("GET {url}"), answer).await,
            },
            Transport::WebSocket => {
                let lawful = |text: &str| is_version_3 && text.starts_with('0');
                expect_refused_upgrade_unless(probe, &endpoint, what.clone(), url, lawful).await
            }
        };
        set_aside(&mut aside, verdict)?;
    }
    aside
}

/// Sets a finding of lesser weight aside, so that what counts in full is still looked for. The first one is kept.
fn set_aside(aside: &mut Verdict, verdict: Verdict) -> Verdict {
    match verdict {
        Err(Stop::Fail(finding)) if finding.level.is_some() => {
            if aside.is_ok() {
                *aside = Err(Stop::Fail(finding));
            }
            Ok(())
        }
        verdict => verdict,
    }
}

/// Expects an HTTP request to be refused by 400. Another 4xx is a finding of lesser weight: clients look no further than
/// that the request did not succeed.
async fn expect_bad_request(
    probe: &Probe,
    what: impl Into<Message>,
    sent: impl Into<Message>,
    answer: HttpResult,
) -> Verdict {
    let (what, sent) = (what.into(), sent.into());
    let refusal = expect_client_error(probe, &what, &sent, "HTTP 400", answer).await?;
    if refusal.status == 400 {
        return Ok(());
    }
    fail(say!("{what} is refused by HTTP {status} instead of 400", what, status = refusal.status))
        .sent(sent)
        .received(refusal)
        .expected(
            "HTTP 400; clients treat every refusal alike, but logs and monitors take another status for \
             another fault",
        )
        .at(Level::Should)
        .stop()
}

/// Expects an HTTP request to be refused by some 4xx, and gives it. It is a refusal only where what is lawful is served.
async fn expect_client_error(
    probe: &Probe,
    what: &Message,
    sent: &Message,
    expected: &'static str,
    answer: HttpResult,
) -> Result<HttpResponse, Stop> {
    let (reason, received) = match answer {
        Ok(response) if matches!(response.status, 429 | 502..=504) => {
            return Err(Stop::Broken(say!("{sent} is answered {response} (see deploy.poll-rate)", sent, response)));
        }
        Ok(response) if is_refusal(&response) => {
            probe.served(Transport::Polling).await?;
            return Ok(response);
        }
        Ok(response) => {
            let reason = match response.status {
                200 if opens_session(&response) => "is given a session over polling",
                500.. => "is answered by a server error",
                _ => "is not refused",
            };
            (reason, response.message())
        }
        Err(error @ WireError::Timeout { .. }) => ("gets no answer", error.message()),
        Err(error @ WireError::Closed(_)) => ("is cut off without an answer", error.message()),
        Err(error) => return Err(Stop::Broken(say!("{sent}: {error}", sent, error))),
    };
    fail(say!("{what} {reason}", what, reason)).sent(sent).received(received).expected(expected).stop()
}

fn is_refusal(response: &HttpResponse) -> bool {
    (400..500).contains(&response.status) && response.status != 429
}

/// Whether a request on a session is answered as on one that is no more: refused, or by a server that stumbles over its end.
/// Those of a proxy that misses its server say nothing of the session.
fn is_gone(response: &HttpResponse) -> bool {
    is_refusal(response) || matches!(response.status, 500 | 501 | 505..)
}

/// Whether a poll is answered by a close packet.
fn is_end(response: &HttpResponse) -> bool {
    engine::decode_payload(&response.text()).is_ok_and(|packets| packets.contains(&EnginePacket::Close))
}

/// Whether a heartbeat is among the packets of a poll's answer.
fn holds_ping(response: &HttpResponse) -> bool {
    let packets = engine::decode_payload(&response.text());
    packets.is_ok_and(|packets| packets.iter().any(|packet| matches!(packet, EnginePacket::Ping(_))))
}

fn opens_session(response: &HttpResponse) -> bool {
    let packets = engine::decode_payload(&response.text());
    packets.is_ok_and(|packets| matches!(packets.first(), Some(EnginePacket::Open(_))))
}

/// Expects an upgrade to come to nothing: by a 4xx, or by the end of the connection after 101, which servers bring about
/// by a close frame, a close packet, a reset, or HTTP text on a connection that no longer speaks HTTP.
async fn expect_refused_upgrade(probe: &Probe, endpoint: &Endpoint, what: impl Into<Message>, url: Url) -> Verdict {
    expect_refused_upgrade_unless(probe, endpoint, what, url, |_| false).await
}

/// As [`expect_refused_upgrade`], where a first text for which `lawful` holds is as good as a refusal.
async fn expect_refused_upgrade_unless(
    probe: &Probe,
    endpoint: &Endpoint,
    what: impl Into<Message>,
    url: Url,
    lawful: impl Fn(&str) -> bool,
) -> Verdict {
    refused_upgrade(endpoint, what.into(), url, lawful).await?;
    // A server that is gone closes connections as well.
    probe.serves_still(Transport::WebSocket).await.map(drop)
}

async fn refused_upgrade(endpoint: &Endpoint, what: Message, url: Url, lawful: impl Fn(&str) -> bool) -> Verdict {
    let sent = say!("GET {url} with Upgrade: websocket", url);
    let finding = |reason: Message| {
        fail(say!("{what} {reason}", what, reason)).sent(&sent).expected("a 4xx, or the end of the connection")
    };
    match WebSocket::open(endpoint, url.clone(), Default::default()).await {
        Ok(Upgrade::Accepted(mut socket)) => match first_word(&mut socket, endpoint).await {
            Ok(None) => Ok(()),
            Ok(Some(Frame::Text(text))) if lawful(&text) => Ok(()),
            Ok(Some(Frame::Text(text))) if text.starts_with('0') => {
                finding("is given a session over WebSocket".into()).received(text).stop()
            }
            Ok(Some(frame)) => finding("is served over WebSocket".into()).received(frame).stop(),
            Err(error) => finding("is let in over WebSocket and then left hanging".into())
                .received(say!("HTTP 101, then {error}", error))
                .stop(),
        },
        Ok(Upgrade::Refused(response)) if is_refusal(&response) => Ok(()),
        Ok(Upgrade::Refused(response)) if opens_session(&response) => {
            finding("is given a session over WebSocket".into()).received(response).stop()
        }
        Ok(Upgrade::Refused(response)) if matches!(response.status, 429 | 502..=504) => {
            Err(Stop::Broken(say!("{sent} is answered {response} (see deploy.poll-rate)", sent, response)))
        }
        Ok(Upgrade::Refused(response)) => {
            let reason = say!("is refused over WebSocket by HTTP {status}", status = response.status);
            finding(reason).received(response).at(Level::Should).stop()
        }
        Err(WireError::Closed(_) | WireError::Malformed(_)) => Ok(()),
        Err(error @ WireError::Timeout { .. }) => {
            finding("gets no answer when it asks for a WebSocket".into()).received(error).stop()
        }
        Err(error) => Err(Stop::Broken(say!("{sent}: {error}", sent, error))),
    }
}

/// The first message on a WebSocket; nothing when it ends instead. A close packet counts as an end.
async fn first_word(socket: &mut WebSocket, endpoint: &Endpoint) -> Result<Option<Frame>, WireError> {
    Ok(match socket.receive(endpoint.deadline()).await? {
        Frame::Closed(_) => None,
        Frame::Text(text) if text == "1" => None,
        frame => Some(frame),
    })
}

/// A polling session of its own for a check.
async fn polling_session(probe: &Probe, label: &str) -> Result<Polling, Stop> {
    let endpoint = probe.endpoint(label);
    match Session::polling_handshake(&endpoint).await {
        Ok((handshake, _)) => Ok(Polling::new(&endpoint, &handshake.sid)),
        Err(error) => Err(Stop::Broken(say!("no polling session: {error} (see transport.polling-handshake)", error))),
    }
}

/// A polling session on which the target has answered something, so that its end can be an answer to what comes next.
struct Asked {
    polling: Polling,
    served: Served,
}

impl std::ops::Deref for Asked {
    type Target = Polling;

    fn deref(&self) -> &Polling {
        &self.polling
    }
}

/// As [`polling_session`], and the target has answered something on it.
async fn asked_session(probe: &Probe, label: &str) -> Result<Asked, Stop> {
    let polling = polling_session(probe, label).await?;
    let served = probe.served(Transport::Polling).await?;
    if served.answers_unknown_namespaces() {
        ask(probe, &polling).await.map_err(|error| unasked(Transport::Polling, &error))?;
    }
    Ok(Asked { polling, served })
}

async fn ask(probe: &Probe, polling: &Polling) -> Result<(), WireError> {
    let name = probe.nonce("alive");
    polling.push(&[question(&name)]).await?;
    let end = probe.in_time();
    loop {
        let packets = polling.poll(end.saturating_duration_since(Instant::now())).await?;
        if packets.iter().any(|packet| is_answer(packet, &name)) {
            return Ok(());
        }
        for packet in packets {
            if let EnginePacket::Ping(data) = packet {
                polling.push(&[EnginePacket::Pong(data)]).await?;
            }
        }
    }
}

/// A message that every server answers: CONNECT to a namespace of this name.
fn question(name: &str) -> EnginePacket {
    EnginePacket::Message(SocketPacket::connect(&format!("/{name}"), None).encode())
}

/// Whether the packet answers the [`question`] of this name.
fn is_answer(packet: &EnginePacket, name: &str) -> bool {
    let EnginePacket::Message(text) = packet else { return false };
    // A question that comes back as it was sent has no data.
    let answers = |packet: &SocketPacket| packet.kind == Kind::ConnectError || packet.data.is_some();
    SocketPacket::decode(text).is_ok_and(|packet| packet.namespace.strip_prefix('/') == Some(name) && answers(&packet))
}

/// Asks something on a session, and waits for the answer.
async fn exchange(probe: &Probe, session: &mut Session) -> Result<(), WireError> {
    let name = probe.nonce("alive");
    session.send(question(&name));
    let deadline = probe.in_time();
    loop {
        let packet = session.next("answer", deadline).await.map_err(|error| probe.noted(error))?;
        if is_answer(&packet, &name) {
            return Ok(());
        }
    }
}

/// A poll that is waited for as long as the checks have other things to do.
fn poll<'a>(probe: &Probe, polling: &'a Polling) -> BoxFuture<'a, HttpResult> {
    polling.get(probe.deadline() * 5).boxed()
}

/// A poll that the target holds: it was sent a while ago, and is not answered yet. Heartbeats that come instead are
/// answered, and the next poll is tried.
async fn held_poll<'a>(probe: &Probe, polling: &'a Polling) -> Result<BoxFuture<'a, HttpResult>, Stop> {
    let lost = |error: WireError| Stop::Broken(say!("the session to poll: {error}", error));
    // Shorter than the time between two heartbeats, which would else answer every poll.
    let between = probe.target().handshake().ping_interval() / 2;
    let a_while = probe.target().quiet_window().min(between);
    // Within that time no answer to any poll could be here.
    if between < 2 * probe.target().round_trip {
        return Err(Stop::Skip(
            "heartbeats come so fast that they answer every poll, and none can be left pending".into(),
        ));
    }
    let end = probe.in_time();
    while Instant::now() < end {
        let mut poll = poll(probe, polling);
        let Ok(answer) = timeout(a_while, &mut poll).await else { return Ok(poll) };
        let response = answer.map_err(lost)?;
        if response.status != 200 {
            return Err(Stop::Broken(say!("the session to poll: GET is answered {response}", response)));
        }
        answer_heartbeats(polling, &response).await.map_err(lost)?;
    }
    Err(Stop::Skip("the target answers every poll at once, so none can be left pending".into()))
}

async fn answer_heartbeats(polling: &Polling, response: &HttpResponse) -> Result<(), WireError> {
    for packet in engine::decode_payload(&response.text()).map_err(WireError::Malformed)? {
        if let EnginePacket::Ping(data) = packet {
            polling.post(EnginePacket::Pong(data).encode()).await?;
        }
    }
    Ok(())
}

/// What has become of a polling session. It is asked something; what is answered, or held, lives. `held` is a poll that
/// is still pending: dropping it, or a second one beside it, would end the session.
async fn life_of(probe: &Probe, asked: &Asked, held: Option<BoxFuture<'_, HttpResult>>) -> Result<Life, Stop> {
    let life = ask_for_life(probe, asked, held).await?;
    if life != Life::Open {
        // A server that is gone knows no session either.
        probe.serves_still(Transport::Polling).await?;
    }
    Ok(life)
}

async fn ask_for_life(probe: &Probe, asked: &Asked, held: Option<BoxFuture<'_, HttpResult>>) -> Result<Life, Stop> {
    let Asked { polling, served } = asked;
    let broken = |error: WireError| Stop::Broken(say!("the session that should have ended: {error}", error));
    let name = probe.nonce("alive");
    let posted = polling.post(question(&name).encode()).await.map_err(broken)?;
    if is_gone(&posted) {
        return Ok(served.closed(say!("POST: {posted}", posted)));
    }
    let end = probe.in_time();
    let mut held = held;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let poll = held.take().unwrap_or_else(|| polling.get(left).boxed());
        let response = match timeout(left, poll).await {
            Ok(Ok(response)) if is_gone(&response) => return Ok(served.closed(say!("GET: {response}", response))),
            Ok(Ok(response)) => response,
            Ok(Err(WireError::Closed(how))) => return Ok(served.closed(say!("GET: {how}", how))),
            Err(_) | Ok(Err(WireError::Timeout { .. })) => return Ok(Life::Open),
            Ok(Err(error)) => return Err(broken(error)),
        };
        let packets = engine::decode_payload(&response.text()).map_err(WireError::Malformed).map_err(broken)?;
        if is_end(&response) {
            return Ok(served.closed("GET: a close packet"));
        }
        if packets.iter().any(|packet| is_answer(packet, &name)) {
            return Ok(Life::Open);
        }
        answer_heartbeats(polling, &response).await.map_err(broken)?;
    }
}
