//! The `[[waive]]` tables of the file: failures that are accepted until a date.

use std::{borrow::Cow, ops::Range};

use jiff::civil::Date;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    error::{Origin, Problem},
    layers::{in_file_order, nearest, toml_kind},
};

/// The table's name.
pub(super) const TABLE: &str = "waive";

const FIELDS: [&str; 4] = ["check", "reason", "owner", "until"];

const EXAMPLE: &str = "each waiver is a table of its own:\n[[waive]]\ncheck = \"auth.expired\"\nreason = \"waits for \
                       the new login\"\nowner = \"anna\"\nuntil = 2027-01-31";

/// A failure that the team accepts until a date.
#[derive(Clone, Debug)]
pub struct Waiver {
    /// The check, or a pattern, as `--only` takes it.
    pub check: String,
    /// Why the failure is accepted.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day (UTC) on which it holds.
    pub until: Date,
    /// Where the file names the check, in bytes.
    place: Range<usize>,
}

/// What is wrong with a waiver beyond how it is written.
#[derive(Clone, Debug)]
pub struct Objection {
    /// What is wrong, as one sentence.
    pub title: String,
    /// A few words for the place.
    pub label: &'static str,
    /// A way out.
    pub help: Option<String>,
}

/// The objections, each at its place in the file.
pub(super) fn problems(objections: Vec<(&Waiver, Objection)>) -> Vec<Problem> {
    let problem = |(waiver, objection): (&Waiver, Objection)| Problem {
        title: objection.title,
        place: Origin::File(waiver.place.clone()),
        label: objection.label.to_owned(),
        help: objection.help,
        hides_strings: false,
    };
    objections.into_iter().map(problem).collect()
}

/// Today, where waivers begin and end: UTC, so that all machines agree.
pub fn today() -> Date {
    jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date()
}

/// Reads what stands under `waive`; mistakes go to `problems`.
pub(super) fn read(value: &Spanned<DeValue<'_>>, problems: &mut Vec<Problem>) -> Vec<Waiver> {
    let wrong_shape = |span: Range<usize>, found: &str| Problem {
        title: format!("`waive` is a list of tables, not {found}"),
        place: Origin::File(span),
        label: "expected [[waive]]".to_owned(),
        help: Some(EXAMPLE.to_owned()),
        hides_strings: false,
    };
    let DeValue::Array(items) = value.get_ref() else {
        problems.push(wrong_shape(value.span(), toml_kind(value.get_ref())));
        return Vec::new();
    };
    let mut waivers = Vec::new();
    for item in items.iter() {
        match item.get_ref() {
            DeValue::Table(table) => waivers.extend(waiver(table, item.span(), problems)),
            other => problems.push(wrong_shape(item.span(), &format!("{} in it", toml_kind(other)))),
        }
    }
    waivers
}

fn waiver(table: &DeTable<'_>, span: Range<usize>, problems: &mut Vec<Problem>) -> Option<Waiver> {
    let before = problems.len();
    let mut reader = Reader { table, span, problems };
    reader.refuse_unknown();
    let check = reader.text("check", "which check, as `siospec list` shows it");
    let reason = reader.text("reason", "why the failure is accepted");
    let owner = reader.text("owner", "who answers for it");
    let until = reader.date();
    if reader.problems.len() > before {
        return None;
    }
    let (check, place) = check?;
    Some(Waiver { check, reason: reason?.0, owner: owner?.0, until: until?, place })
}

struct Reader<'a, 'i> {
    table: &'a DeTable<'i>,
    span: Range<usize>,
    problems: &'a mut Vec<Problem>,
}

impl<'a, 'i> Reader<'a, 'i> {
    fn reject(&mut self, title: String, place: Range<usize>, label: &str, help: Option<String>) {
        self.problems.push(Problem {
            title,
            place: Origin::File(place),
            label: label.to_owned(),
            help,
            hides_strings: false,
        });
    }

    fn get(&self, name: &str) -> Option<&'a Spanned<DeValue<'i>>> {
        self.table.iter().find_map(|(key, value): (&Spanned<Cow<str>>, _)| (key.get_ref() == name).then_some(value))
    }

    fn refuse_unknown(&mut self) {
        for (name, _) in in_file_order(self.table) {
            if FIELDS.contains(&name.get_ref().as_ref()) {
                continue;
            }
            let help = match nearest(name.get_ref(), FIELDS.into_iter()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("a waiver has {}", FIELDS.join(", ")),
            };
            self.reject(format!("unknown key `waive.{}`", name.get_ref()), name.span(), "not of a waiver", Some(help));
        }
    }

    fn required(&mut self, name: &str, what: &str) -> Option<&'a Spanned<DeValue<'i>>> {
        let found = self.get(name);
        if found.is_none() {
            let span = self.span.clone();
            self.reject(format!("a waiver without `{name}`"), span, &format!("say {what}"), Some(EXAMPLE.to_owned()));
        }
        found
    }

    fn text(&mut self, name: &str, what: &str) -> Option<(String, Range<usize>)> {
        let value = self.required(name, what)?;
        let found = match value.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => return Some((text.trim().to_owned(), value.span())),
            DeValue::String(_) => "an empty one",
            other => toml_kind(other),
        };
        let title = format!("`waive.{name}`: expected a text, found {found}");
        self.reject(title, value.span(), &format!("say {what}"), None);
        None
    }

    fn date(&mut self) -> Option<Date> {
        let value = self.required("until", "the last day on which it holds, as 2027-01-31")?;
        let text = match value.get_ref() {
            DeValue::Datetime(moment) => moment.to_string(),
            DeValue::String(text) => text.to_string(),
            other => toml_kind(other).to_owned(),
        };
        // A moment of the day would be precision that nobody has in mind.
        let is_day = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        match text.parse() {
            Ok(date) if is_day => Some(date),
            _ => {
                let title = format!("`waive.until`: expected a day such as 2027-01-31, found {text}");
                let help = "year, month and day; the waiver holds until the end of that day, UTC";
                self.reject(title, value.span(), "not a day", Some(help.to_owned()));
                None
            }
        }
    }
}
