//! A text in which the label of a secret is no text: whatever a target writes, it cannot pass for one.

use serde::{Deserialize, Serialize};

/// A stretch of such a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Run {
    /// As it is.
    Said(String),
    /// The label of a secret that stood here.
    Secret(String),
}

impl Run {
    /// How many characters a reader sees: `‹label›` for a label.
    fn length(&self) -> usize {
        match self {
            Run::Said(text) => text.chars().count(),
            Run::Secret(label) => label.chars().count() + 2,
        }
    }

    fn size(&self) -> usize {
        match self {
            Run::Said(text) => text.len(),
            Run::Secret(label) => label.len() + '‹'.len_utf8() + '›'.len_utf8(),
        }
    }
}

/// The text as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redacted(Vec<Run>);

impl<T: Into<String>> From<T> for Redacted {
    fn from(text: T) -> Redacted {
        let text = text.into();
        Redacted(if text.is_empty() { Vec::new() } else { vec![Run::Said(text)] })
    }
}

impl Redacted {
    /// Its stretches.
    pub fn runs(&self) -> &[Run] {
        &self.0
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a text as it is.
    pub fn say(&mut self, text: &str) {
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            Some(Run::Said(last)) => last.push_str(text),
            _ => self.0.push(Run::Said(text.to_owned())),
        }
    }

    /// Adds a label.
    pub fn hide(&mut self, label: &str) {
        self.0.push(Run::Secret(label.to_owned()));
    }

    /// Adds another such text.
    pub fn push(&mut self, other: &Redacted) {
        for run in &other.0 {
            match run {
                Run::Said(text) => self.say(text),
                Run::Secret(label) => self.hide(label),
            }
        }
    }

    /// Several, with a text between them.
    pub fn join<'a>(parts: impl IntoIterator<Item = &'a Redacted>, between: &str) -> Redacted {
        let mut whole = Redacted::default();
        for (at, part) in parts.into_iter().enumerate() {
            if at > 0 {
                whole.say(between);
            }
            whole.push(part);
        }
        whole
    }

    /// As people read it: `‹valid token of a›` where a secret was.
    pub fn shown(&self) -> String {
        let runs = self.0.iter().map(|run| match run {
            Run::Said(text) => text.clone(),
            Run::Secret(label) => format!("‹{label}›"),
        });
        runs.collect()
    }

    /// What stands before and after that, which no label holds.
    pub fn split_once(&self, between: &str) -> Option<(Redacted, Redacted)> {
        let (at, before, after) = self.0.iter().enumerate().find_map(|(at, run)| match run {
            Run::Said(text) => text.split_once(between).map(|(before, after)| (at, before, after)),
            Run::Secret(_) => None,
        })?;
        let mut first = Redacted(self.0[..at].to_vec());
        first.say(before);
        let mut second = Redacted::from(after);
        second.0.extend_from_slice(&self.0[at + 1..]);
        Some((first, second))
    }

    /// Its parts, between which that stands.
    pub fn split(&self, between: &str) -> Vec<Redacted> {
        let (mut parts, mut rest) = (Vec::new(), self.clone());
        while let Some((first, second)) = rest.split_once(between) {
            parts.push(first);
            rest = second;
        }
        parts.push(rest);
        parts
    }

    /// How many characters a reader sees.
    pub fn length(&self) -> usize {
        self.0.iter().map(Run::length).sum()
    }

    /// How many bytes a reader sees.
    pub fn size(&self) -> usize {
        self.0.iter().map(Run::size).sum()
    }

    /// So many characters of it at the most; a label is not cut.
    #[must_use]
    pub fn cut(&self, limit: usize) -> Redacted {
        let (mut kept, mut left) = (Redacted::default(), limit);
        for run in &self.0 {
            match run {
                Run::Said(text) => kept.say(first(text, left)),
                Run::Secret(label) if run.length() <= left => kept.hide(label),
                Run::Secret(_) => break,
            }
            left = left.saturating_sub(run.length());
            if left == 0 {
                break;
            }
        }
        kept
    }
}

/// The first characters of a text, at most so many.
pub fn first(text: &str, characters: usize) -> &str {
    &text[..text.char_indices().nth(characters).map_or(text.len(), |(end, _)| end)]
}
