//! The transcript: what one check sent and received, in order, with times; free of secrets where it is read, and bounded.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use super::{Direction, Entry};
use crate::redact::{self, Redacted, Redactor};

/// The first lines that are kept, and the last; those between are counted. How an exchange began and how it ended tells
/// most of what went wrong.
const MAX_ENTRIES: usize = 1_000;
/// Characters of one entry beyond this are counted, not shown.
const MAX_TEXT: usize = 4_000;
/// Characters of one entry that are kept until it is read. More than are shown: secrets are hidden first, and what was
/// cut off in the middle of one must not be near the end of what is shown.
const MAX_KEPT: usize = 3 * MAX_TEXT;
/// Bytes of what is shown of the first lines, and of the last, beyond which lines are counted, not kept.
const MAX_BYTES: usize = 128 << 10;
/// Bytes of all transcripts of a report. A target that floods every check must not make a file that nothing opens.
const MAX_REPORT: usize = 4 << 20;
/// Bytes that a line takes in a report beside its text: its time, its connection's name, and what JSON needs around them.
const AROUND_LINE: usize = 160;

/// A transcript that is being written. Clones write to the same one.
#[derive(Clone)]
pub struct Transcript {
    inner: Arc<Mutex<Inner>>,
    redactor: Redactor,
    start: Instant,
    /// Whether something was waited for that did not come in time.
    in_vain: Arc<AtomicBool>,
}

struct Inner {
    /// As they are: most transcripts are never read, and hiding secrets takes longer than many an exchange.
    first: Lines,
    /// Empty until there is no more room in the first.
    last: Lines,
    /// How many came between the two.
    dropped: usize,
}

#[derive(Default)]
struct Lines {
    lines: VecDeque<Line>,
    bytes: usize,
}

impl Lines {
    fn has_room_for(&self, line: &Line) -> bool {
        self.lines.len() < MAX_ENTRIES && self.bytes + line.bytes <= MAX_BYTES
    }

    fn push(&mut self, line: Line) {
        self.bytes += line.bytes;
        self.lines.push_back(line);
    }

    fn drop_first(&mut self) {
        self.bytes -= self.lines.pop_front().map_or(0, |line| line.bytes);
    }
}

/// One line as it is kept.
pub struct Line {
    at_ms: u64,
    /// Which of the check's clients or connections.
    pub connection: String,
    /// Which way it went.
    pub direction: Direction,
    /// What went.
    pub text: Redacted,
    /// How many characters the text had beyond those kept.
    cut: usize,
    /// Of the text, as far as it is shown.
    bytes: usize,
}

impl Transcript {
    /// An empty transcript whose clock starts now.
    pub fn new(redactor: Redactor) -> Transcript {
        let inner = Inner { first: Lines::default(), last: Lines::default(), dropped: 0 };
        Transcript { inner: Arc::new(Mutex::new(inner)), redactor, start: Instant::now(), in_vain: Arc::default() }
    }

    /// Takes note that an answer did not come in time.
    pub fn note_silence(&self) {
        self.in_vain.store(true, Ordering::Relaxed);
    }

    /// Whether an answer did not come in time: then a machine that is too busy may be to blame.
    pub fn has_silence(&self) -> bool {
        self.in_vain.load(Ordering::Relaxed)
    }

    /// A number that is this transcript's alone, as long as there is one of its clones.
    pub(super) fn id(&self) -> usize {
        Arc::as_ptr(&self.inner).addr()
    }

    /// Writes one line.
    pub fn record(&self, connection: &str, direction: Direction, text: impl Into<Redacted>) {
        let at_ms = self.start.elapsed().as_millis() as u64;
        let text = text.into();
        let length = text.length();
        // Most lines are short, and are kept as they came.
        let text = if length > MAX_KEPT { text.cut(MAX_KEPT) } else { text };
        let cut = length - text.length();
        let bytes = if length > MAX_TEXT { text.cut(MAX_TEXT).size() } else { text.size() };
        let line = Line { at_ms, connection: connection.to_owned(), direction, text, cut, bytes };
        let mut inner = self.inner.lock().expect("no writer panics while it holds the lock");
        let inner = &mut *inner;
        if inner.last.lines.is_empty() && inner.first.has_room_for(&line) {
            inner.first.push(line);
            return;
        }
        while !inner.last.has_room_for(&line) {
            inner.last.drop_first();
            inner.dropped += 1;
        }
        inner.last.push(line);
    }

