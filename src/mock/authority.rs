//! An authority that no platform knows, so that a server of this machine can speak TLS.

use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, Error, ExtendedKeyUsagePurpose, IsCa, KeyPair};

use super::Tls;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A certificate authority, and what a server on this machine got from it.
#[derive(Clone, Debug)]
pub struct Authority {
    /// The authority's own certificate (PEM), for clients to trust.
    pub root: String,
    /// The server's certificate, for `localhost` and 127.0.0.1 and for 30 days, and its key.
    pub server: Tls,
}

impl Authority {
    /// Makes one that did not exist before.
    ///
    /// # Errors
    /// The machine has no random numbers.
    pub fn new() -> Result<Authority, Error> {
        let mut params = CertificateParams::new([])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        // What Apple's verifier asks of a server's certificate, beside its name.
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.not_before = (SystemTime::now() - DAY).into();
        params.not_after = (SystemTime::now() + 30 * DAY).into();
        let certificate = params.signed_by(&key, &issuer)?;
        Ok(Authority { root: issuer.pem(), server: Tls { certificates: certificate.pem(), key: key.serialize_pem() } })
    }
}
