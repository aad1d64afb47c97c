//! The target's Socket.IO endpoint: requests as browsers send them, each in its place of the transcript.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use reqwest::{
    Method,
    header::{
        CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue, ORIGIN, SET_COOKIE,
        UPGRADE,
    },
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};
use url::Url;

use super::{
    Direction, EnginePacket, Handshake, Transcript, Transport, WireError, engine,
    held::Part,
    http::{Asked, Carried, Http, Page},
    pace,
    pool::{Keep, noting_connection},
    response::{HttpResponse, classify, read, say_cookies, wire_text},
    young::{self, YOUNG},
};
use crate::redact::Redacted;

/// How soon a request fails whose kept connection the server had closed already. What is cut later was in use.
const STALE_WITHIN: Duration = Duration::from_secs(1);

/// Cookies of one connection, and characters of one, beyond which they are not kept.
const MAX_COOKIES: usize = 20;

const MAX_COOKIE: usize = 4_096;

/// The target's Socket.IO endpoint, as one connection of one check sees it.
#[derive(Clone)]
pub struct Endpoint {
    http: Http,
    origin: Url,
    path: String,
    deadline: Duration,
    transcript: Transcript,
    label: String,
    page: Page,
    /// Parameters that the URL of every Engine.IO request carries beside the protocol's own.
    query: Vec<(String, String)>,
    /// What load balancers set to know which node a session is on. One jar per client: a jar for the whole run
    /// would pin all of it to one node.
    cookies: Arc<Mutex<BTreeMap<String, String>>>,
    /// The connections that this client keeps between requests, as browsers do. Real users share none.
    kept: Arc<OnceLock<reqwest::Client>>,
    /// Whether its requests are sent as they come, and what turns them away is their answer.
    as_it_comes: bool,
    /// The token that every Engine.IO request carries.
    carried: Option<Carried>,
    /// Whether a session that is not known counts as such however young it is.
    takes_first_answers: bool,
}

/// What came of an upgrade.
pub(super) enum Answered {
    /// 101: the connection is the upgrade's now.
    Switched(reqwest::Response),
    /// Any other status.
    Refused(HttpResponse),
}

impl Answered {
    fn refusal(&self) -> Option<&HttpResponse> {
        match self {
            Answered::Switched(_) => None,
            Answered::Refused(response) => Some(response),
        }
    }
}

impl Endpoint {
    /// The endpoint at `path` below `origin`, where an answer that takes longer than `deadline` counts as none.
    pub fn new(http: Http, origin: &Url, path: &str, deadline: Duration, transcript: Transcript) -> Endpoint {
        Endpoint {
            page: http.page.clone(),
            carried: http.carried.clone(),
            http,
            origin: origin.clone(),
            path: path.to_owned(),
            deadline,
            transcript,
            label: String::new(),
            query: Vec::new(),
            cookies: Arc::default(),
            kept: Arc::default(),
            as_it_comes: false,
            takes_first_answers: false,
        }
    }

    /// The same endpoint for a client that the transcript calls `label`, with a cookie jar and connections of its own.
    pub fn labelled(&self, label: &str) -> Endpoint {
        Endpoint { label: label.to_owned(), cookies: Arc::default(), kept: Arc::default(), ..self.clone() }
    }

    fn kept(&self) -> Result<&reqwest::Client, WireError> {
        if let Some(kept) = self.kept.get() {
            return Ok(kept);
        }
        let made = self.http.pools.client(self.http.headers.clone(), Keep::ForAWhile)?;
        Ok(self.kept.get_or_init(|| made))
    }

    /// The same endpoint, whose requests are sent as they come: no pace holds them back, and none is sent again because it was
    /// turned away for coming too fast.
    pub fn as_it_comes(mut self) -> Endpoint {
        self.as_it_comes = true;
        self
    }

    /// The same endpoint, which does not ask again for a session that is not known so soon after its handshake: the answer may
    /// come from another node, and say nothing about the first.
    pub fn taking_first_answers(mut self) -> Endpoint {
        self.takes_first_answers = true;
        self
    }

    /// The same endpoint, where an answer may take so long.
    pub fn patient(mut self, deadline: Duration) -> Endpoint {
        self.deadline = deadline;
        self
    }

    /// The same endpoint, where the URL of every Engine.IO request carries these parameters as well.
    pub fn with_query(mut self, query: Vec<(String, String)>) -> Endpoint {
        self.query = query;
        self
    }

