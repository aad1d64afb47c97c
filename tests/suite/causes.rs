//! The second matrix: each broken deployment has exactly its causes, in their rows, and none that is well has any.

use std::{fs, path::Path, sync::Arc, time::Duration};

use rstest::rstest;
use siospec::{
    catalogue::Check,
    causes,
    lang::Lang,
    mock::{ReferenceServer, Scenario, Variant},
    redact::Redactor,
    report::{
        Kind,
        scorecard::{self, Mark},
    },
    runner::Runner,
    verdict::{
        Cause, CheckResult, Direction, Entry, Evidence, ExitCode, Failure, Gate, Level, Outcome, Row, RunReport,
    },
    wire::WireError,
};

use super::implementations::{PROMISES, start_node};
use crate::harness::{
    TestResult, Tool,
    node::Fixture,
    process::Service,
    require,
    target::{options, reference_plan, score, score_part},
};

/// How long one answer may take: many runs share this machine.
const DEADLINE: &str = "5s";

const PATIENCE: Duration = Duration::from_secs(60);

async fn played(scenario: Option<Scenario>) -> RunReport {
    played_to(scenario, Runner::every_check()).await
}

async fn played_to(scenario: Option<Scenario>, checks: Vec<&'static Check>) -> RunReport {
    let options = options().guarded().with_variant(Variant::Plain).with_scenario(scenario);
    let server = ReferenceServer::start(options.clone()).await.expect("a free port");
    let plan = reference_plan(&server, &options, DEADLINE, &[], checks);
    let runner = Runner::new(plan, Redactor::new()).await.unwrap_or_else(|untestable| panic!("{untestable}"));
    Arc::new(runner).run().await
}

fn named(causes: &[Cause]) -> Vec<&str> {
    causes.iter().map(|cause| cause.id.as_str()).collect()
}

/// Panics unless there are these causes and no others, each with a row that is not right.
#[track_caller]
fn assert_causes(report: &RunReport, expected: &[(&str, Row)]) {
    let found = causes::of(&report.results);
    let wrong: Vec<String> = report
        .results
        .iter()
        .filter(|result| matches!(result.outcome, Outcome::Fail(_) | Outcome::Broken { .. }))
        .map(|result| format!("{} {:?} {:?}", result.id, result.outcome, result.evidence))
        .collect();
    let names: Vec<&str> = expected.iter().map(|(id, _)| *id).collect();
    assert_eq!(named(&found), names, "{found:#?}\n{}", wrong.join("\n"));
    let rows = scorecard::rows(report);
    for (id, row) in expected {
        let row = rows.iter().find(|it| it.row == *row).expect("every row is there");
        assert_eq!(row.cause, Some(*id));
        assert_eq!(row.mark, Mark::Failed, "{id}");
    }
}

#[rstest]
#[case(Scenario::DoubleInit, &[("initialised-twice", Row::C9)])]
#[case(Scenario::HandlersPerConnection, &[("handlers-per-connection", Row::C9)])]
#[case(Scenario::CrashesOnBadToken, &[("bad-token-ends-process", Row::C4)])]
#[case(Scenario::StripsUpgrade, &[("upgrade-stripped", Row::D)])]
#[test]
async fn a_broken_deployment_has_exactly_its_causes(#[case] scenario: Scenario, #[case] expected: &[(&str, Row)]) {
    assert_causes(&played(Some(scenario)).await, expected);
}

#[rstest]
#[case(Scenario::TwoServers, &[("initialised-twice", Row::C9)])]
#[case(Scenario::HandlersPerReconnect, &[("handlers-per-reconnect", Row::C9)])]
#[case(Scenario::ReloadWithoutGuard, &[("handlers-per-reload", Row::C9)])]
#[case(Scenario::HangsInMiddleware, &[("middleware-hangs", Row::C4)])]
#[case(Scenario::NoStickySessions, &[("no-sticky-sessions", Row::D)])]
#[case(Scenario::CachesHandshakes, &[("cached-handshake", Row::D)])]
#[case(Scenario::SilentWebsocket, &[("websocket-silent", Row::C8)])]
#[test]
#[ignore = "a whole run each: for .ci/run, and for changes to causes"]
async fn every_other_broken_deployment_has_exactly_its_causes(
    #[case] scenario: Scenario,
    #[case] expected: &[(&str, Row)],
) {
    assert_causes(&played(Some(scenario)).await, expected);
}

