//! The TCP side: accepts connections, and sends each request to the gateway or to the web application.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{Router, body::Body};
use futures::future::join_all;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time,
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use super::{
    Fault, Faults, Options, Profile, Tls,
    app::{self, Deployment, Protocol},
    gateway::{self, Connection, Echo, Gateway, Io, answer},
};

/// The path that Socket.IO is served under; as in Node, everything below it belongs to Socket.IO.
const SOCKET_IO: &str = "/socket.io/";

/// The path of [`Profile::Protocol`]'s Engine.IO endpoint.
const ENGINE_IO: &str = "/engine.io/";

/// How long an orderly stop waits for its sessions to end.
const STOP_WITHIN: Duration = Duration::from_millis(500);

/// A pause after a failed `accept`, which otherwise would spin while file descriptors are short.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// How long a client may take over the head of a request, and over the handshake of TLS.
const HEAD_WITHIN: Duration = Duration::from_secs(30);

/// How long a proxy sends nobody to a server that it takes for failed; nginx does so for ten seconds.
const OUT_FOR: Duration = Duration::from_secs(2);

/// The first byte of everybody who speaks TLS: the type of a handshake record.
const TLS_HANDSHAKE: u8 = 0x16;

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
    tls: Option<TlsAcceptor>,
    /// Until when nobody is served, with the fault that a foreign upgrade takes the server out of a proxy's service.
    out_until: Mutex<Option<Instant>>,
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
    let (address, listener, front) = match set_up(&options).await {
        Ok(set_up) => set_up,
        Err(error) => return drop(ready.send(Err(error))),
    };
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

async fn set_up(options: &Options) -> io::Result<(SocketAddr, TcpListener, Arc<Front>)> {
    let tls = options.tls.as_ref().map(acceptor).transpose()?;
    let listener = TcpListener::bind(options.listen).await?;
    let address = listener.local_addr()?;
    let faults = Faults::of(options);
    let front = match options.profile {
        Profile::Deployment => deployment(options, faults, address, tls).await?,
        Profile::Protocol => protocol(options, faults, tls),
    };
    Ok((address, listener, Arc::new(front)))
}

async fn deployment(
    options: &Options,
    faults: Faults,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
) -> io::Result<Front> {
    let deployment = Arc::new(Deployment::new(options, faults.clone(), address).await?);
    let gateway = Gateway::new(gateway::Settings::new(options, faults.clone()), deployment.clone());
    let router = app::router(deployment, gateway.clone());
    Ok(Front { faults, gateway, engine: None, router, tls, out_until: Mutex::default() })
}

fn protocol(options: &Options, faults: Faults, tls: Option<TlsAcceptor>) -> Front {
    let settings = || gateway::Settings::new(options, faults.clone());
    let gateway = Gateway::new(settings(), Arc::new(Protocol::new(options.connect_timeout)));
    let engine = Gateway::new(settings().without_socket_io(), Arc::new(Echo));
    Front { gateway, engine: Some(engine), router: Router::new(), tls, faults, out_until: Mutex::default() }
}

fn acceptor(tls: &Tls) -> io::Result<TlsAcceptor> {
    let wrong = |what: &'static str| move |_| io::Error::new(io::ErrorKind::InvalidInput, what);
    let certificates = CertificateDer::pem_slice_iter(tls.certificates.as_bytes()).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(wrong("the certificate is no PEM"))?;
    let key = PrivateKeyDer::from_pem_slice(tls.key.as_bytes()).map_err(wrong("the private key is no PEM"))?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(certificates, key))
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
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
    let Some(tls) = &front.tls else { return serve_http(stream, front, false).await };
    let mut first = [0];
    match time::timeout(HEAD_WITHIN, stream.peek(&mut first)).await {
        Ok(Ok(1)) if first[0] == TLS_HANDSHAKE => {
            if let Ok(Ok(stream)) = time::timeout(HEAD_WITHIN, tls.accept(stream)).await {
                serve_http(stream, front, false).await;
            }
        }
        Ok(Ok(1)) => {
            let sends_away = !front.faults.has(Fault::ServesPlainHttp);
            serve_http(stream, front, sends_away).await;
        }
        _ => {}
    }
}

/// Serves one connection, or sends each of its requests to https.
async fn serve_http(stream: impl Io + 'static, front: Arc<Front>, sends_away: bool) {
    let connection = Connection::default();
    let opened = connection.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let front = front.clone();
        request.extensions_mut().insert(opened.clone());
        async move { if sends_away { Ok(to_https(&request)) } else { front.handle(request).await } }
    });
    // An error here is a client that went away or spoke no HTTP; hyper has answered it as far as it can be.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    connection.close();
}

/// The same place by https.
fn to_https(request: &Request<Incoming>) -> Response<Body> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let location = host.and_then(|host| HeaderValue::try_from(format!("https://{host}{path}")).ok());
    let Some(location) = location else { return answer::empty(StatusCode::BAD_REQUEST).map(Body::new) };
    let mut answer = answer::empty(StatusCode::PERMANENT_REDIRECT);
    answer.headers_mut().insert(header::LOCATION, location);
    answer.map(Body::new)
}

impl Front {
    async fn handle(&self, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
        let mut answer = self.answer(request).await?;
        if self.faults.has(Fault::NamesItsVersion) {
            answer.headers_mut().insert(header::SERVER, HeaderValue::from_static("nginx/1.18.0 (Ubuntu)"));
        }
        Ok(answer)
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
        let out_until = *self.out_until.lock().unwrap_or_else(PoisonError::into_inner);
        if out_until.is_some_and(|until| Instant::now() < until) {
            return Ok(bad_gateway());
        }
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
            if self.faults.has(Fault::ForeignUpgradeTakesNodeOut) {
                *self.out_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + OUT_FOR);
                return Ok(bad_gateway());
            }
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

fn bad_gateway() -> Response<Body> {
    answer::with_body(StatusCode::BAD_GATEWAY, "text/html", "<html><title>502 Bad Gateway</title></html>")
        .map(Body::new)
}
