//! The catalogue as tests: against the server of `--target-url`, or against the reference server.

use std::{
    path::PathBuf,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use siospec::{
    catalogue::{self, Check, Selection},
    contract::{self, Contract, Layers},
    lag::{self, Lag},
    lang::Lang,
    mock::{Options, ReferenceServer},
    probe::Untestable,
    redact::Redactor,
    report,
    runner::{Plan, Runner, SetupError},
    verdict::{CheckResult, Gate, Level, Outcome, RunReport},
};
use tokio::{runtime::Runtime, sync::OnceCell};
use url::Url;

/// Carries what outlives a single test: the runner, and the reference server.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// How long nothing must have been late for a long test to begin, and how long it waits for that.
const CALM: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(6);
/// Over how long the processors' idle time is measured, and how much of it leaves room for one more long test.
const LOOK: Duration = Duration::from_millis(250);
const ROOM: f64 = 0.25;

/// How busy the tests keep this machine.
static LAG: LazyLock<Lag> = LazyLock::new(|| RUNTIME.block_on(async { Lag::watch() }));

/// Returns when the machine has time for one more test.
pub fn wait_for_a_turn() {
    RUNTIME.block_on(LAG.turn());
}

/// Returns when the machine has time for one more test of those that start servers and programs of their own. What such a
/// test asks of the machine shows a while after it began, so they begin one after the other, as long as the processors have
/// time left; where the system does not tell that, as long as nothing is late.
pub fn wait_for_calm(is_heavy: bool) {
    static NEXT: Mutex<()> = Mutex::new(());
    let _next = NEXT.lock().unwrap_or_else(PoisonError::into_inner);
    // Those that are no part of every run may take their time, and ask for more.
    if is_heavy {
        RUNTIME.block_on(lag::until_calm(CALM, PATIENCE));
    }
    let begun = Instant::now();
    let mut before = processor_time();
    while let Some((all, idle)) = before.filter(|_| begun.elapsed() < PATIENCE) {
        thread::sleep(LOOK);
        let Some((all_now, idle_now)) = processor_time() else { return };
        if (idle_now - idle) as f64 >= ROOM * (all_now - all) as f64 {
            return;
        }
        before = Some((all_now, idle_now));
    }
    if before.is_none() {
        RUNTIME.block_on(lag::until_calm(CALM, PATIENCE));
    }
}

/// What all processors have had of time so far, and what of it was idle, in the system's units; where the system tells it.
fn processor_time() -> Option<(u64, u64)> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let times: Vec<u64> =
        stat.lines().next()?.split_whitespace().skip(1).filter_map(|time| time.parse().ok()).collect();
    // proc_stat(5): user, nice, system, idle, iowait, …
    Some((times.iter().take(8).sum(), times.get(3)? + times.get(4)?))
}

/// What `--target-url` and the contract's flags come to.
pub struct Target {
    pub url: Url,
    pub contract: Contract,
    pub flags: Vec<String>,
}

