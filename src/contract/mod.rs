//! The contract: everything about a deployment that its URL cannot tell, as `siospec.toml`, flags and variables say it.
//!
//! [`keys`] is the one table of keys; [`Contract::load`] merges the layers (flags beat the environment, that beats the
//! file, that beats the defaults), checks every value once, and gives typed structs.

mod error;
pub mod keys;
mod layers;
mod pattern;
mod read;
mod table;
mod users;
mod waive;

pub mod template;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

pub use crate::secret::Secret;
pub use error::Error;
pub use keys::{clap_args, commented_file, flags_from};
pub use layers::{Layers, MAX_DURATION, environment, file};
pub use pattern::{Expect, Mismatch, Pattern};
pub(crate) use read::signing_key;
pub use template::Vars;
pub use users::{KnownUser, LoginBody, UserSource};
pub use waive::{Objection, Waiver, today};

use crate::redact::Redactor;

/// Name of the contract's file, looked for in the current directory.
pub const FILE_NAME: &str = "siospec.toml";

/// How long a command that prints a token may take.
pub const TOKEN_COMMAND_DEADLINE: Duration = Duration::from_secs(10);

/// How much a command that prints a token may print, in bytes.
pub const TOKEN_COMMAND_OUTPUT: usize = 64 * 1024;

/// What a deployment promises.
#[derive(Clone, Debug)]
pub struct Contract {
    /// Path of the Socket.IO endpoint: with a leading slash and without a final one (`/socket.io`); empty for the root.
    pub path: String,
    /// Path that the application lives below: with a leading slash and without a final one; empty for the root.
    pub base: String,
    /// Path of the application's page; `None` where none is served here.
    pub page: Option<String>,
    /// Whether either was declared.
    pub says_where: bool,
    /// Namespace that the checks connect to, with its leading slash.
    pub namespace: String,
    /// How long one answer may take.
    pub deadline: Duration,
    /// Headers sent with every HTTP request, the WebSocket's included.
    pub headers: Vec<(String, Secret)>,
    /// Foreign origins that the deployment lets in.
    pub origins: Vec<String>,
    /// Origin of the deployment's own pages (`https://host[:port]`), where it is not the target's.
    pub origin: Option<String>,
    /// Base URLs of further nodes of the same deployment, without a final slash.
    pub nodes: Vec<String>,
    /// Certificates (PEM) of authorities that are trusted beside the platform's; `None` unless declared.
    pub authorities: Option<String>,
    /// Whether the target's certificate is not looked at.
    pub insecure_tls: bool,
    /// Folder from which Node finds `socket.io-client`; `None` unless declared.
    pub client_from: Option<PathBuf>,
    /// How clients prove who they are.
    pub auth: Auth,
    /// The users that the deployment knows; none where it takes any that a token names.
    pub users: Vec<KnownUser>,
    /// The event that the server answers; `None` when declared off.
    pub ping: Option<Ping>,
    /// How rooms work; `None` when declared off.
    pub rooms: Option<Rooms>,
    /// The HTTP route that emits; `None` when declared off.
    pub rest: Option<Rest>,
    /// An event that the server acknowledges; `None` unless declared.
    pub ack: Option<Ack>,
    /// What the deployment does on purpose.
    pub choices: Choices,
    /// How to make the server reload; `None` unless declared.
    pub reload: Option<Reload>,
    /// Failures that the team accepts until a date.
    pub waivers: Vec<Waiver>,
    /// The file that it was read from, for whoever finds fault with a part of it later.
    file: Option<File>,
}

/// The contract's file. It may hold secrets, and is shown by [`Error`] alone, which stars them out.
#[derive(Clone)]
struct File {
    path: PathBuf,
    text: String,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}

/// How clients prove who they are.
#[derive(Clone, Debug)]
pub struct Auth {
    /// What carries the token.
    pub carrier: Carrier,
    /// Field of the CONNECT payload that holds the token; or the header, the cookie, the parameter of the query.
    pub token_field: String,
    /// Signature algorithm of the tokens.
    pub algorithm: Algorithm,
    /// Whether that was declared, and is not to be read off a token that a command prints.
    pub algorithm_declared: bool,
    /// Claims of a valid token, a template for `{{client}}`; `iat`, `exp`, `iss` and `aud` are added where absent.
    pub claims: Map<String, Value>,
    /// The `iss` that the server insists on.
    pub issuer: Option<String>,
    /// The `aud` that the server insists on.
    pub audience: Option<String>,
    /// Where valid tokens come from.
    pub source: Option<TokenSource>,
    /// The public key that the server verifies with (PEM), as its file reads; `None` unless declared.
    pub public_key: Option<String>,
    /// The call by which users log in; `None` unless declared.
    pub login: Option<LoginCall>,
}

