//! An Engine.IO session: open packet, heartbeat, packets in and out, over either transport.
//!
//! A session's own task reads, answers heartbeats and writes, so that a check which waits on one client does not let
//! another one's session die.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use reqwest::{Method, header::HeaderMap};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, timeout_at},
};

use super::{
    Endpoint, EnginePacket, Frame, Handshake, HttpResponse, Transport, Upgrade, WebSocket, WireError, engine,
    held::{Part, weight},
    response::MAX_BODY,
    websocket::MAX_MESSAGE,
};
use crate::message::{Message, excerpt};

/// Packets, and bytes, that a check has not taken yet; a target that sends more is cut off.
const MAX_PENDING: usize = 20_000;
const MAX_PENDING_BYTES: usize = 32 << 20;
/// Polls in a row that may be answered at once and with nothing.
const MAX_EMPTY_POLLS: usize = 1_000;
/// Packets that go into one POST at the most.
const MAX_BATCH: usize = 500;
/// How [`WireError::Closed`] tells that a session was ended by its server, and not by a connection that was cut.
pub const CLOSE_PACKET: &str = "by an Engine.IO close packet";

/// The polling transport of one session, request by request, for checks that look at each.
#[derive(Clone)]
pub struct Polling {
    endpoint: Endpoint,
    sid: String,
}

impl Polling {
    /// Continues the session `sid`.
    pub fn new(endpoint: &Endpoint, sid: &str) -> Polling {
        Polling { endpoint: endpoint.clone(), sid: sid.to_owned() }
    }

    async fn ask(
        &self,
        method: Method,
        headers: HeaderMap,
        body: Option<Bytes>,
        deadline: Duration,
    ) -> Result<HttpResponse, WireError> {
        let url = self.endpoint.engine_url(Transport::Polling, Some(&self.sid));
        self.endpoint.send(method, url, headers, body, deadline).await
    }

    /// One GET, answered within `deadline`.
    ///
    /// # Errors
    /// As [`Endpoint::send`].
    pub async fn get(&self, deadline: Duration) -> Result<HttpResponse, WireError> {
        self.ask(Method::GET, HeaderMap::new(), None, deadline).await
    }

    /// One GET and the packets of its payload.
    ///
    /// # Errors
    /// As [`Endpoint::send`]; [`WireError::Status`] when the status is not 200, [`WireError::Malformed`] when the body
    /// is no payload.
    pub async fn poll(&self, deadline: Duration) -> Result<Vec<EnginePacket>, WireError> {
        let response = self.get(deadline).await?;
        if response.status != 200 {
            return Err(WireError::Status { method: "GET", response: Box::new(response) });
        }
        if response.is_cut {
            return Err(WireError::Cut(say!(
                "the target answered a poll with more than {count} bytes",
                count = MAX_BODY
            )));
        }
        engine::decode_payload(&response.text()).map_err(WireError::Malformed)
    }

    /// One POST of a payload as it stands.
    ///
    /// # Errors
    /// As [`Endpoint::send`].
    pub async fn post(&self, payload: String) -> Result<HttpResponse, WireError> {
        let headers = Endpoint::content_type("text/plain;charset=UTF-8");
        self.ask(Method::POST, headers, Some(Bytes::from(payload)), self.endpoint.deadline()).await
    }

    /// One POST of packets, which must be answered by a success. The protocol has 200, and clients insist on it;
    /// `engine.post-ok` judges that, so that nothing else stumbles over it.
    ///
    /// # Errors
    /// As [`Polling::post`]; [`WireError::Status`] when the status is not 2xx.
    pub async fn push(&self, packets: &[EnginePacket]) -> Result<(), WireError> {
        self.push_raw(engine::encode_payload(packets)).await
    }

    async fn push_raw(&self, payload: String) -> Result<(), WireError> {
        let response = self.post(payload).await?;
        if (200..300).contains(&response.status) {
            return Ok(());
        }
        Err(WireError::Status { method: "POST", response: Box::new(response) })
    }
}

