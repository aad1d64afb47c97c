//! Tokens, good and bad: what a server must let in, and every way in which it must not.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures::future::join_all;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, AlgorithmFamily, EncodingKey};
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};
use tokio::io::AsyncReadExt;
use tokio::sync::OnceCell;

use crate::contract::{
    Auth, Carrier, Contract, KnownUser, Secret, TOKEN_COMMAND_DEADLINE, TOKEN_COMMAND_OUTPUT, TokenSource, UserSource,
    Vars, signing_key, template,
};
use crate::message::Message;
use crate::redact::Redactor;
use crate::shell;
use crate::wire::{Carried, Endpoint};

/// How long a valid token is valid, and by how much a bad one misses its time.
const HOUR: i64 = 3600;

/// The `kid` of the key that forged tokens are signed with.
const FORGERS_KEY: &str = "siospec";

/// After this a kept token is made anew: a long run must not end with tokens that run out.
const REUSE: Duration = Duration::from_secs(20 * 60);

/// After this a token that could not be had is asked for again, and one that seems to have run out.
const UNTIL_NEXT_TRY: Duration = Duration::from_secs(10);

/// Why there is no token. The text is for the user and holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// The command of `auth.token-command` failed, hung, or printed something else.
    Command(Message),
    /// A user could not log in.
    Login {
        /// Which one.
        user: String,
        /// What came of it.
        how: Message,
    },
    /// Signing failed.
    Signing {
        /// The algorithm asked for.
        algorithm: Algorithm,
        /// What the library said.
        reason: String,
    },
    /// A specially made token needs the secret or the private key.
    NoKey,
}

spoken!(TokenError);

impl TokenError {
    /// Why there is none, in words.
    pub fn message(&self) -> Message {
        match self {
            TokenError::Command(how) => say!("auth.token-command {how}", how),
            TokenError::Login { user, how } => say!("{user} cannot log in: {how}", user, how),
            TokenError::Signing { algorithm, reason } => {
                say!("cannot sign with {algorithm}: {reason}", algorithm = format!("{algorithm:?}"), reason)
            }
            TokenError::NoKey => {
                "the token needs the signing secret or key (auth.secret-env, auth.private-key-file)".into()
            }
        }
    }
}

/// The maker of tokens for one run. Clones share everything; each text that it makes is registered with the redactor.
#[derive(Clone)]
pub struct Tokens {
    shared: Arc<Shared>,
}

struct Shared {
    auth: Auth,
    redactor: Redactor,
    printed: OnceCell<Result<String, TokenError>>,
    users: Vec<Known>,
    /// By which users log in.
    endpoint: OnceLock<Endpoint>,
    own_key: Option<EncodingKey>,
    foreign_key: OnceLock<Result<EncodingKey, TokenError>>,
    made: Mutex<HashMap<String, (Instant, String)>>,
}

/// A user that the deployment knows.
struct Known {
    user: KnownUser,
    /// Its token of its own source, and when that is to be had anew.
    token: tokio::sync::Mutex<Option<(Instant, Result<String, TokenError>)>>,
    /// The last such token.
    last: Mutex<Option<String>>,
}

impl Tokens {
    /// A maker of tokens as the contract describes them.
    pub fn new(contract: &Contract, redactor: Redactor) -> Self {
        let auth = &contract.auth;
        let own_key = match &auth.source {
            Some(TokenSource::Secret(secret)) if auth.algorithm.family() == AlgorithmFamily::Hmac => {
                redactor.conceal(secret.expose(), "HMAC secret");
                Some(EncodingKey::from_secret(secret.expose().as_bytes()))
            }
            // Checked when the contract was loaded; a key that does not fit counts as none.
            Some(TokenSource::PrivateKey(pem)) => signing_key(pem.expose(), auth.algorithm).ok(),
            _ => None,
        };
        Self {
            shared: Arc::new(Shared {
                auth: auth.clone(),
                redactor,
                printed: OnceCell::new(),
                users: contract.users.iter().cloned().map(Known::new).collect(),
                endpoint: OnceLock::new(),
                own_key,
                foreign_key: OnceLock::new(),
                made: Mutex::new(HashMap::new()),
            }),
        }
    }

