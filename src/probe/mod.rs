//! What a check is written with: clients, tokens, fences, verdicts.

mod client;
mod confirm;
mod control;
mod echo;
mod elsewhere;
mod foreign;
mod origin;
mod recon;
mod steady;
mod stop;
pub mod tokens;
mod upgrade;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

pub use client::{Answer, BETWEEN_NODES, Client, Disorder, Life};
pub use confirm::{confirmed, seen_twice};
pub use control::{Controls, Served, is_evasive, to_the_point, unasked};
pub use echo::{Echo, Echoed, bytes_as_text};
pub use elsewhere::{Elsewhere, is_this_machine};
pub use foreign::Foreign;
pub use origin::{Entry, admit, own_page};
pub use recon::{Target, Untestable, nuxt_base, reconnoitre};
pub use steady::Steady;
pub use stop::{Finding, Stop, Verdict, fail, in_order};
pub use tokens::Tokens;
pub use upgrade::Upgraded;

use crate::{
    contract::{Call, Contract, Emit, Expect, KnownUser, Ping, PrivateMember, Rest, Rooms, Vars},
    lag::Lag,
    message::{Message, word},
    redact::Redactor,
    wire::{
        Endpoint, Heartbeats, HttpResponse, Session, SocketPacket, Transcript, Transport, WireError,
        http::{Http, Page, Trust, headers},
    },
};

/// What all checks of a run share.
pub struct Setting {
    /// What the deployment promises.
    pub contract: Contract,
    /// What the reconnaissance found.
    pub target: Target,
    /// Tokens good and bad.
    pub tokens: Tokens,
    /// The HTTP clients.
    pub http: Http,
    /// What keeps secrets out of every output.
    pub redactor: Redactor,
    /// How many checks run at once, and how many connections a check opens at once that needs no more to see what it looks for.
    pub jobs: usize,
    /// How busy this machine is.
    pub lag: Lag,
    /// What was seen to be served, transport by transport.
    pub controls: Controls,
}

impl Setting {
    /// Whether a wait of this machine's own is so long that a server may have given up a connection meanwhile, or that an answer
    /// in time may have been missed: a quarter of the shortest of these times.
    #[must_use]
    pub fn is_long(&self, wait: Duration) -> bool {
        wait >= self.contract.deadline.min(self.target.handshake().ping_timeout()) / 4
    }
}

/// One check's access to the target. It keeps the check's transcript and notes.
pub struct Probe {
    setting: Arc<Setting>,
    endpoint: Endpoint,
    transcript: Transcript,
    notes: Mutex<Vec<Message>>,
    disorder: Arc<Mutex<Option<Disorder>>>,
    cast: Mutex<Cast>,
}

/// Which of the declared rooms and users a check has.
struct Cast {
    /// By what they are for, so that a second look takes the same.
    rooms: BTreeMap<String, Value>,
    /// How many users it asked for, from a chance beginning: checks that run side by side are to be different people.
    users: usize,
}

impl Cast {
    fn new() -> Cast {
        Cast { rooms: BTreeMap::new(), users: rand::random_range(0..1_000) }
    }
}

/// One user of the deployment: the same one may connect several times.
#[derive(Clone, Debug)]
pub struct User {
    /// What `{{client}}` stands for.
    pub name: String,
}

impl Probe {
    /// A probe for one check.
    pub fn new(setting: Arc<Setting>) -> Probe {
        let transcript = Transcript::new(setting.redactor.clone());
        let Setting { contract, target, http, .. } = &*setting;
        let endpoint =
            Endpoint::new(http.clone(), &target.origin, &contract.path, contract.deadline, transcript.clone());
        Probe {
            setting,
            endpoint,
            transcript,
            notes: Mutex::default(),
            disorder: Arc::default(),
            cast: Mutex::new(Cast::new()),
        }
    }

    /// The same, whose requests are sent as they come: what turns them away for coming too fast is their answer.
    #[must_use]
    pub fn as_it_comes(mut self) -> Probe {
        self.endpoint = self.endpoint.as_it_comes();
        self
    }

    /// How many connections to open at once where `wanted` would be quickest: no more than `--jobs`.
    pub fn at_once(&self, wanted: usize) -> usize {
        wanted.min(self.setting.jobs.max(1))
    }

