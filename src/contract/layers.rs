//! From file, environment and flags to one checked value per key.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Error, Origin, Problem};
use super::keys::{self, ENV_PREFIX, KEYS, Key, Kind, RESERVED_VARIABLES};
use super::table;
use super::users::{self, DeclaredUser};
use super::waive::{self, Waiver};
use super::{FILE_NAME, template};
use crate::secret::Secret;

/// Where the values of a contract come from, weakest first: the defaults, the file, the environment, the flags.
#[derive(Clone, Debug)]
pub struct Layers<E> {
    /// The file's path, for messages and for what is relative to it, and its text.
    pub file: Option<(PathBuf, String)>,
    /// The whole environment: `SIOSPEC_…` and what `auth.secret-env` and its like name. A variable of ours that is
    /// empty counts as not set, since that is what CI makes of a secret that it lacks.
    pub env: E,
    /// (dotted key, value), as from [`keys::flags_from`].
    pub flags: Vec<(&'static str, String)>,
}

/// The process's environment. A variable that is not Unicode is none of ours, and no reason to fail.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// The contract's file and its text: the one that is asked for, or [`FILE_NAME`] in the current directory, if there is
/// one.
///
/// # Errors
/// Why it cannot be read.
pub fn file(asked: Option<&Path>) -> Result<Option<(PathBuf, String)>, String> {
    let path = asked.unwrap_or(Path::new(FILE_NAME));
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some((path.to_owned(), text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound && asked.is_none() => Ok(None),
        Err(error) => Err(format!("cannot read the contract's file {}: {error}", path.display())),
    }
}

/// The longest duration that makes sense here. What is longer could not even be added to the time of day.
pub const MAX_DURATION: Duration = Duration::from_secs(24 * 60 * 60);

/// A value and where it came from.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub value: Value,
    pub origin: Origin,
}

/// One checked value per key that has one, and the mistakes met so far.
pub(super) struct Merged {
    values: BTreeMap<&'static str, Given>,
    pub env: BTreeMap<String, String>,
    pub file: Option<(PathBuf, String)>,
    pub problems: Vec<Problem>,
    pub waivers: Vec<Waiver>,
    pub users: Vec<DeclaredUser>,
}

impl Merged {
    pub fn new<E: Iterator<Item = (String, String)>>(layers: Layers<E>) -> Self {
        let mut merged = Self {
            values: BTreeMap::new(),
            env: layers.env.collect(),
            file: layers.file,
            problems: Vec::new(),
            waivers: Vec::new(),
            users: Vec::new(),
        };
        for key in KEYS {
            if let Some(default) = key.default {
                merged.values.insert(key.name, Given { value: default_value(key, default), origin: Origin::Default });
            }
        }
        merged.read_file();
        merged.read_env();
        merged.read_flags(layers.flags);
        merged
    }

    fn read_file(&mut self) {
        let Some((_, text)) = self.file.clone() else { return };
        match DeTable::parse(&text) {
            Ok(table) => self.walk(table.get_ref(), ""),
            Err(error) => self.problems.push(Problem {
                title: "this is not TOML".to_owned(),
                place: Origin::File(error.span().unwrap_or(0..0)),
                label: error.message().to_owned(),
                help: None,
                hides_strings: false,
            }),
        }
    }

