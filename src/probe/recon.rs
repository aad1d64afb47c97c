//! The reconnaissance: is there something at this URL that can be tested at all, and how far away is it?

use std::{fmt, time::Duration};

use tokio::time::Instant;
use url::Url;

use crate::{
    contract::Contract,
    message::{Message, excerpt},
    redact::Redactor,
    wire::{
        Endpoint, EnginePacket, Frame, Handshake, HttpResponse, Polling, Session, SocketPacket, Transcript, Transport,
        WireError, engine, http::Http, response::BodyKind,
    },
};

/// What the reconnaissance found at a target that can be tested.
#[derive(Clone, Debug)]
pub struct Target {
    /// Scheme, host and port.
    pub origin: Url,
    /// What the polling handshake gave, or why there was none.
    pub polling: Result<Handshake, Message>,
    /// What the WebSocket handshake gave, or why there was none.
    pub websocket: Result<Handshake, Message>,
    /// How long one exchange takes, the fastest of some.
    pub round_trip: Duration,
    /// How much longer the slowest of them took.
    pub jitter: Duration,
    /// The path below which the application says that it lives, without its final slash, where it was not declared.
    pub base: Option<String>,
    /// Handshakes that failed where another one by the same transport succeeded, and how.
    pub stumbles: Vec<(Transport, Message)>,
    /// Whether a CONNECT to a namespace that does not exist was answered.
    pub answers_fences: bool,
}

impl Target {
    /// Whether sessions can be opened over `transport`.
    pub fn usable(&self, transport: Transport) -> bool {
        match transport {
            Transport::Polling => self.polling.is_ok(),
            Transport::WebSocket => self.websocket.is_ok(),
        }
    }

    /// The heartbeat settings and the rest of the open packet, of whichever transport works.
    pub fn handshake(&self) -> &Handshake {
        self.polling.as_ref().or(self.websocket.as_ref()).expect("a target without any handshake is not tested")
    }

    /// The handshakes by `transport` that failed where another one succeeded.
    pub fn stumbles_of(&self, transport: Transport) -> impl Iterator<Item = &Message> {
        self.stumbles.iter().filter(move |(by, _)| *by == transport).map(|(_, error)| error)
    }

    /// How long a target takes for an answer as long as it keeps up with what it is asked: eight round trips, at least
    /// 100 ms and at most 2 s. A new connection alone takes up to three of them.
    pub fn promptly(&self) -> Duration {
        (self.round_trip * 8).clamp(Duration::from_millis(100), Duration::from_secs(2))
    }

    /// How long silence must last before it counts, where no fence can be had: twenty round trips, or one and eight times the
    /// jitter, whichever is longer; at least 100 ms and at most 2 s.
    pub fn quiet_window(&self) -> Duration {
        let jitter = self.round_trip + self.jitter * 8;
        (self.round_trip * 20).max(jitter).clamp(Duration::from_millis(100), Duration::from_secs(2))
    }
}

/// Why a target cannot be tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Untestable {
    /// No TCP connection, or no answer.
    Unreachable(Message),
    /// TLS does not work.
    Tls(Message),
    /// Something answers, but not HTTP.
    NotHttp(Message),
    /// A web page where the handshake should be.
    Page(Message),
    /// A page that says that the application lives below another path.
    Below(Message),
    /// A proxy says that what is behind it does not answer.
    Proxy(Message),
    /// Engine.IO v3, that is Socket.IO 2.x.
    EngineIo3(Message),
    /// The target is somewhere else.
    Redirect(Message),
    /// Socket.IO that opens no session without a token, or whatever it looks for in requests.
    Forbidden(Message),
    /// HTTP, but no Socket.IO at this path.
    NoSocketIo(Message),
}

impl Untestable {
    /// One sentence that says what was found.
    pub fn found(&self) -> &Message {
        match self {
            Untestable::Unreachable(text)
            | Untestable::Tls(text)
            | Untestable::NotHttp(text)
            | Untestable::Page(text)
            | Untestable::Below(text)
            | Untestable::Proxy(text)
            | Untestable::EngineIo3(text)
            | Untestable::Redirect(text)
            | Untestable::Forbidden(text)
            | Untestable::NoSocketIo(text) => text,
        }
    }

