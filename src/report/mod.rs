//! What a run looks like to whoever reads it: [`Progress`] while it goes on, and a [`Format`] for what came of it.
//!
//! One file per format. A format sees the [`RunReport`] and nothing else, so that a report can be shown again later,
//! from a file, by a version of siospec whose catalogue has moved on.

mod badge;
mod github;
mod html;
mod json;
mod junit;
mod markdown;
mod progress;
mod sarif;
pub mod scorecard;
mod tap;
mod terminal;
pub mod text;
pub mod words;

use std::{io, path::Path, str::FromStr};

pub use badge::Badge;
pub use github::Github;
pub use html::Html;
pub use json::{Json, SCHEMA};
pub use junit::Junit;
pub use markdown::Markdown;
pub use progress::Progress;
pub use sarif::Sarif;
pub use tap::Tap;
pub use terminal::{Terminal, explain, verdict_line};

use crate::{lang::Lang, verdict::RunReport};

/// A form that a finished run can be written in.
pub trait Format {
    /// Writes the whole run.
    ///
    /// # Errors
    /// When `out` cannot be written to.
    fn write(&self, report: &RunReport, lang: &Lang, out: &mut dyn io::Write) -> io::Result<()>;
}

/// The width of text that goes into a file.
const FILE_WIDTH: usize = 100;

/// The formats by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// For a person, on a terminal or in a log.
    Terminal,
    /// For programs, by a published schema.
    Json,
    /// For CI servers that show tests.
    Junit,
    /// A page for a browser.
    Html,
    /// For a GitHub step summary or a comment.
    Markdown,
    /// Annotations of a GitHub Actions run.
    Github,
    /// For code scanning.
    Sarif,
    /// For test harnesses.
    Tap,
    /// A badge for a README.
    Badge,
}

impl Kind {
    /// Every format.
    pub const ALL: [Kind; 9] = [
        Kind::Terminal,
        Kind::Json,
        Kind::Junit,
        Kind::Html,
        Kind::Markdown,
        Kind::Github,
        Kind::Sarif,
        Kind::Tap,
        Kind::Badge,
    ];

    /// The name, as in `--report NAME`.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Terminal => "terminal",
            Kind::Json => "json",
            Kind::Junit => "junit",
            Kind::Html => "html",
            Kind::Markdown => "markdown",
            Kind::Github => "github",
            Kind::Sarif => "sarif",
            Kind::Tap => "tap",
            Kind::Badge => "badge",
        }
    }

    /// The format, as it is written to this file, or to standard output.
    ///
    /// # Errors
    /// When the file's name leaves open which form is meant.
    pub fn format(self, file: Option<&Path>) -> Result<Box<dyn Format>, String> {
        Ok(match self {
            Kind::Terminal => {
                let width = if file.is_some() { FILE_WIDTH } else { text::width() };
                Box::new(Terminal { width })
            }
            Kind::Json => Box::new(Json),
            Kind::Junit => Box::new(Junit),
            Kind::Html => Box::new(Html),
            Kind::Markdown => Box::new(Markdown),
            Kind::Github => Box::new(Github),
            Kind::Sarif => Box::new(Sarif),
            Kind::Tap => Box::new(Tap),
            Kind::Badge => Box::new(Badge::for_file(file)?),
        })
    }
}

impl FromStr for Kind {
    type Err = String;

    /// Finds the format by its name; the error names the nearest one, and all.
    fn from_str(name: &str) -> Result<Kind, String> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let likeness = |kind: &Kind| strsim::jaro(kind.name(), name);
            let nearest = Kind::ALL.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
            let nearest = nearest.expect("there are formats").name();
            let all = Kind::ALL.map(Kind::name).join(", ");
            format!("there is no format `{name}`; did you mean `{nearest}`? There are: {all}")
        })
    }
}
