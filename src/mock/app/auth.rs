//! Who may connect: the token of the CONNECT payload, and every way of getting it wrong.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, SystemTime},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, Validation, jwk::Jwk};
use serde_json::{Map, Value};

use crate::mock::{Fault, Faults, Options, STAFF_ROLE, decoding_key, gateway::Transport};

/// A token that lives for longer than this outlives every connection.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Verifies tokens: JWTs signed with the one algorithm of the deployment (RFC 7519; fixed as RFC 8725, 3.1 asks).
pub struct Auth {
    key: DecodingKey,
    algorithm: Algorithm,
    public_key: Option<String>,
    issuer: Option<String>,
    audience: Option<String>,
    faults: Faults,
}

/// Who a token is for, and for how long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// The token's `sub`, where there is one.
    pub name: Option<String>,
    /// The token's `exp`, where that is a matter of a connection's life.
    pub until: Option<SystemTime>,
    /// Whether the token's `role` opens the private room.
    pub is_staff: bool,
}

/// What becomes of a CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is accepted.
    Admit(User),
    Refuse,
    /// The connection is dropped without an answer.
    Drop,
}

/// What a token is, before anything of it is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// A header, claims and a signature.
    Signed,
    /// A header and claims, and no or an empty signature.
    Stripped,
    /// `alg: none`, in any letter case, with or without a signature.
    Unsigned,
    Malformed,
}

impl Auth {
    pub fn new(options: &Options, faults: Faults) -> Auth {
        let secret = DecodingKey::from_secret(options.jwt_secret.as_bytes());
        // A key that is none was refused when the options were made.
        let public = options
            .jwt_public_key
            .as_ref()
            .and_then(|(pem, algorithm)| Some((decoding_key(pem, *algorithm).ok()?, *algorithm)));
        let (key, algorithm) = public.unwrap_or((secret, Algorithm::HS256));
        Auth {
            key,
            algorithm,
            public_key: options.jwt_public_key.as_ref().map(|(pem, _)| pem.clone()),
            issuer: options.issuer.clone(),
            audience: options.audience.clone(),
            faults,
        }
    }

    /// Whether a REST call may be made with that token.
    pub fn is_valid(&self, token: &str) -> bool {
        self.verify(token).is_some()
    }

    /// Judges the `token` field of a CONNECT payload.
    pub fn judge(&self, token: Option<&Value>, transport: Transport) -> Verdict {
        match token {
            None => self.judge_missing(transport),
            Some(Value::String(token)) if token.is_empty() => self.unless(Fault::AcceptsEmptyToken),
            Some(Value::String(token)) => self.judge_text(token),
            Some(_) if self.faults.has(Fault::DropsNonStringToken) => Verdict::Drop,
            Some(_) => self.unless(Fault::AcceptsNonStringToken),
        }
    }

    fn judge_missing(&self, transport: Transport) -> Verdict {
        if self.faults.has(Fault::AcceptsMissingTokenOnWebsocket) && transport == Transport::Websocket {
            return Verdict::Admit(User::default());
        }
        self.unless(Fault::AcceptsMissingToken)
    }

    fn judge_text(&self, token: &str) -> Verdict {
        if let Some(claims) = self.verify(token) {
            if self.faults.has(Fault::RejectsValidToken) {
                return Verdict::Refuse;
            }
            return Verdict::Admit(self.user(&claims));
        }
        let (form, header, claims) = dissect(token);
        let algorithm = format!("{:?}", self.algorithm);
        let is_in_time = header.get("alg") == Some(&Value::from(algorithm)) && in_time(&claims);
        let passes = match form {
            Form::Signed => self.faults.has(Fault::AcceptsAnySignature) && is_in_time,
            Form::Stripped => self.faults.has(Fault::AcceptsStrippedSignature) && is_in_time,
            Form::Unsigned => self.faults.has(Fault::AcceptsUnsignedToken),
            Form::Malformed if self.faults.has(Fault::DropsMalformedToken) => return Verdict::Drop,
            Form::Malformed => self.faults.has(Fault::AcceptsMalformedToken),
        };
        if passes { Verdict::Admit(self.user(&claims)) } else { Verdict::Refuse }
    }

