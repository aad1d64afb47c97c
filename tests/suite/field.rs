//! Small deployments as they were met in the field, on which a verdict was wrong once.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rstest::rstest;
use siospec::{
    catalogue::Check,
    mock::{Options, ReferenceServer},
    redact::Redactor,
    runner::Runner,
    verdict::{CheckResult, ExitCode, Outcome, RunReport},
};

use tokio::{sync::OnceCell, task::JoinSet};

use super::implementations::{PROMISES, SECRET, start_node};
use crate::harness::{
    TestResult, Tool,
    node::Fixture,
    relay::{Mishap, Relay},
    require,
    target::{options, reference_plan, result, score_part},
};

#[track_caller]
fn failure(report: &RunReport, id: &str) -> String {
    match &result(report, id).outcome {
        Outcome::Fail(failure) => format!("{failure:?}"),
        other => panic!("{id}: {other:?}"),
    }
}

/// A run against the reference server, through a relay on which that goes wrong.
async fn through(mishap: Mishap, deadline: &str) -> RunReport {
    run_through(options().guarded(), mishap, deadline, Runner::every_check()).await
}

async fn run_through(options: Options, mishap: Mishap, deadline: &str, checks: Vec<&'static Check>) -> RunReport {
    let server = ReferenceServer::start(options.clone()).await.expect("a free port");
    let relay = Relay::start(server.address(), mishap).await.expect("a free port");
    let mut plan = reference_plan(&server, &options, deadline, &[], checks);
    plan.origin = relay.url.parse().expect("a URL");
    let runner = Runner::new(plan, Redactor::new()).await;
    Arc::new(runner.unwrap_or_else(|untestable| panic!("{untestable}"))).run().await
}

/// What takes half a minute each at the end of a slow line, with nothing beside it. `SIOSPEC_ALL=1` runs these as well.
const SLOW_THERE: [&str; 3] = ["events.malformed-payload", "events.prototype-keys", "rooms.names"];

