//! Settings, and what rustls makes of them.

use crate::verify::{Trust, Verifier};
use crate::{Certificate, Error, Identity, Result, TlsAcceptor, TlsConnector};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion};
use std::sync::Arc;

/// Named here, not taken from the process: two crates that each install a default would end in a panic.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Protocol {
    Sslv3,
    Tlsv10,
    Tlsv11,
    Tlsv12,
    Tlsv13,
}

/// The versions of rustls, 1.2 and 1.3, that lie within the bounds. A lower bound below 1.2 is kept by never going
/// there; an upper one cannot be, and is an error.
fn versions(min: Option<Protocol>, max: Option<Protocol>) -> Result<Vec<&'static SupportedProtocolVersion>> {
    let within = |version: Protocol| min.is_none_or(|min| version >= min) && max.is_none_or(|max| version <= max);
    let offered = [(Protocol::Tlsv12, &TLS12), (Protocol::Tlsv13, &TLS13)];
    let versions: Vec<_> = offered.into_iter().filter(|(version, _)| within(*version)).map(|(_, v)| v).collect();
    if versions.is_empty() {
        return Err(Error::new(format!("no TLS version from {min:?} to {max:?}: only 1.2 and 1.3 are supported")));
    }
    Ok(versions)
}

pub struct TlsConnectorBuilder {
    identity: Option<Identity>,
    min_protocol: Option<Protocol>,
    max_protocol: Option<Protocol>,
    roots: Vec<Certificate>,
    built_in_roots: bool,
    verify_certificate: bool,
    verify_hostname: bool,
    sni: bool,
}

impl Default for TlsConnectorBuilder {
    fn default() -> Self {
        Self {
            identity: None,
            min_protocol: Some(Protocol::Tlsv12),
            max_protocol: None,
            roots: Vec::new(),
            built_in_roots: true,
            verify_certificate: true,
            verify_hostname: true,
            sni: true,
        }
    }
}

impl TlsConnectorBuilder {
    pub fn identity(&mut self, identity: Identity) -> &mut Self {
        self.identity = Some(identity);
        self
    }

    pub fn min_protocol_version(&mut self, protocol: Option<Protocol>) -> &mut Self {
        self.min_protocol = protocol;
        self
    }

    pub fn max_protocol_version(&mut self, protocol: Option<Protocol>) -> &mut Self {
        self.max_protocol = protocol;
        self
    }

    /// Trusts this certificate as an authority, beside the platform's.
    pub fn add_root_certificate(&mut self, certificate: Certificate) -> &mut Self {
        self.roots.push(certificate);
        self
    }

    /// Trusts the added roots only.
    pub fn disable_built_in_roots(&mut self, disable: bool) -> &mut Self {
        self.built_in_roots = !disable;
        self
    }

    /// Accepts any certificate for any name. The handshake must still be signed with that certificate's key.
    pub fn danger_accept_invalid_certs(&mut self, accept: bool) -> &mut Self {
        self.verify_certificate = !accept;
        self
    }

    /// Accepts a trusted certificate that was issued for another name.
    pub fn danger_accept_invalid_hostnames(&mut self, accept: bool) -> &mut Self {
        self.verify_hostname = !accept;
        self
    }

    pub fn use_sni(&mut self, use_sni: bool) -> &mut Self {
        self.sni = use_sni;
        self
    }

    pub fn build(&self) -> Result<TlsConnector> {
        let provider = provider();
        let roots = self.roots.iter().map(|root| root.0.clone()).collect();
        let trust = match (self.verify_certificate, self.verify_hostname, self.built_in_roots) {
            (false, _, _) => Trust::anything(),
            (true, true, true) => Trust::platform(roots, provider.clone()),
            (true, verify_hostname, built_in_roots) => Trust::roots(roots, built_in_roots, verify_hostname)?,
        };
        let versions = versions(self.min_protocol, self.max_protocol)?;
        let config = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&versions)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier::new(trust, provider)));
        let mut config = match &self.identity {
            Some(identity) => config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.0.clone()))),
            None => config.with_no_client_auth(),
        };
        config.enable_sni = self.sni;
        Ok(TlsConnector(Arc::new(config)))
    }
}

pub struct TlsAcceptorBuilder {
    identity: Identity,
    min_protocol: Option<Protocol>,
    max_protocol: Option<Protocol>,
}

impl TlsAcceptorBuilder {
    pub(crate) fn new(identity: Identity) -> Self {
        Self { identity, min_protocol: Some(Protocol::Tlsv12), max_protocol: None }
    }

    pub fn min_protocol_version(&mut self, protocol: Option<Protocol>) -> &mut Self {
        self.min_protocol = protocol;
        self
    }

    pub fn max_protocol_version(&mut self, protocol: Option<Protocol>) -> &mut Self {
        self.max_protocol = protocol;
        self
    }

    pub fn build(&self) -> Result<TlsAcceptor> {
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&versions(self.min_protocol, self.max_protocol)?)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(self.identity.0.clone())));
        Ok(TlsAcceptor(Arc::new(config)))
    }
}