    fn walk(&mut self, table: &DeTable<'_>, prefix: &str) {
        for (name, value) in in_file_order(table) {
            let dotted =
                if prefix.is_empty() { name.get_ref().to_string() } else { format!("{prefix}.{}", name.get_ref()) };
            if let Some(key) = keys::find(&dotted) {
                let origin = Origin::File(value.span());
                match json_of(value.get_ref()).and_then(|json| accept(key, json)) {
                    Ok(json) => self.set(key, json, origin),
                    Err(wrong) => self.wrong(key, wrong, origin),
                }
            } else if dotted == waive::SHAPE.table {
                self.waivers = table::read(&waive::SHAPE, value, &mut self.problems, waive::read);
            } else if dotted == users::SHAPE.table {
                self.users = table::read(&users::SHAPE, value, &mut self.problems, users::read);
            } else if let Some((section, _)) = keys::SECTIONS.iter().find(|(section, _)| *section == dotted) {
                match value.get_ref() {
                    DeValue::Table(inner) => self.walk(inner, section),
                    other => self.problems.push(Problem {
                        title: format!("`{section}` is a table of keys, not {}", toml_kind(other)),
                        place: Origin::File(value.span()),
                        label: "expected a table".to_owned(),
                        help: Some(format!("write [{section}] on a line of its own and its keys below")),
                        hides_strings: false,
                    }),
                }
            } else {
                let tables =
                    keys::SECTIONS.iter().map(|(name, _)| *name).chain([waive::SHAPE.table, users::SHAPE.table]);
                let candidates = KEYS.iter().map(|key| key.name).chain(tables);
                self.problems.push(Problem {
                    title: format!("unknown key `{dotted}`"),
                    place: Origin::File(name.span()),
                    label: "not a key of the contract".to_owned(),
                    help: match nearest(&dotted, candidates) {
                        Some(near) => Some(format!("did you mean `{near}`?")),
                        None => Some("`siospec init` writes a file with every key".to_owned()),
                    },
                    hides_strings: true,
                });
            }
        }
    }

    fn read_env(&mut self) {
        let ours: Vec<(String, String)> = self
            .env
            .iter()
            .filter(|(name, _)| name.starts_with(ENV_PREFIX))
            .map(|(name, text)| (name.clone(), text.clone()))
            .collect();
        for (variable, text) in ours {
            if RESERVED_VARIABLES.contains(&variable.as_str()) {
                continue;
            }
            let Some(key) = KEYS.iter().find(|key| key.variable() == variable) else {
                let names: Vec<String> =
                    KEYS.iter().map(Key::variable).chain(RESERVED_VARIABLES.map(str::to_owned)).collect();
                self.problems.push(Problem {
                    title: "no such variable".to_owned(),
                    place: Origin::Env(variable.clone()),
                    label: String::new(),
                    help: Some(match nearest(&variable, names.iter().map(String::as_str)) {
                        Some(near) => format!("did you mean {near}?"),
                        None => {
                            format!("every variable that begins with {ENV_PREFIX} is read as a key of the contract")
                        }
                    }),
                    hides_strings: false,
                });
                continue;
            };
            if !text.is_empty() {
                self.set_text(key, &text, Origin::Env(variable));
            } else if key.kind.is_secret() {
                // What CI makes of a secret that it does not hand out. A run without it would judge little and pass.
                self.problems.push(Problem {
                    title: "it is empty".to_owned(),
                    place: Origin::Env(variable),
                    label: String::new(),
                    help: Some("is the secret available to this job? unset the variable to test without it".to_owned()),
                    hides_strings: false,
                });
            }
        }
    }