enum Command {
    Send(EnginePacket),
    /// The answer to a heartbeat that was read at that instant.
    Pong(String, Instant),
    /// A text as it stands, whether or not it is a packet.
    Raw(String),
    Close(oneshot::Sender<()>),
}

/// What a session does with the heartbeats of its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heartbeats {
    /// Each is answered at once, as by every client.
    Answered,
    /// None is answered, as by a client that is gone without its connection's end being noticed.
    Ignored,
}

/// An open Engine.IO session. Dropping it drops its connections, as a lost network would.
pub struct Session {
    /// The transport in use.
    pub transport: Transport,
    /// What the server said on opening.
    pub handshake: Handshake,
    incoming: mpsc::Receiver<Result<EnginePacket, WireError>>,
    pending: Arc<AtomicUsize>,
    binary_as_text: Arc<AtomicBool>,
    ended: Option<WireError>,
    outgoing: mpsc::UnboundedSender<Command>,
    // Counted as long as somebody may keep what was received.
    _held: Arc<Part>,
    // Aborted on drop.
    _tasks: JoinSet<()>,
}

impl Session {
    /// Opens a session over `transport`.
    ///
    /// # Errors
    /// Whatever keeps the handshake from completing, as [`WireError`].
    pub async fn open(endpoint: &Endpoint, transport: Transport) -> Result<Session, WireError> {
        Session::open_with(endpoint, transport, Heartbeats::Answered).await
    }

