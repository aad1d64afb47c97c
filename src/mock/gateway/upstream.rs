//! What stands behind the gateway, and what the two know of each other.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
};

use futures::future::BoxFuture;
use tokio::sync::{mpsc, watch};

use super::websocket::Io;

/// A Socket.IO server that the gateway speaks to, over one WebSocket for each session.
pub trait Upstream: Send + Sync + 'static {
    /// Opens an established WebSocket connection whose other end is a Socket.IO server about to send its open packet.
    ///
    /// An upstream in the same process may keep the link and use it; another ignores it.
    ///
    /// # Errors
    ///
    /// When the connection cannot be made; the session is closed then.
    fn open(&self, link: Arc<Link>) -> BoxFuture<'_, io::Result<Box<dyn Io>>>;
}

/// How a session carries its packets at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Polling,
    Websocket,
}

/// How a session stands with the namespace `/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has never sent a CONNECT for it.
    Silent,
    /// Its CONNECT is not answered yet.
    Asking,
    /// Its last CONNECT was refused.
    Refused,
    /// It is connected, or was.
    Admitted,
}

/// What an upstream may ask of a session.
#[derive(Debug)]
pub enum Control {
    /// Send this Socket.IO packet to the client, whatever it is connected to.
    Inject(String),
    /// Close the session in an orderly way.
    Close,
    /// As `Close`, but without waiting for a poll that would be told: the server is going away.
    ShutDown,
    /// Drop the client's connections without a word.
    Cut,
}

/// How much may be asked of a session before it gets to it.
const CONTROLS: usize = 1024;

/// A session, as an upstream in the same process sees it.
#[derive(Debug)]
pub struct Link {
    transport: AtomicU8,
    standing: AtomicU8,
    /// The raw query of the request that opened the session.
    query: String,
    /// The token that it carried, where requests carry them.
    token: Option<String>,
    /// By namespace.
    socket_ids: Mutex<BTreeMap<String, SocketId>>,
    doubled: AtomicBool,
    /// With the fault `cookie-opens-websocket`: its cookie is as good as a token.
    vouched_for: AtomicBool,
    control: mpsc::Sender<Control>,
    ended: watch::Receiver<()>,
}

/// What a CONNECT reply says of a socket.
#[derive(Clone, Debug)]
pub struct SocketId {
    /// The id that others may know.
    pub public: String,
    /// The id by which its client recovers it, where that is offered.
    pub private: Option<String>,
}

/// The session's end of a [`Link`]; dropping it tells the other that the session has ended.
#[derive(Debug)]
pub struct LinkEnd {
    pub control: mpsc::Receiver<Control>,
    _ended: watch::Sender<()>,
}

impl Link {
    /// A link for a new session that was opened by a request with that query, and that token.
    pub fn new(transport: Transport, query: &str, token: Option<String>) -> (Arc<Link>, LinkEnd) {
        let (control, controls) = mpsc::channel(CONTROLS);
        let (end, ended) = watch::channel(());
        let link = Link {
            transport: AtomicU8::new(transport as u8),
            standing: AtomicU8::new(Standing::Silent as u8),
            query: query.to_owned(),
            token,
            socket_ids: Mutex::default(),
            doubled: AtomicBool::new(false),
            vouched_for: AtomicBool::new(false),
            control,
            ended,
        };
        (Arc::new(link), LinkEnd { control: controls, _ended: end })
    }

    /// How the session carries its packets at the moment.
    pub fn transport(&self) -> Transport {
        if self.transport.load(Ordering::Relaxed) == Transport::Polling as u8 {
            Transport::Polling
        } else {
            Transport::Websocket
        }
    }

    /// How the session stands with the namespace `/`.
    pub fn standing(&self) -> Standing {
        let standing = self.standing.load(Ordering::Relaxed);
        [Standing::Silent, Standing::Asking, Standing::Refused]
            .into_iter()
            .find(|known| *known as u8 == standing)
            .unwrap_or(Standing::Admitted)
    }

    /// Asks something of the session; a session that is too busy to listen is left alone.
    pub fn ask(&self, control: Control) {
        let _ = self.control.try_send(control);
    }

    /// Waits until the session has ended.
    pub async fn ended(&self) {
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }

    /// The token of the request that opened the session, where requests carry them.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The value of a parameter in the query of the request that opened the session.
    pub fn query(&self, name: &str) -> Option<String> {
        let mut pairs = url::form_urlencoded::parse(self.query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// Names the socket that the namespace's next CONNECT reply is about, in place of the id that the upstream's library
    /// gave it.
    pub fn name_socket(&self, namespace: &str, id: SocketId) {
        self.socket_ids.lock().unwrap_or_else(PoisonError::into_inner).insert(namespace.to_owned(), id);
    }

    /// Says that two servers answer each CONNECT of this session.
    pub fn double(&self) {
        self.doubled.store(true, Ordering::Relaxed);
    }

    /// Whether the request that opened the session is as good as a token.
    pub fn is_vouched_for(&self) -> bool {
        self.vouched_for.load(Ordering::Relaxed)
    }

    pub(super) fn vouch_for(&self) {
        self.vouched_for.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_doubled(&self) -> bool {
        self.doubled.load(Ordering::Relaxed)
    }

    pub(super) fn take_socket_id(&self, namespace: &str) -> Option<SocketId> {
        self.socket_ids.lock().unwrap_or_else(PoisonError::into_inner).remove(namespace)
    }

    pub(super) fn set_transport(&self, transport: Transport) {
        self.transport.store(transport as u8, Ordering::Relaxed);
    }

    pub(super) fn set_standing(&self, standing: Standing) {
        self.standing.store(standing as u8, Ordering::Relaxed);
    }
}