    /// What the deployment promises.
    pub fn contract(&self) -> &Contract {
        &self.setting.contract
    }

    /// What the reconnaissance found.
    pub fn target(&self) -> &Target {
        &self.setting.target
    }

    /// Tokens good and bad.
    pub fn tokens(&self) -> &Tokens {
        &self.setting.tokens
    }

    /// How long one answer may take.
    pub fn deadline(&self) -> Duration {
        self.contract().deadline
    }

    /// How long the end of a connection without a CONNECT may take, to be owed to what it was sent: the deadline, but less
    /// than `connectTimeout`, after which the server may close it anyway.
    pub fn unconnected_deadline(&self) -> Duration {
        self.deadline().min(self.contract().choices.connect_timeout.mul_f64(0.8))
    }

    /// How late this machine was since `begun`, if that [is long](Setting::is_long).
    pub fn was_late(&self, begun: Instant) -> Option<Duration> {
        let late = self.setting.lag.worst_since(begun).max(self.setting.http.latest_pong_since(begun));
        self.setting.is_long(late).then_some(late)
    }

    /// The instant by which an answer to what is sent now must be there.
    pub fn in_time(&self) -> Instant {
        Instant::now() + self.deadline()
    }

    /// The check's transcript.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Adds a remark to the result: a lawful choice, how absence was judged, what could not be looked at.
    pub fn note(&self, note: impl Into<Message>) {
        let note = note.into();
        let mut notes = self.notes.lock().expect("no check panics while it notes");
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    /// The error, of which note is taken where it is an answer that did not come in time: it may have been late.
    pub fn noted(&self, error: WireError) -> WireError {
        if matches!(error, WireError::Timeout { .. }) {
            self.transcript.note_silence();
        }
        error
    }

    /// The remarks so far.
    pub fn notes(&self) -> Vec<Message> {
        self.notes.lock().expect("no check panics while it notes").clone()
    }

    /// How binary data first came against the protocol, on any connection of this check.
    pub fn disorder(&self) -> Option<Disorder> {
        self.disorder.lock().expect("no check panics while it notes").clone()
    }

    /// The page that the deployment's users have open, whose `Origin` browsers send.
    pub fn own_page(&self) -> Page {
        origin::own_page(self.contract())
    }

    /// A text that occurs nowhere else, to know one's own messages and rooms by.
    pub fn nonce(&self, purpose: &str) -> String {
        format!("siospec-{purpose}-{:016x}", rand::random::<u64>())
    }

    /// A user of this check alone; where the contract declares users, the next of those who may join the rooms of this check.
    pub fn user(&self, label: &str) -> User {
        let rooms: Vec<Value> = self.cast().rooms.values().cloned().collect();
        self.known_user(|user| rooms.iter().all(|room| user.may_join(room)))
            .or_else(|| self.known_user(|_| true))
            .unwrap_or_else(|| User { name: self.nonce(label) })
    }

    /// The next of the declared users for whom that holds.
    pub fn known_user(&self, is_wanted: impl Fn(&KnownUser) -> bool) -> Option<User> {
        let wanted: Vec<&KnownUser> = self.tokens().users().filter(|user| is_wanted(user)).collect();
        let mut cast = self.cast();
        let next = wanted.get(cast.users % wanted.len().max(1))?;
        cast.users += 1;
        Some(User { name: next.name.clone() })
    }

    /// A room that nobody else is in; where the contract declares rooms, the next of those, which other checks may be in as well.
    ///
    /// # Errors
    /// [`Stop::Skip`] when this check has all of the declared rooms already.
    pub fn room(&self, purpose: &str) -> Result<Value, Stop> {
        let pool = self.contract().rooms.as_ref().map_or(&[][..], |rooms| &rooms.pool);
        if pool.is_empty() {
            return Ok(self.nonce(purpose).into());
        }
        let mut cast = self.cast();
        if let Some(room) = cast.rooms.get(purpose) {
            return Ok(room.clone());
        }
        // The rooms in which most users can meet, those of this check included; and first those that somebody is outside of,
        // where the others are in them anyway.
        let wants_outsider = self.contract().rooms.as_ref().is_some_and(|rooms| rooms.joined_on_connect);
        let meeting = |room: &&Value| {
            let with = |user: &&KnownUser| cast.rooms.values().chain([*room]).all(|room| user.may_join(room));
            let has_outsider = self.tokens().users().any(|user| !user.may_join(room));
            let count = self.tokens().users().filter(with).count();
            // Two can meet in the first; one of them goes on to another.
            (wants_outsider && has_outsider && count > usize::from(cast.rooms.is_empty()), count)
        };
        let free = || pool.iter().filter(|room| !cast.rooms.values().any(|taken| taken == *room));
        let most = free().map(|room| meeting(&room)).max();
        let best: Vec<&Value> = free().filter(|room| Some(meeting(room)) == most).collect();
        if self.tokens().users().len() > 0 && most.is_none_or(|(_, count)| count == 0) {
            return Err(Stop::Skip("needs a user who may join all its rooms (rooms.pool, [[users]])".into()));
        }
        let Some(room) = best.get(cast.users % best.len().max(1)).map(|room| (*room).clone()) else {
            let count = cast.rooms.len() + 1;
            return Err(Stop::Skip(say!("needs {count} rooms: declare more (rooms.pool)", count)));
        };
        cast.rooms.insert(purpose.to_owned(), room.clone());
        Ok(room)
    }

    /// A user who may be in the first of these rooms and is not in the other: one who may not join that where there is one, as
    /// there must be where users are in all of their rooms as soon as they connect.
    ///
    /// # Errors
    /// [`Stop::Skip`] where there is none.
    pub fn user_outside(&self, inside: Option<&Value>, outside: &Value, label: &str) -> Result<User, Stop> {
        let is_there = |user: &KnownUser| inside.is_none_or(|room| user.may_join(room));
        let outsider = self.known_user(|user| !user.may_join(outside) && is_there(user));
        if outsider.is_none() && !self.rooms()?.joined_on_connect {
            return Ok(self.user(label));
        }
        outsider.ok_or_else(|| {
            let needs = "needs a user who may not join the room ([[users]]): the others are in it as soon as they connect \
                         (rooms.joined-on-connect)";
            Stop::Skip(needs.into())
        })
    }

    /// Whether the rooms of the deployment are declared, so that there are no others.
    pub fn has_room_pool(&self) -> bool {
        self.contract().rooms.as_ref().is_some_and(|rooms| !rooms.pool.is_empty())
    }

    fn cast(&self) -> MutexGuard<'_, Cast> {
        self.cast.lock().expect("no check panics while it holds the cast")
    }

