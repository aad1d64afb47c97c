//! `{{room}}`, `{{message}}`, `{{client}}`, `{{token}}`: how a contract says where a value of the run goes.

use serde_json::Value;

/// The names a template can hold. Which of them a key accepts is in [`super::keys::Key::vars`].
pub const ROOM: &str = "room";
/// The nonce of one message.
pub const MESSAGE: &str = "message";
/// The label of one client (`a`, `b`, …).
pub const CLIENT: &str = "client";
/// A valid token of the client, for a REST call that wants one.
pub const TOKEN: &str = "token";
/// Matches anything; in patterns only.
pub const ANY: &str = "any";

/// The values of one rendering. A name without a value renders as the empty text, and in a pattern matches anything.
#[derive(Clone, Debug, Default)]
pub struct Vars {
    /// The room, and how it reads inside a text.
    room: Option<(Value, String)>,
    message: Option<String>,
    client: Option<String>,
    token: Option<String>,
}

impl Vars {
    /// No values at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `{{room}}`: a text, or a number, which stays one where nothing else stands beside it.
    pub fn room(mut self, room: impl Into<Value>) -> Self {
        let room = room.into();
        let text = room.as_str().map_or_else(|| room.to_string(), str::to_owned);
        self.room = Some((room, text));
        self
    }

    /// Sets `{{message}}`.
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// Sets `{{client}}`.
    pub fn client(mut self, client: impl Into<String>) -> Self {
        self.client = Some(client.into());
        self
    }

    /// Sets `{{token}}`.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// The value of a name, if it has one.
    pub fn get(&self, name: &str) -> Option<&str> {
        match name {
            ROOM => self.room.as_ref().map(|(_, text)| text.as_str()),
            MESSAGE => self.message.as_deref(),
            CLIENT => self.client.as_deref(),
            TOKEN => self.token.as_deref(),
            _ => None,
        }
    }

    /// The value of a name, of the kind that it has.
    fn value(&self, name: &str) -> Option<Value> {
        match (name, &self.room) {
            (ROOM, Some((room, _))) => Some(room.clone()),
            _ => self.get(name).map(Value::from),
        }
    }
}

/// One piece of a template text.
enum Piece<'a> {
    Literal(&'a str),
    Name(&'a str),
}

/// Cuts a text at its `{{name}}`s. Braces around anything but a plain name (as in JSON text) are literal.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let (mut rest, mut search) = (text, 0);
    while let Some(open) = rest[search..].find("{{").map(|at| at + search) {
        let Some(close) = rest[open..].find("}}").map(|at| at + open) else { break };
        let name = rest[open + 2..close].trim();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
            search = open + 1;
            continue;
        }
        if open > 0 {
            found.push(Piece::Literal(&rest[..open]));
        }
        found.push(Piece::Name(name));
        rest = &rest[close + 2..];
        search = 0;
    }
    if !rest.is_empty() {
        found.push(Piece::Literal(rest));
    }
    found
}

/// The names in one text, in order.
pub fn names(text: &str) -> Vec<&str> {
    pieces(text).into_iter().filter_map(|piece| if let Piece::Name(name) = piece { Some(name) } else { None }).collect()
}

/// Whether any text in `value` holds `{{name}}`.
pub fn mentions(value: &Value, name: &str) -> bool {
    match value {
        Value::String(text) => names(text).contains(&name),
        Value::Array(items) => items.iter().any(|item| mentions(item, name)),
        Value::Object(fields) => fields.values().any(|field| mentions(field, name)),
        _ => false,
    }
}

/// Fills in one text, each value passed through `encode` first.
pub fn render_text_with(text: &str, vars: &Vars, encode: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Literal(literal) => out.push_str(literal),
            Piece::Name(name) => out.push_str(&encode(vars.get(name).unwrap_or_default())),
        }
    }
    out
}

/// Fills in one text.
pub fn render_text(text: &str, vars: &Vars) -> String {
    render_text_with(text, vars, str::to_owned)
}

/// Fills in every text inside a value; the names of object fields stay as they are. A text that is one template, and nothing
/// else, becomes the value itself: `"{{room}}"` a number where rooms are numbers.
pub fn render(value: &Value, vars: &Vars) -> Value {
    match value {
        Value::String(text) => match pieces(text)[..] {
            [Piece::Name(name)] => vars.value(name).unwrap_or_else(|| "".into()),
            _ => Value::String(render_text(text, vars)),
        },
        Value::Array(items) => Value::Array(items.iter().map(|item| render(item, vars)).collect()),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, field)| (name.clone(), render(field, vars))).collect())
        }
        other => other.clone(),
    }
}
