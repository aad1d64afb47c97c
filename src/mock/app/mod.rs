//! The application of the default contract, as a Nuxt team would write it: socketioxide for its sockets, axum for its
//! page and its REST route.
//!
//! It counts on running on a single thread: socketioxide sends the CONNECT reply before the socket counts as connected,
//! and there must be no moment in which an event could come in between.

mod auth;
mod burst;
mod cluster;
mod events;
mod payload;
mod protocol;
mod recovery;
mod users;
mod web;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use futures::future::BoxFuture;
use hyper::service::Service;
use socketioxide::service::SocketIoService;
use tokio::io::DuplexStream;

use super::{
    Fault, Faults, Options,
    gateway::{Gateway, Io, Link, Upstream},
};

pub use cluster::Cluster;
pub use protocol::Protocol;
pub use web::router;

use cluster::{Adapter, Bus, Relay};

/// How long a reload waits for the connections that it cuts.
const RELOAD_WITHIN: Duration = Duration::from_secs(5);

/// The size of the in-memory connection between gateway and application, in bytes.
const PIPE: usize = 256 << 10;

/// How many packets socketioxide holds for one session that the gateway is slow to take.
const BUFFERED_PACKETS: usize = 16_384;

/// The inner heartbeat is of no use: the gateway has its own.
const NO_HEARTBEAT: Duration = Duration::from_secs(24 * 60 * 60);

/// The application as it is deployed: it survives reloads, of which each brings a new [`App`].
pub struct Deployment {
    options: Options,
    faults: Faults,
    address: SocketAddr,
    current: RwLock<Arc<App>>,
}

impl Deployment {
    /// Deploys the application for the first time.
    ///
    /// # Errors
    ///
    /// When it cannot join the other nodes.
    pub async fn new(options: &Options, faults: Faults, address: SocketAddr) -> io::Result<Deployment> {
        let first = App::new(options, faults.clone(), false).await?;
        Ok(Deployment { options: options.clone(), faults, address, current: RwLock::new(Arc::new(first)) })
    }

    /// The application that is serving.
    fn app(&self) -> Arc<App> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the application as Nitro does in development: connections drop, nothing of the old state is left. Where the
    /// server is to stay, there is nothing else to replace.
    ///
    /// # Errors
    ///
    /// When the new one cannot join the other nodes; the old one stays.
    async fn reload(&self, gateway: &Gateway) -> io::Result<()> {
        if self.options.reloads_in_place && !self.faults.has(Fault::ReloadDropsConnections) {
            return Ok(());
        }
        // With the fault, the old server goes on beside the new one, and answers everything as well.
        let doubled = self.faults.has(Fault::ReloadDoublesServer);
        let new = App::new(&self.options, self.faults.clone(), doubled).await?;
        let old = std::mem::replace(&mut *self.current.write().unwrap_or_else(PoisonError::into_inner), Arc::new(new));
        let _ = tokio::time::timeout(RELOAD_WITHIN, gateway.cut_all()).await;
        old.retire().await;
        Ok(())
    }
}

impl Upstream for Deployment {
    fn open(&self, link: Arc<Link>) -> BoxFuture<'_, io::Result<Box<dyn Io>>> {
        let opened = self.app().open(link);
        Box::pin(std::future::ready(opened))
    }
}

/// One life of the application, from start to reload.
struct App {
    service: SocketIoService<(), Adapter>,
    io: cluster::SocketIo,
    state: Arc<events::State>,
}

impl App {
    async fn new(options: &Options, faults: Faults, doubled: bool) -> io::Result<App> {
        let bus = Bus::join(options).await?;
        let (service, io) = socketioxide::SocketIo::builder()
            .req_path("/socket.io")
            .ping_interval(NO_HEARTBEAT)
            .ping_timeout(NO_HEARTBEAT)
            // The gateway comes first; this one only cleans up.
            .connect_timeout(options.connect_timeout + Duration::from_secs(60))
            .max_buffer_size(BUFFERED_PACKETS)
            .with_adapter::<Adapter>(bus.adapter())
            .build_with_inner_svc(());
        let relay = (!matches!(bus, Bus::None)).then(|| Relay::new(io.clone(), faults.clone()));
        let state = Arc::new(events::State::new(options, faults, doubled, relay));
        events::serve(&io, &state).await?;
        Ok(App { service, io, state })
    }

    /// Leaves the other nodes, so that nothing of it remains.
    async fn retire(&self) {
        if self.state.leave_cluster() {
            self.io.close().await;
        }
    }

    fn open(&self, link: Arc<Link>) -> io::Result<Box<dyn Io>> {
        let (gateway_end, app_end) = tokio::io::duplex(PIPE);
        let mut request = http::Request::new(());
        *request.uri_mut() = http::Uri::from_static("/socket.io/?EIO=4&transport=websocket");
        request.extensions_mut().insert(self.state.visit(link));
        // The service takes a connection whose WebSocket handshake is already done.
        let taken = Service::<(DuplexStream, http::Request<()>)>::call(&self.service, (app_end, request));
        taken.into_inner().map_err(io::Error::other)?;
        Ok(Box::new(gateway_end))
    }
}
