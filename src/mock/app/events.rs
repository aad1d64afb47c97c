//! The sockets of the application: connecting, the four events, rooms, notifications.
//!
//! Handlers do their work before they return their future: socketioxide calls them in the order of the events, but
//! gives no order to the futures.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    future::ready,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use socketioxide::{
    extract::TryData,
    handler::ConnectHandler,
    socket::{DisconnectReason, Sid},
};

use super::{
    auth::{Auth, User, Verdict},
    burst::Burst,
    cluster::{AckSender, Relay, SocketIo, SocketRef},
    payload::{Arguments, Payload},
    recovery::{Absent, Audience, Recovery, Sent},
    users::{Past, Users},
};
use crate::mock::{
    Carrier, Fault, Faults, Options, PRIVATE_ROOM, SECOND_NAMESPACE, Scenario,
    gateway::{Control, Link, SocketId, Standing, Transport, random_id},
};

/// What a message to a room is to its members.
const ROOM_MESSAGE: &str = "receive_message";

/// How many rooms one connection may be in.
const MAX_ROOMS: usize = 1_000;

/// With the faults that reorder: how long every second event waits for something, as for a database.
const JITTER: Duration = Duration::from_millis(30);

/// With the fault `leaks-from-other-node`: how late a message reaches those outside its room.
const LEAK: Duration = Duration::from_millis(100);

/// With the fault `slow-pong`: how long a `pong` takes.
const SLOW: Duration = Duration::from_millis(800);

/// With the fault `turns-crowd-away`: how many users who were connected before are let in at the same time.
const CROWD: usize = 25;

/// Properties that every JavaScript object has.
const INHERITED: [&str; 4] = ["__proto__", "constructor", "toString", "hasOwnProperty"];

/// An emit without arguments; socketioxide writes a unit as one argument, `null`.
const NO_ARGUMENTS: [(); 0] = [];

/// The state of one life of the application.
pub struct State {
    auth: Auth,
    /// What carries tokens, and the payload's field where it does.
    carrier: (Carrier, String),
    faults: Faults,
    /// With the fault `reload-doubles-server`, after a reload: two servers answer.
    servers: usize,
    /// With the fault `loses-large-messages`: more than this is lost, in bytes.
    large: usize,
    connections: Mutex<HashMap<Sid, Arc<Connection>>>,
    users: Users,
    /// Every session of the gateway, for the faults by which an event reaches one that is not connected.
    sessions: Mutex<Vec<Weak<Link>>>,
    /// With the fault `pongs-cross`: the pings that are being answered.
    pings: Burst,
    /// With the fault `pongs-cross`: the variable that all connections share.
    last_pinged: Mutex<Option<SocketRef>>,
    /// What is kept for clients that may come back, where that is offered.
    recovery: Option<Mutex<Recovery>>,
    /// With the fault `replays-last-notification`: what users who come back are sent.
    last_notification: Mutex<Option<Payload>>,
    /// How many connections there are of users who were connected before.
    returned: AtomicUsize,
    /// How many connections there were so far.
    welcomed: AtomicUsize,
    /// Where there are other nodes: the way to their clients.
    relay: Mutex<Option<Relay>>,
}

/// One session of the gateway, as it is attached to socketioxide's request.
pub struct Visit {
    link: Arc<Link>,
    admission: Mutex<Option<Admission>>,
    was_refused: AtomicBool,
}

/// What is known of a client between its verification and its connection.
struct Admission {
    id: String,
    private_id: Option<String>,
    user: Option<String>,
    until: Option<SystemTime>,
    is_staff: bool,
    comes_back: bool,
    /// What it was and what it missed, where it comes back to an earlier connection of its own.
    recovered: Option<(Absent, Vec<Sent>)>,
}

/// One connected client.
struct Connection {
    socket: SocketRef,
    /// The socket's id.
    id: String,
    /// The id by which its client recovers it, where that is offered.
    private_id: Option<String>,
    /// Whether its user was connected before.
    comes_back: bool,
    /// Whether it may join the private room.
    is_staff: bool,
    /// The token's `sub`.
    user: Option<String>,
    link: Arc<Link>,
    /// The rooms it is in, and how often it has joined them.
    rooms: Mutex<BTreeMap<String, usize>>,
    /// How often each of these happens: once, unless a fault makes it more.
    pongs: usize,
    notifications: usize,
    deliveries: usize,
}

