//! The connections of HTTP clients: what TLS trusts, which clients share connections, and whether a request got a new one.

use std::{
    cell::Cell,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use reqwest::header::HeaderMap;
use rustls::{
    ClientConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};
use rustls_platform_verifier::Verifier;
use tower::{Layer, Service};

use super::WireError;

/// Which servers are believed at the other end of TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Certificates (PEM) of authorities that count beside the platform's.
    pub authorities: Option<String>,
    /// Whether any certificate will do, for any name.
    pub anybody: bool,
}

/// What makes clients, each with connections of its own. Loading the platform's certificates takes longer than most checks,
/// so that is done once.
#[derive(Clone, Debug)]
pub struct Pools {
    /// None where no certificate is looked at.
    tls: Option<ClientConfig>,
    connect_timeout: Duration,
}

/// How long a client keeps a connection that nobody uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// For as long as browsers' next request usually takes, and shorter than any server's own limit.
    ForAWhile,
    /// Not at all: each request has its own.
    Never,
}

/// Headers of one answer, at the most; a hundred, as HTTP libraries have it, is what chains of proxies come near.
const MAX_HEADERS: usize = 1_000;

impl Pools {
    /// # Errors
    /// [`WireError::Tls`] when the platform's trust cannot be had, or the authorities are none.
    pub fn new(connect_timeout: Duration, trust: &Trust) -> Result<Pools, WireError> {
        let tls = if trust.anybody { None } else { Some(config(trust)?) };
        Ok(Pools { tls, connect_timeout })
    }

    /// A client that sends `headers` with every request, and shares its connections with no other.
    ///
    /// # Errors
    /// [`WireError::Tls`] when its TLS cannot be set up.
    pub fn client(&self, headers: HeaderMap, keep: Keep) -> Result<reqwest::Client, WireError> {
        let client = reqwest::Client::builder()
            // WebSocket's upgrade exists in HTTP/1.1 only, and reqwest would else negotiate HTTP/2 over TLS.
            .http1_only()
            .http1_max_headers(MAX_HEADERS)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("siospec/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.connect_timeout)
            .connector_layer(Noting)
            .default_headers(headers);
        let client = match keep {
            Keep::ForAWhile => client.pool_idle_timeout(Duration::from_secs(2)),
            Keep::Never => client.pool_max_idle_per_host(0),
        };
        let client = match &self.tls {
            Some(config) => client.tls_backend_preconfigured(config.clone()),
            None => client.tls_danger_accept_invalid_certs(true),
        };
        client.build().map_err(|error| WireError::Tls(super::response::chain(&error).into()))
    }
}

fn config(trust: &Trust) -> Result<ClientConfig, WireError> {
    let unfit = |error: rustls::Error| WireError::Tls(error.to_string().into());
    let provider = Arc::new(aws_lc_rs::default_provider());
    let authorities = trust.authorities.as_deref().unwrap_or_default().as_bytes();
    let authorities: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(authorities).collect();
    let authorities = authorities.map_err(|error| WireError::Tls(error.to_string().into()))?;
    let verifier = match authorities.is_empty() {
        true => Verifier::new(Arc::clone(&provider)),
        false => Verifier::new_with_extra_roots(authorities, Arc::clone(&provider)),
    };
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(unfit)?;
    let verifier = Arc::new(verifier.map_err(unfit)?);
    let mut config = config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".into()];
    Ok(config)
}

tokio::task_local! {
    static OPENED: Cell<bool>;
}

/// Awaits a request, and tells whether a connection was opened for it. Where none was, it went over one that was kept, which
/// its server may have closed in the same moment.
pub async fn noting_connection<T>(request: impl Future<Output = T>) -> (T, bool) {
    let noted = async {
        let done = request.await;
        (done, OPENED.with(Cell::get))
    };
    OPENED.scope(Cell::new(false), noted).await
}

/// Takes note of each connection that is opened, for the request in whose task that happens.
#[derive(Clone, Copy, Debug)]
struct Noting;

#[derive(Clone, Debug)]
struct Noted<S>(S);

impl<S> Layer<S> for Noting {
    type Service = Noted<S>;

    fn layer(&self, inner: S) -> Noted<S> {
        Noted(inner)
    }
}

impl<S: Service<R>, R> Service<R> for Noted<S>
where
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let opening = self.0.call(request);
        Box::pin(async {
            let opened = opening.await;
            // One that a request no longer waits for, because another connection became free, is opened in a task of its own.
            let _ = OPENED.try_with(|noted| noted.set(true));
            opened
        })
    }
}
