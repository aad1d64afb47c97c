//! Plain Node servers: the library that the protocol comes from passes, and its old version is told apart.

use std::time::Duration;

use rstest::rstest;
use siospec::probe::Untestable;
use tokio::process::Command;

use crate::harness::{
    TestResult, Tool,
    node::Fixture,
    process::Service,
    require,
    target::{assert_conforms, score},
};

/// Checks of what the fixture neither declares nor offers.
const NOT_DECLARED: &[&str] = &[
    "auth.algorithm-confusion",
    "auth.recovery-without-token",
    "auth.wrong-audience",
    "auth.wrong-issuer",
    "reconnect.recovery",
    "rooms.join-authorization",
];

const SECRET: &str = "the secret of the plain Node fixture";
const PATIENCE: Duration = Duration::from_secs(30);

async fn start(fixture: &Fixture, script: &str) -> Result<(Service, String), crate::harness::process::Complaint> {
    let mut command = Command::new("node");
    command.arg(script).current_dir(&fixture.folder).env("PORT", "0").env("JWT_SECRET", SECRET);
    command.env("PING_INTERVAL", "2000").env("PING_TIMEOUT", "2000").env("CONNECT_TIMEOUT", "5000");
    let mut service = Service::start(&mut command)
        .map_err(|error| crate::harness::process::Complaint(format!("node {script}: {error}")))?;
    let url = service.word_after("listening on ", PATIENCE).await?;
    Ok((service, url))
}

#[rstest]
#[test]
async fn socket_io_4_passes_every_must() -> TestResult {
    require(Tool::Node)?;
    let fixture = Fixture::installed("node").await?;
    let (_service, url) = start(&fixture, "server.mjs").await?;
    let flags = [("auth.secret", SECRET), ("choices.connect-timeout", "5s"), ("choices.idle-limit", "6s")];
    let report = score(&url, &flags).await.expect("testable");
    // Its rooms take texts only.
    let skipped = [NOT_DECLARED, &["reconnect.reload", "engine.payload-base64"]].concat();
    assert_conforms(&report, &skipped);
    Ok(())
}

#[rstest]
#[test]
async fn socket_io_2_is_named_and_not_scored() -> TestResult {
    require(Tool::Node)?;
    let fixture = Fixture::installed("node").await?;
    let (_service, url) = start(&fixture, "server-eio3.mjs").await?;
    let untestable = score(&url, &[]).await.expect_err("not testable");
    assert!(matches!(untestable, Untestable::EngineIo3(_)), "{untestable:?}");
    Ok(())
}
