//! The contract as its merged layers say it, value by value.

use std::path::Path;

use jsonwebtoken::{Algorithm, AlgorithmFamily, EncodingKey};
use serde_json::Value;

use super::{
    Ack, Auth, Carrier, Choices, Contract, Emit, Error, Expect, File, Layers, Pattern, Ping, PrivateMember, Reload,
    ReloadAction, Rest, Rooms, Secret, TokenSource, layers::Merged, users,
};

impl Contract {
    /// As much of it as it takes to reach the endpoint: path, headers and deadline. Secrets for tokens, which a job that
    /// only waits for the deployment need not have, are not asked for.
    ///
    /// # Errors
    /// As [`Contract::load`], for what the file, the environment and the flags say at all.
    pub fn reach<E: Iterator<Item = (String, String)>>(layers: Layers<E>) -> Result<Self, Error> {
        let mut given = Merged::new(layers);
        let contract = Self {
            path: path_of(&given.text("path")),
            base: path_of(&given.text("base")),
            page: page(&given),
            says_where: given.is_given("base") || given.is_given("page"),
            deadline: given.duration("deadline").unwrap_or_default(),
            headers: given.headers("headers"),
            authorities: authorities(&mut given),
            insecure_tls: given.flag("insecure-tls"),
            ..Self::default()
        };
        given.finish()?;
        Ok(contract)
    }

    /// Merges the layers and checks every value. Reads the files that keys name (`auth.secret-file`), and nothing else.
    ///
    /// # Errors
    /// Every mistake found, each with its place: unknown keys and variables, values of the wrong kind, names that a
    /// template does not know, two sources of tokens, a key that does not fit the algorithm, a file that cannot be read.
    pub fn load<E: Iterator<Item = (String, String)>>(layers: Layers<E>) -> Result<Self, Error> {
        let mut given = Merged::new(layers);
        let (auth, pool) = (auth(&mut given), rooms_pool(&mut given));
        let contract = Self {
            path: path_of(&given.text("path")),
            base: path_of(&given.text("base")),
            page: page(&given),
            says_where: given.is_given("base") || given.is_given("page"),
            users: users::resolve(&mut given, &auth, &pool),
            namespace: with_slash(&given.text("namespace")),
            deadline: given.duration("deadline").unwrap_or_default(),
            headers: given.headers("headers"),
            origins: given.texts("origins").iter().map(|origin| origin.trim_end_matches('/').to_owned()).collect(),
            origin: origin(&mut given),
            nodes: nodes(&mut given),
            authorities: authorities(&mut given),
            insecure_tls: given.flag("insecure-tls"),
            client_from: given.optional_text("client-dir").map(|folder| given.resolve("client-dir", &folder)),
            auth,
            ping: given
                .flag("ping.enabled")
                .then(|| Ping { emit: emit(&given, "ping.event", "ping.args"), reply: given.text("ping.reply") }),
            rooms: given.flag("rooms.enabled").then(|| Rooms {
                join: emit(&given, "rooms.join-event", "rooms.join-args"),
                leave: emit(&given, "rooms.leave-event", "rooms.leave-args"),
                send: emit(&given, "rooms.send-event", "rooms.send-args"),
                receive: expect(&given, "rooms.receive-event", "rooms.receive-payload"),
                pool,
                joined_on_connect: given.flag("rooms.joined-on-connect"),
                folds_names: given.text("rooms.names") == "folded",
            }),
            rest: given.flag("rest.enabled").then(|| rest(&given)),
            ack: ack(&mut given),
            choices: Choices {
                guests: given.flag("choices.guests"),
                websocket_only: given.flag("choices.websocket-only"),
                polling_only: given.flag("choices.polling-only"),
                dynamic_namespaces: given.flag("choices.dynamic-namespaces"),
                namespaces: given.texts("choices.namespaces").iter().map(|name| with_slash(name)).collect(),
                private_room: given.optional_text("choices.private-room"),
                private_member: private_member(&mut given),
                idle_limit: given.duration("choices.idle-limit").unwrap_or_default(),
                connect_timeout: given.duration("choices.connect-timeout").unwrap_or_default(),
                ping_interval: given.duration("choices.ping-interval"),
                ping_timeout: given.duration("choices.ping-timeout"),
                max_payload: max_payload(&mut given),
            },
            reload: reload(&mut given),
            waivers: std::mem::take(&mut given.waivers),
            file: given.file.clone().map(|(path, text)| File { path, text }),
        };
        // A comma ends the namespace on the wire, so that such a name could never be asked for.
        if contract.namespace.contains(',') {
            given.reject("namespace", "a namespace cannot hold a comma", "expected a name such as \"/admin\"", None);
        }
        if contract.choices.websocket_only && contract.choices.polling_only {
            let title = "a deployment that is WebSocket-only and polling-only serves nobody";
            given.reject("choices.polling-only", title, "the second", Some("keep one of them".into()));
        }
        given.finish()?;
        Ok(contract)
    }
}