    /// The same endpoint, whose Engine.IO requests carry that token, or none.
    pub fn carrying(mut self, carried: Option<Carried>) -> Endpoint {
        self.carried = carried;
        self
    }

    /// The token that its Engine.IO requests carry.
    pub fn carried(&self) -> Option<&Carried> {
        self.carried.as_ref()
    }

    /// The same endpoint, where requests are sent for that page.
    pub fn for_page(mut self, page: Page) -> Endpoint {
        self.page = page;
        self
    }

    /// The same endpoint on another node of the deployment.
    pub fn at(self, origin: &Url) -> Endpoint {
        Endpoint { origin: origin.clone(), ..self }
    }

    /// The name of this connection in the transcript.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// How long one answer may take.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// The scheme, host and port of the target.
    pub fn origin(&self) -> &Url {
        &self.origin
    }

    /// A URL of the target.
    pub fn url(&self, path_and_query: &str) -> Url {
        self.origin.join(path_and_query).unwrap_or_else(|_| self.origin.clone())
    }

    /// The URL of an Engine.IO request at the contract's path, with `EIO=4`, the transport, a unique `t` (as browsers'
    /// clients send it, so that no cache answers) and, where the session exists already, its id.
    pub fn engine_url(&self, transport: Transport, sid: Option<&str>) -> Url {
        self.engine_url_at(&self.path, transport, sid)
    }

    /// As [`Endpoint::engine_url`], below another path.
    pub fn engine_url_at(&self, path: &str, transport: Transport, sid: Option<&str>) -> Url {
        let mut url = self.url(&format!("{}/", path.trim_end_matches('/')));
        let mut query = url.query_pairs_mut();
        query.append_pair("EIO", "4").append_pair("transport", transport.name());
        query.append_pair("t", &format!("{:x}", rand::random::<u32>()));
        if let Some(sid) = sid {
            query.append_pair("sid", sid);
        }
        query.extend_pairs(&self.query);
        if let Some(Carried::Query(name, token)) = &self.carried {
            query.append_pair(name, token.expose());
        }
        drop(query);
        url
    }

    /// Sends a request without a body.
    ///
    /// # Errors
    /// See [`Endpoint::send`].
    pub async fn get(&self, url: Url) -> Result<HttpResponse, WireError> {
        self.send(Method::GET, url, HeaderMap::new(), None, self.deadline).await
    }

    /// Sends a request and reads its answer within `deadline`.
    ///
    /// # Errors
    /// [`WireError::Connect`], [`WireError::Tls`], [`WireError::Timeout`], or [`WireError::Malformed`] when the answer
    /// is not HTTP.
    pub async fn send(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Option<Bytes>,
        deadline: Duration,
    ) -> Result<HttpResponse, WireError> {
        let headers = self.as_browsers_do(&method, &url, headers);
        self.exchange(self.kept()?, &method, &url, &headers, body, deadline).await
    }

    /// As [`Endpoint::send`], on a TCP connection of its own, which neither end keeps afterwards.
    ///
    /// # Errors
    /// As [`Endpoint::send`].
    pub async fn send_apart(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Option<Bytes>,
    ) -> Result<HttpResponse, WireError> {
        let mut headers = self.as_browsers_do(&method, &url, headers);
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        self.exchange(&self.http.fresh, &method, &url, &headers, body, self.deadline).await
    }

    /// Sends a GET as a stranger: without the contract's headers, without cookies, and on a connection of its own.
    ///
    /// # Errors
    /// As [`Endpoint::send`].
    pub async fn get_as_stranger(&self, url: Url) -> Result<HttpResponse, WireError> {
        let headers = HeaderMap::from_iter([(CONNECTION, HeaderValue::from_static("close"))]);
        self.exchange(self.http.bare()?, &Method::GET, &url, &headers, None, self.deadline).await
    }

    /// Sends a request by that client, when it is its turn, and again where it is turned away for coming too fast.
    async fn exchange(
        &self,
        client: &reqwest::Client,
        method: &Method,
        url: &Url,
        headers: &HeaderMap,
        body: Option<Bytes>,
        deadline: Duration,
    ) -> Result<HttpResponse, WireError> {
        let request = || {
            let request = client.request(method.clone(), url.clone()).headers(headers.clone());
            self.attempt(request, method, url, headers, body.clone(), deadline)
        };
        self.as_known(url, request, |response| Some(response)).await
    }

