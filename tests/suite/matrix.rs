//! The proof of the catalogue: each fault of the reference server fails exactly the checks that declare it, and without
//! a fault none fails.
//!
//! Every run owes the pairs of fault and check that are declared, the checks that those rest on, and those of the same areas,
//! where a fault is most likely to show by mistake. The whole product is owed where a change lands:
//! `cargo test -- matrix --include-ignored`.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write as _,
    fs,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use regex::Regex;
use rstest::rstest;
use siospec::{
    catalogue::{self, Check},
    lag::Lag,
    mock::{ALLOWED_ORIGIN, Carrier, Fault, ReferenceServer, Scenario, Variant},
    redact::Redactor,
    runner::Runner,
    verdict::{CheckResult, Extent, Outcome, RunReport},
};
use tokio::task::JoinSet;

use super::lang;
use crate::harness::{
    messages,
    target::{options, reference_plan},
};

/// How long one answer may take here: a fault that shows as silence is waited out this long, many times.
const DEADLINE: &str = "3s";

/// Scores the reference server in the deployment that the fault shows in.
async fn score(fault: Fault, checks: Vec<&'static Check>, lag: Lag) -> RunReport {
    score_by(fault.variant(), Some(fault), &[], checks, lag).await
}

/// Scores the reference server, so deployed, by its contract with these changes.
async fn score_by(
    variant: Variant,
    fault: Option<Fault>,
    changes: &[(&'static str, &str)],
    checks: Vec<&'static Check>,
    lag: Lag,
) -> RunReport {
    let mut options = options().guarded().with_variant(variant);
    options.faults.extend(fault);
    // Each session ends there by its heartbeat, which must not be a race with what takes a few seconds on a busy machine.
    if fault == Some(Fault::IgnoresPongs) {
        options.ping_timeout = Duration::from_secs(12);
    }
    let server = ReferenceServer::start(options.clone()).await.expect("a free port");
    let mut plan = reference_plan(&server, &options, DEADLINE, changes, checks);
    if fault.is_some_and(Fault::crosses_clients) {
        plan.jobs = 1;
    }
    let runner = Runner::beside(plan, Redactor::new(), lag).await;
    let runner = runner.unwrap_or_else(|untestable| panic!("{fault:?}: {untestable}"));
    Arc::new(runner).run().await
}

/// As [`score_by`], all checks, on its own.
async fn score_alone(variant: Variant, fault: Option<Fault>, changes: &[(&'static str, &str)]) -> RunReport {
    score_by(variant, fault, changes, Runner::every_check(), Lag::watch()).await
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
#[case::in_place(Variant::InPlace)]
#[test]
async fn the_reference_server_passes_every_check(#[case] variant: Variant) {
    assert_nothing_wrong(&score_alone(variant, None, &[]).await, &shown_elsewhere(variant));
}

/// The check that runs Node where a client is installed: tests/suite/client.rs proves it.
pub const RUNS_NODE: &str = "interop.socket-io-client";

/// The checks of which no fault shows in that deployment.
fn shown_elsewhere(variant: Variant) -> Vec<&'static str> {
    let shows = |fault: &Fault| fault.variant() == variant;
    let elsewhere = catalogue::all().map(|entry| entry.check).filter(|check| !check.faults.iter().any(shows));
    elsewhere.map(|check| check.id).chain([RUNS_NODE]).collect()
}

/// How tokens come to the server where the payload does not carry them, by carrier and name.
const CARRIERS: [(Carrier, &str); 3] =
    [(Carrier::Header, "Authorization"), (Carrier::Cookie, "session"), (Carrier::Query, "token")];

/// What tokens prove does not depend on what carries them.
async fn score_carried(carrier: Carrier, name: &str, fault: Option<Fault>, lag: Lag) -> RunReport {
    let variant = fault.map_or(Variant::Plain, Fault::variant);
    let mut options = options().guarded().with_variant(variant).with_carrier(carrier, name);
    options.faults.extend(fault);
    let server = ReferenceServer::start(options.clone()).await.expect("a free port");
    let checks = Runner::every_check().into_iter().filter(|check| check.id.starts_with("auth.")).collect();
    let plan = reference_plan(&server, &options, DEADLINE, &[], checks);
    let runner = Runner::beside(plan, Redactor::new(), lag).await;
    Arc::new(runner.unwrap_or_else(|untestable| panic!("{fault:?}: {untestable}"))).run().await
}

/// Two checks have nothing to look at where requests carry the token, and one more where their URLs do.
#[rstest]
#[test]
async fn tokens_that_requests_carry_are_judged_as_any() {
    for (carrier, name) in CARRIERS {
        let mut skipped = vec!["auth.retry-after-rejection", "auth.wrong-type-token"];
        skipped.extend((carrier == Carrier::Query).then_some("auth.query-token"));
        skipped.extend(shown_elsewhere(Variant::Plain));
        assert_nothing_wrong(&score_carried(carrier, name, None, Lag::watch()).await, &skipped);
    }
}

/// A fault of tokens shows whatever carries them.
#[rstest]
#[test]
#[ignore = "takes minutes: for .ci/run, and for changes to tokens"]
async fn each_fault_of_tokens_is_found_whatever_carries_them() {
    let lag = Lag::watch();
    let judges = |fault: &Fault| {
        let checks = catalogue::all().map(|entry| entry.check).filter(|check| check.faults.contains(fault));
        checks.map(|check| check.id).filter(|id| id.starts_with("auth.")).collect::<Vec<_>>()
    };
    let mut running = JoinSet::new();
    for (carrier, name) in CARRIERS {
        for fault in Fault::ALL.iter().copied().filter(|fault| !judges(fault).is_empty()) {
            lag.turn().await;
            let lag = lag.clone();
            running.spawn(async move { (carrier, fault, score_carried(carrier, name, Some(fault), lag).await) });
        }
    }
    let mut missed = Vec::new();
    for (carrier, fault, report) in running.join_all().await {
        let is_seen = |id: &&str| {
            let outcome = &report.results.iter().find(|result| result.id == *id).expect("it is run").outcome;
            matches!(outcome, Outcome::Fail(_) | Outcome::Skip { .. })
        };
        let unseen: Vec<_> = judges(&fault).into_iter().filter(|id| !is_seen(id)).collect();
        if !unseen.is_empty() {
            missed.push(format!("{fault} with {carrier:?}: {unseen:?}"));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

/// Nothing of ours comes back, so checks are kept apart by exclusion, and know events by their names alone.
#[rstest]
#[test]
async fn the_reference_server_passes_by_a_contract_that_lets_no_nonce_through() {
    let changes =
        [("rest.body", r#"{"message":"hello"}"#), ("rooms.send-args", r#"[{"room":"{{room}}","message":"hello"}]"#)];
    let mut skippable = vec!["rooms.two-rooms", "rooms.cross-transport", "rooms.leave", "rooms.payload", "rooms.names"];
    skippable.extend(shown_elsewhere(Variant::Plain));
    assert_nothing_wrong(&score_alone(Variant::Plain, None, &changes).await, &skippable);
}

#[rstest]
#[test]
async fn a_deployment_declared_websocket_only_is_not_held_to_polling() {
    let report = score_alone(Variant::Plain, Some(Fault::NoPolling), &[("choices.websocket-only", "true")]).await;
    let polling = |result: &&CheckResult| matches!(&result.outcome, Outcome::Skip { reason, .. } if reason.text().contains("WebSocket-only"));
    let mut skipped: Vec<&str> = report.results.iter().filter(polling).map(|result| result.id.as_str()).collect();
    skipped.extend(shown_elsewhere(Variant::Plain));
    assert_nothing_wrong(&report, &skipped);
}

/// Scores the reference server behind what strips the upgrades, as one that is polling-only.
async fn score_polling_only(fault: Option<Fault>, checks: Vec<&'static Check>) -> RunReport {
    let mut options = options().guarded().with_scenario(Scenario::StripsUpgrade);
    options.faults.extend(fault);
    let server = ReferenceServer::start(options.clone()).await.expect("a free port");
    let plan = reference_plan(&server, &options, DEADLINE, &[("choices.polling-only", "true")], checks);
    let runner = Runner::beside(plan, Redactor::new(), Lag::watch()).await;
    Arc::new(runner.unwrap_or_else(|untestable| panic!("{untestable}"))).run().await
}

#[rstest]
#[test]
async fn a_deployment_declared_polling_only_is_not_held_to_websocket() {
    let report = score_polling_only(Some(Fault::NoUpgradeOffered), Runner::every_check()).await;
    let websocket = |result: &&CheckResult| matches!(&result.outcome, Outcome::Skip { reason, .. } if reason.text().contains("polling-only") || reason.text().contains("offers no upgrade"));
    let mut skipped: Vec<&str> = report.results.iter().filter(websocket).map(|result| result.id.as_str()).collect();
    skipped.extend(shown_elsewhere(Variant::Plain));
    assert_nothing_wrong(&report, &skipped);
}

/// Clients take the offer, and fail, each time that they connect.
#[rstest]
#[test]
async fn a_deployment_declared_polling_only_that_offers_an_upgrade_is_told() {
    let checks = Runner::every_check().into_iter().filter(|check| check.area() == "transport").collect();
    assert_eq!(failed(&score_polling_only(None, checks).await), ["transport.upgrade-offered"]);
}

#[rstest]
#[case::ping_interval("choices.ping-interval", "25s", "`pingInterval` of `Server`")]
#[case::ping_timeout("choices.ping-timeout", "19s", "`pingTimeout` of `Server`")]
#[case::max_payload("choices.max-payload", "12345", "`maxHttpBufferSize` of `Server`")]
#[test]
async fn an_option_that_the_contract_promises_and_the_server_ignores_is_named(
    #[case] key: &'static str,
    #[case] promised: &str,
    #[case] named: &str,
) {
    let checks = || Runner::every_check().into_iter().filter(|check| check.id == "transport.open-packet").collect();
    let report = score_by(Variant::Plain, None, &[(key, promised)], checks(), Lag::watch()).await;
    let Outcome::Fail(failure) = &report.results[0].outcome else { panic!("{:?}", report.results) };
    assert!(failure.reason.text().contains(named), "{failure:?}");
    let max_payload = options().max_payload.to_string();
    let kept = [("choices.max-payload", max_payload.as_str())];
    assert!(failed(&score_by(Variant::Plain, None, &kept, checks(), Lag::watch()).await).is_empty());
}

/// Every request carries the declared origin, GETs as well, and the target's own is let in nowhere.
#[rstest]
#[test]
async fn a_deployment_that_lets_in_its_public_origin_alone_is_tested_with_that() {
    let changes = [("origin", ALLOWED_ORIGIN)];
    let report = score_alone(Variant::Plain, Some(Fault::RefusesOwnOrigin), &changes).await;
    assert_nothing_wrong(&report, &shown_elsewhere(Variant::Plain));
}

/// Nothing is acknowledged with what was sent, so that room messages alone promise that it comes back.
#[rstest]
#[case::text(Fault::LosesAstral)]
#[case::large_message(Fault::LosesLargeMessages)]
#[test]
async fn what_is_lost_of_room_messages_alone_is_a_failure(#[case] fault: Fault) {
    let changes = [("ack.reply", r#""{{any}}""#)];
    let report = score_by(Variant::Plain, Some(fault), &changes, owed(fault), Lag::watch()).await;
    assert_eq!(failed(&report), declared(fault).iter().map(|check| check.id).collect::<Vec<_>>());
}

#[rstest]
#[test]
async fn names_of_rooms_that_are_declared_folded_may_be() {
    let (fault, changes) = (Fault::FoldsRoomNames, [("rooms.names", "folded")]);
    let report = score_by(Variant::Plain, Some(fault), &changes, owed(fault), Lag::watch()).await;
    assert_nothing_wrong(&report, &shown_elsewhere(Variant::Plain));
    let names = report.results.iter().find(|result| result.id == "rooms.names").expect("the check");
    assert!(names.notes.iter().any(|note| note.text().contains("as declared")), "{:?}", names.notes);
}

/// Panics unless all but the checks named passed, and these passed or were skipped.
fn assert_nothing_wrong(report: &RunReport, skippable: &[&str]) {
    let wrong = |result: &&CheckResult| match &result.outcome {
        Outcome::Pass => false,
        Outcome::Skip { .. } => !skippable.contains(&result.id.as_str()),
        Outcome::Fail(_) | Outcome::Blocked { .. } | Outcome::Broken { .. } => true,
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

/// The checks that declare the fault.
fn declared(fault: Fault) -> Vec<&'static Check> {
    let checks = catalogue::all().map(|entry| entry.check).filter(|check| check.id != RUNS_NODE);
    checks.filter(|check| check.faults.contains(&fault)).collect()
}

/// The checks that each run owes under that fault.
fn owed(fault: Fault) -> Vec<&'static Check> {
    let declared = declared(fault);
    let areas: BTreeSet<&str> = declared.iter().map(|check| check.area()).collect();
    let mut ids: BTreeSet<&str> = BTreeSet::new();
    let mut open: Vec<&str> = Vec::new();
    open.extend(catalogue::all().map(|entry| entry.check).filter(|check| areas.contains(check.area())).map(|it| it.id));
    while let Some(id) = open.pop() {
        if ids.insert(id) {
            open.extend(catalogue::find(id).into_iter().flat_map(|entry| entry.check.requires));
        }
    }
    catalogue::all().map(|entry| entry.check).filter(|check| ids.contains(check.id)).collect()
}

/// Scores a server for each fault, as many at once as this machine has time for.
async fn score_each(faults: &[Fault], checks: fn(Fault) -> Vec<&'static Check>) -> BTreeMap<Fault, RunReport> {
    let lag = Lag::watch();
    let mut running = JoinSet::new();
    for &fault in faults {
        lag.turn().await;
        let lag = lag.clone();
        running.spawn(async move { (fault, score(fault, checks(fault), lag).await) });
    }
    running.join_all().await.into_iter().collect()
}

/// What does not fit the declarations, for a person to read.
fn surprises(reports: &BTreeMap<Fault, RunReport>) -> String {
    let mut wrong = String::new();
    for (fault, report) in reports {
        let declared: Vec<&str> = declared(*fault).iter().map(|check| check.id).collect();
        let failed = failed(report);
        if failed == declared {
            continue;
        }
        writeln!(wrong, "{fault}: declared {declared:?}, failed {failed:?}").unwrap();
        for result in &report.results {
            let id = result.id.as_str();
            if failed.contains(&id) != declared.contains(&id) {
                writeln!(wrong, "    {id} {:?} {:?}", result.outcome, result.notes).unwrap();
            }
        }
    }
    wrong
}

/// Failures whose reason says how many of how many failed, and that do not tell it to the gate, for which numbers in reasons
/// are all the same.
fn without_extent(reports: &BTreeMap<Fault, RunReport>) -> String {
    let share = Regex::new(r"\b(\d+) of (\d+)\b").expect("a pattern");
    let mut wrong = String::new();
    for (fault, result) in reports.iter().flat_map(|(fault, report)| report.results.iter().map(move |it| (fault, it))) {
        let Outcome::Fail(failure) = &result.outcome else { continue };
        let reason = failure.reason.text();
        let Some(said) = share.captures(&reason) else { continue };
        let [Ok(failed), Ok(of)] = [&said[1], &said[2]].map(str::parse) else { continue };
        if failure.extent != Some(Extent::share(failed, of)) {
            writeln!(wrong, "{fault}: {}: {:?} says another extent", result.id, failure).unwrap();
        }
    }
    wrong
}

/// Which checks could not be judged under which fault: `tests/expectations/broken.toml`.
///
/// A check that meets another one's fault often finds nothing to judge, and says so. That is right, and yet what ends so is
/// hidden from the proof, so each is listed, and what is not listed is judged.
fn kept_broken() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(broken_file()).unwrap_or_else(|error| panic!("{}: {error}", broken_file().display()));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", broken_file().display()))
}

fn broken_file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/expectations/broken.toml")
}

/// What could not be judged and is not listed, and what is listed and was judged. `UPDATE_EXPECTATIONS=1` lists what there is.
fn surprises_in_doubt(reports: &BTreeMap<Fault, RunReport>) -> String {
    let mut kept = kept_broken();
    let mut wrong = String::new();
    // How long a run pauses below a limit, and so what it can judge there in time, depends on how fast the machine asks.
    for (fault, report) in reports.iter().filter(|(fault, _)| **fault != Fault::LimitsPolls) {
        let listed = kept.entry(fault.name().to_owned()).or_default();
        for result in &report.results {
            let is_broken = matches!(result.outcome, Outcome::Broken { .. });
            if is_broken != listed.contains(&result.id) {
                writeln!(wrong, "{fault}: {} {:?} {:?}", result.id, result.outcome, result.notes).unwrap();
            }
            match is_broken {
                true => listed.insert(result.id.clone()),
                false => listed.remove(&result.id),
            };
        }
    }
    if env::var_os("UPDATE_EXPECTATIONS").is_none() {
        return wrong;
    }
    let mut text = String::from(BROKEN_HEAD);
    for (fault, checks) in kept.iter().filter(|(_, checks)| !checks.is_empty()) {
        writeln!(text, "{fault} = [").unwrap();
        checks.iter().for_each(|check| writeln!(text, "    \"{check}\",").unwrap());
        writeln!(text, "]").unwrap();
    }
    fs::write(broken_file(), text).expect("the file can be written");
    String::new()
}

const BROKEN_HEAD: &str = "\
# The checks that could not be judged under a fault of the reference server, one list a fault. A check that is not listed
# under a fault is judged there, blocked by another one, or skipped; tests/suite/matrix.rs holds each run to that.
# `UPDATE_EXPECTATIONS=1 cargo test -- matrix --include-ignored` writes what there is.

";

#[rstest]
#[test]
fn the_list_of_what_is_in_doubt_names_faults_and_checks_that_there_are() {
    for (fault, checks) in kept_broken() {
        assert!(single().any(|known| known.name() == fault), "{fault}");
        for check in checks {
            assert!(catalogue::find(&check).is_some(), "{check}");
        }
    }
}

#[rstest]
#[test]
async fn each_fault_fails_exactly_the_checks_that_declare_it() {
    let faults = selected_faults();
    let reports = score_each(&faults, owed).await;
    let wrong = surprises(&reports) + &without_extent(&reports) + &surprises_in_doubt(&reports);
    assert!(wrong.is_empty(), "\n{wrong}");
    lang::assert_translated(reports.values());
    if faults.len() == single().count() {
        messages::assert_as_before(&reports);
    } else {
        messages::assert_some_as_before(&reports, |fault| single().any(|shown| shown == fault));
    }
}

#[rstest]
#[test]
#[ignore = "26,000 checks: for .ci/run, and for changes to the probe or the reference server"]
async fn no_fault_fails_a_check_of_another_area() {
    let reports = score_each(&selected_faults(), |_| Runner::every_check()).await;
    let wrong = surprises(&reports) + &without_extent(&reports) + &surprises_in_doubt(&reports);
    assert!(wrong.is_empty(), "\n{wrong}");
}
