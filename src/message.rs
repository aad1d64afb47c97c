//! What siospec says: a sentence of ours, and what stands in its gaps.
//!
//! A [`Message`] is made where it is said, by [`say!`](crate::say). It keeps its template and its arguments apart, so that a
//! report shows it in any language ([`Lang`](crate::lang::Lang) looks the template up, and nothing else), and so that each
//! format knows which words are ours and which are the target's.
//!
//! In the code the type says whose words they are: a `&'static str` is ours, and has a translation where it has words; a
//! `String` is data, such as what went over the wire, and stays as it is.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
    time::Duration,
};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::redact::{Redactor, Run, first};

/// A sentence with its arguments: `say!("{lost} of {sent} messages are lost", lost, sent = all.len())`.
///
/// Of two forms of a sentence the first is for one, the second for any other number; the first argument is that number:
/// `say!("{count} run" | "{count} runs", count)`. An argument without a gap, or a gap without an argument, does not compile.
#[macro_export]
macro_rules! say {
    ($template:literal $(| $many:literal)? $(, $name:ident $(= $value:expr)?)+ $(,)?) => {{
        const NAMES: &[&str] = &[$(stringify!($name)),+];
        const MANY: &[&str] = &[$($many)?];
        // Both forms name the number: a language of one form has the first alone to go by.
        const _: () = $crate::message::fit($template, NAMES, true);
        $(const _: () = $crate::message::fit($many, NAMES, true);)?
        #[allow(unused_imports)]
        use $crate::message::ToArg as _;
        $crate::message::Message::new(
            $template,
            MANY.first().copied(),
            vec![$((stringify!($name), $crate::say!(@ $name $(= $value)?))),+],
        )
    }};
    ($text:literal $(,)?) => { $crate::message::Message::from($text) };
    (@ $name:ident) => { (&$name).to_arg() };
    (@ $name:ident = $value:expr) => { (&$value).to_arg() };
}

/// A word of ours that is part of a sentence, and has a translation: `said!("first")`. Texts of two words or more need no mark.
#[macro_export]
macro_rules! said {
    ($text:literal) => {
        $text
    };
}

/// Has a type that says something stand in a gap, or be a whole message, as the message that its `message` gives.
#[macro_export]
macro_rules! spoken {
    ($($spoken:ty),+ $(,)?) => {$(
        impl $crate::message::ToArg for $spoken {
            fn to_arg(&self) -> $crate::message::Arg {
                self.message().to_arg()
            }
        }

        impl From<&$spoken> for $crate::message::Message {
            fn from(spoken: &$spoken) -> $crate::message::Message {
                spoken.message()
            }
        }

        impl From<$spoken> for $crate::message::Message {
            fn from(spoken: $spoken) -> $crate::message::Message {
                spoken.message()
            }
        }
    )+};
}

/// A sentence, or a part of one.
///
/// Gaps are names in braces, `{count}`; whatever else stands in braces stays as it is. It has no `Display`: what `format!` puts
/// together is a text that nobody translates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Stored", try_from = "Stored")]
pub struct Message(Box<Parts>);

/// A message is often one of several in an error, which should be small.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    template: Cow<'static, str>,
    /// The template for any number but one, where the first argument is a number that decides.
    many: Option<Cow<'static, str>>,
    args: Vec<(Cow<'static, str>, Arg)>,
}

/// What stands in a gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arg {
    /// A number.
    Number(u64),
    /// A length of time, in milliseconds.
    Ms(u64),
    /// A word of ours that is the same in every language: a transport, the id of a check, a key of the contract.
    Word(Cow<'static, str>),
    /// What went over the wire, or stands in the contract, as it is.
    Data(Text),
    /// The target's own words, which are shown between quotation marks.
    Quote(Text),
    /// A part of the sentence.
    Message(Message),
    /// Several parts, and what stands between them.
    List(Vec<Message>, Joint),
}

/// What stands between the parts of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Joint {
    /// `a, b, c`
    Comma,
    /// `a; b; c`
    Semicolon,
    /// `a, b and c`
    And,
}

impl Joint {
    const fn text(self) -> &'static str {
        match self {
            Joint::Comma | Joint::And => ", ",
            Joint::Semicolon => "; ",
        }
    }
}

