//! A pass is something that was seen: against servers that show next to nothing, next to nothing passes.
//!
//! `tests/expectations/blind.toml` holds what may pass on each of them, and what was seen there. No run of any ends well.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use rstest::rstest;
use serde::Deserialize;
use siospec::{
    catalogue::{self, Check},
    contract::{Contract, Layers},
    lag::Lag,
    mock::ReferenceServer,
    redact::Redactor,
    runner::{Plan, Runner},
    verdict::{CheckResult, ExitCode, Outcome, RunReport},
};
use tokio::{task::JoinSet, time::Instant};

use crate::harness::{
    Stop, TestResult,
    degenerate::{Degenerate, Mode},
    overload::Overload,
    target::{options, reference_plan},
};

const MODES: [(&str, Mode); 32] = [
    ("closes-after-handshake", Mode::ClosesAfterHandshake),
    ("resets-after-handshake", Mode::ResetsAfterHandshake),
    ("closes-after-connect", Mode::ClosesAfterConnect),
    ("400", Mode::Status(400)),
    ("401", Mode::Status(401)),
    ("404", Mode::Status(404)),
    ("429", Mode::Status(429)),
    ("500", Mode::Status(500)),
    ("503", Mode::Status(503)),
    ("once-then-503", Mode::OnceThen503),
    ("page", Mode::Page),
    ("redirect", Mode::Redirect),
    ("says-ok", Mode::SaysOk),
    ("empty", Mode::Empty),
    ("noops", Mode::Noops),
    ("silent", Mode::Silent),
    ("silent-after-20", Mode::SilentAfter(20)),
    ("silent-after-100", Mode::SilentAfter(100)),
    ("one-behind", Mode::OneBehind),
    ("dies-after-700-ms", Mode::DiesAfter(Duration::from_millis(700))),
    ("restarts", Mode::Restarts),
    ("every-second-connection", Mode::EverySecondConnection),
    ("every-second-request", Mode::EverySecondRequest),
    ("forty", Mode::Forty),
    ("bare-forty", Mode::BareForty),
    ("forty-everywhere", Mode::FortyEverywhere),
    ("closes-on-leave", Mode::ClosesOnLeave),
    ("echoes", Mode::Echoes),
    ("no-answer", Mode::NoAnswer),
    ("silent-websocket", Mode::SilentWebsocket),
    ("dead-websocket", Mode::DeadWebsocket),
    ("dead-polling", Mode::DeadPolling),
];

/// How long one answer may take here: silence is waited out so long, many times.
const DEADLINE: &str = "500ms";

/// By what contract a target is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum As {
    /// Without any way to get a token.
    Stranger,
    /// With a secret that makes tokens of which the target knows nothing, and each check on its own.
    Holder,
}

impl As {
    fn changes(self) -> &'static [(&'static str, &'static str)] {
        match self {
            As::Stranger => &[],
            As::Holder => &[("auth.secret", "siospec-blind-secret")],
        }
    }

    fn checks(self) -> Vec<&'static Check> {
        match self {
            As::Stranger => Runner::every_check(),
            As::Holder => on_their_own(),
        }
    }
}

/// What may pass, and why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    target: Vec<Target>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    /// The modes that these are true of.
    modes: Vec<String>,
    /// What was really seen.
    seen: String,
    /// The checks that pass by it.
    checks: Vec<String>,
}