/// The call by which users log in.
#[derive(Clone, Debug)]
pub struct LoginCall {
    /// Its method.
    pub method: http::Method,
    /// Its path and query.
    pub path: String,
    /// Where the token is in the answer (JSON Pointer, RFC 6901).
    pub token: String,
}

/// What carries a token to the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Carrier {
    /// The payload of the CONNECT packet: `socket.handshake.auth`.
    #[default]
    Payload,
    /// A header of every request: `socket.handshake.headers`.
    Header,
    /// A cookie of every request: `socket.handshake.headers.cookie`.
    Cookie,
    /// A parameter in the URL of every request: `socket.handshake.query`.
    Query,
}

impl Carrier {
    /// All, the recommended one first.
    pub const ALL: [Carrier; 4] = [Carrier::Payload, Carrier::Header, Carrier::Cookie, Carrier::Query];

    /// Its name in the contract.
    pub const fn name(self) -> &'static str {
        match self {
            Carrier::Payload => "payload",
            Carrier::Header => "header",
            Carrier::Cookie => "cookie",
            Carrier::Query => "query",
        }
    }
}

/// Where valid tokens come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// The HMAC secret: tokens are made here.
    Secret(Secret),
    /// The private key (PEM): tokens are made here.
    PrivateKey(Secret),
    /// A ready token.
    Token(Secret),
    /// A shell command that prints one; to be run at most once, for at most [`TOKEN_COMMAND_DEADLINE`].
    Command(String),
}

/// An event to send.
#[derive(Clone, Debug, PartialEq)]
pub struct Emit {
    /// Its name, a template.
    pub event: String,
    /// Its arguments, templates.
    pub args: Vec<Value>,
}

impl Emit {
    /// The event's name and arguments with the values filled in.
    pub fn render(&self, vars: &Vars) -> (String, Vec<Value>) {
        let args = self.args.iter().map(|arg| template::render(arg, vars)).collect();
        (template::render_text(&self.event, vars), args)
    }

    /// Whether a text of the sender's choice goes along, so that what comes back can be told from others' messages.
    pub fn carries_message(&self) -> bool {
        template::names(&self.event).contains(&template::MESSAGE)
            || self.args.iter().any(|arg| template::mentions(arg, template::MESSAGE))
    }
}

/// The event that the server answers, to the sender alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Ping {
    /// What a client sends.
    pub emit: Emit,
    /// Name of the event that answers it.
    pub reply: String,
}

/// How a client joins a room, leaves it, sends to it and hears from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Rooms {
    /// Joins `{{room}}`.
    pub join: Emit,
    /// Leaves `{{room}}`.
    pub leave: Emit,
    /// Sends `{{message}}` to `{{room}}`.
    pub send: Emit,
    /// What the members of the room get.
    pub receive: Expect,
    /// The rooms that exist; none where any can be joined.
    pub pool: Vec<Value>,
    /// A client is in all rooms of its user as soon as it connects.
    pub joined_on_connect: bool,
    /// Names that differ may be one room's, on purpose.
    pub folds_names: bool,
}

/// The HTTP route that makes the server emit to every client.
#[derive(Clone, Debug)]
pub struct Rest {
    /// Its method.
    pub method: http::Method,
    /// Its path and query, a template, with a leading slash.
    pub path: String,
    /// Headers of the call, templates.
    pub headers: Vec<(String, Secret)>,
    /// Headers that prove who calls, templates; left out where a check calls as a stranger.
    pub credentials: Vec<(String, Secret)>,
    /// Its JSON body, a template; `None` for GET and DELETE, or when declared null.
    pub body: Option<Value>,
    /// What the JSON answer looks like.
    pub response: Pattern,
    /// What every client gets.
    pub event: Expect,
}

/// One call of the REST route, ready to send.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its method.
    pub method: http::Method,
    /// Its path and query.
    pub path: String,
    /// Its headers, without those of the contract as a whole and without the body's type.
    pub headers: Vec<(String, Secret)>,
    /// Its JSON body.
    pub body: Option<Value>,
}

impl Rest {
    /// The call with the values filled in, credentials included.
    pub fn render(&self, vars: &Vars) -> Call {
        let mut call = self.render_as_stranger(vars);
        call.headers.extend(render_headers(&self.credentials, vars));
        call
    }

