//! What an answer must look like: a JSON value of which the answer may say more, but not less.

use serde_json::Value;

use super::template::{self, Vars};
use crate::message::Message;

/// How much of a value a message quotes.
const QUOTE_LIMIT: usize = 80;

/// A JSON pattern. Objects need the listed fields (and may have others), arrays match element by element, texts are
/// equal once their templates are filled in, and `"{{any}}"` matches anything that is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern(Value);

/// Where, and how, a value differs from its pattern. Its `Display` reads `at .success: expected true, got false`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Where, as a path of fields and indices; empty for the whole value.
    pub path: String,
    /// What was wanted there.
    pub expected: Message,
    /// What was there.
    pub got: Message,
}

spoken!(Mismatch);

impl Mismatch {
    /// The difference, in words.
    pub fn message(&self) -> Message {
        let Mismatch { path, expected, got } = self;
        if path.is_empty() {
            say!("expected {expected}, got {got}", expected, got)
        } else {
            say!("at {path}: expected {expected}, got {got}", path, expected, got)
        }
    }
}

impl Pattern {
    /// A pattern out of its JSON form.
    pub fn new(value: Value) -> Self {
        Self(value)
    }

    /// The pattern's JSON form, templates and all.
    pub fn as_value(&self) -> &Value {
        &self.0
    }

    /// Whether `value` matches.
    ///
    /// # Errors
    /// The first difference, fields in the pattern's order.
    pub fn check(&self, value: &Value, vars: &Vars) -> Result<(), Mismatch> {
        compare(&self.0, value, vars, &mut String::new())
    }
}

fn compare(pattern: &Value, value: &Value, vars: &Vars, path: &mut String) -> Result<(), Mismatch> {
    let mismatch = |expected: Message, got: Message, path: &str| Mismatch { path: path.to_owned(), expected, got };
    match (pattern, value) {
        (Value::String(text), value) => {
            let names = template::names(text);
            // A name without a value says nothing about the text: `{{message}}` when no message was sent.
            if names.iter().any(|name| *name == template::ANY || vars.get(name).is_none()) {
                return Ok(());
            }
            let wanted = template::render(pattern, vars);
            if is_same(&wanted, value) { Ok(()) } else { Err(mismatch(quote(&wanted), quote(value), path)) }
        }
        (Value::Object(fields), Value::Object(found)) => {
            for (name, wanted) in fields {
                let length = path.len();
                push_field(path, name);
                let Some(value) = found.get(name) else {
                    return Err(mismatch(quote(&template::render(wanted, vars)), "nothing".into(), path));
                };
                compare(wanted, value, vars, path)?;
                path.truncate(length);
            }
            Ok(())
        }
        (Value::Array(items), Value::Array(found)) => {
            if items.len() != found.len() {
                return Err(mismatch(elements(items.len()), elements(found.len()), path));
            }
            for (index, (wanted, value)) in items.iter().zip(found).enumerate() {
                let length = path.len();
                path.push_str(&format!("[{index}]"));
                compare(wanted, value, vars, path)?;
                path.truncate(length);
            }
            Ok(())
        }
        (wanted, found) if is_same(wanted, found) => Ok(()),
        (wanted, found) => Err(mismatch(quote(&template::render(wanted, vars)), quote(found), path)),
    }
}

/// JavaScript has one kind of number: 1 and 1.0 are the same.
fn is_same(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Number(wanted), Value::Number(found)) => wanted == found || wanted.as_f64() == found.as_f64(),
        _ => wanted == found,
    }
}

fn elements(count: usize) -> Message {
    say!("{count} element" | "{count} elements", count)
}

fn push_field(path: &mut String, name: &str) {
    if !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_') {
        path.push('.');
        path.push_str(name);
    } else {
        path.push_str(&format!("[{}]", Value::String(name.to_owned())));
    }
}

/// A value as JSON, cut where it gets long.
fn quote(value: &Value) -> Message {
    let text = value.to_string();
    match text.char_indices().nth(QUOTE_LIMIT) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// An event that the deployment promises to send.
#[derive(Clone, Debug, PartialEq)]
pub struct Expect {
    /// The event's name.
    pub event: String,
    /// What its first argument must look like; `None`: see [`Expect::check`].
    pub payload: Option<Pattern>,
}

impl Expect {
    /// Whether the arguments of a received event (its name left out) are what was promised.
    ///
    /// Without a declared pattern, the text of `{{message}}` must occur somewhere in the arguments; when no message was
    /// sent, anything goes.
    ///
    /// # Errors
    /// The first difference.
    pub fn check(&self, args: &[Value], vars: &Vars) -> Result<(), Mismatch> {
        check_args(self.payload.as_ref(), args, vars)
    }
}

pub(super) fn check_args(pattern: Option<&Pattern>, args: &[Value], vars: &Vars) -> Result<(), Mismatch> {
    if let Some(pattern) = pattern {
        return match args.first() {
            Some(first) => pattern.check(first, vars),
            None => Err(Mismatch {
                path: String::new(),
                expected: quote(&template::render(pattern.as_value(), vars)),
                got: "no argument".into(),
            }),
        };
    }
    let Some(message) = vars.get(template::MESSAGE) else { return Ok(()) };
    if args.iter().any(|arg| holds_text(arg, message)) {
        return Ok(());
    }
    Err(Mismatch {
        path: String::new(),
        expected: say!("{text} somewhere in the arguments", text = quote(&Value::String(message.to_owned()))),
        got: quote(&Value::Array(args.to_vec())),
    })
}

fn holds_text(value: &Value, needle: &str) -> bool {
    match value {
        Value::String(text) => text.contains(needle),
        Value::Array(items) => items.iter().any(|item| holds_text(item, needle)),
        Value::Object(fields) => fields.iter().any(|(name, field)| name.contains(needle) || holds_text(field, needle)),
        // A nonce of digits may come back as a number.
        Value::Number(number) => number.to_string() == needle,
        _ => false,
    }
}
