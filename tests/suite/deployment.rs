//! What one server that speaks plain http cannot show: several nodes, a balancer in front of them, TLS.

use std::{collections::BTreeMap, fs, sync::Arc};

use futures::{StreamExt, stream};
use rstest::rstest;
use siospec::{
    catalogue::{self, Selection},
    mock::{Authority, Cluster, DEFAULT_JWT_SECRET, Fault, Options, ReferenceServer, Variant},
    runner::{Plan, Runner},
    verdict::{Outcome, RunReport},
};
use tempfile::tempdir;
use tokio::process::Command;

use super::matrix::RUNS_NODE;
use crate::harness::{
    TestResult, Tool,
    balancer::Balancer,
    process::siospec,
    redis::Redis,
    require,
    target::{options, reference_runner},
};

/// How long one answer may take, as in the matrix.
const DEADLINE: &str = "3s";

/// Panics unless the report fails just the checks that declare the fault; without one, unless all are passed.
fn assert_exact(fault: Option<Fault>, report: &RunReport, variant: Variant) {
    let mut wrong = Vec::new();
    for entry in catalogue::all() {
        let check = entry.check;
        let result = report.results.iter().find(|result| result.id == check.id).expect("every check has a result");
        let is_right = match (&result.outcome, fault) {
            (Outcome::Fail(_), fault) => fault.is_some_and(|fault| check.faults.contains(&fault)),
            (_, Some(fault)) if check.faults.contains(&fault) => false,
            (Outcome::Pass, _) => true,
            // None of its faults shows here, nor in the plain deployment, which this one is as well.
            (Outcome::Skip { .. }, None) => {
                check.id == RUNS_NODE
                    || !check.faults.iter().any(|fault| [Variant::Plain, variant].contains(&fault.variant()))
            }
            (Outcome::Skip { .. }, Some(_)) => true,
            (Outcome::Blocked { .. }, fault) => fault.is_some(),
            (Outcome::Broken { .. }, _) => false,
        };
        if !is_right {
            wrong.push(format!("{}: {:#?} {:?}", check.id, result.outcome, result.notes));
        }
    }
    assert!(wrong.is_empty(), "{fault:?}: {}", wrong.join("\n"));
}

/// Two nodes at one Redis, both with the fault.
async fn score_cluster(fault: Option<Fault>) -> Result<RunReport, crate::harness::Stop> {
    let redis = Redis::start().await?;
    let options = options().guarded().with_redis(&redis.url).with_faults(fault);
    let first = ReferenceServer::start(options.clone()).await?;
    let second = ReferenceServer::start(options.clone()).await?;
    let runner = reference_runner(&first, &options, DEADLINE, &[("nodes", second.url())], Runner::every_check()).await;
    Ok(Arc::new(runner.unwrap_or_else(|untestable| panic!("{fault:?}: {untestable}"))).run().await)
}

#[rstest]
#[test]
async fn two_nodes_at_one_redis_pass_every_check() -> TestResult {
    require(Tool::Redis)?;
    assert_exact(None, &score_cluster(None).await?, Variant::Cluster);
    Ok(())
}

#[rstest]
#[test]
async fn each_fault_of_a_cluster_fails_exactly_the_checks_that_declare_it() -> TestResult {
    require(Tool::Redis)?;
    let faults = Fault::ALL.iter().copied().filter(|fault| fault.variant() == Variant::Cluster);
    let reports: BTreeMap<Fault, _> = stream::iter(faults)
        .map(|fault| async move { (fault, score_cluster(Some(fault)).await) })
        .buffer_unordered(2)
        .collect()
        .await;
    for (fault, report) in reports {
        assert_exact(Some(fault), &report?, Variant::Cluster);
    }
    Ok(())
}

