//! The report as JSON, for other programs.

use std::io;

use serde::Serialize;

use super::{Format, text};
use crate::verdict::RunReport;

/// The version of the JSON report. It changes when a program that reads the report must change.
pub const SCHEMA: u32 = 1;

/// The report as indented JSON.
pub struct Json;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    #[serde(flatten)]
    report: &'a RunReport,
}

impl Format for Json {
    fn write(&self, report: &RunReport, out: &mut dyn io::Write) -> io::Result<()> {
        let json = serde_json::to_string_pretty(&Document { schema: SCHEMA, report })?;
        out.write_all(text::ascii_escaped(&json).as_bytes())?;
        out.write_all(b"\n")
    }
}
