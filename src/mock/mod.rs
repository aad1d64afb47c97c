//! The reference server and its faults.
//!
//! A complete, correct Socket.IO deployment of the default contract, in the process of whoever starts it: the
//! application ([`app`]) is socketioxide on axum, and in front of it stands a [`gateway`] of our own that speaks
//! Engine.IO to the client. Where the two protocol texts leave something open, it answers as Node's socket.io does.
//!
//! Each [`Fault`] makes it deviate at exactly one spot; without faults every check of the catalogue passes against it.

mod app;
mod authority;
mod gateway;
mod keys;
mod scenario;
mod server;

use std::{
    collections::BTreeSet,
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    thread,
    time::Duration,
};

use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use tokio::sync::oneshot;

pub use crate::fault::{Fault, Variant};
pub use app::Cluster;
pub use authority::Authority;
pub use scenario::Scenario;

/// What holds a token unless told otherwise.
const TOKEN_FIELD: &str = "token";

/// The secret that the reference server verifies tokens with unless told otherwise (HS256).
pub const DEFAULT_JWT_SECRET: &str = "siospec-reference-server-secret-for-tests-only";

/// The foreign origin that the reference server lets in.
pub const ALLOWED_ORIGIN: &str = "https://app.example";

/// The namespace that the reference server has beside `/`; it takes the same tokens.
pub const SECOND_NAMESPACE: &str = "/chat";

/// The room that users of the reference server may join only by [`STAFF_ROLE`].
pub const PRIVATE_ROOM: &str = "staff";

/// The claim `role` of users who may join the private room.
pub const STAFF_ROLE: &str = "staff";

/// The `iss` that the reference server of a run insists on.
const ISSUER: &str = "https://issuer.example";

/// The `aud` that the reference server of a run insists on.
const AUDIENCE: &str = "siospec-reference-server";

/// The variable that [`Options::contract`] names for the private key of [`Variant::PublicKey`].
const PRIVATE_KEY_VARIABLE: &str = "REFERENCE_SERVER_PRIVATE_KEY";
/// The cookie that its contract has every request carry. It proves nothing.
pub const COOKIE: &str = "siospec-session=of-the-reference-server";

/// How long an idle connection lives at the least.
const IDLE_LIMIT: Duration = Duration::from_secs(75);

/// What a [`ReferenceServer`] serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// A deployment of the default contract.
    #[default]
    Deployment,
    /// What the test suites of the two protocols ask for, in place of the contract. No token is needed. At `/socket.io/`,
    /// namespaces `/` and `/custom`: the event `auth` shows the CONNECT payload to the client, `message` comes back as
    /// `message-back`, and `message-with-ack` acknowledges its arguments. At `/engine.io/`, an Engine.IO endpoint without
    /// Socket.IO that sends every message back.
    Protocol,
}

/// How a [`ReferenceServer`] is to behave.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 takes any free one. Default: `127.0.0.1:0`.
    pub listen: SocketAddr,
    /// The HS256 secret of valid tokens. Default: [`DEFAULT_JWT_SECRET`].
    pub jwt_secret: String,
    /// The public key (PEM) of valid tokens, and its algorithm, in place of the secret. Default: none.
    pub jwt_public_key: Option<(String, Algorithm)>,
    /// The `iss` that valid tokens must have. Default: any.
    pub issuer: Option<String>,
    /// The `aud` that valid tokens must have. Default: any.
    pub audience: Option<String>,
    /// What carries tokens. Default: the CONNECT payload.
    pub carrier: Carrier,
    /// The field, header, cookie or parameter that holds a token. Default: `token`.
    pub token_field: String,
    /// Whether a REST call needs a valid token, as `Authorization: Bearer …`. Default: no.
    pub rest_credentials: bool,
    /// Whether a client that comes back gets what it missed (connection state recovery). Default: no, as in socket.io.
    pub recovery: bool,
    /// Whether a reload keeps the server, as one that stands outside of what is reloaded, and with it the connections.
    /// Default: no, as in `nuxt dev`.
    pub reloads_in_place: bool,
    /// Time between two heartbeats, with a resolution of one millisecond. Default: 25 s, as in engine.io.
    pub ping_interval: Duration,
    /// How long a heartbeat may stay unanswered, with a resolution of one millisecond. Default: 20 s, as in engine.io.
    pub ping_timeout: Duration,
    /// How long a session may live without being connected to any namespace. Default: 45 s, as in socket.io.
    pub connect_timeout: Duration,
    /// The largest request body and WebSocket message that is accepted, in bytes. Default: 1,000,000, as in engine.io.
    pub max_payload: usize,
    /// What it serves. Default: a deployment.
    pub profile: Profile,
    /// The Redis by which it makes up one deployment with other servers. Default: none, it is on its own.
    pub redis: Option<String>,
    /// The servers of this process with which it makes up one deployment. Default: none.
    pub cluster: Option<Cluster>,
    /// The certificate and key by which it speaks TLS. Default: none, it speaks plain http.
    pub tls: Option<Tls>,
    /// The deviations to commit. Default: none.
    pub faults: BTreeSet<Fault>,
    /// The broken deployment to play: several deviations at once. Default: none.
    pub scenario: Option<Scenario>,
}

