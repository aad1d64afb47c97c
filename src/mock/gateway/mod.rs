//! An Engine.IO v4 server that stands in front of a Socket.IO server.
//!
//! It accepts the client's transport, and for each session it opens a WebSocket to an [`Upstream`]. Each packet that
//! passes it passes on, puts right or spoils. It knows nothing of the application behind it.
//!
//! Statuses and closes are the protocol's; where that is silent, engine.io 6.6's.

pub mod answer;
mod bucket;
mod connection;
mod cors;
mod echo;
mod packet;
mod polling;
mod session;
mod socketio;
mod upstream;
mod websocket;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use hyper::body::Incoming;
use rand::RngExt;
use serde_json::json;
use tokio::sync::{Notify, mpsc};

use super::{COOKIE, Carrier, Fault, Faults, Options, Scenario};
use answer::{Answer, Refusal};
use bucket::Bucket;
use cors::Cors;
use packet::Packet;
use session::Command;

pub use connection::Connection;
pub use echo::Echo;
pub use upstream::{Control, Link, SocketId, Standing, Transport, Upstream};
pub use websocket::{Io, hang as hang_upgrade, is_upgrade};

/// How many sessions may be open at the same time.
const MAX_SESSIONS: usize = 10_000;

/// How many requests of one session may wait for it.
const COMMANDS: usize = 16;

/// What stands for no limit in the faults that lift it, in bytes.
const NO_LIMIT: usize = 64 << 20;

/// How long each request takes in the scenario `answers-slowly`.
const SLOW: Duration = Duration::from_millis(3_500);

/// How many requests within a second the scenario `limits-requests` lets through.
const MAX_A_SECOND: usize = 60;

/// How many polls of a session the fault `limits-polls` answers at once, and how many more each second.
const POLLS_AT_ONCE: f64 = 18.0;
const POLLS_A_SECOND: f64 = 1.0;

/// How many handshake answers the fault `cached-handshake` keeps.
const MAX_CACHED: usize = 1_000;

/// The page of a web application that knows nothing of Socket.IO.
const FOREIGN_PAGE: &str =
    "<!DOCTYPE html><html><head><title>404</title></head><body><h1>Page not found</h1></body></html>";

/// How the gateway is to behave.
#[derive(Debug)]
pub struct Settings {
    pub ping_interval: Duration,
    pub ping_timeout: Duration,
    pub connect_timeout: Duration,
    /// In bytes.
    pub max_payload: usize,
    /// Whether what passes is Socket.IO. Otherwise messages are nothing but messages.
    pub socket_io: bool,
    pub faults: Faults,
    /// What carries a token, and under which name.
    carrier: (Carrier, String),
    /// For the fault `slow-post-stalls`: held while a body is being read.
    reading: tokio::sync::Mutex<()>,
}

impl Settings {
    pub fn new(options: &Options, faults: Faults) -> Settings {
        Settings {
            ping_interval: options.ping_interval,
            ping_timeout: options.ping_timeout,
            connect_timeout: options.connect_timeout,
            max_payload: options.max_payload,
            socket_io: true,
            faults,
            carrier: (options.carrier, options.token_field.clone()),
            reading: tokio::sync::Mutex::default(),
        }
    }

    /// The token that a request carries, where requests carry them.
    fn token(&self, query: &str, headers: &HeaderMap) -> Option<String> {
        let (carrier, name) = &self.carrier;
        let header = |name: &str| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        match carrier {
            Carrier::Payload => None,
            Carrier::Header => {
                let value = header(name.as_str())?;
                let is_bearer = name.eq_ignore_ascii_case(header::AUTHORIZATION.as_str());
                // Blanks at the end are no part of a header's value (RFC 9110, 5.5), so that an empty token leaves none.
                let token = if is_bearer { value.strip_prefix("Bearer").map(str::trim_start) } else { Some(value) };
                token.map(str::to_owned)
            }
            Carrier::Cookie => {
                let pairs = header(header::COOKIE.as_str())?.split(';').filter_map(|pair| pair.trim().split_once('='));
                pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.to_owned())
            }
            Carrier::Query => {
                let mut pairs = url::form_urlencoded::parse(query.as_bytes());
                pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
            }
        }
    }

    /// For an endpoint without Socket.IO.
    pub fn without_socket_io(self) -> Settings {
        Settings { socket_io: false, ..self }
    }

    /// The largest body or message that is taken on that transport, in bytes.
    fn limit(&self, transport: Transport) -> usize {
        let unlimited = match transport {
            Transport::Polling => Fault::NoPayloadLimitOnPolling,
            Transport::Websocket => Fault::NoPayloadLimitOnWebsocket,
        };
        if self.faults.has(Fault::NoPayloadLimit) || self.faults.has(unlimited) {
            NO_LIMIT
        } else if self.faults.has(Fault::LimitsBelowMaxPayload) {
            self.large()
        } else {
            self.max_payload
        }
    }

    /// What the faults about large messages call large, in bytes.
    fn large(&self) -> usize {
        self.max_payload / 4 * 3
    }
}

