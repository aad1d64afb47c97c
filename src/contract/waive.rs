//! The `[[waive]]` tables of the file: failures that are accepted until a date.

use std::ops::Range;

use jiff::civil::Date;
use toml::de::DeValue;

use super::{
    error::{Origin, Problem},
    layers::toml_kind,
    table::{Reader, Shape},
};

/// How they are written.
pub(super) const SHAPE: Shape = Shape {
    table: "waive",
    one: "a waiver",
    fields: &["check", "reason", "owner", "until"],
    example: "each waiver is a table of its own:\n[[waive]]\ncheck = \"auth.expired\"\nreason = \"waits for the new \
              login\"\nowner = \"anna\"\nuntil = 2027-01-31",
    has_secrets: false,
};

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

/// One of them, as the file has it.
pub(super) fn read(reader: &mut Reader<'_, '_>) -> Option<Waiver> {
    let check = reader.text("check", "which check, as `siospec list` shows it");
    let reason = reader.text("reason", "why the failure is accepted");
    let owner = reader.text("owner", "who answers for it");
    let until = until(reader);
    let (check, place) = check?;
    Some(Waiver { check, reason: reason?.0, owner: owner?.0, until: until?, place })
}

fn until(reader: &mut Reader<'_, '_>) -> Option<Date> {
    let value = reader.required("until", "the last day on which it holds, as 2027-01-31")?;
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
            reader.reject(title, value.span(), "not a day", Some(help.to_owned()));
            None
        }
    }
}
