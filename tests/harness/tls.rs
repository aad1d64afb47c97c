//! Certificates of an authority that no platform knows, and a server that ends TLS with them.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::pem::PemObject};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// An authority, and what a server named `localhost` got from it; all as PEM.
pub struct Authority {
    pub root: String,
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Authority {
        let key = || KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, key()).unwrap();
        let server_key = key();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        // What Apple's verifier asks of a server's certificate, beside its name.
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let day = Duration::from_secs(24 * 60 * 60);
        params.not_before = (SystemTime::now() - day).into();
        params.not_after = (SystemTime::now() + 30 * day).into();
        let server = params.signed_by(&server_key, &issuer).unwrap();
        Authority { root: issuer.pem(), certificate: server.pem(), key: server_key.serialize_pem() }
    }
}

/// Speaks TLS on a port of its own and passes what it hears to `upstream`, as a proxy in front of a deployment does.
pub struct Terminator {
    /// Where it listens.
    pub port: u16,
    _tasks: JoinSet<()>,
}

impl Terminator {
    pub async fn start(authority: &Authority, upstream: SocketAddr) -> std::io::Result<Terminator> {
        let certificate = rustls::pki_types::CertificateDer::from_pem_slice(authority.certificate.as_bytes()).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(authority.key.as_bytes()).unwrap();
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
