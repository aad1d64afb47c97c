//! HTTP to the target: one client for polling, for the upgrade to WebSocket, for the page and the REST route.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, OnceLock, PoisonError, atomic::AtomicUsize},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use reqwest::{
    Method,
    header::{
        CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue, LOCATION,
        ORIGIN, SERVER, SET_COOKIE, UPGRADE, VARY,
    },
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, timeout},
};
use url::Url;

pub use super::pool::Trust;
use super::{
    Direction, Transcript, Transport, WireError,
    pace::{self, Pace},
    pool::{Keep, Pools, noting_connection},
    presence::Presence,
};
use crate::{
    lag::{self, Lateness},
    message::{Message, excerpt, quote_of},
    redact::mark,
    secret::Secret,
};

/// A body beyond this is cut off, in bytes: no answer that a check looks at is larger.
pub(super) const MAX_BODY: usize = 4 << 20;
/// Requests that a target may leave unanswered before no further check begins: as many as a page has for a server that is
/// about to be overrun, and few enough for a small one.
const MAX_UNANSWERED: usize = 24;
/// How soon a request fails whose kept connection the server had closed already. What is cut later was in use.
const STALE_WITHIN: Duration = Duration::from_secs(1);
/// A target on this machine that takes longer for an answer has to wait for the processor, as all else here has.
const PROMPT: Duration = Duration::from_millis(100);
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
}

/// A token that requests carry, and not the packets of their session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carried {
    /// In a header.
    Header(HeaderName, HeaderValue),
    /// In a cookie: its name, and its value.
    Cookie(String, Secret),
    /// In the URL's query: the parameter's name, and its value.
    Query(String, Secret),
}

/// The page that sends the requests, as far as its `Origin` tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// None: as clients other than browsers, which send no `Origin`.
    #[default]
    None,
    /// One of the very origin that is asked.
    Own,
    /// One of this origin.
    Of(HeaderValue),
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

/// An HTTP answer with its body, at most 4 MiB of it.
#[derive(Clone, Debug)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Whether the body was longer, and was not read to its end.
    pub is_cut: bool,
}

/// What a body is, judged by what it holds rather than by what its header claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// Nothing.
    Empty,
    /// An HTML page.
    Html,
    /// A JSON value.
    Json,
    /// Anything else.
    Other,
}

impl HttpResponse {
    /// The body as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value, empty where it is missing or not text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The media type without its parameters, in lower case; empty where there is none.
    pub fn media_type(&self) -> String {
        self.header("content-type").split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the target answered as one does that does not know the session (any more): 400 by Engine.IO, and of what else
    /// HTTP has for what is not there, 404 and 410 (RFC 9110, 15.5.5 and 15.5.11), which engine.unknown-sid looks for.
    pub fn misses_session(&self) -> bool {
        matches!(self.status, 400 | 404 | 410)
    }

    /// Whether the status is 3xx.
    pub fn is_redirect(&self) -> bool {
        (300..400).contains(&self.status)
    }

    /// What the body is.
    pub fn kind(&self) -> BodyKind {
        let text = self.text();
        let start = text.trim_start_matches('\u{feff}').trim_start();
        let is_html = |prefix: &str| start.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
        if start.is_empty() {
            BodyKind::Empty
        } else if is_html("<!doctype html")
            || is_html("<html")
            || is_html("<head")
            || self.media_type() == "text/html" && start.starts_with('<')
        {
            BodyKind::Html
        } else if serde_json::from_str::<serde_json::Value>(start)
            .is_ok_and(|value| value.is_object() || value.is_array())
        {
            BodyKind::Json
        } else {
            BodyKind::Other
        }
    }
}

spoken!(HttpResponse);

impl HttpResponse {
    /// The answer in a few words: status, media type, and the beginning of the body.
    pub fn message(&self) -> Message {
        let status = self.status;
        if self.is_redirect() {
            let location = excerpt(self.header("location"), 200);
            return say!("HTTP {status}, redirect to {location}", status, location);
        }
        match self.kind() {
            BodyKind::Empty => say!("HTTP {status}, empty body", status),
            BodyKind::Html => match html_title(&self.text()) {
                Some(title) => {
                    say!("HTTP {status}, an HTML page (title {title})", status, title = quote_of(&title, 60))
                }
                None => say!("HTTP {status}, an HTML page (untitled)", status),
            },
            BodyKind::Json | BodyKind::Other => {
                let (media_type, body) = (self.media_type(), excerpt(self.text().trim(), 200));
                if media_type.is_empty() {
                    say!("HTTP {status}, no content type: {body}", status, body)
                } else {
                    say!("HTTP {status}, {media_type}: {body}", status, media_type, body)
                }
            }
        }
    }
}

fn html_title(html: &str) -> Option<String> {
    let lower = html.to_ascii_lowercase();
    let title = lower.find("<title").and_then(|start| {
        let from = start + html[start..].find('>')? + 1;
        let to = from + lower[from..].find("</title")?;
        Some(html[from..to].trim().to_owned())
    });
    title.filter(|title| !title.is_empty())
}

/// The HTTP clients of a run. They are made once: loading the platform's certificates takes longer than most checks.
#[derive(Clone)]
pub struct Http {
    pools: Pools,
    /// What every request carries.
    headers: HeaderMap,
    /// Opens a connection for each request, as browsers do for each WebSocket. A kept connection that the target closes
    /// on an upgrade would else be taken for a stale one, and the upgrade be tried again behind the check's back.
    fresh: reqwest::Client,
    /// As `fresh`, and without the contract's headers, for requests that must not carry its secrets. Made when it is asked
    /// for.
    bare: Arc<OnceLock<reqwest::Client>>,
    /// The contract's own cookies, which a request with others must still carry.
    cookies: Option<String>,
    /// Whether the contract's headers say an `Origin` themselves.
    names_origin: bool,
    page: Page,
    unanswered: Arc<Unanswered>,
    /// How long pongs had to wait before they were written.
    pongs: Arc<Lateness>,
    pace: Arc<Pace>,
    presence: Arc<Presence>,
    /// The token that every Engine.IO request carries, unless an endpoint has another.
    carried: Option<Carried>,
    /// Bytes that all open sessions have received.
    held: Arc<AtomicUsize>,
}

/// The requests that the target has not answered yet, of those that it can answer at once.
#[derive(Debug, Default)]
struct Unanswered {
    since: Mutex<VecDeque<Instant>>,
    /// Told when there is one less.
    answered: Notify,
    /// How long those took that were answered.
    took: Lateness,
}

/// A request that waits for its answer.
struct Asked<'a>(&'a Unanswered, Instant);