/// A fence orders what one node sends: what another one sends comes when it comes.
#[rstest]
#[case::fault(Some(Fault::LeaksFromOtherNode))]
#[case::none(None)]
#[test]
async fn with_several_nodes_absence_is_judged_by_a_quiet_window_as_well(#[case] fault: Option<Fault>) -> TestResult {
    let options = options().with_cluster(&Cluster::default()).with_faults(fault);
    let (first, second) =
        (ReferenceServer::start(options.clone()).await?, ReferenceServer::start(options.clone()).await?);
    let checks = Selection::new(&["rooms.outsider-silent".into()], &[]).expect("a check").checks();
    let nodes = [("nodes", second.url())];
    let runner = reference_runner(&first, &options, DEADLINE, &nodes, checks).await.expect("testable");
    let report = Arc::new(runner).run().await;
    let result = report.results.iter().find(|result| result.id == "rooms.outsider-silent").expect("the check");
    assert_eq!(matches!(result.outcome, Outcome::Fail(_)), fault.is_some(), "{result:#?}");
    assert!(result.notes.iter().any(|note| note.text().contains("quiet window")), "{:?}", result.notes);
    Ok(())
}

#[rstest]
#[test]
async fn two_nodes_without_an_adapter_are_found_out() -> TestResult {
    let (first, second) = (ReferenceServer::start(options()).await?, ReferenceServer::start(options()).await?);
    let checks = Selection::new(&["deploy.cross-node-*".into()], &[]).expect("checks").checks();
    let runner =
        reference_runner(&first, &options(), "1s", &[("nodes", second.url())], checks).await.expect("testable");
    let report = Arc::new(runner).run().await;
    assert!(report.results.iter().all(|result| matches!(result.outcome, Outcome::Fail(_))), "{report:#?}");
    assert_eq!(report.results.len(), 2);
    Ok(())
}

#[rstest]
#[case::nobody_listens("redis://127.0.0.1:1")]
#[case::no_url("127.0.0.1")]
#[test]
async fn a_redis_that_is_not_there_is_named(#[case] url: &str) {
    assert!(ReferenceServer::start(options().with_redis(url)).await.is_err());
}

#[rstest]
#[test]
async fn a_balancer_that_forgets_sessions_is_found_out() -> TestResult {
    let (first, second) = (ReferenceServer::start(options()).await?, ReferenceServer::start(options()).await?);
    for (servers, is_sticky) in [(vec![first.address(), second.address()], false), (vec![first.address()], true)] {
        let balancer = Balancer::start(servers).await?;
        let checks = Selection::new(&["deploy.sticky-sessions".into()], &[]).expect("a check").checks();
        let plan = Plan { jobs: 1, ..Plan::new(balancer.url.parse()?, Default::default(), checks) };
        let runner = Runner::new(plan, siospec::redact::Redactor::new()).await.expect("testable");
        let report = Arc::new(runner).run().await;
        match &report.results[0].outcome {
            Outcome::Pass => assert!(is_sticky),
            Outcome::Fail(failure) => {
                assert!(!is_sticky, "{failure:?}");
                assert!(failure.reason.text().starts_with("12 of 12 sessions"), "{failure:?}");
                assert!(failure.received.text().contains("Session ID unknown"), "{failure:?}");
            }
            other => panic!("{other:?}"),
        }
    }
    Ok(())
}

async fn score_tls(fault: Option<Fault>) -> Result<RunReport, crate::harness::Stop> {
    let authority = Authority::new()?;
    let options = options().guarded().with_tls(authority.server).with_faults(fault);
    let contract = Options::contract(&options);
    let server = ReferenceServer::start(options).await?;
    let url = format!("https://localhost:{}", server.address().port());
    let folder = tempdir()?;
    fs::write(folder.path().join("roots.pem"), &authority.root)?;
    fs::write(folder.path().join("siospec.toml"), contract)?;
    let output = Command::from(siospec(folder.path()))
        .args(["run", &url, "--auth-secret", DEFAULT_JWT_SECRET, "--deadline", DEADLINE, "--report", "json"])
        .args(["--reload-url", &format!("{url}/__siospec/reload"), "--ca-file", "roots.pem"])
        .output()
        .await?;
    serde_json::from_slice(&output.stdout).map_err(|error| {
        panic!("{error}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    })
}

#[rstest]
#[test]
async fn a_server_that_speaks_tls_passes_every_check() -> TestResult {
    assert_exact(None, &score_tls(None).await?, Variant::Tls);
    Ok(())
}

#[rstest]
#[test]
async fn each_fault_of_tls_fails_exactly_the_checks_that_declare_it() -> TestResult {
    for fault in Fault::ALL.iter().copied().filter(|fault| fault.variant() == Variant::Tls) {
        assert_exact(Some(fault), &score_tls(Some(fault)).await?, Variant::Tls);
    }
    Ok(())
}
