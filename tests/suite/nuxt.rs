//! The main job: a real Nuxt app as a team develops it. As it is deployed, `implementations` scores it.

use std::{path::Path, time::Duration};

use rstest::rstest;
use siospec::verdict::Outcome;
use tokio::process::Command;

use crate::harness::{
    TestResult, Tool,
    node::Fixture,
    process::Service,
    require,
    target::{assert_conforms, score},
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

#[rstest]
#[test]
async fn the_app_in_development_survives_a_reload() -> TestResult {
    require(Tool::Node)?;
    let fixture = Fixture::installed("nuxt").await?;
    let mut command = node(&fixture);
    // Without a fork there is one process to end; port 0 would be taken for "any of the usual ones".
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
    command.args(["node_modules/nuxt/bin/nuxt.mjs", "dev", "--no-fork", "--host", "127.0.0.1", "--port", &port]);
    let mut service = Service::start(&mut command)?;
    service.word_after("Local:", PATIENCE).await?;
    let url = format!("http://127.0.0.1:{port}");
    first_answer(&format!("{url}/socket.io/?EIO=4&transport=polling")).await?;
    first_answer(&format!("{url}/")).await?;
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
