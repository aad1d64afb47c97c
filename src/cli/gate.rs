//! What `siospec run` is held to, and the commands about stored reports: `baseline`, `diff`, `merge`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};

use super::{
    Ended, Trouble, out,
    report::{OutputArgs, Reports},
};
use crate::{
    contract::{self, Contract},
    gate::{self, Baseline, Diff, Rules, Shard},
    report::{SCHEMA, text},
    verdict::{ExitCode, FailOn, RunReport},
};

/// The baseline's file unless another one is named.
const BASELINE: &str = "siospec-baseline.json";

#[derive(Args)]
#[command(next_help_heading = "Gate")]
pub struct GateArgs {
    /// What fails the run
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    fail_on: FailOn,
    /// File with the known failures, written by `siospec baseline`; with --fail-on new they do not fail the run
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Run everything this many times; a check that passes only sometimes is flaky, and fails the run
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    repeat: u32,
    /// Try a failed check again up to this many times; one that then passes is flaky, and fails the run
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=100))]
    retries: u32,
    /// Let flaky checks pass
    #[arg(long)]
    allow_flaky: bool,
    /// Accept that MUST checks are not judged for lack of a token, instead of ending with 4
    #[arg(long, env = "SIOSPEC_ALLOW_INCOMPLETE")]
    allow_incomplete: bool,
    /// Run one part of the checks, such as 2/4; `siospec merge` makes one report of all
    #[arg(long, help_heading = "Checks", value_name = "K/N")]
    shard: Option<Shard>,
}

impl GateArgs {
    /// The rules that the flags, the baseline's file and the contract's waivers make.
    pub fn rules(&self, contract: &Contract) -> Result<Rules, Trouble> {
        if self.fail_on == FailOn::New && self.baseline.is_none() {
            return Err(Trouble::mistake(format!(
                "--fail-on new needs to know what is not new: give --baseline {BASELINE}, which `siospec baseline` \
                 makes of a run's JSON report"
            )));
        }
        let baseline = self.baseline.as_deref().map(|file| -> Result<_, Trouble> {
            let baseline = Baseline::parse(&read(file)?)
                .map_err(|wrong| Trouble::mistake(format!("--baseline: {} {wrong}", file.display())))?;
            Ok((text::visible(&file.to_string_lossy()), baseline))
        });
        Ok(Rules {
            waivers: gate::waivers(contract)?,
            today: contract::today(),
            baseline: baseline.transpose()?,
            fail_on: self.fail_on,
            allow_flaky: self.allow_flaky,
            allow_incomplete: self.allow_incomplete,
            shard: self.shard,
        })
    }

    /// The part of the checks to run.
    pub fn shard(&self) -> Option<Shard> {
        self.shard
    }

    /// How often to run everything.
    pub fn repeat(&self) -> u32 {
        self.repeat
    }

    /// How often to try a failed check again.
    pub fn retries(&self) -> u32 {
        self.retries
    }
}

#[derive(Args)]
pub struct BaselineArgs {
    /// The JSON report of a run
    #[arg(value_name = "RUN.json")]
    report: PathBuf,
    /// The file to write; one that is there is replaced
    #[arg(long, short, value_name = "FILE", default_value = BASELINE)]
    output: PathBuf,
}

pub fn baseline(args: &BaselineArgs) -> Ended {
    let baseline = Baseline::of(&read_report(&args.report)?);
    write(&args.output, &baseline.text())?;
    let number = text::count(baseline.failures().len(), "failure");
    let file = args.output.display();
    out::print(&format!("{file}: {number} accepted; use it by `siospec run … --baseline {file} --fail-on new`\n"))?;
    Ok(ExitCode::Conforms.into())
}

#[derive(Args)]
pub struct DiffArgs {
    /// The JSON report of the run before
    #[arg(value_name = "OLD.json")]
    old: PathBuf,
    /// The JSON report of the run after
    #[arg(value_name = "NEW.json")]
    new: PathBuf,
    /// The form to print it in
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: DiffFormat,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum DiffFormat {
    /// For a person
    #[default]
    Terminal,
    /// For a program
    Json,
    /// For a pull request
    Markdown,
}

pub fn diff(args: &DiffArgs) -> Ended {
    let diff = Diff::of(&read_report(&args.old)?, &read_report(&args.new)?);
    out::print(&match args.format {
        DiffFormat::Terminal => diff.terminal(text::width()),
        DiffFormat::Json => diff.json(),
        DiffFormat::Markdown => diff.markdown(),
    })?;
    Ok(if diff.regression { ExitCode::DoesNotConform } else { ExitCode::Conforms }.into())
}

#[derive(Args)]
pub struct MergeArgs {
    /// JSON reports of runs against one target, such as those of the shards
    #[arg(value_name = "RUN.json", required = true)]
    runs: Vec<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

pub fn merge(args: &MergeArgs) -> Ended {
    let output = Reports::new(&args.output)?;
    let read = |file: &PathBuf| Ok((text::visible(&file.to_string_lossy()), read_report(file)?));
    let reports = args.runs.iter().map(read).collect::<Result<Vec<_>, Trouble>>()?;
    let mut report = gate::merge(reports).map_err(|error| Trouble::mistake(error.to_string()))?;
    output.write(&mut report)?;
    Ok(report.process_code().into())
}

/// A stored JSON report.
fn read_report(file: &Path) -> Result<RunReport, Trouble> {
    let wrong = |what: String| Trouble::mistake(format!("{} {what}", file.display()));
    let json: serde_json::Value =
        serde_json::from_str(&read(file)?).map_err(|error| wrong(format!("is not JSON: {error}")))?;
    match json.get("schema").and_then(serde_json::Value::as_u64) {
        Some(schema) if schema == u64::from(SCHEMA) => {}
        Some(schema) => return Err(wrong(format!("is a report of schema {schema}; this siospec reads {SCHEMA}"))),
        None => return Err(wrong("is no JSON report of `siospec run`".to_owned())),
    }
    serde_json::from_value(json).map_err(|error| wrong(format!("is no JSON report of `siospec run`: {error}")))
}

fn read(file: &Path) -> Result<String, Trouble> {
    fs::read_to_string(file).map_err(|error| Trouble::mistake(format!("cannot read {}: {error}", file.display())))
}

fn write(file: &Path, text: &str) -> Result<(), Trouble> {
    fs::write(file, text).map_err(|error| Trouble::mistake(format!("cannot write {}: {error}", file.display())))
}