    /// Whether there is any way to a valid token.
    pub fn has_source(&self) -> bool {
        let users = &self.shared.users;
        self.shared.auth.source.is_some()
            || (!users.is_empty() && users.iter().all(|known| known.user.source.is_some()))
    }

    /// The users that the deployment knows; none where it takes any.
    pub fn users(&self) -> impl ExactSizeIterator<Item = &KnownUser> {
        self.shared.users.iter().map(|known| &known.user)
    }

    /// Lets users log in there.
    pub fn log_in_at(&self, endpoint: Endpoint) {
        let _ = self.shared.endpoint.set(endpoint);
    }

    /// The known user of that name; where users are declared and none has it, the first.
    fn known(&self, client: &str) -> Option<&Known> {
        let users = &self.shared.users;
        users.iter().find(|known| known.user.name == client).or(users.first())
    }

    /// Whether the signing secret or key is known, so that tokens with chosen faults can be made.
    pub fn can_mint(&self) -> bool {
        self.shared.own_key.is_some()
    }

    /// Runs the command that prints tokens, where there is one, so that bad tokens are made after a real one. Why it failed
    /// is said by each check that needs a valid token.
    ///
    /// So are the tokens of the known users that have a source of their own.
    pub async fn prepare(&self) {
        let _ = self.valid("siospec").await;
        join_all(self.users().map(|user| self.valid(&user.name))).await;
    }

    /// The signature algorithm: the declared one, or that of the ready token.
    pub fn algorithm(&self) -> Algorithm {
        let auth = &self.shared.auth;
        let printed = self.shared.printed.get().filter(|_| !auth.algorithm_declared);
        let of_all = printed.and_then(|token| jsonwebtoken::decode_header(token.as_deref().ok()?).ok());
        let own = || {
            let users = self.shared.users.iter().filter(|_| auth.source.is_none());
            users.filter_map(Known::last).find_map(|token| jsonwebtoken::decode_header(token).ok())
        };
        let header = of_all.or_else(own);
        header.map_or(auth.algorithm, |header| header.alg)
    }

    /// The payload of a CONNECT packet with this token, `{"token": …}`.
    pub fn connect_payload(&self, token: Value) -> Value {
        let mut payload = Map::new();
        payload.insert(self.shared.auth.token_field.clone(), token);
        Value::Object(payload)
    }

    /// What carries tokens.
    pub fn carrier(&self) -> Carrier {
        self.shared.auth.carrier
    }

    /// Whether what carries tokens can carry that one: a header and a cookie hold some characters only (RFC 9110, 5.5;
    /// RFC 6265, 4.1.1).
    pub fn can_carry(&self, token: &str) -> bool {
        self.carrier() == Carrier::Payload || self.carried(token).is_some()
    }

    /// That token as requests carry it. `None` where the CONNECT payload does, or no request can.
    pub fn carried(&self, token: &str) -> Option<Carried> {
        let field = &self.shared.auth.token_field;
        let is_cookie_octet = |c: char| c.is_ascii_graphic() && !"\",;\\".contains(c);
        match self.carrier() {
            Carrier::Payload => None,
            Carrier::Header => {
                let name = HeaderName::try_from(field.as_str()).ok()?;
                let value = if name == AUTHORIZATION { format!("Bearer {token}") } else { token.to_owned() };
                let mut value = HeaderValue::try_from(value).ok()?;
                value.set_sensitive(true);
                Some(Carried::Header(name, value))
            }
            Carrier::Cookie => {
                token.chars().all(is_cookie_octet).then(|| Carried::Cookie(field.clone(), Secret::new(token)))
            }
            Carrier::Query => Some(Carried::Query(field.clone(), Secret::new(token))),
        }
    }

    /// A valid token as every request carries it, but those of a client that has another, or none.
    pub async fn carried_by_default(&self) -> Option<Carried> {
        if self.carrier() == Carrier::Payload {
            return None;
        }
        self.carried(&self.valid("siospec").await.ok().flatten()?)
    }