/// A text that is not ours, in which the labels of secrets are no text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    runs: Vec<Run>,
    /// How many characters were left out at its end.
    #[serde(default, skip_serializing_if = "is_zero")]
    more: usize,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Text {
    fn new(text: String) -> Text {
        Text { runs: vec![Run::Said(text)], more: 0 }
    }

    fn cut(text: &str, limit: usize) -> Text {
        let kept = first(text, limit);
        Text { runs: vec![Run::Said(kept.to_owned())], more: text[kept.len()..].chars().count() }
    }

    /// As people read it: `‹valid token of a›` where a secret was. What the target wrote cannot be mistaken for that.
    fn shown(&self) -> String {
        let mut out = String::new();
        for run in &self.runs {
            match run {
                Run::Said(text) => out += &text.replace('‹', "\\u{2039}").replace('›', "\\u{203a}"),
                Run::Secret(label) => out += &format!("‹{label}›"),
            }
        }
        out
    }

    /// Labels do not count towards the limit.
    fn redacted(&self, redactor: &Redactor, limit: usize) -> Text {
        let (mut runs, mut left, mut more) = (Vec::new(), limit, self.more);
        for run in redactor.hide(&self.runs).runs() {
            let Run::Said(text) = run else {
                runs.push(run.clone());
                continue;
            };
            let kept = first(text, left);
            left -= kept.chars().count();
            more += text[kept.len()..].chars().count();
            if !kept.is_empty() {
                runs.push(Run::Said(kept.to_owned()));
            }
        }
        Text { runs, more }
    }
}

/// Gives the translation of a template, for one or for that many.
pub type LookUp<'a> = &'a dyn Fn(&str, Option<u64>) -> Option<String>;

/// Characters of the target's words in a sentence.
const MAX_QUOTE: usize = 200;

impl Parts {
    fn whole(self) -> Message {
        Message(Box::new(self))
    }
}

impl Message {
    /// A sentence with its arguments. [`say!`](crate::say) looks at compile time whether they fit.
    pub fn new(template: &'static str, many: Option<&'static str>, args: Vec<(&'static str, Arg)>) -> Message {
        let args = args.into_iter().map(|(name, arg)| (name.into(), arg)).collect();
        Parts { template: template.into(), many: many.map(Into::into), args }.whole()
    }

    /// What is not ours, as a whole message.
    pub fn data(text: impl Into<String>) -> Message {
        Parts { template: "{it}".into(), many: None, args: vec![("it".into(), data(text))] }.whole()
    }

    /// Several parts, as a whole message.
    pub fn list(parts: impl IntoIterator<Item = impl Into<Message>>, joint: Joint) -> Message {
        let parts = parts.into_iter().map(Into::into).collect();
        Parts { template: "{it}".into(), many: None, args: vec![("it".into(), Arg::List(parts, joint))] }.whole()
    }

    /// The text, in the language of its templates: English, unless [`Message::translated`] changed that.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a text does not fail.
        let _ = self.walk(&mut |_, text| out.write_str(text));
        out
    }

    /// Whether its sentence begins with that.
    pub fn is_about(&self, beginning: &str) -> bool {
        self.0.template.starts_with(beginning)
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.text().is_empty()
    }

    /// Whether the word stands in it: as a word of its own, or in its template.
    pub fn names(&self, word: &str) -> bool {
        self.0.template.contains(word)
            || self.0.args.iter().any(|(_, arg)| match arg {
                Arg::Word(it) => it == word,
                Arg::Message(message) => message.names(word),
                Arg::List(parts, _) => parts.iter().any(|part| part.names(word)),
                _ => false,
            })
    }

    /// The message without secrets. Each text in it that is not ours has at most `limit` characters.
    #[must_use]
    pub fn redacted(&self, redactor: &Redactor, limit: usize) -> Message {
        self.map(&|arg| match arg {
            Arg::Data(text) => Arg::Data(text.redacted(redactor, limit)),
            Arg::Quote(text) => Arg::Quote(text.redacted(redactor, limit.min(MAX_QUOTE))),
            Arg::Word(word) => Arg::Word(redactor.redact(word).into()),
            other => other.clone(),
        })
    }

    fn map(&self, change: &impl Fn(&Arg) -> Arg) -> Message {
        let args = self.0.args.iter().map(|(name, arg)| {
            let arg = match arg {
                Arg::Message(message) => Arg::Message(message.map(change)),
                Arg::List(parts, joint) => Arg::List(parts.iter().map(|part| part.map(change)).collect(), *joint),
                other => change(other),
            };
            (name.clone(), arg)
        });
        Parts { args: args.collect(), ..(*self.0).clone() }.whole()
    }