/// The gateway; clones are the same one.
#[derive(Clone)]
pub struct Gateway {
    settings: Arc<Settings>,
    upstream: Arc<dyn Upstream>,
    sessions: Arc<Sessions>,
}

#[derive(Default)]
struct Sessions {
    open: Mutex<HashMap<String, Handle>>,
    /// Told whenever the last session has ended.
    emptied: Notify,
    /// For the fault `sequential-sid`.
    counter: AtomicUsize,
    /// For the fault `cached-handshake`.
    cache: Mutex<HashMap<String, String>>,
    /// For the fault `first-handshakes-fail`: whether there was one, by polling and by WebSocket.
    stumbled: [AtomicBool; 2],
    /// For the scenario `limits-requests`: since when how many requests came.
    window: Mutex<Option<(Instant, usize)>>,
}

impl Sessions {
    /// Counts a request; whether there were too many within a second.
    fn is_flooded(&self) -> bool {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *window {
            Some((since, count)) if since.elapsed() < Duration::from_secs(1) => {
                *count += 1;
                *count > MAX_A_SECOND
            }
            window => {
                *window = Some((Instant::now(), 1));
                false
            }
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, Handle>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session, as requests see it.
#[derive(Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    posting: Arc<AtomicBool>,
    /// Its polls, for the fault `limits-polls`.
    polls: Arc<Mutex<Bucket>>,
    link: Arc<Link>,
    /// With the fault `sessions-stick-to-connections`: what it was opened on, until another connection carries it on.
    opened_on: Arc<Mutex<Option<Connection>>>,
}

/// A POST in progress.
struct Posting(Arc<AtomicBool>);

impl Drop for Posting {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Handle {
    async fn send(&self, command: Command) -> Result<(), mpsc::error::SendError<Command>> {
        self.commands.send(command).await
    }

    /// Ends the session because of a request that none survives.
    fn fail(&self) {
        // A session with a full queue is being flooded, and the request behind this one fails it as well.
        let _ = self.commands.try_send(Command::Fail);
    }

    /// With the fault `sessions-stick-to-connections`: whether a request may carry the session on.
    fn carry_on(&self) -> bool {
        let mut opened_on = self.opened_on.lock().unwrap_or_else(PoisonError::into_inner);
        if opened_on.as_ref().is_some_and(Connection::is_closed) {
            return false;
        }
        *opened_on = None;
        true
    }

    /// With the fault `limits-polls`: whether this poll is one too many.
    fn is_flooded(&self) -> bool {
        !self.polls.lock().unwrap_or_else(PoisonError::into_inner).takes()
    }

    fn start_posting(&self) -> Option<Posting> {
        let busy = self.posting.swap(true, Ordering::Relaxed);
        (!busy).then(|| Posting(self.posting.clone()))
    }
}

/// A session's place among the open ones, until it is dropped.
pub struct Registration {
    sessions: Arc<Sessions>,
    sid: String,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut open = self.sessions.open();
        open.remove(&self.sid);
        if open.is_empty() {
            self.sessions.emptied.notify_waiters();
        }
    }
}

/// The query parameters that Engine.IO defines, and the one that its clients add against caches.
struct Query<'a> {
    raw: &'a str,
    version: Option<String>,
    transport: Option<String>,
    sid: Option<String>,
    has_t: bool,
}

impl<'a> Query<'a> {
    fn parse(raw: &'a str) -> Query<'a> {
        let find = |name| url::form_urlencoded::parse(raw.as_bytes()).find(|(key, _)| key == name);
        let value = |name| find(name).map(|(_, value)| value.into_owned());
        Query {
            raw,
            version: value("EIO"),
            transport: value("transport"),
            sid: value("sid").filter(|sid| !sid.is_empty()),
            has_t: find("t").is_some(),
        }
    }
}

impl Gateway {
    /// A gateway in front of that upstream.
    pub fn new(settings: Settings, upstream: Arc<dyn Upstream>) -> Gateway {
        Gateway { settings: Arc::new(settings), upstream, sessions: Arc::default() }
    }

