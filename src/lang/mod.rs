//! The languages of the reports.
//!
//! Reports are data in English. A translation is made where a report is shown, so that a stored one can be shown in any
//! language: the template of each message is looked up in the language's PO file, exactly as it stands, and its arguments
//! are put into what is found there. A template that is not found stays English.

use std::{collections::HashMap, fmt, str::FromStr, sync::LazyLock};

use crate::{message::Message, verdict::RunReport};

/// Every language but English: its code (ISO 639-1), and its PO file.
const FILES: [(&str, &str); 1] = [("th", include_str!("../../locales/th.po"))];

static LANGUAGES: LazyLock<Vec<Language>> = LazyLock::new(|| {
    let read = |(code, po): (&'static str, &str)| Language::read(code, po).expect("a test reads the files, too");
    FILES.into_iter().map(read).collect()
});

/// A language that reports can be shown in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lang(Option<&'static Language>);

impl Lang {
    /// English, which the texts are written in.
    pub const EN: Lang = Lang(None);

    /// Every language.
    pub fn all() -> impl Iterator<Item = Lang> {
        std::iter::once(Lang::EN).chain(LANGUAGES.iter().map(|language| Lang(Some(language))))
    }

    /// A language that is none of siospec's own. It is kept for as long as the process lives.
    ///
    /// # Errors
    /// Why the text is no PO file that can be used.
    pub fn read(code: &'static str, po: &str) -> Result<Lang, String> {
        Ok(Lang(Some(Box::leak(Box::new(Language::read(code, po)?)))))
    }

    /// The two letters of ISO 639-1.
    pub fn code(self) -> &'static str {
        self.0.map_or("en", |language| language.code)
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
        let tell = |message: &mut Message| *message = self.translated(message);
        report.notes.iter_mut().for_each(tell);
        for result in &mut report.results {
            [&mut result.title, &mut result.meaning, &mut result.fix].into_iter().for_each(say);
            result.cites.iter_mut().for_each(|cite| say(&mut cite.place));
            result.messages_mut().into_iter().for_each(tell);
        }
        report
    }

    /// A text without gaps in this language; as it is, where it has no translation.
    pub fn say(self, english: &str) -> String {
        self.look_up(english, None).unwrap_or_else(|| english.to_owned())
    }

    /// The message's text in this language.
    pub fn tell(self, message: impl Into<Message>) -> String {
        self.translated(&message.into()).text()
    }

    /// The message in this language.
    pub fn translated(self, message: &Message) -> Message {
        match self.0 {
            Some(_) => message.translated(&|template, number| self.look_up(template, number)),
            None => message.clone(),
        }
    }

    fn look_up(self, english: &str, number: Option<u64>) -> Option<String> {
        let language = self.0?;
        let forms = language.texts.get(english)?;
        let form = number.map_or(0, |number| language.form(number));
        forms.get(form).or(forms.first()).cloned()
    }
}

impl PartialEq for Lang {
    fn eq(&self, other: &Lang) -> bool {
        self.code() == other.code()
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
        Lang::all().find(|lang| lang.code() == code).ok_or_else(|| {
            let codes: Vec<&str> = Lang::all().map(Lang::code).collect();
            format!("there is no language `{code}`; there are {}", codes.join(", "))
        })
    }
}

/// The texts of one language.
#[derive(Debug)]
struct Language {
    code: &'static str,
    /// The forms of each text, by the English one: one, or as many as the language has for numbers.
    texts: HashMap<String, Vec<String>>,
    /// Whether there is a form for one, beside that for any other number.
    counts_one: bool,
}

impl Language {
    /// Reads a PO file (GNU gettext, "The Format of PO Files"). Of plural forms there may be one, as in Thai, or two, the first
    /// of which is for one.
    fn read(code: &'static str, po: &str) -> Result<Language, String> {
        let catalog = polib::po_file::parse_from_reader(po.as_bytes()).map_err(|error| error.to_string())?;
        let forms = catalog.metadata.plural_rules.nplurals;
        if !(1..=2).contains(&forms) {
            return Err(format!("{forms} plural forms, where siospec knows languages of one or two"));
        }
        let mut texts = HashMap::new();
        for message in catalog.messages().filter(|message| message.is_translated()) {
            let translated = match message.is_plural() {
                true => message.msgstr_plural().map_err(|error| error.to_string())?.clone(),
                false => vec![message.msgstr().map_err(|error| error.to_string())?.to_owned()],
            };
            texts.insert(message.msgid().to_owned(), translated);
        }
        Ok(Language { code, texts, counts_one: forms == 2 })
    }

    /// Which form that number takes.
    fn form(&self, number: u64) -> usize {
        usize::from(self.counts_one && number != 1)
    }
}
