//! Servers that look like Socket.IO at first, and then show nothing that could be judged: each is broken in one way, and
//! simple enough to be read at a glance.
//!
//! What is honest here is the least that Engine.IO and Socket.IO have: handshakes, polls, POSTs, WebSockets, and a refusal
//! of every CONNECT, since nobody holds a token. A mode replaces some of it.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Mutex as AsyncMutex, mpsc},
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, handshake::derive_accept_key, protocol::Role},
};

/// In which way a server is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Nothing: it refuses every CONNECT, which is its right. What passes here is what can pass anywhere.
    Honest,
    /// Every connection is closed after the handshake.
    ClosesAfterHandshake,
    /// Every connection is reset after the handshake.
    ResetsAfterHandshake,
    /// Every connection is closed when a CONNECT comes.
    ClosesAfterConnect,
    /// All but the polling handshake is answered by this status, with no body.
    Status(u16),
    /// The first handshake is answered, and everything after it by 503.
    OnceThen503,
    /// All but the polling handshake is answered by a web page.
    Page,
    /// All but the polling handshake is redirected.
    Redirect,
    /// All but the polling handshake is answered by `ok`.
    SaysOk,
    /// All but the polling handshake is answered by 200 and nothing.
    Empty,
    /// After the open packet there are noops alone, and no packet is answered.
    Noops,
    /// All but the handshake is never answered.
    Silent,
    /// After so many requests, nothing is answered.
    SilentAfter(usize),
    /// Each answer is the one that was due to the request before.
    OneBehind,
    /// After so long there is no server any more.
    DiesAfter(Duration),
    /// Again and again, sessions are lost, and no connection is accepted for a while.
    Restarts,
    /// Every second connection is closed at once.
    EverySecondConnection,
    /// Every second request is answered by 503.
    EverySecondRequest,
    /// Every CONNECT is answered by a CONNECT reply, in the main namespace.
    Forty,
    /// Every CONNECT is answered by `40`, as it stands.
    BareForty,
    /// Every CONNECT is answered by a CONNECT reply in its namespace.
    FortyEverywhere,
    /// As that, and a DISCONNECT closes the connection.
    ClosesOnLeave,
    /// Every packet comes back as it was sent.
    Echoes,
    /// No CONNECT is answered.
    NoAnswer,
    /// Every upgrade is accepted, and nothing comes.
    SilentWebsocket,
    /// Every upgrade is closed without a word.
    DeadWebsocket,
    /// Polling is answered by 503.
    DeadPolling,
}

/// Where a server listens; it ends when this is dropped.
pub struct Degenerate {
    pub url: String,
    _tasks: JoinSet<()>,
}

const PAGE: &str = "<!DOCTYPE html><html><head><title>My shop</title></head><body>Welcome</body></html>";
/// Bytes of a request's head, and of its body.
const MAX_HEAD: usize = 64 << 10;
const MAX_BODY: usize = 8 << 20;
/// How long a poll is held.
const HOLD: Duration = Duration::from_secs(3);
/// For how long a server that restarts is there, and then away.
const UP: Duration = Duration::from_millis(900);
const DOWN: Duration = Duration::from_millis(400);

impl Degenerate {
    pub async fn start(mode: Mode) -> io::Result<Degenerate> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(live(mode, listener, address));
        Ok(Degenerate { url: format!("http://{address}"), _tasks: tasks })
    }
}

/// Serves for as long as the mode has it, again and again where it restarts.
async fn live(mode: Mode, listener: TcpListener, address: SocketAddr) {
    let mut listener = Some(listener);
    loop {
        let Some(open) = listener.take() else { return };
        let end = match mode {
            Mode::DiesAfter(life) => Some(Instant::now() + life),
            Mode::Restarts => Some(Instant::now() + UP),
            _ => None,
        };
        let state = Arc::new(State::new(mode));
        let mut connections = JoinSet::new();
        loop {
            let accepted = async {
                match end {
                    Some(end) => {
                        tokio::select! { accepted = open.accept() => Some(accepted), () = sleep_until(end) => None }
                    }
                    None => Some(open.accept().await),
                }
            };
            let Some(accepted) = accepted.await else { break };
            if let Ok((stream, _)) = accepted {
                connections.spawn(serve(Arc::clone(&state), stream));
            }
            while connections.try_join_next().is_some() {}
        }
        drop((open, connections));
        if mode == Mode::Restarts {
            sleep(DOWN).await;
            listener = TcpListener::bind(address).await.ok();
        }
    }
}

