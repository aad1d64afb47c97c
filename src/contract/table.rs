//! Lists of tables in the file, as `[[waive]]` and `[[users]]`: of each there can be several, so that they are no keys.

use std::{borrow::Cow, ops::Range};

use serde_json::Value;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    error::{Origin, Problem},
    layers::{in_file_order, json_of, nearest, toml_kind},
};

/// What such a table looks like.
pub(super) struct Shape {
    /// The list's name.
    pub table: &'static str,
    /// One of them, in words.
    pub one: &'static str,
    pub fields: &'static [&'static str],
    /// One of them, as it is written.
    pub example: &'static str,
    /// Whether its texts may be secret, so that none of them is quoted.
    pub has_secrets: bool,
}

/// Reads what stands under the list's name, table by table; mistakes go to `problems`.
pub(super) fn read<T>(
    shape: &'static Shape,
    value: &Spanned<DeValue<'_>>,
    problems: &mut Vec<Problem>,
    mut one: impl FnMut(&mut Reader<'_, '_>) -> Option<T>,
) -> Vec<T> {
    let wrong_shape = |span: Range<usize>, found: &str| Problem {
        title: format!("`{}` is a list of tables, not {found}", shape.table),
        place: Origin::File(span),
        label: format!("expected [[{}]]", shape.table),
        help: Some(shape.example.to_owned()),
        hides_strings: shape.has_secrets,
    };
    let DeValue::Array(items) = value.get_ref() else {
        problems.push(wrong_shape(value.span(), toml_kind(value.get_ref())));
        return Vec::new();
    };
    let mut all = Vec::new();
    for item in items.iter() {
        match item.get_ref() {
            DeValue::Table(table) => {
                let before = problems.len();
                let mut reader = Reader { shape, table, span: item.span(), problems };
                reader.refuse_unknown();
                let made = one(&mut reader);
                all.extend(made.filter(|_| problems.len() == before));
            }
            other => problems.push(wrong_shape(item.span(), &format!("{} in it", toml_kind(other)))),
        }
    }
    all
}

/// One table of the list.
pub(super) struct Reader<'a, 'i> {
    shape: &'static Shape,
    table: &'a DeTable<'i>,
    /// Where the file has it, in bytes.
    span: Range<usize>,
    problems: &'a mut Vec<Problem>,
}

impl<'a, 'i> Reader<'a, 'i> {
    pub fn reject(&mut self, title: String, place: Range<usize>, label: &str, help: Option<String>) {
        self.problems.push(Problem {
            title,
            place: Origin::File(place),
            label: label.to_owned(),
            help,
            hides_strings: self.shape.has_secrets,
        });
    }

    fn get(&self, name: &str) -> Option<&'a Spanned<DeValue<'i>>> {
        self.table.iter().find_map(|(key, value): (&Spanned<Cow<str>>, _)| (key.get_ref() == name).then_some(value))
    }

    fn refuse_unknown(&mut self) {
        let Shape { table, one, fields, .. } = self.shape;
        for (name, _) in in_file_order(self.table) {
            if fields.contains(&name.get_ref().as_ref()) {
                continue;
            }
            let help = match nearest(name.get_ref(), fields.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("{one} has {}", fields.join(", ")),
            };
            let label = format!("not of {one}");
            self.reject(format!("unknown key `{table}.{}`", name.get_ref()), name.span(), &label, Some(help));
        }
    }

    pub fn required(&mut self, name: &str, what: &str) -> Option<&'a Spanned<DeValue<'i>>> {
        let found = self.get(name);
        if found.is_none() {
            let (span, Shape { one, example, .. }) = (self.span.clone(), self.shape);
            self.reject(format!("{one} without `{name}`"), span, &format!("say {what}"), Some((*example).to_owned()));
        }
        found
    }

    /// A text that must be there, with its place.
    pub fn text(&mut self, name: &str, what: &str) -> Option<(String, Range<usize>)> {
        let value = self.required(name, what)?;
        let found = match value.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => return Some((text.trim().to_owned(), value.span())),
            DeValue::String(_) => "an empty one",
            other => toml_kind(other),
        };
        let title = format!("`{}.{name}`: expected a text, found {found}", self.shape.table);
        self.reject(title, value.span(), &format!("say {what}"), None);
        None
    }

    /// A value as JSON, with its place.
    pub fn json(&mut self, name: &str) -> Option<(Value, Range<usize>)> {
        let value = self.get(name)?;
        match json_of(value.get_ref()) {
            Ok(json) => Some((json, value.span())),
            Err(wrong) => {
                let title = format!("`{}.{name}`: {}", self.shape.table, wrong.text());
                self.reject(title, value.span(), "not JSON", None);
                None
            }
        }
    }
}
