//! The proof of the catalogue: each fault of the reference server fails exactly the checks that declare it, and without
//! a fault none fails.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use futures::{StreamExt, stream};
use rstest::rstest;
use siospec::{
    catalogue,
    mock::{Fault, ReferenceServer, Variant},
    runner::Runner,
    verdict::{CheckResult, Outcome, RunReport},
};

use crate::harness::{
    messages,
    target::{options, reference_runner},
};

/// How long one answer may take here: a fault that shows as silence is waited out this long, many times.
const DEADLINE: &str = "3s";

/// Servers that are scored at once. A run mostly waits.
const AT_ONCE: usize = if cfg!(debug_assertions) { 8 } else { 20 };

/// Scores the reference server in the deployment that the fault shows in.
async fn score(fault: Fault) -> RunReport {
    score_by(fault.variant(), Some(fault), &[]).await
}

/// Scores the reference server, so deployed, by its contract with these changes.
async fn score_by(variant: Variant, fault: Option<Fault>, changes: &[(&'static str, &str)]) -> RunReport {
    let mut options = options().guarded().with_variant(variant);
    options.faults.extend(fault);
    let server = ReferenceServer::start(options.clone()).await.expect("a free port");
    let runner = reference_runner(&server, &options, DEADLINE, changes, Runner::every_check()).await;
    let runner = runner.unwrap_or_else(|untestable| panic!("{fault:?}: {untestable}"));
    Arc::new(runner).run().await
}

fn failed(report: &RunReport) -> Vec<&str> {
    let failed = report.results.iter().filter(|result| matches!(result.outcome, Outcome::Fail(_)));
    failed.map(|result| result.id.as_str()).collect()
}

/// A check is skipped where none of its faults shows, and nowhere else: there it must pass without them.
#[rstest]
#[case::plain(Variant::Plain)]
#[case::public_key(Variant::PublicKey)]
#[case::recovery(Variant::Recovery)]
#[test]
async fn the_reference_server_passes_every_check(#[case] variant: Variant) {
    assert_nothing_wrong(&score_by(variant, None, &[]).await, &shown_elsewhere(variant));
}

/// The checks of which no fault shows in that deployment.
fn shown_elsewhere(variant: Variant) -> Vec<&'static str> {
    let shows = |fault: &Fault| fault.variant() == variant;
    let elsewhere = catalogue::all().map(|entry| entry.check).filter(|check| !check.faults.iter().any(shows));
    elsewhere.map(|check| check.id).collect()
}

/// Nothing of ours comes back, so checks are kept apart by exclusion, and know events by their names alone.
#[rstest]
#[test]
async fn the_reference_server_passes_by_a_contract_that_lets_no_nonce_through() {
    let changes =
        [("rest.body", r#"{"message":"hello"}"#), ("rooms.send-args", r#"[{"room":"{{room}}","message":"hello"}]"#)];
    let mut skippable = vec!["rooms.two-rooms", "rooms.cross-transport", "rooms.leave"];
    skippable.extend(shown_elsewhere(Variant::Plain));
    assert_nothing_wrong(&score_by(Variant::Plain, None, &changes).await, &skippable);
}

#[rstest]
#[test]
async fn a_deployment_declared_websocket_only_is_not_held_to_polling() {
    let report = score_by(Variant::Plain, Some(Fault::NoPolling), &[("choices.websocket-only", "true")]).await;
    let polling = |result: &&CheckResult| matches!(&result.outcome, Outcome::Skip { reason } if reason.contains("WebSocket-only"));
    let mut skipped: Vec<&str> = report.results.iter().filter(polling).map(|result| result.id.as_str()).collect();
    skipped.extend(shown_elsewhere(Variant::Plain));
    assert_nothing_wrong(&report, &skipped);
}

/// Panics unless all but the checks named passed, and these passed or were skipped.
fn assert_nothing_wrong(report: &RunReport, skippable: &[&str]) {
    let wrong = |result: &&CheckResult| match &result.outcome {
        Outcome::Pass => false,
        Outcome::Skip { .. } => !skippable.contains(&result.id.as_str()),
        Outcome::Fail(_) | Outcome::Broken { .. } => true,
    };
    let others: Vec<_> = report.results.iter().filter(wrong).collect();
    assert!(others.is_empty(), "{others:#?}");
}

/// Every fault that shows on one server, or those that `SIOSPEC_FAULTS=name,name` names: for work on a few of them.
fn selected_faults() -> Vec<Fault> {
    match std::env::var("SIOSPEC_FAULTS") {
        Ok(names) => names.split(',').map(|name| name.parse().unwrap_or_else(|unknown| panic!("{unknown}"))).collect(),
        Err(_) => single().collect(),
    }
}

/// The faults that show on one server that speaks plain http; `deployment` proves the others.
fn single() -> impl Iterator<Item = Fault> {
    Fault::ALL.iter().copied().filter(|fault| Variant::SINGLE.contains(&fault.variant()))
}

#[rstest]
#[test]
async fn each_fault_fails_exactly_the_checks_that_declare_it() {
    let faults = selected_faults();
    let reports: BTreeMap<Fault, RunReport> = stream::iter(faults.iter().copied())
        .map(|fault| async move { (fault, score(fault).await) })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let mut wrong = String::new();
    for fault in &faults {
        let report = &reports[fault];
        let declared: Vec<&str> = catalogue::all()
            .map(|entry| entry.check)
            .filter(|check| check.faults.contains(fault))
            .map(|check| check.id)
            .collect();
        let failed = failed(report);
        if failed != declared {
            writeln!(wrong, "{fault}: declared {declared:?}, failed {failed:?}").unwrap();
            for result in &report.results {
                if (failed.contains(&result.id.as_str()) || declared.contains(&result.id.as_str()))
                    && failed.contains(&result.id.as_str()) != declared.contains(&result.id.as_str())
                {
                    writeln!(wrong, "    {} {:?} {:?}", result.id, result.outcome, result.notes).unwrap();
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    if faults.len() == single().count() {
        messages::assert_as_before(&reports);
    }
}
