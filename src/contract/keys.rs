//! The one table of keys. The file's parser, the flags, the environment variables, the commented file and the
//! documentation are all made from it, so that a key cannot be in one and missing in another.

use clap::{Arg, ArgAction, ArgMatches};

use serde_json::Value;

use super::layers;
use super::template::{ANY, CLIENT, MESSAGE, ROOM, TOKEN};

/// What a key's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text but the empty one.
    Text,
    /// A text that must not be shown.
    SecretText,
    /// A shell command, which may hold a secret.
    Command,
    /// The path part of a URL.
    UrlPath,
    /// The path part of a URL, or `false` for none.
    UrlPathOrFalse,
    /// The path part of a URL, with a query if need be.
    UrlTarget,
    /// `true` or `false`.
    Bool,
    /// A length of time with its unit, as `5s` or `1m 30s`.
    Duration,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// A list of texts; outside the file also comma-separated.
    Texts,
    /// Names and texts; outside the file JSON, or `Name: value` lines. Values are secret.
    Headers,
    /// A JSON array.
    Array,
    /// A JSON object.
    Object,
    /// Any JSON value.
    Json,
}

impl Kind {
    /// The value's name in a usage line.
    pub fn placeholder(self) -> &'static str {
        match self {
            Kind::Text => "TEXT",
            Kind::SecretText => "SECRET",
            Kind::Command => "COMMAND",
            Kind::UrlPath | Kind::UrlTarget => "PATH",
            Kind::UrlPathOrFalse => "PATH|false",
            Kind::Bool => "BOOL",
            Kind::Duration => "DURATION",
            Kind::Choice(_) => "NAME",
            Kind::Texts => "LIST",
            Kind::Headers => "HEADERS",
            Kind::Array | Kind::Object | Kind::Json => "JSON",
        }
    }

    /// Whether messages must not quote the value.
    pub fn is_secret(self) -> bool {
        matches!(self, Kind::SecretText | Kind::Command | Kind::Headers)
    }
}

/// One key of the contract.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its dotted name, `rest.path`.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// The default as a TOML value; `None` when there is none.
    pub default: Option<&'static str>,
    /// For keys without a default, what a value looks like (TOML).
    pub example: Option<&'static str>,
    /// One line, no full stop.
    pub help: &'static str,
    /// What one line cannot say; may be empty.
    pub about: &'static str,
    /// Whether `-h` shows the flag; `--help` shows all.
    pub common: bool,
    /// The template names its texts may hold.
    pub vars: &'static [&'static str],
}

impl Key {
    /// The flag without its dashes: `rest-path`. That of a list of nodes is given once for each: `node`.
    pub fn flag(&self) -> String {
        if self.name == NODES { "node".to_owned() } else { self.name.replace('.', "-") }
    }

    /// The environment variable: `SIOSPEC_REST_PATH`.
    pub fn variable(&self) -> String {
        format!("{ENV_PREFIX}{}", self.name.replace(['.', '-'], "_").to_ascii_uppercase())
    }

    /// The table it stands in; empty for the top of the file.
    pub fn section(&self) -> &'static str {
        self.name.split_once('.').map_or("", |(section, _)| section)
    }

    /// Its name inside that table.
    pub fn short(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(_, short)| short)
    }
}

/// The key whose flag is named after one item.
const NODES: &str = "nodes";

/// What every variable of ours begins with.
pub const ENV_PREFIX: &str = "SIOSPEC_";

/// Variables of ours that are no part of the contract.
pub const RESERVED_VARIABLES: [&str; 6] = [
    "SIOSPEC_TARGET_URL",
    "SIOSPEC_REQUIRE",
    "SIOSPEC_CONFIG",
    "SIOSPEC_JWT_SECRET",
    "SIOSPEC_REDIS",
    "SIOSPEC_ALLOW_INCOMPLETE",
];