/// A part of the checks is enough.
#[rstest]
#[test]
#[ignore = "takes minutes: for changes to this cause"]
async fn a_slow_target_is_said_to_be_slow() {
    let checks = Runner::every_check().into_iter().filter(|check| ["transport", "engine"].contains(&check.area()));
    assert_causes(&played_to(Some(Scenario::AnswersSlowly), checks.collect()).await, &[("slow-target", Row::D)]);
}

/// The run goes on slower, judges all, and says what it met. A part of the checks is enough.
#[rstest]
#[test]
async fn a_limit_of_requests_is_met_at_its_pace() {
    let is_part = |check: &&Check| ["transport", "events"].contains(&check.area()) || check.id == "deploy.poll-rate";
    let checks = Runner::every_check().into_iter().filter(is_part);
    let report = played_to(Some(Scenario::LimitsRequests), checks.collect()).await;
    let found = causes::of(&report.results);
    assert_eq!(named(&found), ["requests-limited"], "{found:#?}");
    let row = scorecard::rows(&report).into_iter().find(|row| row.row == Row::D).expect("every row is there");
    assert_eq!((row.cause, row.mark), (Some("requests-limited"), Mark::ToImprove));
    let wrong: Vec<_> = report.results.iter().filter(|result| result.is_failure() || result.is_unjudged()).collect();
    let ids: Vec<&str> = wrong.iter().map(|result| result.id.as_str()).collect();
    assert_eq!(ids, ["deploy.poll-rate"], "{wrong:#?}");
    assert!(report.notes.iter().any(|note| note.text().starts_with("limited after ")), "{:#?}", report.notes);
}

#[rstest]
#[test]
async fn the_reference_server_has_no_cause() {
    let report = played(None).await;
    assert_causes(&report, &[]);
    assert!(scorecard::rows(&report).iter().all(|row| row.cause.is_none()));
}

#[rstest]
#[test]
async fn a_target_that_goes_down_is_said_to_have_gone_down() {
    let options = options().guarded();
    let server = ReferenceServer::start(options.clone()).await.expect("a free port");
    let plan = reference_plan(&server, &options, DEADLINE, &[], Runner::every_check());
    let (events, mut told) = tokio::sync::mpsc::unbounded_channel();
    let runner = Runner::new(plan, Redactor::new()).await.unwrap_or_else(|untestable| panic!("{untestable}"));
    let running = tokio::spawn(Arc::new(runner.with_events(events)).run());
    // Early enough for others to meet nobody, late enough for some to have passed.
    for _ in 0..25 {
        told.recv().await.expect("the run goes on");
    }
    drop(server);
    assert_causes(&running.await.expect("it ends"), &[("went-down", Row::D)]);
}

fn result(id: &str, row: Row, outcome: Outcome) -> CheckResult {
    CheckResult {
        id: id.into(),
        title: "Something holds".into(),
        level: Level::Must,
        row,
        outcome,
        notes: Vec::new(),
        meaning: "Users see nothing at all.".into(),
        fix: "Mend it.".into(),
        effort: None,
        cites: Vec::new(),
        reproduce: "siospec run".into(),
        duration_ms: 10,
        began_ms: Some(0),
        evidence: Vec::new(),
        by_hand: Vec::new(),
        unfelt: false,
        waived: None,
        known: false,
        worse_than: None,
        tries: None,
        transcript: Vec::new(),
    }
}

fn failed(id: &str, row: Row) -> CheckResult {
    let failure = Failure {
        reason: "it does not hold".into(),
        sent: "".into(),
        received: "".into(),
        expected: "".into(),
        extent: None,
    };
    result(id, row, Outcome::Fail(failure))
}

fn line(at_ms: u64, connection: &str, direction: Direction, text: &str) -> Entry {
    Entry { at_ms, connection: connection.into(), direction, text: text.into() }
}

