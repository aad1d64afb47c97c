//! Text on a terminal: made harmless, wrapped, indented, coloured.
//!
//! Everything shown goes through a [`Page`], and a page shows no character that a terminal would obey. What a target
//! answers may well hold some.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

/// The widest that text gets, however wide the terminal: longer lines are hard to read.
const WIDEST: usize = 100;
/// The narrowest that text gets; a terminal below this wraps by itself.
const NARROWEST: usize = 20;
/// The columns that a text needs beside its label, to stand there rather than below it.
const BESIDE: usize = 20;
/// How far a text is indented that stands below its label.
const BELOW: usize = 2;

/// No colour.
pub const PLAIN: Style = Style::new();
/// For headings.
pub const BOLD: Style = Style::new().bold();
/// For labels and what matters less.
pub const DIM: Style = Style::new().dimmed();
/// For what is right.
pub const GREEN: Style = AnsiColor::Green.on_default().bold();
/// For what could be better.
pub const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
/// For what is wrong.
pub const RED: Style = AnsiColor::Red.on_default().bold();

/// Says a line on standard error. That nobody can read it is no reason to stop.
pub fn say(line: &str) {
    let _ = std::io::Write::write_all(&mut anstream::stderr(), format!("{line}\n").as_bytes());
}

/// The width to write standard output in: the terminal's, within reason, or 80 where there is none.
pub fn width() -> usize {
    textwrap::termwidth().clamp(NARROWEST, WIDEST)
}

/// Whether a terminal obeys the character instead of showing it, or shows nothing and so hides that it is there.
/// Nor may it be one that is none by Unicode's own word, which XML cannot hold.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || c as u32 & 0xfffe == 0xfffe
        || ('\u{fdd0}'..='\u{fdef}').contains(&c)
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text on one line, with every character that a terminal would obey or hide written as an escape.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        // Writing to a string does not fail.
        let _ = match c {
            '\n' => out.write_str("\\n"),
            '\r' => out.write_str("\\r"),
            '\t' => out.write_str("\\t"),
            '\0'..='\x7f' if c.is_control() => write!(out, "\\x{:02x}", c as u32),
            _ if is_invisible(c) => write!(out, "\\u{{{:x}}}", c as u32),
            _ => out.write_char(c),
        };
    }
    out
}

/// The same, with line breaks left as they are: for pages that show them as such.
pub fn visible_lines(text: &str) -> String {
    text.replace("\r\n", "\n").split('\n').map(|line| defused(&visible(line))).collect::<Vec<_>>().join("\n")
}

/// A CI's runner obeys what begins a line with `::`, wherever it finds it.
fn defused(line: &str) -> String {
    let rest = line.trim_start();
    if rest.starts_with("::") {
        format!("{}\\x3a{}", &line[..line.len() - rest.len()], &rest[1..])
    } else {
        line.to_owned()
    }
}

/// A piece of a text of ours, in which code stands between backticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Words.
    Words(&'a str),
    /// Code.
    Code(&'a str),
}

/// The text's words and its code. A backtick without its partner is a word's.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((words, (code, after))) =
        rest.split_once('`').and_then(|(words, after)| Some((words, after.split_once('`')?)))
    {
        // Nothing between two backticks is no code.
        let code = if code.is_empty() { Piece::Words("``") } else { Piece::Code(code) };
        pieces.extend([Piece::Words(words), code]);
        rest = after;
    }
    pieces.push(Piece::Words(rest));
    pieces.retain(|piece| *piece != Piece::Words(""));
    pieces
}

/// JSON text with those characters as `\uXXXX`: the same data, and nothing that a terminal would obey.
pub fn ascii_escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c == '\n' || !is_invisible(c) {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// The text with as many blanks after it as make it `width` columns.
pub fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// Milliseconds as a person says them: `12 ms`, `2.1 s`, `3 min 5 s`.
pub fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{:.1} s", ms as f64 / 1_000.0),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
    }
}