    /// Answers a request, or not: nothing means that its connection is to be cut.
    pub async fn handle(&self, request: Request<Incoming>) -> Option<Answer> {
        if self.settings.faults.plays(Scenario::LimitsRequests) && self.sessions.is_flooded() {
            return Some(answer::with_body(StatusCode::TOO_MANY_REQUESTS, "text/plain", "Too Many Requests"));
        }
        if self.settings.faults.plays(Scenario::AnswersSlowly) {
            tokio::time::sleep(SLOW).await;
        }
        let cors = Cors::new(&request, &self.settings.faults);
        let mut answer = match cors.verdict(&request) {
            Some(verdict) => verdict,
            None => self.handle_admitted(request).await?,
        };
        cors.mark(&mut answer);
        Some(answer)
    }

    /// Answers a request of an origin that is not turned away.
    async fn handle_admitted(&self, request: Request<Incoming>) -> Option<Answer> {
        let raw = request.uri().query().unwrap_or_default().to_owned();
        let query = Query::parse(&raw);
        if self.settings.faults.has(Fault::SlowPostStalls) {
            drop(self.settings.reading.lock().await);
        }
        let by_upgrade = is_upgrade(request.headers());
        if self.settings.faults.has(Fault::FirstHandshakesFail)
            && query.sid.is_none()
            && !self.sessions.stumbled[usize::from(by_upgrade)].swap(true, Ordering::Relaxed)
        {
            return Some(answer::with_body(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "starting"));
        }
        if by_upgrade && !self.settings.faults.plays(Scenario::StripsUpgrade) {
            return Some(self.handle_upgrade(&query, request).unwrap_or_else(|refusal| *refusal));
        }
        if self.settings.faults.has(Fault::NoPolling) {
            return Some(answer::with_body(StatusCode::NOT_FOUND, "text/html; charset=utf-8", FOREIGN_PAGE));
        }
        let mut answer = self.handle_polling(&query, request).await?;
        if self.settings.faults.has(Fault::RefusesHandshakeByNotFound)
            && query.sid.is_none()
            && answer.status() == StatusCode::BAD_REQUEST
        {
            *answer.status_mut() = StatusCode::NOT_FOUND;
        }
        Some(answer)
    }

    /// Closes every session in an orderly way, because the server is going away.
    pub fn close_all(&self) {
        self.links().iter().for_each(|link| link.ask(Control::ShutDown));
    }

    /// Drops the connections of every session that is open now, without a word, and waits until they have ended.
    pub fn cut_all(&self) -> impl Future<Output = ()> + use<> {
        let links = self.links();
        links.iter().for_each(|link| link.ask(Control::Cut));
        async move {
            for link in links {
                link.ended().await;
            }
        }
    }

    /// Waits until no session is open.
    pub async fn emptied(&self) {
        loop {
            let emptied = self.sessions.emptied.notified();
            if self.sessions.open().is_empty() {
                return;
            }
            emptied.await;
        }
    }

    fn links(&self) -> Vec<Arc<Link>> {
        self.sessions.open().values().map(|handle| handle.link.clone()).collect()
    }

    fn find(&self, sid: &str) -> Option<Handle> {
        self.sessions.open().get(sid).cloned()
    }