    /// Hides a secret that the target has told, in every output.
    pub fn conceal(&self, secret: &str, label: &str) {
        self.setting.redactor.conceal(secret, label);
    }

    /// The endpoint, for raw requests, under the name `label` in the transcript.
    pub fn endpoint(&self, label: &str) -> Endpoint {
        self.endpoint.labelled(label)
    }

    /// The transports that work, polling first. One that should work and does not is noted: its own check fails.
    pub fn transports(&self) -> Vec<Transport> {
        let mut usable = Vec::new();
        for transport in [Transport::Polling, Transport::WebSocket] {
            if transport == Transport::Polling && self.contract().choices.websocket_only {
                self.note("judged on WebSocket alone: the contract declares a WebSocket-only deployment");
            } else if transport == Transport::WebSocket && self.contract().choices.polling_only {
                self.note("judged on polling alone: the contract declares a polling-only deployment");
            } else if self.target().usable(transport) {
                usable.push(transport);
            } else {
                self.note(say!(
                    "judged without {transport}, which does not work (see transport.{name}-handshake)",
                    transport,
                    name = word(transport.name())
                ));
            }
        }
        usable
    }

    /// The transport for checks that need only one: WebSocket where it works, unless the contract declares it off.
    pub fn transport(&self) -> Transport {
        if self.target().usable(Transport::WebSocket) && !self.contract().choices.polling_only {
            Transport::WebSocket
        } else {
            Transport::Polling
        }
    }

    /// The transports for `count` clients of one check, so mixed as the target allows.
    pub fn mixed_transports(&self, count: usize) -> Vec<Transport> {
        self.transports().into_iter().cycle().take(count).collect()
    }

