//! Which server certificates a connector trusts.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::sync::{Arc, OnceLock};

/// The platform's certificates are looked up on the first handshake: an HTTP client builds a connector for plain
/// `http://` too, where a machine without any authority must not be an obstacle.
#[derive(Debug)]
pub(crate) enum Trust {
    Anything,
    Platform {
        extra: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
        verifier: OnceLock<Result<rustls_platform_verifier::Verifier, Error>>,
    },
    /// The platform's verifier cannot leave out its own roots, nor the check of the name.
    Roots {
        extra: RootCertStore,
        built_in: bool,
        verify_hostname: bool,
        store: OnceLock<RootCertStore>,
    },
}

impl Trust {
    pub(crate) fn anything() -> Self {
        Self::Anything
    }

    pub(crate) fn platform(extra: Vec<CertificateDer<'static>>, provider: Arc<CryptoProvider>) -> Self {
        Self::Platform { extra, provider, verifier: OnceLock::new() }
    }

    pub(crate) fn roots(
        certificates: Vec<CertificateDer<'static>>,
        built_in: bool,
        verify_hostname: bool,
    ) -> Result<Self, Error> {
        let mut extra = RootCertStore::empty();
        certificates.into_iter().try_for_each(|root| extra.add(root))?;
        Ok(Self::Roots { extra, built_in, verify_hostname, store: OnceLock::new() })
    }
}

#[derive(Debug)]
pub(crate) struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    pub(crate) fn new(trust: Trust, provider: Arc<CryptoProvider>) -> Self {
        Self { trust, provider }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.trust {
            Trust::Anything => {}
            Trust::Platform { extra, provider, verifier } => {
                let open = || rustls_platform_verifier::Verifier::new_with_extra_roots(extra.clone(), provider.clone());
                let verifier = verifier.get_or_init(open).as_ref().map_err(Error::clone)?;
                verifier.verify_server_cert(end_entity, intermediates, name, ocsp, now)?;
            }
            Trust::Roots { extra, built_in, verify_hostname, store } => {
                let store = store.get_or_init(|| {
                    let mut store = extra.clone();
                    if *built_in {
                        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                    }
                    store
                });
                let leaf = ParsedCertificate::try_from(end_entity)?;
                let algorithms = self.provider.signature_verification_algorithms.all;
                verify_server_cert_signed_by_trust_anchor(&leaf, store, intermediates, now, algorithms)?;
                if *verify_hostname {
                    verify_server_name(&leaf, name)?;
                }
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