    /// As [`Session::open`], with heartbeats dealt with in that way.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub async fn open_with(
        endpoint: &Endpoint,
        transport: Transport,
        heartbeats: Heartbeats,
    ) -> Result<Session, WireError> {
        match transport {
            Transport::Polling => {
                let (handshake, early) = Session::polling_handshake(endpoint).await?;
                let polling = Polling::new(endpoint, &handshake.sid);
                Ok(Session::over_polling_with(polling, handshake, early, heartbeats))
            }
            Transport::WebSocket => {
                let (socket, handshake) = Session::websocket_handshake(endpoint).await?;
                Ok(Session::over_websocket_with(socket, handshake, heartbeats))
            }
        }
    }

    /// The polling handshake alone: the open packet, and packets that came in the same payload.
    ///
    /// # Errors
    /// As [`Endpoint::send`]; [`WireError::Status`] and [`WireError::Malformed`] when the answer is no open packet.
    pub async fn polling_handshake(endpoint: &Endpoint) -> Result<(Handshake, Vec<EnginePacket>), WireError> {
        let response = endpoint.get(endpoint.engine_url(Transport::Polling, None)).await?;
        if response.status != 200 {
            return Err(WireError::Status { method: "GET", response: Box::new(response) });
        }
        let mut packets: VecDeque<_> =
            engine::decode_payload(&response.text()).map_err(|_| not_open(&response))?.into();
        match packets.pop_front() {
            Some(EnginePacket::Open(data)) => {
                Ok((Handshake::parse(&data).map_err(WireError::Malformed)?, packets.into()))
            }
            _ => Err(not_open(&response)),
        }
    }

    /// The WebSocket handshake alone: the open connection and the open packet.
    ///
    /// # Errors
    /// As [`WebSocket::open`]; [`WireError::Status`] for a refusal, [`WireError::Timeout`] for 101 and then silence,
    /// [`WireError::Malformed`] when what comes first is no open packet.
    pub async fn websocket_handshake(endpoint: &Endpoint) -> Result<(WebSocket, Handshake), WireError> {
        Session::websocket_handshake_with(endpoint, HeaderMap::new()).await
    }

    /// As [`Session::websocket_handshake`], with these headers beside those that every upgrade has.
    ///
    /// # Errors
    /// As [`Session::websocket_handshake`].
    pub async fn websocket_handshake_with(
        endpoint: &Endpoint,
        headers: HeaderMap,
    ) -> Result<(WebSocket, Handshake), WireError> {
        let url = endpoint.engine_url(Transport::WebSocket, None);
        let mut socket = match WebSocket::open(endpoint, url, headers).await? {
            Upgrade::Accepted(socket) => socket,
            Upgrade::Refused(response) => {
                return Err(WireError::Status { method: "the upgrade", response: Box::new(response) });
            }
        };
        let after = endpoint.deadline();
        match socket.receive(after).await {
            Ok(Frame::Text(text)) => match EnginePacket::decode(&text) {
                Ok(EnginePacket::Open(data)) => Ok((socket, Handshake::parse(&data).map_err(WireError::Malformed)?)),
                _ => Err(not_open(excerpt(&text, 200))),
            },
            Ok(Frame::Binary(data)) => Err(not_open(say!("{count} binary bytes", count = data.len()))),
            Ok(Frame::TooLarge) => Err(too_large()),
            Ok(Frame::Closed(how)) => {
                Err(WireError::Closed(say!("after 101 and before the open packet, by {how}", how)))
            }
            Err(_) => Err(WireError::Timeout { what: "open packet after 101", after }),
        }
    }

    /// Goes on with an opened polling session. `early` is what came along with the open packet.
    pub fn over_polling(polling: Polling, handshake: Handshake, early: Vec<EnginePacket>) -> Session {
        Session::over_polling_with(polling, handshake, early, Heartbeats::Answered)
    }

    fn over_polling_with(
        polling: Polling,
        handshake: Handshake,
        early: Vec<EnginePacket>,
        heartbeats: Heartbeats,
    ) -> Session {
        let (inbox, incoming, pending) = inbox(&polling.endpoint);
        let inbox = Arc::new(inbox);
        let held = Arc::clone(&inbox.held);
        let (outgoing, commands) = mpsc::unbounded_channel();
        let patience = handshake.ping_interval() + handshake.ping_timeout() + polling.endpoint.deadline();
        let mut tasks = JoinSet::new();
        let pongs = (heartbeats == Heartbeats::Answered).then(|| outgoing.clone());
        // The poll's task alone keeps the inbox, so that its end is the inbox's, whatever is still to be sent.
        tasks.spawn(post_loop(polling.clone(), commands, Arc::downgrade(&inbox)));
        tasks.spawn(poll_loop(polling, early, patience, inbox, pongs));
        let binary_as_text = Arc::default();
        let (transport, ended) = (Transport::Polling, None);
        Session { transport, handshake, incoming, pending, binary_as_text, ended, outgoing, _held: held, _tasks: tasks }
    }

    /// Goes on with an opened (or upgraded) WebSocket.
    pub fn over_websocket(socket: WebSocket, handshake: Handshake) -> Session {
        Session::over_websocket_with(socket, handshake, Heartbeats::Answered)
    }

    fn over_websocket_with(socket: WebSocket, handshake: Handshake, heartbeats: Heartbeats) -> Session {
        let (inbox, incoming, pending) = inbox(socket.endpoint());
        let inbox = Arc::new(inbox);
        let held = Arc::clone(&inbox.held);
        let (outgoing, commands) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        let binary_as_text = Arc::new(AtomicBool::new(false));
        tasks.spawn(websocket_loop(socket, commands, inbox, heartbeats, Arc::clone(&binary_as_text)));
        let (transport, ended) = (Transport::WebSocket, None);
        Session { transport, handshake, incoming, pending, binary_as_text, ended, outgoing, _held: held, _tasks: tasks }
    }

    /// Whether binary data came as text (`b…`) on WebSocket, where it is a frame of its own kind. It is taken all the same,
    /// as Socket.IO's own clients take it.
    pub fn had_binary_as_text(&self) -> bool {
        self.binary_as_text.load(Ordering::Relaxed)
    }

    /// Queues a packet. That it could not be sent shows as the session's end in [`Session::next`].
    pub fn send(&self, packet: EnginePacket) {
        // A closed channel means that the session ended, and the reader will hear why.
        let _ = self.outgoing.send(Command::Send(packet));
    }

    /// Queues a text as it stands: a WebSocket text frame, or a packet of a POST.
    pub fn send_raw(&self, text: impl Into<String>) {
        let _ = self.outgoing.send(Command::Raw(text.into()));
    }

    /// The next packet other than noop before `deadline`; heartbeats are shown here after they were answered.
    ///
    /// # Errors
    /// [`WireError::Timeout`] with `what`, or the reason of the session's end, then and for ever after.
    pub async fn next(&mut self, what: &'static str, deadline: Instant) -> Result<EnginePacket, WireError> {
        if let Some(ended) = &self.ended {
            return Err(ended.clone());
        }
        let begun = Instant::now();
        // Looked at first: a target that never stops sending would else keep the wait from ever ending.
        if begun >= deadline {
            return Err(WireError::Timeout { what, after: Duration::ZERO });
        }
        match timeout_at(deadline, self.incoming.recv()).await {
            Ok(Some(Ok(packet))) => {
                self.pending.fetch_sub(packet.len(), Ordering::Relaxed);
                Ok(packet)
            }
            Ok(Some(Err(error))) => {
                self.ended = Some(error.clone());
                Err(error)
            }
            Ok(None) => Err(WireError::Cut("the target sends more than is taken".into())),
            Err(_) => Err(WireError::Timeout { what, after: deadline.saturating_duration_since(begun) }),
        }
    }

    /// Ends the session as a well-behaved client does (`1` on polling, close frame on WebSocket) and waits until the
    /// target has taken note, at most `patience`.
    pub async fn close(mut self, patience: Duration) {
        let (done, closed) = oneshot::channel();
        let _ = self.outgoing.send(Command::Close(done));
        let deadline = Instant::now() + patience;
        let _ = timeout_at(deadline, closed).await;
        while self.transport == Transport::WebSocket && self.next("end", deadline).await.is_ok() {}
    }
}