    /// Opens an Engine.IO session and sends nothing on it.
    ///
    /// # Errors
    /// [`Stop::Broken`]: that the handshake works is judged by checks of its own.
    pub async fn open(&self, label: &str, transport: Transport) -> Result<Client, Stop> {
        self.open_with(label, transport, Heartbeats::Answered).await
    }

    /// As [`Probe::open`], and the target has answered something on the connection, so that its end can be an answer to what
    /// is sent next.
    ///
    /// # Errors
    /// As [`Probe::open`]; [`Stop::Broken`] where it answers nothing.
    pub async fn open_asked(&self, label: &str, transport: Transport) -> Result<Client, Stop> {
        let mut client = self.open(label, transport).await?;
        client.ask(self).await?;
        Ok(client)
    }

    /// As [`Probe::open`], with heartbeats dealt with in that way.
    ///
    /// # Errors
    /// As [`Probe::open`].
    pub async fn open_with(&self, label: &str, transport: Transport, heartbeats: Heartbeats) -> Result<Client, Stop> {
        self.opened(self.endpoint(label), transport, heartbeats).await
    }

    async fn opened(&self, endpoint: Endpoint, transport: Transport, heartbeats: Heartbeats) -> Result<Client, Stop> {
        let label = endpoint.label().to_owned();
        self.open_at(endpoint, transport, heartbeats).await.map_err(|error| {
            Stop::Broken(say!(
                "client {label}: no {transport} session: {error} (see transport.{name}-handshake)",
                label,
                transport,
                error,
                name = word(transport.name())
            ))
        })
    }