    /// What requests carry of these credentials, and what is left of them for the CONNECT payload.
    pub fn part(&self, credentials: Option<Value>) -> (Option<Carried>, Option<Value>) {
        if self.carrier() == Carrier::Payload {
            return (None, credentials);
        }
        let Some(Value::Object(mut payload)) = credentials else { return (None, credentials) };
        let token = payload.remove(&self.shared.auth.token_field);
        let carried = token.as_ref().and_then(Value::as_str).and_then(|token| self.carried(token));
        (carried, (!payload.is_empty()).then_some(Value::Object(payload)))
    }

    /// A token that the server must accept; `None` when there is no source of any. A ready token, and one that a command
    /// prints, is the same for every client.
    ///
    /// # Errors
    /// The command failed, or signing did.
    pub async fn valid(&self, client: &str) -> Result<Option<String>, TokenError> {
        let known = self.known(client);
        let client = known.map_or(client, |known| &known.user.name);
        if let Some(known) = known
            && matches!(known.user.source, Some(UserSource::Token(_) | UserSource::Command(_) | UserSource::Login(_)))
        {
            let token = known.own_token(self).await?;
            return Ok(Some(self.keep(&format!("valid token of {client}"), &token)));
        }
        match &self.shared.auth.source {
            None => Ok(None),
            Some(TokenSource::Token(token)) => Ok(Some(self.keep("valid token", token.expose()))),
            Some(TokenSource::Command(command)) => {
                let printed = self.shared.printed.get_or_init(|| run_command(command)).await;
                printed.clone().map(|token| Some(self.keep("valid token", &token)))
            }
            Some(TokenSource::Secret(_) | TokenSource::PrivateKey(_)) => {
                self.mint(&format!("valid token of {client}"), client, |_| {}).map(Some)
            }
        }
    }

    /// A valid token with these claims beside those of every one.
    ///
    /// # Errors
    /// See [`Tokens::expired`].
    pub fn with_claims(&self, client: &str, more: &Map<String, Value>) -> Result<String, TokenError> {
        let vars = Vars::new().client(client);
        self.mint(&format!("valid token of {client}, with more claims"), client, |claims| {
            claims.extend(more.iter().map(|(name, claim)| (name.clone(), template::render(claim, &vars))));
        })
    }

    /// A token as a valid one, with the declared algorithm, but signed with a key of ours.
    ///
    /// # Errors
    /// Making the key or signing failed.
    pub fn forged(&self, client: &str) -> Result<String, TokenError> {
        self.remember(&format!("forged token of {client}"), || {
            let header = header(self.algorithm());
            sign(&header, &self.claims(client), self.foreign_key()?, self.algorithm())
        })
    }

    /// A valid token with one claim changed and its signature kept; `None` when it is no JSON Web Token.
    pub fn tampered(&self, valid: &str) -> Option<String> {
        let (header, claims, signature) = split(valid)?;
        let mut claims = decode_object(claims)?;
        let claim = if claims.get("sub").is_some_and(Value::is_string) { "sub" } else { "siospec" };
        claims.insert(claim.to_owned(), Value::from("tampered"));
        let token = format!("{header}.{}.{signature}", encode(&Value::Object(claims)));
        Some(self.keep("tampered token", &token))
    }

    /// A valid token with its signature cut off, once with and once without the dot before it; empty when it is no JSON
    /// Web Token.
    pub fn stripped(&self, valid: &str) -> Vec<String> {
        let Some((header, claims, _)) = split(valid) else { return Vec::new() };
        [format!("{header}.{claims}."), format!("{header}.{claims}")]
            .iter()
            .map(|token| self.keep("valid token without its signature", token))
            .collect()
    }

    /// Unsigned tokens, each with the spelling of `none` that its header holds (RFC 8725, sections 3.1 and 3.2).
    pub fn unsigned(&self, client: &str) -> Vec<(&'static str, String)> {
        ["none", "None", "NONE", "nOnE"]
            .into_iter()
            .map(|spelling| {
                let claims = encode(&Value::Object(self.claims(client)));
                let token = format!("{}.{claims}.", encode(&json!({ "alg": spelling, "typ": "JWT" })));
                (spelling, self.keep(&format!("unsigned token alg={spelling}"), &token))
            })
            .collect()
    }