fn report(results: Vec<CheckResult>) -> RunReport {
    RunReport {
        siospec: "0.0.0".into(),
        target: "http://localhost:3000/".into(),
        reference: false,
        started: "2026-01-02T03:04:05Z".into(),
        notes: Vec::new(),
        gate: Gate::default(),
        results,
        duration_ms: 100,
        ended: None,
    }
}

#[rstest]
#[test]
fn what_only_the_results_show() {
    let mut elsewhere = failed("transport.same-port", Row::C6);
    elsewhere.evidence = vec![Evidence::PageAt { path: "/app/".into() }];
    let origin = failed("security.own-origin", Row::D);
    let mut slow = Vec::new();
    for number in 0..3 {
        let mut late = result(&format!("engine.late-{number}"), Row::P, Outcome::Broken { reason: "late".into() });
        for at in [0, 10_000] {
            late.transcript.push(line(at, "a", Direction::Sent, "GET /socket.io/?EIO=4&transport=polling"));
            late.transcript.push(line(at + 4_000, "a", Direction::Received, "HTTP 200\n0{\"sid\":\"x\"}"));
        }
        slow.push(late);
    }
    let all = report([vec![elsewhere, origin], slow].concat());
    // Two causes may belong to one row, which names the first.
    assert_eq!(named(&causes::of(&all.results)), ["own-origin-refused", "base-url", "slow-target"]);
    let rows = scorecard::rows(&all);
    let cause = |row: Row| rows.iter().find(|it| it.row == row).and_then(|it| it.cause);
    assert_eq!([cause(Row::D), cause(Row::C3)], [Some("own-origin-refused"), Some("base-url")]);
}

/// One kind of copy may be a line that emits twice; what a cause explains once is not explained again.
#[rstest]
#[test]
fn what_has_two_explanations_has_no_cause() {
    let copies = |id, of, counts: &[usize]| {
        let mut result = failed(id, Row::C12);
        result.evidence = vec![Evidence::Copies { of, counts: counts.to_vec() }];
        result
    };
    use siospec::verdict::Copied::{Notification, Pong};
    let one = report(vec![copies("events.ping-pong", Pong, &[2, 2, 2])]);
    assert_causes(&one, &[]);
    let differing =
        report(vec![copies("events.ping-pong", Pong, &[2, 2, 2]), copies("rest.emit-once", Notification, &[3])]);
    assert_causes(&differing, &[]);
    let both = report(vec![
        copies("events.ping-pong", Pong, &[2, 2, 2]),
        copies("rest.emit-once", Notification, &[2]),
        copies("reconnect.single-pong", Pong, &[2]),
    ]);
    assert_causes(&both, &[("initialised-twice", Row::C9)]);
}

/// Causes read it off transcripts.
#[rstest]
#[test]
fn a_refused_connection_begins_as_causes_expect() {
    assert!(WireError::Connect("x".into()).message().text().starts_with("cannot connect: "));
    assert!(WireError::Closed("x".into()).message().text().starts_with("the connection was closed: "));
}

#[rstest]
#[test]
fn every_cause_has_a_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/causes");
    let stems = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<String> =
        stems.map(|path| path.file_stem().unwrap().to_str().unwrap().replace('_', "-")).collect();
    files.retain(|name| name != "mod" && name != "wire");
    files.sort();
    let mut ids: Vec<&str> = causes::ALL.iter().map(|kind| kind.id).collect();
    ids.sort_unstable();
    assert_eq!(files, ids);
}

