//! The contract's waivers, held against the catalogue: a waiver for a check that does not exist is a mistake.

use globset::GlobMatcher;
use jiff::civil::Date;

use crate::{
    catalogue::{Selection, SelectionError, glob},
    contract::{self, Contract, Objection},
};

/// A failure that the team accepts until a date.
#[derive(Clone, Debug)]
pub struct Waiver {
    /// What the contract says of it.
    pub declared: contract::Waiver,
    matcher: GlobMatcher,
}

impl Waiver {
    /// Whether it is for the check with this id.
    pub fn is_for(&self, id: &str) -> bool {
        self.matcher.is_match(id)
    }

    /// Whether it had run out by `today`.
    pub fn has_expired(&self, today: Date) -> bool {
        self.declared.until < today
    }
}

/// The contract's waivers.
///
/// # Errors
/// [`contract::Error`] names each that no check matches, with its place in the file.
pub fn waivers(contract: &Contract) -> Result<Vec<Waiver>, contract::Error> {
    let mut waivers = Vec::new();
    let mut objections = Vec::new();
    for declared in &contract.waivers {
        match matcher(&declared.check) {
            Ok(matcher) => waivers.push(Waiver { declared: declared.clone(), matcher }),
            Err(objection) => objections.push((declared, objection)),
        }
    }
    if objections.is_empty() { Ok(waivers) } else { Err(contract.rejected(objections)) }
}

fn matcher(check: &str) -> Result<GlobMatcher, Objection> {
    let found = Selection::new(&[check.to_owned()], &[]).and_then(|_| glob(check));
    found.map(|glob| glob.compile_matcher()).map_err(|error| match error {
        SelectionError::Nothing { pattern, hint } => {
            let help = hint.trim_start_matches("; ");
            let help = if help.is_empty() { "`siospec list` shows them all" } else { help };
            Objection {
                title: format!("no check matches `{pattern}`"),
                label: "no such check",
                help: Some(help.to_owned()),
            }
        }
        SelectionError::Pattern { .. } => Objection { title: error.to_string(), label: "not a pattern", help: None },
    })
}
