//! The main job: a real Nuxt app as a team develops it. As it is deployed, `implementations` scores it.

use std::{path::Path, sync::Arc, time::Duration};

use rstest::rstest;
use siospec::{
    causes,
    verdict::{ExitCode, Outcome},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
};

use crate::harness::{
    Stop, TestResult, Tool,
    node::Fixture,
    process::Service,
    require,
    target::{assert_conforms, part_of_a_run, score},
};

const SECRET: &str = "the secret of the Nuxt fixture";
const PATIENCE: Duration = Duration::from_secs(120);

/// Node with the settings of the app, whichever way it is run.
pub fn node(fixture: &Fixture) -> Command {
    let mut command = Command::new("node");
    command
        .current_dir(&fixture.folder)
        .env("NUXT_JWT_SECRET", SECRET)
        .env("NUXT_PING_INTERVAL", "2000")
        .env("NUXT_PING_TIMEOUT", "2000")
        .env("NUXT_CONNECT_TIMEOUT", "6000")
        .env("NUXT_TELEMETRY_DISABLED", "1")
        .env("NUXT_IGNORE_LOCK", "1")
        .env("NITRO_SHUTDOWN_DISABLED", "1")
        .env("NO_COLOR", "1");
    command
}

/// Starts `nuxt dev`, and waits until it has built what it serves.
async fn develop(fixture: &Fixture, flags: &[&str]) -> Result<(Service, String), Stop> {
    let mut command = node(fixture);
    // Port 0 would be taken for "any of the usual ones".
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
    command.args(["node_modules/nuxt/bin/nuxt.mjs", "dev", "--host", "127.0.0.1", "--port", &port]).args(flags);
    let mut service = Service::start(&mut command)?;
    service.word_after("Local:", PATIENCE).await?;
    let url = format!("http://127.0.0.1:{port}");
    first_answer(&format!("{url}/socket.io/?EIO=4&transport=polling")).await?;
    first_answer(&format!("{url}/")).await?;
    Ok((service, url))
}

#[rstest]
#[test]
async fn the_app_in_development_survives_a_reload() -> TestResult {
    require(Tool::Node)?;
    let fixture = Fixture::installed("nuxt").await?;
    let (_service, url) = develop(&fixture, &["--no-fork"]).await?;
    let reload = touch(&fixture.folder.join("server/plugins/socket.io.ts"));
    let flags = [
        ("auth.secret", SECRET),
        ("reload.command", &reload),
        ("choices.connect-timeout", "6s"),
        ("choices.idle-limit", "6s"),
    ];
    let report = score(&url, &flags).await.expect("testable");
    let skipped = report.results.iter().filter(|result| matches!(result.outcome, Outcome::Skip { .. }));
    let skipped: Vec<&str> = skipped.map(|result| result.id.as_str()).filter(|id| *id != "reconnect.reload").collect();
    assert_conforms(&report, &skipped);
    Ok(())
}

/// Opens a WebSocket, and ends its connection by a reset, as a client does that is killed.
async fn reset_a_websocket(url: &str) -> TestResult {
    let authority = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(authority).await?;
    let request = format!(
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await?;
    assert_eq!(&answer, b"HTTP/1.1 101");
    stream.set_zero_linger()?;
    Ok(())
}

/// The first request waits until Nuxt has built what it asks for: the server, or the page.
async fn first_answer(url: &str) -> TestResult {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut pause = Duration::from_millis(50);
    loop {
        let asked = client.get(url).timeout(PATIENCE).send().await;
        match asked {
            Ok(response) if response.status().is_success() => return Ok(()),
            other if tokio::time::Instant::now() > deadline => panic!("nuxt dev does not serve: {other:?}"),
            // Nuxt announces nothing when it is done, so there is nothing but asking again.
            _ => tokio::time::sleep(pause).await,
        }
        pause *= 2;
    }
}

/// A command, for any platform's shell, that touches `file`.
fn touch(file: &Path) -> String {
    let script = "const now = new Date(); require('fs').utimesSync(process.argv[1], now, now)";
    format!("node -e \"{script}\" \"{}\"", file.display())
}

/// A client that drops its WebSocket restarts `nuxt dev` where it forks. That is no fault of the application.
#[rstest]
#[test]
#[ignore = "a development server of Nuxt's keeps both cores busy for a minute: for .ci/run, and for changes to outages"]
async fn development_that_restarts_itself_is_named_and_the_app_not_accused() -> TestResult {
    require(Tool::Node)?;
    let fixture = Fixture::installed("nuxt").await?;
    let (_service, url) = develop(&fixture, &[]).await?;
    let flags = [("auth.secret", SECRET), ("choices.connect-timeout", "6s"), ("choices.idle-limit", "6s")];
    let checks = ["transport", "events", "rooms", "rest"];
    let (events, mut told) = tokio::sync::mpsc::unbounded_channel();
    let runner = part_of_a_run(&url, &flags, &checks).await.expect("testable").with_events(events);
    let running = tokio::spawn(Arc::new(runner).run());
    for _ in 0..10 {
        told.recv().await.expect("the run goes on");
    }
    reset_a_websocket(&url).await?;
    let report = running.await?;
    let found = causes::of(&report.results);
    assert_eq!(found.iter().map(|cause| cause.id.as_str()).collect::<Vec<_>>(), ["dev-server-restarts"], "{found:#?}");
    assert!(found[0].fix.contains("--no-fork"));
    let failed: Vec<_> = report.results.iter().filter(|result| result.fails_the_run()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(report.exit_code(), ExitCode::OwnFault);
    Ok(())
}