    /// What to do about it.
    pub const fn advice(&self) -> &'static str {
        match self {
            Untestable::Unreachable(_) => "Is the server running, and are host and port right?",
            Untestable::Tls(_) => {
                "Check the certificate, its host name and the URL's scheme (http or https). Use --ca-file for a \
                 certificate authority of your own, or --insecure-tls to skip verification."
            }
            Untestable::NotHttp(_) => "Check the port, and the URL's scheme (http or https).",
            Untestable::Page(_) => {
                "Socket.IO is not attached there. In Nuxt, see that the server plugin runs and that `path` is the one \
                 given (--path); with the engine bound to Nitro's router, that the route handler is registered."
            }
            Untestable::Below(_) => "Set `base` and `path` in siospec.toml to make this permanent.",
            Untestable::Proxy(_) => "Start the application behind the proxy, or test it directly.",
            Untestable::EngineIo3(_) => "Upgrade the server to socket.io 3 or newer; siospec tests Engine.IO v4.",
            Untestable::Forbidden(_) => {
                "Where requests carry the token, say how: --auth-carrier header, cookie or query, --auth-token-field, and a source \
                 of tokens (--auth-secret-env). Another header or cookie that it wants is given by --headers."
            }
            Untestable::Redirect(_) => "Test the URL that it redirects to.",
            Untestable::NoSocketIo(_) => "Check the path (--path) and that Socket.IO is attached to this server.",
        }
    }
}

impl fmt::Display for Untestable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.found().text(), self.advice())
    }
}

/// Handshakes that are tried by each transport before it counts as one that does not work: a deployment may have a bad moment,
/// or a bad node.
const ATTEMPTS: usize = 3;

/// What came of the handshakes by one transport: the first that succeeded, or how the last one failed; and how those before it
/// did.
async fn attempt<T, F: Future<Output = Result<T, WireError>>>(
    handshake: impl Fn() -> F,
) -> (Result<T, WireError>, Vec<Message>) {
    let mut stumbles = Vec::new();
    loop {
        match handshake().await {
            // A certificate is the same the next time.
            Err(error @ WireError::Tls(_)) => return (Err(error), stumbles),
            // Whoever waits for a target that hangs is to hear of it before long.
            Err(error @ WireError::Timeout { .. }) if !stumbles.is_empty() => return (Err(error), stumbles),
            Err(error) if stumbles.len() + 1 < ATTEMPTS => stumbles.push(error.message()),
            end => return (end, stumbles),
        }
    }
}

/// Exchanges by which jitter is measured.
const EXCHANGES: usize = 5;

/// How long the target takes to answer a CONNECT to a namespace that does not exist, some times one after the other, on a session
/// by either transport. Empty where it answers none.
async fn fences(endpoint: &Endpoint, transports: &[Transport]) -> Vec<Duration> {
    for &transport in transports {
        let Ok(mut session) = Session::open(endpoint, transport).await else { continue };
        let mut took = Vec::new();
        while took.len() < EXCHANGES
            && let Some(time) = fence(&mut session, endpoint.deadline()).await
        {
            took.push(time);
        }
        if !took.is_empty() {
            return took;
        }
    }
    Vec::new()
}

async fn fence(session: &mut Session, deadline: Duration) -> Option<Duration> {
    let nowhere = format!("/siospec-recon-{:016x}", rand::random::<u64>());
    let begun = Instant::now();
    session.send(EnginePacket::Message(SocketPacket::connect(&nowhere, None).encode()));
    loop {
        if let EnginePacket::Message(text) = session.next("answer to a CONNECT", begun + deadline).await.ok()?
            && SocketPacket::decode(&text).is_ok_and(|packet| packet.namespace == nowhere)
        {
            return Some(begun.elapsed());
        }
    }
}