    /// Makes a request, and once more where its session need not have been known yet.
    async fn as_known<T, F: Future<Output = Result<T, WireError>>>(
        &self,
        url: &Url,
        request: impl Fn() -> F,
        response: fn(&T) -> Option<&HttpResponse>,
    ) -> Result<T, WireError> {
        let young = &self.http.young;
        let young_until = young.until(url).filter(|_| !self.takes_first_answers);
        let answer = self.at_its_pace(&request, response).await?;
        if let Some(sid) = response(&answer).and_then(opened) {
            young.opened(&sid);
        }
        let is_unknown = |answer: &T| response(answer).is_some_and(young::is_unknown);
        let Some(known_at) = young_until.filter(|_| is_unknown(&answer)) else { return Ok(answer) };
        let why = say!("a session of the last {time} may not be known everywhere yet; asked again", time = YOUNG);
        self.record(Direction::Remark, why.text());
        sleep_until(known_at).await;
        let answer = self.at_its_pace(&request, response).await?;
        if response(&answer).is_none_or(HttpResponse::is_success) {
            young.note_late();
        }
        Ok(answer)
    }

    /// Whether a session of this run was not known right after its handshake, and was a moment later, as between the workers of
    /// `@socket.io/sticky`.
    pub fn knows_sessions_late(&self) -> bool {
        self.http.young.has_seen_late()
    }

    /// Makes a request when it is its turn, and again where `refusal` shows that it was turned away for coming too fast.
    async fn at_its_pace<T, F: Future<Output = Result<T, WireError>>>(
        &self,
        request: impl Fn() -> F,
        refusal: fn(&T) -> Option<&HttpResponse>,
    ) -> Result<T, WireError> {
        let pace = &self.http.pace;
        if self.as_it_comes {
            pace.count();
            return request().await;
        }
        for _ in 1..pace::TRIES {
            let sent = pace.turn().await;
            let answer = request().await?;
            if !refusal(&answer).is_some_and(|response| pace.is_worth_repeating(sent, response)) {
                return Ok(answer);
            }
        }
        pace.turn().await;
        request().await
    }

    async fn attempt(
        &self,
        mut request: reqwest::RequestBuilder,
        method: &Method,
        url: &Url,
        headers: &HeaderMap,
        body: Option<Bytes>,
        deadline: Duration,
    ) -> Result<HttpResponse, WireError> {
        let mut line = Redacted::from(format!("{method} {}", path_and_query(url)));
        say_headers(&mut line, headers);
        if let Some(body) = &body {
            line.say(&format!("\n{}", String::from_utf8_lossy(body)));
        }
        self.record(Direction::Sent, line);
        if let Some(body) = body {
            request = request.body(body);
        }
        // A poll is answered when there is something to say.
        let is_poll = *method == Method::GET && url.query_pairs().any(|(name, _)| name == "sid");
        let asked = (!is_poll).then(|| self.http.unanswered.ask());
        let again = request.try_clone();
        let exchange = async {
            let begun = Instant::now();
            let (sent, opened) = noting_connection(request.send()).await;
            let may_be_stale = !opened && begun.elapsed() < STALE_WITHIN;
            let response = match (sent.map_err(|error| classify(&error)), again) {
                // A kept connection may be closed by the server just when it is used again. As in browsers (RFC 9112, 9.3.1)
                // only what a new one brings is believed.
                (Err(WireError::Closed(how)), Some(again)) if may_be_stale => {
                    self.record(
                        Direction::Remark,
                        say!("a kept connection was closed ({how}); asked again on a new one", how).text(),
                    );
                    let (_, request) = again.build_split();
                    let request = request.map_err(|error| classify(&error))?;
                    self.http.fresh.execute(request).await.map_err(|error| classify(&error))?
                }
                (sent, _) => sent?,
            };
            self.keep_cookies(response.headers());
            read(response, &self.held()).await
        };
        let answer = match timeout(deadline, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(WireError::Timeout { what: said!("HTTP answer"), after: deadline }),
        };
        if !is_poll {
            self.http.presence.note(answer.as_ref());
        }
        match &answer {
            Ok(response) => {
                asked.iter().for_each(Asked::answered);
                self.record(Direction::Received, wire_text(response));
            }
            Err(error) => {
                if matches!(error, WireError::Closed(_)) {
                    self.ended_without_a_word();
                }
                if !is_poll && matches!(error, WireError::Timeout { .. }) {
                    self.transcript.note_silence();
                }
                self.record(Direction::Remark, error.message().text());
            }
        }
        answer
    }

