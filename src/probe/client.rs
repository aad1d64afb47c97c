//! A Socket.IO client, as a check drives it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use serde_json::Value;
use tokio::time::Instant;

use super::{Probe, Served, Stop, Tokens, bytes_as_text};
use crate::{
    contract::{Emit, Expect, Vars},
    message::{Message, excerpt},
    wire::{
        Carried, Direction, Endpoint, EnginePacket, Handshake, Heartbeats, HttpResponse, Session, SocketPacket,
        Transport, WireError, socket::Kind,
    },
};

/// What came of a CONNECT.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A CONNECT reply.
    Connected(SocketPacket),
    /// A CONNECT_ERROR.
    Refused(SocketPacket),
    /// The target closed the connection, on which it had answered something before.
    Closed(End),
    /// The connection ended, and nothing was ever answered on it: that is no answer to the CONNECT.
    Cut(Message),
    /// The handshake that carried the token was refused, where one with a valid token was not.
    Shut(Box<HttpResponse>),
    /// Nothing, within the time given.
    Silence(Duration),
}

spoken!(Answer, End, Life, Disorder);

impl Answer {
    /// What came of it, in words.
    pub fn message(&self) -> Message {
        match self {
            Answer::Connected(packet) => say!("CONNECT was accepted: {packet}", packet = packet.shown()),
            Answer::Refused(packet) => say!("CONNECT was refused: {packet}", packet = packet.shown()),
            Answer::Closed(End(how)) | Answer::Cut(how) => {
                say!("CONNECT was answered by the end of the connection ({how})", how)
            }
            Answer::Shut(response) => say!("the handshake was refused: {response}", response),
            Answer::Silence(after) => say!("CONNECT got no answer within {after}", after),
        }
    }
}

/// How a connection ended on which the target had answered something before. Only the probe makes it, so that no check takes
/// the end of a connection that was never served for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End(Message);

impl End {
    pub(super) fn new(how: Message) -> End {
        End(how)
    }

    /// How it ended, in words.
    pub fn message(&self) -> Message {
        self.0.clone()
    }
}

/// How a connection stands after something was sent on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Life {
    /// It goes on.
    Open,
    /// The target ended it. Close frame, `1`, end of stream, reset and 400 are all lawful ways; 404
    /// and 410 say as much.
    Closed(End),
}

impl Life {
    /// How it stands, in words.
    pub fn message(&self) -> Message {
        match self {
            Life::Open => "the connection stays open".into(),
            Life::Closed(how) => say!("the connection is closed ({how})", how),
        }
    }
}

/// How binary data of the target came against the protocol. Socket.IO's own clients end the connection for all but the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disorder {
    /// Binary data that no packet announced.
    Unannounced(Transport, Bytes),
    /// A text packet where so many attachments were still to come.
    Interrupted(Transport, usize, String),
    /// Binary data as text on WebSocket.
    AsText(Bytes),
}

impl Disorder {
    /// What came, in words.
    pub fn message(&self) -> Message {
        match self {
            Disorder::Unannounced(over, data) => {
                let data = bytes_as_text(data);
                say!("over {over}, binary data came that no packet announced: {data}", over, data)
            }
            Disorder::Interrupted(over, missing, text) => say!(
                "over {over}, 4{text} came where {missing} of the announced attachments were missing",
                over,
                text = excerpt(text, 200),
                missing
            ),
            Disorder::AsText(data) => say!(
                "over WebSocket, binary data came as a text frame: {data}",
                data = excerpt(&EnginePacket::Binary(data.clone()).encode(), 200)
            ),
        }
    }
}

/// A client with an open session, connected to the contract's namespace or not. Everything it hears stays in its inbox.
pub struct Client {
    session: Session,
    /// How it deals with heartbeats.
    heartbeat: Heartbeats,
    tokens: Tokens,
    namespace: String,
    inbox: Vec<SocketPacket>,
    attachments: Vec<Bytes>,
    /// Attachments that were announced and have not come yet.
    announced: usize,
    disorder: Arc<Mutex<Option<Disorder>>>,
    deadline: Duration,
    /// How long the answer to a CONNECT may take: what ends a connection without one later than that may be the server's own
    /// patience with clients that are not connected.
    connect_deadline: Duration,
    quiet_window: Duration,
    endpoint: Endpoint,
    notes: Vec<Message>,
    heartbeats: usize,
    /// Bytes that came in packets.
    heard: usize,
    /// Whether the target answers a fence: then a connection is alive as long as it does.
    has_fences: bool,
    /// Whether other nodes send to this client, too.
    has_several_nodes: bool,
    /// Whether the target answered anything on this connection, so that its end can be an answer.
    answered: bool,
}