impl Unanswered {
    fn ask(&self) -> Asked<'_> {
        let now = Instant::now();
        self.since.lock().expect("nothing panics while it holds the list").push_back(now);
        Asked(self, now)
    }
}

impl Asked<'_> {
    /// There is an answer, so that what it took tells how busy the target is.
    fn answered(&self) {
        self.0.took.add(self.1.elapsed());
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let mut since = self.0.since.lock().expect("nothing panics while it holds the list");
        if let Some(at) = since.iter().position(|asked| *asked == self.1) {
            since.remove(at);
        }
        drop(since);
        let took = self.1.elapsed();
        if took > PROMPT {
            lag::notice(took);
        }
        self.0.answered.notify_waiters();
    }
}

impl Http {
    /// Clients that send `headers` with every request.
    ///
    /// # Errors
    /// [`WireError::Malformed`] when a declared header is none, [`WireError::Tls`] when the platform's TLS cannot be set
    /// up.
    pub fn new(headers: &[(String, Secret)], connect_timeout: Duration, trust: Trust) -> Result<Http, WireError> {
        let headers = self::headers(headers).map_err(WireError::Malformed)?;
        let cookies = headers.get(COOKIE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let names_origin = headers.contains_key(ORIGIN);
        let pools = Pools::new(connect_timeout, &trust)?;
        Ok(Http {
            fresh: pools.client(headers.clone(), Keep::Never)?,
            pools,
            headers,
            bare: Arc::default(),
            cookies,
            names_origin,
            page: Page::None,
            unanswered: Arc::default(),
            pongs: Arc::default(),
            pace: Arc::new(Pace::new(None)),
            presence: Arc::default(),
            carried: None,
            held: Arc::default(),
        })
    }

    /// The same clients, whose endpoints send what they send for that page.
    #[must_use]
    pub fn for_page(self, page: Page) -> Http {
        Http { page, ..self }
    }

    /// The same clients, whose Engine.IO requests carry that token.
    #[must_use]
    pub fn carrying(self, carried: Option<Carried>) -> Http {
        Http { carried, ..self }
    }

    /// The same clients, which send so many requests a second at the most.
    #[must_use]
    pub fn at_rate(self, rate: Option<f64>) -> Http {
        Http { pace: Arc::new(Pace::new(rate)), ..self }
    }

    /// The pace of all requests.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Whether somebody is there.
    pub fn presence(&self) -> &Presence {
        &self.presence
    }

    /// How long a pong of ours had to wait before it was written, since then, at the worst.
    pub fn latest_pong_since(&self, begun: Instant) -> Duration {
        self.pongs.worst_since(begun)
    }

    /// Waits until the target keeps up: few requests are unanswered that it can answer at once, none of them for longer than
    /// `promptly`. A target that answers some requests never is left alone for `patience`, each time.
    pub async fn until_it_keeps_up(&self, promptly: Duration, patience: Duration) {
        let keeps_up = async {
            loop {
                let answered = self.unanswered.answered.notified();
                let late = {
                    let since = self.unanswered.since.lock().expect("nothing panics while it holds the list");
                    let oldest = since.front().map(Instant::elapsed).unwrap_or_default();
                    since.len() >= MAX_UNANSWERED || oldest > promptly
                };
                if !late {
                    return;
                }
                answered.await;
            }
        };
        let _ = timeout(patience, keeps_up).await;
    }

    /// How many answers took longer than `promptly` since then. Those that never came are not counted.
    pub fn late_answers_since(&self, begun: Instant, promptly: Duration) -> usize {
        self.unanswered.took.count_since(begun, promptly)
    }

    fn bare(&self) -> Result<&reqwest::Client, WireError> {
        if let Some(bare) = self.bare.get() {
            return Ok(bare);
        }
        let made = self.pools.client(HeaderMap::new(), Keep::Never)?;
        Ok(self.bare.get_or_init(|| made))
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
        self.at_its_pace(request, |response| Some(response)).await
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
        let mut line = format!("{method} {}", path_and_query(url));
        line += &sent_headers(headers);
        if let Some(body) = &body {
            line += &format!("\n{}", String::from_utf8_lossy(body));
        }
        self.record(Direction::Sent, &line);
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
                        &say!("a kept connection was closed ({how}); asked again on a new one", how).text(),
                    );
                    let (_, request) = again.build_split();
                    let request = request.map_err(|error| classify(&error))?;
                    self.http.fresh.execute(request).await.map_err(|error| classify(&error))?
                }
                (sent, _) => sent?,
            };
            self.keep_cookies(response.headers());
            read(response).await
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
                self.record(Direction::Received, &wire_text(response));
            }
            Err(error) => {
                if matches!(error, WireError::Closed(_)) {
                    self.ended_without_a_word();
                }
                if !is_poll && matches!(error, WireError::Timeout { .. }) {
                    self.transcript.note_silence();
                }
                self.record(Direction::Remark, &error.message().text());
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
            &format!("POST {}\n(one byte each {})", path_and_query(&url), humantime::format_duration(pace)),
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
        let answer = read(response).await?;
        self.record(Direction::Received, &wire_text(&answer));
        Ok(answer)
    }

    /// Asks for an upgrade, when it is its turn, and again where it is turned away for coming too fast.
    ///
    /// # Errors
    /// As [`Endpoint::send`].
    pub(super) async fn upgrade(&self, url: Url, headers: HeaderMap) -> Result<Answered, WireError> {
        let headers = self.as_browsers_do(&Method::GET, &url, headers);
        let upgrade = || self.attempt_upgrade(&url, &headers);
        self.at_its_pace(upgrade, Answered::refusal).await
    }

    async fn attempt_upgrade(&self, url: &Url, headers: &HeaderMap) -> Result<Answered, WireError> {
        self.record(
            Direction::Sent,
            &format!("GET {}\nUpgrade: websocket{}", path_and_query(url), sent_headers(headers)),
        );
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
            Err(error) => self.record(Direction::Remark, &error.message().text()),
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
        let answer = match timeout(self.deadline, read(response)).await {
            Ok(answer) => answer?,
            Err(_) => return Err(WireError::Timeout { what: "end of the HTTP answer", after: self.deadline }),
        };
        self.record(Direction::Received, &wire_text(&answer));
        Ok(answer)
    }

    /// The count of bytes that all open sessions of the run have received.
    pub(super) fn held(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.http.held)
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
    pub fn record(&self, direction: Direction, text: &str) {
        self.transcript.record(&self.label, direction, text);
    }

    /// A `Content-Type` header alone.
    pub fn content_type(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))])
    }
}

