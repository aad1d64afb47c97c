//! One Engine.IO session: a task that owns everything there is of it.
//!
//! Requests and connections of the client come in as [`Command`]s; the task alone decides what they mean, so that
//! there is no shared state to get out of step.

use std::{
    future::pending,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, oneshot},
    time,
};

use super::{
    super::Fault,
    Registration, Settings,
    bucket::Bucket,
    packet::{Malformed, Packet, encode_payload},
    socketio::{Passage, SocketIo, Violation},
    upstream::{Control, Link, LinkEnd, Transport, Upstream},
    websocket::{self, Arrival, Connection},
};

/// How long an upgrade may take (engine.io's `upgradeTimeout`).
const UPGRADE_WITHIN: Duration = Duration::from_secs(10);

/// How long a closed polling session waits for a request that it can say so to (engine.io's `closeTimeout`).
const LINGER_FOR: Duration = Duration::from_secs(30);

/// How long the upstream may take to accept a session.
const UPSTREAM_WITHIN: Duration = Duration::from_secs(10);

/// How much may wait for the client before the session is closed: packets, and bytes.
const BACKLOG: (usize, usize) = (16_384, 32 << 20);

/// How many bytes may wait for the upstream before no more are taken from the client.
const UPSTREAM_BACKLOG: usize = 4 << 20;

/// How many messages of a client the fault `loses-bursts` takes at once, and how many more each second.
const MESSAGES_AT_ONCE: f64 = 150.0;
const MESSAGES_A_SECOND: f64 = 20.0;

/// What a request or a connection of the client asks of its session.
pub enum Command {
    /// A polling GET.
    Poll(oneshot::Sender<PollAnswer>),
    /// The packets of a polling POST; answered when they have been dealt with.
    Post(Vec<Result<Packet, Malformed>>, oneshot::Sender<()>),
    /// A request that no session survives: too large, overlapping, of the wrong type, or cut off.
    Fail,
    /// A WebSocket for this session.
    Upgrade(Box<Connection>),
}

/// What a polling GET is answered with.
pub enum PollAnswer {
    Payload(String),
    /// It overlaps with another one.
    Overlap,
    /// The connection is cut instead.
    Cut,
}

/// How a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// The server closes: whatever is queued is sent first, and the client is told.
    Close,
    /// The session is over at once (a broken packet, a missed heartbeat); a pending poll is told.
    Error,
    /// The client closed a polling session; its pending poll is released.
    ClosedByClient,
    /// The client is gone.
    Gone,
    /// The client's connections are cut without a word.
    Cut,
    /// With the faults `close-holds-poll` and `close-holds-websocket`: the client's connection stays open, in silence.
    Held,
}

/// Either the session goes on, or it ends.
type Step = Result<(), Ending>;

/// The client's side of a session.
enum Client {
    Polling { pending: Option<oneshot::Sender<PollAnswer>> },
    Websocket(Box<Connection>),
}

/// A WebSocket that wants to take over from polling.
struct Candidate {
    connection: Box<Connection>,
    probed: bool,
    deadline: Instant,
}

enum Event {
    Time,
    Control(Control),
    Upstream(Arrival),
    Client(Arrival),
    PollCut,
    Candidate(Arrival),
    Command(Command),
}

/// What a session is started with.
pub struct Start {
    pub settings: Arc<Settings>,
    pub upstream: Arc<dyn Upstream>,
    pub registration: Registration,
    pub commands: mpsc::Receiver<Command>,
    pub link: Arc<Link>,
    pub link_end: LinkEnd,
    /// The WebSocket that it begins on, with the open packet queued; otherwise it begins with polling.
    pub websocket: Option<Connection>,
}

