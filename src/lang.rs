//! The language that a report is written in.

/// A language. What reports say by themselves goes through [`Lang::say`], as whole sentences or phrases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    /// English, in which siospec is written.
    #[default]
    English,
}

impl Lang {
    /// The tag, as in `<html lang>`.
    pub const fn tag(&self) -> &'static str {
        match self {
            Lang::English => "en",
        }
    }

    /// An English sentence or phrase, with its numbers and names filled in, in this language.
    pub fn say(&self, english: &str) -> String {
        match self {
            Lang::English => english.to_owned(),
        }
    }
}