struct State {
    mode: Mode,
    connections: AtomicUsize,
    requests: AtomicUsize,
    sessions: Mutex<HashMap<String, Arc<Session>>>,
    /// What is due to the request before.
    owed: Mutex<Option<Vec<u8>>>,
}

/// A polling session: what waits for its next poll.
struct Session {
    outgoing: mpsc::UnboundedSender<String>,
    waiting: AsyncMutex<mpsc::UnboundedReceiver<String>>,
}

struct Request {
    method: String,
    target: String,
    head: String,
    body: String,
}

impl Request {
    fn parameter(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn is_engine(&self) -> bool {
        self.target.starts_with("/socket.io/")
    }

    fn is_handshake(&self) -> bool {
        self.is_engine() && self.parameter("EIO") == Some("4") && self.parameter("sid").is_none()
    }

    fn is_polling_handshake(&self) -> bool {
        self.is_handshake() && self.method == "GET" && self.parameter("transport") == Some("polling")
    }

    fn is_upgrade(&self) -> bool {
        self.header("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
    }
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if bytes.len() > MAX_HEAD || stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut first = head.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let mut request = Request { method, target, head, body: String::new() };
    let length: usize = request.header("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
    if length > MAX_BODY {
        return None;
    }
    while bytes.len() < end + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    request.body = String::from_utf8_lossy(&bytes[end..]).into_owned();
    Some(request)
}

fn response(status: u16, kind: &str, body: &str) -> Vec<u8> {
    let more = if (300..400).contains(&status) { "Location: /elsewhere\r\n" } else { "" };
    let length = body.len();
    format!("HTTP/1.1 {status} Status\r\nContent-Type: {kind}\r\n{more}Content-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

fn text(status: u16, body: &str) -> Vec<u8> {
    response(status, "text/plain; charset=UTF-8", body)
}

fn open_packet(sid: &str) -> String {
    format!(
        "0{{\"sid\":\"{sid}\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":100000}}"
    )
}

fn new_sid() -> String {
    format!("{:020x}", rand::random::<u128>() >> 48)
}

/// What comes of a request.
enum Reply {
    Bytes(Vec<u8>),
    Close,
    Reset,
    Never,
}

async fn serve(state: Arc<State>, mut stream: TcpStream) {
    let number = state.connections.fetch_add(1, Ordering::Relaxed);
    if state.mode == Mode::EverySecondConnection && number % 2 == 1 {
        return;
    }
    while let Some(request) = read(&mut stream).await {
        let count = state.requests.fetch_add(1, Ordering::Relaxed);
        if state.is_silent() {
            return sleep(Duration::from_secs(60)).await;
        }
        if request.is_upgrade() {
            match state.upgrade(&request, count) {
                Some(Reply::Bytes(bytes)) => {
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                    continue;
                }
                Some(Reply::Never) => return sleep(Duration::from_secs(60)).await,
                Some(Reply::Close | Reply::Reset) => return,
                None => return websocket(state, request, stream).await,
            }
        }
        let bytes = match state.reply(&request, count).await {
            Reply::Bytes(bytes) => bytes,
            Reply::Close => return,
            Reply::Reset => {
                let _ = stream.set_zero_linger();
                return;
            }
            Reply::Never => return sleep(Duration::from_secs(60)).await,
        };
        let bytes = match state.mode {
            Mode::OneBehind => {
                let owed = state.owed.lock().unwrap_or_else(PoisonError::into_inner).replace(bytes.clone());
                owed.unwrap_or(bytes)
            }
            _ => bytes,
        };
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

impl State {
    fn new(mode: Mode) -> State {
        State {
            mode,
            connections: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            sessions: Mutex::default(),
            owed: Mutex::default(),
        }
    }

    fn is_silent(&self) -> bool {
        matches!(self.mode, Mode::SilentAfter(count) if self.requests.load(Ordering::Relaxed) > count)
    }

    /// What comes of an upgrade, unless it is accepted.
    fn upgrade(&self, request: &Request, count: usize) -> Option<Reply> {
        match self.mode {
            Mode::SilentWebsocket => return None,
            Mode::DeadWebsocket => return Some(Reply::Close),
            Mode::Status(status) => return Some(Reply::Bytes(text(status, ""))),
            Mode::OnceThen503 => return Some(Reply::Bytes(text(503, ""))),
            Mode::EverySecondRequest if count % 2 == 1 => return Some(Reply::Bytes(text(503, ""))),
            Mode::Page => return Some(Reply::Bytes(response(200, "text/html", PAGE))),
            Mode::Redirect => return Some(Reply::Bytes(text(302, ""))),
            Mode::SaysOk => return Some(Reply::Bytes(text(200, "ok"))),
            Mode::Empty => return Some(Reply::Bytes(text(200, ""))),
            _ => {}
        }
        if !request.is_engine() {
            return Some(Reply::Bytes(text(404, "not found")));
        }
        let is_lawful = request.is_handshake() && request.parameter("transport") == Some("websocket");
        (!is_lawful).then(|| Reply::Bytes(text(400, "{\"code\":3,\"message\":\"Bad request\"}")))
    }

    async fn reply(&self, request: &Request, count: usize) -> Reply {
        if request.is_polling_handshake() {
            if self.mode == Mode::DeadPolling || (self.mode == Mode::OnceThen503 && count > 1) {
                return Reply::Bytes(text(503, ""));
            }
            if self.mode == Mode::EverySecondRequest && count % 2 == 1 {
                return Reply::Bytes(text(503, ""));
            }
            return Reply::Bytes(self.open_session());
        }
        match self.mode {
            Mode::ClosesAfterHandshake => Reply::Close,
            Mode::ResetsAfterHandshake => Reply::Reset,
            Mode::Status(status) => Reply::Bytes(text(status, "")),
            Mode::OnceThen503 | Mode::DeadPolling => Reply::Bytes(text(503, "")),
            Mode::EverySecondRequest if count % 2 == 1 => Reply::Bytes(text(503, "")),
            Mode::Page => Reply::Bytes(response(200, "text/html", PAGE)),
            Mode::Redirect => Reply::Bytes(text(302, "")),
            Mode::SaysOk => Reply::Bytes(text(200, "ok")),
            Mode::Empty => Reply::Bytes(text(200, "")),
            Mode::Silent => Reply::Never,
            _ => self.honest(request).await,
        }
    }

    fn open_session(&self) -> Vec<u8> {
        let sid = new_sid();
        let (outgoing, waiting) = mpsc::unbounded_channel();
        let session = Arc::new(Session { outgoing, waiting: AsyncMutex::new(waiting) });
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).insert(sid.clone(), session);
        text(200, &open_packet(&sid))
    }

    async fn honest(&self, request: &Request) -> Reply {
        if request.target == "/" {
            return Reply::Bytes(response(200, "text/html", PAGE));
        }
        if !request.target.starts_with("/socket.io/?") {
            return Reply::Bytes(text(404, "not found"));
        }
        let unknown = || Reply::Bytes(text(400, "{\"code\":1,\"message\":\"Session ID unknown\"}"));
        let is_lawful = request.parameter("EIO") == Some("4") && request.parameter("transport") == Some("polling");
        let Some(sid) = request.parameter("sid").filter(|_| is_lawful) else { return unknown() };
        let session = self.sessions.lock().unwrap_or_else(PoisonError::into_inner).get(sid).cloned();
        let Some(session) = session else { return unknown() };
        if request.method == "POST" {
            for packet in request.body.split('\u{1e}') {
                match self.answer(packet) {
                    Some(answers) => answers.into_iter().for_each(|answer| drop(session.outgoing.send(answer))),
                    None => {
                        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(sid);
                        let _ = session.outgoing.send("1".into());
                    }
                }
            }
            return Reply::Bytes(text(200, "ok"));
        }
        if self.mode == Mode::Noops {
            sleep(Duration::from_millis(20)).await;
            return Reply::Bytes(text(200, "6"));
        }
        let Ok(mut waiting) = session.waiting.try_lock() else {
            self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(sid);
            return unknown();
        };
        let mut packets = match timeout(HOLD, waiting.recv()).await {
            Ok(Some(packet)) => vec![packet],
            _ => return Reply::Bytes(text(200, "6")),
        };
        while let Ok(packet) = waiting.try_recv() {
            packets.push(packet);
        }
        Reply::Bytes(text(200, &packets.join("\u{1e}")))
    }

    /// What is answered to an Engine.IO packet; none where it ends the session.
    fn answer(&self, packet: &str) -> Option<Vec<String>> {
        match self.mode {
            Mode::Echoes => return Some(vec![packet.to_owned()]),
            Mode::Noops => return Some(Vec::new()),
            _ => {}
        }
        if packet.starts_with("41") && self.mode != Mode::ClosesOnLeave {
            return Some(Vec::new());
        }
        if packet.starts_with('3') {
            return Some(Vec::new());
        }
        let connect = packet.strip_prefix("40")?;
        let namespace = if connect.starts_with('/') { connect.split(',').next().unwrap_or_default() } else { "/" };
        let in_it = if namespace == "/" { String::new() } else { format!("{namespace},") };
        Some(vec![match self.mode {
            Mode::ClosesAfterConnect => return None,
            Mode::NoAnswer => return Some(Vec::new()),
            Mode::Forty => format!("40{{\"sid\":\"{}\"}}", new_sid()),
            Mode::BareForty => "40".to_owned(),
            Mode::FortyEverywhere | Mode::ClosesOnLeave => format!("40{in_it}{{\"sid\":\"{}\"}}", new_sid()),
            _ if namespace == "/" => "44{\"message\":\"unauthorized\"}".to_owned(),
            _ => format!("44{in_it}{{\"message\":\"Invalid namespace\"}}"),
        }])
    }
}

async fn websocket(state: Arc<State>, request: Request, mut stream: TcpStream) {
    let accept = derive_accept_key(request.header("sec-websocket-key").unwrap_or_default().as_bytes());
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    if stream.write_all(head.as_bytes()).await.is_err() {
        return;
    }
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    if state.mode != Mode::SilentWebsocket && socket.send(Message::text(open_packet(&new_sid()))).await.is_err() {
        return;
    }
    match state.mode {
        Mode::ClosesAfterHandshake => {
            let _ = socket.close(None).await;
            return;
        }
        Mode::ResetsAfterHandshake => {
            // What was written must arrive before the reset.
            sleep(Duration::from_millis(5)).await;
            let _ = socket.get_ref().set_zero_linger();
            return;
        }
        _ => {}
    }
    let mut owed = Vec::new();
    while let Some(Ok(message)) = socket.next().await {
        let text = match message {
            Message::Text(text) => text,
            Message::Close(_) if !matches!(state.mode, Mode::Silent | Mode::SilentWebsocket) => {
                // The close frame is answered by the library, once it is asked for more.
                let _ = socket.next().await;
                return;
            }
            _ => continue,
        };
        if state.is_silent() || matches!(state.mode, Mode::Silent | Mode::SilentWebsocket) {
            continue;
        }
        let Some(mut answers) = state.answer(text.as_str()) else {
            let _ = socket.close(None).await;
            return;
        };
        if state.mode == Mode::OneBehind {
            std::mem::swap(&mut owed, &mut answers);
        }
        for answer in answers {
            if socket.send(Message::text(answer)).await.is_err() {
                return;
            }
        }
    }
}
