//! HTTP to the target: one client for polling, for the upgrade to WebSocket, for the page and the REST route.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use reqwest::header::{COOKIE, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

pub use super::pool::Trust;
use super::{
    WireError,
    held::Held,
    pace::Pace,
    pool::{Keep, Pools},
    presence::Presence,
    young::Young,
};
use crate::{
    lag::{self, Lateness},
    message::Message,
    secret::Secret,
};

/// Requests that a target may leave unanswered before no further check begins: as many as a page has for a server that is
/// about to be overrun, and few enough for a small one.
const MAX_UNANSWERED: usize = 24;
/// A target on this machine that takes longer for an answer has to wait for the processor, as all else here has.
const PROMPT: Duration = Duration::from_millis(100);

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

/// The HTTP clients of a run. They are made once: loading the platform's certificates takes longer than most checks.
#[derive(Clone)]
pub struct Http {
    pub(super) pools: Pools,
    /// What every request carries.
    pub(super) headers: HeaderMap,
    /// Opens a connection for each request, as browsers do for each WebSocket. A kept connection that the target closes
    /// on an upgrade would else be taken for a stale one, and the upgrade be tried again behind the check's back.
    pub(super) fresh: reqwest::Client,
    /// As `fresh`, and without the contract's headers, for requests that must not carry its secrets. Made when it is asked
    /// for.
    bare: Arc<OnceLock<reqwest::Client>>,
    /// The contract's own cookies, which a request with others must still carry.
    pub(super) cookies: Option<String>,
    /// Whether the contract's headers say an `Origin` themselves.
    pub(super) names_origin: bool,
    pub(super) page: Page,
    pub(super) unanswered: Arc<Unanswered>,
    /// How long pongs had to wait before they were written.
    pub(super) pongs: Arc<Lateness>,
    pub(super) pace: Arc<Pace>,
    pub(super) presence: Arc<Presence>,
    /// The token that every Engine.IO request carries, unless an endpoint has another.
    pub(super) carried: Option<Carried>,
    /// What all of them hold of what the target sent.
    pub(super) held: Held,
    pub(super) young: Arc<Young>,
}

/// The requests that the target has not answered yet, of those that it can answer at once.
#[derive(Debug, Default)]
pub(super) struct Unanswered {
    since: Mutex<VecDeque<Instant>>,
    /// Told when there is one less.
    answered: Notify,
    /// How long those took that were answered.
    took: Lateness,
}

/// A request that waits for its answer.
pub(super) struct Asked<'a>(&'a Unanswered, Instant);

impl Unanswered {
    pub(super) fn ask(&self) -> Asked<'_> {
        let now = Instant::now();
        self.since.lock().expect("nothing panics while it holds the list").push_back(now);
        Asked(self, now)
    }
}

impl Asked<'_> {
    /// There is an answer, so that what it took tells how busy the target is.
    pub(super) fn answered(&self) {
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
            held: Held::default(),
            young: Arc::default(),
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

    pub(super) fn bare(&self) -> Result<&reqwest::Client, WireError> {
        if let Some(bare) = self.bare.get() {
            return Ok(bare);
        }
        let made = self.pools.client(HeaderMap::new(), Keep::Never)?;
        Ok(self.bare.get_or_init(|| made))
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