struct Session {
    settings: Arc<Settings>,
    link: Arc<Link>,
    link_end: LinkEnd,
    commands: mpsc::Receiver<Command>,
    upstream: Connection,
    client: Client,
    candidate: Option<Candidate>,
    /// A poll that the fault `poll-not-released` leaves pending.
    unreleased: Option<oneshot::Sender<PollAnswer>>,
    outbox: Vec<Packet>,
    outbox_bytes: usize,
    socket_io: SocketIo,
    next_ping: Instant,
    pong_deadline: Option<Instant>,
    connect_deadline: Instant,
    attachments_deadline: Option<Instant>,
    /// With the fault `pings-at-once`: the heartbeat that comes too early is still due.
    pinging_early: bool,
    /// With the fault `cuts-idle-connections`: how many pongs came in a row, and when the connection is to be cut.
    idle_pongs: usize,
    idle_until: Option<Instant>,
    /// The client's messages, for the fault `loses-bursts`.
    messages: Bucket,
    /// With the fault `repeats-message-after-upgrade`: what was last sent by polling.
    last_polled: Option<Packet>,
    /// With the fault `upgrade-loses-message`: how many packets are to be lost, once it is known.
    losing: Losing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Losing {
    Nothing,
    NextMessage,
    Attachments(usize),
}

/// Runs a session from its open packet to its end.
pub async fn run(start: Start) {
    let Start { settings, upstream, registration, commands, link, link_end, websocket } = start;
    let opened = time::timeout(UPSTREAM_WITHIN, upstream.open(link.clone())).await;
    let Ok(Ok(io)) = opened else {
        if let Some(connection) = websocket {
            drop(registration);
            connection.close(None).await;
        }
        return;
    };
    let now = Instant::now();
    let cuts_silence = settings.faults.has(Fault::CutsSilentWebsockets) && websocket.is_some();
    let pinging_early = settings.faults.has(Fault::PingsAtOnce);
    let mut session = Session {
        socket_io: SocketIo::new(&settings, link.clone()),
        link,
        link_end,
        commands,
        upstream: websocket::client_side(io).await,
        client: match websocket {
            Some(connection) => Client::Websocket(Box::new(connection)),
            None => Client::Polling { pending: None },
        },
        candidate: None,
        unreleased: None,
        outbox: Vec::new(),
        outbox_bytes: 0,
        next_ping: if pinging_early { now } else { now + settings.ping_interval },
        pong_deadline: None,
        pinging_early,
        idle_pongs: 0,
        idle_until: cuts_silence.then(|| now + settings.ping_interval * 4 / 5),
        messages: Bucket::new(MESSAGES_AT_ONCE, MESSAGES_A_SECOND),
        last_polled: None,
        connect_deadline: now + settings.connect_timeout,
        attachments_deadline: None,
        losing: Losing::Nothing,
        settings,
    };
    let (ending, code) = session.live().await;
    session.end(ending, code, registration).await;
}

impl Session {
    async fn live(&mut self) -> (Ending, Option<websocket::CloseCode>) {
        loop {
            let event = self.next().await;
            if let Event::Client(Arrival::Violation(code)) = event {
                return (Ending::Error, Some(code));
            }
            let is_traffic = matches!(event, Event::Client(_) | Event::Upstream(_));
            if let Err(ending) = self.on(event).and_then(|()| self.flush()) {
                return (ending, None);
            }
            if is_traffic
                && self.settings.faults.has(Fault::CutsSilentWebsockets)
                && matches!(self.client, Client::Websocket(_))
            {
                self.idle_until =
                    (!self.socket_io.is_connected()).then(|| Instant::now() + self.settings.ping_interval * 4 / 5);
            }
        }
    }