    /// A well-signed token that ran out an hour ago.
    ///
    /// # Errors
    /// [`TokenError::NoKey`], or signing failed; so for all that follow.
    pub fn expired(&self, client: &str) -> Result<String, TokenError> {
        self.mint(&format!("expired token of {client}"), client, |claims| {
            claims.insert("iat".into(), (now() - 2 * HOUR).into());
            claims.insert("exp".into(), (now() - HOUR).into());
            claims.remove("nbf");
        })
    }

    /// A well-signed token whose time begins in an hour (and ends in two).
    ///
    /// # Errors
    /// See [`Tokens::expired`].
    pub fn not_yet_valid(&self, client: &str) -> Result<String, TokenError> {
        self.mint(&format!("not yet valid token of {client}"), client, |claims| {
            claims.insert("nbf".into(), (now() + HOUR).into());
            claims.insert("exp".into(), (now() + 2 * HOUR).into());
        })
    }

    /// A well-signed token that never runs out.
    ///
    /// # Errors
    /// See [`Tokens::expired`].
    pub fn without_expiry(&self, client: &str) -> Result<String, TokenError> {
        self.mint(&format!("never expiring token of {client}"), client, |claims| {
            claims.remove("exp");
        })
    }

    /// A well-signed token that is valid for this long only; made anew at each call. JWTs count in whole seconds, so it
    /// runs out up to a second early.
    ///
    /// # Errors
    /// See [`Tokens::expired`].
    pub fn short_lived(&self, client: &str, life: Duration) -> Result<String, TokenError> {
        let key = self.shared.own_key.as_ref().ok_or(TokenError::NoKey)?;
        let mut claims = self.claims(client);
        claims.insert("exp".into(), now().saturating_add(i64::try_from(life.as_secs()).unwrap_or(i64::MAX)).into());
        let token = sign(&header(self.algorithm()), &claims, key, self.algorithm())?;
        Ok(self.keep(&format!("short-lived token of {client}"), &token))
    }

    /// A well-signed token of another issuer.
    ///
    /// # Errors
    /// See [`Tokens::expired`].
    pub fn wrong_issuer(&self, client: &str) -> Result<String, TokenError> {
        self.mint(&format!("token of a wrong issuer for {client}"), client, |claims| {
            claims.insert("iss".into(), "https://siospec.invalid/issuer".into());
        })
    }

    /// A well-signed token for another audience.
    ///
    /// # Errors
    /// See [`Tokens::expired`].
    pub fn wrong_audience(&self, client: &str) -> Result<String, TokenError> {
        self.mint(&format!("token for a wrong audience of {client}"), client, |claims| {
            claims.insert("aud".into(), "siospec-another-audience".into());
        })
    }