/// `1 check`, `2 checks`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Text that is being laid out. Styles are written as ANSI escapes; whoever prints it strips them where need be.
pub struct Page {
    width: usize,
    text: String,
}

impl Page {
    /// An empty page of this width.
    pub fn new(width: usize) -> Page {
        Page { width, text: String::new() }
    }

    /// What was written.
    pub fn finish(self) -> String {
        self.text
    }

    /// The width in columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Lines of another page.
    pub fn append(&mut self, lines: &str) {
        self.text.push_str(lines);
    }

    /// An empty line.
    pub fn gap(&mut self) {
        self.text.push('\n');
    }

    /// A line that is never wrapped: a heading, a URL or a command, which must survive copying.
    pub fn line(&mut self, indent: usize, style: Style, text: &str) {
        self.put(&" ".repeat(indent), PLAIN, &visible(text), style);
    }

    /// A label and a text, wrapped beside it from column `hang` on, or below it where the page is too narrow for both. Line
    /// breaks in the text are shown as `\n`: they are the target's.
    pub fn item(&mut self, label: (&str, Style), hang: usize, text: (&str, Style)) {
        self.item_within(label, hang, text, usize::MAX);
    }

    /// The same, cut after `lines` lines.
    pub fn item_within(&mut self, label: (&str, Style), hang: usize, text: (&str, Style), lines: usize) {
        let (mut label, mut hang) = (label, hang);
        if self.width < hang + BESIDE {
            let below = hang.min(BELOW);
            if !label.0.trim().is_empty() {
                for line in wrap(visible(label.0).trim(), self.width) {
                    self.put("", PLAIN, &line, label.1);
                }
            }
            (label, hang) = (("", PLAIN), below);
        }
        let columns = self.width.saturating_sub(hang).max(1);
        let wrapped = wrap(&visible(text.0), columns);
        for (number, line) in wrapped.iter().take(lines).enumerate() {
            let is_cut = number + 1 == lines && wrapped.len() > lines;
            let line = if is_cut { format!("{} …", cut(line, columns - 2)) } else { line.clone() };
            self.put(&pad(&visible(label.0), hang), label.1, &line, text.1);
            label = ("", PLAIN);
        }
    }

    /// A label and a text of our own, in which line breaks are line breaks.
    pub fn prose(&mut self, label: (&str, Style), hang: usize, text: &str) {
        let mut label = label;
        for line in text.lines() {
            self.item(label, hang, (line, PLAIN));
            label = ("", PLAIN);
        }
    }

    fn put(&mut self, lead: &str, lead_style: Style, text: &str, style: Style) {
        let lead = if text.is_empty() { lead.trim_end() } else { lead };
        let text = if lead.trim().is_empty() { defused(text) } else { text.to_owned() };
        // Blanks stay outside the style, lest some terminals underline or colour them.
        let label = lead.trim_end();
        let _ = writeln!(self.text, "{}{}{}", styled(label, lead_style), &lead[label.len()..], styled(&text, style));
    }
}

/// The text in a style; unstyled text gets no escapes at all.
pub fn styled(text: &str, style: Style) -> String {
    if style.is_plain() || text.is_empty() { text.to_owned() } else { format!("{style}{text}{style:#}") }
}

/// Breaks at blanks only, so that URLs and commands stay whole as long as they fit at all. A word that does not fit by itself
/// is broken where the line ends.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let options = textwrap::Options::new(columns)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit);
    textwrap::wrap(text, options).into_iter().map(|line| line.into_owned()).collect()
}

/// As much of the text as fits into so many columns.
fn cut(text: &str, columns: usize) -> &str {
    let mut end = text.char_indices().map(|(at, _)| at).nth(columns + 1).unwrap_or(text.len());
    while text[..end].width() > columns {
        end = text[..end].char_indices().next_back().map_or(0, |(at, _)| at);
    }
    &text[..end]
}
