//! The reference server and its faults.
//!
//! A complete, correct Socket.IO deployment of the default contract, in the process of whoever starts it: the
//! application ([`app`]) is socketioxide on axum, and in front of it stands a [`gateway`] of our own that speaks
//! Engine.IO to the client. Where the two protocol texts leave something open, it answers as Node's socket.io does.
//!
//! Each [`Fault`] makes it deviate at exactly one spot; without faults every check of the catalogue passes against it.

mod app;
mod fault;
mod gateway;
mod server;

use std::{
    collections::BTreeSet,
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::sync::oneshot;

pub use fault::Fault;

/// The secret that the reference server verifies tokens with unless told otherwise (HS256).
pub const DEFAULT_JWT_SECRET: &str = "siospec-reference-server-secret-for-tests-only";

/// The foreign origin that the reference server lets in.
pub const ALLOWED_ORIGIN: &str = "https://app.example";

/// The namespace that the reference server has beside `/`; it takes the same tokens.
pub const SECOND_NAMESPACE: &str = "/chat";

/// The room that no user of the reference server may join.
pub const PRIVATE_ROOM: &str = "staff";

/// The cookie that its contract has every request carry. It proves nothing.
pub const COOKIE: &str = "siospec-session=of-the-reference-server";

/// How long an idle connection lives at the least.
const IDLE_LIMIT: Duration = Duration::from_secs(75);

/// How a [`ReferenceServer`] is to behave.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 takes any free one. Default: `127.0.0.1:0`.
    pub listen: SocketAddr,
    /// The HS256 secret of valid tokens. Default: [`DEFAULT_JWT_SECRET`].
    pub jwt_secret: String,
    /// Time between two heartbeats, with a resolution of one millisecond. Default: 25 s, as in engine.io.
    pub ping_interval: Duration,
    /// How long a heartbeat may stay unanswered, with a resolution of one millisecond. Default: 20 s, as in engine.io.
    pub ping_timeout: Duration,
    /// How long a session may live without being connected to any namespace. Default: 45 s, as in socket.io.
    pub connect_timeout: Duration,
    /// The largest request body and WebSocket message that is accepted, in bytes. Default: 1,000,000, as in engine.io.
    pub max_payload: usize,
    /// The Redis by which it makes up one deployment with other servers. Default: none, it is on its own.
    pub redis: Option<String>,
    /// The certificate and key by which it speaks TLS. Default: none, it speaks plain http.
    pub tls: Option<Tls>,
    /// The deviations to commit. Default: none.
    pub faults: BTreeSet<Fault>,
}

/// What a server needs to speak TLS, as PEM.
#[derive(Clone)]
pub struct Tls {
    /// The certificate, and those that lead to its root.
    pub certificates: String,
    /// The private key.
    pub key: String,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("certificates", &self.certificates).finish_non_exhaustive()
    }
}

impl Default for Options {
    fn default() -> Self {
        Options {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            jwt_secret: DEFAULT_JWT_SECRET.to_owned(),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(45),
            max_payload: 1_000_000,
            redis: None,
            tls: None,
            faults: BTreeSet::new(),
        }
    }
}

impl Options {
    /// Listens there instead.
    pub fn with_listen(mut self, listen: SocketAddr) -> Self {
        self.listen = listen;
        self
    }

    /// Verifies tokens with this HS256 secret instead.
    pub fn with_jwt_secret(mut self, secret: impl Into<String>) -> Self {
        self.jwt_secret = secret.into();
        self
    }

    /// Sends heartbeats at this interval instead.
    pub fn with_ping_interval(mut self, interval: Duration) -> Self {
        self.ping_interval = interval;
        self
    }

    /// Waits this long for the answer to a heartbeat instead.
    pub fn with_ping_timeout(mut self, timeout: Duration) -> Self {
        self.ping_timeout = timeout;
        self
    }