    /// Tokens signed with the right secret and another HMAC algorithm than the declared one; empty when the declared one
    /// is none of HMAC's.
    ///
    /// # Errors
    /// See [`Tokens::expired`].
    pub fn other_hmac(&self, client: &str) -> Result<Vec<(Algorithm, String)>, TokenError> {
        let key = self.shared.own_key.as_ref().ok_or(TokenError::NoKey)?;
        if self.algorithm().family() != AlgorithmFamily::Hmac {
            return Ok(Vec::new());
        }
        let others = [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
        others
            .into_iter()
            .filter(|other| *other != self.algorithm())
            .map(|other| {
                let label = format!("{other:?} token of {client}");
                let token = self.remember(&label, || sign(&header(other), &self.claims(client), key, other))?;
                Ok((other, token))
            })
            .collect()
    }

    /// Whether the public key is known, given or made from the private one, so that [`Tokens::confused`] makes tokens.
    pub fn has_public_key(&self) -> bool {
        !self.public_key_forms().is_empty()
    }

    /// HS256 tokens keyed with the public key, in each form in which a server may hold it (RFC 8725, section 2.1);
    /// empty when the declared algorithm is HMAC, or the public key unknown.
    ///
    /// # Errors
    /// Signing failed.
    pub fn confused(&self, client: &str) -> Result<Vec<(&'static str, String)>, TokenError> {
        self.public_key_forms()
            .into_iter()
            .map(|(what, bytes)| {
                let key = EncodingKey::from_secret(&bytes);
                let label = format!("HS256 token of {client} keyed with the public key, {what}");
                let make = || sign(&header(Algorithm::HS256), &self.claims(client), &key, Algorithm::HS256);
                Ok((what, self.remember(&label, make)?))
            })
            .collect()
    }

    /// The key that forged tokens are signed with, as a JSON Web Key (RFC 7517).
    ///
    /// # Errors
    /// The key cannot be made.
    pub fn forgers_key(&self) -> Result<Value, TokenError> {
        let algorithm = self.algorithm();
        let jwk = Jwk::from_encoding_key(self.foreign_key()?, algorithm).map_err(|e| signing_error(algorithm, &e))?;
        let mut jwk = serde_json::to_value(jwk).unwrap_or_default();
        jwk["kid"] = json!(FORGERS_KEY);
        Ok(jwk)
    }

    /// Tokens whose header tells the server which key to verify with: one of ours (RFC 8725, sections 3.10 and 2.6).
    /// Each with the header field and what it tries. `elsewhere` is an origin that serves a set of the
    /// [forger's key](Tokens::forgers_key).
    ///
    /// # Errors
    /// Signing failed.
    pub fn key_injections(&self, client: &str, elsewhere: &str) -> Result<Vec<(&'static str, String)>, TokenError> {
        let algorithm = self.algorithm();
        let foreign = self.foreign_key()?;
        // `kid` attacks make the server read a key whose content is known: an empty file, a text from a query. Only a
        // symmetric key can be had that way.
        let symmetric = |known: &[u8]| match algorithm.family() {
            AlgorithmFamily::Hmac => EncodingKey::from_secret(known),
            _ => foreign.clone(),
        };
        let named = |field: &str, path: &str| json!({ field: format!("{elsewhere}{path}"), "kid": FORGERS_KEY });
        let cases = [
            ("jwk: the forger's own key", json!({ "jwk": self.forgers_key()? }), foreign.clone()),
            ("jku: a key set elsewhere", named("jku", "/jwks.json"), foreign.clone()),
            ("x5u: a certificate elsewhere", named("x5u", "/cert.pem"), foreign.clone()),
            ("kid: path traversal", json!({ "kid": "../../../../../../../../dev/null" }), symmetric(b"")),
            ("kid: SQL", json!({ "kid": "' UNION SELECT 'siospec' -- " }), symmetric(b"siospec")),
        ];
        cases
            .into_iter()
            .map(|(what, fields, key)| {
                let label = format!("token of {client} with {what}");
                let token = self.remember(&label, || {
                    let mut header = header(algorithm);
                    header.extend(fields.as_object().cloned().unwrap_or_default());
                    sign(&header, &self.claims(client), &key, algorithm)
                })?;
                Ok((what, token))
            })
            .collect()
    }

    /// Texts that are no tokens, each with what it is.
    pub fn malformed(&self) -> Vec<(&'static str, String)> {
        let header = encode(&Value::Object(header(self.algorithm())));
        let claims = encode(&Value::Object(self.claims("a")));
        // Fixed, so that two runs send the same bytes; in the base64url alphabet, so that length alone is odd.
        let noise = "siospec-noise_0123456789-abcdef_".repeat(8 * 1024 / 32);
        [
            ("no JWT at all", "siospec-is-not-a-token".to_owned()),
            ("two segments", format!("{header}.{claims}")),
            (said!("bad base64"), format!("{header}.%%%not-base64%%%.c2lvc3BlYw")),
            ("8 kB of noise", noise),
        ]
        .into_iter()
        .map(|(what, token)| (what, self.keep(&format!("malformed token: {what}"), &token)))
        .collect()
    }

    /// Values in place of a token that are no texts, each with how it reads.
    pub fn wrong_types(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("null", Value::Null),
            ("1", json!(1)),
            ("true", json!(true)),
            ("{}", json!({})),
            ("[]", json!([])),
            (r#"{"toString":1}"#, json!({ "toString": 1 })),
        ]
    }

    /// A token with the declared algorithm and our own key, its claims changed by `change`.
    fn mint(
        &self,
        label: &str,
        client: &str,
        change: impl FnOnce(&mut Map<String, Value>),
    ) -> Result<String, TokenError> {
        let key = self.shared.own_key.as_ref().ok_or(TokenError::NoKey)?;
        self.remember(label, || {
            let mut claims = self.claims(client);
            change(&mut claims);
            sign(&header(self.algorithm()), &claims, key, self.algorithm())
        })
    }

    /// The claims of a valid token of this client.
    fn claims(&self, client: &str) -> Map<String, Value> {
        let auth = &self.shared.auth;
        let mut claims = Map::new();
        let known = self.known(client);
        let client = known.map_or(client, |known| &known.user.name);
        // A ready token knows best what this server wants to see; a bad token then differs in one respect only.
        let own = known.and_then(Known::last);
        let ready = match &auth.source {
            _ if own.is_some() => own.as_deref(),
            Some(TokenSource::Token(token)) => Some(token.expose()),
            Some(TokenSource::Command(_)) => self.shared.printed.get().and_then(|printed| printed.as_deref().ok()),
            _ => None,
        };
        let ready = ready.and_then(split).and_then(|(_, claims, _)| decode_object(claims));
        let declared = ready.is_none();
        if let Some(ready) = ready {
            claims = ready;
        } else {
            let vars = Vars::new().client(client);
            if let Some(issuer) = &auth.issuer {
                claims.insert("iss".into(), issuer.as_str().into());
            }
            if let Some(audience) = &auth.audience {
                claims.insert("aud".into(), audience.as_str().into());
            }
            let own = match known.map(|known| &known.user.source) {
                Some(Some(UserSource::Claims(own))) => Some(own),
                _ => None,
            };
            let all = auth.claims.iter().chain(own.into_iter().flatten());
            claims.extend(all.map(|(name, claim)| (name.clone(), template::render(claim, &vars))));
        }
        for (name, value) in [("iat", now()), ("exp", now() + HOUR)] {
            // A claim of the template is the user's choice; one of a ready token may have run out.
            if !(declared && claims.contains_key(name)) {
                claims.insert(name.into(), value.into());
            }
        }
        claims
    }

    /// A key that the server cannot know, made once per run.
    fn foreign_key(&self) -> Result<&EncodingKey, TokenError> {
        let algorithm = self.algorithm();
        let made = self
            .shared
            .foreign_key
            .get_or_init(|| random_key(algorithm).map_err(|reason| TokenError::Signing { algorithm, reason }));
        made.as_ref().map_err(Clone::clone)
    }

    /// The bytes that a server may hold as its public key.
    fn public_key_forms(&self) -> Vec<(&'static str, Vec<u8>)> {
        let auth = &self.shared.auth;
        if self.algorithm().family() == AlgorithmFamily::Hmac {
            return Vec::new();
        }
        let pem = auth.public_key.clone().or_else(|| {
            let der = public_der(self.shared.own_key.as_ref()?, auth.algorithm)?;
            Some(pem("PUBLIC KEY", &der))
        });
        let Some(pem) = pem else { return Vec::new() };
        let trimmed = pem.trim_end();
        let body: String = trimmed.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
        let mut forms = vec![
            ("PEM with a final line break", format!("{trimmed}\n").into_bytes()),
            ("PEM without a final line break", trimmed.as_bytes().to_vec()),
        ];
        if let Ok(der) = STANDARD.decode(&body) {
            forms.push(("DER", der));
        }
        // A declared file may have line breaks of its own kind.
        if forms.iter().all(|(_, bytes)| bytes != pem.as_bytes()) {
            forms.push(("as the file reads", pem.into_bytes()));
        }
        forms
    }

    /// The token made before under this label, or a new one.
    fn remember(&self, label: &str, make: impl FnOnce() -> Result<String, TokenError>) -> Result<String, TokenError> {
        let mut made = self.shared.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, token)) = made.get(label).filter(|(since, _)| since.elapsed() < REUSE) {
            return Ok(token.clone());
        }
        let token = make()?;
        made.insert(label.to_owned(), (Instant::now(), token.clone()));
        drop(made);
        Ok(self.keep(label, &token))
    }

    fn keep(&self, label: &str, token: &str) -> String {
        self.shared.redactor.conceal(token, label);
        token.to_owned()
    }
}