/// The contract that the flags, the environment and `siospec.toml` give.
pub fn load_contract(flags: Vec<(&'static str, String)>) -> Result<Contract, String> {
    let file = contract::file(None)?;
    Contract::load(Layers { file, env: contract::environment(), flags }).map_err(|error| error.to_string())
}

/// A reference server as the tests use it: heartbeats short enough to be waited for, long enough for a busy machine.
pub fn options() -> Options {
    Options {
        ping_interval: Duration::from_millis(1_500),
        ping_timeout: Duration::from_millis(2_500),
        connect_timeout: Duration::from_secs(5),
        max_payload: 200_000,
        ..Options::default()
    }
}

/// The contract that a server of these options keeps, with changes.
fn reference_contract(
    server: &ReferenceServer,
    options: &Options,
    deadline: &str,
    changes: &[(&'static str, &str)],
) -> Contract {
    let file = Some((PathBuf::from("the reference server's contract"), options.contract()));
    let mut flags =
        vec![("reload.url", format!("{}/__siospec/reload", server.url())), ("deadline", deadline.to_owned())];
    if options.jwt_public_key.is_none() {
        flags.push(("auth.secret", options.jwt_secret.clone()));
    }
    flags.extend(changes.iter().map(|(key, value)| (*key, (*value).to_owned())));
    Contract::load(Layers { file, env: options.variables().into_iter(), flags })
        .expect("the reference server's contract")
}

/// A run of `checks` against a reference server of these options, by its contract with changes.
pub async fn reference_runner(
    server: &ReferenceServer,
    options: &Options,
    deadline: &str,
    changes: &[(&'static str, &str)],
    checks: Vec<&'static Check>,
) -> Result<Runner, String> {
    let plan = reference_plan(server, options, deadline, changes, checks);
    Runner::new(plan, Redactor::new()).await.map_err(|untestable| untestable.to_string())
}

/// The plan of [`reference_runner`].
pub fn reference_plan(
    server: &ReferenceServer,
    options: &Options,
    deadline: &str,
    changes: &[(&'static str, &str)],
    checks: Vec<&'static Check>,
) -> Plan {
    let contract = reference_contract(server, options, deadline, changes);
    Plan { reference: true, ..Plan::new(server.url().parse().expect("a URL"), contract, checks) }
}

/// Scores the server at `url`, which keeps the contract of `flags`, as `siospec run` does.
pub async fn score(url: &str, flags: &[(&'static str, &str)]) -> Result<RunReport, Untestable> {
    score_part(url, flags, &[]).await
}

/// As [`score`], by the checks and areas that are named; by all where none is.
pub async fn score_part(url: &str, flags: &[(&'static str, &str)], named: &[&str]) -> Result<RunReport, Untestable> {
    Ok(Arc::new(part_of_a_run(url, flags, named).await?).run().await)
}

/// The run of [`score_part`], before it begins.
pub async fn part_of_a_run(url: &str, flags: &[(&'static str, &str)], named: &[&str]) -> Result<Runner, Untestable> {
    let named: Vec<String> = named.iter().map(|name| (*name).to_owned()).collect();
    let selection = Selection::new(&named, &[]).unwrap_or_else(|error| panic!("{error}"));
    Runner::against(url, flags, &selection).await.map_err(|error| match error {
        SetupError::Target(untestable) => untestable,
        wrong => panic!("{wrong}"),
    })
}

/// The result of the check with that id, which must be there.
#[track_caller]
pub fn result<'a>(report: &'a RunReport, id: &str) -> &'a CheckResult {
    report.results.iter().find(|result| result.id == id).unwrap_or_else(|| panic!("{id} has no result"))
}

/// Panics unless every check of the level MUST passed, save those named as skipped.
pub fn assert_conforms(report: &RunReport, skipped: &[&str]) {
    let surprises: Vec<String> = report
        .results
        .iter()
        .filter(|result| match &result.outcome {
            Outcome::Pass => skipped.contains(&result.id.as_str()),
            Outcome::Skip { .. } => !skipped.contains(&result.id.as_str()),
            Outcome::Fail(_) => result.level == Level::Must,
            Outcome::Blocked { .. } | Outcome::Broken { .. } => true,
        })
        .map(explained)
        .collect();
    assert!(surprises.is_empty(), "{}", surprises.join("\n\n"));
}

/// A run against the server of `--target-url`, ready to go.
///
/// # Errors
/// What keeps the target from being tested, for the user.
pub fn runner(target: Target, arguments: &Arguments) -> Result<Arc<Runner>, String> {
    let plan = Plan { flags: target.flags, ..Plan::new(target.url, target.contract, selected(arguments)) };
    let runner = RUNTIME.block_on(Runner::new(plan, Redactor::new()));
    runner.map(Arc::new).map_err(|untestable| untestable.to_string())
}

/// A trial for every check: against the target of `runner` or, without one, against the reference server, which is
/// started when the first trial runs, so that `--list` starts nothing. The results are put into `seen`.
pub fn trials(runner: Option<Arc<Runner>>, arguments: &Arguments, seen: &Arc<Mutex<Vec<CheckResult>>>) -> Vec<Trial> {
    let checks = selected(arguments);
    let shared: Arc<OnceCell<(Arc<Runner>, Option<ReferenceServer>)>> = Arc::default();
    if let Some(runner) = runner {
        let _ = shared.set((runner, None));
    }
    let trial = |check: &'static Check| {
        let shared = Arc::clone(&shared);
        let (checks, seen) = (checks.clone(), Arc::clone(seen));
        Trial::ignorable_test(check.id, move || {
            wait_for_a_turn();
            RUNTIME.block_on(async {
                let (runner, _) = shared.get_or_try_init(|| embedded(checks)).await?;
                let result = runner.result(check).await;
                let conclusion = conclude(&result);
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(result);
                conclusion
            })
        })
    };
    catalogue::all().map(|entry| trial(entry.check)).collect()
}

async fn embedded(checks: Vec<&'static Check>) -> Result<(Arc<Runner>, Option<ReferenceServer>), Failed> {
    let options = options().guarded();
    let server = ReferenceServer::start(options.clone()).await?;
    let runner = reference_runner(&server, &options, "5s", &[], checks).await?;
    Ok((Arc::new(runner), Some(server)))
}

/// The checks that libtest's filter lets through: only what is selected may block what rests on it.
fn selected(arguments: &Arguments) -> Vec<&'static Check> {
    let matches = |id: &str, filter: &str| if arguments.exact { id == filter } else { id.contains(filter) };
    let selected = |check: &&Check| {
        arguments.filter.as_ref().is_none_or(|filter| matches(check.id, filter))
            && !arguments.skip.iter().any(|skip| matches(check.id, skip))
    };
    catalogue::all().map(|entry| entry.check).filter(selected).collect()
}

fn explained(result: &CheckResult) -> String {
    report::explain(result, &Gate::default(), &Lang::EN, report::text::width())
}

/// A result as libtest knows it. What is worth knowing without failing the run is ignored with its reason, as a skip
/// is: a test that found something must not read `ok`.
fn conclude(result: &CheckResult) -> Result<Completion, Failed> {
    match &result.outcome {
        Outcome::Pass => Ok(Completion::Completed),
        Outcome::Skip { reason, .. } | Outcome::Blocked { reason, .. } => Ok(Completion::ignored_with(reason.text())),
        Outcome::Fail(failure) if result.level != Level::Must => {
            Ok(Completion::ignored_with(format!("{}: {}", result.level.name(), failure.reason.text())))
        }
        Outcome::Fail(_) | Outcome::Broken { .. } => Err(explained(result).into()),
    }
}
