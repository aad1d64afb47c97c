//! The languages of the reports.
//!
//! Reports are data in English. A translation is made where a report is shown, so that a stored one can be shown in any
//! language: each sentence is looked up in the language's PO file, and one that was made from a template (`{1} of {2}
//! messages are lost`) is matched against it, its parts translated as well. What goes over the wire stays as it is.

mod joints;
mod template;

use std::{collections::HashMap, fmt, str::FromStr, sync::LazyLock};

use joints::JOINTS;
use template::Template;

use crate::verdict::{Failure, Outcome, RunReport};

/// The Thai texts.
const THAI: &str = include_str!("../../locales/th.po");

/// A language that reports can be shown in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    /// English, which the texts are written in.
    #[default]
    En,
    /// Thai.
    Th,
}

impl Lang {
    /// Every language.
    pub const ALL: [Lang; 2] = [Lang::En, Lang::Th];

    /// The two letters of ISO 639-1.
    pub const fn code(self) -> &'static str {
        match self {
            Lang::En => "en",
            Lang::Th => "th",
        }
    }

    /// The language that the environment asks for: by `LC_ALL`, else `LC_MESSAGES`, else `LANG` (POSIX.1-2017, 8.2).
    /// English where it is none of ours.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Lang {
        let asked = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().filter_map(|name| variable(name));
        let asked = asked.into_iter().find(|value| !value.is_empty()).unwrap_or_default();
        let language = asked.split(['_', '.', '@', '-']).next().unwrap_or_default().to_ascii_lowercase();
        language.parse().unwrap_or_default()
    }

    /// The report with its sentences in this language. What went over the wire stays as it is.
    pub fn report(self, report: &RunReport) -> RunReport {
        let mut report = report.clone();
        let say = |text: &mut String| *text = self.say(text);
        report.notes.iter_mut().for_each(say);
        for result in &mut report.results {
            [&mut result.title, &mut result.meaning, &mut result.fix].into_iter().for_each(say);
            result.notes.iter_mut().for_each(say);
            result.cites.iter_mut().for_each(|cite| say(&mut cite.place));
            if let Some(commands) = &mut result.by_hand {
                let comments = |line: &str| if line.starts_with("# ") { self.say(line) } else { line.to_owned() };
                let lines = commands.lines().map(comments);
                *commands = lines.collect::<Vec<_>>().join("\n");
            }
            match &mut result.outcome {
                Outcome::Pass => {}
                Outcome::Fail(failure) => {
                    let Failure { reason, sent, received, expected, extent: _ } = failure;
                    [reason, sent, received, expected].into_iter().for_each(say);
                }
                Outcome::Skip { reason, .. } | Outcome::Blocked { reason, .. } | Outcome::Broken { reason } => {
                    say(reason)
                }
            }
        }
        report
    }

    /// The text in this language; parts that have no translation stay as they are.
    pub fn say(self, english: &str) -> String {
        match self {
            Lang::En => english.to_owned(),
            Lang::Th => THAI_TEXTS.say(english),
        }
    }
}

impl fmt::Display for Lang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Lang {
    type Err = String;

    fn from_str(code: &str) -> Result<Lang, String> {
        let known = Lang::ALL.into_iter().find(|lang| lang.code() == code);
        known
            .ok_or_else(|| format!("there is no language `{code}`; there are {}", Lang::ALL.map(Lang::code).join(", ")))
    }
}

static THAI_TEXTS: LazyLock<Texts> = LazyLock::new(|| Texts::parse(THAI).expect("a test reads the file, too"));

/// The texts of one language.
#[derive(Default)]
struct Texts {
    whole: HashMap<String, String>,
    templates: Vec<Template>,
}

/// How deep the parts of a sentence may nest.
const MAX_DEPTH: usize = 6;

/// Parts that are looked at for one text, so that none takes for ever.
const MAX_PARTS: usize = 3_000;

/// How checks name transports at a sentence's end, which stay as they are.
const TRANSPORTS: [&str; 3] = [" (polling, WebSocket)", " (polling)", " (WebSocket)"];

impl Texts {
    /// Reads a PO file.
    fn parse(po: &str) -> Result<Texts, String> {
        let catalog = polib::po_file::parse_from_reader(po.as_bytes()).map_err(|error| error.to_string())?;
        let mut texts = Texts::default();
        for message in catalog.messages().filter(|message| message.is_translated()) {
            let (english, translated) = (message.msgid(), message.msgstr().map_err(|error| error.to_string())?);
            match Template::parse(english, translated) {
                Some(template) => texts.templates.push(template),
                None => drop(texts.whole.insert(english.to_owned(), translated.to_owned())),
            }
        }
        // Of two that match, the one that leaves less open is meant.
        texts.templates.sort_by_key(|template| std::cmp::Reverse(template.weight()));
        Ok(texts)
    }