fn too_large() -> WireError {
    WireError::Cut(say!("the target sent a message of more than {count} bytes", count = MAX_MESSAGE))
}

fn not_open(got: impl Into<Message>) -> WireError {
    WireError::Malformed(say!("no open packet but {got}", got = got.into()))
}

/// Where a session's task puts what arrives.
struct Inbox {
    packets: mpsc::Sender<Result<EnginePacket, WireError>>,
    pending: Arc<AtomicUsize>,
    held: Arc<Part>,
}

fn inbox(endpoint: &Endpoint) -> (Inbox, mpsc::Receiver<Result<EnginePacket, WireError>>, Arc<AtomicUsize>) {
    let (packets, incoming) = mpsc::channel(MAX_PENDING);
    let pending = Arc::new(AtomicUsize::new(0));
    let held = Arc::new(endpoint.held());
    (Inbox { packets, pending: Arc::clone(&pending), held }, incoming, pending)
}

impl Inbox {
    /// Hands a packet to the check; false when the session is over.
    fn deliver(&self, packet: EnginePacket) -> bool {
        match packet {
            EnginePacket::Noop => true,
            EnginePacket::Close => {
                self.end(WireError::Closed(CLOSE_PACKET.into()));
                false
            }
            packet => {
                if let Err(too_much) = self.held.add(weight(&packet)) {
                    self.end(too_much);
                    return false;
                }
                let pending = self.pending.fetch_add(packet.len(), Ordering::Relaxed) + packet.len();
                pending <= MAX_PENDING_BYTES && self.packets.try_send(Ok(packet)).is_ok()
            }
        }
    }

    fn end(&self, why: WireError) {
        let _ = self.packets.try_send(Err(why));
    }
}

