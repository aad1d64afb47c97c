//! False alarms: a correct server gets the same verdict every time, however busy the machine is.

use std::{collections::BTreeMap, sync::Arc, thread};

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
const AT_ONCE: usize = 2;

#[rstest]
#[test]
#[ignore = "keeps both cores busy for minutes: for .ci/run, and for changes to the probe"]
async fn thirty_runs_on_a_busy_machine_agree() -> TestResult {
    if cfg!(windows) {
        return skip("needs a shell that can be kept busy");
    }
    let cores = thread::available_parallelism()?.get();
    let busy = || Service::start(Command::new("sh").args(["-c", "while :; do :; done"]));
    let _load: Vec<Service> = (0..cores).map(|_| busy()).collect::<Result<_, _>>()?;

    let runs: Vec<BTreeMap<String, Outcome>> =
        stream::iter(0..RUNS).map(|_| outcomes()).buffer_unordered(AT_ONCE).collect().await;
    // What one server cannot show is skipped, and in each run the same.
    let is_surprise = |id: &str, outcome: &Outcome| match outcome {
        Outcome::Pass | Outcome::Skip { .. } => runs[0][id].name() != outcome.name(),
        Outcome::Fail(_) | Outcome::Blocked { .. } | Outcome::Broken { .. } => true,
    };
    let outcomes = runs.iter().flatten().filter(|(id, outcome)| is_surprise(id, outcome));
    let surprises: Vec<String> = outcomes.map(|(id, outcome)| format!("{id}: {outcome:?}")).collect();
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
    Ok(())
}

/// How the checks end in one run against a server of its own.
async fn outcomes() -> BTreeMap<String, Outcome> {
    let options = options().guarded();
    let server = ReferenceServer::start(options.clone()).await.expect("a free port");
    let runner = reference_runner(&server, &options, "5s", &[], Runner::every_check()).await;
    let runner = runner.unwrap_or_else(|untestable| panic!("{untestable}"));
    let report = Arc::new(runner).run().await;
    report.results.into_iter().map(|result| (result.id, result.outcome)).collect()
}
