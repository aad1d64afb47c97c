//! What the checks of stock client libraries have in common: how such a client is driven, and a relay that cuts its connections.
//!
//! By each transport, and by the upgrade that is its default, a client connects with a valid token, gets a pong to its ping,
//! hears a room that it joined and a notification, and comes back by itself after its connection was cut.

use std::{collections::BTreeMap, future::Future, time::Duration};

use serde_json::Value;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};
use url::Host;

use self::relay::Relay;
use super::{rest, rooms};
use crate::{
    contract::{Contract, Emit, Expect, Rest, Rooms, Vars},
    message::{Arg, Message, ToArg},
    probe::{Finding, Probe, Stop, Verdict, fail, in_order, on_wire, seen_twice},
    wire::{Carried, Transport},
};

/// What a client's exchange rests on.
pub const REQUIRES: &[&str] = &[
    "transport.open-packet",
    "transport.upgrade",
    "auth.valid-token",
    "events.ping-pong",
    "events.ping-pong-private",
    "reconnect.parallel-clients",
    "events.immediate-emit",
    "rooms.member-receives",
    "rooms.cross-transport",
    "rest.response",
    "rest.emit-once",
    "rest.emit-all",
    "deploy.sticky-sessions",
];

/// How often its connections are cut, until it asks for a new session.
const CUTS: usize = 3;

/// The room that it joins.
const ROOM: &str = "room";

/// How the client connects.
#[derive(Clone, Copy)]
pub enum Way {
    Polling,
    WebSocket,
    Upgrade,
}

impl Way {
    pub fn name(self) -> &'static str {
        match self {
            Way::Polling => "polling",
            Way::WebSocket => "websocket",
            Way::Upgrade => "upgrade",
        }
    }
}

impl ToArg for Way {
    fn to_arg(&self) -> Arg {
        match self {
            Way::Polling => Transport::Polling.to_arg(),
            Way::WebSocket => Transport::WebSocket.to_arg(),
            Way::Upgrade => "its default, polling and then an upgrade".to_arg(),
        }
    }
}

/// What a library tells of.
pub enum Heard {
    /// A CONNECT reply.
    Connected,
    /// Something that went wrong, in its words.
    Error(String),
    /// An event.
    Event(String, Vec<Value>),
}

/// A client library.
pub trait Library: Sized + Send + Sync {
    /// Its name, as its registry has it.
    const NAME: &'static str;

    /// Begins to connect with a valid token, in that way, through the relay where there is one. All that it hears goes to
    /// `telling`. The inner error says how it is refused.
    fn connect(
        probe: &Probe,
        way: Way,
        relay: Option<&Relay>,
        telling: mpsc::UnboundedSender<Heard>,
    ) -> impl Future<Output = Result<Result<Self, Message>, Stop>> + Send;

    /// Sends an event.
    fn emit(&self, event: String, args: Vec<Value>) -> impl Future<Output = Result<(), Message>> + Send;

    /// Says goodbye; that it can is of no interest here.
    fn leave(self) -> impl Future<Output = ()> + Send;
}

/// The ways in which a client can connect here.
pub fn ways(probe: &Probe) -> Vec<Way> {
    let mut ways: Vec<Way> = Vec::new();
    for transport in probe.transports() {
        ways.push(match transport {
            Transport::Polling => Way::Polling,
            Transport::WebSocket => Way::WebSocket,
        });
    }
    if ways.len() == 2 {
        ways.push(Way::Upgrade);
    }
    ways
}

/// The headers of a client's requests, by names in lower case: those of the contract, and what carries the token.
pub fn headers(contract: &Contract, carried: Option<&Carried>) -> BTreeMap<String, String> {
    let declared = contract.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.expose().to_owned()));
    let mut headers: BTreeMap<String, String> = declared.collect();
    match carried {
        Some(Carried::Header(name, value)) => {
            headers.insert(name.to_string(), value.to_str().unwrap_or_default().to_owned());
        }
        Some(Carried::Cookie(name, token)) => {
            let others = headers.get("cookie").map(|cookies| format!("{cookies}; ")).unwrap_or_default();
            headers.insert("cookie".into(), format!("{others}{name}={}", token.expose()));
        }
        // It is in the URL, or in the CONNECT payload.
        Some(Carried::Query(..)) | None => {}
    }
    headers
}