    /// The call without its credentials.
    pub fn render_as_stranger(&self, vars: &Vars) -> Call {
        Call {
            method: self.method.clone(),
            path: template::render_text_with(&self.path, vars, crate::redact::percent_encode),
            headers: render_headers(&self.headers, vars),
            body: self.body.as_ref().map(|body| template::render(body, vars)),
        }
    }

    /// Whether the caller can put a text of its choice into the event.
    pub fn carries_message(&self) -> bool {
        self.mentions(template::MESSAGE)
    }

    /// Whether the call needs a valid token as `{{token}}`.
    pub fn needs_token(&self) -> bool {
        self.mentions(template::TOKEN)
    }

    fn mentions(&self, name: &str) -> bool {
        let headers = self.headers.iter().chain(&self.credentials);
        template::names(&self.path).contains(&name)
            || headers.into_iter().any(|(_, value)| template::names(value.expose()).contains(&name))
            || self.body.as_ref().is_some_and(|body| template::mentions(body, name))
    }
}

fn render_headers(headers: &[(String, Secret)], vars: &Vars) -> Vec<(String, Secret)> {
    let render = |value: &Secret| Secret::new(template::render_text(value.expose(), vars));
    headers.iter().map(|(name, value)| (name.clone(), render(value))).collect()
}

/// An event that the server acknowledges.
#[derive(Clone, Debug, PartialEq)]
pub struct Ack {
    /// What a client sends.
    pub emit: Emit,
    /// What the acknowledgement's first argument looks like; `None`: anything.
    pub reply: Option<Pattern>,
}

impl Ack {
    /// Whether the acknowledgement holds the message that was sent.
    pub fn echoes(&self) -> bool {
        let replies = self.reply.as_ref().is_some_and(|reply| template::mentions(reply.as_value(), template::MESSAGE));
        replies && self.emit.carries_message()
    }

    /// Whether the arguments of an acknowledgement are what was promised.
    ///
    /// # Errors
    /// The first difference.
    pub fn check(&self, args: &[Value], vars: &Vars) -> Result<(), Mismatch> {
        match &self.reply {
            Some(reply) => pattern::check_args(Some(reply), args, vars),
            None => Ok(()),
        }
    }
}

/// What a deployment does on purpose, so that it is not held against it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// Clients may connect without a token.
    pub guests: bool,
    /// Long-polling is off.
    pub websocket_only: bool,
    /// WebSocket is off.
    pub polling_only: bool,
    /// Any namespace can be connected to.
    pub dynamic_namespaces: bool,
    /// Further namespaces that a valid token opens, each with its leading slash.
    pub namespaces: Vec<String>,
    /// A room that the tokens' users may not join.
    pub private_room: Option<String>,
    /// How to be a user who may join it.
    pub private_member: Option<PrivateMember>,
    /// How long the proxy in front keeps an idle connection.
    pub idle_limit: Duration,
    /// How long a session may live without a CONNECT.
    pub connect_timeout: Duration,
    /// The `pingInterval` that is promised.
    pub ping_interval: Option<Duration>,
    /// The `pingTimeout` that is promised.
    pub ping_timeout: Option<Duration>,
    /// The `maxPayload` that is promised, in bytes.
    pub max_payload: Option<u64>,
}

/// How to be a user who may join the private room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrivateMember {
    /// By claims beside those of every valid token, templates for `{{client}}`.
    Claims(Map<String, Value>),
    /// By a ready token.
    Token(Secret),
}

/// How to make the running server reload its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reload {
    /// What to do.
    pub action: ReloadAction,
    /// How long the server may be away afterwards.
    pub deadline: Duration,
    /// Whether it leaves open connections as they are.
    pub keeps_connections: bool,
}

/// What makes the server reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReloadAction {
    /// A shell command.
    Command(String),
    /// An HTTP call.
    Http {
        /// Its method.
        method: http::Method,
        /// Its URL.
        url: url::Url,
    },
}

impl Default for Contract {
    /// A deployment of which nothing is declared: the defaults of every key.
    fn default() -> Self {
        let nothing = Layers { file: None, env: std::iter::empty(), flags: Vec::new() };
        Self::load(nothing).unwrap_or_else(|error| unreachable!("the defaults are a contract: {error}"))
    }
}

impl Contract {
    /// Whether a message of ours can come back: in an acknowledgement, or as a room message.
    pub fn echoes(&self) -> bool {
        self.ack.as_ref().is_some_and(Ack::echoes)
            || self.rooms.as_ref().is_some_and(|rooms| rooms.send.carries_message())
    }