/// The signature algorithms that `auth.algorithm` accepts (RFC 7518, RFC 8037).
pub const ALGORITHMS: &[&str] =
    &["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

/// The tables of the file, in its order, each with what it is about.
pub const SECTIONS: &[(&str, &str)] = &[
    (
        "auth",
        "How a client proves who it is: a token, in the payload of the CONNECT packet unless another carrier is declared.",
    ),
    ("ping", "The event that the server answers, to the sender alone."),
    ("rooms", "How a client joins a room, leaves it, sends to it and hears from it."),
    ("rest", "The HTTP route that makes the server emit to every client."),
    ("ack", "An event that the server acknowledges. None is assumed."),
    ("choices", "What this deployment does on purpose, so that it is not reported as a failure."),
    ("reload", "How to make the running server reload its code (hot module replacement, a restart)."),
];

const NO_VARS: &[&str] = &[];
const EMIT: &[&str] = &[ROOM, MESSAGE, CLIENT];
const PATTERN: &[&str] = &[ROOM, MESSAGE, CLIENT, ANY];
const CALL: &[&str] = &[ROOM, MESSAGE, CLIENT, TOKEN];

const fn key(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Key {
    Key { name, kind, default: Some(default), example: None, help, about: "", common: false, vars: NO_VARS }
}

const fn open(name: &'static str, kind: Kind, example: &'static str, help: &'static str) -> Key {
    Key { name, kind, default: None, example: Some(example), help, about: "", common: false, vars: NO_VARS }
}

impl Key {
    const fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    const fn vars(mut self, vars: &'static [&'static str]) -> Self {
        self.vars = vars;
        self
    }

    const fn common(mut self) -> Self {
        self.common = true;
        self
    }
}

/// Every key, in the order of the file.
pub const KEYS: &[Key] = &[
    key("path", Kind::UrlPath, r#""/socket.io""#, "Path of the Socket.IO endpoint, as in `new Server({ path })`").common(),
    key("base", Kind::UrlPath, r#""/""#, "Path that the application lives below: Nuxt's `app.baseURL`")
        .about("The page, the API's routes and `rest.path` are below it. `path` is the endpoint's as a whole, as clients give it."),
    open("page", Kind::UrlPathOrFalse, r#""/app/""#, "Path of the application's page, or false where none is served here")
        .about("Unless given, it is `base`."),
    key("namespace", Kind::UrlPath, r#""/""#, "Namespace that the checks connect to").common(),
    key("deadline", Kind::Duration, r#""5s""#, "How long one answer may take; what comes later has failed").common(),
    key("headers", Kind::Headers, "{}", "Headers sent with every HTTP request, the WebSocket's included")
        .about("A cookie, basic auth of a staging site. Values are hidden in every report. Outside the file: a JSON object, or `Name: value`, one per line."),
    key("origins", Kind::Texts, "[]", "Foreign origins that the deployment lets in (CORS)")
        .about("Each must get exactly its own Access-Control-Allow-Origin. Empty: pages of the deployment's own origin only."),
    open("origin", Kind::Text, r#""https://app.example.com""#, "Origin of the deployment's own pages, where it is not the target's")
        .about("Browsers send it with every POST and every WebSocket handshake, and so does siospec. Set it when the \
                app allows its public origin only and is tested at another address."),
    key(NODES, Kind::Texts, "[]", "Base URLs of further nodes of this deployment")
        .about("What is emitted on one node must then arrive on the others, once. The flag may be given several times."),
    open("ca-file", Kind::Text, r#""ca.pem""#, "File with certificates (PEM) of authorities to trust beside the platform's")
        .about("For a private CA. Relative to the contract's file. On Linux, the environment variable SSL_CERT_FILE \
                replaces the platform's certificates."),
    key("insecure-tls", Kind::Bool, "false", "Do not verify the target's certificate")
        .about("For a self-signed certificate. Checks that depend on the certificate are then not judged."),
    open("client-dir", Kind::Text, r#""app""#, "Folder from which Node finds the socket.io-client to test with")
        .about("For interop.socket-io-client. Relative to the contract's file. Default: the current directory, which \
                is right when siospec runs in the project whose page uses that client."),
    // auth
    key("auth.carrier", Kind::Choice(&["payload", "header", "cookie", "query"]), r#""payload""#, "What carries the token to the server")
        .about("The CONNECT payload (`socket.handshake.auth`) is the recommended place. As \"header\", \"cookie\" or \"query\" every request carries it, from the handshake on; an Authorization header as `Bearer …`."),
    key("auth.token-field", Kind::Text, r#""token""#, "Name of the field of the CONNECT payload that holds the token")
        .about("With another auth.carrier: the name of the header, the cookie, or the query parameter."),
    key("auth.algorithm", Kind::Choice(ALGORITHMS), r#""HS256""#, "Signature algorithm of the tokens")
        .about("HS* needs a secret, the others a private key. For a ready token it is read from its header unless given."),
    key("auth.claims", Kind::Object, r#"{ sub = "{{client}}" }"#, "Claims of a valid token")
        .about("iat, exp (in an hour), iss and aud are added.")
        .vars(&[CLIENT]),
    open("auth.issuer", Kind::Text, r#""https://example.com""#, "Issuer (iss) that the server insists on"),
    open("auth.audience", Kind::Text, r#""web""#, "Audience (aud) that the server insists on"),
    open("auth.secret", Kind::SecretText, r#""…""#, "HMAC secret that signs the tokens")
        .common()
        .about("Better from a variable or a file. With the secret or key, siospec makes its own tokens, also expired ones; give one source of tokens only."),
    open("auth.secret-env", Kind::Text, r#""JWT_SECRET""#, "Variable that holds the HMAC secret").common(),
    open("auth.secret-file", Kind::Text, r#""secret.txt""#, "File that holds the HMAC secret")
        .about("Relative to the contract's file. One final line break is not part of the secret."),
    open("auth.private-key-file", Kind::Text, r#""private.pem""#, "File with the private key that signs the tokens (PEM)"),
    open("auth.private-key-env", Kind::Text, r#""JWT_PRIVATE_KEY""#, "Variable that holds that private key (PEM)")
        .about("`\\n` written out counts as a line break."),
    open("auth.public-key-file", Kind::Text, r#""public.pem""#, "File with the public key that the server verifies with (PEM)")
        .about("For auth.algorithm-confusion. Made from the private key when not given; give it when the server's file differs in form."),
    open("auth.public-key-env", Kind::Text, r#""JWT_PUBLIC_KEY""#, "Variable that holds that public key (PEM)"),
    open("auth.token", Kind::SecretText, r#""eyJ…""#, "A valid token, ready made")
        .about("Without the secret, checks that need a specially made token (expired, wrong issuer) are skipped."),
    open("auth.token-env", Kind::Text, r#""E2E_TOKEN""#, "Variable that holds a valid token").common(),
    open("auth.token-file", Kind::Text, r#""token.txt""#, "File that holds a valid token"),
    open("auth.token-command", Kind::Command, r#""node scripts/token.mjs""#, "Shell command that prints a valid token")
        .about("Run at most once, for at most 10 s."),
    open("auth.login-path", Kind::UrlTarget, r#""/api/auth/login""#, "Path of the call by which users log in")
        .about("For [[users]] with `login`, which is the call's JSON body. A token that runs out is had anew."),
    key("auth.login-method", Kind::Choice(&["POST", "PUT"]), r#""POST""#, "Method of the login call"),
    key("auth.login-token", Kind::Text, r#""/token""#, "Where the token is in the answer to the login call (JSON Pointer, RFC 6901)"),
    // ping
    key("ping.enabled", Kind::Bool, "true", "Whether the server answers a ping event"),
    key("ping.event", Kind::Text, r#""ping""#, "Event that a client sends for the server to answer").vars(EMIT),
    key("ping.args", Kind::Array, "[]", "Arguments of the ping event").vars(EMIT),
    key("ping.reply", Kind::Text, r#""pong""#, "Event that the server answers a ping with"),
    // rooms
    key("rooms.enabled", Kind::Bool, "true", "Whether clients can join rooms"),
    key("rooms.join-event", Kind::Text, r#""join_room""#, "Event that joins a room").vars(EMIT),
    key("rooms.join-args", Kind::Array, r#"["{{room}}"]"#, "Arguments of the event that joins a room").vars(EMIT),
    key("rooms.leave-event", Kind::Text, r#""leave_room""#, "Event that leaves a room").vars(EMIT),
    key("rooms.leave-args", Kind::Array, r#"["{{room}}"]"#, "Arguments of the event that leaves a room").vars(EMIT),
    key("rooms.send-event", Kind::Text, r#""send_message""#, "Event that sends a message to a room").vars(EMIT),
    key("rooms.send-args", Kind::Array, r#"[{ room = "{{room}}", message = "{{message}}" }]"#, "Arguments of the event that sends a message")
        .about("Where {{message}} stands, each check puts a text of its own, and knows its message by it.")
        .vars(EMIT),
    key("rooms.receive-event", Kind::Text, r#""receive_message""#, "Event that the members of the room get"),
    open("rooms.receive-payload", Kind::Json, r#"{ message = "{{message}}" }"#, "What the first argument of the received message looks like (a pattern)")
        .about("A pattern: objects may hold more than is listed, {{any}} matches anything. Without it, the message must occur somewhere in the arguments.")
        .vars(PATTERN),
    key("rooms.pool", Kind::Array, "[]", "Rooms that exist, where clients cannot join any other")
        .about("Texts or numbers: \"{{room}}\" alone is of the room's own kind. Which users may join which of them is said by \
                [[users]]. Empty: each check joins rooms that nobody used before."),
    key("rooms.joined-on-connect", Kind::Bool, "false", "Whether a client is in all rooms of its user as soon as it connects")
        .about("Then only users who may not join a room (rooms.pool, [[users]]) are outside it."),
    key("rooms.names", Kind::Choice(&["distinct", "folded"]), r#""distinct""#, "Whether names that differ are different rooms")
        .about("As \"folded\", names that differ in letter case, in blanks around them, or in being a number or a text may be one room's."),
    // rest
    key("rest.enabled", Kind::Bool, "true", "Whether an HTTP route emits to the clients"),
    key("rest.method", Kind::Choice(&["POST", "PUT", "PATCH", "GET", "DELETE"]), r#""POST""#, "Method of the REST call"),
    key("rest.path", Kind::UrlTarget, r#""/api/notify""#, "Path of the REST route").vars(CALL).common(),
    key("rest.headers", Kind::Headers, "{}", "Headers of the REST call").vars(CALL),
    key("rest.credentials", Kind::Headers, "{}", "Headers that prove who makes the REST call")
        .about("As { Authorization = \"Bearer {{token}}\" }, where {{token}} is a valid token. A call without them must be refused. Values are hidden in every report.")
        .vars(CALL),
    key("rest.body", Kind::Json, r#"{ message = "{{message}}" }"#, "JSON body of the REST call; none for GET, nor for DELETE unless set").vars(CALL),
    key("rest.response", Kind::Json, "{ success = true }", "What the JSON answer to the REST call looks like (a pattern)").vars(PATTERN),
    key("rest.event", Kind::Text, r#""notification""#, "Event that every client gets after the REST call"),
    open("rest.payload", Kind::Json, r#"{ message = "{{message}}" }"#, "What that event's first argument looks like (a pattern)")
        .about("Without it, the message must occur somewhere in the arguments.")
        .vars(PATTERN),
    // ack
    open("ack.event", Kind::Text, r#""echo""#, "Event that the server acknowledges"),
    key("ack.args", Kind::Array, r#"["{{message}}"]"#, "Arguments of the acknowledged event").vars(EMIT),
    open("ack.reply", Kind::Json, r#""{{message}}""#, "What the first argument of the acknowledgement looks like (a pattern)")
        .about("Without it, any acknowledgement will do.")
        .vars(PATTERN),
    // choices
    key("choices.guests", Kind::Bool, "false", "Whether clients may connect without a token"),
    key("choices.websocket-only", Kind::Bool, "false", "Whether long-polling is off on purpose"),
    key("choices.polling-only", Kind::Bool, "false", "Whether WebSocket is off on purpose"),
    key("choices.dynamic-namespaces", Kind::Bool, "false", "Whether any namespace can be connected to"),
    key("choices.namespaces", Kind::Texts, "[]", "Further namespaces that a valid token opens"),
    open("choices.private-room", Kind::Text, r#""admins""#, "A room that the tokens' users may not join"),
    open("choices.private-room-claims", Kind::Object, r#"{ role = "admin" }"#, "Claims by which a user may join the private room")
        .about("Added to those of auth.claims. With them, siospec also checks that other users do not receive the \
                members' messages; needs the signing secret or key.")
        .vars(&[CLIENT]),
    open("choices.private-room-token-env", Kind::Text, r#""ADMIN_TOKEN""#, "Variable that holds a valid token of a user who may join the private room")
        .about("In place of claims, where siospec makes no tokens."),
    key("choices.idle-limit", Kind::Duration, r#""75s""#, "How long a connection that is idle but for heartbeats must live")
        .about("Proxies tend to cut what is silent for 60 s."),
    key("choices.connect-timeout", Kind::Duration, r#""45s""#, "How long a session may live without a CONNECT")
        .about("The server's `connectTimeout`."),
    open("choices.ping-interval", Kind::Duration, r#""25s""#, "The `pingInterval` that the open packet must say")
        .about("The option of `Server`. Declare it to find out whether it is in force."),
    open("choices.ping-timeout", Kind::Duration, r#""20s""#, "The `pingTimeout` that the open packet must say")
        .about("The option of `Server`. Declare it to find out whether it is in force."),
    open("choices.max-payload", Kind::Json, "1000000", "The `maxPayload` that the open packet must say, in bytes")
        .about("The option `maxHttpBufferSize` of `Server`. Declare it to find out whether it is in force."),
    // reload
    open("reload.command", Kind::Command, r#""touch server/plugins/socket.ts""#, "Shell command that makes the server reload"),
    open("reload.url", Kind::Text, r#""http://localhost:3000/__reload""#, "URL that makes the server reload; instead of a command"),
    key("reload.method", Kind::Choice(&["POST", "PUT", "GET"]), r#""POST""#, "Method of the call that makes the server reload"),
    key("reload.keeps-connections", Kind::Bool, "false", "Whether a reload leaves open connections as they are")
        .about("If true, a connection that is cut is a failure. If false, a connection that stays open is taken as a \
                sign that nothing was reloaded."),
    key("reload.deadline", Kind::Duration, r#""30s""#, "How long the server may be away"),
];

/// The key of a dotted name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// One flag per key, under the heading "Contract". Their ids are the keys' dotted names.
pub fn clap_args() -> Vec<Arg> {
    KEYS.iter()
        .map(|key| {
            let mut long = format!("{}.", key.help);
            if !key.about.is_empty() {
                long.push(' ');
                long.push_str(key.about);
            }
            // A flag takes JSON, not TOML.
            if let Some(default) = key.default {
                long.push_str(&format!("\n[default: {}]", as_flag(key, default)));
            } else if let Some(example) = key.example {
                long.push_str(&format!("\n[for example: {}]", as_flag(key, example)));
            }
            if let Kind::Choice(words) = key.kind {
                long.push_str(&format!("\n[one of: {}]", words.join(", ")));
            }
            long.push_str(&format!("\n[env: {}, file: {}]", key.variable(), key.name));
            let arg = Arg::new(key.name)
                .long(key.flag())
                .value_name(key.kind.placeholder())
                .help(key.help)
                .long_help(long)
                .help_heading("Contract")
                .hide_short_help(!key.common)
                // One flag for each item of a list, if that is easier to write.
                .action(if key.kind == Kind::Texts { ArgAction::Append } else { ArgAction::Set })
                // Not for all: `--auth-token-env --other-flag` is a forgotten value.
                .allow_hyphen_values(matches!(key.kind, Kind::SecretText | Kind::Array | Kind::Object | Kind::Json));
            match key.kind {
                // `=` is asked for, so that `--choices-guests URL` does not take the URL for the value.
                Kind::Bool => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
                _ => arg.num_args(1),
            }
        })
        .collect()
}

/// A TOML value as one would give it to the key's flag.
fn as_flag(key: &Key, toml: &str) -> String {
    match layers::json_of_text(toml) {
        Some(Value::String(text)) if key.kind != Kind::Json => text,
        Some(value) => value.to_string(),
        None => toml.to_owned(),
    }
}

/// The flags that were given, as (dotted key, value).
pub fn flags_from(matches: &ArgMatches) -> Vec<(&'static str, String)> {
    KEYS.iter()
        .filter_map(|key| {
            let values: Vec<&str> =
                matches.try_get_many::<String>(key.name).ok().flatten()?.map(String::as_str).collect();
            Some((key.name, values.join(",")))
        })
        .collect()
}

/// The file that `siospec init` writes: every key with its default, commented out.
///
/// A line `#key = value` holds a default and can be uncommented as it stands; a line `# …` is prose or, after `e.g.`, an
/// example of a key that has no default.
pub fn commented_file() -> String {
    let mut out = String::from(
        "# What this Socket.IO deployment promises. siospec checks it against this.\n\
         # Each commented key shows its default. Flags (--rest-path) and variables (SIOSPEC_REST_PATH) override the file.\n\
         # {{room}}, {{message}} and {{client}} stand for a room, the text of one message, and the name of one client.\n",
    );
    let sections = std::iter::once(("", "")).chain(SECTIONS.iter().copied());
    for (section, about) in sections {
        if !section.is_empty() {
            out.push_str(&format!("\n# {about}\n[{section}]\n"));
        }
        for key in KEYS.iter().filter(|key| key.section() == section) {
            out.push_str(&format!("\n# {}.\n", key.help));
            if !key.about.is_empty() {
                for line in textwrap::wrap(key.about, 110) {
                    out.push_str(&format!("# {line}\n"));
                }
            }
            match (key.default, key.example) {
                (Some(default), _) => out.push_str(&format!("#{} = {default}\n", key.short())),
                (None, Some(example)) => out.push_str(&format!("# e.g. {} = {example}\n", key.short())),
                (None, None) => {}
            }
        }
    }
    out.push_str(USERS);
    out.push_str(WAIVE);
    out
}

/// About `[[users]]`, which is no key: there can be several.
const USERS: &str = "
# Users that the deployment knows, where tokens of others are refused. Each has one source of tokens: `claims` beside those
# of auth.claims, `token`, `token-env`, `token-file`, `token-command`, or `login`, the JSON body of the login call, where
# `password-env` names the variable that holds `password`; without any, {{client}} in auth.claims is its name. `rooms` are
# those of rooms.pool that it may join; all unless given.
# e.g. [[users]]
#      name = \"anna\"
#      login = { email = \"anna@example.com\", password-env = \"ANNA_PASSWORD\" }
#      rooms = [7, 8]
";

/// About `[[waive]]`, which is no key: there can be several.
const WAIVE: &str = "
# Failures that are accepted until a date, as many as need be. They are shown, and do not fail the run until that day
# (UTC) is over. `check` is an id or a pattern, as --only takes it.
# e.g. [[waive]]
#      check = \"transport.upgrade\"
#      reason = \"the proxy is replaced in January\"
#      owner = \"anna\"
#      until = 2027-01-31
";