fn table() -> Table {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/expectations/blind.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

async fn run(mode: Mode, changes: &[(&'static str, &str)], checks: Vec<&'static Check>, lag: Lag) -> Option<RunReport> {
    let server = Degenerate::start(mode).await.expect("a free port");
    let mut flags = vec![
        ("deadline", DEADLINE.to_owned()),
        ("choices.connect-timeout", "1s".to_owned()),
        ("choices.idle-limit", "1s".to_owned()),
    ];
    flags.extend(changes.iter().map(|(key, value)| (*key, (*value).to_owned())));
    let contract = Contract::load(Layers { file: None, env: std::iter::empty(), flags }).expect("a contract");
    let plan = Plan::new(server.url.parse().expect("a URL"), contract, checks);
    let plan = Plan { max_wait: Some(Duration::from_secs(2)), ..plan };
    let runner = Runner::beside(plan, Redactor::new(), lag).await.ok()?;
    Some(Arc::new(runner).run().await)
}

/// Every check as under `--only`, where nothing that it rests on keeps it from its verdict.
fn on_their_own() -> Vec<&'static Check> {
    let alone = |check: &'static Check| &*Box::leak(Box::new(Check { requires: &[], ..*check }));
    Runner::every_check().into_iter().map(alone).collect()
}

fn passed(report: &RunReport) -> Vec<&str> {
    let passed = report.results.iter().filter(|result| result.outcome == Outcome::Pass);
    passed.map(|result| result.id.as_str()).collect()
}

#[rstest]
#[test]
async fn what_was_not_seen_does_not_pass() -> TestResult {
    prove(As::Stranger).await
}

#[rstest]
#[test]
#[ignore = "every check by itself on each target: for .ci/run, and for changes to the probe"]
async fn what_was_not_seen_does_not_pass_by_itself() -> TestResult {
    prove(As::Holder).await
}

async fn prove(holder: As) -> TestResult {
    let lag = Lag::watch();
    let checks = holder.checks();
    let mut running = JoinSet::new();
    for (name, mode) in MODES {
        // Clients connect there, and each fence is waited for in vain.
        if mode == Mode::Forty && holder == As::Holder {
            continue;
        }
        lag.turn().await;
        let (lag, checks) = (lag.clone(), checks.clone());
        running.spawn(async move { (name, run(mode, holder.changes(), checks, lag).await) });
    }
    let table = table();
    let may = |mode: &str, id: &str| {
        let lists = table.target.iter().filter(|target| target.modes.iter().any(|name| name == mode));
        lists.flat_map(|target| &target.checks).any(|check| check == id)
    };
    let mut surprises: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut wrong = String::new();
    for (mode, report) in running.join_all().await {
        // What is not even tested ends with a code of its own.
        let Some(report) = report else { continue };
        for id in passed(&report) {
            if !may(mode, id) {
                surprises.entry(mode).or_default().insert(id.to_owned());
            }
        }
        if report.exit_code() == ExitCode::Conforms {
            writeln!(wrong, "{mode} ({holder:?}) ends with 0: {:?}", report.counts())?;
        }
        if std::env::var_os("SIOSPEC_BLIND").is_some() {
            eprintln!("{mode} ({holder:?}): {:?}, {} ms", report.counts(), report.duration_ms);
        }
    }
    for (mode, ids) in surprises {
        writeln!(wrong, "{mode}: {ids:?}")?;
    }
    assert!(wrong.is_empty(), "passes that nobody has given a reason for:\n{wrong}");
    Ok(())
}

/// What the reconnaissance saw for these, before the checks began.
const SEEN_BEFOREHAND: [&str; 4] = [
    "transport.open-packet",
    "transport.polling-available",
    "transport.upgrade-offered",
    "transport.websocket-handshake",
];

/// How much later than its first 503 a check must have begun for it to have seen nothing else: the two clocks were not read
/// in the same instant.
const APART: Duration = Duration::from_millis(20);

/// All that is right, until so many requests were made: what begins after that has nothing to pass by.
#[rstest]
#[case::once(1)]
#[case::for_the_handshakes(5)]
#[case::for_a_few_checks(50)]
#[case::for_many_checks(200)]
#[test]
async fn what_begins_after_the_target_broke_down_does_not_pass(#[case] requests: usize) -> TestResult {
    for retry_after in [false, true] {
        let (report, wrong) = overloaded(requests, retry_after).await?;
        let Some(report) = report else { continue };
        assert_ne!(report.exit_code(), ExitCode::Conforms, "{:?}", report.counts());
        assert!(wrong.is_empty(), "after {requests} requests, Retry-After {retry_after}: {wrong:?}");
    }
    Ok(())
}

/// Else the test above shows nothing.
#[rstest]
#[test]
async fn the_proxy_that_breaks_down_hides_nothing_before() -> TestResult {
    let (report, _) = overloaded(usize::MAX, false).await?;
    let report = report.expect("testable");
    let others: Vec<_> = report.results.iter().filter(|result| result.is_failure() || result.is_unjudged()).collect();
    assert!(others.is_empty(), "{others:#?}");
    Ok(())
}

/// The run of every check against the reference server behind that proxy, and what passed though it began too late.
async fn overloaded(requests: usize, retry_after: bool) -> Result<(Option<RunReport>, Vec<String>), Stop> {
    let options = options().guarded();
    let server = ReferenceServer::start(options.clone()).await?;
    let proxy = Overload::start(server.address(), requests, retry_after).await?;
    // Where all is right, patience costs nothing.
    let deadline = if requests == usize::MAX { "5s" } else { "1s" };
    let mut plan = reference_plan(&server, &options, deadline, &[], Runner::every_check());
    (plan.origin, plan.reference) = (proxy.url.parse()?, false);
    // What is not even tested ends with a code of its own.
    let Ok(runner) = Runner::beside(plan, Redactor::new(), Lag::watch()).await else { return Ok((None, Vec::new())) };
    let begun = Instant::now();
    let report = Arc::new(runner).run().await;
    let broken = proxy.broken_since();
    let is_late = |result: &&CheckResult| {
        let began = begun + Duration::from_millis(result.began_ms.unwrap_or_default());
        result.outcome == Outcome::Pass && broken.is_some_and(|broken| began > broken + APART)
    };
    let late = report.results.iter().filter(is_late).map(|result| result.id.clone());
    let wrong = late.filter(|id| !SEEN_BEFOREHAND.contains(&id.as_str())).collect();
    Ok((Some(report), wrong))
}

/// A server that refuses everybody in the proper way has shown what there is to see: nothing is in doubt.
#[rstest]
#[test]
async fn a_server_that_refuses_everybody_is_judged() {
    let report = run(Mode::Honest, &[], Runner::every_check(), Lag::watch()).await.expect("testable");
    let in_doubt: Vec<_> =
        report.results.iter().filter(|result| matches!(result.outcome, Outcome::Broken { .. })).collect();
    assert!(in_doubt.is_empty(), "{in_doubt:#?}");
    for id in ["auth.missing-token", "auth.malformed-token", "socket.event-before-connect", "security.cors-reflection"]
    {
        assert!(passed(&report).contains(&id), "{id}: {report:#?}");
    }
}

#[rstest]
#[test]
fn the_table_names_modes_and_checks_that_there_are() {
    for Target { modes, seen, checks } in table().target {
        assert!(!seen.is_empty());
        for mode in &modes {
            assert!(MODES.iter().any(|(name, _)| name == mode), "{mode}");
        }
        for check in &checks {
            assert!(catalogue::find(check).is_some(), "{check}");
        }
    }
}