impl Known {
    fn new(user: KnownUser) -> Known {
        Known { user, token: tokio::sync::Mutex::default(), last: Mutex::default() }
    }

    /// The user's token, had anew where it is about to run out.
    async fn own_token(&self, tokens: &Tokens) -> Result<String, TokenError> {
        // Whoever needs it meanwhile waits for the one that is had.
        let mut kept = self.token.lock().await;
        if let Some((until, token)) = &*kept
            && Instant::now() < *until
        {
            return token.clone();
        }
        let token = match &self.user.source {
            Some(UserSource::Token(token)) => Ok(token.expose().to_owned()),
            Some(UserSource::Command(command)) => run_command(command).await,
            Some(UserSource::Login(body)) => self.log_in(tokens, &body.json).await,
            Some(UserSource::Claims(_)) | None => Err(TokenError::NoKey),
        };
        let life = token.as_deref().map_or(UNTIL_NEXT_TRY, life_of);
        *kept = Some((Instant::now() + life, token.clone()));
        if let Ok(token) = &token {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        }
        token
    }

    /// The last token of its own source.
    fn last(&self) -> Option<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn log_in(&self, tokens: &Tokens, body: &Secret) -> Result<String, TokenError> {
        let failed = |how: Message| TokenError::Login { user: self.user.name.clone(), how };
        let (Some(call), Some(endpoint)) = (&tokens.shared.auth.login, tokens.shared.endpoint.get()) else {
            return Err(failed("nothing says where (auth.login-path)".into()));
        };
        let asked = format!("{} {}", call.method, call.path);
        let headers = Endpoint::content_type("application/json");
        let body = Some(body.expose().to_owned().into());
        // Nobody has a token yet.
        let endpoint = endpoint.labelled("login").carrying(None);
        let answer = endpoint
            .send(call.method.clone(), endpoint.url(&call.path), headers, body, endpoint.deadline())
            .await
            .map_err(|error| failed(say!("{asked}: {error}", asked, error)))?;
        if !answer.is_success() {
            // An answer to a login may hold secrets whatever its status is.
            return Err(failed(say!("{asked} was answered HTTP {status}", asked, status = answer.status)));
        }
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let token = said.pointer(&call.token).and_then(Value::as_str).filter(|token| !token.is_empty());
        // The answer stays out of the reason: the token may be elsewhere in it.
        let missing = || {
            let status = answer.status;
            say!(
                "{asked} was answered {status}, without a token at {place} (auth.login-token)",
                asked,
                status,
                place = call.token
            )
        };
        token.map(str::to_owned).ok_or_else(|| failed(missing()))
    }
}

