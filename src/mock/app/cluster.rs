//! Several servers that make up one deployment: what is emitted on one goes to the others through the library's own Redis
//! adapter, by way of Redis or, where they are in one process, of its memory.
//!
//! The application delivers to its own clients itself, and hands the same event to a [`Relay`], which emits it to the
//! clients of all other nodes. Those know which of theirs are concerned by the library's rooms.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use futures::future::BoxFuture;
use serde::Serialize;
use socketioxide::adapter::Emitter;
use socketioxide_redis::{
    CustomRedisAdapter, RedisAdapterConfig, RedisAdapterCtr,
    drivers::{
        ChanItem, Driver, MessageStream,
        redis::{RedisDriver, RedisError},
    },
};
use tokio::sync::mpsc;
use url::Url;

use crate::mock::{Fault, Faults, Options, gateway::random_id};

/// The adapter of every server, on its own or not.
pub type Adapter = CustomRedisAdapter<Emitter, Bus>;

pub type SocketIo = socketioxide::SocketIo<Adapter>;
pub type SocketRef = socketioxide::extract::SocketRef<Adapter>;
pub type AckSender = socketioxide::extract::AckSender<Adapter>;

/// What the channels in Redis begin with.
const PREFIX: &str = "siospec";

/// How many events may wait for Redis; what comes on top is lost, as with a node that cannot keep up.
const QUEUE: usize = 16_384;

/// The room of every connected client.
const EVERYBODY: &str = "everybody";

/// What carries messages between nodes.
#[derive(Clone)]
pub enum Bus {
    /// A node on its own: there is nobody to send to or to hear from.
    None,
    Redis(RedisDriver),
    Local(Cluster),
}

/// What servers of one process have in common that make up one deployment. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Cluster(Arc<Mutex<HashMap<String, Vec<mpsc::Sender<ChanItem>>>>>);

impl Cluster {
    /// Those who listen on a channel.
    fn listeners(&self, channel: &str) -> Vec<mpsc::Sender<ChanItem>> {
        let mut channels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(listeners) = channels.get_mut(channel) else { return Vec::new() };
        listeners.retain(|listener| !listener.is_closed());
        listeners.clone()
    }

    fn listen(&self, channel: String, size: usize) -> MessageStream<ChanItem> {
        let (listener, messages) = mpsc::channel(size);
        let mut channels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        channels.entry(channel).or_default().push(listener);
        MessageStream::new(messages)
    }
}

impl Bus {
    /// Joins the cluster, or connects to Redis, if there is to be one of them.
    ///
    /// # Errors
    ///
    /// When the URL is none, or nothing answers there.
    pub async fn join(options: &Options) -> io::Result<Bus> {
        if let Some(cluster) = &options.cluster {
            return Ok(Bus::Local(cluster.clone()));
        }
        let Some(redis) = options.redis.as_deref() else { return Ok(Bus::None) };
        let wrong = |error| io::Error::new(io::ErrorKind::InvalidInput, format!("the URL of Redis is none: {error}"));
        let mut url = Url::parse(redis).map_err(wrong)?;
        // Pushed messages exist in the third version of the protocol only.
        if !url.query_pairs().any(|(name, _)| name == "protocol") {
            url.query_pairs_mut().append_pair("protocol", "resp3");
        }
        // By its host alone: the URL may hold a password.
        let place = url.host_str().unwrap_or("this URL").to_owned();
        let failed = |error| io::Error::other(format!("Redis at {place} cannot be joined: {error}"));
        let client = redis::Client::open(url.as_str()).map_err(failed)?;
        Ok(Bus::Redis(RedisDriver::new(&client).await.map_err(failed)?))
    }

    /// What a server is built with.
    pub fn adapter(&self) -> RedisAdapterCtr<Bus> {
        RedisAdapterCtr::new_with_driver(self.clone(), RedisAdapterConfig::new().with_prefix(PREFIX))
    }
}

impl Driver for Bus {
    type Error = RedisError;

    async fn publish(&self, channel: String, message: Vec<u8>) -> Result<(), RedisError> {
        match self {
            Bus::None => Ok(()),
            Bus::Redis(driver) => driver.publish(channel, message).await,
            Bus::Local(cluster) => {
                for listener in cluster.listeners(&channel) {
                    // One that cannot keep up loses it, as it would at Redis.
                    let _ = listener.try_send((channel.clone(), message.clone()));
                }
                Ok(())
            }
        }
    }

    async fn subscribe(&self, channel: String, size: usize) -> Result<MessageStream<ChanItem>, RedisError> {
        match self {
            Bus::None => Ok(MessageStream::new_empty()),
            Bus::Redis(driver) => driver.subscribe(channel, size).await,
            Bus::Local(cluster) => Ok(cluster.listen(channel, size)),
        }
    }

    async fn unsubscribe(&self, channel: String) -> Result<(), RedisError> {
        match self {
            // A stream that nobody reads any more is closed, and found out at the next message.
            Bus::None | Bus::Local(_) => Ok(()),
            Bus::Redis(driver) => driver.unsubscribe(channel).await,
        }
    }

    async fn num_serv(&self, channel: &str) -> Result<u16, RedisError> {
        match self {
            Bus::None => Ok(1),
            Bus::Redis(driver) => driver.num_serv(channel).await,
            Bus::Local(cluster) => Ok(u16::try_from(cluster.listeners(channel).len()).unwrap_or(u16::MAX)),
        }
    }
}

/// Hands events to the other nodes, in the order in which they were emitted. Dropping it ends that.
pub struct Relay {
    io: SocketIo,
    /// The room of all clients of this node, which have the events already.
    home: String,
    queue: mpsc::Sender<BoxFuture<'static, ()>>,
    faults: Faults,
}

impl Relay {
    pub fn new(io: SocketIo, faults: Faults) -> Relay {
        let (queue, mut queued) = mpsc::channel::<BoxFuture<'static, ()>>(QUEUE);
        tokio::spawn(async move {
            while let Some(emit) = queued.recv().await {
                emit.await;
            }
        });
        Relay { io, home: format!("node/{}", random_id(20)), queue, faults }
    }

    /// Takes note of a client of this node.
    pub fn welcome(&self, socket: &SocketRef) {
        socket.join([EVERYBODY.to_owned(), self.home.clone()]);
    }

    /// Takes note that a client is in a room, by the application's name for it.
    pub fn join(&self, socket: &SocketRef, room: &str) {
        socket.join(library_room(room));
    }

    /// Takes note that a client has left a room.
    pub fn leave(&self, socket: &SocketRef, room: &str) {
        socket.leave(library_room(room));
    }

    /// Emits to everybody in the room, or to everybody, on the other nodes.
    pub fn emit(
        &self,
        room: Option<&str>,
        event: &'static str,
        argument: &(impl Serialize + Clone + Send + Sync + 'static),
    ) {
        let copies = match () {
            () if self.faults.has(Fault::EventsStayOnNode) => 0,
            () if self.faults.has(Fault::EventsCrossTwice) => 2,
            () => 1,
        };
        for _ in 0..copies {
            let receivers = self.io.to(room.map_or(EVERYBODY.to_owned(), library_room)).except(self.home.clone());
            let argument = argument.clone();
            let emit = async move {
                // Redis being away is no reason to stop serving this node's own clients.
                let _ = receivers.emit(event, &argument).await;
            };
            let _ = self.queue.try_send(Box::pin(emit));
        }
    }
}

/// Apart from the rooms of this module, whatever users call theirs.
fn library_room(room: &str) -> String {
    format!("room/{room}")
}