    /// Waits for whatever comes next, and writes what is queued meanwhile.
    async fn next(&mut self) -> Event {
        let wake = self.next_deadline();
        // While the upstream is behind, the client has to wait.
        let attentive = self.upstream.backlog().1 < UPSTREAM_BACKLOG;
        let Session { link_end, commands, upstream, client, candidate, .. } = self;
        let from_client = async {
            match client {
                Client::Polling { pending: Some(poll) } => {
                    poll.closed().await;
                    Event::PollCut
                }
                Client::Polling { pending: None } => pending().await,
                Client::Websocket(connection) => Event::Client(connection.next().await),
            }
        };
        let from_candidate = async {
            match candidate {
                Some(candidate) => candidate.connection.next().await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            () = time::sleep_until(wake.into()) => Event::Time,
            Some(control) = link_end.control.recv() => Event::Control(control),
            arrival = upstream.next() => Event::Upstream(arrival),
            event = from_client, if attentive => event,
            arrival = from_candidate => Event::Candidate(arrival),
            Some(command) = commands.recv(), if attentive => Event::Command(command),
        }
    }

    fn next_deadline(&self) -> Instant {
        let candidate = self.candidate.as_ref().map(|candidate| candidate.deadline);
        let others =
            [self.pong_deadline, self.attachments_deadline, self.connect_deadline(), candidate, self.idle_until];
        others.into_iter().flatten().fold(self.next_ping, Instant::min)
    }

    /// When a session that is not connected is to be closed.
    fn connect_deadline(&self) -> Option<Instant> {
        let waits = !self.socket_io.is_connected() && !self.settings.faults.has(Fault::NoConnectTimeout);
        waits.then_some(self.connect_deadline)
    }

    fn on(&mut self, event: Event) -> Step {
        match event {
            Event::Time => self.on_time(),
            Event::Control(Control::Inject(text)) => {
                self.send(Packet::Message(text));
                Ok(())
            }
            Event::Control(Control::Close) => Err(Ending::Close),
            Event::Control(Control::ShutDown) => Err(Ending::Error),
            Event::Control(Control::Cut) => Err(Ending::Cut),
            Event::Upstream(arrival) => self.on_upstream(arrival),
            Event::Client(Arrival::Packet(packet)) => self.on_packet(packet),
            Event::Client(Arrival::Malformed) => self.on_malformed(),
            Event::Client(Arrival::Violation(_)) => Err(Ending::Error),
            Event::Client(Arrival::Gone) => Err(Ending::Gone),
            Event::PollCut => self.on_poll_cut(),
            Event::Candidate(arrival) => self.on_candidate(arrival),
            Event::Command(command) => self.on_command(command),
        }
    }

    /// Heartbeats (Engine.IO v4, "Heartbeat"), and the ends of everybody's patience.
    fn on_time(&mut self) -> Step {
        let now = Instant::now();
        if self.pong_deadline.is_some_and(|deadline| deadline <= now) {
            self.pong_deadline = None;
            if !self.settings.faults.has(Fault::KeepsDeadSessions) {
                return Err(Ending::Error);
            }
            self.next_ping = now + self.settings.ping_interval;
        }
        if self.attachments_deadline.is_some_and(|deadline| deadline <= now) {
            return Err(Ending::Error);
        }
        if self.connect_deadline().is_some_and(|deadline| deadline <= now) {
            return Err(Ending::Close);
        }
        if self.idle_until.is_some_and(|until| until <= now) {
            return Err(Ending::Cut);
        }
        if self.candidate.as_ref().is_some_and(|candidate| candidate.deadline <= now) {
            self.dismiss_candidate();
        }
        if self.next_ping <= now {
            let silent = match self.client {
                Client::Polling { .. } => Fault::NoHeartbeatOnPolling,
                Client::Websocket(_) => Fault::NoHeartbeatOnWebsocket,
            };
            if self.settings.faults.has(silent) {
                self.next_ping = now + self.settings.ping_interval;
                return Ok(());
            }
            if std::mem::take(&mut self.pinging_early) {
                self.send(Packet::Ping { probe: false });
                self.next_ping = now + self.settings.ping_interval;
                return Ok(());
            }
            self.send(Packet::Ping { probe: false });
            self.pong_deadline = Some(now + self.settings.ping_timeout);
            // The next one is due an interval after the pong; this is for a pong that never comes.
            self.next_ping = now + self.settings.ping_timeout + self.settings.ping_interval;
        }
        Ok(())
    }

    fn on_upstream(&mut self, arrival: Arrival) -> Step {
        match arrival {
            Arrival::Packet(Packet::Message(text))
                if self.settings.faults.has(Fault::CannotSendLargeMessages) && text.len() > self.settings.large() =>
            {
                Err(Ending::Error)
            }
            Arrival::Packet(Packet::Message(text)) => {
                for packet in self.socket_io.outbound(text) {
                    self.send(packet);
                }
                Ok(())
            }
            Arrival::Packet(Packet::Binary(data)) => {
                for packet in self.socket_io.outbound_attachment(data) {
                    self.send(packet);
                }
                Ok(())
            }
            // The two heartbeats have nothing to do with each other.
            Arrival::Packet(Packet::Ping { .. }) => {
                self.upstream.push(Packet::Pong { probe: false });
                Ok(())
            }
            Arrival::Packet(Packet::Close) | Arrival::Gone | Arrival::Malformed | Arrival::Violation(_) => {
                Err(Ending::Close)
            }
            Arrival::Packet(_) => Ok(()),
        }
    }

    /// A packet from the client, over whichever transport.
    fn on_packet(&mut self, packet: Packet) -> Step {
        if packet.is_message() {
            (self.idle_pongs, self.idle_until) = (0, None);
            if self.is_lost_in_burst() {
                return Ok(());
            }
        }
        let passage = match packet {
            Packet::Message(text) if self.settings.faults.has(Fault::ManglesAstral) => {
                let is_astral = |c: char| u32::from(c) > 0xFFFF;
                self.socket_io.inbound(text.replace(is_astral, "\u{FFFD}"))
            }
            Packet::Message(text) => self.socket_io.inbound(text),
            Packet::Binary(data) => self.socket_io.inbound_attachment(data),
            other => {
                self.socket_io.other_packet();
                return self.on_engine_packet(&other);
            }
        };
        let Passage { upstream, client } = passage.map_err(|Violation| Ending::Close)?;
        for packet in upstream {
            self.upstream.push(packet);
        }
        for packet in client {
            self.send(packet);
        }
        self.attachments_deadline = match (self.socket_io.is_incomplete(), self.attachments_deadline) {
            (true, None) => Some(Instant::now() + self.settings.ping_interval + self.settings.ping_timeout),
            (true, deadline) => deadline,
            (false, _) => None,
        };
        Ok(())
    }

    fn on_malformed(&self) -> Step {
        if self.settings.faults.has(Fault::IgnoresInvalidPackets) { Ok(()) } else { Err(Ending::Error) }
    }

    /// With the fault `loses-bursts`: whether this message is one too many.
    fn is_lost_in_burst(&mut self) -> bool {
        self.settings.faults.has(Fault::LosesBursts) && !self.messages.takes()
    }

    fn on_engine_packet(&mut self, packet: &Packet) -> Step {
        match packet {
            Packet::Pong { .. } => {
                if self.settings.faults.has(Fault::IgnoresPongs) {
                    return Ok(());
                }
                self.idle_pongs += 1;
                if self.settings.faults.has(Fault::CutsIdleConnections)
                    && self.idle_pongs == 2
                    && matches!(self.client, Client::Websocket(_))
                {
                    self.idle_until = Some(Instant::now() + self.settings.ping_interval / 2);
                }
                self.pong_deadline = None;
                self.next_ping = Instant::now() + self.settings.ping_interval;
                Ok(())
            }
            // In v4 it is the server that pings.
            Packet::Ping { .. } => Err(Ending::Error),
            Packet::Close => match self.client {
                Client::Polling { .. } if self.settings.faults.has(Fault::IgnoresClose) => Ok(()),
                Client::Polling { .. } if self.settings.faults.has(Fault::CloseHoldsPoll) => Err(Ending::Held),
                Client::Polling { .. } => Err(Ending::ClosedByClient),
                Client::Websocket(_) if self.settings.faults.has(Fault::CloseHoldsWebsocket) => Err(Ending::Held),
                Client::Websocket(_) => Err(Ending::Error),
            },
            _ => Ok(()),
        }
    }

    fn on_poll_cut(&mut self) -> Step {
        if let Client::Polling { pending } = &mut self.client {
            *pending = None;
        }
        if self.settings.faults.has(Fault::KeepsDeadSessions) {
            return Ok(());
        }
        Err(Ending::Gone)
    }

    fn on_command(&mut self, command: Command) -> Step {
        match command {
            Command::Poll(answer) => self.on_poll(answer),
            Command::Post(packets, done) => {
                let step = packets.into_iter().try_for_each(|packet| match packet {
                    Ok(packet) => self.on_packet(packet),
                    Err(Malformed) => self.on_malformed(),
                });
                // Node says `ok` to whatever it has read, and closes the session apart from that.
                let _ = done.send(());
                step
            }
            Command::Fail => Err(Ending::Error),
            Command::Upgrade(connection) => {
                let faults = &self.settings.faults;
                let upgraded = matches!(self.client, Client::Websocket(_));
                if upgraded && faults.has(Fault::SecondWebsocketCutsFirst) {
                    tokio::spawn(connection.close(None));
                    return Err(Ending::Error);
                }
                let let_in = faults.has(Fault::SecondWebsocketLetIn);
                if self.candidate.is_some() || upgraded && !let_in {
                    tokio::spawn(connection.close(None));
                } else {
                    let deadline = Instant::now() + UPGRADE_WITHIN;
                    self.candidate = Some(Candidate { connection, probed: false, deadline });
                }
                Ok(())
            }
        }
    }

    fn on_poll(&mut self, answer: oneshot::Sender<PollAnswer>) -> Step {
        match &mut self.client {
            Client::Polling { pending } if self.settings.faults.has(Fault::SecondPollTakesOver) => {
                if let Some(first) = pending.replace(answer) {
                    let _ = first.send(PollAnswer::Payload(encode_payload(&[Packet::Noop])));
                }
                Ok(())
            }
            // Under the fault, another poll takes over from one whose cut has not come to notice yet.
            Client::Polling { pending: Some(_) } if !self.settings.faults.has(Fault::KeepsDeadSessions) => {
                let _ = answer.send(PollAnswer::Overlap);
                Err(Ending::Error)
            }
            Client::Polling { pending } => {
                *pending = Some(answer);
                if self.is_probed() && self.outbox.is_empty() {
                    self.release_poll();
                }
                Ok(())
            }
            // The request was on its way while the upgrade completed.
            Client::Websocket(_) => {
                let _ = answer.send(PollAnswer::Payload(encode_payload(&[Packet::Noop])));
                Ok(())
            }
        }
    }

    fn is_probed(&self) -> bool {
        self.candidate.as_ref().is_some_and(|candidate| candidate.probed)
    }

    /// The upgrade (Engine.IO v4, "Upgrade"): `2probe`, `3probe`, the pending poll released by `6`, then `5`.
    fn on_candidate(&mut self, arrival: Arrival) -> Step {
        let Some(candidate) = &mut self.candidate else { return Ok(()) };
        match arrival {
            Arrival::Packet(Packet::Ping { probe: true }) => {
                if self.settings.faults.has(Fault::ProbeUnanswered) {
                    return Ok(());
                }
                candidate.connection.push(Packet::Pong { probe: true });
                candidate.probed = true;
                if self.outbox.is_empty() {
                    self.release_poll();
                }
            }
            Arrival::Packet(Packet::Upgrade) if candidate.probed => self.upgrade(),
            Arrival::Gone => self.candidate = None,
            _ => self.dismiss_candidate(),
        }
        Ok(())
    }

    /// Answers the pending poll with a noop, so that the client can leave polling.
    fn release_poll(&mut self) {
        if self.settings.faults.has(Fault::PollNotReleased) {
            return;
        }
        if let Client::Polling { pending } = &mut self.client
            && let Some(poll) = pending.take()
        {
            let _ = poll.send(PollAnswer::Payload(encode_payload(&[Packet::Noop])));
        }
    }

    fn upgrade(&mut self) {
        self.release_poll();
        let Some(candidate) = self.candidate.take() else { return };
        let before = std::mem::replace(&mut self.client, Client::Websocket(candidate.connection));
        if let Client::Polling { pending } = before {
            self.unreleased = pending;
        }
        self.link.set_transport(Transport::Websocket);
        if let Some(packet) = self.last_polled.take() {
            self.outbox.insert(0, packet);
        }
        if self.settings.faults.has(Fault::UpgradeLosesMessage) {
            self.losing = Losing::NextMessage;
        }
    }

    fn dismiss_candidate(&mut self) {
        if let Some(candidate) = self.candidate.take() {
            tokio::spawn(candidate.connection.close(None));
        }
    }

    /// Queues a packet for the client.
    fn send(&mut self, packet: Packet) {
        self.outbox_bytes += packet.len();
        self.outbox.push(packet);
    }

    /// Hands what is queued to the client, as far as its transport can take it now.
    fn flush(&mut self) -> Step {
        self.lose_message();
        let backlog = match &mut self.client {
            Client::Polling { pending } => {
                // After `3probe` the poll is as good as gone with that fault, so messages wait for the WebSocket.
                let withheld = self.settings.faults.has(Fault::PollNotReleased)
                    && self.candidate.as_ref().is_some_and(|candidate| candidate.probed);
                if !self.outbox.is_empty()
                    && !withheld
                    && let Some(poll) = pending.take()
                {
                    let payload = encode_payload(&self.outbox);
                    if self.settings.faults.has(Fault::RepeatsMessageAfterUpgrade) {
                        self.last_polled = self.outbox.iter().rfind(|packet| packet.is_message()).cloned();
                    }
                    // A poll that has been cut meanwhile leaves its packets lost, as in Node, and the session gone.
                    if poll.send(PollAnswer::Payload(payload)).is_err() {
                        return self.on_poll_cut();
                    }
                    self.outbox.clear();
                    self.outbox_bytes = 0;
                }
                (self.outbox.len(), self.outbox_bytes)
            }
            Client::Websocket(connection) => {
                for packet in self.outbox.drain(..) {
                    connection.push(packet);
                }
                self.outbox_bytes = 0;
                connection.backlog()
            }
        };
        if backlog.0 > BACKLOG.0 || backlog.1 > BACKLOG.1 {
            return Err(Ending::Cut);
        }
        Ok(())
    }

    /// With the fault `upgrade-loses-message`: loses the first message after the upgrade, with its attachments.
    fn lose_message(&mut self) {
        while self.losing != Losing::Nothing {
            let lost = self.outbox.iter().position(|packet| matches!(packet, Packet::Message(_) | Packet::Binary(_)));
            let Some(lost) = lost else { return };
            let packet = self.outbox.remove(lost);
            self.outbox_bytes -= packet.len();
            self.losing = match (self.losing, packet) {
                (Losing::Attachments(more @ 2..), _) => Losing::Attachments(more - 1),
                (Losing::NextMessage, Packet::Message(text)) => match SocketIo::attachments_of(&text) {
                    0 => Losing::Nothing,
                    attachments => Losing::Attachments(attachments),
                },
                _ => Losing::Nothing,
            };
        }
    }

    async fn end(self, ending: Ending, code: Option<websocket::CloseCode>, registration: Registration) {
        let Session { client, candidate, commands, link_end, upstream, outbox, settings, .. } = self;
        // The upstream hears all that the client said (its DISCONNECT, say), and of the end before the client does, as
        // does whoever waits for it on the link.
        upstream.finish().await;
        drop(link_end);
        if let Some(candidate) = candidate
            && ending != Ending::Cut
        {
            tokio::spawn(candidate.connection.close(None));
        }
        match client {
            Client::Websocket(mut connection) => {
                drop(registration);
                if ending == Ending::Held || (ending == Ending::Gone && settings.faults.has(Fault::IgnoresCloseFrame)) {
                    tokio::spawn(connection.hold());
                } else if ending != Ending::Cut {
                    outbox.into_iter().for_each(|packet| connection.push(packet));
                    connection.close(code).await;
                }
            }
            Client::Polling { pending } => end_polling(ending, pending, outbox, commands, registration).await,
        }
    }
}

/// Tells the client of a polling session that it has ended.
async fn end_polling(
    ending: Ending,
    pending: Option<oneshot::Sender<PollAnswer>>,
    mut outbox: Vec<Packet>,
    commands: mpsc::Receiver<Command>,
    registration: Registration,
) {
    let answer = match ending {
        Ending::Close if pending.is_none() => return linger(outbox, commands, registration).await,
        Ending::Close => {
            outbox.push(Packet::Close);
            PollAnswer::Payload(encode_payload(&outbox))
        }
        Ending::Error => PollAnswer::Payload(encode_payload(&[Packet::Close])),
        Ending::ClosedByClient => PollAnswer::Payload(encode_payload(&[Packet::Noop])),
        Ending::Gone | Ending::Cut => PollAnswer::Cut,
        Ending::Held => {
            drop(registration);
            return hold(pending).await;
        }
    };
    // Unknown first, so that the client that has its answer finds it so.
    drop(registration);
    if let Some(poll) = pending {
        let _ = poll.send(answer);
    }
}

/// Leaves a poll without an answer until its client is tired of it.
async fn hold(poll: Option<oneshot::Sender<PollAnswer>>) {
    if let Some(mut poll) = poll {
        let _ = time::timeout(websocket::HANG_FOR, poll.closed()).await;
    }
}

/// Waits for the next poll to say that the session is closed, as Node does: a noop and a close.
async fn linger(mut outbox: Vec<Packet>, mut commands: mpsc::Receiver<Command>, registration: Registration) {
    if outbox.is_empty() {
        outbox.push(Packet::Noop);
    }
    outbox.push(Packet::Close);
    let until = time::Instant::now() + LINGER_FOR;
    while let Ok(Some(command)) = time::timeout_at(until, commands.recv()).await {
        match command {
            Command::Poll(answer) => {
                drop(registration);
                let _ = answer.send(PollAnswer::Payload(encode_payload(&outbox)));
                return;
            }
            Command::Post(_, done) => drop(done.send(())),
            Command::Upgrade(connection) => drop(tokio::spawn(connection.close(None))),
            Command::Fail => return,
        }
    }
}
