//! The stock JavaScript client, in every way that it can connect, against the reference server.

use std::{process::Stdio, time::Duration};

use rstest::rstest;
use siospec::mock::{DEFAULT_JWT_SECRET, ReferenceServer};
use tokio::{process::Command, time::timeout};

use super::implementations::{SECRET, start_node};
use crate::harness::{TestResult, Tool, node::Fixture, process::Complaint, require, target::options};

const PATIENCE: Duration = Duration::from_secs(120);

/// Runs the script, which ends with the first surprise.
async fn drive(fixture: &Fixture, url: &str, secret: &str, reload: Option<String>) -> TestResult {
    let client = Command::new("node")
        .arg("client.mjs")
        .current_dir(&fixture.folder)
        .env("URL", url)
        .env("JWT_SECRET", secret)
        .envs(reload.map(|reload| ("RELOAD", reload)))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(PATIENCE, client).await.map_err(|_| Complaint(format!("not done in {PATIENCE:?}")))??;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{}\n{said}", output.status);
    Ok(())
}

#[rstest]
#[test]
async fn works_with_the_reference_server() -> TestResult {
    require(Tool::Node)?;
    let fixture = Fixture::shared("node").await?;
    let server = ReferenceServer::start(options()).await?;
    let reload = format!("{}/__siospec/reload", server.url());
    drive(&fixture, server.url(), DEFAULT_JWT_SECRET, Some(reload)).await
}

/// What the script asks for is what the library's own server does.
#[rstest]
#[test]
async fn works_alike_with_socket_io_itself() -> TestResult {
    require(Tool::Node)?;
    let fixture = Fixture::shared("node").await?;
    let (_service, url) = start_node(&fixture, &["server.mjs"]).await?;
    drive(&fixture, &url, SECRET, None).await
}