/// All that a client of the library does, in each of these ways.
pub async fn drive<L: Library>(probe: &Probe, ways: Vec<Way>) -> Verdict {
    in_order(ways.into_iter().map(|way| seen_twice(probe, move || exchange::<L>(probe, way)))).await.map(drop)
}

/// All that the client does, connected in one way.
async fn exchange<L: Library>(probe: &Probe, way: Way) -> Verdict {
    let mut relay = relay(probe).await?;
    if probe.contract().rooms.is_some() {
        // So that the client is a user who may join it.
        probe.room(ROOM)?;
    }
    let mut client = Stock::<L>::connect(probe, way, relay.as_ref()).await?;
    client.ping(probe, "").await?;
    match &probe.contract().rooms {
        Some(declared) if declared.send.carries_message() => client.hear_room(probe, declared).await?,
        Some(_) => probe.note("rooms were left out: the contract's messages carry no text of ours"),
        None => probe.note("rooms were left out: the contract declares none (rooms.enabled)"),
    }
    match &probe.contract().rest {
        Some(declared) => client.hear_notification(probe, declared).await?,
        None => probe.note("the REST trigger was left out: the contract declares none (rest.enabled)"),
    }
    match &mut relay {
        Some(relay) => client.survive(probe, relay).await?,
        None => probe.note("the dropped connection was left out: the relay that cuts it does not speak TLS"),
    }
    client.library.leave().await;
    Ok(())
}

/// A relay to the target, where that is possible.
async fn relay(probe: &Probe) -> Result<Option<Relay>, Stop> {
    let origin = &probe.target().origin;
    let host = match (origin.scheme(), origin.host()) {
        ("http", Some(Host::Domain(name))) => name.to_owned(),
        ("http", Some(Host::Ipv4(address))) => address.to_string(),
        ("http", Some(Host::Ipv6(address))) => address.to_string(),
        _ => return Ok(None),
    };
    let relay = Relay::start(host, origin.port_or_known_default().unwrap_or(80)).await;
    relay.map(Some).map_err(|error| Stop::Broken(say!("no relay on 127.0.0.1: {error}", error)))
}

/// A client of the library.
struct Stock<L> {
    way: Way,
    library: L,
    heard: mpsc::UnboundedReceiver<Heard>,
    /// What it said of errors since it was last connected, for a finding.
    errors: Vec<String>,
    deadline: Duration,
}

impl<L: Library> Stock<L> {
    /// Connects and waits for the CONNECT reply.
    async fn connect(probe: &Probe, way: Way, relay: Option<&Relay>) -> Result<Self, Stop> {
        let (telling, heard) = mpsc::unbounded_channel();
        let refused = |how: Message| {
            fail(say!("{name} does not connect by {way}", name = L::NAME, way))
                .sent("the client's own handshake, then CONNECT with a valid token")
                .received(how)
                .expected("a CONNECT reply")
        };
        let deadline = probe.deadline();
        let library = match L::connect(probe, way, relay, telling).await? {
            Ok(library) => library,
            Err(how) => return refused(how).stop(),
        };
        let mut stock = Stock { way, library, heard, errors: Vec::new(), deadline };
        // One deadline for the requests, and one for the reply.
        match stock.connected(2 * deadline).await {
            Ok(()) => Ok(stock),
            Err(how) => refused(how).stop(),
        }
    }

    /// Waits for a CONNECT reply; else tells what came instead.
    async fn connected(&mut self, patience: Duration) -> Result<(), Message> {
        let end = Instant::now() + patience;
        loop {
            match timeout_at(end, self.heard.recv()).await {
                Ok(Some(Heard::Connected)) => return Ok(()),
                Ok(Some(Heard::Error(error))) => self.errors.push(error),
                Ok(Some(Heard::Event(..))) => {}
                Ok(None) | Err(_) => return Err(self.silence(patience)),
            }
        }
    }

    /// Waits for an event that `wanted` holds for.
    async fn hear(&mut self, until: Instant, wanted: impl Fn(&str, &[Value]) -> bool) -> bool {
        loop {
            match timeout_at(until, self.heard.recv()).await {
                Ok(Some(Heard::Event(event, args))) if wanted(&event, &args) => return true,
                Ok(Some(Heard::Error(error))) => self.errors.push(error),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return false,
            }
        }
    }

