//! Who may connect: the token of the CONNECT payload, and every way of getting it wrong.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value};

use crate::mock::{Fault, Faults, gateway::Transport};

/// Verifies tokens: JWTs signed with HS256 (RFC 7519; fixed algorithm as RFC 8725, 3.1 asks).
pub struct Auth {
    key: DecodingKey,
    faults: Faults,
}

/// What becomes of a CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is accepted; the user is the token's `sub`, where there is one.
    Admit(Option<String>),
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
    pub fn new(secret: &str, faults: Faults) -> Auth {
        Auth { key: DecodingKey::from_secret(secret.as_bytes()), faults }
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
            return Verdict::Admit(None);
        }
        self.unless(Fault::AcceptsMissingToken)
    }

    fn judge_text(&self, token: &str) -> Verdict {
        if let Some(claims) = self.verify(token) {
            if self.faults.has(Fault::RejectsValidToken) {
                return Verdict::Refuse;
            }
            return Verdict::Admit(user(&claims));
        }
        let (form, header, claims) = dissect(token);
        let claims_hs256_in_time = header.get("alg") == Some(&Value::from("HS256")) && in_time(&claims);
        let passes = match form {
            Form::Signed => self.faults.has(Fault::AcceptsAnySignature) && claims_hs256_in_time,
            Form::Stripped => self.faults.has(Fault::AcceptsStrippedSignature) && claims_hs256_in_time,
            Form::Unsigned => self.faults.has(Fault::AcceptsUnsignedToken),
            Form::Malformed if self.faults.has(Fault::DropsMalformedToken) => return Verdict::Drop,
            Form::Malformed => self.faults.has(Fault::AcceptsMalformedToken),
        };
        if passes { Verdict::Admit(user(&claims)) } else { Verdict::Refuse }
    }

    /// The claims of a token that is valid: signed with the secret by HS256, with an `exp` that is not over, and an
    /// `nbf`, if any, that is.
    fn verify(&self, token: &str) -> Option<Map<String, Value>> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        validation.validate_nbf = true;
        // Neither issuer nor audience is part of the default contract.
        validation.validate_aud = false;
        if self.faults.has(Fault::AcceptsExpiredToken) {
            validation.validate_exp = false;
        }
        Some(jsonwebtoken::decode::<Map<String, Value>>(token, &self.key, &validation).ok()?.claims)
    }

    /// Refuses, unless the fault is there.
    fn unless(&self, fault: Fault) -> Verdict {
        if self.faults.has(fault) { Verdict::Admit(None) } else { Verdict::Refuse }
    }
}

fn user(claims: &Map<String, Value>) -> Option<String> {
    claims.get("sub").and_then(Value::as_str).map(str::to_owned)
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