    /// Sends a POST whose body of `length` bytes comes byte by byte, one each `pace`, and waits for its answer without any
    /// deadline. `sent` counts the bytes.
    ///
    /// # Errors
    /// As [`Endpoint::send`].
    pub async fn post_slowly(
        &self,
        url: Url,
        length: u32,
        pace: Duration,
        sent: watch::Sender<u32>,
    ) -> Result<HttpResponse, WireError> {
        self.record(
            Direction::Sent,
            format!("POST {}\n(one byte each {})", path_and_query(&url), humantime::format_duration(pace)),
        );
        let body = futures::stream::unfold(0, move |count| {
            let sent = sent.clone();
            async move {
                if count == length {
                    return None;
                }
                if count > 0 {
                    sleep(pace).await;
                }
                sent.send_replace(count + 1);
                Some((Ok::<_, std::convert::Infallible>(Bytes::from_static(b"6")), count + 1))
            }
        });
        let mut headers = Endpoint::content_type("text/plain;charset=UTF-8");
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        let headers = self.as_browsers_do(&Method::POST, &url, headers);
        let request = self.http.fresh.post(url).headers(headers);
        let response = request.body(reqwest::Body::wrap_stream(body)).send().await.map_err(|error| classify(&error))?;
        let answer = read(response, &self.held()).await?;
        self.record(Direction::Received, wire_text(&answer));
        Ok(answer)
    }

    /// Asks for an upgrade, when it is its turn, and again where it is turned away for coming too fast.
    ///
    /// # Errors
    /// As [`Endpoint::send`].
    pub(super) async fn upgrade(&self, url: Url, headers: HeaderMap) -> Result<Answered, WireError> {
        let headers = self.as_browsers_do(&Method::GET, &url, headers);
        let upgrade = || self.attempt_upgrade(&url, &headers);
        self.as_known(&url, upgrade, Answered::refusal).await
    }

    async fn attempt_upgrade(&self, url: &Url, headers: &HeaderMap) -> Result<Answered, WireError> {
        let mut line = Redacted::from(format!("GET {}\nUpgrade: websocket", path_and_query(url)));
        say_headers(&mut line, headers);
        self.record(Direction::Sent, line);
        let _asked = self.http.unanswered.ask();
        let exchange = self.http.fresh.get(url.clone()).headers(headers.clone()).send();
        let answer = match timeout(self.deadline, exchange).await {
            Ok(answer) => answer.map_err(|error| classify(&error)),
            Err(_) => {
                self.transcript.note_silence();
                Err(WireError::Timeout { what: "answer to the upgrade", after: self.deadline })
            }
        };
        match &answer {
            Ok(response) => self.keep_cookies(response.headers()),
            Err(error) => self.record(Direction::Remark, error.message().text()),
        }
        let answered = match answer {
            Ok(response) if response.status().as_u16() == 101 => {
                self.http.presence.heard();
                return Ok(Answered::Switched(response));
            }
            Ok(response) => self.read_refusal(response).await,
            Err(error) => Err(error),
        };
        self.http.presence.note(answered.as_ref());
        answered.map(Answered::Refused)
    }

    /// What a browser adds to the headers of a page's request: its cookies, and its `Origin`; and, where the endpoint is asked,
    /// the token that a script adds.
    fn as_browsers_do(&self, method: &Method, url: &Url, mut headers: HeaderMap) -> HeaderMap {
        let carried = self.carried.as_ref().filter(|_| url.path().starts_with(&self.path));
        if let Some(Carried::Header(name, token)) = carried {
            headers.entry(name).or_insert_with(|| token.clone());
        }
        self.with_origin(method, url, self.with_cookies(headers, carried))
    }

    /// Adds the page's `Origin` where browsers do (Fetch, "append a request `Origin` header"; RFC 6455, 4.1): with what is
    /// neither GET nor HEAD, with every upgrade, and with what goes to another origin than the page's; but not where one
    /// was chosen. Of the GETs, only those below the endpoint's path are a script's; others stand for a user who goes there.
    fn with_origin(&self, method: &Method, url: &Url, mut headers: HeaderMap) -> HeaderMap {
        if self.http.names_origin || headers.contains_key(ORIGIN) {
            return headers;
        }
        let Ok(asked) = HeaderValue::try_from(url.origin().ascii_serialization()) else { return headers };
        let page = match &self.page {
            Page::None => return headers,
            Page::Own => asked.clone(),
            Page::Of(origin) => origin.clone(),
        };
        let reads = [Method::GET, Method::HEAD].contains(method);
        let crosses = page != asked && url.path().starts_with(&self.path);
        if !reads || headers.contains_key(UPGRADE) || crosses {
            headers.insert(ORIGIN, page);
        }
        headers
    }

