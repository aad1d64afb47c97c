//! The `[[users]]` tables of the file: users that the deployment knows, and the rooms that they may join.

use std::ops::Range;

use serde_json::{Map, Value};

use super::{
    Auth, LoginCall, Secret, TokenSource,
    layers::Merged,
    read::{read_file, with_slash},
    table::{Reader, Shape},
};

/// How they are written.
pub(super) const SHAPE: Shape = Shape {
    table: "users",
    one: "a user",
    fields: &["name", "claims", "token", "token-env", "token-file", "token-command", "login", "rooms"],
    example: "each user is a table of its own:\n[[users]]\nname = \"anna\"\nlogin = { email = \"anna@example.com\", \
              password-env = \"ANNA_PASSWORD\" }\nrooms = [7, 8]",
    has_secrets: true,
};

/// The fields that say where a user's tokens come from.
const SOURCES: [&str; 6] = ["claims", "token", "token-env", "token-file", "token-command", "login"];
/// What the name of a field ends with whose value stands in a variable.
const FROM_VARIABLE: &str = "-env";

/// A user that the deployment knows.
#[derive(Clone, Debug)]
pub struct KnownUser {
    /// What `{{client}}` stands for.
    pub name: String,
    /// Where its tokens come from; `None`: from the source of all, with the user's name in the claims.
    pub source: Option<UserSource>,
    /// The declared rooms that it may join; `None`: all.
    pub rooms: Option<Vec<Value>>,
}

/// Where a user's tokens come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserSource {
    /// They are made here, with these claims beside those of everybody.
    Claims(Map<String, Value>),
    /// A ready one.
    Token(Secret),
    /// A shell command that prints one.
    Command(String),
    /// The login call.
    Login(LoginBody),
}

/// What a user logs in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginBody {
    /// The body of the call, as JSON.
    pub json: Secret,
    /// What of it must not be shown: what variables hold, and what is secret by the name of its field.
    pub secrets: Vec<Secret>,
}

impl KnownUser {
    /// Whether it may join that room.
    pub fn may_join(&self, room: &Value) -> bool {
        self.rooms.as_ref().is_none_or(|rooms| rooms.contains(room))
    }
}

/// One of them, as the file has it.
pub(super) struct DeclaredUser {
    name: String,
    place: Range<usize>,
    source: Option<Declared>,
    rooms: Option<Vec<(Value, Range<usize>)>>,
}

/// A field, with its value and its place.
struct Declared {
    field: &'static str,
    value: Value,
    place: Range<usize>,
}

pub(super) fn read(reader: &mut Reader<'_, '_>) -> Option<DeclaredUser> {
    let name = reader.text("name", "by which name siospec and {{client}} call it");
    let mut source = None;
    for field in SOURCES {
        let Some((value, place)) = reader.json(field) else { continue };
        if let Some(Declared { field: first, .. }) = &source {
            let title = format!("two sources of one user's tokens: `{first}` and `{field}`");
            reader.reject(title, place, "the second", Some("keep one of them".into()));
            return None;
        }
        let wanted = match (field, &value) {
            ("claims" | "login", Value::Object(_)) => None,
            ("claims" | "login", _) => Some("a table"),
            (_, Value::String(text)) if !text.is_empty() => None,
            _ => Some("a text"),
        };
        if let Some(wanted) = wanted {
            let title = format!("`users.{field}`: expected {wanted}");
            reader.reject(title, place, &format!("not {wanted}"), None);
            return None;
        }
        source = Some(Declared { field, value, place });
    }
    let rooms = match reader.json("rooms") {
        None => None,
        Some((Value::Array(rooms), place)) => Some(rooms.into_iter().map(|room| (room, place.clone())).collect()),
        Some((_, place)) => {
            let help = Some("those of rooms.pool that the user may join".into());
            reader.reject("`users.rooms`: expected a list of rooms".into(), place, "not a list", help);
            None
        }
    };
    let (name, place) = name?;
    Some(DeclaredUser { name, place, source, rooms })
}

