//! The sockets of the application: connecting, the four events, rooms, notifications.
//!
//! Handlers do their work before they return their future: socketioxide calls them in the order of the events, but
//! gives no order to the futures.

use std::{
    collections::{BTreeMap, HashMap},
    future::ready,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use socketioxide::{
    SocketIo,
    extract::{AckSender, SocketRef, TryData},
    handler::ConnectHandler,
    socket::{DisconnectReason, Sid},
};

use super::{
    auth::{Auth, Verdict},
    payload::Payload,
    users::{Past, Users},
};
use crate::mock::{
    Fault, Faults,
    gateway::{Control, Link, Standing, Transport, random_id},
};

/// How many rooms one connection may be in.
const MAX_ROOMS: usize = 1_000;

/// With the fault `pongs-cross`: how long the shared variable is left alone before it is used.
const CROSSING: Duration = Duration::from_millis(30);

/// An emit without arguments; socketioxide writes a unit as one argument, `null`.
const NO_ARGUMENTS: [(); 0] = [];

/// The state of one life of the application.
pub struct State {
    auth: Auth,
    faults: Faults,
    /// With the fault `reload-doubles-server`, after a reload: two servers answer.
    servers: usize,
    connections: Mutex<HashMap<Sid, Arc<Connection>>>,
    users: Users,
    /// Every session of the gateway, for the faults by which an event reaches one that is not connected.
    sessions: Mutex<Vec<Weak<Link>>>,
    /// With the fault `pongs-cross`: the variable that all connections share.
    last_pinged: Mutex<Option<SocketRef>>,
}

/// One session of the gateway, as it is attached to socketioxide's request.
pub struct Visit {
    link: Arc<Link>,
    admission: Mutex<Option<Admission>>,
}

/// What is known of a client between its verification and its connection.
struct Admission {
    id: String,
    user: Option<String>,
}

/// One connected client.
struct Connection {
    socket: SocketRef,
    /// The socket's id.
    id: String,
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

/// The argument of `send_message`.
#[derive(Deserialize)]
struct RoomMessage {
    room: String,
    message: Payload,
}

/// The argument of `receive_message`.
#[derive(Serialize)]
struct Delivery<'a> {
    room: &'a str,
    message: &'a Payload,
    from: &'a str,
}

/// Registers the application's namespace.
pub fn serve(io: &SocketIo, state: &Arc<State>) {
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
    // The local adapter has nothing to wait for.
    io.ns("/", greet.with(admit));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn visit_of(socket: &SocketRef) -> Option<&Arc<Visit>> {
    socket.req_parts().extensions.get()
}

impl State {
    pub fn new(jwt_secret: &str, faults: Faults, doubled: bool) -> State {
        State {
            auth: Auth::new(jwt_secret, faults.clone()),
            faults,
            servers: if doubled { 2 } else { 1 },
            connections: Mutex::default(),
            users: Users::default(),
            sessions: Mutex::default(),
            last_pinged: Mutex::default(),
        }
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
        Arc::new(Visit { link, admission: Mutex::default() })
    }

    /// Verifies a client and registers its handlers.
    ///
    /// The latter here, in the middleware, because this is done before the CONNECT reply goes out; an event that
    /// follows the reply at once would be lost otherwise.
    async fn admit(self: &Arc<Self>, socket: &SocketRef, auth: Option<Value>) -> Result<(), String> {
        let Some(visit) = visit_of(socket) else { return Err("unauthorized".to_owned()) };
        let verdict = match &auth {
            Some(auth) => self.auth.judge(auth.get("token"), visit.link.transport()),
            None => Verdict::Refuse,
        };
        match verdict {
            Verdict::Admit(user) => {
                let id = random_id(20);
                visit.link.name_socket(id.clone());
                *lock(&visit.admission) = Some(Admission { id, user });
                self.register_handlers(socket);
                Ok(())
            }
            Verdict::Drop => {
                visit.link.ask(Control::Cut);
                visit.link.ended().await;
                Err("unauthorized".to_owned())
            }
            Verdict::Refuse => Err(self.refuse(&visit.link).await),
        }
    }

    /// The message of the CONNECT_ERROR.
    async fn refuse(&self, link: &Link) -> String {
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
        socket.on("join_room", move |socket: SocketRef, TryData(room): TryData<String>, ack: AckSender| {
            acknowledge(ack, room.is_ok_and(|room| state.join(&socket, room)));
            ready(())
        });
        let state = self.clone();
        socket.on("leave_room", move |socket: SocketRef, TryData(room): TryData<String>, ack: AckSender| {
            acknowledge(ack, room.is_ok_and(|room| state.leave(&socket, &room)));
            ready(())
        });
        let state = self.clone();
        socket.on("send_message", move |socket: SocketRef, TryData(message): TryData<RoomMessage>, ack: AckSender| {
            acknowledge(ack, message.is_ok_and(|message| state.send_message(&socket, &message)));
            ready(())
        });
        socket.on("echo", |TryData(message): TryData<Payload>, ack: AckSender| {
            // Nobody who asked for it is no reason to complain.
            let _ = ack.send(&message.unwrap_or(Payload::Null));
            ready(())
        });
        let state = self.clone();
        socket.on_disconnect(move |socket: SocketRef, reason: DisconnectReason| {
            state.forget(&socket, reason);
            ready(())
        });
    }

    /// Takes up a client whose CONNECT reply has just gone out, and greets it.
    fn welcome(&self, socket: SocketRef) {
        let Some(visit) = visit_of(&socket) else { return };
        let Some(Admission { id, user }) = lock(&visit.admission).take() else { return };
        let link = visit.link.clone();

        let past = self.users.past(user.as_deref());
        let ended = past.clean + past.abrupt;
        let piled_up = |fault, times| if self.faults.has(fault) { times } else { 0 };
        let connection = Connection {
            pongs: 1
                + piled_up(Fault::HandlersPileUp, past.abrupt)
                + piled_up(Fault::HandlersPileUpAfterDisconnect, past.clean),
            notifications: 1 + piled_up(Fault::NotificationsPileUp, ended),
            deliveries: 1 + piled_up(Fault::RoomDeliveriesPileUp, ended),
            rooms: Mutex::new(self.rooms_at_first(past, &id)),
            socket,
            id,
            user,
            link,
        };
        for _ in 0..1 + piled_up(Fault::GreetingsPileUp, ended) {
            let _ = connection.socket.emit("welcome", &json!({ "id": connection.id }));
        }
        lock(&self.connections).insert(connection.socket.id, Arc::new(connection));
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
        if let Some(user) = &connection.user {
            let clean = reason == DisconnectReason::ClientNSDisconnect;
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
        let receivers = if self.faults.has(Fault::BroadcastsPong) { self.everyone() } else { vec![connection] };
        for receiver in receivers {
            for _ in 0..times {
                let _ = receiver.socket.emit("pong", &NO_ARGUMENTS);
            }
        }
    }

    /// With the fault `pongs-cross`: answers whoever pinged last by the time the answer is ready.
    fn pong_crossed(self: &Arc<Self>, socket: &SocketRef) {
        *lock(&self.last_pinged) = Some(socket.clone());
        let state = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(CROSSING).await;
            if let Some(last) = &*lock(&state.last_pinged) {
                let _ = last.emit("pong", &NO_ARGUMENTS);
            }
        });
    }

    /// `join_room`
    fn join(&self, socket: &SocketRef, room: String) -> bool {
        let Some(connection) = self.connection(socket) else { return false };
        let mut rooms = lock(&connection.rooms);
        if rooms.len() >= MAX_ROOMS && !rooms.contains_key(&room) {
            return false;
        }
        *rooms.entry(room).or_default() += 1;
        true
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
        let mut rooms = lock(&connection.rooms);
        rooms.remove(room);
        if self.faults.has(Fault::LeaveLeavesAll) {
            rooms.clear();
        }
        true
    }

    /// `send_message`: delivers to every member of the room, if the sender is one.
    fn send_message(&self, socket: &SocketRef, RoomMessage { room, message }: &RoomMessage) -> bool {
        let Some(sender) = self.connection(socket) else { return false };
        if !lock(&sender.rooms).contains_key(room) {
            return false;
        }
        if self.faults.has(Fault::RoomDeliversNothing) {
            return true;
        }
        let mut rooms = vec![room.clone()];
        if self.faults.has(Fault::RoomsRunTogether) {
            rooms.extend(lock(&sender.rooms).keys().filter(|other| *other != room).cloned());
        }
        let delivery = Delivery { room, message, from: sender.user.as_ref().unwrap_or(&sender.id) };
        for receiver in self.everyone() {
            for _ in 0..rooms.iter().map(|room| self.deliveries(&receiver, room)).sum() {
                let _ = receiver.socket.emit("receive_message", &delivery);
            }
        }
        if self.faults.has(Fault::RejectedStillHears) {
            self.tell_unconnected(Standing::Refused, "receive_message", &delivery);
        }
        true
    }

    /// How often a message to that room reaches that client.
    fn deliveries(&self, receiver: &Connection, room: &str) -> usize {
        if self.faults.has(Fault::RoomSkipsPolling) && receiver.link.transport() == Transport::Polling {
            return 0;
        }
        if self.faults.has(Fault::RoomBroadcastsToAll) {
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
        let notification = json!({ "message": message });
        let twice = if self.faults.has(Fault::RestEmitsTwice) { 2 } else { 1 };
        for receiver in self.everyone() {
            if self.faults.has(Fault::RestSkipsPolling) && receiver.link.transport() == Transport::Polling {
                continue;
            }
            for _ in 0..receiver.notifications * self.servers * twice {
                let _ = receiver.socket.emit("notification", &notification);
            }
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
