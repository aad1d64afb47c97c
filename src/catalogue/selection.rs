//! Which checks to run: `--only` and `--skip`, by id or glob.

use globset::{Glob, GlobSet, GlobSetBuilder};

use super::Check;

/// A selection of checks.
pub struct Selection {
    only: Option<GlobSet>,
    skip: GlobSet,
}

/// Why a selection cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SelectionError {
    /// Not a glob.
    #[error("`{pattern}` is no pattern: {reason}")]
    Pattern {
        /// What was given.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A pattern that no check matches.
    #[error("no check matches `{pattern}`{hint}; `siospec list` shows them all")]
    Nothing {
        /// What was given.
        pattern: String,
        /// The nearest id, as a question.
        hint: String,
    },
}

impl Selection {
    /// Selects by patterns: an id (`auth.expired`), a glob (`auth.*`, `*-token`), or an area (`auth`). No `only` is all.
    ///
    /// # Errors
    /// [`SelectionError`] for a pattern that is none, or that matches no check: a typing mistake must not pass for a
    /// smaller run.
    pub fn new(only: &[String], skip: &[String]) -> Result<Selection, SelectionError> {
        for pattern in only.iter().chain(skip) {
            let set = globs(std::slice::from_ref(pattern))?;
            if !super::all().any(|entry| set.is_match(entry.check.id)) {
                return Err(SelectionError::Nothing { pattern: pattern.clone(), hint: nearest(pattern) });
            }
        }
        let only = if only.is_empty() { None } else { Some(globs(only)?) };
        Ok(Selection { only, skip: globs(skip)? })
    }

    /// The checks selected, in the catalogue's order. May be empty.
    pub fn checks(&self) -> Vec<&'static Check> {
        let wanted = |check: &&Check| {
            self.only.as_ref().is_none_or(|only| only.is_match(check.id)) && !self.skip.is_match(check.id)
        };
        super::all().map(|entry| entry.check).filter(wanted).collect()
    }
}

fn globs(patterns: &[String]) -> Result<GlobSet, SelectionError> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(glob(pattern)?);
    }
    set.build().map_err(|error| SelectionError::Pattern { pattern: patterns.join(", "), reason: error.to_string() })
}

/// What a pattern matches: an id, an area, or a glob.
///
/// # Errors
/// [`SelectionError::Pattern`].
pub fn glob(pattern: &str) -> Result<Glob, SelectionError> {
    let is_area = super::all().any(|entry| entry.check.area() == pattern);
    let text = if is_area { format!("{pattern}.*") } else { pattern.to_owned() };
    Glob::new(&text)
        .map_err(|error| SelectionError::Pattern { pattern: pattern.to_owned(), reason: error.kind().to_string() })
}

/// The nearest id, as a question to append to a message; empty when none is near.
pub fn nearest(pattern: &str) -> String {
    super::all()
        .map(|entry| (strsim::jaro_winkler(entry.check.id, pattern), entry.check.id))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or(String::new(), |(_, id)| format!("; did you mean `{id}`?"))
}
