//! The transcript: what one check sent and received, in order, with times; free of secrets where it is read, and bounded.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::redact::{self, Redactor};

/// Entries beyond this are counted, not kept.
const MAX_ENTRIES: usize = 2_000;
/// Characters of one entry beyond this are counted, not shown.
const MAX_TEXT: usize = 4_000;
/// Characters of one entry that are kept until it is read. More than are shown: secrets are hidden first, and what was
/// cut off in the middle of one must not be near the end of what is shown.
const MAX_KEPT: usize = 3 * MAX_TEXT;
/// Bytes of a whole transcript beyond which lines are counted, not kept.
const MAX_BYTES: usize = 8 << 20;

/// Which way something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// From siospec to the target.
    Sent,
    /// From the target to siospec.
    Received,
    /// Neither: a remark about the connection.
    Remark,
}

/// One line of a transcript.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// Milliseconds since the check began.
    pub at_ms: u64,
    /// Which of the check's clients or connections.
    pub connection: String,
    /// Which way it went.
    pub direction: Direction,
    /// What went, redacted and cut to a bounded length.
    pub text: String,
}

/// A transcript that is being written. Clones write to the same one.
#[derive(Clone)]
pub struct Transcript {
    inner: Arc<Mutex<Inner>>,
    redactor: Redactor,
    start: Instant,
}

struct Inner {
    /// As they are: most transcripts are never read, and hiding secrets takes longer than many an exchange.
    lines: Vec<Line>,
    bytes: usize,
    dropped: usize,
}

struct Line {
    entry: Entry,
    /// How many characters the text had beyond those kept.
    cut: usize,
}

impl Transcript {
    /// An empty transcript whose clock starts now.
    pub fn new(redactor: Redactor) -> Transcript {
        let inner = Inner { lines: Vec::new(), bytes: 0, dropped: 0 };
        Transcript { inner: Arc::new(Mutex::new(inner)), redactor, start: Instant::now() }
    }

    /// Writes one line.
    pub fn record(&self, connection: &str, direction: Direction, text: &str) {
        let at_ms = self.start.elapsed().as_millis() as u64;
        let mut inner = self.inner.lock().expect("no writer panics while it holds the lock");
        if inner.lines.len() >= MAX_ENTRIES || inner.bytes >= MAX_BYTES {
            inner.dropped += 1;
            return;
        }
        let end = text.char_indices().nth(MAX_KEPT).map_or(text.len(), |(end, _)| end);
        inner.bytes += end;
        let entry = Entry { at_ms, connection: connection.to_owned(), direction, text: text[..end].to_owned() };
        inner.lines.push(Line { entry, cut: text[end..].chars().count() });
    }

    /// What was written so far, free of secrets; the last line says how many lines were not kept, if any.
    pub fn entries(&self) -> Vec<Entry> {
        let inner = self.inner.lock().expect("no writer panics while it holds the lock");
        let shown = |line: &Line| Entry { text: self.shown(line), ..line.entry.clone() };
        let mut entries: Vec<Entry> = inner.lines.iter().map(shown).collect();
        if inner.dropped > 0 {
            entries.push(Entry {
                at_ms: self.start.elapsed().as_millis() as u64,
                connection: String::new(),
                direction: Direction::Remark,
                text: format!("{} more lines were not kept", inner.dropped),
            });
        }
        entries
    }

    /// Secrets are hidden before the text is cut to what is shown, so that no half of one slips through.
    fn shown(&self, line: &Line) -> String {
        let text = self.redactor.redact(&line.entry.text);
        let total = text.chars().count() + line.cut;
        if line.cut == 0 && total <= MAX_TEXT {
            return text;
        }
        // Hidden secrets make a text shorter. Where it was cut off before, half a secret may stand at its very end.
        let sure = if line.cut > 0 { (total - line.cut).saturating_sub(redact::SHORTEST_START) } else { MAX_TEXT };
        let head: String = text.chars().take(sure.min(MAX_TEXT)).collect();
        let missing = total - head.chars().count();
        format!("{head}… ({missing} more characters)")
    }
}