/// Counts the events of one client: every second one is late, with the faults that reorder. Clones count together.
#[derive(Clone, Default)]
struct Turns(Arc<AtomicUsize>);

impl Turns {
    fn is_late(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed).is_multiple_of(2)
    }
}

/// With the faults `loses-astral` and `loses-large-messages`: the messages that are lost.
#[derive(Clone, Copy)]
struct Losses {
    astral: bool,
    /// More bytes than these.
    large: Option<usize>,
}

impl Losses {
    fn take(&self, message: &Payload) -> bool {
        let Payload::Text(text) = message else { return false };
        self.astral && text.chars().any(|c| c > '\u{ffff}') || self.large.is_some_and(|large| text.len() > large)
    }
}

/// A room's name as a client sends it. Only a text is one.
#[derive(Deserialize)]
#[serde(untagged)]
enum RoomName {
    Text(String),
    Number(u64),
}

/// The argument of `send_message`.
#[derive(Deserialize)]
struct RoomMessage {
    room: RoomName,
    message: Payload,
}

/// Registers the application's namespaces.
///
/// # Errors
///
/// When the other nodes cannot be joined.
pub async fn serve(io: &SocketIo, state: &Arc<State>) -> io::Result<()> {
    let admit = {
        let state = state.clone();
        move |socket: SocketRef, TryData(auth): TryData<Value>| {
            let state = state.clone();
            async move { state.admit(&socket, auth.ok()).await }
        }
    };
    let greet = {
        let state = state.clone();
        move |socket: SocketRef| {
            state.welcome(socket);
            ready(())
        }
    };
    let admit_beside = {
        let state = state.clone();
        move |socket: SocketRef, TryData(auth): TryData<Value>| {
            let state = state.clone();
            async move { state.admit_beside(&socket, auth.ok()).await }
        }
    };
    io.ns("/", greet.with(admit)).await.map_err(unreached)?;
    if !state.faults.has(Fault::NoSecondNamespace) {
        io.ns(SECOND_NAMESPACE, (|_: SocketRef| ready(())).with(admit_beside)).await.map_err(unreached)?;
    }
    if state.faults.has(Fault::OpenAdminNamespace) {
        io.ns("/admin", || ready(())).await.map_err(unreached)?;
    }
    Ok(())
}