/// Where Nuxt's page of a 404 at `/` says that the application lives, where nothing of it is declared.
async fn base(endpoint: &Endpoint, contract: &Contract) -> Option<String> {
    if contract.says_where {
        return None;
    }
    let response = endpoint.get(endpoint.url("/")).await.ok()?;
    (response.status == 404).then(|| nuxt_base(&response))?
}

/// Looks at the target before any check does: a handshake by each transport, and what a session has to answer.
///
/// # Errors
/// [`Untestable`] when neither transport gives a session.
pub async fn reconnoitre(
    http: &Http,
    origin: &Url,
    contract: &Contract,
    redactor: &Redactor,
) -> Result<Target, Untestable> {
    let transcript = Transcript::new(redactor.clone());
    let endpoint = Endpoint::new(http.clone(), origin, &contract.path, contract.deadline, transcript);

    let ((polling, polling_stumbles), (websocket, websocket_stumbles), base) = tokio::join!(
        attempt(|| Session::polling_handshake(&endpoint)),
        attempt(|| Session::websocket_handshake(&endpoint)),
        base(&endpoint, contract)
    );
    let asked = endpoint.url(&format!("{}/", contract.path));
    if let (Err(polling), Err(websocket)) = (&polling, &websocket) {
        return Err(diagnose(&endpoint, &asked, polling, websocket).await);
    }
    // Checked even where WebSocket opens: version 3 has the same open packet there.
    if matches!(polling, Err(WireError::Malformed(_) | WireError::Status { .. })) && speaks_version_3(&endpoint).await {
        return Err(engine_io_3(&asked));
    }
    let mut round_trip = contract.deadline;
    if let Ok((handshake, _)) = &polling {
        // The connection is warm now, so that this measures the exchange alone. It ends the session, too.
        let begun = Instant::now();
        if Polling::new(&endpoint, &handshake.sid).push(&[EnginePacket::Close]).await.is_ok() {
            round_trip = begun.elapsed();
        }
    }
    let websocket = match websocket {
        Ok((mut socket, handshake)) => {
            let begun = Instant::now();
            // Any frame will do for the measure: this one is answered by the namespace's refusal.
            if socket.send_text("40/siospec-recon,").await.is_ok()
                && let Ok(frame) = socket.receive(contract.deadline).await
            {
                // Socket.IO 2 connects clients to the main namespace without being asked.
                if frame == Frame::Text("40".into()) {
                    return Err(engine_io_3(&asked));
                }
                round_trip = round_trip.min(begun.elapsed());
            }
            Ok(handshake)
        }
        Err(error) => Err(error.message()),
    };
    let polling = polling.map(|(handshake, _)| handshake).map_err(|error| error.message());
    let mut stumbles = Vec::new();
    let mut usable = Vec::new();
    for (transport, works, failed) in [
        (Transport::WebSocket, websocket.is_ok(), websocket_stumbles),
        (Transport::Polling, polling.is_ok(), polling_stumbles),
    ] {
        if works {
            usable.push(transport);
            stumbles.extend(failed.into_iter().map(|error| (transport, error)));
        }
    }
    let took = fences(&endpoint, &usable).await;
    let [fastest, slowest] = [took.iter().min(), took.iter().max()].map(|time| time.copied().unwrap_or_default());
    let (answers_fences, jitter) = (!took.is_empty(), slowest - fastest);
    Ok(Target { origin: origin.clone(), polling, websocket, round_trip, jitter, base, stumbles, answers_fences })
}

async fn diagnose(endpoint: &Endpoint, asked: &Url, polling: &WireError, websocket: &WireError) -> Untestable {
    let host =
        format!("{}:{}", asked.host_str().unwrap_or_default(), asked.port_or_known_default().unwrap_or_default());
    match polling {
        WireError::Connect(why) => Untestable::Unreachable(say!("Nothing answers at {host}: {why}.", host, why)),
        WireError::Timeout { .. } => {
            Untestable::Unreachable(say!("{host} accepts the connection, but: {polling}.", host, polling))
        }
        WireError::Tls(why) => Untestable::Tls(say!("TLS with {host} fails: {why}.", host, why)),
        WireError::Closed(_) => {
            Untestable::NotHttp(say!("{host} closes the connection instead of answering an HTTP request.", host))
        }
        WireError::Malformed(_) | WireError::Status { .. } | WireError::Cut(_) => {
            match endpoint.get(endpoint.engine_url(Transport::Polling, None)).await {
                Ok(response) => name_answer(endpoint, asked, &response, websocket).await,
                Err(_) => Untestable::NotHttp(say!("What answers at {host} is not HTTP ({polling}).", host, polling)),
            }
        }
    }
}