    /// Adds the jar's cookies, and the token's, to those that the contract has every request carry.
    fn with_cookies(&self, mut headers: HeaderMap, carried: Option<&Carried>) -> HeaderMap {
        let jar = self.cookies.lock().expect("nothing panics while it holds the jar");
        let token = match carried {
            Some(Carried::Cookie(name, token)) => Some(format!("{name}={}", token.expose())),
            _ => None,
        };
        if (token.is_some() || !jar.is_empty()) && !headers.contains_key(COOKIE) {
            let mut cookies: Vec<String> = self.http.cookies.iter().cloned().chain(token).collect();
            cookies.extend(jar.iter().map(|(name, value)| format!("{name}={value}")));
            if let Ok(mut value) = HeaderValue::try_from(cookies.join("; ")) {
                value.set_sensitive(true);
                headers.insert(COOKIE, value);
            }
        }
        headers
    }

    /// Whether the target has set cookies for this client.
    pub fn has_cookies(&self) -> bool {
        !self.cookies.lock().expect("nothing panics while it holds the jar").is_empty()
    }

    /// Keeps what `Set-Cookie` says for the rest of this connection, up to a bound.
    fn keep_cookies(&self, headers: &HeaderMap) {
        let mut jar = self.cookies.lock().expect("nothing panics while it holds the jar");
        for cookie in headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            let pair = cookie.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=')
                && cookie.len() <= MAX_COOKIE
                && (jar.len() < MAX_COOKIES || jar.contains_key(name.trim()))
            {
                jar.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
    }

    /// Reads an answer to an upgrade that is no 101.
    async fn read_refusal(&self, response: reqwest::Response) -> Result<HttpResponse, WireError> {
        let answer = match timeout(self.deadline, read(response, &self.held())).await {
            Ok(answer) => answer?,
            Err(_) => return Err(WireError::Timeout { what: "end of the HTTP answer", after: self.deadline }),
        };
        self.record(Direction::Received, wire_text(&answer));
        Ok(answer)
    }

    /// A part of what all connections of the run hold.
    pub(super) fn held(&self) -> Part {
        self.http.held.part()
    }

    /// Takes note that an answer did not come in time.
    pub fn note_silence(&self) {
        self.transcript.note_silence();
    }

    /// Takes note that the target ended a connection without a word.
    pub(super) fn ended_without_a_word(&self) {
        self.http.presence.ended(self.transcript.id());
    }

    /// Takes note of how long a pong had to wait before it was written.
    pub(super) fn pong_waited(&self, since: Instant) {
        self.http.pongs.add(since.elapsed());
    }

    /// Writes a line of this connection into the transcript.
    pub fn record(&self, direction: Direction, text: impl Into<Redacted>) {
        self.transcript.record(&self.label, direction, text);
    }

    /// A `Content-Type` header alone.
    pub fn content_type(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))])
    }
}

fn path_and_query(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

/// Adds the headers of one request, as the transcript shows them. Those of WebSocket's handshake are the same each time.
fn say_headers(line: &mut Redacted, headers: &HeaderMap) {
    let is_telling = |name: &HeaderName| {
        !(name.as_str().starts_with("sec-websocket-") && name.as_str() != "sec-websocket-protocol")
            && *name != CONNECTION
            && *name != UPGRADE
    };
    for (name, value) in headers.iter().filter(|(name, _)| is_telling(name)) {
        let value = String::from_utf8_lossy(value.as_bytes());
        line.say(&format!("\n{name}: "));
        if *name == COOKIE { say_cookies(line, &value) } else { line.say(&value) }
    }
}

/// The session that an answer opens.
fn opened(response: &HttpResponse) -> Option<String> {
    if response.status != 200 || !response.body.starts_with(b"0{") {
        return None;
    }
    match engine::decode_payload(&response.text()).ok()?.into_iter().next()? {
        EnginePacket::Open(data) => Handshake::parse(&data).ok().map(|handshake| handshake.sid),
        _ => None,
    }
}