    async fn handle_polling(&self, query: &Query<'_>, request: Request<Incoming>) -> Option<Answer> {
        match self.transport(query, "polling") {
            Some("polling") => {}
            Some("websocket") if query.sid.is_none() && request.method() != Method::GET => {
                return Some(Refusal::BadHandshakeMethod.answer());
            }
            // Without an upgrade there is no WebSocket.
            Some("websocket") => return Some(Refusal::BadRequest.answer()),
            _ => return Some(Refusal::TransportUnknown.answer()),
        }
        let Some(sid) = &query.sid else { return Some(self.handshake(query, &request)) };
        let faults = &self.settings.faults;
        let Some(handle) = self.find(sid) else {
            if faults.has(Fault::AcceptsPostToUnknownSid) && request.method() == Method::POST {
                return Some(answer::with_body(StatusCode::OK, "text/html", "ok"));
            }
            let mut answer = self.unknown_session();
            if faults.has(Fault::UnknownSidNotFound) {
                *answer.status_mut() = StatusCode::NOT_FOUND;
            }
            return Some(answer);
        };
        if !self.serves_session(query) {
            return Some(Refusal::BadRequest.answer());
        }
        if faults.has(Fault::SessionsStickToConnections) && !handle.carry_on() {
            return Some(self.unknown_session());
        }
        if handle.link.transport() == Transport::Websocket && !faults.has(Fault::PollsAfterUpgrade) {
            return Some(Refusal::BadRequest.answer());
        }
        match *request.method() {
            Method::GET => polling::get(handle, &self.settings).await,
            Method::POST => polling::post(handle, &self.settings, request).await,
            _ => Some(answer::empty(StatusCode::INTERNAL_SERVER_ERROR)),
        }
    }

    /// The transport that the request names; `own`, the way the request came, where a fault takes that for named.
    fn transport<'a>(&self, query: &'a Query<'_>, own: &'static str) -> Option<&'a str> {
        let faults = &self.settings.faults;
        match query.transport.as_deref() {
            None if faults.has(Fault::ServesMissingTransport) => Some(own),
            Some(named) if faults.has(Fault::ServesUnknownTransport) && !["polling", "websocket"].contains(&named) => {
                Some(own)
            }
            named => named,
        }
    }

    /// Whether a handshake of that version is served.
    fn serves(&self, version: Option<&str>) -> bool {
        let faults = &self.settings.faults;
        match version {
            Some("4") => true,
            Some(_) => faults.has(Fault::ServesAnyEio),
            None => faults.has(Fault::ServesMissingEio),
        }
    }

    /// Whether a request of a session is served: one that says the session's version.
    fn serves_session(&self, query: &Query<'_>) -> bool {
        query.version.as_deref() == Some("4") || self.settings.faults.has(Fault::ServesSessionAnyEio)
    }

    /// The answer to a polling request of a session that is not there.
    fn unknown_session(&self) -> Answer {
        if self.settings.faults.has(Fault::ErrorsWithStackTrace) {
            let body = r#"{"code":1,"message":"Session ID unknown","stack":"Error: Session ID unknown\n    at verify (/app/node_modules/engine.io/build/server.js:94:27)"}"#;
            return answer::with_body(StatusCode::BAD_REQUEST, "application/json", body);
        }
        Refusal::SessionUnknown.answer()
    }

