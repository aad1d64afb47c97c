//! The report as JSON, for other programs. Its schema is `docs/report.schema.json`.

use std::io;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Format,
    scorecard::{self, RowScore, Score},
    text,
};
use crate::{
    causes,
    lang::Lang,
    verdict::{Cause, Counts, RunReport},
};

/// The version of the JSON report. It changes when a program that reads the report must change.
pub const SCHEMA: u32 = 2;

/// The report as indented JSON. It is the same in every language: what reads it is no person.
pub struct Json;

/// A report of siospec about one run.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "siospec report")]
struct Document {
    /// The version of this format. It changes when a program that reads the report must change.
    schema: u32,
    /// What the run comes to. All of it but the exit code follows from the results.
    summary: Summary,
    /// What is wrong at the root. This follows from the results, too.
    causes: Vec<Cause>,
    #[serde(flatten)]
    report: RunReport,
}

/// What a run comes to.
#[derive(Serialize, JsonSchema)]
struct Summary {
    /// The exit code of the `siospec` that wrote this: 0 when the target conforms, 130 when the run was interrupted, 5 when
    /// another report could not be written.
    exit_code: u8,
    /// The verdict in words.
    verdict: String,
    /// How many of the rows C1 to C12 have which mark.
    score: Score,
    /// How all checks ended.
    counts: Counts,
    /// The scorecard.
    rows: Vec<RowScore>,
}

impl Json {
    /// The JSON Schema (2020-12) of the report.
    pub fn schema() -> Value {
        let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
        let mut schema = generator.into_root_schema_for::<Document>().to_value();
        schema["$id"] = json!(format!("urn:siospec:report:{SCHEMA}"));
        schema["properties"]["schema"]["const"] = json!(SCHEMA);
        schema
    }
}

impl Format for Json {
    fn write(&self, report: &RunReport, _: &Lang, out: &mut dyn io::Write) -> io::Result<()> {
        let summary = Summary {
            exit_code: report.process_code(),
            verdict: scorecard::verdict(report).1.to_owned(),
            score: Score::of(report),
            counts: report.counts(),
            rows: scorecard::rows(report).into(),
        };
        let document =
            Document { schema: SCHEMA, summary, causes: causes::of(&report.results), report: report.clone() };
        let json = serde_json::to_string_pretty(&document)?;
        out.write_all(text::ascii_escaped(&json).as_bytes())?;
        out.write_all(b"\n")
    }
}
