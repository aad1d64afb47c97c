//! The transcript: what one check sent and received, in order, with times; free of secrets, and bounded.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use serde::{Deserialize, Serialize};

use crate::redact::Redactor;

/// Entries beyond this are counted, not kept.
const MAX_ENTRIES: usize = 2_000;
/// Characters of one entry beyond this are counted, not kept.
const MAX_TEXT: usize = 4_000;

/// Which way something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    entries: Vec<Entry>,
    dropped: usize,
}

impl Transcript {
    /// An empty transcript whose clock starts now.
    pub fn new(redactor: Redactor) -> Transcript {
        let inner = Inner { entries: Vec::new(), dropped: 0 };
        Transcript { inner: Arc::new(Mutex::new(inner)), redactor, start: Instant::now() }
    }

    /// Writes one line.
    pub fn record(&self, connection: &str, direction: Direction, text: &str) {
        let at_ms = self.start.elapsed().as_millis() as u64;
        // Redacted before it is cut, so that no half of a secret slips through.
        let text = super::shorten(&self.redactor.redact(text), MAX_TEXT);
        let mut inner = self.inner.lock().expect("no writer panics while it holds the lock");
        if inner.entries.len() >= MAX_ENTRIES {
            inner.dropped += 1;
            return;
        }
        inner.entries.push(Entry { at_ms, connection: connection.to_owned(), direction, text });
    }

    /// What was written so far; the last line says how many lines were not kept, if any.
    pub fn entries(&self) -> Vec<Entry> {
        let inner = self.inner.lock().expect("no writer panics while it holds the lock");
        let mut entries = inner.entries.clone();
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
}