/// Whether a packet answers a CONNECT, and is not the CONNECT itself come back: a reply has a `sid`.
fn is_word_of_its_own(packet: &SocketPacket) -> bool {
    match packet.kind {
        Kind::ConnectError => true,
        Kind::Connect => packet.data.as_ref().is_some_and(|data| data.get("sid").is_some_and(Value::is_string)),
        _ => false,
    }
}

fn is_echo(packet: &SocketPacket, sent: &SocketPacket) -> bool {
    packet.kind == sent.kind && packet.data == sent.data
}

/// How long what one node sends may be on its way to another's clients. A message takes a few milliseconds by Redis, and some
/// tens by a database.
pub const BETWEEN_NODES: Duration = Duration::from_millis(250);

/// Packets that a client keeps; a target that sends more is cut off.
const MAX_INBOX: usize = 20_000;
/// Bytes that a client keeps.
const MAX_HEARD: usize = 32 << 20;

impl Client {
    pub(super) fn new(endpoint: Endpoint, session: Session, heartbeat: Heartbeats, probe: &Probe) -> Client {
        Client {
            session,
            heartbeat,
            tokens: probe.tokens().clone(),
            namespace: probe.contract().namespace.clone(),
            inbox: Vec::new(),
            attachments: Vec::new(),
            announced: 0,
            disorder: Arc::clone(&probe.disorder),
            deadline: endpoint.deadline(),
            connect_deadline: endpoint.deadline().min(probe.unconnected_deadline()),
            quiet_window: probe.target().quiet_window(),
            endpoint,
            notes: Vec::new(),
            heartbeats: 0,
            heard: 0,
            has_fences: probe.target().answers_fences,
            has_several_nodes: !probe.contract().nodes.is_empty(),
            answered: false,
        }
    }

    /// The client's name in the transcript.
    pub fn label(&self) -> &str {
        self.endpoint.label()
    }

    /// The transport it uses.
    pub fn transport(&self) -> Transport {
        self.session.transport
    }

    /// Its Engine.IO session id.
    pub fn engine_sid(&self) -> &str {
        &self.session.handshake.sid
    }

    /// Sends a packet as it stands.
    pub fn send(&self, packet: &SocketPacket) {
        self.session.send(EnginePacket::Message(packet.encode()));
    }

    /// Sends a text as it stands: a WebSocket text frame, or a packet of a POST.
    pub fn send_raw(&self, text: impl Into<String>) {
        self.session.send_raw(text);
    }

    /// Sends a binary attachment.
    pub fn send_binary(&self, data: impl Into<Bytes>) {
        self.session.send(EnginePacket::Binary(data.into()));
    }

    /// The binary attachments that came so far, oldest first.
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// How many heartbeats came so far.
    pub fn heartbeats(&self) -> usize {
        self.heartbeats
    }

    /// What the server said on opening.
    pub fn handshake(&self) -> &Handshake {
        &self.session.handshake
    }

    /// Sends a declared event.
    pub fn emit(&self, emit: &Emit, vars: &Vars) {
        let (event, args) = emit.render(vars);
        self.send(&SocketPacket::event(&self.namespace, &event, &args));
    }

    /// Sends CONNECT with these credentials and waits for what comes of it. Where requests carry the token, and this session's
    /// have carried another one, it is done on a new session.
    ///
    /// # Errors
    /// [`Stop::Broken`] when the network, not the target, ends the exchange.
    pub async fn connect(&mut self, credentials: Option<Value>) -> Result<Answer, Stop> {
        let (carried, payload) = self.tokens.part(credentials);
        if carried.as_ref() != self.endpoint.carried()
            && let Some(refusal) = self.reopen(carried).await?
        {
            return Ok(refusal);
        }
        self.connect_here(payload).await
    }