/// What carries a client's token to the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Carrier {
    /// The payload of the CONNECT packet.
    #[default]
    Payload,
    /// A header of the request that opens the session; an Authorization header as `Bearer …` (RFC 6750, 2.1).
    Header,
    /// A cookie of that request.
    Cookie,
    /// A parameter of its URL.
    Query,
}

impl Carrier {
    /// All of them.
    pub const ALL: [Carrier; 4] = [Carrier::Payload, Carrier::Header, Carrier::Cookie, Carrier::Query];

    /// Its name on the command line and in a contract.
    pub const fn name(self) -> &'static str {
        match self {
            Carrier::Payload => "payload",
            Carrier::Header => "header",
            Carrier::Cookie => "cookie",
            Carrier::Query => "query",
        }
    }
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
            jwt_public_key: None,
            issuer: None,
            audience: None,
            carrier: Carrier::default(),
            token_field: TOKEN_FIELD.to_owned(),
            rest_credentials: false,
            recovery: false,
            reloads_in_place: false,
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(45),
            max_payload: 1_000_000,
            profile: Profile::Deployment,
            redis: None,
            cluster: None,
            tls: None,
            faults: BTreeSet::new(),
            scenario: None,
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

    /// Verifies tokens with this public key (PEM) instead of a secret.
    ///
    /// # Errors
    /// When the algorithm has none, or the text is none of its public keys.
    pub fn with_jwt_public_key(mut self, pem: impl Into<String>, algorithm: Algorithm) -> Result<Self, String> {
        let pem = pem.into();
        decoding_key(&pem, algorithm)?;
        self.jwt_public_key = Some((pem, algorithm));
        Ok(self)
    }

    /// Wants tokens of this issuer.
    pub fn with_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Wants tokens for this audience.
    pub fn with_audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Wants a valid token with each REST call.
    pub fn with_rest_credentials(mut self) -> Self {
        self.rest_credentials = true;
        self
    }

    /// Insists on all that a contract can declare: an issuer, an audience, credentials of the REST call.
    pub fn guarded(self) -> Self {
        self.with_issuer(ISSUER).with_audience(AUDIENCE).with_rest_credentials()
    }

    /// Takes tokens from there, under that name.
    pub fn with_carrier(mut self, carrier: Carrier, token_field: impl Into<String>) -> Self {
        self.carrier = carrier;
        self.token_field = token_field.into();
        self
    }

    /// Deploys it as that variant.
    pub fn with_variant(mut self, variant: Variant) -> Self {
        match variant {
            // What a cluster and TLS need is somebody else's to give: `with_cluster` or `with_redis`, `with_tls`.
            Variant::Plain | Variant::Cluster | Variant::Tls => {}
            Variant::PublicKey => {
                let pair = keys::pair();
                self.jwt_public_key = Some((pair.public.clone(), keys::ALGORITHM));
            }
            Variant::Recovery => self.recovery = true,
            Variant::InPlace => self.reloads_in_place = true,
        }
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

    /// Serves that, with the heartbeat that goes with it: test suites of the protocols count on 300 ms and 200 ms.
    pub fn with_profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        match profile {
            Profile::Deployment => self,
            Profile::Protocol => {
                self.with_ping_interval(Duration::from_millis(300)).with_ping_timeout(Duration::from_millis(200))
            }
        }
    }

    /// Makes up one deployment with all servers at this Redis (`redis://127.0.0.1:6379`).
    pub fn with_redis(mut self, url: impl Into<String>) -> Self {
        self.redis = Some(url.into());
        self
    }

    /// Makes up one deployment with all servers of this process that have the same one.
    pub fn with_cluster(mut self, cluster: &Cluster) -> Self {
        self.cluster = Some(cluster.clone());
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

    /// Plays this broken deployment.
    pub fn with_scenario(mut self, scenario: impl Into<Option<Scenario>>) -> Self {
        self.scenario = scenario.into();
        self
    }

    /// What a server of these options promises beyond the default contract, as a contract's file (TOML).
    pub fn contract(&self) -> String {
        let duration = |duration: Duration| humantime::format_duration(duration).to_string().replace(' ', "");
        let mut auth = String::new();
        let mut declare = |key: &str, value: &str| auth += &format!("{key} = {}\n", toml::Value::from(value));
        if let Some((_, algorithm)) = &self.jwt_public_key {
            declare("algorithm", &format!("{algorithm:?}"));
        }
        if self.has_own_key() {
            declare("private-key-env", PRIVATE_KEY_VARIABLE);
        }
        if self.carrier != Carrier::Payload {
            declare("carrier", self.carrier.name());
        }
        if self.token_field != TOKEN_FIELD {
            declare("token-field", &self.token_field);
        }
        for (key, value) in [("issuer", &self.issuer), ("audience", &self.audience)] {
            if let Some(value) = value {
                declare(key, value);
            }
        }
        let credentials = if self.rest_credentials { "{ Authorization = \"Bearer {{token}}\" }" } else { "{}" };
        format!(
            "origins = [\"{ALLOWED_ORIGIN}\"]\n\
             headers = {{ Cookie = \"{COOKIE}\" }}\n\
             [auth]\n{auth}\
             [rest]\ncredentials = {credentials}\n\
             [ack]\nevent = \"echo\"\nargs = [\"{{{{message}}}}\"]\nreply = \"{{{{message}}}}\"\n\
             [choices]\nnamespaces = [\"{SECOND_NAMESPACE}\"]\nprivate-room = \"{PRIVATE_ROOM}\"\n\
             private-room-claims = {{ role = \"{STAFF_ROLE}\" }}\n\
             connect-timeout = \"{}\"\nidle-limit = \"{}\"\n\
             [reload]\nkeeps-connections = {}\n",
            duration(self.connect_timeout),
            // Nothing stands in front of it that would cut what is idle for longer.
            duration(IDLE_LIMIT.min(3 * self.ping_interval)),
            self.reloads_in_place,
        )
    }

    /// The variables that [`Options::contract`] names: the private key of [`Variant::PublicKey`].
    pub fn variables(&self) -> Option<(String, String)> {
        self.has_own_key().then(|| (PRIVATE_KEY_VARIABLE.to_owned(), keys::pair().private.clone()))
    }

    fn has_own_key(&self) -> bool {
        self.jwt_public_key.as_ref().is_some_and(|(pem, _)| *pem == keys::pair().public)
    }

    /// Commits these deviations too.
    pub fn with_faults(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.faults.extend(faults);
        self
    }
}

