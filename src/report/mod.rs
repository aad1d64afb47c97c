//! What a run looks like to whoever reads it: [`Progress`] while it goes on, and a [`Format`] for what came of it.
//!
//! One file per format. A format sees the [`RunReport`] and nothing else, so that a report can be shown again later,
//! from a file, by a version of siospec whose catalogue has moved on.

mod json;
mod progress;
mod terminal;
pub mod text;

use std::io;

pub use json::{Json, SCHEMA};
pub use progress::Progress;
pub use terminal::{Terminal, explain, verdict_line};

use crate::verdict::RunReport;

/// A form that a finished run can be written in.
pub trait Format {
    /// Writes the whole run.
    ///
    /// # Errors
    /// When `out` cannot be written to.
    fn write(&self, report: &RunReport, out: &mut dyn io::Write) -> io::Result<()>;
}