/// Each format begins with the cause, and the list of fixes names it before all others and leaves its symptoms out.
#[rstest]
#[test]
async fn every_format_says_it_first(#[values("en", "th")] lang: &str) {
    static DOUBLE: tokio::sync::OnceCell<RunReport> = tokio::sync::OnceCell::const_new();
    let lang: Lang = lang.parse().expect("a language");
    let report = DOUBLE.get_or_init(|| played(Some(Scenario::DoubleInit))).await;
    let stored = lang.report(report);
    let causes = scorecard::causes(&stored, &lang);
    assert_eq!(named(&causes), ["initialised-twice"]);
    assert!(causes[0].symptoms.iter().any(|id| id == "rest.emit-once"), "{causes:?}");
    assert!(causes[0].hides.iter().any(|id| id == "reconnect.single-pong"), "{causes:?}");
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Badge) {
        let mut bytes = Vec::new();
        kind.format(Some(Path::new("report"))).unwrap().write(&stored, &lang, &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let at = text.find("initialised-twice").unwrap_or_else(|| panic!("{}: {text}", kind.name()));
        let order = lang.say("What to fix, in this order");
        if matches!(kind, Kind::Terminal) {
            let (_, list) = text.rsplit_once(&order).unwrap();
            assert!(list.contains("initialised-twice") && !list.contains("rest.emit-once"), "{list}");
        }
        // What was seen is code, and shown as such.
        assert!(kind != Kind::Html || text.contains("<code>pong</code>"), "{text}");
        assert!(kind != Kind::Markdown || text.contains("`pong` 2×"), "{text}");
        if matches!(kind, Kind::Tap | Kind::Github | Kind::Junit) {
            assert!(text.find("rest.emit-once:").is_none_or(|first| at < first), "{}", kind.name());
        }
    }
}

/// Checks that wait for no protocol, of a server in a loop that starts it again when it ends.
async fn in_a_loop(broken: &str, areas: &[&str]) -> Result<RunReport, crate::harness::Stop> {
    require(Tool::Node)?;
    let fixture = Fixture::shared("node").await?;
    let (_service, url) = start_node(&fixture, &["again.mjs", "socket.io", broken]).await?;
    let report = tokio::time::timeout(PATIENCE * 3, score_part(&url, &PROMISES, areas)).await;
    Ok(report.expect("it comes to an end").unwrap_or_else(|untestable| panic!("{untestable}")))
}

fn wrong(report: &RunReport) -> Vec<&str> {
    let is_wrong = |result: &&CheckResult| result.fails_the_run() || result.is_unjudged() || result.is_flaky();
    report.results.iter().filter(is_wrong).map(|result| result.id.as_str()).collect()
}

/// One outage is one cause, whose fault it is stays open, and all else is judged.
#[rstest]
#[case::crash("crash-once")]
#[case::restart("restart-once")]
#[test]
async fn a_target_that_goes_down_once_is_judged_all_the_same(#[case] broken: &str) -> TestResult {
    let report = in_a_loop(broken, &["events", "rooms", "rest"]).await?;
    let found = causes::of(&report.results);
    assert_eq!(named(&found), ["went-down"], "{found:#?}");
    assert_eq!((found[0].level, found[0].symptoms.len()), (Level::Should, 0), "{found:#?}");
    assert_eq!(wrong(&report), Vec::<&str>::new());
    assert_eq!(report.exit_code(), ExitCode::OwnFault);
    assert!(
        report.notes.iter().any(|note| note.text().starts_with("the target was down from ")),
        "{:#?}",
        report.notes
    );
    Ok(())
}

/// Which check takes the target down shows when each has it to itself.
#[rstest]
#[test]
async fn what_takes_the_target_down_is_named() -> TestResult {
    let report = in_a_loop("crash-on-leave", &["rooms"]).await?;
    let found = causes::of(&report.results);
    assert_eq!(named(&found), ["went-down"], "{found:#?}");
    assert_eq!((found[0].level, &*found[0].symptoms), (Level::Must, &["rooms.leave".to_owned()][..]), "{found:#?}");
    assert_eq!(wrong(&report), ["rooms.leave"]);
    Ok(())
}

/// A foreign server with a trait, in a loop that starts it again when it ends.
#[rstest]
#[case::twice("twice", &[("initialised-twice", Row::C9)])]
#[case::bad_token("crash-on-bad-token", &[("bad-token-ends-process", Row::C4)])]
#[test]
async fn socket_io_on_node(#[case] broken: &str, #[case] expected: &[(&str, Row)]) -> TestResult {
    require(Tool::Node)?;
    let fixture = Fixture::shared("node").await?;
    let (_service, url): (Service, String) = start_node(&fixture, &["again.mjs", "socket.io", broken]).await?;
    let report = tokio::time::timeout(PATIENCE * 3, score(&url, &PROMISES)).await;
    assert_causes(&report.expect("it comes to an end").unwrap_or_else(|untestable| panic!("{untestable}")), expected);
    Ok(())
}