    fn say(&self, english: &str) -> String {
        let mut saying = Saying { texts: self, known: HashMap::new(), parts: 0 };
        saying.translated(english, 0).unwrap_or_else(|| english.to_owned())
    }
}

/// The translation of one text, which may have been put together in more than one way.
struct Saying<'t> {
    texts: &'t Texts,
    known: HashMap<String, Option<String>>,
    parts: usize,
}

impl Saying<'_> {
    /// `None` where nothing in it has a translation.
    fn translated(&mut self, english: &str, depth: usize) -> Option<String> {
        if let Some(translated) = self.texts.whole.get(english) {
            return Some(translated.clone());
        }
        if depth >= MAX_DEPTH || !english.contains(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        if let Some(known) = self.known.get(english) {
            return known.clone();
        }
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return None;
        }
        let best = self.best(english, depth);
        self.known.insert(english.to_owned(), best.clone());
        best
    }

    /// Of all ways to read the text as one of parts, the one that leaves the least English.
    fn best(&mut self, english: &str, depth: usize) -> Option<String> {
        // `3 failed`: numbers go before what they count in either language.
        if let Some((number, counted)) = english.split_once(' ')
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && let Some(counted) = self.texts.whole.get(counted)
        {
            return Some(format!("{number} {counted}"));
        }
        if let Some((sentence, transports)) = TRANSPORTS.iter().find_map(|end| Some((english.strip_suffix(end)?, end)))
            && let Some(said) = self.translated(sentence, depth + 1)
        {
            return Some(said + transports);
        }
        let mut best: Option<(usize, String)> = None;
        let texts = self.texts;
        for template in &texts.templates {
            let Some(parts) = template.matches(english) else { continue };
            let parts: Vec<String> = parts.into_iter().map(|part| self.said(part, depth + 1)).collect();
            if better(&mut best, template.fill(&parts)) {
                return best.map(|(_, said)| said);
            }
        }
        for joint in JOINTS {
            if let Some(said) = self.joined(english, joint, depth)
                && better(&mut best, said)
            {
                return best.map(|(_, said)| said);
            }
        }
        // A sentence may go on with another one, or with what is known to follow many: `GET ` + `is not refused`.
        for (at, _) in english.match_indices([' ', ',']).filter(|(at, _)| *at > 0) {
            let (before, after) = english.split_at(at);
            let Some(after) = self.follows(after, depth) else { continue };
            let before = self.said(before, depth + 1);
            if better(&mut best, before + &after) {
                break;
            }
        }
        best.map(|(_, said)| said)
    }

    fn said(&mut self, english: &str, depth: usize) -> String {
        self.translated(english, depth).unwrap_or_else(|| english.to_owned())
    }

    /// The translation of what is the end of a text: a sentence that is known as a whole, or by its beginning.
    fn follows(&mut self, end: &str, depth: usize) -> Option<String> {
        let (space, sentence) = end.strip_prefix(' ').map_or(("", end), |sentence| (" ", sentence));
        if let Some(said) = self.texts.whole.get(sentence) {
            return Some(format!("{space}{said}"));
        }
        let texts = self.texts;
        let (template, parts) = texts
            .templates
            .iter()
            .filter(|template| template.begins_with_text())
            .find_map(|template| Some((template, template.matches(sentence)?)))?;
        let parts: Vec<String> = parts.into_iter().map(|part| self.said(part, depth + 1)).collect();
        Some(format!("{space}{}", template.fill(&parts)))
    }

    /// Translates what stands between the joints, where any of it has a translation.
    fn joined(&mut self, english: &str, joint: &str, depth: usize) -> Option<String> {
        let parts: Vec<&str> = english.split(joint).collect();
        if parts.len() < 2 {
            return None;
        }
        let translated: Vec<Option<String>> = parts.iter().map(|part| self.translated(part, depth + 1)).collect();
        if translated.iter().all(Option::is_none) {
            return None;
        }
        let said = parts.iter().zip(translated).map(|(part, said)| said.unwrap_or_else(|| (*part).to_owned()));
        let word = self.texts.whole.get(joint).map(String::as_str);
        Some(said.collect::<Vec<_>>().join(word.unwrap_or(joint)))
    }
}

/// Keeps what leaves less English than the best so far. True where it leaves none, and nothing can be better.
fn better(best: &mut Option<(usize, String)>, said: String) -> bool {
    let words = said.split('`').step_by(2).flat_map(str::split_whitespace);
    let words = words.map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
    let left = words.filter(|word| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_alphabetic())).count();
    if best.as_ref().is_none_or(|(least, _)| left < *least) {
        *best = Some((left, said));
    }
    best.as_ref().is_some_and(|(least, _)| *least == 0)
}