    /// The message in another language. What has no translation stays as it is.
    #[must_use]
    pub fn translated(&self, look_up: LookUp<'_>) -> Message {
        let args = self.0.args.iter().map(|(name, arg)| {
            let arg = match arg {
                Arg::Message(message) => Arg::Message(message.translated(look_up)),
                Arg::List(parts, joint) => {
                    Arg::Message(joined(parts.iter().map(|part| part.translated(look_up)).collect(), *joint, look_up))
                }
                Arg::Data(text) | Arg::Quote(text) if text.more > 0 => {
                    let whole = Text { more: 0, ..text.clone() };
                    let whole = if matches!(arg, Arg::Data(_)) { Arg::Data(whole) } else { Arg::Quote(whole) };
                    Arg::Message(more(whole, text.more).translated(look_up))
                }
                other => other.clone(),
            };
            (name.clone(), arg)
        });
        let args = args.collect();
        let number = self.0.many.as_ref().and_then(|_| self.number());
        let template = look_up(&self.0.template, number).map_or_else(|| self.spoken().clone(), Cow::Owned);
        Parts { template, many: None, args }.whole()
    }

    /// The template that the number asks for.
    fn spoken(&self) -> &Cow<'static, str> {
        match &self.0.many {
            Some(many) if self.number() != Some(1) => many,
            _ => &self.0.template,
        }
    }

    fn number(&self) -> Option<u64> {
        match self.0.args.first() {
            Some((_, Arg::Number(number))) => Some(*number),
            _ => None,
        }
    }

    /// What is in it that is not ours, piece by piece.
    pub fn others(&self) -> Vec<String> {
        let mut others = Vec::new();
        // Writing to a list does not fail.
        let _ = self.walk(&mut |whose, text| {
            if whose == Whose::Others {
                others.push(text.to_owned());
            }
            Ok(())
        });
        others
    }

    /// Every template in it, its own first.
    pub fn templates(&self) -> Vec<&str> {
        let mut templates = vec![&*self.0.template];
        for (_, arg) in &self.0.args {
            match arg {
                Arg::Message(message) => templates.extend(message.templates()),
                Arg::List(parts, _) => templates.extend(parts.iter().flat_map(Message::templates)),
                _ => {}
            }
        }
        templates
    }
}

/// The parts of a list as one message, whose joints are templates as well.
fn joined(mut parts: Vec<Message>, joint: Joint, look_up: LookUp<'_>) -> Message {
    let template = |english: &'static str| look_up(english, None).map_or(Cow::Borrowed(english), Cow::Owned);
    let last = if joint == Joint::And && parts.len() > 1 { parts.pop() } else { None };
    let between = template(joint.text());
    let names = (0..parts.len()).map(|number| format!("part{number}"));
    let gaps: Vec<String> = names.clone().map(|name| format!("{{{name}}}")).collect();
    let args = names.map(Cow::Owned).zip(parts.into_iter().map(Arg::Message));
    let first = Parts { template: gaps.join(&between).into(), many: None, args: args.collect() }.whole();
    let Some(last) = last else { return first };
    let Message(mut both) = say!("{first} and {last}", first, last);
    both.template = look_up(&both.template, None).map_or(both.template, Cow::Owned);
    both.whole()
}

/// A text of which that many characters were left out.
fn more(text: Arg, count: usize) -> Message {
    say!("{text}… ({count} more characters)", text, count)
}

/// Whose words something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Ours,
    Others,
}

/// What is told of each stretch of a message, one after the other.
type Walker<'a> = &'a mut dyn FnMut(Whose, &str) -> fmt::Result;

impl Message {
    fn walk(&self, tell: Walker<'_>) -> fmt::Result {
        let template = self.spoken();
        // Without arguments it has no gaps, whatever stands in braces.
        if self.0.args.is_empty() {
            return tell(Whose::Ours, template);
        }
        let mut rest: &str = template;
        while let Some((before, name, after)) = next_gap(rest) {
            tell(Whose::Ours, before)?;
            match self.0.args.iter().find(|(known, _)| known == name) {
                Some((_, arg)) => arg.walk(tell)?,
                None => tell(Whose::Ours, &format!("{{{name}}}"))?,
            }
            rest = after;
        }
        tell(Whose::Ours, rest)
    }