    fn silence(&self, patience: Duration) -> Message {
        match self.errors.last() {
            Some(error) => say!("{patience}; the client says: {error}", patience = nothing_within(patience), error),
            None => nothing_within(patience),
        }
    }

    /// Sends a declared event.
    async fn emit(&self, probe: &Probe, emit: &Emit, vars: &Vars) -> Result<(), Finding> {
        let (event, args) = emit.render(vars);
        let Err(how) = self.library.emit(event, args).await else { return Ok(()) };
        Err(fail(say!("{name} cannot send over {way}", name = L::NAME, way = self.way))
            .sent(on_wire(&probe.contract().namespace, emit, vars))
            .received(how)
            .expected("a message that is taken"))
    }

    /// One ping, one pong or more.
    async fn ping(&mut self, probe: &Probe, when: &'static str) -> Verdict {
        let ping = probe.ping()?;
        let nothing = Vars::new();
        self.emit(probe, &ping.emit, &nothing).await.or_else(Finding::stop)?;
        if self.hear(probe.in_time(), |event, _| event == ping.reply).await {
            return Ok(());
        }
        fail(say!(
            "{name} gets no `{reply}` to its ping{when}, by {way}",
            name = L::NAME,
            reply = ping.reply,
            when,
            way = self.way
        ))
        .sent(on_wire(&probe.contract().namespace, &ping.emit, &nothing))
        .received(self.silence(self.deadline))
        .expected(say!("`{reply}`", reply = ping.reply))
        .stop()
    }

    /// Joins a room and hears what another member sends there.
    async fn hear_room(&mut self, probe: &Probe, declared: &Rooms) -> Verdict {
        let name = probe.room(ROOM)?;
        let room = Vars::new().room(name.clone());
        let mut sender = probe.client(&format!("sender ({})", self.way.name()), probe.transport()).await?;
        rooms::join(probe, &mut sender, &name).await?;
        self.emit(probe, &declared.join, &room).await.or_else(Finding::stop)?;
        // Nothing tells when the join has taken effect, so that more than one message may be needed.
        let end = probe.in_time();
        let mut patience = probe.target().quiet_window();
        let mut sent = Vec::new();
        while Instant::now() < end {
            let message = room.clone().message(probe.nonce("message"));
            sender.emit(&declared.send, &message);
            sent.push(message);
            let until = end.min(Instant::now() + patience);
            let ours = |event: &str, args: &[Value]| {
                sent.iter().any(|message| matches(event, args, &declared.receive, message))
            };
            if self.hear(until, ours).await {
                return Ok(());
            }
            patience *= 2;
        }
        fail(say!("{name} hears nothing of the room that it joined, by {way}", name = L::NAME, way = self.way))
            .sent(say!(
                "{join}, then messages to the room by another member",
                join = on_wire(&probe.contract().namespace, &declared.join, &room)
            ))
            .received(self.silence(self.deadline))
            .expected(say!("`{event}`", event = declared.receive.event))
            .stop()
    }

    /// Hears the notification of a REST call.
    async fn hear_notification(&mut self, probe: &Probe, declared: &Rest) -> Verdict {
        let (message, vars) = rest::message(probe)?;
        probe.notify(&message).await?;
        if self.hear(probe.in_time(), |event, args| matches(event, args, &declared.event, &vars)).await {
            return Ok(());
        }
        fail(say!("{name} gets no `{event}`, by {way}", name = L::NAME, event = declared.event.event, way = self.way))
            .sent(format!("{} {}", declared.method, declared.path))
            .received(self.silence(self.deadline))
            .expected(say!("`{event}`", event = declared.event.event))
            .stop()
    }

