//! False alarms: a correct server gets the same verdict every time, however busy the machine is.

use std::{collections::BTreeSet, sync::Arc, thread};

use futures::{StreamExt, stream};
use rstest::rstest;
use siospec::{mock::ReferenceServer, runner::Runner, verdict::Outcome};
use tokio::process::Command;

use crate::harness::{
    TestResult,
    process::Service,
    skip,
    target::{options, reference_runner},
};

/// How often the whole catalogue is run.
const RUNS: usize = 30;

/// Runs side by side: each mostly waits.
const AT_ONCE: usize = 3;

#[rstest]
#[test]
async fn thirty_runs_on_a_busy_machine_agree() -> TestResult {
    if cfg!(windows) {
        return skip("needs a shell that can be kept busy");
    }
    let cores = thread::available_parallelism()?.get();
    let busy = || Service::start(Command::new("sh").args(["-c", "while :; do :; done"]));
    let _load: Vec<Service> = (0..cores).map(|_| busy()).collect::<Result<_, _>>()?;

    let surprises: BTreeSet<String> =
        stream::iter(0..RUNS).map(|_| surprises()).buffer_unordered(AT_ONCE).concat().await;
    assert!(surprises.is_empty(), "{}", surprises.into_iter().collect::<Vec<_>>().join("\n"));
    Ok(())
}

/// What did not pass in one run against a server of its own.
async fn surprises() -> BTreeSet<String> {
    let options = options();
    let server = ReferenceServer::start(options.clone()).await.expect("a free port");
    let runner = reference_runner(&server, &options, "5s", &[], Runner::every_check()).await;
    let runner = runner.unwrap_or_else(|untestable| panic!("{untestable}"));
    let report = Arc::new(runner).run().await;
    let others = report.results.iter().filter(|result| result.outcome != Outcome::Pass);
    others.map(|result| format!("{}: {:?}", result.id, result.outcome)).collect()
}