    /// The text in pieces, each with whose words it is. Code of ours stands between backticks; a backtick of the target's
    /// begins none.
    pub fn pieces(&self) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut is_code = false;
        // Writing to a list does not fail.
        let _ = self.walk(&mut |whose, text| {
            let parts = if whose == Whose::Ours { text.split('`').collect() } else { vec![text] };
            for (number, part) in parts.into_iter().enumerate() {
                is_code ^= number > 0;
                match (pieces.last_mut(), is_code, whose) {
                    _ if part.is_empty() => {}
                    (Some(Piece::Code(code)), true, _) => code.push_str(part),
                    (_, true, _) => pieces.push(Piece::Code(part.to_owned())),
                    (_, false, Whose::Ours) => pieces.push(Piece::Words(part.to_owned())),
                    (_, false, Whose::Others) => pieces.push(Piece::Data(part.to_owned())),
                }
            }
            Ok(())
        });
        pieces
    }
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Words of ours.
    Words(String),
    /// Code, whosever it is.
    Code(String),
    /// What is not ours.
    Data(String),
}

impl Arg {
    fn walk(&self, tell: Walker<'_>) -> fmt::Result {
        let whole = |text: &Text| Text { more: 0, ..text.clone() };
        match self {
            Arg::Number(number) => tell(Whose::Ours, &number.to_string()),
            Arg::Ms(ms) => tell(Whose::Ours, &humantime::format_duration(Duration::from_millis(*ms)).to_string()),
            Arg::Word(word) => tell(Whose::Ours, word),
            Arg::Data(text) if text.more == 0 => tell(Whose::Others, &text.shown()),
            Arg::Quote(text) if text.more == 0 => tell(Whose::Others, &Value::from(text.shown()).to_string()),
            Arg::Data(text) => more(Arg::Data(whole(text)), text.more).walk(tell),
            Arg::Quote(text) => more(Arg::Quote(whole(text)), text.more).walk(tell),
            Arg::Message(message) => message.walk(tell),
            Arg::List(parts, joint) => joined(parts.clone(), *joint, &|_, _| None).walk(tell),
        }
    }
}

/// The text before the first gap, the gap's name, and what follows it.
fn next_gap(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let open = from + text[from..].find('{')?;
        let rest = &text[open + 1..];
        let length = rest.bytes().take_while(|byte| is_name(*byte)).count();
        if length > 0 && rest.as_bytes().get(length) == Some(&b'}') {
            return Some((&text[..open], &rest[..length], &rest[length + 1..]));
        }
        from = open + 1;
    }
}

const fn is_name(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'
}

/// Whether the gaps of a template are among these, and, where that is asked, are all of them.
///
/// # Panics
/// Where they are not: at compile time, by [`say!`](crate::say).
pub const fn fit(template: &str, names: &[&str], are_all_used: bool) {
    let text = template.as_bytes();
    let mut used = [false; 24];
    let mut at = 0;
    while at < text.len() {
        if text[at] == b'{' {
            let mut end = at + 1;
            while end < text.len() && is_name(text[end]) {
                end += 1;
            }
            if end > at + 1 && end < text.len() && text[end] == b'}' {
                let mut number = 0;
                let mut found = false;
                while number < names.len() {
                    if is_at(text, at + 1, end, names[number].as_bytes()) {
                        used[number] = true;
                        found = true;
                    }
                    number += 1;
                }
                assert!(found, "a gap of the sentence has no argument");
                at = end;
            }
        }
        at += 1;
    }
    let mut number = 0;
    while are_all_used && number < names.len() {
        assert!(used[number], "an argument has no gap in the sentence");
        number += 1;
    }
}