/// The key that verifies what `algorithm` signed.
fn decoding_key(pem: &str, algorithm: Algorithm) -> Result<DecodingKey, String> {
    let parsed = match algorithm.family() {
        AlgorithmFamily::Rsa => DecodingKey::from_rsa_pem(pem.as_bytes()),
        AlgorithmFamily::Ec => DecodingKey::from_ec_pem(pem.as_bytes()),
        AlgorithmFamily::Ed => DecodingKey::from_ed_pem(pem.as_bytes()),
        AlgorithmFamily::Hmac => return Err(format!("{algorithm:?} has no public key")),
    };
    parsed.map_err(|_| format!("no public key of {algorithm:?} (PEM)"))
}

/// The faults of one server, cheap to hand around.
#[derive(Clone, Debug)]
struct Faults(Arc<BTreeSet<Fault>>, Option<Scenario>);

impl Faults {
    fn of(options: &Options) -> Faults {
        let mut faults = options.faults.clone();
        faults.extend(options.scenario.iter().flat_map(|scenario| scenario.faults()));
        Faults(Arc::new(faults), options.scenario)
    }

    fn has(&self, fault: Fault) -> bool {
        self.0.contains(&fault)
    }

    /// Whether that broken deployment is played.
    fn plays(&self, scenario: Scenario) -> bool {
        self.1 == Some(scenario)
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
