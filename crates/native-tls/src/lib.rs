//! The part of native-tls's interface that `rust_socketio` and its dependencies call, kept by rustls. The README says
//! why it exists and what it covers.

mod config;
mod error;
mod stream;
mod verify;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use std::io::{Read, Write};
use std::sync::Arc;

pub use config::{Protocol, TlsAcceptorBuilder, TlsConnectorBuilder};
pub use error::{Error, HandshakeError, Result};
pub use stream::{MidHandshakeTlsStream, TlsStream};

/// An X.509 certificate.
#[derive(Clone)]
pub struct Certificate(CertificateDer<'static>);

impl Certificate {
    pub fn from_der(der: &[u8]) -> Result<Self> {
        let der = CertificateDer::from(der.to_vec());
        // A certificate is parsed again wherever it is used; this one brings the error forward to where it is read.
        RootCertStore::empty().add(der.clone())?;
        Ok(Self(der))
    }

    pub fn from_pem(pem: &[u8]) -> Result<Self> {
        Self::from_der(&CertificateDer::from_pem_slice(pem).map_err(Error::new)?)
    }

    pub fn to_der(&self) -> Result<Vec<u8>> {
        Ok(self.0.to_vec())
    }
}

/// A certificate chain and its private key.
#[derive(Clone)]
pub struct Identity(Arc<CertifiedKey>);

impl Identity {
    /// Always an error: rustls has no reader for PKCS #12.
    pub fn from_pkcs12(_der: &[u8], _password: &str) -> Result<Self> {
        Err(Error::new("PKCS #12 identities are not supported: convert this one to PEM and use from_pkcs8"))
    }

    /// Reads a PEM chain, the leaf first, and a PEM key in PKCS #8.
    pub fn from_pkcs8(pem: &[u8], key: &[u8]) -> Result<Self> {
        let chain = CertificateDer::pem_slice_iter(pem).collect::<std::result::Result<Vec<_>, _>>();
        let chain = chain.map_err(Error::new)?;
        if chain.is_empty() {
            return Err(Error::new("no certificate in the PEM text"));
        }
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from_pem_slice(key).map_err(Error::new)?);
        Ok(Self(Arc::new(CertifiedKey::from_der(chain, key, &config::provider())?)))
    }
}

/// The client's side of a handshake.
#[derive(Clone, Debug)]
pub struct TlsConnector(Arc<ClientConfig>);

impl TlsConnector {
    pub fn new() -> Result<Self> {
        Self::builder().build()
    }

    pub fn builder() -> TlsConnectorBuilder {
        TlsConnectorBuilder::default()
    }

    pub fn connect<S: Read + Write>(
        &self,
        domain: &str,
        stream: S,
    ) -> std::result::Result<TlsStream<S>, HandshakeError<S>> {
        let name = ServerName::try_from(domain.to_owned()).map_err(Error::new)?;
        let connection = ClientConnection::new(self.0.clone(), name).map_err(Error::from)?;
        stream::handshake(TlsStream::new(connection.into(), stream))
    }
}

/// The server's side of a handshake.
#[derive(Clone)]
pub struct TlsAcceptor(Arc<ServerConfig>);

impl TlsAcceptor {
    pub fn new(identity: Identity) -> Result<Self> {
        Self::builder(identity).build()
    }

    pub fn builder(identity: Identity) -> TlsAcceptorBuilder {
        TlsAcceptorBuilder::new(identity)
    }

    pub fn accept<S: Read + Write>(&self, stream: S) -> std::result::Result<TlsStream<S>, HandshakeError<S>> {
        let connection = ServerConnection::new(self.0.clone()).map_err(Error::from)?;
        stream::handshake(TlsStream::new(connection.into(), stream))
    }
}