/// The declared users, each with what its variables and files hold.
pub(super) fn resolve(given: &mut Merged, auth: &Auth, pool: &[Value]) -> Vec<KnownUser> {
    let (mut known, mut names) = (Vec::new(), Vec::new());
    for user in std::mem::take(&mut given.users) {
        let DeclaredUser { name, place, source, rooms } = user;
        if names.contains(&name) {
            given.reject_at(place, format!("two users are called \"{name}\""), "the second", None);
            continue;
        }
        names.push(name.clone());
        for (room, place) in rooms.iter().flatten() {
            if !pool.contains(room) {
                let title = format!("user \"{name}\" may join {room}, which is none of rooms.pool");
                given.reject_at(place.clone(), title, "not a declared room", None);
            }
        }
        let source = match source {
            Some(declared) => {
                let Some(source) = user_source(given, auth, &name, declared) else { continue };
                Some(source)
            }
            None => None,
        };
        let needs_key = matches!(source, Some(UserSource::Claims(_)) | None) && !given.flag("choices.guests");
        let is_made = matches!(auth.source, Some(TokenSource::Secret(_) | TokenSource::PrivateKey(_)));
        if needs_key && !is_made {
            let title = format!("nothing makes tokens of user \"{name}\"");
            let help = "give auth.secret-env or auth.private-key-file, or a token, a command or a login of the user";
            given.reject_at(place, title, "no secret, no key", Some(help.into()));
            continue;
        }
        let rooms = rooms.map(|rooms| rooms.into_iter().map(|(room, _)| room).collect());
        known.push(KnownUser { name, source, rooms });
    }
    known
}

fn user_source(given: &mut Merged, auth: &Auth, name: &str, declared: Declared) -> Option<UserSource> {
    let Declared { field, value, place } = declared;
    let text = value.as_str().unwrap_or_default();
    match (field, &value) {
        ("claims", Value::Object(claims)) => Some(UserSource::Claims(claims.clone())),
        ("token", _) => Some(UserSource::Token(Secret::new(text))),
        ("token-env", _) => variable(given, text, &place).map(UserSource::Token),
        ("token-file", _) => {
            let folder = given.file.as_ref().and_then(|(file, _)| file.parent()).map(std::path::Path::to_owned);
            match read_file(&folder.unwrap_or_default().join(text)) {
                Ok(token) => Some(UserSource::Token(Secret::new(token.trim()))),
                Err(reason) => {
                    given.reject_at(place, format!("cannot read {text}: {reason}"), "not readable", None);
                    None
                }
            }
        }
        ("token-command", _) => Some(UserSource::Command(text.to_owned())),
        (_, Value::Object(fields)) => {
            if auth.login.is_none() {
                let help = Some("give auth.login-path, as \"/api/auth/login\"".into());
                given.reject_at(
                    place,
                    format!("user \"{name}\" logs in, and nothing says where"),
                    "by which call?",
                    help,
                );
                return None;
            }
            let mut secrets = Vec::new();
            let body = login_body(given, fields, &place, &mut secrets)?;
            Some(UserSource::Login(LoginBody { json: Secret::new(Value::Object(body).to_string()), secrets }))
        }
        _ => None,
    }
}

fn variable(given: &mut Merged, named: &str, place: &Range<usize>) -> Option<Secret> {
    let text = given.env.get(named).filter(|text| !text.is_empty()).cloned();
    if text.is_none() {
        let help = Some(format!("set {named}, or take it out of the contract"));
        given.reject_at(place.clone(), format!("{named} is named here, and is not set"), "no such variable", help);
    }
    text.map(|text| Secret::new(text.trim()))
}

/// The body with what its variables hold, in tables inside it as well. What must not be shown of it goes to `secrets`.
fn login_body(
    given: &mut Merged,
    fields: &Map<String, Value>,
    place: &Range<usize>,
    secrets: &mut Vec<Secret>,
) -> Option<Map<String, Value>> {
    let mut body = Map::new();
    for (field, value) in fields {
        match (field.strip_suffix(FROM_VARIABLE), value) {
            (Some(field), Value::String(named)) => {
                let secret = variable(given, named, place)?;
                body.insert(field.to_owned(), secret.expose().into());
                secrets.push(secret);
            }
            (_, Value::Object(inner)) => {
                body.insert(field.clone(), login_body(given, inner, place, secrets)?.into());
            }
            _ => {
                if is_secret(field) && (value.is_string() || value.is_number()) {
                    secrets.push(Secret::new(value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
                }
                body.insert(field.clone(), value.clone());
            }
        }
    }
    Some(body)
}

/// Whether a field of a login is secret by its name.
fn is_secret(field: &str) -> bool {
    let field = field.to_ascii_lowercase();
    ["pin", "pwd", "code", "otp"].contains(&field.as_str())
        || ["password", "passwd", "passphrase", "secret", "token"].iter().any(|end| field.ends_with(end))
}

/// The call by which users log in, where there is one.
pub(super) fn login_call(given: &mut Merged, base: &str) -> Option<LoginCall> {
    let path = given.optional_text("auth.login-path")?;
    if !given.text("auth.login-token").starts_with('/') {
        let title = "`auth.login-token` is no JSON Pointer";
        given.reject("auth.login-token", title, "expected a slash first, as in \"/data/token\"", None);
    }
    Some(LoginCall {
        method: given.text("auth.login-method").parse().unwrap_or(http::Method::POST),
        path: base.to_owned() + &with_slash(&path),
        token: given.text("auth.login-token"),
    })
}