fn unreached(error: impl fmt::Display) -> io::Error {
    io::Error::other(error.to_string())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn visit_of(socket: &SocketRef) -> Option<&Arc<Visit>> {
    socket.req_parts().extensions.get()
}

impl State {
    pub fn new(options: &Options, faults: Faults, doubled: bool, relay: Option<Relay>) -> State {
        State {
            carrier: (options.carrier, options.token_field.clone()),
            auth: Auth::new(options, faults.clone()),
            faults,
            servers: if doubled { 2 } else { 1 },
            large: options.max_payload / 4 * 3,
            connections: Mutex::default(),
            users: Users::default(),
            sessions: Mutex::default(),
            pings: Burst::default(),
            last_pinged: Mutex::default(),
            recovery: options.recovery.then(Mutex::default),
            last_notification: Mutex::default(),
            returned: AtomicUsize::new(0),
            welcomed: AtomicUsize::new(0),
            relay: Mutex::new(relay),
        }
    }

    /// Who may connect.
    pub fn auth(&self) -> &Auth {
        &self.auth
    }

    /// Hands nothing to the other nodes any more; whether there were any.
    pub fn leave_cluster(&self) -> bool {
        lock(&self.relay).take().is_some()
    }

    /// Takes note of a new session of the gateway.
    pub fn visit(&self, link: Arc<Link>) -> Arc<Visit> {
        if self.servers > 1 {
            link.double();
        }
        let mut sessions = lock(&self.sessions);
        if sessions.len() == sessions.capacity() {
            sessions.retain(|session| session.strong_count() > 0);
        }
        sessions.push(Arc::downgrade(&link));
        Arc::new(Visit { link, admission: Mutex::default(), was_refused: AtomicBool::new(false) })
    }

    /// Verifies a client and registers its handlers.
    ///
    /// The latter here, in the middleware, because this is done before the CONNECT reply goes out; an event that
    /// follows the reply at once would be lost otherwise.
    async fn admit(self: &Arc<Self>, socket: &SocketRef, auth: Option<Value>) -> Result<(), String> {
        let Some(visit) = visit_of(socket) else { return Err("unauthorized".to_owned()) };
        let user = self.verify(visit, auth.as_ref()).await?;
        if visit.was_refused.load(Ordering::Relaxed) && self.faults.has(Fault::RefusesForGood) {
            return Err("unauthorized".to_owned());
        }
        let comes_back = self.is_back(user.name.as_deref());
        if comes_back {
            let crowd = self.returned.fetch_add(1, Ordering::Relaxed);
            if crowd >= CROWD && self.faults.has(Fault::TurnsCrowdAway) {
                self.returned.fetch_sub(1, Ordering::Relaxed);
                return Err("too many users".to_owned());
            }
        }
        let recovered = self.recover(auth.as_ref(), &user);
        let id = recovered.as_ref().map_or_else(|| random_id(20), |(_, absent, _)| absent.id.clone());
        let private_id = match &recovered {
            Some((private_id, ..)) => Some(private_id.clone()),
            None => self.recovery.as_ref().map(|_| random_id(20)),
        };
        visit.link.name_socket("/", SocketId { public: id.clone(), private: private_id.clone() });
        *lock(&visit.admission) = Some(Admission {
            id,
            private_id,
            user: recovered.as_ref().map_or(user.name, |(_, absent, _)| absent.user.clone()),
            until: user.until,
            is_staff: user.is_staff,
            comes_back,
            recovered: recovered.map(|(_, absent, missed)| (absent, missed)),
        });
        self.register_handlers(socket);
        Ok(())
    }

    /// As [`State::admit`], for the second namespace, which has no rooms and no notifications.
    async fn admit_beside(&self, socket: &SocketRef, auth: Option<Value>) -> Result<(), String> {
        let Some(visit) = visit_of(socket) else { return Err("unauthorized".to_owned()) };
        self.verify(visit, auth.as_ref()).await?;
        visit.link.name_socket(SECOND_NAMESPACE, SocketId { public: random_id(20), private: None });
        socket.on("ping", |socket: SocketRef, ack: AckSender| {
            let _ = ack.send("pong");
            let _ = socket.emit("pong", &NO_ARGUMENTS);
            ready(())
        });
        self.register_echo(socket);
        Ok(())
    }

    /// The user whose token that is.
    async fn verify(&self, visit: &Visit, auth: Option<&Value>) -> Result<User, String> {
        match self.judge(auth, &visit.link) {
            Verdict::Admit(user) => Ok(user),
            Verdict::Drop => {
                visit.link.ask(Control::Cut);
                visit.link.ended().await;
                Err("unauthorized".to_owned())
            }
            Verdict::Refuse if visit.link.is_vouched_for() => Ok(User::default()),
            Verdict::Refuse => {
                visit.was_refused.store(true, Ordering::Relaxed);
                Err(self.refuse(&visit.link).await)
            }
        }
    }

    /// Whether that user was connected before: the end of a lost connection may not have come to notice yet.
    fn is_back(&self, user: Option<&str>) -> bool {
        let past = self.users.past(user);
        let is_connected = |connection: &Arc<Connection>| connection.user.as_deref() == user;
        past.clean + past.abrupt > 0 || user.is_some() && lock(&self.connections).values().any(is_connected)
    }

    /// Judges the CONNECT payload, or what carries the token in its place.
    fn judge(&self, auth: Option<&Value>, link: &Link) -> Verdict {
        let (carrier, field) = &self.carrier;
        let of_payload = auth.and_then(|auth| auth.get(field));
        if self.faults.has(Fault::RecoversWithoutToken)
            && let Some(auth) = auth
            && of_payload.is_none()
            && let (Some(recovery), Some(private_id)) = (&self.recovery, auth.get("pid").and_then(Value::as_str))
            && lock(recovery).knows(private_id)
        {
            return Verdict::Admit(User::default());
        }
        if self.faults.has(Fault::AcceptsQueryToken)
            && let Some(token) = link.query("token")
            && of_payload.is_none()
        {
            return self.auth.judge(Some(&token.into()), link.transport());
        }
        match auth {
            _ if *carrier != Carrier::Payload => {
                self.auth.judge(link.token().map(Value::from).as_ref(), link.transport())
            }
            Some(_) => self.auth.judge(of_payload, link.transport()),
            None => Verdict::Refuse,
        }
    }

    /// What a client of that user comes back to, where it asks for it: its private id, its state, what it missed.
    fn recover(&self, auth: Option<&Value>, user: &User) -> Option<(String, Absent, Vec<Sent>)> {
        let field = |name| auth?.get(name)?.as_str();
        let (private_id, offset) = (field("pid")?, field("offset")?);
        let (absent, missed) = lock(self.recovery.as_ref()?).back(private_id, offset)?;
        // The id is secret; still, it is the token that says who somebody is.
        let is_own = absent.user == user.name || self.faults.has(Fault::RecoversWithoutToken);
        is_own.then(|| (private_id.to_owned(), absent, missed))
    }

    /// The message of the CONNECT_ERROR.
    async fn refuse(&self, link: &Link) -> String {
        if self.faults.plays(Scenario::CrashesOnBadToken) {
            self.crash();
            link.ended().await;
        }
        if self.faults.has(Fault::ClosesOnRejection) {
            link.ask(Control::Close);
            link.ended().await;
        }
        if self.faults.has(Fault::HangsOnRejection) {
            link.ended().await;
        }
        if self.faults.has(Fault::RejectsWithStackTrace) {
            return "JsonWebTokenError: unauthorized\n    at verify (/app/node_modules/jsonwebtoken/verify.js:171:19)\
                    \n    at file:///app/.output/server/chunks/nitro/nitro.mjs:4711:13"
                .to_owned();
        }
        "unauthorized".to_owned()
    }

    fn register_handlers(self: &Arc<Self>, socket: &SocketRef) {
        let state = self.clone();
        socket.on("ping", move |socket: SocketRef, ack: AckSender| {
            state.ping(&socket, ack);
            ready(())
        });
        let state = self.clone();
        socket.on("join_room", move |socket: SocketRef, TryData(room): TryData<RoomName>, ack: AckSender| {
            let room = state.named(room);
            acknowledge(ack, room.is_some_and(|room| state.join(&socket, room)));
            ready(())
        });
        let state = self.clone();
        socket.on("leave_room", move |socket: SocketRef, TryData(room): TryData<RoomName>, ack: AckSender| {
            let room = state.named(room);
            acknowledge(ack, room.is_some_and(|room| state.leave(&socket, &room)));
            ready(())
        });
        let state = self.clone();
        let turns = Turns::default();
        socket.on("send_message", move |socket: SocketRef, TryData(message): TryData<RoomMessage>, ack: AckSender| {
            let (room, message) = match message {
                Ok(RoomMessage { room, message }) => (Ok(room), message),
                Err(error) => (Err(error), Payload::Null),
            };
            let Some(room) = state.named(room) else {
                acknowledge(ack, false);
                return ready(());
            };
            if state.faults.has(Fault::ReordersRoomMessages) && turns.is_late() {
                let state = state.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(JITTER).await;
                    acknowledge(ack, state.send_message(&socket, &room, &message));
                });
                return ready(());
            }
            acknowledge(ack, state.send_message(&socket, &room, &message));
            ready(())
        });
        self.register_echo(socket);
        if self.faults.has(Fault::HandlesReservedEvents) {
            for reserved in ["disconnect", "disconnecting"] {
                let state = self.clone();
                socket.on(reserved, move |socket: SocketRef| {
                    state.forget(&socket, DisconnectReason::ClientNSDisconnect);
                    ready(())
                });
            }
        }
        if self.faults.has(Fault::ClosesOnUnknownEvent) {
            socket.on_fallback(|socket: SocketRef| {
                if let Some(visit) = visit_of(&socket) {
                    visit.link.ask(Control::Close);
                }
                ready(())
            });
        }
        let state = self.clone();
        socket.on_disconnect(move |socket: SocketRef, reason: DisconnectReason| {
            state.forget(&socket, reason);
            ready(())
        });
    }

    /// `echo`: acknowledges with what was sent.
    fn register_echo(&self, socket: &SocketRef) {
        let wrong = self.faults.has(Fault::AckWrongPayload);
        let reorders = self.faults.has(Fault::ReordersAcks);
        let losses = self.losses();
        let turns = Turns::default();
        socket.on("echo", move |TryData(message): TryData<Payload>, ack: AckSender| {
            let message = message.unwrap_or(Payload::Null);
            if losses.take(&message) {
                return ready(());
            }
            if reorders && turns.is_late() {
                tokio::spawn(async move {
                    tokio::time::sleep(JITTER).await;
                    let _ = ack.send(&message);
                });
                return ready(());
            }
            // Nobody who asked for it is no reason to complain.
            let _ = if wrong { ack.send("[object Object]") } else { ack.send(&message) };
            ready(())
        });
    }

    /// Which messages are lost.
    fn losses(&self) -> Losses {
        let large = self.faults.has(Fault::LosesLargeMessages).then_some(self.large);
        Losses { astral: self.faults.has(Fault::LosesAstral), large }
    }

    /// The room that an event names, if its argument is what it has to be.
    fn named<E>(&self, argument: Result<RoomName, E>) -> Option<String> {
        let name = match argument {
            Ok(RoomName::Text(name)) => Some(name),
            Ok(RoomName::Number(number)) if self.faults.has(Fault::MakesTextOfRoomNumbers) => Some(number.to_string()),
            Ok(RoomName::Number(_)) | Err(_) => None,
        };
        if name.is_none() && self.faults.has(Fault::MalformedPayloadCrashes) {
            self.crash();
        }
        if self.faults.has(Fault::FoldsRoomNames) {
            return name.map(|name| name.trim().to_lowercase());
        }
        name
    }

    /// With the faults that take the server down: what its clients see of that.
    fn crash(&self) {
        for session in lock(&self.sessions).iter().filter_map(Weak::upgrade) {
            session.ask(Control::Cut);
        }
    }

    /// Takes up a client whose CONNECT reply has just gone out, and greets it or tells it what it missed.
    fn welcome(&self, socket: SocketRef) {
        let Some(visit) = visit_of(&socket) else { return };
        let Some(admission) = lock(&visit.admission).take() else { return };
        let Admission { id, private_id, user, until, is_staff, comes_back, recovered } = admission;
        let link = visit.link.clone();
        if let Some(until) = until {
            tokio::spawn(close_at(link.clone(), until));
        }

        let past = self.users.past(user.as_deref());
        let ended = past.clean + past.abrupt;
        let piled_up = |fault, times| if self.faults.has(fault) { times } else { 0 };
        let earlier = self.welcomed.fetch_add(1, Ordering::Relaxed);
        let grown = if self.faults.plays(Scenario::HandlersPerConnection) { earlier } else { 0 };
        let doubled = if self.faults.plays(Scenario::DoubleInit) { 2 } else { 1 };
        let mut connection = Connection {
            pongs: 1
                + grown
                + piled_up(Fault::HandlersPileUp, past.abrupt)
                + piled_up(Fault::HandlersPileUpAfterDisconnect, past.clean),
            notifications: 1 + piled_up(Fault::NotificationsPileUp, ended),
            deliveries: doubled + piled_up(Fault::RoomDeliveriesPileUp, ended),
            rooms: Mutex::new(self.rooms_at_first(past, &id)),
            socket,
            id,
            private_id,
            comes_back,
            is_staff,
            user,
            link,
        };
        match recovered {
            Some((absent, missed)) => {
                connection.rooms = Mutex::new(absent.rooms);
                self.make_up(&connection, &missed);
            }
            None => {
                let greeting = Payload::texts([("id", &connection.id)]);
                let times = 1 + piled_up(Fault::GreetingsPileUp, ended);
                let audience = Audience::Socket(connection.id.clone());
                self.emit(audience, "welcome", vec![greeting], [(&connection, times)]);
            }
        }
        if connection.comes_back
            && let Some(last) = &*lock(&self.last_notification)
        {
            let _ = connection.socket.emit("notification", last);
        }
        if let Some(relay) = &*lock(&self.relay) {
            relay.welcome(&connection.socket);
        }
        lock(&self.connections).insert(connection.socket.id, Arc::new(connection));
    }

    /// Sends what a client missed while it was away.
    fn make_up(&self, connection: &Connection, missed: &[Sent]) {
        // A room's, since everybody's notifications come in between at any time.
        let is_lost = |sent: &Sent| self.faults.has(Fault::RecoveryLosesEvent) && sent.event == ROOM_MESSAGE;
        let lost = missed.iter().position(is_lost);
        let times = 1 + usize::from(self.faults.has(Fault::RecoveryRepeatsEvents));
        for (number, Sent { event, arguments }) in missed.iter().enumerate() {
            if lost == Some(number) {
                continue;
            }
            for _ in 0..times {
                let _ = connection.socket.emit(*event, &Arguments(arguments));
            }
        }
    }

    /// Sends an event to each of these clients, so many times, and keeps it for those who may come back.
    fn emit<'a>(
        &self,
        audience: Audience,
        event: &'static str,
        mut arguments: Vec<Payload>,
        receivers: impl IntoIterator<Item = (&'a Connection, usize)>,
    ) {
        if let Some(recovery) = &self.recovery {
            arguments = lock(recovery).keep(audience, event, arguments);
        }
        for (receiver, times) in receivers {
            for _ in 0..times {
                let _ = receiver.socket.emit(event, &Arguments(&arguments));
            }
        }
    }

    /// The rooms that a new connection is in: none.
    fn rooms_at_first(&self, past: Past, id: &str) -> BTreeMap<String, usize> {
        let mut rooms = BTreeMap::new();
        if self.faults.has(Fault::RoomsSurviveDisconnect) {
            rooms.extend(past.rooms.into_iter().map(|room| (room, 1)));
        }
        if self.faults.has(Fault::SocketIdsAreRooms) {
            rooms.insert(id.to_owned(), 1);
        }
        rooms
    }

    fn forget(&self, socket: &SocketRef, reason: DisconnectReason) {
        let Some(connection) = lock(&self.connections).remove(&socket.id) else { return };
        if connection.comes_back {
            self.returned.fetch_sub(1, Ordering::Relaxed);
        }
        let clean = reason == DisconnectReason::ClientNSDisconnect;
        if let (Some(recovery), Some(private_id)) = (&self.recovery, &connection.private_id)
            && !clean
        {
            let rooms = lock(&connection.rooms).clone();
            let absent = Absent::new(connection.id.clone(), connection.user.clone(), rooms);
            lock(recovery).lost(private_id.clone(), absent);
        }
        if let Some(user) = &connection.user {
            let rooms = std::mem::take(&mut *lock(&connection.rooms));
            self.users.remember(user, clean, rooms.into_keys());
        }
    }

    fn connection(&self, socket: &SocketRef) -> Option<Arc<Connection>> {
        lock(&self.connections).get(&socket.id).cloned()
    }

    fn everyone(&self) -> Vec<Arc<Connection>> {
        lock(&self.connections).values().cloned().collect()
    }

    /// `ping`: answers the sender, and nobody else, with `pong`.
    fn ping(self: &Arc<Self>, socket: &SocketRef, ack: AckSender) {
        let Some(connection) = self.connection(socket) else { return };
        let _ = ack.send("pong");
        if self.faults.has(Fault::NoPong) {
            return;
        }
        if self.faults.has(Fault::PongsCross) {
            return self.pong_crossed(socket);
        }
        let twice = if self.faults.has(Fault::DoublePong) { 2 } else { 1 };
        let times = connection.pongs * self.servers * twice;
        if self.faults.has(Fault::SlowPong) {
            tokio::spawn(async move {
                tokio::time::sleep(SLOW).await;
                let _ = connection.socket.emit("pong", &NO_ARGUMENTS);
            });
            return;
        }
        let audience = Audience::Socket(connection.id.clone());
        let receivers = if self.faults.has(Fault::BroadcastsPong) { self.everyone() } else { vec![connection] };
        self.emit(audience, "pong", Vec::new(), receivers.iter().map(|receiver| (&**receiver, times)));
    }

    /// With the fault `pongs-cross`: answers whoever pinged last by the time the answer is ready.
    fn pong_crossed(self: &Arc<Self>, socket: &SocketRef) {
        *lock(&self.last_pinged) = Some(socket.clone());
        let state = self.clone();
        tokio::spawn(async move {
            state.pings.pause().await;
            if let Some(last) = &*lock(&state.last_pinged) {
                let _ = last.emit("pong", &NO_ARGUMENTS);
            }
        });
    }

    /// `join_room`
    fn join(&self, socket: &SocketRef, room: String) -> bool {
        let Some(connection) = self.connection(socket) else { return false };
        let is_refused = self.is_closed_to(&connection, &room);
        if is_refused && !self.faults.has(Fault::RefusedStillListens) {
            return false;
        }
        if self.faults.has(Fault::PrototypeRoomCrashes) && INHERITED.contains(&room.as_str()) {
            self.crash();
        }
        let mut rooms = lock(&connection.rooms);
        if rooms.len() >= MAX_ROOMS && !rooms.contains_key(&room) {
            return false;
        }
        if let Some(relay) = &*lock(&self.relay) {
            relay.join(socket, &room);
        }
        *rooms.entry(room).or_default() += 1;
        !is_refused
    }

    /// Whether that room is private, and not for that client.
    fn is_closed_to(&self, connection: &Connection, room: &str) -> bool {
        room == PRIVATE_ROOM && !connection.is_staff && !self.faults.has(Fault::OpenPrivateRoom)
    }

    /// `leave_room`
    fn leave(&self, socket: &SocketRef, room: &str) -> bool {
        let Some(connection) = self.connection(socket) else { return false };
        if self.faults.has(Fault::LeaveDoesNothing) {
            return true;
        }
        if let Some(user) = &connection.user {
            self.users.forget_room(user, room);
        }
        if let Some(relay) = &*lock(&self.relay) {
            relay.leave(socket, room);
        }
        let mut rooms = lock(&connection.rooms);
        rooms.remove(room);
        if self.faults.has(Fault::LeaveLeavesAll) {
            rooms.clear();
        }
        true
    }

    /// `send_message`: delivers to every member of the room, if the sender is one.
    fn send_message(&self, socket: &SocketRef, room: &str, message: &Payload) -> bool {
        let Some(sender) = self.connection(socket) else { return false };
        if !lock(&sender.rooms).contains_key(room) || self.is_closed_to(&sender, room) {
            return false;
        }
        if self.faults.has(Fault::RoomDeliversNothing) || self.losses().take(message) {
            return true;
        }
        let mut rooms = vec![room.to_owned()];
        if self.faults.has(Fault::RoomsRunTogether) {
            rooms.extend(lock(&sender.rooms).keys().filter(|other| *other != room).cloned());
        }
        let from = sender.user.as_ref().unwrap_or(&sender.id);
        let message = match message {
            Payload::Map(_) if self.faults.has(Fault::MakesTextOfObjects) => {
                Payload::Text("[object Object]".to_owned())
            }
            message => message.clone(),
        };
        let delivery = Payload::Map(vec![
            ("room".to_owned(), Payload::Text(room.to_owned())),
            ("message".to_owned(), message),
            ("from".to_owned(), Payload::Text(from.clone())),
        ]);
        let everyone = self.everyone();
        let receivers = everyone
            .iter()
            .map(|receiver| (&**receiver, rooms.iter().map(|room| self.deliveries(receiver, room)).sum()));
        if self.faults.has(Fault::LeaksFromOtherNode) {
            let outside = everyone.iter().filter(|receiver| self.deliveries(receiver, room) == 0).cloned().collect();
            tokio::spawn(leak(outside, delivery.clone()));
        }
        self.emit(Audience::Room(room.to_owned()), ROOM_MESSAGE, vec![delivery.clone()], receivers);
        if let Some(relay) = &*lock(&self.relay) {
            relay.emit(Some(room), ROOM_MESSAGE, &delivery);
        }
        if self.faults.has(Fault::RejectedStillHears) {
            self.tell_unconnected(Standing::Refused, ROOM_MESSAGE, &delivery);
        }
        true
    }

    /// How often a message to that room reaches that client.
    fn deliveries(&self, receiver: &Connection, room: &str) -> usize {
        if self.faults.has(Fault::RoomSkipsPolling) && receiver.link.transport() == Transport::Polling {
            return 0;
        }
        if self.faults.has(Fault::RoomBroadcastsToAll)
            || self.faults.has(Fault::PrototypeRoomHoldsAll) && INHERITED.contains(&room)
        {
            return receiver.deliveries;
        }
        match lock(&receiver.rooms).get(room) {
            Some(joins) if self.faults.has(Fault::JoinTwiceDeliversTwice) => receiver.deliveries * joins,
            Some(_) => receiver.deliveries,
            None => 0,
        }
    }

    /// Emits `notification` to every connected client.
    pub fn notify(&self, message: &str) {
        if self.faults.has(Fault::RestEmitsNothing) {
            return;
        }
        let message = if self.faults.has(Fault::RestWrongPayload) { "[object Object]" } else { message };
        let notification = Payload::texts([("message", message)]);
        if self.faults.has(Fault::ReplaysLastNotification) {
            *lock(&self.last_notification) = Some(notification.clone());
        }
        let twice = if self.faults.has(Fault::RestEmitsTwice) { 2 } else { 1 };
        let everyone = self.everyone();
        let receivers = everyone.iter().map(|receiver| {
            let skipped = self.faults.has(Fault::RestSkipsPolling) && receiver.link.transport() == Transport::Polling;
            (&**receiver, if skipped { 0 } else { receiver.notifications * self.servers * twice })
        });
        self.emit(Audience::Everyone, "notification", vec![notification.clone()], receivers);
        if let Some(relay) = &*lock(&self.relay) {
            relay.emit(None, "notification", &notification);
        }
        if self.faults.has(Fault::RestEmitsBeforeConnect) {
            self.tell_unconnected(Standing::Silent, "notification", &notification);
        }
        if self.faults.has(Fault::RejectedStillHears) {
            self.tell_unconnected(Standing::Refused, "notification", &notification);
        }
    }

    /// Sends an event to sessions that it must not reach.
    fn tell_unconnected(&self, standing: Standing, event: &str, argument: &impl Serialize) {
        let Ok(arguments) = serde_json::to_string(&(event, argument)) else { return };
        for session in lock(&self.sessions).iter().filter_map(Weak::upgrade) {
            if session.standing() == standing {
                session.ask(Control::Inject(format!("2{arguments}")));
            }
        }
    }
}

/// Acknowledges, if the client asked for it.
fn acknowledge(ack: AckSender, ok: bool) {
    let _ = ack.send(&json!({ "ok": ok }));
}

/// With the fault `leaks-from-other-node`: sends a room's message to those outside, after as long as it may be on its way.
async fn leak(outside: Vec<Arc<Connection>>, message: Payload) {
    tokio::time::sleep(LEAK).await;
    for receiver in outside {
        let _ = receiver.socket.emit(ROOM_MESSAGE, &Arguments(std::slice::from_ref(&message)));
    }
}

/// Closes a session when its token runs out.
async fn close_at(link: Arc<Link>, until: SystemTime) {
    let left = until.duration_since(SystemTime::now()).unwrap_or_default();
    tokio::select! {
        () = tokio::time::sleep(left) => link.ask(Control::Close),
        () = link.ended() => {}
    }
}
