//! Small deployments as they were met in the field, on which a verdict was wrong once.

use std::{collections::BTreeMap, time::Duration};

use rstest::rstest;
use siospec::{
    mock::ReferenceServer,
    runner::Runner,
    verdict::{CheckResult, ExitCode, Outcome, RunReport},
};

use tokio::sync::OnceCell;

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
    let options = options().guarded();
    let server = ReferenceServer::start(options.clone()).await.expect("a free port");
    let relay = Relay::start(server.address(), mishap).await.expect("a free port");
    let mut plan = reference_plan(&server, &options, deadline, &[], Runner::every_check());
    plan.origin = relay.url.parse().expect("a URL");
    let runner = Runner::new(plan, siospec::redact::Redactor::new()).await;
    std::sync::Arc::new(runner.unwrap_or_else(|untestable| panic!("{untestable}"))).run().await
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
    assert!(without.iter().all(|note| !note.contains("answers no unknown namespace")), "{without:#?}");
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
        changes
            .iter()
            .any(|(changed, _)| *changed == key || (changed.starts_with("auth.token") && key == "auth.secret"))
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
#[case::pong_returns_what_came("echo-ping")]
#[case::older_clients_are_served("allow-eio3")]
#[test]
async fn a_lawful_choice_is_no_failure(#[case] with: &str) -> TestResult {
    let report = on_node(with, &[], &[]).await?;
    assert_eq!(failures(&report), Vec::<&str>::new());
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