    fn read_flags(&mut self, flags: Vec<(&'static str, String)>) {
        for (name, text) in flags {
            match keys::find(name) {
                Some(key) => self.set_text(key, &text, Origin::Flag(format!("--{}", key.flag()))),
                None => self.problems.push(Problem {
                    title: "no such key".to_owned(),
                    place: Origin::Flag(name.to_owned()),
                    label: String::new(),
                    help: nearest(name, KEYS.iter().map(|key| key.name)).map(|near| format!("did you mean `{near}`?")),
                    hides_strings: false,
                }),
            }
        }
    }

    fn set_text(&mut self, key: &'static Key, text: &str, origin: Origin) {
        match value_of_text(key, text).and_then(|value| accept(key, value)) {
            Ok(value) => self.set(key, value, origin),
            Err(wrong) => self.wrong(key, wrong, origin),
        }
    }

    fn set(&mut self, key: &'static Key, value: Value, origin: Origin) {
        self.check_templates(key, &value, &origin);
        self.values.insert(key.name, Given { value, origin });
    }

    /// Refuses a template name that the key does not know; such a text would reach the server with its braces.
    fn check_templates(&mut self, key: &'static Key, value: &Value, origin: &Origin) {
        // Keys without templates take their text as it is: a secret may well hold braces.
        if key.vars.is_empty() {
            return;
        }
        let mut unknown = Vec::new();
        collect_unknown(value, key.vars, &mut unknown);
        for name in unknown {
            let known = key.vars.iter().map(|name| format!("{{{{{name}}}}}")).collect::<Vec<_>>().join(", ");
            let near = nearest(&name, key.vars.iter().copied());
            // In a file, the caret can stand under the placeholder itself.
            let place = match (origin, &self.file) {
                (Origin::File(span), Some((_, text))) => Origin::File(placeholder_span(text, span, &name)),
                _ => origin.clone(),
            };
            self.problems.push(Problem {
                title: format!("`{}` cannot hold `{{{{{name}}}}}`", key.name),
                place,
                label: "unknown here".to_owned(),
                help: Some(match near {
                    Some(near) => format!("did you mean `{{{{{near}}}}}`? `{}` can hold {known}", key.name),
                    None => format!("`{}` can hold {known}", key.name),
                }),
                hides_strings: false,
            });
        }
    }

    fn wrong(&mut self, key: &Key, wrong: Wrong, origin: Origin) {
        self.problems.push(Problem {
            title: match &origin {
                Origin::Env(_) | Origin::Flag(_) => wrong.text(),
                _ => format!("`{}`: {}", key.name, wrong.text()),
            },
            place: origin,
            label: format!("expected {}", wrong.expected),
            help: wrong.help,
            hides_strings: false,
        });
    }

    /// Notes a mistake in a value that was well-formed.
    pub fn reject(&mut self, name: &str, title: impl Into<String>, label: &str, help: Option<String>) {
        let place = self.values.get(name).map_or(Origin::Default, |given| given.origin.clone());
        self.problems.push(Problem { title: title.into(), place, label: label.to_owned(), help, hides_strings: false });
    }

    /// Notes a mistake at a place of the file, where secrets may stand.
    pub fn reject_at(&mut self, place: Range<usize>, title: String, label: &str, help: Option<String>) {
        let label = label.to_owned();
        self.problems.push(Problem { title, place: Origin::File(place), label, help, hides_strings: true });
    }

    /// How a message names a key: by its flag or variable where it came from one.
    pub fn called(&self, name: &str) -> String {
        match self.values.get(name).map(|given| &given.origin) {
            Some(Origin::Env(variable)) => variable.clone(),
            Some(Origin::Flag(flag)) => flag.clone(),
            _ => name.to_owned(),
        }
    }

    /// Whether a value differs from its default; uncommenting a line of the commented file declares nothing.
    pub fn is_changed(&self, name: &str) -> bool {
        let default = keys::find(name).and_then(|key| key.default.map(|default| default_value(key, default)));
        self.value(name) != default.as_ref()
    }

    pub fn is_given(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(|given| given.origin != Origin::Default)
    }

    /// 0 for a default, then file, environment, flag.
    pub fn rank(&self, name: &str) -> Option<u8> {
        self.values.get(name).map(|given| match given.origin {
            Origin::Default => 0,
            Origin::File(_) => 1,
            Origin::Env(_) => 2,
            Origin::Flag(_) => 3,
        })
    }

    pub fn value(&self, name: &str) -> Option<&Value> {
        debug_assert!(keys::find(name).is_some(), "no key {name}");
        self.values.get(name).map(|given| &given.value)
    }

    pub fn json(&self, name: &str) -> Value {
        self.value(name).cloned().unwrap_or_default()
    }

    pub fn text(&self, name: &str) -> String {
        self.optional_text(name).unwrap_or_default()
    }

    pub fn optional_text(&self, name: &str) -> Option<String> {
        self.value(name).and_then(Value::as_str).map(str::to_owned)
    }

    pub fn flag(&self, name: &str) -> bool {
        self.value(name).and_then(Value::as_bool).unwrap_or_default()
    }

    pub fn texts(&self, name: &str) -> Vec<String> {
        let items = self.value(name).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    pub fn array(&self, name: &str) -> Vec<Value> {
        self.value(name).and_then(Value::as_array).cloned().unwrap_or_default()
    }

    pub fn object(&self, name: &str) -> Map<String, Value> {
        self.value(name).and_then(Value::as_object).cloned().unwrap_or_default()
    }

    pub fn headers(&self, name: &str) -> Vec<(String, Secret)> {
        let fields = self.value(name).and_then(Value::as_object).into_iter().flatten();
        fields.filter_map(|(name, value)| Some((name.clone(), Secret::new(value.as_str()?)))).collect()
    }

    pub fn duration(&self, name: &str) -> Option<Duration> {
        // Checked by `accept`.
        self.value(name).and_then(Value::as_str).and_then(|text| humantime::parse_duration(text).ok())
    }

    /// A path as given, relative to the contract's file when it was given there.
    pub fn resolve(&self, name: &str, path: &str) -> PathBuf {
        match (self.values.get(name).map(|given| &given.origin), &self.file) {
            (Some(Origin::File(_)), Some((file, _))) => file.parent().unwrap_or(Path::new("")).join(path),
            _ => PathBuf::from(path),
        }
    }

    pub fn finish(self) -> Result<(), Error> {
        if self.problems.is_empty() { Ok(()) } else { Err(Error { file: self.file, problems: self.problems }) }
    }
}

/// A value that is not what its key wants.
pub(super) struct Wrong {
    expected: String,
    /// What it was; `None` where saying so would show a secret.
    found: Option<String>,
    help: Option<String>,
}

impl Wrong {
    fn new(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { expected: expected.into(), found: Some(found.into()), help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub fn text(&self) -> String {
        match &self.found {
            Some(found) => format!("expected {}, found {found}", self.expected),
            None => format!("expected {}", self.expected),
        }
    }
}

/// Checks a value against its key's kind.
fn accept(key: &Key, value: Value) -> Result<Value, Wrong> {
    let kind = json_kind(&value);
    match (key.kind, value) {
        (Kind::UrlPathOrFalse, Value::Bool(false)) => Ok(Value::Bool(false)),
        (
            Kind::Text | Kind::SecretText | Kind::Command | Kind::UrlPath | Kind::UrlPathOrFalse | Kind::UrlTarget,
            Value::String(text),
        ) => {
            if text.is_empty() {
                return Err(Wrong::new("a text", "an empty one"));
            }
            let not_a_path = match key.kind {
                Kind::UrlPath | Kind::UrlPathOrFalse => text.contains("://") || text.contains(['?', '#', ' ']),
                Kind::UrlTarget => text.contains("://") || text.contains('#'),
                _ => false,
            };
            if not_a_path {
                let wrong = Wrong::new("a path such as \"/socket.io\"", format!("\"{text}\""));
                return Err(wrong.help("give the path alone, without scheme and host"));
            }
            Ok(Value::String(text))
        }
        (Kind::UrlPathOrFalse, _) => Err(Wrong::new("a path in quotes, or false", kind)),
        (Kind::Text | Kind::SecretText | Kind::Command | Kind::UrlPath | Kind::UrlTarget, _) => {
            Err(Wrong::new("a text in quotes", kind))
        }
        (Kind::Bool, value @ Value::Bool(_)) => Ok(value),
        (Kind::Bool, value) => Err(Wrong::new("true or false", quoted(&value))),
        (Kind::Duration, Value::String(text)) => match humantime::parse_duration(&text) {
            Ok(length) if length > MAX_DURATION => {
                Err(Wrong::new("a duration of one day at most", format!("\"{text}\"")))
            }
            Ok(length) if length.as_millis() == 0 => {
                Err(Wrong::new("a duration of 1ms at least", format!("\"{text}\"")))
            }
            Ok(_) => Ok(Value::String(text)),
            Err(_) => Err(Wrong::new("a duration such as \"5s\"", format!("\"{text}\""))
                .help("a number with its unit: ms, s, m or h")),
        },
        (Kind::Duration, value) => {
            let wrong = Wrong::new("a duration such as \"5s\"", quoted(&value));
            Err(if value.is_number() { wrong.help(format!("give the unit: \"{value}s\"")) } else { wrong })
        }
        (Kind::Choice(words), Value::String(text)) => {
            if let Some(word) = words.iter().find(|word| word.eq_ignore_ascii_case(&text)) {
                return Ok(Value::String((*word).to_owned()));
            }
            let wrong = Wrong::new(format!("one of {}", words.join(", ")), format!("\"{text}\""));
            Err(match nearest(&text, words.iter().copied()) {
                Some(near) => wrong.help(format!("did you mean \"{near}\"?")),
                None => wrong,
            })
        }
        (Kind::Choice(words), _) => Err(Wrong::new(format!("one of {}", words.join(", ")), kind)),
        (Kind::Texts, Value::Array(items)) => match items.iter().find(|item| !item.is_string()) {
            None => Ok(Value::Array(items)),
            Some(item) => Err(Wrong::new("a list of texts", format!("{} in it", json_kind(item)))),
        },
        (Kind::Texts, _) => Err(Wrong::new("a list of texts", kind)),
        (Kind::Headers, Value::Object(fields)) => {
            for (name, value) in &fields {
                if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
                    return Err(Wrong::new("names of headers", format!("\"{name}\", which is none")));
                }
                let Value::String(text) = value else {
                    return Err(Wrong::new(format!("a text as the value of \"{name}\""), json_kind(value)));
                };
                if http::HeaderValue::from_str(text).is_err() {
                    return Err(Wrong {
                        expected: format!("a value for \"{name}\" that can stand in a header"),
                        found: None,
                        help: Some("line breaks and control characters cannot".to_owned()),
                    });
                }
            }
            Ok(Value::Object(fields))
        }
        (Kind::Headers, _) => Err(Wrong::new("a table of headers, { Name = \"value\" }", kind)),
        (Kind::Array, value @ Value::Array(_)) => Ok(value),
        (Kind::Array, _) => Err(Wrong::new("a list of arguments", kind).help("put the argument in brackets: [\"…\"]")),
        (Kind::Object, value @ Value::Object(_)) => Ok(value),
        (Kind::Object, _) => Err(Wrong::new("a table, { name = … }", kind)),
        (Kind::Json, value) => Ok(value),
    }
}

/// The value that a flag's or variable's text stands for; [`accept`] then judges it.
fn value_of_text(key: &Key, text: &str) -> Result<Value, Wrong> {
    let json = |expected: &str, example: &str| {
        serde_json::from_str(text).map_err(|error| Wrong {
            expected: format!("{expected}, such as {example}"),
            found: if key.kind.is_secret() { None } else { Some(format!("`{}` ({error})", shortened(text))) },
            help: Some("quote it for the shell, and texts inside it with double quotes".to_owned()),
        })
    };
    match key.kind {
        Kind::UrlPathOrFalse if text.eq_ignore_ascii_case("false") => Ok(Value::Bool(false)),
        Kind::Text
        | Kind::UrlPathOrFalse
        | Kind::SecretText
        | Kind::Command
        | Kind::UrlPath
        | Kind::UrlTarget
        | Kind::Duration
        | Kind::Choice(_) => Ok(Value::String(text.to_owned())),
        Kind::Bool => Ok(match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Value::Bool(true),
            "false" | "0" | "no" | "off" => Value::Bool(false),
            _ => Value::String(text.to_owned()),
        }),
        Kind::Texts if text.trim_start().starts_with('[') => json("a list of texts", r#"["a","b"]"#),
        Kind::Texts => Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()),
        Kind::Headers if text.trim_start().starts_with('{') => json("headers", r#"{"Cookie":"a=b"}"#),
        Kind::Headers => {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            let fields: Option<Map<String, Value>> = lines
                .map(|line| line.split_once(':').map(|(name, value)| (name.trim().to_owned(), value.trim().into())))
                .collect();
            fields.map(Value::Object).ok_or_else(|| Wrong {
                expected: "headers, as `Name: value` or a JSON object".to_owned(),
                found: None,
                help: None,
            })
        }
        Kind::Array => json("a JSON array", r#"["{{room}}"]"#),
        Kind::Object => json("a JSON object", r#"{"sub":"{{client}}"}"#),
        Kind::Json => json("JSON", r#"{"message":"{{message}}"}"#),
    }
}

/// A TOML value as JSON.
pub(super) fn json_of_text(toml: &str) -> Option<Value> {
    json_of(DeValue::parse(toml).ok()?.get_ref()).ok()
}

fn default_value(key: &Key, default: &str) -> Value {
    // The table is ours: a default that does not parse is a mistake in this crate, found by the first `Contract::default()`.
    json_of_text(default)
        .and_then(|json| accept(key, json).ok())
        .unwrap_or_else(|| unreachable!("{} has a default that it does not accept", key.name))
}

pub(super) fn json_of(value: &DeValue<'_>) -> Result<Value, Wrong> {
    Ok(match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(truth) => Value::Bool(*truth),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_err(|_| Wrong::new("a number of at most 64 bits", number.to_string()))?
            .into(),
        DeValue::Float(number) => number
            .as_str()
            .parse()
            .ok()
            .and_then(serde_json::Number::from_f64)
            .map(Value::Number)
            .ok_or_else(|| Wrong::new("a number that JSON can hold", number.as_str()))?,
        DeValue::Datetime(moment) => Value::String(moment.to_string()),
        DeValue::Array(items) => {
            Value::Array(items.iter().map(|item| json_of(item.get_ref())).collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => {
            let mut fields = Map::new();
            for (name, value) in in_file_order(table) {
                fields.insert(name.get_ref().to_string(), json_of(value.get_ref())?);
            }
            Value::Object(fields)
        }
    })
}

/// A table's entries as written: the parser sorts them by name, but a body should go out in the user's order.
pub(super) fn in_file_order<'a, 'i>(
    table: &'a DeTable<'i>,
) -> Vec<(&'a Spanned<std::borrow::Cow<'i, str>>, &'a Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    entries
}

fn collect_unknown(value: &Value, known: &[&str], unknown: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            for name in template::names(text) {
                if !known.contains(&name) && !unknown.iter().any(|seen| seen == name) {
                    unknown.push(name.to_owned());
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_unknown(item, known, unknown)),
        Value::Object(fields) => fields.values().for_each(|field| collect_unknown(field, known, unknown)),
        _ => {}
    }
}

fn placeholder_span(text: &str, span: &Range<usize>, name: &str) -> Range<usize> {
    let within = text.get(span.clone()).unwrap_or_default();
    for (open, _) in within.match_indices("{{") {
        if let Some(close) = within[open..].find("}}")
            && within[open + 2..open + close].trim() == name
        {
            return span.start + open..span.start + open + close + 2;
        }
    }
    span.clone()
}

fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

pub(super) fn toml_kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn quoted(value: &Value) -> String {
    match value {
        Value::Array(_) | Value::Object(_) => json_kind(value).to_owned(),
        other => shortened(&other.to_string()),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The candidate that was probably meant: few letters away, or the same last part of a dotted name.
pub(super) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let candidates: Vec<&str> = candidates.collect();
    let wanted = name.to_ascii_lowercase().replace('_', "-");
    let spelt = |candidate: &str| candidate.to_ascii_lowercase().replace('_', "-");
    let allowed = (wanted.len() / 3).clamp(1, 4);
    let close = candidates
        .iter()
        .map(|candidate| (strsim::osa_distance(&wanted, &spelt(candidate)), *candidate))
        .filter(|(distance, _)| *distance <= allowed)
        // What begins so is nearer than what is as short.
        .min_by_key(|(distance, candidate)| (!spelt(candidate).starts_with(&wanted), *distance));
    if let Some((_, candidate)) = close {
        return Some(candidate);
    }
    // A key in the wrong table, or out of its table.
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let wanted = last(&wanted);
    candidates.iter().copied().find(|candidate| {
        let candidate = spelt(candidate);
        last(&candidate) == wanted || candidate.replace('.', "-") == wanted
    })
}