pub(super) fn with_slash(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

fn path_of(path: &str) -> String {
    let path = path.trim_matches('/');
    if path.is_empty() { String::new() } else { format!("/{path}") }
}

/// The rooms that exist, each a text or a number.
fn rooms_pool(given: &mut Merged) -> Vec<Value> {
    const NAME: &str = "rooms.pool";
    let pool = given.array(NAME);
    for (at, room) in pool.iter().enumerate() {
        if !matches!(room, Value::String(_) | Value::Number(_)) {
            given.reject(NAME, format!("`{NAME}`: {room} is no room"), "expected texts or numbers", None);
        } else if pool[..at].contains(room) {
            given.reject(NAME, format!("`{NAME}` has {room} twice"), "each once", None);
        }
    }
    pool
}

fn emit(given: &Merged, event: &str, args: &str) -> Emit {
    Emit { event: given.text(event), args: given.array(args) }
}

fn expect(given: &Merged, event: &str, payload: &str) -> Expect {
    Expect { event: given.text(event), payload: given.value(payload).cloned().map(Pattern::new) }
}

fn method(given: &Merged, name: &str) -> http::Method {
    // One of the table's words, all of which are methods.
    given.text(name).parse().unwrap_or(http::Method::POST)
}

fn nodes(given: &mut Merged) -> Vec<String> {
    let nodes = given.texts("nodes");
    for node in &nodes {
        let parsed = url::Url::parse(node);
        if !parsed.is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
            let title = format!("`nodes`: expected http(s) URLs, found \"{node}\"");
            given.reject("nodes", title, "expected a URL such as \"http://10.0.0.2:3000\"", None);
        }
    }
    nodes.iter().map(|node| node.trim_end_matches('/').to_owned()).collect()
}

/// The page's path, unless there is said to be none.
fn page(given: &Merged) -> Option<String> {
    match given.value("page") {
        Some(Value::Bool(false)) => None,
        Some(page) => Some(with_slash(page.as_str().unwrap_or_default())),
        None => Some(path_of(&given.text("base")) + "/"),
    }
}

fn authorities(given: &mut Merged) -> Option<String> {
    const NAME: &str = "ca-file";
    let file = given.optional_text(NAME)?;
    let text = file_text(given, NAME, &file)?;
    if text.contains("-----BEGIN CERTIFICATE-----") {
        return Some(text);
    }
    let title = format!("{}: {} holds no PEM certificate", given.called(NAME), given.resolve(NAME, &file).display());
    given.reject(NAME, title, "expected -----BEGIN CERTIFICATE-----", None);
    None
}

