//! Servers that are not ours, scored: what each does is kept in `tests/expectations`, and shown side by side in
//! `docs/implementations.md`.

use std::time::Duration;

use rstest::rstest;
use siospec::{
    causes,
    probe::Untestable,
    verdict::{Outcome, RunReport},
};
use tokio::process::Command;

use crate::harness::{
    TestResult, Tool,
    expectations::assert_as_expected,
    node::Fixture,
    process::{Complaint, Service},
    require, socketioxide,
    target::{score, score_part},
};

pub const SECRET: &str = "the secret of the fixtures that are not ours";

/// Heartbeats as short as python-socketio can have them without waiting for lost time on a busy machine.
const HEARTBEAT: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(6);

const PATIENCE: Duration = Duration::from_secs(60);

/// What all of them promise beyond the default contract.
pub const PROMISES: [(&str, &str); 6] = [
    ("auth.secret", SECRET),
    ("ack.event", "echo"),
    ("ack.reply", r#""{{message}}""#),
    ("choices.namespaces", "/chat"),
    ("choices.connect-timeout", "6s"),
    ("choices.idle-limit", "6s"),
];

/// What departs from the text in a server that is well is no broken deployment: it has no cause.
async fn scored(url: &str) -> RunReport {
    let report = score(url, &PROMISES).await.unwrap_or_else(|untestable| panic!("{untestable}"));
    let causes = causes::of(&report.results);
    assert!(causes.is_empty(), "{causes:#?}");
    report
}

/// Starts a server of `fixtures/node`.
pub async fn start_node(fixture: &Fixture, arguments: &[&str]) -> Result<(Service, String), Complaint> {
    start_node_with(fixture, arguments, HEARTBEAT).await
}

/// As [`start_node`], where a client may take so long over a heartbeat.
pub async fn start_node_with(
    fixture: &Fixture,
    arguments: &[&str],
    ping_timeout: Duration,
) -> Result<(Service, String), Complaint> {
    let mut command = Command::new("node");
    command.args(arguments).current_dir(&fixture.folder).env("PORT", "0").env("JWT_SECRET", SECRET);
    for (variable, duration) in
        [("PING_INTERVAL", HEARTBEAT), ("PING_TIMEOUT", ping_timeout), ("CONNECT_TIMEOUT", CONNECT_TIMEOUT)]
    {
        command.env(variable, duration.as_millis().to_string());
    }
    let mut service =
        Service::start(&mut command).map_err(|error| Complaint(format!("node {}: {error}", arguments.join(" "))))?;
    let url = service.word_after("listening on ", PATIENCE).await?;
    Ok((service, url))
}

#[rstest]
#[test]
async fn socket_io_4_on_node() -> TestResult {
    score_node("socket.io-4", "socket.io").await
}

#[rstest]
#[test]
#[ignore = "a whole run: for .ci/run"]
async fn socket_io_3_on_node() -> TestResult {
    score_node("socket.io-3", "socket.io-3").await
}

async fn score_node(name: &str, package: &str) -> TestResult {
    require(Tool::Node)?;
    let fixture = Fixture::shared("node").await?;
    let (_service, url) = start_node(&fixture, &["server.mjs", package]).await?;
    assert_as_expected(name, &scored(&url).await)
}

#[rstest]
#[test]
async fn socket_io_2_is_named_and_not_scored() -> TestResult {
    require(Tool::Node)?;
    let fixture = Fixture::shared("node").await?;
    let (_service, url) = start_node(&fixture, &["server-eio3.mjs"]).await?;
    let untestable = score(&url, &[]).await.expect_err("not testable");
    assert!(matches!(untestable, Untestable::EngineIo3(_)), "{untestable:?}");
    Ok(())
}

#[rstest]
#[test]
async fn nuxt() -> TestResult {
    require(Tool::Node)?;
    let fixture = Fixture::built("nuxt").await?;
    let (service, url) = start_nuxt(&fixture, "/").await?;
    assert_as_expected("nuxt", &scored(&url).await)?;
    drop(service);

    // Below another path its pages say so, and where Socket.IO is.
    let (_service, url) = start_nuxt(&fixture, "/app/").await?;
    let url = url.trim_end_matches('/').trim_end_matches("/app");
    let untestable = score(url, &[]).await.expect_err("not there");
    assert!(untestable.found().text().contains("give --base /app --path /app/socket.io."), "{untestable:?}");
    let flags = [("base", "/app"), ("path", "/app/socket.io"), ("auth.secret", SECRET)];
    let report =
        score_part(url, &flags, &["transport.same-port", "transport.no-socket-in-api"]).await.expect("testable");
    assert!(report.results.iter().all(|result| result.outcome == Outcome::Pass), "{:#?}", report.results);
    // Where nothing is declared, its pages are believed.
    let report = score_part(url, &flags[1..], &["transport.same-port", "rest.response"]).await.expect("testable");
    assert!(report.results.iter().all(|result| result.outcome == Outcome::Pass), "{:#?}", report.results);
    assert!(report.notes.iter().any(|note| note.text().contains("lives below /app,")), "{:?}", report.notes);
    let at_the_root = [("base", "/"), flags[1], flags[2]];
    let report = score_part(url, &at_the_root, &["transport.same-port"]).await.expect("testable");
    let found = causes::of(&report.results);
    assert_eq!(found.iter().map(|cause| cause.id.as_str()).collect::<Vec<_>>(), ["base-url"], "{found:#?}");
    Ok(())
}

/// The app as it is deployed, below that path.
async fn start_nuxt(fixture: &Fixture, base: &str) -> Result<(Service, String), crate::harness::Stop> {
    let mut command = super::nuxt::node(fixture);
    command.env("NUXT_JWT_SECRET", SECRET).env("NUXT_APP_BASE_URL", base);
    command.arg(".output/server/index.mjs").env("PORT", "0").env("HOST", "127.0.0.1");
    let mut service = Service::start(&mut command)?;
    let url = service.word_after("Listening on ", PATIENCE).await?;
    Ok((service, url))
}

#[rstest]
#[test]
async fn python_socketio() -> TestResult {
    require(Tool::Python)?;
    let (_service, url) = start_python().await?;
    assert_as_expected("python-socketio", &scored(&url).await)
}

/// Starts python-socketio under uvicorn.
pub async fn start_python() -> Result<(Service, String), Complaint> {
    let (fixture, python) = Fixture::in_venv("python").await?;
    let seconds = HEARTBEAT.as_secs().to_string();
    let mut command = Command::new(python);
    command
        .args(["-m", "uvicorn", "app:app", "--host", "127.0.0.1", "--port", "0"])
        .current_dir(&fixture.folder)
        .env("JWT_SECRET", SECRET)
        .env("PING_INTERVAL", &seconds)
        .env("PING_TIMEOUT", &seconds);
    let said = |error| Complaint(format!("python: {error}"));
    let mut service = Service::start(&mut command).map_err(said)?;
    let url = service.word_after("Uvicorn running on ", PATIENCE).await?;
    Ok((service, url))
}

#[rstest]
#[test]
#[ignore = "a whole run: for .ci/run"]
async fn socketioxide_with_its_defaults() -> TestResult {
    let server = socketioxide::start(SECRET, HEARTBEAT, CONNECT_TIMEOUT).await?;
    assert_as_expected("socketioxide", &scored(&server.url).await)
}