    /// What was written so far, free of secrets; a remark says how many lines were not kept, if any, where they would be.
    pub fn entries(&self) -> Vec<Entry> {
        self.lines().into_iter().map(Line::entry).collect()
    }

    /// The same, where the labels of secrets are told from what is said.
    pub fn lines(&self) -> Vec<Line> {
        let inner = self.inner.lock().expect("no writer panics while it holds the lock");
        let mut lines: Vec<Line> = inner.first.lines.iter().map(|line| self.free_of_secrets(line)).collect();
        if inner.dropped > 0 {
            lines.push(Line::left_out(inner.dropped, inner.last.lines.front().map_or(0, |next| next.at_ms)));
        }
        lines.extend(inner.last.lines.iter().map(|line| self.free_of_secrets(line)));
        lines
    }

    /// Secrets are hidden before the text is cut to what is shown, so that no half of one slips through.
    fn free_of_secrets(&self, line: &Line) -> Line {
        let hidden = self.redactor.hide(line.text.runs());
        let total = hidden.length() + line.cut;
        let text = if line.cut == 0 && total <= MAX_TEXT {
            hidden
        } else {
            // Hidden secrets make a text shorter. Where it was cut off before, half a secret may stand at its very end.
            let sure = if line.cut > 0 { hidden.length().saturating_sub(redact::SHORTEST_START) } else { MAX_TEXT };
            let mut head = hidden.cut(sure.min(MAX_TEXT));
            let missing = total - head.length();
            head.say(&format!("… ({missing} more characters)"));
            head
        };
        Line { text, connection: line.connection.clone(), ..*line }
    }
}

impl Line {
    /// The remark that stands for lines that were not kept, at the time of the next that was.
    fn left_out(lines: usize, at_ms: u64) -> Line {
        let text = left_out_text(lines).into();
        Line { at_ms, connection: String::new(), direction: Direction::Remark, text, cut: 0, bytes: 0 }
    }

    /// The line as a report has it.
    fn entry(self) -> Entry {
        Entry { at_ms: self.at_ms, connection: self.connection, direction: self.direction, text: self.text.shown() }
    }
}

fn left_out_text(lines: usize) -> String {
    format!("{lines} more lines were not kept")
}

/// How many lines an entry stands for: those that such a remark counts, and else itself.
fn stands_for(entry: &Entry) -> usize {
    let is_remark = entry.direction == Direction::Remark && entry.connection.is_empty();
    let number = entry.text.split(' ').next().filter(|_| is_remark).and_then(|number| number.parse().ok());
    number.filter(|number| left_out_text(*number) == entry.text).unwrap_or(1)
}

/// Cuts the transcripts of one report down to what fits in it together: the longest first, each in its middle.
pub fn bound<'a>(transcripts: impl Iterator<Item = &'a mut Vec<Entry>>) {
    let size = |entry: &Entry| entry.text.len() + AROUND_LINE;
    let mut sized: Vec<(usize, &mut Vec<Entry>)> =
        transcripts.map(|entries| (entries.iter().map(size).sum(), entries)).collect();
    sized.sort_by_key(|(size, _)| *size);
    let mut left = MAX_REPORT;
    let number = sized.len();
    for (place, (total, entries)) in sized.into_iter().enumerate() {
        // What the shorter ones do not need is for the longer ones.
        let share = left / (number - place);
        if total > share {
            cut(entries, share / 2, size);
            left -= share;
        } else {
            left -= total;
        }
    }
}

/// Keeps as many of the first entries, and of the last, as fit into `half` each.
fn cut(entries: &mut Vec<Entry>, half: usize, size: impl Fn(&Entry) -> usize) {
    let fit = |entries: &mut dyn Iterator<Item = &Entry>| {
        let mut left = half;
        entries.take_while(|entry| left.checked_sub(size(entry)).inspect(|rest| left = *rest).is_some()).count()
    };
    let first = fit(&mut entries.iter());
    let last = entries.len() - fit(&mut entries[first..].iter().rev());
    let missing: usize = entries[first..last].iter().map(stands_for).sum();
    if missing > 0 {
        let remark = Line::left_out(missing, entries.get(last).map_or(0, |next| next.at_ms)).entry();
        entries.splice(first..last, [remark]);
    }
}