    /// Waits this long for a CONNECT that succeeds instead.
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Accepts this many bytes in one request or message instead.
    pub fn with_max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = bytes;
        self
    }

    /// Makes up one deployment with all servers at this Redis (`redis://127.0.0.1:6379`).
    pub fn with_redis(mut self, url: impl Into<String>) -> Self {
        self.redis = Some(url.into());
        self
    }

    /// Speaks TLS, and redirects whoever comes by plain http.
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Commits this deviation too.
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.faults.insert(fault);
        self
    }

    /// What a server of these options promises beyond the default contract, as a contract's file (TOML).
    pub fn contract(&self) -> String {
        let duration = |duration: Duration| humantime::format_duration(duration).to_string().replace(' ', "");
        format!(
            "origins = [\"{ALLOWED_ORIGIN}\"]\n\
             headers = {{ Cookie = \"{COOKIE}\" }}\n\
             [ack]\nevent = \"echo\"\nargs = [\"{{{{message}}}}\"]\nreply = \"{{{{message}}}}\"\n\
             [choices]\nnamespaces = [\"{SECOND_NAMESPACE}\"]\nprivate-room = \"{PRIVATE_ROOM}\"\n\
             connect-timeout = \"{}\"\nidle-limit = \"{}\"\n",
            duration(self.connect_timeout),
            // Nothing stands in front of it that would cut what is idle for longer.
            duration(IDLE_LIMIT.min(3 * self.ping_interval)),
        )
    }

    /// Commits these deviations too.
    pub fn with_faults(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.faults.extend(faults);
        self
    }
}

/// The faults of one server, cheap to hand around.
#[derive(Clone, Debug)]
struct Faults(Arc<BTreeSet<Fault>>);

impl Faults {
    fn has(&self, fault: Fault) -> bool {
        self.0.contains(&fault)
    }

    fn iter(&self) -> impl Iterator<Item = Fault> {
        self.0.iter().copied()
    }
}

/// A running reference server. Dropping it aborts everything at once; the port is free afterwards.
#[derive(Debug)]
pub struct ReferenceServer {
    url: String,
    address: SocketAddr,
    shutdown: Option<oneshot::Sender<server::Shutdown>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl ReferenceServer {
    /// Starts the server; it is bound and accepts connections when this returns.
    ///
    /// It runs on a thread of its own with a single-threaded runtime. That keeps the application's timing apart from
    /// the caller's, makes the end of the runtime the end of everything, and rules out a whole class of races in the
    /// library underneath (see `app`).
    ///
    /// # Errors
    ///
    /// When the address cannot be bound, the thread cannot be started, Redis cannot be reached, or certificate and key
    /// are none.
    pub async fn start(options: Options) -> io::Result<ReferenceServer> {
        let scheme = if options.tls.is_some() { "https" } else { "http" };
        let (ready, started) = oneshot::channel();
        let (shutdown, shutdown_asked) = oneshot::channel();
        let thread = thread::Builder::new().name("siospec-mock".to_owned()).spawn(move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(ready.send(Err(error))),
            };
            runtime.block_on(server::run(options, ready, shutdown_asked));
        })?;
        let address =
            started.await.map_err(|_| io::Error::other("the server's thread ended before it was ready"))??;
        Ok(ReferenceServer {
            url: format!("{scheme}://{address}"),
            address,
            shutdown: Some(shutdown),
            thread: Some(thread),
        })
    }

    /// The origin, without a trailing slash: `http://127.0.0.1:PORT`, or `https://…` where it speaks TLS.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address it is bound to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the server: no new connection, every session closed in an orderly way, then the listener gone.
    pub async fn stop(mut self) {
        let (done, stopped) = oneshot::channel();
        if let Some(shutdown) = self.shutdown.take()
            && shutdown.send(server::Shutdown { done }).is_ok()
        {
            // An error means that the thread has ended already, which is what is wanted.
            let _ = stopped.await;
        }
    }
}

impl Drop for ReferenceServer {
    fn drop(&mut self) {
        // The dropped sender tells the thread to end; its runtime takes every task and socket with it.
        drop(self.shutdown.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
