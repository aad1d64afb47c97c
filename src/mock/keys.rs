//! The key pair of the deployment whose tokens are signed by a private key. It is made anew in each process.

use std::sync::LazyLock;

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::Algorithm;

/// What the pair signs by.
pub const ALGORITHM: Algorithm = Algorithm::ES256;

/// A private key and its public one, as PEM.
pub struct Pair {
    pub private: String,
    pub public: String,
}

/// The one pair of this process.
pub fn pair() -> &'static Pair {
    static PAIR: LazyLock<Pair> = LazyLock::new(|| make().expect("a key of a curve that the library knows"));
    &PAIR
}

fn make() -> Result<Pair, aws_lc_rs::error::Unspecified> {
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let private = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new())?;
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, private.as_ref()).map_err(|_| aws_lc_rs::error::Unspecified)?;
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der()?;
    Ok(Pair { private: pem("PRIVATE KEY", private.as_ref()), public: pem("PUBLIC KEY", public.as_ref()) })
}

/// DER in the form of RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    let base64 = STANDARD.encode(der);
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        text += line;
        text.push('\n');
        rest = tail;
    }
    text + &format!("-----END {label}-----\n")
}