    /// As [`Probe::open_with`], at that endpoint, where what keeps the session from being opened is an answer.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub async fn open_at(
        &self,
        endpoint: Endpoint,
        transport: Transport,
        heartbeats: Heartbeats,
    ) -> Result<Client, WireError> {
        let session = Session::open_with(&endpoint, transport, heartbeats).await?;
        Ok(Client::new(endpoint, session, heartbeats, self))
    }

    /// A client of a session that was opened by hand.
    pub fn adopt(&self, endpoint: Endpoint, session: Session) -> Client {
        Client::new(endpoint, session, Heartbeats::Answered, self)
    }

    /// The CONNECT payload with a valid token for `user`; none for a guest.
    ///
    /// # Errors
    /// [`Stop::Broken`] when no token could be had.
    pub async fn credentials(&self, user: &User) -> Result<Option<Value>, Stop> {
        match self.tokens().valid(&user.name).await {
            Ok(Some(token)) => Ok(Some(self.tokens().connect_payload(token.into()))),
            Ok(None) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What goes into a CONNECT of these credentials: all of them, but for a token that requests carry.
    pub fn payload(&self, credentials: Option<Value>) -> Option<Value> {
        self.tokens().part(credentials).1
    }

    /// The endpoint, for a client with these credentials.
    fn endpoint_with(&self, label: &str, credentials: Option<&Value>) -> Endpoint {
        self.endpoint(label).carrying(self.tokens().part(credentials.cloned()).0)
    }

    /// The endpoint, for a client that has no token.
    pub fn endpoint_of_nobody(&self, label: &str) -> Endpoint {
        self.endpoint(label).carrying(None)
    }

    /// A valid token for `user`.
    ///
    /// # Errors
    /// [`Stop::Broken`] when none could be had.
    pub async fn valid_token(&self, user: &User) -> Result<String, Stop> {
        match self.tokens().valid(&user.name).await {
            Ok(Some(token)) => Ok(token),
            Ok(None) => Err(Stop::Broken("there is no source of valid tokens".into())),
            Err(error) => Err(error.into()),
        }
    }

    /// A connected client of a new user.
    ///
    /// # Errors
    /// As [`Probe::client_of`].
    pub async fn client(&self, label: &str, transport: Transport) -> Result<Client, Stop> {
        self.client_of(&self.user(label), label, transport).await
    }

    /// A connected client of `user`. One more exchange follows the CONNECT reply, so that what a server loses in the
    /// instant after its reply is judged by `events.immediate-emit` and by nothing else.
    ///
    /// # Errors
    /// [`Stop::Broken`]: that a valid token connects is judged by checks of its own.
    pub async fn client_of(&self, user: &User, label: &str, transport: Transport) -> Result<Client, Stop> {
        self.connected_at(self.target().origin.clone(), user, label, transport).await
    }

    /// A connected client of a user who may join the private room. `None` where the contract declares none, or none can be
    /// had, which is noted.
    ///
    /// # Errors
    /// As [`Probe::client_of`].
    pub async fn private_member(
        &self,
        room: &Value,
        label: &str,
        transport: Transport,
    ) -> Result<Option<Client>, Stop> {
        if self.contract().choices.private_room.is_none()
            && let Some(user) = self.known_user(|user| user.may_join(room))
        {
            return self.client_of(&user, label, transport).await.map(Some);
        }
        let token = match &self.contract().choices.private_member {
            None => {
                self.note(
                    "only what strangers send was checked: the contract declares nobody who may join the \
                     private room (choices.private-room-claims, choices.private-room-token-env)",
                );
                return Ok(None);
            }
            Some(PrivateMember::Claims(_)) if !self.tokens().can_mint() => {
                self.note(
                    "only what strangers send was checked: a token with choices.private-room-claims needs the \
                     signing secret or key; give a ready-made one by choices.private-room-token-env",
                );
                return Ok(None);
            }
            Some(PrivateMember::Claims(claims)) => self.tokens().with_claims(&self.user(label).name, claims)?,
            Some(PrivateMember::Token(token)) => token.expose().to_owned(),
        };
        let client = self.open(label, transport).await?;
        self.connected_by(client, Some(self.tokens().connect_payload(token.into()))).await.map(Some)
    }

    async fn connected_at(&self, node: Url, user: &User, label: &str, transport: Transport) -> Result<Client, Stop> {
        let credentials = self.credentials(user).await?;
        let endpoint = self.endpoint_with(label, credentials.as_ref()).at(&node);
        let client = self.opened(endpoint, transport, Heartbeats::Answered).await?;
        self.connected_by(client, credentials).await
    }

    async fn connected_by(&self, mut client: Client, credentials: Option<Value>) -> Result<Client, Stop> {
        let (label, transport) = (client.label().to_owned(), client.transport());
        match client.connect(credentials).await? {
            Answer::Connected(_) => {
                client.catch_up().await?;
                Ok(client)
            }
            answer => Err(Stop::Broken(say!(
                "client {label} ({transport}): {answer} (see auth.valid-token)",
                label,
                transport,
                answer
            ))),
        }
    }

    /// Connected clients of as many new users as there are transports named, all at once.
    ///
    /// # Errors
    /// As [`Probe::client_of`].
    pub async fn clients(&self, label: &str, transports: &[Transport]) -> Result<Vec<Client>, Stop> {
        let connecting = transports
            .iter()
            .enumerate()
            .map(|(index, transport)| async move { self.client(&format!("{label}{}", index + 1), *transport).await });
        futures::future::try_join_all(connecting).await
    }

    /// The target and the further nodes of its deployment.
    ///
    /// # Errors
    /// [`Stop::Skip`] when the contract declares none.
    pub fn nodes(&self) -> Result<Vec<Url>, Stop> {
        if self.contract().nodes.is_empty() {
            return Err(Stop::Skip("the contract declares no further node".into()));
        }
        let further = self.contract().nodes.iter().map(|node| {
            Url::parse(node).map_err(|error| Stop::Broken(say!("the node {node} has no URL: {error}", node, error)))
        });
        std::iter::once(Ok(self.target().origin.clone())).chain(further).collect()
    }

    /// A connected client of a new user on that node.
    ///
    /// # Errors
    /// As [`Probe::client_of`].
    pub async fn client_on(&self, node: &Url, transport: Transport) -> Result<Client, Stop> {
        let label = format!("at {}", authority(node));
        self.connected_at(node.clone(), &self.user("client"), &label, transport).await
    }

    /// The declared `ping`. Checks that call it have [`Need::Ping`](crate::catalogue::Need::Ping).
    ///
    /// # Errors
    /// [`Stop::Skip`] when the contract has none.
    pub fn ping(&self) -> Result<&Ping, Stop> {
        self.contract().ping.as_ref().ok_or_else(|| Stop::Skip("the contract declares no ping".into()))
    }

    /// The declared room events.
    ///
    /// # Errors
    /// [`Stop::Skip`] when the contract has none.
    pub fn rooms(&self) -> Result<&Rooms, Stop> {
        self.contract().rooms.as_ref().ok_or_else(|| Stop::Skip("the contract declares no rooms".into()))
    }

    /// The declared REST trigger.
    ///
    /// # Errors
    /// [`Stop::Skip`] when the contract has none.
    pub fn rest(&self) -> Result<&Rest, Stop> {
        self.contract().rest.as_ref().ok_or_else(|| Stop::Skip("the contract declares no REST trigger".into()))
    }

    /// Calls the REST trigger with `message`.
    ///
    /// # Errors
    /// [`Stop::Broken`] when there is no HTTP answer, [`Stop::Skip`] when the contract has no trigger.
    pub async fn trigger(&self, message: &str) -> Result<HttpResponse, Stop> {
        self.trigger_at(self.endpoint("REST"), message).await
    }

    async fn trigger_at(&self, endpoint: Endpoint, message: &str) -> Result<HttpResponse, Stop> {
        let call = self.call(message).await?;
        let body = call.body.as_ref().map(ToString::to_string);
        let answer = self.send_call(endpoint, &call, body.map(Bytes::from)).await;
        answer.map_err(|error| Stop::Broken(say!("the REST trigger gave no answer: {error}", error)))
    }

    /// A call of the REST trigger with `message`, credentials included, ready to send.
    ///
    /// # Errors
    /// [`Stop::Broken`] when a token is needed and cannot be had, [`Stop::Skip`] when the contract has no trigger.
    pub async fn call(&self, message: &str) -> Result<Call, Stop> {
        let rest = self.rest()?;
        let mut vars = Vars::new().message(message);
        if rest.needs_token() {
            vars = vars.token(self.valid_token(&self.user("caller")).await?);
        }
        Ok(rest.render(&vars))
    }

    /// Sends a call of the REST trigger with this body in place of its own.
    ///
    /// # Errors
    /// As [`Endpoint::send`].
    pub async fn send_call(
        &self,
        endpoint: Endpoint,
        call: &Call,
        body: Option<Bytes>,
    ) -> Result<HttpResponse, WireError> {
        let mut headers = headers(&call.headers).map_err(WireError::Malformed)?;
        if body.is_some() {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        }
        let url = endpoint.url(&call.path);
        endpoint.send(call.method.clone(), url, headers, body, self.deadline()).await
    }

    /// Calls the REST trigger with `message`, which must succeed.
    ///
    /// # Errors
    /// As [`Probe::trigger`]; [`Stop::Broken`] when the status is not 2xx: `rest.response` judges that.
    pub async fn notify(&self, message: &str) -> Result<(), Stop> {
        taken(&self.trigger(message).await?)
    }

    /// As [`Probe::notify`], on that node.
    ///
    /// # Errors
    /// As [`Probe::notify`].
    pub async fn notify_on(&self, node: &Url, message: &str) -> Result<(), Stop> {
        taken(&self.trigger_at(self.endpoint(&format!("REST at {}", authority(node))).at(node), message).await?)
    }
}

fn taken(response: &HttpResponse) -> Result<(), Stop> {
    if response.is_success() {
        return Ok(());
    }
    Err(Stop::Broken(say!("the REST trigger answered {response} (see rest.response)", response)))
}

/// Whom the contract says to trust at the other end of TLS.
pub fn trust(contract: &Contract) -> Trust {
    Trust { authorities: contract.authorities.clone(), anybody: contract.insecure_tls }
}

/// Host and port of a node, to tell it from the others by.
pub fn authority(node: &Url) -> &str {
    &node[url::Position::BeforeHost..url::Position::AfterPort]
}

/// Whether `packet` is an event as declared, with our message.
pub fn is_expected(packet: &SocketPacket, expect: &Expect, vars: &Vars) -> bool {
    packet.event_name() == Some(expect.event.as_str()) && expect.check(packet.event_args(), vars).is_ok()
}

/// How an event goes over the wire, for a failure's "sent".
pub fn on_wire(namespace: &str, emit: &Emit, vars: &Vars) -> String {
    let (event, args) = emit.render(vars);
    format!("4{}", SocketPacket::event(namespace, &event, &args).encode())
}