/// How long a token is used: until half of its life is over, where it tells.
fn life_of(token: &str) -> Duration {
    let expires = split(token).and_then(|(_, claims, _)| decode_object(claims)?.get("exp")?.as_i64());
    let left =
        expires.map(|expires| Duration::from_secs(u64::try_from(expires.saturating_sub(now())).unwrap_or_default()));
    left.map_or(REUSE, |left| (left / 2).clamp(UNTIL_NEXT_TRY, REUSE))
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Tokens").field("auth", &self.shared.auth).finish_non_exhaustive()
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn header(algorithm: Algorithm) -> Map<String, Value> {
    // `Debug` gives the registered names (RFC 7518, section 3.1).
    Map::from_iter([("alg".to_owned(), format!("{algorithm:?}").into()), ("typ".to_owned(), "JWT".into())])
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// Header, claims and signature of a JWT in compact form.
fn split(token: &str) -> Option<(&str, &str, &str)> {
    let mut parts = token.split('.');
    let found = (parts.next()?, parts.next()?, parts.next()?);
    parts.next().is_none().then_some(found)
}

fn decode_object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// Signs in compact form (RFC 7515, section 7.1). By hand, since the library's headers cannot hold what attackers write.
fn sign(
    header: &Map<String, Value>,
    claims: &Map<String, Value>,
    key: &EncodingKey,
    algorithm: Algorithm,
) -> Result<String, TokenError> {
    let content = format!("{}.{}", encode(&Value::Object(header.clone())), encode(&Value::Object(claims.clone())));
    let signature = jsonwebtoken::crypto::sign(content.as_bytes(), key, algorithm)
        .map_err(|error| signing_error(algorithm, &error))?;
    Ok(format!("{content}.{signature}"))
}

fn signing_error(algorithm: Algorithm, error: &jsonwebtoken::errors::Error) -> TokenError {
    TokenError::Signing { algorithm, reason: error.to_string() }
}

/// A fresh key for the algorithm. RSA takes some tens of milliseconds, the others nothing worth counting.
fn random_key(algorithm: Algorithm) -> Result<EncodingKey, String> {
    let failed = |_| "no key could be made".to_owned();
    match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => {
            let mut secret = [0; 64];
            aws_lc_rs::rand::fill(&mut secret).map_err(failed)?;
            Ok(EncodingKey::from_secret(&secret))
        }
        Algorithm::ES256 | Algorithm::ES384 => {
            let curve = match algorithm {
                Algorithm::ES256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
                _ => &ECDSA_P384_SHA384_FIXED_SIGNING,
            };
            let der = EcdsaKeyPair::generate_pkcs8(curve, &SystemRandom::new()).map_err(failed)?;
            Ok(EncodingKey::from_ec_der(der.as_ref()))
        }
        Algorithm::EdDSA => {
            // Version 1, without the public key: the library knows Ed25519 by the length of that form.
            let der = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).map_err(failed)?;
            Ok(EncodingKey::from_ed_der(der.as_ref()))
        }
        _ => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
            let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(failed)?;
            // The library takes RSA keys in the older PKCS #1 form and unwraps PKCS #8 only from PEM.
            let pem = pem("PRIVATE KEY", der.as_ref());
            EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|error| error.to_string())
        }
    }
}