    /// The polling handshake (Engine.IO v4, "Handshake").
    fn handshake(&self, query: &Query<'_>, request: &Request<Incoming>) -> Answer {
        let faults = &self.settings.faults;
        if request.method() != Method::GET && !faults.has(Fault::ServesAnyMethod) {
            if faults.has(Fault::BadMethodCrashes) {
                return answer::empty(StatusCode::INTERNAL_SERVER_ERROR);
            }
            if faults.has(Fault::ErrorsWithVersion) {
                let body = "<html><body><h1>400 Bad Request</h1><hr>nginx/1.18.0 (Ubuntu)</body></html>";
                return answer::with_body(StatusCode::BAD_REQUEST, "text/html", body);
            }
            return Refusal::BadHandshakeMethod.answer();
        }
        if !self.serves(query.version.as_deref()) {
            return Refusal::UnsupportedProtocolVersion.answer();
        }
        if faults.has(Fault::RedirectsHandshake) {
            return redirect(&format!("/elsewhere/?{}", query.raw));
        }
        if faults.has(Fault::RequiresCacheBuster) && !query.has_t {
            return Refusal::BadRequest.answer();
        }
        if faults.has(Fault::CachedHandshake)
            && let Some(body) = self.cache().get(query.raw)
        {
            return answer::payload(body.clone());
        }

        let opened_on = request.extensions().get::<Connection>().cloned();
        let token = self.settings.token(query.raw, request.headers());
        let Some((sid, start)) = self.register(Transport::Polling, query.raw, token, opened_on) else {
            return too_many_sessions();
        };
        tokio::spawn(session::run(start));
        let body = Packet::Open(self.open_packet(&sid, Transport::Polling)).encode();

        if faults.has(Fault::CachedHandshake) {
            let mut cache = self.cache();
            if cache.len() < MAX_CACHED {
                cache.insert(query.raw.to_owned(), body.clone());
            }
        }
        let mut bytes = body.into_bytes();
        if faults.has(Fault::OpenPacketBadUtf8) {
            bytes.splice(bytes.len() - 1.., *b",\"by\":\"caf\xe9\"}");
        }
        let mut answer = answer::payload(bytes);
        if faults.has(Fault::HandshakeWrongContentType) {
            answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if faults.has(Fault::CacheableHandshake) {
            answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
        }
        answer
    }

    /// A WebSocket: a new session's, or one that a polling session is to be upgraded to.
    fn handle_upgrade(&self, query: &Query<'_>, request: Request<Incoming>) -> Result<Answer, Box<Answer>> {
        let faults = &self.settings.faults;
        let session = match self.verify_upgrade(query, request.method()) {
            Ok(session) => session,
            Err(_) if faults.has(Fault::HangsBadUpgrade) => return Ok(websocket::hang(request)),
            Err(refusal) => return Err(Box::new(refusal.answer_upgrade())),
        };
        if let Some(handle) = session {
            let (answer, upgrading) = websocket::accept(request)?;
            let limit = self.settings.limit(Transport::Websocket);
            tokio::spawn(async move {
                let Some(connection) = upgrading.complete(limit).await else { return };
                let refused = handle.send(Command::Upgrade(Box::new(connection))).await;
                if let Err(mpsc::error::SendError(Command::Upgrade(connection))) = refused {
                    connection.close(None).await;
                }
            });
            return Ok(answer);
        }
        if faults.has(Fault::RequiresCacheBuster) && !query.has_t {
            return Err(Box::new(Refusal::BadRequest.answer_upgrade()));
        }
        if faults.has(Fault::WebsocketSilent) {
            return Ok(websocket::hang(request));
        }

        let has_cookie = request.headers().get(header::COOKIE).is_some_and(|cookie| cookie == COOKIE);
        let vouched_for = has_cookie && Cors::new(&request, &self.settings.faults).is_foreign();
        let offered = request.headers().get(header::SEC_WEBSOCKET_EXTENSIONS).cloned();
        let token = self.settings.token(query.raw, request.headers());
        let (mut answer, upgrading) = websocket::accept(request)?;
        if faults.has(Fault::CompressesWebsocket)
            && offered.is_some_and(|offers| offers.as_bytes().starts_with(b"permessage-deflate"))
        {
            // Each message says whether it is compressed; none is (RFC 7692, 6).
            let accepted = HeaderValue::from_static("permessage-deflate; client_no_context_takeover");
            answer.headers_mut().insert(header::SEC_WEBSOCKET_EXTENSIONS, accepted);
        }
        let registered = self.register(Transport::Websocket, query.raw, token, None);
        let (sid, mut start) = registered.ok_or_else(|| Box::new(too_many_sessions()))?;
        if vouched_for && faults.has(Fault::CookieOpensWebsocket) {
            start.link.vouch_for();
        }
        let open = Packet::Open(self.open_packet(&sid, Transport::Websocket));
        tokio::spawn(async move {
            let limit = start.settings.limit(Transport::Websocket);
            let Some(mut connection) = upgrading.complete(limit).await else { return };
            connection.push(open);
            start.websocket = Some(connection);
            session::run(start).await;
        });
        Ok(answer)
    }

    /// The session that an upgrade is for, or nothing where it begins one.
    fn verify_upgrade(&self, query: &Query<'_>, method: &Method) -> Result<Option<Handle>, Refusal> {
        match self.transport(query, "websocket") {
            Some("websocket") => {}
            Some("polling") => return Err(Refusal::BadRequest),
            _ => return Err(Refusal::TransportUnknown),
        }
        if method != Method::GET {
            return Err(Refusal::BadHandshakeMethod);
        }
        match &query.sid {
            Some(sid) => match self.find(sid) {
                Some(handle) if self.serves_session(query) => Ok(Some(handle)),
                Some(_) => Err(Refusal::BadRequest),
                None => Err(Refusal::SessionUnknown),
            },
            None if self.serves(query.version.as_deref()) => Ok(None),
            None => Err(Refusal::UnsupportedProtocolVersion),
        }
    }

    /// Makes room for a session, unless there is none left.
    fn register(
        &self,
        transport: Transport,
        query: &str,
        token: Option<String>,
        opened_on: Option<Connection>,
    ) -> Option<(String, session::Start)> {
        let sid = self.new_sid();
        let (link, link_end) = Link::new(transport, query, token);
        let (sender, commands) = mpsc::channel(COMMANDS);
        {
            let mut open = self.sessions.open();
            if open.len() >= MAX_SESSIONS {
                return None;
            }
            let handle = Handle {
                commands: sender,
                posting: Arc::default(),
                polls: Arc::new(Mutex::new(Bucket::new(POLLS_AT_ONCE, POLLS_A_SECOND))),
                link: link.clone(),
                opened_on: Arc::new(Mutex::new(opened_on)),
            };
            open.insert(sid.clone(), handle);
        }
        let start = session::Start {
            settings: self.settings.clone(),
            upstream: self.upstream.clone(),
            registration: Registration { sessions: self.sessions.clone(), sid: sid.clone() },
            commands,
            link,
            link_end,
            websocket: None,
        };
        Some((sid, start))
    }

    /// A session id: 120 random bits as 20 characters, as long as Node's.
    fn new_sid(&self) -> String {
        if self.settings.faults.has(Fault::SequentialSid) {
            let number = self.sessions.counter.fetch_add(1, Ordering::Relaxed);
            return format!("siospec-node1-{number:06}");
        }
        if self.settings.faults.has(Fault::ShortSid) {
            return random_id(8);
        }
        random_id(20)
    }

    /// The open packet's data (Engine.IO v4, "Handshake").
    fn open_packet(&self, sid: &str, transport: Transport) -> String {
        let Settings { ping_interval, ping_timeout, max_payload, faults, .. } = &*self.settings;
        let upgradable = transport == Transport::Polling && !faults.has(Fault::NoUpgradeOffered);
        let upgrades: &[&str] = if upgradable { &["websocket"] } else { &[] };
        let mut open = json!({
            "sid": sid,
            "upgrades": upgrades,
            "pingInterval": milliseconds(*ping_interval),
            "pingTimeout": milliseconds(*ping_timeout),
            "maxPayload": max_payload,
        });
        if faults.has(Fault::OpenPacketMissingField)
            && let Some(fields) = open.as_object_mut()
        {
            fields.shift_remove("pingTimeout");
        }
        if faults.has(Fault::OpenPacketWrongType) {
            open["pingInterval"] = json!(milliseconds(*ping_interval).to_string());
        }
        if faults.has(Fault::OpenPacketEndlessTimeout) {
            open["pingTimeout"] = json!(1_u64 << 31);
        }
        open.to_string()
    }

    fn cache(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.sessions.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An id of that many characters of the URL-safe base64 alphabet, six random bits each.
pub fn random_id(length: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut random = rand::rng();
    (0..length).map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())])).collect()
}

fn milliseconds(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}

fn redirect(to: &str) -> Answer {
    let mut answer = answer::empty(StatusCode::TEMPORARY_REDIRECT);
    if let Ok(location) = HeaderValue::try_from(to) {
        answer.headers_mut().insert(header::LOCATION, location);
    }
    answer
}

fn too_many_sessions() -> Answer {
    answer::empty(StatusCode::SERVICE_UNAVAILABLE)
}