/// A correct server at the end of a slow line has no failure, however often it is looked at; `SIOSPEC_SLOW_RUNS=20` does so
/// twenty times at once, on a machine that has nothing else to do.
#[rstest]
#[test]
#[ignore = "takes minutes: for .ci/run, and for changes to the probe"]
async fn a_slow_line_is_no_fault_of_the_server() {
    let mut runs = JoinSet::new();
    let wanted = std::env::var("SIOSPEC_SLOW_RUNS").ok().and_then(|runs| runs.parse().ok());
    for _ in 0..wanted.unwrap_or(4) {
        runs.spawn(over_a_slow_line());
    }
    let mut wrong: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for report in runs.join_all().await {
        for result in &report.results {
            if result.is_failure() || matches!(result.outcome, Outcome::Broken { .. } | Outcome::Blocked { .. }) {
                let seen = format!("{:?} {:?}", result.level, result.outcome);
                wrong.entry(result.id.clone()).or_default().push(seen);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

async fn over_a_slow_line() -> RunReport {
    // Heartbeats must bear a stall each way.
    let timeout = Duration::from_secs(8);
    let options = Options { ping_timeout: timeout, connect_timeout: Duration::from_secs(10), ..options().guarded() };
    let is_wanted = |check: &&Check| std::env::var_os("SIOSPEC_ALL").is_some() || !SLOW_THERE.contains(&check.id);
    let checks = Runner::every_check().into_iter().filter(is_wanted).collect();
    run_through(options, Mishap::IsSlow, "5s", checks).await
}

fn skipped(report: &RunReport) -> Vec<&str> {
    let skipped = report.results.iter().filter(|result| matches!(result.outcome, Outcome::Skip { .. }));
    skipped.map(|result| result.id.as_str()).collect()
}

/// One refused handshake is no reason to skip anything.
#[rstest]
#[case::websocket("websocket", "transport.websocket-handshake")]
#[case::polling("polling", "transport.polling-handshake")]
#[test]
async fn a_refused_first_handshake_hides_nothing(#[case] transport: &'static str, #[case] handshake: &str) {
    // So late a text never comes: the same relay, on which nothing goes wrong.
    static HEALTHY: OnceCell<RunReport> = OnceCell::const_new();
    let healthy = HEALTHY.get_or_init(|| through(Mishap::Delays("no such text", Duration::ZERO), "5s")).await;
    let report = through(Mishap::Refuses(transport), "5s").await;
    assert_eq!(skipped(&report), skipped(healthy));
    let wrong: Vec<&CheckResult> = report
        .results
        .iter()
        .filter(|result| !matches!(result.outcome, Outcome::Pass | Outcome::Skip { .. }))
        .filter(|result| result.id != handshake)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(failure(&report, handshake).contains("503"), "{:?}", result(&report, handshake));
    assert_eq!(report.exit_code(), healthy.exit_code(), "all else was judged");
}

/// A fence that is answered too late once is no reason to do without fences.
#[rstest]
#[test]
async fn a_fence_that_comes_late_is_one_checks_affair() {
    let report = through(Mishap::Delays("44/siospec-fence", Duration::from_millis(4_500)), "3s").await;
    let wrong: BTreeMap<&str, &Outcome> = report
        .results
        .iter()
        .filter(|result| !matches!(result.outcome, Outcome::Pass | Outcome::Skip { .. }))
        .map(|result| (result.id.as_str(), &result.outcome))
        .collect();
    assert!(wrong.len() <= 1 && wrong.values().all(|outcome| matches!(outcome, Outcome::Broken { .. })), "{wrong:#?}");
    let without: Vec<_> = report.results.iter().flat_map(|result| &result.notes).collect();
    assert!(without.iter().all(|note| !note.text().contains("answers no unknown namespace")), "{without:#?}");
}

/// A run of these checks, and what they rest on, against Node's server with that trait, and changes to what it promises. All
/// checks where none is named.
async fn on_node(
    with: &str,
    changes: &[(&'static str, &str)],
    checks: &[&str],
) -> Result<RunReport, crate::harness::Stop> {
    require(Tool::Node)?;
    let fixture = Fixture::shared("node").await?;
    let (_service, url) = start_node(&fixture, &["server.mjs", "socket.io", with]).await?;
    let replaced = |key: &str| {
        changes.iter().any(|(changed, _)| *changed == key || (*changed == "auth.token-command" && key == "auth.secret"))
    };
    let kept = PROMISES.iter().filter(|(key, _)| !replaced(key));
    let flags: Vec<(&'static str, &str)> = kept.chain(changes).copied().collect();
    Ok(score_part(&url, &flags, checks).await.unwrap_or_else(|untestable| panic!("{untestable}")))
}

fn failures(report: &RunReport) -> Vec<&str> {
    let failed = report.results.iter().filter(|result| result.fails_the_run() || result.is_unjudged());
    failed.map(|result| result.id.as_str()).collect()
}

#[rstest]
#[test]
async fn an_app_that_refuses_its_own_origin_lets_no_browser_in() -> TestResult {
    let report = on_node("own-origin", &[], &["security", "transport"]).await?;
    assert!(failure(&report, "security.own-origin").contains("origin"));
    assert_eq!(report.exit_code(), ExitCode::DoesNotConform);
    let causes = siospec::causes::of(&report.results);
    assert_eq!(causes.iter().map(|cause| cause.id.as_str()).collect::<Vec<_>>(), ["own-origin-refused"]);
    Ok(())
}

/// The origin that it lets in is declared, and all is well.
#[rstest]
#[test]
async fn an_app_that_lets_in_its_public_origin_is_tested_elsewhere() -> TestResult {
    let report = on_node("own-origin", &[("origin", "https://another.example")], &["security", "transport"]).await?;
    assert_eq!(failures(&report), Vec::<&str>::new());
    Ok(())
}

/// Forged tokens have the claims of the real one, which a command prints.
#[rstest]
#[test]
async fn a_token_that_is_decoded_and_not_verified_is_found_by_a_forged_one() -> TestResult {
    require(Tool::Node)?;
    let script = format!(
        "const jwt = require('jsonwebtoken'); process.stdout.write(jwt.sign({{ sub: 'a', userId: 7 }}, '{SECRET}', {{ expiresIn: '1h' }}))"
    );
    let folder = Fixture::shared("node").await?.folder.clone();
    let command = format!("cd {} && node -e \"{script}\"", folder.display());
    let report = on_node("decode-only", &[("auth.token-command", &command)], &["auth.forged-signature"]).await?;
    assert!(failure(&report, "auth.forged-signature").contains("accepted"));
    Ok(())
}

#[rstest]
#[test]
async fn what_both_transports_lose_is_lost() -> TestResult {
    let report = on_node("drops-emoji", &[], &["engine.utf8"]).await?;
    assert_eq!(failures(&report), ["engine.utf8"]);
    Ok(())
}

/// siospec's own limits, and what a server may do.
#[rstest]
#[case::pong_returns_what_came("echo-ping", &["events", "reconnect"])]
#[case::older_clients_are_served("allow-eio3", &["transport", "engine"])]
#[test]
async fn a_lawful_choice_is_no_failure(#[case] with: &str, #[case] concerned: &[&str]) -> TestResult {
    let report = on_node(with, &[], concerned).await?;
    assert_eq!(failures(&report), Vec::<&str>::new());
    Ok(())
}

/// Its tokens come with the requests, and not in the CONNECT payload.
#[rstest]
#[case::header("token-in-header", &[("auth.carrier", "header"), ("auth.token-field", "Authorization")])]
#[case::cookie("token-in-cookie", &[("auth.carrier", "cookie"), ("auth.token-field", "session")])]
#[case::query("token-in-query", &[("auth.carrier", "query")])]
#[case::at_the_door("token-at-the-door", &[("auth.carrier", "header"), ("auth.token-field", "authorization")])]
#[test]
#[ignore = "most of a run each: for .ci/run, and for changes to tokens"]
async fn a_token_that_requests_carry_is_declared(
    #[case] with: &str,
    #[case] declared: &[(&'static str, &str)],
) -> TestResult {
    let report =
        on_node(with, declared, &["auth", "events", "rooms", "engine.cancelled-poll", "reconnect.new-session"]).await?;
    // A page of another origin has the user's cookie, and nothing else of the user's.
    let lets_strangers_in: &[&str] = if with == "token-in-cookie" { &["security.cross-site-websocket"] } else { &[] };
    assert_eq!(failures(&report), Vec::<&str>::new());
    assert!(result(&report, "auth.valid-token").notes.iter().any(|note| note.text().contains("recommended place")));
    assert!(skipped(&report).contains(&"auth.retry-after-rejection"));
    let folder = Fixture::shared("node").await?.folder.display().to_string();
    let with_client: Vec<_> = declared.iter().copied().chain([("client-dir", folder.as_str())]).collect();
    let checks = ["security.cross-site-websocket", "security.own-origin", "interop"];
    let report = on_node(with, &with_client, &checks).await?;
    assert_eq!(result(&report, "interop.socket-io-client").outcome, Outcome::Pass);
    assert_eq!(failures(&report), Vec::<&str>::new());
    let warned: Vec<_> =
        report.results.iter().filter(|result| result.is_failure()).map(|result| result.id.as_str()).collect();
    assert_eq!(warned, lets_strangers_in);
    if with == "token-at-the-door" {
        return Ok(());
    }
    // Nobody gets in where the promise is the payload.
    let report = on_node(with, &[], &["auth.valid-token"]).await?;
    assert_eq!(report.exit_code(), ExitCode::DoesNotConform);
    Ok(())
}

/// It opens no session without a token, so that nothing can be tested by a contract that says nothing of it.
#[rstest]
#[test]
async fn a_door_that_wants_a_token_is_named() -> TestResult {
    require(Tool::Node)?;
    let fixture = Fixture::shared("node").await?;
    let (_service, url) = start_node(&fixture, &["server.mjs", "socket.io", "token-at-the-door"]).await?;
    let untestable = score_part(&url, &PROMISES, &["auth"]).await.expect_err("it lets nobody in");
    assert!(untestable.to_string().contains("--auth-carrier header"), "{untestable}");
    Ok(())
}

/// It waits for a CONNECT for less long than until the first heartbeat, and than the contract says: that is no proxy's doing.
#[rstest]
#[test]
async fn a_server_that_waits_little_for_a_connect_is_taken_for_no_proxy() -> TestResult {
    let options = Options { connect_timeout: Duration::from_millis(700), ..options() };
    let server = ReferenceServer::start(options.clone()).await?;
    let changes = [("choices.connect-timeout", "45s")];
    let checks = Runner::every_check().into_iter().filter(|check| check.id == "deploy.proxy-idle").collect();
    let runner = Runner::new(reference_plan(&server, &options, "5s", &changes, checks), Redactor::new()).await;
    let report = Arc::new(runner.unwrap_or_else(|untestable| panic!("{untestable}"))).run().await;
    assert_eq!(result(&report, "deploy.proxy-idle").outcome, Outcome::Pass, "{:?}", report.results);
    Ok(())
}

/// It serves polling alone: `transports: ['polling']`.
#[rstest]
#[test]
async fn a_polling_only_app_conforms_where_that_is_declared_and_nowhere_else() -> TestResult {
    let report = on_node("polling-only", &[("choices.polling-only", "true")], &[]).await?;
    assert_eq!(failures(&report), Vec::<&str>::new());
    assert_eq!(report.exit_code(), ExitCode::Conforms);
    let report = on_node("polling-only", &[], &["transport"]).await?;
    assert!(failure(&report, "transport.websocket-handshake").contains("refused"));
    assert_eq!(report.exit_code(), ExitCode::DoesNotConform);
    Ok(())
}