    /// A room that some users may join, and others may not.
    pub fn closed_room(&self) -> Option<Value> {
        if let Some(room) = &self.choices.private_room {
            return Some(room.as_str().into());
        }
        let parts = |room: &&Value| {
            let may = self.users.iter().filter(|user| user.may_join(room)).count();
            may > 0 && may < self.users.len()
        };
        self.rooms.as_ref()?.pool.iter().find(parts).cloned()
    }

    /// The folder from which Node finds `socket.io-client`: the declared one, or the current directory where the package is
    /// installed in it or above (Node.js, "Loading from `node_modules` folders").
    pub fn client_dir(&self) -> Option<PathBuf> {
        let from = match &self.client_from {
            Some(folder) => std::path::absolute(folder).ok()?,
            None => std::env::current_dir().ok()?,
        };
        let is_there = |folder: &Path| folder.join("node_modules/socket.io-client/package.json").is_file();
        from.ancestors().any(is_there).then_some(from)
    }

    /// Moves the application below another path, with its page and its REST route.
    pub fn move_below(&mut self, base: &str) {
        let moved = |path: &str| format!("{base}{}", path.strip_prefix(&self.base).unwrap_or(path));
        self.page = self.page.as_deref().map(moved);
        if let Some(rest) = &mut self.rest {
            rest.path = moved(&rest.path);
        }
        base.clone_into(&mut self.base);
    }

    /// What is to be said where these of its waivers are no good.
    pub fn rejected(&self, objections: Vec<(&Waiver, Objection)>) -> Error {
        let file = self.file.as_ref().map(|file| (file.path.clone(), file.text.clone()));
        Error { file, problems: waive::problems(objections) }
    }

    /// Makes the redactor hide every secret of the contract: header values, credentials, the source of tokens.
    pub fn conceal_in(&self, redactor: &Redactor) {
        let rest = self.rest.iter().flat_map(|rest| rest.headers.iter().chain(&rest.credentials));
        for (name, value) in self.headers.iter().chain(rest) {
            // Said by every client, and hiding them would hide what the servers say in the same words.
            if ["accept", "accept-language", "content-type", "user-agent"].iter().any(|n| name.eq_ignore_ascii_case(n))
                || ["host", "origin", "referer"].iter().any(|n| name.eq_ignore_ascii_case(n))
                || name.to_ascii_lowercase().starts_with("x-forwarded-")
            {
                continue;
            }
            // A template is no secret yet: what fills it in is registered by itself.
            let value = value.expose();
            if !template::names(value).is_empty() {
                continue;
            }
            let label = format!("value of {name}");
            redactor.conceal(value, &label);
            // A target that quotes one cookie of several quotes a secret; what is shorter turns up by chance.
            if name.eq_ignore_ascii_case("cookie") {
                for pair in value.split(';').map(str::trim) {
                    redactor.conceal(pair, &label);
                    let alone = pair.split_once('=').map(|(_, alone)| alone).filter(|alone| alone.len() >= 8);
                    redactor.conceal(alone.unwrap_or_default(), &label);
                }
            }
            // The credentials of `Basic` and `Bearer` also turn up without the scheme's name.
            if let Some((_, credentials)) = value.split_once(' ')
                && name.eq_ignore_ascii_case("authorization")
            {
                redactor.conceal(credentials.trim(), &label);
            }
        }
        match &self.auth.source {
            Some(TokenSource::Secret(secret)) => redactor.conceal(secret.expose(), "HMAC secret"),
            Some(TokenSource::PrivateKey(key)) => {
                redactor.conceal(key.expose().trim(), "private key");
                // Any line of a key is as much of a secret as the whole.
                for line in key.expose().lines().filter(|line| line.len() >= 16 && !line.starts_with("-----")) {
                    redactor.conceal(line.trim(), "private key");
                }
            }
            Some(TokenSource::Token(token)) => redactor.conceal(token.expose(), "valid token"),
            Some(TokenSource::Command(_)) | None => {}
        }
        for user in &self.users {
            match &user.source {
                Some(UserSource::Token(token)) => {
                    redactor.conceal(token.expose(), &format!("valid token of {}", user.name));
                }
                Some(UserSource::Login(body)) => {
                    for secret in &body.secrets {
                        redactor.conceal(secret.expose(), &format!("login of {}", user.name));
                    }
                }
                Some(UserSource::Claims(_) | UserSource::Command(_)) | None => {}
            }
        }
        if let Some(PrivateMember::Token(token)) = &self.choices.private_member {
            redactor.conceal(token.expose(), "token of a member of the private room");
        }
        if let Some(Reload { action: ReloadAction::Http { url, .. }, .. }) = &self.reload
            && let Some(password) = url.password()
        {
            redactor.conceal(password, "password of the reload URL");
        }
    }
}
