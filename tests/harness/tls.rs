//! A server that ends TLS, with a certificate of an authority that no platform knows.

use std::{net::SocketAddr, sync::Arc};

use rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::pem::PemObject};
use siospec::mock::Authority;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// Speaks TLS on a port of its own and passes what it hears to `upstream`, as a proxy in front of a deployment does.
pub struct Terminator {
    /// Where it listens.
    pub port: u16,
    _tasks: JoinSet<()>,
}

impl Terminator {
    pub async fn start(authority: &Authority, upstream: SocketAddr) -> std::io::Result<Terminator> {
        let certificate =
            rustls::pki_types::CertificateDer::from_pem_slice(authority.server.certificates.as_bytes()).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(authority.server.key.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                connections.spawn(async move {
                    let Ok(mut client) = acceptor.accept(stream).await else { return };
                    let Ok(mut server) = TcpStream::connect(upstream).await else { return };
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Ok(Terminator { port, _tasks: tasks })
    }
}
