//! What stands where libtest would: a command line that knows `--target-url`, tests that register themselves and may
//! skip at run time, async tests, named threads, snapshots in one place.
//!
//! `#[test]` means the attribute of `crates/test-attribute` everywhere in this binary, also where rstest adds it.

pub mod balancer;
mod cli;
pub mod degenerate;
pub mod expectations;
pub mod messages;
pub mod node;
pub mod overload;
pub mod process;
pub mod proxy;
pub mod redis;
mod registry;
pub mod relay;
mod skip;
mod snapshots;
pub mod socketioxide;
pub mod target;
pub mod tls;

pub(crate) use registry::register;
pub use registry::{Test, asynchronous, synchronous};
pub use skip::{Stop, TestResult, Tool, require, skip};

use std::sync::{Arc, Mutex, PoisonError};

use siospec::{
    report::words,
    verdict::{CheckResult, ExitCode},
};

pub fn main() -> std::process::ExitCode {
    let mut line = cli::CommandLine::read();
    if let Err(unknown) = skip::check_requirements() {
        return refuse(&unknown, ExitCode::UsersMistake);
    }
    let target = match line.target() {
        Ok(target) => target,
        Err(mistake) => return refuse(&mistake, ExitCode::UsersMistake),
    };
    let with_target = target.is_some();
    let seen: Arc<Mutex<Vec<CheckResult>>> = Arc::default();
    let trials = match target {
        None => {
            let mut trials = target::trials(None, &line.libtest, &seen);
            trials.extend(registry::trials());
            trials
        }
        Some(_) if line.libtest.list => target::trials(None, &line.libtest, &seen),
        Some(target) => match target::runner(target, &line.libtest) {
            Ok(runner) => target::trials(Some(runner), &line.libtest, &seen),
            Err(untestable) => return refuse(&untestable, ExitCode::Untestable),
        },
    };
    // A check waits for its target nearly all the time, and so does a test: the number of our cores says nothing about how
    // many can run at once. What the machine has no time for is held back by the lag that is measured.
    line.libtest.test_threads.get_or_insert(64);
    let conclusion = libtest_mimic::run(&line.libtest, trials);
    skip::print_summary();
    let judged = conclusion.num_passed + conclusion.num_failed;
    // nextest runs each test in a process of its own, where a skip is no reason to think that nothing was judged.
    let is_part = std::env::var_os("NEXTEST").is_some();
    if with_target && !line.libtest.list && !is_part && judged == 0 {
        return refuse("no check was judged, so nothing is known about the target", ExitCode::NothingMatched);
    }
    if with_target && !is_part && !line.allow_incomplete && !conclusion.has_failed() {
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(incomplete) = words::incomplete(&*seen) {
            return refuse(&incomplete.text(), ExitCode::NothingMatched);
        }
    }
    conclusion.exit_code()
}

fn refuse(why: &str, code: ExitCode) -> std::process::ExitCode {
    eprintln!("{}{why}", if why.starts_with("error") { "" } else { "error: " });
    code.into()
}
