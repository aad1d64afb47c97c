//! What a stranger can make of the deployment.

mod binary_post;
mod cors_allowed;
mod cors_reflection;
mod cors_wildcard_credentials;
mod cross_site_websocket;
mod error_disclosure;
mod excess_attachments;
mod origin_parity;
mod own_origin;
mod payload_limit_parity;
mod server_header;
mod slow_post;
mod zero_attachments;

use http::{
    HeaderName,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
};
use reqwest::{
    Method,
    header::{HeaderMap, HeaderValue},
};
use url::Url;

use super::checks;
use crate::{
    message::{Joint, Message, data, word},
    probe::{Probe, Stop, Verdict, is_evasive, to_the_point},
    wire::{Endpoint, EnginePacket, HttpResponse, Session, Transport, WireError, engine},
};

checks![
    own_origin,
    cors_wildcard_credentials,
    cors_reflection,
    cors_allowed,
    origin_parity,
    cross_site_websocket,
    error_disclosure,
    payload_limit_parity,
    slow_post,
    binary_post,
    excess_attachments,
    zero_attachments,
    server_header
];

/// What a page asks first where its request is not a simple one (Fetch, "CORS-preflight request").
const PREFLIGHT: &str = "OPTIONS with Access-Control-Request-Method: POST";

/// An origin that no deployment knows.
fn stranger(probe: &Probe) -> String {
    format!("https://{}.example", probe.nonce("origin"))
}

/// Origins that the contract does not declare, each of them let in by a mistake that has been made before: any origin at
/// all, the opaque origin of a sandboxed frame, and names that begin or end as an allowed one does.
fn foreign_origins(probe: &Probe) -> Vec<String> {
    let mut origins = vec![stranger(probe), "null".to_owned()];
    let own = probe.target().origin.origin().ascii_serialization();
    for known in probe.contract().origins.iter().chain(&probe.contract().origin).chain([&own]) {
        let Ok(url) = Url::parse(known) else { continue };
        let (scheme, Some(host)) = (url.scheme(), url.host_str()) else { continue };
        origins.push(format!("{scheme}://{host}.siospec.example"));
        if let Some(url::Host::Domain(name)) = url.host() {
            // Of `app.example.com`, strangers can own `siospecexample.com`, and not `siospecapp.example.com`.
            let labels: Vec<&str> = name.split('.').collect();
            let registrable = labels[labels.len().saturating_sub(2)..].join(".");
            origins.push(format!("{scheme}://siospec{registrable}"));
        }
    }
    origins.retain(|origin| !probe.contract().origins.contains(origin));
    origins
}

/// `Origin`, as a browser sends it for a page of that origin.
fn origin_header(origin: &str) -> Result<HeaderMap, Stop> {
    let value = HeaderValue::try_from(origin)
        .map_err(|_| Stop::Broken(say!("`{origin}` is no origin", origin = data(origin))))?;
    Ok(HeaderMap::from_iter([(ORIGIN, value)]))
}

/// A polling handshake for a page of `origin`.
async fn poll_from(probe: &Probe, origin: &str) -> Result<HttpResponse, Stop> {
    let endpoint = probe.endpoint("polling");
    let url = endpoint.engine_url(Transport::Polling, None);
    let answer = endpoint.send(Method::GET, url, origin_header(origin)?, None, probe.deadline()).await;
    answer.map_err(|error| {
        Stop::Broken(say!("a polling handshake with Origin: {origin}: {error}", origin = data(origin), error))
    })
}

/// The question that the browser of a page of `origin` asks before a POST that is not a simple one.
async fn preflight_from(probe: &Probe, origin: &str) -> Result<HttpResponse, Stop> {
    let endpoint = probe.endpoint("preflight");
    let url = endpoint.engine_url(Transport::Polling, None);
    let mut headers = origin_header(origin)?;
    headers.insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("POST"));
    let answer = endpoint.send(Method::OPTIONS, url, headers, None, probe.deadline()).await;
    answer
        .map_err(|error| Stop::Broken(say!("a preflight with Origin: {origin}: {error}", origin = data(origin), error)))
}

/// What came of a WebSocket that was asked for with an `Origin`.
enum Opening {
    /// It is open, and so is the session.
    Opened(Box<Session>),
    /// It was refused, in these words.
    Refused(Message),
    /// The connection was closed without a word.
    Closed(Message),
    /// Nothing that says whether it is refused, such as silence, or that there were too many requests.
    Unclear(Message),
}