async fn name_answer(endpoint: &Endpoint, asked: &Url, response: &HttpResponse, websocket: &WireError) -> Untestable {
    if speaks_version_3(endpoint).await {
        return engine_io_3(asked);
    }
    if is_forbidden(response) {
        return Untestable::Forbidden(say!("Socket.IO at {asked} refuses the handshake: {response}.", asked, response));
    }
    if response.is_redirect() {
        return Untestable::Redirect(say!(
            "{asked} redirects to {location}.",
            asked,
            location = excerpt(response.header("location"), 200)
        ));
    }
    if matches!(response.status, 502..=504) {
        return Untestable::Proxy(say!("A proxy in front of {asked} answers {response}.", asked, response));
    }
    if let Some(base) = nuxt_base(response).filter(|base| !asked.path().starts_with(&format!("{base}/"))) {
        let path = format!("{base}{}", asked.path().trim_end_matches('/'));
        let below = endpoint.get(endpoint.engine_url_at(&path, Transport::Polling, None)).await;
        let is_below = below.is_ok_and(|answer| answer.text().starts_with("0{"));
        let flags = if is_below { format!("--base {base} --path {path}") } else { format!("--base {base}") };
        return Untestable::Below(say!(
            "Where Socket.IO should be, {asked} gives {response}, which says that the application lives below {base} \
             (Nuxt's app.baseURL): give {flags}.",
            asked,
            response,
            base,
            flags
        ));
    }
    if response.kind() == BodyKind::Html {
        return Untestable::Page(say!("Where Socket.IO should be, {asked} gives {response}.", asked, response));
    }
    Untestable::NoSocketIo(say!(
        "{asked} does not answer as Socket.IO does. Polling: {response}. WebSocket: {websocket}.",
        asked,
        response,
        websocket
    ))
}

/// Whether it is Engine.IO's answer to a handshake that the application does not allow: `{"code":4,…}` (`allowRequest`).
fn is_forbidden(response: &HttpResponse) -> bool {
    let code = serde_json::from_slice::<serde_json::Value>(&response.body).ok().and_then(|body| body["code"].as_u64());
    matches!(response.status, 400 | 401 | 403) && code == Some(4)
}

/// Nuxt's `app.baseURL`, without its final slash, where an HTML page tells it and it is not `/`: Nuxt writes it into its pages,
/// that of a 404 included.
pub fn nuxt_base(response: &HttpResponse) -> Option<String> {
    const MARK: &str = "baseURL:\"";
    const LONGEST: usize = 100;
    if response.kind() != BodyKind::Html {
        return None;
    }
    let text = response.text();
    let base = text[text.find(MARK)? + MARK.len()..].split('"').next()?.trim_end_matches('/');
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._~-".contains(c);
    let is_path = base.starts_with('/') && !base.starts_with("//") && base.len() <= LONGEST;
    (is_path && base.chars().all(is_plain)).then(|| base.to_owned())
}

/// Socket.IO 2 answers in its own framing whatever version is asked for; others serve version 3 when asked.
async fn speaks_version_3(endpoint: &Endpoint) -> bool {
    let mut url = endpoint.engine_url(Transport::Polling, None);
    url.set_query(Some("EIO=3&transport=polling&b64=1"));
    matches!(endpoint.get(url).await, Ok(answer) if engine::is_version_3(&answer.text()))
}

fn engine_io_3(asked: &Url) -> Untestable {
    Untestable::EngineIo3(say!("{asked} speaks Engine.IO v3 (Socket.IO 2.x), not v4.", asked))
}