/// Declared headers as HTTP has them.
///
/// # Errors
/// A sentence that names the header which HTTP does not allow.
pub fn headers(declared: &[(String, Secret)]) -> Result<HeaderMap, Message> {
    let mut headers = HeaderMap::new();
    for (name, value) in declared {
        let parsed = HeaderName::try_from(name.as_str()).map_err(|_| say!("`{name}` is no HTTP header name", name))?;
        let mut value = HeaderValue::try_from(value.expose())
            .map_err(|_| say!("the value of header `{name}` is not allowed in HTTP", name))?;
        value.set_sensitive(true);
        headers.insert(parsed, value);
    }
    Ok(headers)
}

fn path_and_query(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

/// Headers of one request, as the transcript shows them. Those of WebSocket's handshake are the same each time.
fn sent_headers(headers: &HeaderMap) -> String {
    let is_telling = |name: &HeaderName| {
        !(name.as_str().starts_with("sec-websocket-") && name.as_str() != "sec-websocket-protocol")
            && *name != CONNECTION
            && *name != UPGRADE
    };
    let shown = headers.iter().filter(|(name, _)| is_telling(name)).map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        let value = if *name == COOKIE { hidden_cookies(&value) } else { value.into_owned() };
        format!("\n{name}: {value}")
    });
    shown.collect()
}