    /// Goes on with a new session, whose requests carry that token. Gives the refusal, where it is refused.
    async fn reopen(&mut self, carried: Option<Carried>) -> Result<Option<Answer>, Stop> {
        let endpoint = self.endpoint.labelled(self.endpoint.label()).carrying(carried);
        let session = match Session::open_with(&endpoint, self.transport(), self.heartbeat).await {
            Ok(session) => session,
            // How handshakes are refused for what they carry: the first three by applications, the others for its length.
            Err(WireError::Status { response, .. }) if matches!(response.status, 400 | 401 | 403 | 413 | 414 | 431) => {
                return Ok(Some(Answer::Shut(response)));
            }
            Err(error) => return Err(self.broken(&error)),
        };
        (self.endpoint, self.announced) = (endpoint, 0);
        std::mem::replace(&mut self.session, session).close(self.deadline).await;
        if self.answered && self.has_fences {
            self.answered = false;
            if let Err(error) = self.question(None).await {
                return Ok(Some(Answer::Cut(error.message())));
            }
        }
        Ok(None)
    }

    /// Sends CONNECT with `payload` on this very session and waits for what comes of it.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub async fn connect_here(&mut self, payload: Option<Value>) -> Result<Answer, Stop> {
        let from = self.mark();
        let sent = SocketPacket::connect(&self.namespace, payload);
        self.send(&sent);
        let namespace = self.namespace.clone();
        let is_answer = |packet: &SocketPacket| {
            packet.namespace == namespace && matches!(packet.kind, Kind::Connect | Kind::ConnectError)
        };
        match self.wait("answer to CONNECT", from, Instant::now() + self.connect_deadline, is_answer).await {
            // A guest's CONNECT has nothing to know it by.
            Ok(packet) if sent.data.is_some() && is_echo(&packet, &sent) => {
                Err(self.broken(&WireError::Malformed("what is sent comes back as it is".into())))
            }
            Ok(packet) if packet.kind == Kind::Connect => Ok(Answer::Connected(packet)),
            Ok(packet) => Ok(Answer::Refused(packet)),
            Err(WireError::Timeout { after, .. }) => Ok(Answer::Silence(after)),
            Err(WireError::Closed(how)) => Ok(self.closed_on_connect(how)),
            // Any other status is another's word, such as a proxy's.
            Err(error @ WireError::Status { .. }) if error.misses_session() => Ok(self.closed_on_connect(say!(
                "{error}; where there are several nodes, all requests of a session must reach the same one",
                error
            ))),
            Err(error) => Err(self.broken(&error)),
        }
    }

    fn closed_on_connect(&self, how: Message) -> Answer {
        if self.answered { Answer::Closed(End::new(how)) } else { Answer::Cut(how) }
    }

    /// Whether the target answered anything on this connection.
    pub fn is_answered(&self) -> bool {
        self.answered
    }

    /// Takes the run's control for an answer on this connection.
    pub fn vouch(&mut self, _: Served) {
        self.answered = true;
    }

    /// Waits until the target ends the connection, at most for `within`.
    ///
    /// # Errors
    /// [`Stop::Broken`] when the network or a proxy, not the target, ends the exchange.
    pub async fn wait_end(&mut self, within: Duration) -> Result<Life, Stop> {
        match self.watch(Instant::now() + within).await {
            WireError::Timeout { .. } => Ok(Life::Open),
            error => self.ended_by(error),
        }
    }

    /// As [`Client::wait_end`], where only the end of the connection counts: a DISCONNECT (`41`) leaves it open.
    ///
    /// # Errors
    /// As [`Client::wait_end`].
    pub async fn wait_close(&mut self, within: Duration) -> Result<Life, Stop> {
        let until = Instant::now() + within;
        loop {
            let mark = self.mark();
            match self.watch(until).await {
                WireError::Timeout { .. } => {
                    self.show_life().await;
                    return Ok(Life::Open);
                }
                WireError::Closed(_) if self.mark() > mark && self.is_sent_away() => {}
                error => return self.ended_by(error),
            }
        }
    }

    /// Has a connection that did not end in time show that it is open. One that answers nothing either may be late to end, as
    /// all else on it is.
    pub async fn show_life(&mut self) {
        if !self.has_fences || self.cross_fence().await.is_err() {
            self.endpoint.note_silence();
        }
    }

    /// Whether the connection still works: a fence, where its end is an answer and not a fault of the exchange.
    ///
    /// # Errors
    /// As [`Client::wait_end`].
    pub async fn life(&mut self) -> Result<Life, Stop> {
        match self.cross_fence().await {
            Ok(()) if !self.has_fences => Err(Stop::Broken(
                "the target answers no CONNECT to an unknown namespace, so nothing tells whether a connection lives on (see \
                 socket.unknown-namespace)"
                    .into(),
            )),
            Ok(()) => Ok(Life::Open),
            Err(WireError::Timeout { .. }) => Ok(Life::Closed(End::new(
                "effectively: a CONNECT to an unknown namespace was answered on it before, but no longer is".into(),
            ))),
            Err(error) => self.ended_by(error),
        }
    }

    /// The lawful ends of a connection, all in one place.
    ///
    /// # Errors
    /// [`Stop::Broken`] when `error` is no such end, but the network's or a proxy's doing, and when nothing was ever
    /// answered on the connection: then its end is no answer to what was sent.
    pub fn ended_by(&self, error: WireError) -> Result<Life, Stop> {
        match error {
            WireError::Closed(how) if self.answered => Ok(Life::Closed(End::new(how))),
            error if self.answered && error.misses_session() => Ok(Life::Closed(End::new(error.message()))),
            error => Err(self.broken(&error)),
        }
    }

    /// The next Engine.IO packet other than noop; heartbeats are shown after they were answered. Socket.IO packets go to
    /// the inbox as well.
    ///
    /// # Errors
    /// As [`Client::wait`].
    pub async fn next_packet(&mut self, what: &'static str, deadline: Instant) -> Result<EnginePacket, WireError> {
        if self.inbox.len() + self.attachments.len() >= MAX_INBOX {
            return Err(WireError::Cut(say!("the target sent more than {count} packets", count = MAX_INBOX)));
        }
        let packet = self.session.next(what, deadline).await?;
        self.heard += packet.len();
        if self.heard > MAX_HEARD {
            return Err(WireError::Cut(say!("the target sent more than {count} bytes", count = MAX_HEARD)));
        }
        match &packet {
            EnginePacket::Message(text) => {
                let missing = std::mem::take(&mut self.announced);
                if missing > 0 {
                    return Err(self.disordered(&Disorder::Interrupted(self.transport(), missing, text.clone())));
                }
                let packet = SocketPacket::decode(text).map_err(|error| match error {
                    WireError::Malformed(why) => {
                        WireError::Malformed(say!("the target sent a packet that is no Socket.IO: {why}", why))
                    }
                    error => error,
                })?;
                self.answered |= is_word_of_its_own(&packet);
                self.announced = packet.attachments;
                self.inbox.push(packet);
                self.look_for_disconnect()?;
            }
            EnginePacket::Binary(data) => {
                if self.announced == 0 {
                    return Err(self.disordered(&Disorder::Unannounced(self.transport(), data.clone())));
                }
                if self.session.had_binary_as_text() {
                    self.note_disorder(&Disorder::AsText(data.clone()));
                }
                self.announced -= 1;
                self.attachments.push(data.clone());
            }
            EnginePacket::Ping(_) => self.heartbeats += 1,
            _ => {}
        }
        Ok(packet)
    }

    /// Takes note of it for `socket.binary-from-server`.
    fn note_disorder(&self, how: &Disorder) {
        self.disorder.lock().expect("no check panics while it notes").get_or_insert_with(|| how.clone());
    }

    /// As [`Client::note_disorder`], where nothing can be made of what comes after it.
    fn disordered(&self, how: &Disorder) -> WireError {
        self.note_disorder(how);
        WireError::Malformed(say!("{how} (see socket.binary-from-server)", how))
    }

    /// The place in the inbox where what comes from now on begins.
    pub fn mark(&self) -> usize {
        self.inbox.len()
    }

    /// What was heard since `mark`.
    pub fn since(&self, mark: usize) -> &[SocketPacket] {
        &self.inbox[mark.min(self.inbox.len())..]
    }

    /// The packets of the contract's namespace since `mark` that are the named event.
    pub fn events_since(&self, mark: usize, event: &str) -> Vec<SocketPacket> {
        let ours = |packet: &&SocketPacket| packet.namespace == self.namespace && packet.event_name() == Some(event);
        self.since(mark).iter().filter(ours).cloned().collect()
    }

    /// The events since `mark` that are as declared and carry our message.
    pub fn expected_since(&self, mark: usize, expect: &Expect, vars: &Vars) -> Vec<SocketPacket> {
        let mut events = self.events_since(mark, &expect.event);
        events.retain(|packet| expect.check(packet.event_args(), vars).is_ok());
        events
    }

    /// Waits for a packet that `wanted` holds for, among those since `from`, until `deadline`. That none came is noted, since it
    /// may have been late.
    ///
    /// # Errors
    /// [`WireError::Timeout`] with `what`, or the reason why the session ended.
    pub async fn wait(
        &mut self,
        what: &'static str,
        from: usize,
        deadline: Instant,
        wanted: impl Fn(&SocketPacket) -> bool,
    ) -> Result<SocketPacket, WireError> {
        let begun = Instant::now();
        let mut next = from;
        loop {
            while next < self.inbox.len() {
                if wanted(&self.inbox[next]) {
                    return Ok(self.inbox[next].clone());
                }
                next += 1;
            }
            match self.next_packet(what, deadline).await {
                Ok(_) => {}
                Err(WireError::Timeout { what, .. }) => {
                    self.endpoint.note_silence();
                    return Err(WireError::Timeout { what, after: begun.elapsed() });
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes in what comes until then, and wants none of it. Gives what ended that: the time ([`WireError::Timeout`]), or what
    /// ended the session.
    pub async fn watch(&mut self, until: Instant) -> WireError {
        loop {
            if let Err(error) = self.next_packet("end of the pause", until).await {
                return error;
            }
        }
    }

    /// What comes after a DISCONNECT of ours proves nothing: a client that was sent away hears nothing, whoever speaks.
    fn look_for_disconnect(&self) -> Result<(), WireError> {
        if self.is_sent_away() {
            return Err(WireError::Closed(
                "by a DISCONNECT (41) of the target, which ends its part in the namespace".into(),
            ));
        }
        Ok(())
    }

    /// Whether the last packet was a DISCONNECT from our namespace.
    fn is_sent_away(&self) -> bool {
        let last = self.inbox.last();
        last.is_some_and(|packet| packet.kind == Kind::Disconnect && packet.namespace == self.namespace)
    }

    /// Waits for the named event among what came since `from`. `None` when it does not come in time.
    ///
    /// # Errors
    /// [`Stop::Broken`] when the session ends meanwhile.
    pub async fn wait_event(&mut self, from: usize, event: &str) -> Result<Option<SocketPacket>, Stop> {
        let namespace = self.namespace.clone();
        self.wait_for(from, |packet| packet.namespace == namespace && packet.event_name() == Some(event)).await
    }

    /// Waits for an event as declared that carries our message. `None` when it does not come in time.
    ///
    /// # Errors
    /// [`Stop::Broken`] when the session ends meanwhile.
    pub async fn wait_expected(
        &mut self,
        from: usize,
        expect: &Expect,
        vars: &Vars,
    ) -> Result<Option<SocketPacket>, Stop> {
        let namespace = self.namespace.clone();
        self.wait_for(from, |packet| packet.namespace == namespace && super::is_expected(packet, expect, vars)).await
    }

    async fn wait_for(
        &mut self,
        from: usize,
        wanted: impl Fn(&SocketPacket) -> bool,
    ) -> Result<Option<SocketPacket>, Stop> {
        match self.wait("event", from, Instant::now() + self.deadline, wanted).await {
            Ok(packet) => Ok(Some(packet)),
            Err(WireError::Timeout { .. }) => Ok(None),
            Err(error) => Err(self.broken(&error)),
        }
    }

    /// Waits until the target has dealt with what this connection sent before now, where nothing follows from what did not
    /// come: as [`Client::fence`], but with several nodes no longer.
    ///
    /// # Errors
    /// As [`Client::fence`].
    pub async fn catch_up(&mut self) -> Result<(), Stop> {
        self.cross_fence().await.map_err(|error| self.broken(&error))
    }

    /// Waits until everything that the target sent on this connection before now has arrived.
    ///
    /// The fence is a CONNECT to a namespace that does not exist. The protocol has it answered, on every connection and
    /// whatever the application does, and the answer comes after what was sent before. A target that does not answer it
    /// is given a quiet window instead, which [`Client::take_notes`] tells of. So is, behind the fence, a deployment of several
    /// nodes: a fence orders what one node sends, and says nothing of what another one has sent on its way there.
    ///
    /// # Errors
    /// [`Stop::Broken`] when the connection is lost: silence on a dead connection proves nothing.
    pub async fn fence(&mut self) -> Result<(), Stop> {
        self.catch_up().await?;
        if self.has_several_nodes {
            let window = self.quiet_window.max(BETWEEN_NODES);
            self.notes.push(say!(
                "absence was judged by a fence and a quiet window of {time} after it: a fence guarantees order only \
                 for what one node sends",
                time = window
            ));
            self.listen(window).await?;
        }
        Ok(())
    }

    async fn cross_fence(&mut self) -> Result<(), WireError> {
        if self.has_fences { self.round_trip(None).await } else { self.quiet_window().await }
    }

    /// One exchange that asks nothing of the application: a CONNECT to a namespace that does not exist, with this payload,
    /// and the answer to it.
    ///
    /// # Errors
    /// As [`Client::wait`].
    pub async fn round_trip(&mut self, payload: Option<Value>) -> Result<(), WireError> {
        let answer = self.question(payload).await?;
        if answer.kind == Kind::Connect {
            // A dynamic namespace took us in; leave it as we found it.
            self.send(&SocketPacket::new(Kind::Disconnect, &answer.namespace));
        }
        Ok(())
    }

    /// As [`Client::round_trip`], without leaving where we were let in: nothing is sent that a server might close for.
    ///
    /// # Errors
    /// As [`Client::wait`].
    pub async fn question(&mut self, payload: Option<Value>) -> Result<SocketPacket, WireError> {
        let nowhere = format!("/siospec-fence-{:016x}", rand::random::<u64>());
        let from = self.mark();
        let sent = SocketPacket::connect(&nowhere, payload);
        self.send(&sent);
        let until = Instant::now() + self.deadline;
        // What comes back as it was sent is an echo, and no answer.
        let is_answer = |packet: &SocketPacket| packet.namespace == nowhere && !is_echo(packet, &sent);
        self.wait("answer to a CONNECT", from, until, is_answer).await
    }

    /// What stands in for a fence at a target that does not answer one.
    async fn quiet_window(&mut self) -> Result<(), WireError> {
        let window = self.quiet_window;
        self.notes.push(say!(
            "the target does not answer a CONNECT to an unknown namespace, so absence was judged by a quiet window of \
             {window}",
            window
        ));
        self.hear(self.quiet_window).await
    }

    /// Listens for `duration` without wanting anything.
    ///
    /// # Errors
    /// [`Stop::Broken`] when the session ends meanwhile.
    pub async fn listen(&mut self, duration: Duration) -> Result<(), Stop> {
        self.hear(duration).await.map_err(|error| self.broken(&error))
    }

    async fn hear(&mut self, duration: Duration) -> Result<(), WireError> {
        match self.watch(Instant::now() + duration).await {
            WireError::Timeout { .. } => Ok(()),
            error => Err(error),
        }
    }

    /// Hands over remarks about how this client judged absence.
    pub fn take_notes(&mut self, probe: &Probe) {
        for note in self.notes.drain(..) {
            probe.note(note);
        }
    }

    /// Drops the connection without a word, as a lost network does.
    pub fn drop_connection(self) {
        self.endpoint.record(Direction::Remark, "connection dropped by siospec");
    }

    /// Leaves as a well-behaved client: DISCONNECT, then the end of the session.
    pub async fn disconnect(self) {
        self.send(&SocketPacket::new(Kind::Disconnect, &self.namespace));
        self.session.close(self.deadline).await;
    }

    /// What becomes of a check whose client met that.
    pub fn broken(&self, error: &WireError) -> Stop {
        Stop::Broken(say!(
            "client {label} ({transport}): {error}",
            label = self.label().to_owned(),
            transport = self.transport(),
            error
        ))
    }
}