const fn is_at(text: &[u8], from: usize, to: usize, name: &[u8]) -> bool {
    if to - from != name.len() {
        return false;
    }
    let mut at = 0;
    while at < name.len() {
        if text[from + at] != name[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// A word of ours that is the same in every language.
pub fn word(word: impl Into<Cow<'static, str>>) -> Arg {
    Arg::Word(word.into())
}

/// What went over the wire, or stands in the contract.
pub fn data(text: impl Into<String>) -> Arg {
    Arg::Data(Text::new(text.into()))
}

/// The first of what went over the wire, at most that many characters.
pub fn excerpt(text: &str, limit: usize) -> Arg {
    Arg::Data(Text::cut(text, limit))
}

/// The target's own words, to be shown between quotation marks.
pub fn quote(text: &str) -> Arg {
    quote_of(text, MAX_QUOTE)
}

/// The first of the target's own words, at most that many characters, between quotation marks.
pub fn quote_of(text: &str, limit: usize) -> Arg {
    Arg::Quote(Text::cut(text, limit))
}

/// Several parts, with that between them.
pub fn list(parts: impl IntoIterator<Item = impl Into<Message>>, joint: Joint) -> Arg {
    Arg::List(parts.into_iter().map(Into::into).collect(), joint)
}

/// What can stand in a gap.
pub trait ToArg {
    /// As an argument.
    fn to_arg(&self) -> Arg;
}

impl ToArg for Arg {
    fn to_arg(&self) -> Arg {
        self.clone()
    }
}

impl ToArg for Message {
    fn to_arg(&self) -> Arg {
        Arg::Message(self.clone())
    }
}

impl ToArg for &'static str {
    fn to_arg(&self) -> Arg {
        Message::from(*self).to_arg()
    }
}

impl ToArg for String {
    fn to_arg(&self) -> Arg {
        data(self.as_str())
    }
}

impl ToArg for Cow<'static, str> {
    fn to_arg(&self) -> Arg {
        data(self.as_ref())
    }
}

/// What others write, as data.
macro_rules! others {
    ($($other:ty),* $(,)?) => {$(
        impl ToArg for $other {
            fn to_arg(&self) -> Arg {
                data(self.to_string())
            }
        }
    )*};
}
others!(
    Value,
    base64::DecodeError,
    reqwest::Method,
    serde_json::Error,
    std::io::Error,
    std::process::ExitStatus,
    url::ParseError,
    url::Url,
);

impl ToArg for Duration {
    /// Whole milliseconds of it.
    fn to_arg(&self) -> Arg {
        Arg::Ms(u64::try_from(self.as_millis()).unwrap_or(u64::MAX))
    }
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl ToArg for $number {
            fn to_arg(&self) -> Arg {
                Arg::Number(u64::try_from(*self).unwrap_or(u64::MAX))
            }
        }
    )*};
}
numbers!(u8 u16 u32 u64 u128 usize);

impl From<&'static str> for Message {
    fn from(text: &'static str) -> Message {
        Parts { template: text.into(), many: None, args: Vec::new() }.whole()
    }
}

impl From<String> for Message {
    fn from(text: String) -> Message {
        Message::data(text)
    }
}

impl From<&String> for Message {
    fn from(text: &String) -> Message {
        Message::data(text)
    }
}

impl From<&Message> for Message {
    fn from(message: &Message) -> Message {
        message.clone()
    }
}

impl From<Arg> for Message {
    fn from(arg: Arg) -> Message {
        match arg {
            Arg::Message(message) => message,
            arg => Parts { template: "{it}".into(), many: None, args: vec![("it".into(), arg)] }.whole(),
        }
    }
}

/// How a message stands in a report.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
struct Stored {
    /// The sentence, in English.
    #[serde(default)]
    text: String,
    /// The sentence with gaps, `{name}`, by which a translation is found.
    template: String,
    /// Its form for any number but one, where the first argument is a number that decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    many: Option<String>,
    /// What stands in the gaps, by name, each with its kind: `number`, `ms`, `word`, `data`, `quote`, `message` or `list`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    args: Map<String, Value>,
}

impl From<Message> for Stored {
    fn from(message: Message) -> Stored {
        let text = message.text();
        let arg = |(name, arg): (Cow<'static, str>, Arg)| {
            (name.into_owned(), serde_json::to_value(arg).unwrap_or(Value::Null))
        };
        Stored {
            text,
            template: message.0.template.into_owned(),
            many: message.0.many.map(Cow::into_owned),
            args: message.0.args.into_iter().map(arg).collect(),
        }
    }
}

impl TryFrom<Stored> for Message {
    type Error = serde_json::Error;

    fn try_from(stored: Stored) -> Result<Message, serde_json::Error> {
        let arg = |(name, arg): (String, Value)| Ok((Cow::Owned(name), serde_json::from_value(arg)?));
        let args = stored.args.into_iter().map(arg).collect::<Result<_, serde_json::Error>>()?;
        Ok(Parts { template: stored.template.into(), many: stored.many.map(Cow::Owned), args }.whole())
    }
}

impl JsonSchema for Message {
    fn schema_name() -> Cow<'static, str> {
        "Message".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Stored::json_schema(generator)
    }
}