fn origin(given: &mut Merged) -> Option<String> {
    let text = given.optional_text("origin")?;
    let parsed = url::Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let origin =
        parsed.filter(|url| matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none());
    if origin.is_none() {
        let title = format!("`origin`: expected the origin of a web page, found \"{text}\"");
        given.reject("origin", title, "expected scheme, host and port alone, as \"https://app.example.com\"", None);
    }
    // As browsers write it: in lower case, without the scheme's own port.
    origin.map(|url| url.origin().ascii_serialization())
}

fn rest(given: &Merged) -> Rest {
    let method = method(given, "rest.method");
    let bodiless = method == http::Method::GET || (method == http::Method::DELETE && !given.is_given("rest.body"));
    Rest {
        path: path_of(&given.text("base")) + &with_slash(&given.text("rest.path")),
        headers: given.headers("rest.headers"),
        credentials: given.headers("rest.credentials"),
        body: Some(given.json("rest.body")).filter(|body| !bodiless && !body.is_null()),
        response: Pattern::new(given.json("rest.response")),
        event: expect(given, "rest.event", "rest.payload"),
        method,
    }
}

fn ack(given: &mut Merged) -> Option<Ack> {
    if given.optional_text("ack.event").is_none() {
        for name in ["ack.args", "ack.reply"] {
            if given.is_changed(name) {
                let title = format!("`{name}` is given without `ack.event`");
                given.reject(
                    name,
                    title,
                    "of which event?",
                    Some("give the event that the server acknowledges".into()),
                );
            }
        }
        return None;
    }
    Some(Ack { emit: emit(given, "ack.event", "ack.args"), reply: given.value("ack.reply").cloned().map(Pattern::new) })
}

fn reload(given: &mut Merged) -> Option<Reload> {
    let deadline = given.duration("reload.deadline").unwrap_or_default();
    let chosen = strongest(given, &["reload.command", "reload.url"], "two ways to reload", "give one of the two");
    let action = match chosen? {
        "reload.command" => ReloadAction::Command(given.text("reload.command")),
        _ => {
            let text = given.text("reload.url");
            match url::Url::parse(&text) {
                Ok(url) if matches!(url.scheme(), "http" | "https") => {
                    ReloadAction::Http { method: method(given, "reload.method"), url }
                }
                _ => {
                    let title = format!("`reload.url`: expected an http(s) URL, found \"{text}\"");
                    given.reject("reload.url", title, "expected a URL", None);
                    return None;
                }
            }
        }
    };
    Some(Reload { action, deadline, keeps_connections: given.flag("reload.keeps-connections") })
}