/// `a=‹cookie›; b=‹cookie›`: whatever a cookie holds may let its reader in.
fn hidden_cookies(header: &str) -> String {
    let names = header.split(';').map(|pair| pair.split('=').next().unwrap_or_default().trim());
    names.map(|name| format!("{name}={}", mark("cookie"))).collect::<Vec<_>>().join("; ")
}

fn wire_text(response: &HttpResponse) -> String {
    let mut text = format!("HTTP {}", response.status);
    for (name, value) in &response.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let is_telling = [CONTENT_TYPE, LOCATION, CACHE_CONTROL, VARY, SERVER].contains(name);
        if is_telling || name.as_str().starts_with("access-control-") {
            text += &format!("\n{name}: {value}");
        } else if *name == SET_COOKIE {
            let pair = value.split(';').next().unwrap_or_default();
            text += &format!("\n{name}: {}", hidden_cookies(pair));
        }
    }
    // Not shortened here: the transcript does it, once the secrets are out.
    text + "\n" + &response.text()
}

async fn read(response: reqwest::Response) -> Result<HttpResponse, WireError> {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let mut body = BytesMut::new();
    let mut stream = response.bytes_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| classify(&error))?;
        let room = MAX_BODY - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            return Ok(HttpResponse { status, headers, body: body.freeze(), is_cut: true });
        }
    }
    Ok(HttpResponse { status, headers, body: body.freeze(), is_cut: false })
}

/// The error and all its causes, which is where reqwest keeps what matters.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text += &format!(": {cause_text}");
        }
        source = cause.source();
    }
    text
}

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// Whether the process, or the machine, has no file descriptor left (EMFILE, ENFILE; WSAEMFILE).
fn is_out_of_files(error: &std::io::Error) -> bool {
    let codes: &[i32] = if cfg!(windows) { &[10_024] } else { &[23, 24] };
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

/// When this process could open no more files, the last time.
static STARVED: Mutex<Option<Instant>> = Mutex::new(None);

/// Whether this process could open no more files at some time since then, so that what went wrong may be its own fault.
pub fn was_starved_since(begun: Instant) -> bool {
    STARVED.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at >= begun)
}

fn classify(error: &reqwest::Error) -> WireError {
    let io = causes(error).find_map(|cause| cause.downcast_ref::<std::io::Error>());
    if let Some(io) = io.filter(|io| is_out_of_files(io)) {
        *STARVED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        return WireError::Cut(say!(
            "this process may open no more files ({io}; `ulimit -n` raises the limit)",
            io = io.to_string()
        ));
    }
    // The innermost cause says what happened; the outer ones only where.
    let root = causes(error).last().map(ToString::to_string).unwrap_or_default();
    // Not in the outermost text, which holds the URL.
    let text = causes(error).skip(1).map(ToString::to_string).collect::<Vec<_>>().join(": ").to_lowercase();
    if ["certificate", "tls", "handshakefailure", "invalidcontenttype", "corrupt message"]
        .iter()
        .any(|mark| text.contains(mark))
    {
        return WireError::Tls(root.into());
    }
    if error.is_timeout() {
        return WireError::Connect("no TCP connection in time".into());
    }
    if error.is_connect() {
        return WireError::Connect(root.into());
    }
    match io.map(std::io::Error::kind) {
        Some(
            std::io::ErrorKind::ConnectionReset
            | std::io::ErrorKind::ConnectionAborted
            | std::io::ErrorKind::BrokenPipe
            | std::io::ErrorKind::UnexpectedEof,
        ) => WireError::Closed(root.into()),
        _ if text.contains("connection closed before message completed") => {
            WireError::Closed("before the answer was complete".into())
        }
        _ => WireError::Malformed(say!("not an HTTP answer: {root}", root)),
    }
}
