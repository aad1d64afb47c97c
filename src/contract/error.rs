//! What is wrong with a contract, in full: each mistake with its place and a way out.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// Everything wrong with a contract. `Display` is the complete text for the user, without colour.
#[derive(Clone, Debug)]
pub struct Error {
    pub(super) file: Option<(PathBuf, String)>,
    pub(super) problems: Vec<Problem>,
}

/// One mistake.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    /// What is wrong, as a sentence without the place.
    pub title: String,
    pub place: Origin,
    /// A few words under the caret.
    pub label: String,
    pub help: Option<String>,
    /// Whether the quoted line shows none of its strings: a misspelt `secret` holds a secret all the same.
    pub hides_strings: bool,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Default,
    /// Bytes of the file.
    File(Range<usize>),
    /// Name of the environment variable.
    Env(String),
    /// The flag as typed, with its dashes.
    Flag(String),
}

impl Error {
    /// The complete text for the user, with ANSI colours when `colour` is set.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let quoted = |all| self.file.as_ref().map(|(path, text)| (path.display().to_string(), conceal(text, all)));
        let (careful, silent) = (quoted(false), quoted(true));
        let rendered: Vec<String> = self
            .problems
            .iter()
            .map(|problem| {
                renderer.render(&[problem.group(if problem.hides_strings {
                    silent.as_ref()
                } else {
                    careful.as_ref()
                })])
            })
            .collect();
        rendered.join("\n\n")
    }

    /// How many mistakes there are.
    pub fn count(&self) -> usize {
        self.problems.len()
    }
}

impl Problem {
    fn group<'a>(&'a self, file: Option<&'a (String, String)>) -> Group<'a> {
        let title = match &self.place {
            Origin::Env(name) | Origin::Flag(name) => format!("{name}: {}", self.title),
            Origin::Default | Origin::File(_) => self.title.clone(),
        };
        let mut group = Group::with_title(Level::ERROR.primary_title(title));
        if let (Origin::File(span), Some((path, text))) = (&self.place, file) {
            group = group.element(
                Snippet::source(text.as_str()).path(path.as_str()).annotation(
                    AnnotationKind::Primary
                        .span(span.start.min(text.len())..span.end.min(text.len()))
                        .label(self.label.as_str()),
                ),
            );
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        group
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.render(false))
    }
}

impl std::error::Error for Error {}

/// The file's text with the content of its secret strings starred out, byte for byte, so that every span still holds.
///
/// A message quotes the line it is about, and it may end in a public CI log. As a file with a mistake cannot be read as
/// meant (the mistake may be in the very key that makes it secret), this goes by lines: a line that speaks of secrets,
/// or stands in a table of headers, shows none of its strings. With `all`, no line does.
fn conceal(text: &str, all: bool) -> String {
    const WORDS: [&str; 10] =
        ["secret", "token", "passw", "cookie", "auth", "header", "credential", "key", "login", "pwd"];
    let bytes = text.as_bytes();
    let mut shown = bytes.to_vec();
    let (mut at, mut table_is_secret, mut line_is_secret, mut line_start) = (0, false, false, true);
    // Behind the `=` of the line: a forgotten quote, the likeliest mistake, leaves a secret bare.
    let mut in_value = false;
    while at < bytes.len() {
        if line_start {
            let line = text[at..].lines().next().unwrap_or_default().to_ascii_lowercase();
            let speaks_of_secrets = WORDS.iter().any(|word| line.contains(word));
            if line.trim_start().starts_with('[') {
                table_is_secret = speaks_of_secrets;
            }
            // Table names themselves are no secret; a line inside a value that spans lines keeps its first line's verdict.
            line_is_secret = all || speaks_of_secrets || table_is_secret;
            line_start = false;
            in_value = false;
        }
        match bytes[at] {
            b'\n' => {
                line_start = true;
                at += 1;
            }
            b'#' => {
                let end = text[at..].find('\n').map_or(bytes.len(), |n| at + n);
                // A commented-out secret is a secret.
                if line_is_secret {
                    shown[at + 1..end].fill(b'*');
                }
                at = end;
            }
            quote @ (b'"' | b'\'') => {
                let long = bytes[at..].starts_with(&[quote; 3]);
                let width = if long { 3 } else { 1 };
                let start = at + width;
                let mut end = start;
                while end < bytes.len() {
                    if bytes[end..].starts_with(&[quote; 3][..width]) || (!long && bytes[end] == b'\n') {
                        break;
                    }
                    end += if quote == b'"' && bytes[end] == b'\\' { 2 } else { 1 };
                }
                let end = end.min(bytes.len());
                if line_is_secret {
                    for byte in &mut shown[start.min(end)..end] {
                        if *byte != b'\n' {
                            *byte = b'*';
                        }
                    }
                }
                at = if end < bytes.len() && bytes[end] == quote { end + width } else { end };
            }
            byte => {
                let structural = byte.is_ascii_whitespace() || b"=[]{},".contains(&byte);
                if line_is_secret && in_value && !structural {
                    shown[at] = b'*';
                }
                in_value |= byte == b'=';
                at += 1;
            }
        }
    }
    // Whole characters were replaced, by as many asterisks as they have bytes.
    String::from_utf8_lossy(&shown).into_owned()
}
