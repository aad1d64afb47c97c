//! The TCP side: accepts connections, and sends each request to the gateway or to the web application.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use futures::future::join_all;
use http::{Request, Response, StatusCode};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time,
};
use tower::ServiceExt;

use super::{
    Fault, Faults, Options, Profile,
    app::{self, Deployment, Protocol},
    gateway::{self, Echo, Gateway, answer},
};

/// The path that Socket.IO is served under; as in Node, everything below it belongs to Socket.IO.
const SOCKET_IO: &str = "/socket.io/";

/// The path of [`Profile::Protocol`]'s Engine.IO endpoint.
const ENGINE_IO: &str = "/engine.io/";

/// How long an orderly stop waits for its sessions to end.
const STOP_WITHIN: Duration = Duration::from_millis(500);

/// A pause after a failed `accept`, which otherwise would spin while file descriptors are short.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// How long a client may take over the head of a request.
const HEAD_WITHIN: Duration = Duration::from_secs(30);

/// The request to stop in an orderly way.
#[derive(Debug)]
pub struct Shutdown {
    /// Answered when it is done.
    pub done: oneshot::Sender<()>,
}

/// What every connection shares.
struct Front {
    faults: Faults,
    gateway: Gateway,
    engine: Option<Gateway>,
    router: Router,
}

/// A connection that is cut without an answer. hyper closes the connection of a service that fails.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut on purpose")]
struct Cut;

/// Runs one server until it is told to stop, or until the sender of `shutdown` is dropped.
pub async fn run(
    options: Options,
    ready: oneshot::Sender<io::Result<SocketAddr>>,
    shutdown: oneshot::Receiver<Shutdown>,
) {
    let bound = TcpListener::bind(options.listen).await.and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (address, listener) = match bound {
        Ok(bound) => bound,
        Err(error) => return drop(ready.send(Err(error))),
    };

    let faults = Faults(Arc::new(options.faults.clone()));
    let front = Arc::new(match options.profile {
        Profile::Deployment => deployment(&options, faults, address),
        Profile::Protocol => protocol(&options, faults),
    });
    let gateways: Vec<Gateway> = [front.gateway.clone()].into_iter().chain(front.engine.clone()).collect();

    if ready.send(Ok(address)).is_err() {
        return;
    }
    tokio::select! {
        never = accept(listener, front) => match never {},
        asked = shutdown => if let Ok(Shutdown { done }) = asked {
            gateways.iter().for_each(Gateway::close_all);
            let _ = time::timeout(STOP_WITHIN, join_all(gateways.iter().map(Gateway::emptied))).await;
            let _ = done.send(());
        },
    }
}

fn deployment(options: &Options, faults: Faults, address: SocketAddr) -> Front {
    let deployment = Arc::new(Deployment::new(options, faults.clone(), address));
    let gateway = Gateway::new(gateway::Settings::new(options, faults.clone()), deployment.clone());
    let router = app::router(deployment, gateway.clone());
    Front { faults, gateway, engine: None, router }
}

fn protocol(options: &Options, faults: Faults) -> Front {
    let settings = || gateway::Settings::new(options, faults.clone());
    let gateway = Gateway::new(settings(), Arc::new(Protocol::new(options.connect_timeout)));
    let engine = Gateway::new(settings().without_socket_io(), Arc::new(Echo));
    Front { gateway, engine: Some(engine), router: Router::new(), faults }
}

async fn accept(listener: TcpListener, front: Arc<Front>) -> Infallible {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(serve(stream, front.clone()))),
            Err(_) => time::sleep(ACCEPT_AGAIN_AFTER).await,
        }
    }
}

async fn serve(stream: TcpStream, front: Arc<Front>) {
    // Small frames, each of them awaited by the other end.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let front = front.clone();
        async move { front.handle(request).await }
    });
    // An error here is a client that went away or spoke no HTTP; hyper has answered it as far as it can be.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
}

impl Front {
    async fn handle(&self, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
        if let Some(engine) = &self.engine
            && request.uri().path().starts_with(ENGINE_IO)
        {
            let answer = engine.handle(request).await.ok_or(Cut)?;
            return Ok(answer.map(Body::new));
        }
        if self.is_socket_io(&request) {
            let answer = self.gateway.handle(request).await.ok_or(Cut)?;
            return Ok(answer.map(Body::new));
        }
        if gateway::is_upgrade(request.headers()) {
            if self.faults.has(Fault::HangsForeignUpgrade) {
                return Ok(gateway::hang_upgrade(request).map(Body::new));
            }
            return Ok(answer::refuse_upgrade(StatusCode::NOT_FOUND, "Not found").map(Body::new));
        }
        let Ok(response) = self.router.clone().oneshot(request.map(Body::new)).await;
        Ok(response)
    }

    fn is_socket_io(&self, request: &Request<Incoming>) -> bool {
        let path = request.uri().path();
        if let Some(below) = path.strip_prefix(SOCKET_IO) {
            // The client bundle is not part of this server, so it is the application that says 404.
            return !below.ends_with(".js");
        }
        if self.faults.has(Fault::SocketInApi) {
            let polling = matches!(path, "/api/socket.io" | "/api/socket.io/");
            let upgrade = matches!(path, "/api/ws" | "/api/ws/");
            return polling || (upgrade && gateway::is_upgrade(request.headers()));
        }
        false
    }
}
