//! What stands where libtest would: a command line that knows `--target-url`, tests that register themselves and may
//! skip at run time, async tests, named threads, snapshots in one place.
//!
//! `#[test]` means the attribute of `crates/test-attribute` everywhere in this binary, also where rstest adds it.

mod cli;
mod registry;
mod skip;
mod snapshots;

pub(crate) use registry::register;
pub use registry::{Test, asynchronous, synchronous};
pub use skip::{TestResult, Tool, require, skip};

use clap::Parser;
use libtest_mimic::Trial;
use std::process::ExitCode;
use url::Url;

pub fn main() -> ExitCode {
    let arguments = cli::CommandLine::parse();
    if let Err(unknown) = skip::check_requirements() {
        eprintln!("error: {unknown}");
        return ExitCode::from(2);
    }
    let mut trials = catalogue_trials(arguments.target_url.as_ref());
    if arguments.target_url.is_none() {
        trials.extend(registry::trials());
    }
    let conclusion = libtest_mimic::run(&arguments.libtest, trials);
    skip::print_summary();
    let ran = conclusion.num_passed + conclusion.num_failed + conclusion.num_ignored;
    if arguments.target_url.is_some() && !arguments.libtest.list && ran == 0 {
        // Nothing checked must not look like nothing wrong.
        eprintln!("error: no check was selected, so nothing is known about the target");
        return ExitCode::from(2);
    }
    conclusion.exit_code()
}

/// A trial for every check of the catalogue, against `target` or, without one, against the reference server.
fn catalogue_trials(_target: Option<&Url>) -> Vec<Trial> {
    Vec::new()
}