/// The public key (SubjectPublicKeyInfo) of a private one.
fn public_der(key: &EncodingKey, algorithm: Algorithm) -> Option<Vec<u8>> {
    let bytes = key.as_bytes();
    let der: PublicKeyX509Der<'_> = match algorithm.family() {
        AlgorithmFamily::Hmac => return None,
        AlgorithmFamily::Rsa => RsaKeyPair::from_der(bytes).ok()?.public_key().as_der().ok()?,
        AlgorithmFamily::Ec => {
            let curve = match algorithm {
                Algorithm::ES256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
                _ => &ECDSA_P384_SHA384_FIXED_SIGNING,
            };
            EcdsaKeyPair::from_pkcs8(curve, bytes).ok()?.public_key().as_der().ok()?
        }
        AlgorithmFamily::Ed => Ed25519KeyPair::from_pkcs8(bytes).ok()?.public_key().as_der().ok()?,
    };
    Some(der.as_ref().to_vec())
}

/// PEM in lines of 64 (RFC 7468, section 2), as OpenSSL writes it.
fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = more;
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

/// Runs a shell command that prints one token.
async fn run_command(command: &str) -> Result<String, TokenError> {
    // What was printed stays out of every reason: it may be a token.
    let failed = TokenError::Command;
    // What it says on standard error may be the way out, and may be secret, so nothing keeps it.
    let mut child = shell::command(command)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(say!("did not start: {error}", error)))?;
    let mut printed = Vec::new();
    let finish = async {
        if let Some(stdout) = child.stdout.take() {
            // One byte more than allowed tells too much from just enough; the pipe then closes and the command ends.
            let mut bounded = stdout.take(TOKEN_COMMAND_OUTPUT as u64 + 1);
            bounded.read_to_end(&mut printed).await?;
        }
        child.wait().await
    };
    let status = match tokio::time::timeout(TOKEN_COMMAND_DEADLINE, finish).await {
        Err(_) => return Err(failed(say!("did not end within {time}", time = TOKEN_COMMAND_DEADLINE))),
        Ok(Err(error)) => return Err(failed(say!("could not be read: {error}", error))),
        Ok(Ok(status)) => status,
    };
    if printed.len() > TOKEN_COMMAND_OUTPUT {
        return Err(failed(say!("printed more than {bytes} bytes; expected one token", bytes = TOKEN_COMMAND_OUTPUT)));
    }
    let text = String::from_utf8_lossy(&printed);
    let token = text.trim();
    if !status.success() {
        return Err(failed(say!("failed with {status}", status)));
    }
    if token.is_empty() {
        return Err(failed("printed nothing; expected one token".into()));
    }
    if token.contains(char::is_whitespace) {
        return Err(failed("printed more than one word; expected one token and nothing else".into()));
    }
    Ok(token.to_owned())
}