/// Of keys that exclude each other, the one from the strongest layer; two in one layer are a mistake.
fn strongest(given: &mut Merged, names: &[&'static str], title: &str, help: &str) -> Option<&'static str> {
    let rank = names.iter().filter_map(|name| given.rank(name)).max()?;
    let chosen: Vec<&'static str> = names.iter().copied().filter(|name| given.rank(name) == Some(rank)).collect();
    if let [first, second, ..] = chosen.as_slice() {
        let title = format!("{title}: {} and {}", given.called(first), given.called(second));
        given.reject(second, title, "the second", Some(help.to_owned()));
    }
    chosen.first().copied()
}

const SOURCES: &[&str] = &[
    "auth.secret",
    "auth.secret-env",
    "auth.secret-file",
    "auth.private-key-file",
    "auth.private-key-env",
    "auth.token",
    "auth.token-env",
    "auth.token-file",
    "auth.token-command",
];

fn auth(given: &mut Merged) -> Auth {
    let mut algorithm = given.text("auth.algorithm").parse().unwrap_or(Algorithm::HS256);
    let chosen = strongest(given, SOURCES, "two sources of tokens", "keep one of them");
    let source = chosen.and_then(|name| token_source(given, name));
    match (&source, chosen) {
        (Some(TokenSource::PrivateKey(key)), Some(name)) => check_key(given, name, key, algorithm),
        (Some(TokenSource::Secret(_)), Some(name)) if algorithm.family() != AlgorithmFamily::Hmac => {
            let title = format!("{} does not fit auth.algorithm {algorithm:?}", given.called(name));
            let help =
                format!("{algorithm:?} signs with a private key: give auth.private-key-file, or HS256 as algorithm");
            given.reject(name, title, "a secret signs HS256, HS384, HS512 only", Some(help));
        }
        (Some(TokenSource::Token(token)), _) if !given.is_given("auth.algorithm") => {
            // Bad tokens should differ from the ready one in what they are about, not in their algorithm.
            if let Ok(header) = jsonwebtoken::decode_header(token.expose()) {
                algorithm = header.alg;
            }
        }
        _ => {}
    }
    let public =
        strongest(given, &["auth.public-key-file", "auth.public-key-env"], "two public keys", "keep one of them");
    let public_key = public.and_then(|name| secret_text(given, name)).map(|key| key.expose().to_owned());
    if let (Some(key), Some(name)) = (&public_key, public)
        && (!key.contains("-----BEGIN") || key.contains("PRIVATE KEY"))
    {
        let title = format!("{} holds no PEM public key", given.called(name));
        given.reject(name, title, "expected -----BEGIN PUBLIC KEY-----", None);
    }
    Auth {
        carrier: carrier(given),
        token_field: given.text("auth.token-field"),
        algorithm,
        algorithm_declared: matches!(source, Some(TokenSource::Command(_))) && given.is_given("auth.algorithm"),
        claims: given.object("auth.claims"),
        issuer: given.optional_text("auth.issuer"),
        audience: given.optional_text("auth.audience"),
        source,
        public_key,
        login: users::login_call(given, &path_of(&given.text("base"))),
    }
}

/// What carries the token, under a name that it can have there (RFC 9110, 5.1; RFC 6265, 4.1.1).
fn carrier(given: &mut Merged) -> Carrier {
    const NAME: &str = "auth.token-field";
    let named = given.text("auth.carrier");
    let carrier = Carrier::ALL.into_iter().find(|carrier| carrier.name() == named).unwrap_or_default();
    let field = given.text(NAME);
    // A cookie's name is a token, as a header's is.
    let needs_token = matches!(carrier, Carrier::Header | Carrier::Cookie);
    if needs_token && http::HeaderName::try_from(field.as_str()).is_err() {
        let title = format!("{} is no name of a {named}", given.called(NAME));
        given.reject(NAME, title, "letters, digits and dashes only", None);
    }
    carrier
}

fn token_source(given: &mut Merged, name: &'static str) -> Option<TokenSource> {
    if name == "auth.token-command" {
        return Some(TokenSource::Command(given.text(name)));
    }
    let text = secret_text(given, name)?;
    Some(match name {
        "auth.secret" | "auth.secret-env" | "auth.secret-file" => TokenSource::Secret(text),
        "auth.private-key-file" | "auth.private-key-env" => TokenSource::PrivateKey(text),
        _ => TokenSource::Token(Secret::new(text.expose().trim())),
    })
}

fn max_payload(given: &mut Merged) -> Option<u64> {
    const NAME: &str = "choices.max-payload";
    let value = given.value(NAME)?.clone();
    let bytes = value.as_u64().filter(|bytes| *bytes > 0);
    if bytes.is_none() {
        given.reject(NAME, format!("`{NAME}` is {value}"), "expected a positive number of bytes", None);
    }
    bytes
}

fn private_member(given: &mut Merged) -> Option<PrivateMember> {
    let names = ["choices.private-room-claims", "choices.private-room-token-env"];
    let chosen = strongest(given, &names, "two ways to be a member of the private room", "keep one of them")?;
    match chosen {
        "choices.private-room-claims" => Some(PrivateMember::Claims(given.object(chosen))),
        _ => secret_text(given, chosen).map(|token| PrivateMember::Token(Secret::new(token.expose().trim()))),
    }
}

/// The text that a key gives, or that stands in the variable or the file that it names.
fn secret_text(given: &mut Merged, name: &'static str) -> Option<Secret> {
    let value = given.optional_text(name)?;
    let called = given.called(name);
    if name.ends_with("-env") {
        let Some(text) = given.env.get(&value).filter(|text| !text.is_empty()).cloned() else {
            // Not a reason to go on without tokens: the checks that matter most would be skipped unseen.
            let help = format!("set {value}, or take {called} out to test without valid tokens");
            given.reject(name, format!("{called} names {value}, which is not set"), "no such variable", Some(help));
            return None;
        };
        // Variables often hold PEM in one line.
        let is_folded_pem = text.starts_with("-----BEGIN") && !text.contains('\n');
        return Some(Secret::new(if is_folded_pem { text.replace("\\n", "\n") } else { text }));
    }
    if !name.ends_with("-file") {
        return Some(Secret::new(value));
    }
    let text = file_text(given, name, &value)?;
    if name == "auth.public-key-file" {
        return Some(Secret::new(text));
    }
    let text = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    if text.is_empty() {
        let path = given.resolve(name, &value);
        given.reject(name, format!("{called}: {} is empty", path.display()), "an empty file", None);
        return None;
    }
    Some(Secret::new(text))
}

/// What stands in the file that a key names.
fn file_text(given: &mut Merged, name: &str, file: &str) -> Option<String> {
    let path = given.resolve(name, file);
    match read_file(&path) {
        Ok(text) => Some(text),
        Err(reason) => {
            let title = format!("{}: cannot read {}: {reason}", given.called(name), path.display());
            given.reject(name, title, "not readable", None);
            None
        }
    }
}

pub(super) fn read_file(path: &Path) -> Result<String, String> {
    /// A key or token is far smaller; `/dev/zero` is far larger.
    const LIMIT: u64 = 1024 * 1024;
    use std::io::Read;
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(LIMIT + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > LIMIT { Err("larger than 1 MB".to_owned()) } else { Ok(text) }
}

/// The signing key of a PEM private key.
///
/// # Errors
/// What is wrong with it, for the user.
pub(crate) fn signing_key(pem: &str, algorithm: Algorithm) -> Result<EncodingKey, String> {
    let parsed = match algorithm.family() {
        AlgorithmFamily::Rsa => EncodingKey::from_rsa_pem(pem.as_bytes()),
        AlgorithmFamily::Ec => EncodingKey::from_ec_pem(pem.as_bytes()),
        AlgorithmFamily::Ed => EncodingKey::from_ed_pem(pem.as_bytes()),
        AlgorithmFamily::Hmac => return Err(format!("{algorithm:?} signs with a secret, not with a private key")),
    };
    let key = parsed.map_err(|_| format!("not a private key for {algorithm:?}"))?;
    // Only signing tells whether the key's curve or length fits.
    jsonwebtoken::crypto::sign(b"siospec", &key, algorithm)
        .map_err(|_| format!("not a private key for {algorithm:?}"))?;
    Ok(key)
}

fn check_key(given: &mut Merged, name: &'static str, key: &Secret, algorithm: Algorithm) {
    if let Err(reason) = signing_key(key.expose(), algorithm) {
        let help = if key.expose().contains("BEGIN EC PRIVATE KEY") {
            "this is the older SEC 1 form; `openssl pkcs8 -topk8 -nocrypt -in KEY` makes PKCS #8 of it".to_owned()
        } else if key.expose().contains("ENCRYPTED") {
            "the key is encrypted; `openssl pkey -in KEY` writes it without its passphrase".to_owned()
        } else if !key.expose().contains("-----BEGIN") {
            "expected PEM: -----BEGIN PRIVATE KEY-----".to_owned()
        } else {
            "give the key's own algorithm as auth.algorithm (RS256, PS256, ES256, ES384, EdDSA, …)".to_owned()
        };
        given.reject(name, format!("{}: {reason}", given.called(name)), "does not fit auth.algorithm", Some(help));
    }
}