impl Opening {
    /// Tells what is no session from what is.
    fn session(self) -> Result<Box<Session>, Message> {
        match self {
            Opening::Opened(session) => Ok(session),
            Opening::Refused(how) | Opening::Closed(how) | Opening::Unclear(how) => Err(how),
        }
    }

    /// As [`Opening::session`], where what is no session must be a refusal.
    async fn refused(self, probe: &Probe) -> Result<Result<Box<Session>, Message>, Stop> {
        match &self {
            Opening::Opened(_) => {}
            Opening::Refused(_) => drop(probe.served(Transport::WebSocket).await?),
            Opening::Closed(_) => drop(probe.serves_still(Transport::WebSocket).await?),
            Opening::Unclear(how) => return Err(Stop::Broken(say!("a WebSocket with an Origin: {how}", how))),
        }
        Ok(self.session())
    }
}

/// Opens a session over WebSocket, with these headers.
async fn open_websocket(endpoint: &Endpoint, headers: HeaderMap) -> Result<Opening, Stop> {
    match Session::websocket_handshake_with(endpoint, headers).await {
        Ok((socket, handshake)) => Ok(Opening::Opened(Box::new(Session::over_websocket(socket, handshake)))),
        Err(error @ WireError::Timeout { .. }) => Ok(Opening::Unclear(error.message())),
        Err(WireError::Status { method, response }) => {
            let evasive = is_evasive(&response);
            let how = WireError::Status { method, response }.message();
            Ok(if evasive { Opening::Unclear(how) } else { Opening::Refused(how) })
        }
        Err(error @ (WireError::Closed(_) | WireError::Malformed(_))) => Ok(Opening::Closed(error.message())),
        Err(error) => Err(Stop::Broken(say!("a WebSocket with an Origin: {error}", error))),
    }
}

/// Both answers to a page of `origin`, each to the point: a polling handshake that is served or refused, and a preflight. What
/// they say of origins counts only where the target serves what is lawful.
async fn ask_from(probe: &Probe, origin: &str) -> Result<[(&'static str, HttpResponse); 2], Stop> {
    let handshake = to_the_point("a polling handshake", poll_from(probe, origin).await?)?;
    let preflight = to_the_point(PREFLIGHT, preflight_from(probe, origin).await?)?;
    Ok([("a polling handshake", handshake), (PREFLIGHT, preflight)])
}

/// That nothing was found counts only where the handshake was served or refused, and not by a page or another's word.
async fn judged(probe: &Probe, handshake: &HttpResponse) -> Verdict {
    if !is_served(handshake) && !(400..500).contains(&handshake.status) {
        return Err(Stop::Broken(say!("a polling handshake with an Origin was answered {handshake}", handshake)));
    }
    probe.served(Transport::Polling).await.map(drop)
}

/// Whether a polling handshake was answered by an open packet.
fn is_served(response: &HttpResponse) -> bool {
    let packets = engine::decode_payload(&response.text());
    response.status == 200 && packets.is_ok_and(|packets| matches!(packets.first(), Some(EnginePacket::Open(_))))
}

/// All values of a header, as a browser joins them: two equal ones are as wrong as two different ones.
fn joined(response: &HttpResponse, name: HeaderName) -> Option<String> {
    let values: Vec<_> = response.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

/// `Access-Control-Allow-Origin`.
fn allowed_origin(response: &HttpResponse) -> Option<String> {
    joined(response, ACCESS_CONTROL_ALLOW_ORIGIN)
}

/// Whether requests with cookies are let in as well.
fn allows_credentials(response: &HttpResponse) -> bool {
    joined(response, ACCESS_CONTROL_ALLOW_CREDENTIALS).is_some_and(|value| value == "true")
}

/// Whether caches are told that another origin gets another answer.
fn varies_by_origin(response: &HttpResponse) -> bool {
    let fields = joined(response, VARY).unwrap_or_default();
    fields.split(',').map(str::trim).any(|field| field == "*" || field.eq_ignore_ascii_case("origin"))
}

/// What an answer says of origins, for a failure's "received".
fn shown(response: &HttpResponse) -> Message {
    let headers = [
        ("Access-Control-Allow-Origin", allowed_origin(response)),
        ("Access-Control-Allow-Credentials", joined(response, ACCESS_CONTROL_ALLOW_CREDENTIALS)),
        ("Vary", joined(response, VARY)),
    ];
    let told = headers.map(|(name, value)| match value {
        Some(value) => format!("{name}: {value}").into(),
        None => say!("no {name}", name = word(name)),
    });
    let status = format!("HTTP {}", response.status).into();
    Message::list(std::iter::once(status).chain(told), Joint::Comma)
}