    /// Loses its connection and comes back by itself.
    async fn survive(&mut self, probe: &Probe, relay: &mut Relay) -> Verdict {
        self.errors.clear();
        // Between two polls that have a connection each there is none to cut, and the client notices nothing. A client that
        // is coming back must not be cut again.
        for _ in 0..CUTS {
            relay.cut().await;
            if relay.sees_handshake(self.deadline / 4).await {
                break;
            }
        }
        // As on the first connect: one deadline for the requests, and one for the reply.
        if let Err(how) = self.connected(2 * self.deadline).await {
            return fail(say!(
                "{name} does not come back after a dropped connection, by {way}",
                name = L::NAME,
                way = self.way
            ))
            .sent("its TCP connections were cut; then its own handshake and CONNECT with the same token")
            .received(how)
            .expected("a CONNECT reply")
            .stop();
        }
        self.errors.clear();
        self.ping(probe, " after it came back").await
    }
}

/// For how long nothing came.
pub fn nothing_within(patience: Duration) -> Message {
    say!("nothing within {time}", time = patience)
}

fn matches(event: &str, args: &[Value], expect: &Expect, vars: &Vars) -> bool {
    event == expect.event && expect.check(args, vars).is_ok()
}

/// A TCP relay on this machine, between a client library and the target. A connection that is cut here looks, to either end, as if
/// the other had dropped it.
pub mod relay {
    use std::{
        io,
        net::{Ipv4Addr, SocketAddr},
    };

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        sync::{mpsc, oneshot},
        task::JoinSet,
        time::{Duration, timeout},
    };

    /// Bytes of a request's first line, at the most.
    const LONGEST_LINE: usize = 8 << 10;

    /// A running relay. Dropping it ends it with all its connections.
    pub struct Relay {
        address: SocketAddr,
        cuts: mpsc::Sender<oneshot::Sender<()>>,
        /// One for each connection whose first request is a handshake.
        handshakes: mpsc::UnboundedReceiver<()>,
        _task: JoinSet<()>,
    }

    impl Relay {
        /// Relays to `host`.
        pub async fn start(host: String, port: u16) -> io::Result<Relay> {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let address = listener.local_addr()?;
            let (cuts, asked) = mpsc::channel(1);
            let (seen, handshakes) = mpsc::unbounded_channel();
            let mut task = JoinSet::new();
            task.spawn(run(listener, host, port, asked, seen));
            Ok(Relay { address, cuts, handshakes, _task: task })
        }

        /// Where it listens.
        pub fn address(&self) -> SocketAddr {
            self.address
        }

        /// Cuts every connection there is; later ones are relayed as before.
        pub async fn cut(&mut self) {
            while self.handshakes.try_recv().is_ok() {}
            let (done, cut) = oneshot::channel();
            // The task lives as long as the relay.
            if self.cuts.send(done).await.is_ok() {
                let _ = cut.await;
            }
        }

        /// Whether the client asks for a new session within that time.
        pub async fn sees_handshake(&mut self, patience: Duration) -> bool {
            matches!(timeout(patience, self.handshakes.recv()).await, Ok(Some(())))
        }
    }

    async fn run(
        listener: TcpListener,
        host: String,
        port: u16,
        mut asked: mpsc::Receiver<oneshot::Sender<()>>,
        seen: mpsc::UnboundedSender<()>,
    ) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                Ok((client, _)) = listener.accept() => {
                    connections.spawn(relay(client, host.clone(), port, seen.clone()));
                }
                Some(done) = asked.recv() => {
                    connections.shutdown().await;
                    let _ = done.send(());
                }
                Some(_) = connections.join_next() => {}
                else => return,
            }
        }
    }

    async fn relay(mut client: TcpStream, host: String, port: u16, seen: mpsc::UnboundedSender<()>) {
        // An error is the end of either connection, and ends both.
        let Ok(begin) = first_line(&mut client).await else { return };
        if !begin.windows(4).any(|part| part == b"sid=") {
            // Who asked may have what it wanted to know.
            let _ = seen.send(());
        }
        let Ok(mut target) = TcpStream::connect((host.as_str(), port)).await else { return };
        if target.write_all(&begin).await.is_ok() {
            let _ = tokio::io::copy_bidirectional(&mut client, &mut target).await;
        }
    }

    /// What a client sends, up to the end of the first line at least.
    async fn first_line(client: &mut TcpStream) -> io::Result<Vec<u8>> {
        let mut begin = Vec::new();
        while !begin.contains(&b'\n') && begin.len() < LONGEST_LINE {
            if client.read_buf(&mut begin).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(begin)
    }
}