    /// The claims of a token that is valid: signed with the deployment's key and algorithm, for its audience, by its
    /// issuer, with an `exp` that is not over, and an `nbf`, if any, that is.
    fn verify(&self, token: &str) -> Option<Map<String, Value>> {
        let mut validation = Validation::new(self.algorithm);
        validation.leeway = 0;
        validation.validate_nbf = !self.faults.has(Fault::AcceptsEarlyToken);
        validation.validate_exp = !self.faults.has(Fault::AcceptsExpiredToken);
        validation.validate_aud = false;
        if let Some(issuer) = self.issuer.as_ref().filter(|_| !self.faults.has(Fault::AcceptsAnyIssuer)) {
            validation.set_issuer(&[issuer]);
            validation.required_spec_claims.insert("iss".to_owned());
        }
        if let Some(audience) = self.audience.as_ref().filter(|_| !self.faults.has(Fault::AcceptsAnyAudience)) {
            validation.validate_aud = true;
            validation.set_audience(&[audience]);
            validation.required_spec_claims.insert("aud".to_owned());
        }
        if self.faults.has(Fault::AcceptsMissingExp) && !dissect(token).2.contains_key("exp") {
            validation.validate_exp = false;
            validation.required_spec_claims.remove("exp");
        }
        if self.faults.has(Fault::AcceptsOtherHmac) && self.algorithm.family() == AlgorithmFamily::Hmac {
            validation.algorithms = vec![Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
        }
        let claims = |key: &DecodingKey, validation: &Validation| {
            Some(jsonwebtoken::decode::<Map<String, Value>>(token, key, validation).ok()?.claims)
        };
        claims(&self.key, &validation).or_else(|| {
            let (key, algorithm) = self.key_by_header(token)?;
            validation.algorithms = vec![algorithm];
            claims(&key, &validation)
        })
    }

    /// With the faults by which the token's own header chooses what it is verified with: that key and algorithm.
    fn key_by_header(&self, token: &str) -> Option<(DecodingKey, Algorithm)> {
        let (_, header, _) = dissect(token);
        if let Some(pem) = &self.public_key
            && self.faults.has(Fault::AcceptsPublicKeyAsSecret)
            && header.get("alg") == Some(&Value::from("HS256"))
        {
            return Some((DecodingKey::from_secret(pem.as_bytes()), Algorithm::HS256));
        }
        if let Some(jwk) = header.get("jwk")
            && self.faults.has(Fault::TrustsEmbeddedKey)
        {
            let jwk: Jwk = serde_json::from_value(jwk.clone()).ok()?;
            return Some((DecodingKey::from_jwk(&jwk).ok()?, self.algorithm));
        }
        if let Some(url) = header.get("jku").and_then(Value::as_str)
            && (self.faults.has(Fault::TrustsNamedKeySet) || self.faults.has(Fault::AsksNamedKeySet))
        {
            let jwk = fetch_key(url).filter(|_| self.faults.has(Fault::TrustsNamedKeySet))?;
            return Some((DecodingKey::from_jwk(&jwk).ok()?, self.algorithm));
        }
        // Files are not really read: this one is empty everywhere.
        let path = header.get("kid").and_then(Value::as_str)?;
        (self.faults.has(Fault::TrustsKeyPath) && path.ends_with("/dev/null"))
            .then(|| (DecodingKey::from_secret(b""), self.algorithm))
    }

    fn user(&self, claims: &Map<String, Value>) -> User {
        let is_looked_at =
            ![Fault::OutlivesToken, Fault::AcceptsExpiredToken].iter().any(|fault| self.faults.has(*fault));
        let expiry = claims.get("exp").and_then(Value::as_f64).filter(|_| is_looked_at);
        let now = SystemTime::now();
        let until = expiry.and_then(|expiry| {
            let after_epoch = Duration::try_from_secs_f64(expiry).ok()?;
            SystemTime::UNIX_EPOCH.checked_add(after_epoch).filter(|until| *until < now + FOR_EVER)
        });
        let is_staff = claims.get("role").and_then(Value::as_str) == Some(STAFF_ROLE);
        User { name: claims.get("sub").and_then(Value::as_str).map(str::to_owned), until, is_staff }
    }

    /// Refuses, unless the fault is there.
    fn unless(&self, fault: Fault) -> Verdict {
        if self.faults.has(fault) { Verdict::Admit(User::default()) } else { Verdict::Refuse }
    }
}

/// The first key of the set at that address, which must be on this machine: a fault is no reason to ask anybody else.
fn fetch_key(url: &str) -> Option<Jwk> {
    const PATIENCE: Option<Duration> = Some(Duration::from_secs(1));
    const LARGEST: u64 = 64 << 10;
    let (address, path) = url.strip_prefix("http://")?.split_once('/')?;
    let address: SocketAddr = address.parse().ok().filter(|address: &SocketAddr| address.ip().is_loopback())?;
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(PATIENCE).ok()?;
    write!(stream, "GET /{path} HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.take(LARGEST).read_to_string(&mut answer).ok()?;
    let mut set: Value = serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()?;
    serde_json::from_value(set["keys"][0].take()).ok()
}

fn in_time(claims: &Map<String, Value>) -> bool {
    let now = jsonwebtoken::get_current_timestamp() as f64;
    let is_over = |name| claims.get(name).and_then(Value::as_f64).map(|time| time <= now);
    is_over("exp") == Some(false) && is_over("nbf") != Some(false)
}

/// Takes a token apart without verifying anything: its form, its header and its claims as far as they parse.
fn dissect(token: &str) -> (Form, Map<String, Value>, Map<String, Value>) {
    let bytes = |segment: &str| URL_SAFE_NO_PAD.decode(segment).ok().filter(|bytes| !bytes.is_empty());
    let object = |segment: &str| serde_json::from_slice::<Map<String, Value>>(&bytes(segment)?).ok();

    let segments: Vec<&str> = token.splitn(4, '.').collect();
    let (header, claims, signature) = match segments[..] {
        [header, claims] => (header, claims, ""),
        [header, claims, signature] => (header, claims, signature),
        _ => return (Form::Malformed, Map::new(), Map::new()),
    };
    let (Some(header), Some(_)) = (object(header), bytes(claims)) else {
        return (Form::Malformed, Map::new(), Map::new());
    };
    let claims = object(claims).unwrap_or_default();
    let unsigned = header.get("alg").and_then(Value::as_str).is_some_and(|alg| alg.eq_ignore_ascii_case("none"));
    let form = match signature {
        _ if unsigned => Form::Unsigned,
        "" => Form::Stripped,
        _ if bytes(signature).is_some() => Form::Signed,
        _ => Form::Malformed,
    };
    (form, header, claims)
}