async fn poll_loop(
    polling: Polling,
    early: Vec<EnginePacket>,
    patience: Duration,
    inbox: Arc<Inbox>,
    pongs: Option<mpsc::UnboundedSender<Command>>,
) {
    let mut batch = early;
    let mut empty = 0;
    loop {
        empty = if batch.iter().all(|packet| *packet == EnginePacket::Noop) { empty + 1 } else { 0 };
        if empty > MAX_EMPTY_POLLS {
            return inbox.end(WireError::Malformed(say!(
                "{count} polls in a row were answered with nothing",
                count = MAX_EMPTY_POLLS
            )));
        }
        for packet in batch {
            if let (EnginePacket::Ping(data), Some(outgoing)) = (&packet, &pongs) {
                let _ = outgoing.send(Command::Pong(data.clone(), Instant::now()));
            }
            if !inbox.deliver(packet) {
                return;
            }
        }
        batch = match polling.poll(patience).await {
            Ok(batch) => batch,
            Err(error) => {
                inbox.end(error);
                return;
            }
        };
    }
}

async fn post_loop(polling: Polling, mut commands: mpsc::UnboundedReceiver<Command>, inbox: Weak<Inbox>) {
    while let Some(command) = commands.recv().await {
        let mut batch = Vec::new();
        let mut next = Some(command);
        let mut close = None;
        // What has gathered meanwhile goes into one POST, as clients do.
        while let Some(command) = next {
            match command {
                Command::Send(packet) => batch.push(packet.encode()),
                Command::Pong(data, read) => {
                    polling.endpoint.pong_waited(read);
                    batch.push(EnginePacket::Pong(data).encode());
                }
                Command::Raw(text) => batch.push(text),
                Command::Close(done) => {
                    batch.push(EnginePacket::Close.encode());
                    close = Some(done);
                }
            }
            next = if close.is_some() || batch.len() >= MAX_BATCH { None } else { commands.try_recv().ok() };
        }
        let sent = polling.push_raw(batch.join("\u{1e}")).await;
        if let (Err(error), Some(inbox)) = (sent, inbox.upgrade()) {
            inbox.end(error);
        }
        if let Some(done) = close {
            let _ = done.send(());
            return;
        }
    }
}

async fn websocket_loop(
    mut socket: WebSocket,
    mut commands: mpsc::UnboundedReceiver<Command>,
    inbox: Arc<Inbox>,
    heartbeats: Heartbeats,
    binary_as_text: Arc<AtomicBool>,
) {
    loop {
        let sent = tokio::select! {
            frame = socket.receive_unbounded() => match frame {
                Frame::Text(text) => match EnginePacket::decode(&text) {
                    Ok(EnginePacket::Ping(data)) if heartbeats == Heartbeats::Answered => {
                        let read = Instant::now();
                        let sent = socket.send_packet(&EnginePacket::Pong(data.clone())).await;
                        socket.endpoint().pong_waited(read);
                        if inbox.deliver(EnginePacket::Ping(data)) { sent } else { return }
                    }
                    Ok(packet) => {
                        // Before it is delivered, so that whoever has it knows.
                        if matches!(packet, EnginePacket::Binary(_)) {
                            binary_as_text.store(true, Ordering::Relaxed);
                        }
                        if inbox.deliver(packet) { Ok(()) } else { return }
                    }
                    Err(error) => Err(WireError::Malformed(error)),
                },
                Frame::Binary(data) => if inbox.deliver(EnginePacket::Binary(data)) { Ok(()) } else { return },
                Frame::TooLarge => Err(too_large()),
                Frame::Closed(how) => Err(WireError::Closed(how)),
            },
            command = commands.recv() => match command {
                Some(Command::Send(packet)) => socket.send_packet(&packet).await,
                // WebSocket's own loop answers heartbeats where it reads them.
                Some(Command::Pong(data, _)) => socket.send_packet(&EnginePacket::Pong(data)).await,
                Some(Command::Raw(text)) => socket.send_text(&text).await,
                Some(Command::Close(done)) => {
                    let sent = socket.send_close().await;
                    let _ = done.send(());
                    sent
                }
                None => return,
            },
        };
        if let Err(error) = sent {
            inbox.end(error);
            return;
        }
    }
}
