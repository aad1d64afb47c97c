//! The stock JavaScript client, in every way that it can connect, against the reference server.

use std::{process::Stdio, sync::Arc, time::Duration};

use rstest::rstest;
use siospec::{
    catalogue,
    mock::{DEFAULT_JWT_SECRET, Options, ReferenceServer},
    redact::Redactor,
    runner::Runner,
    verdict::Outcome,
};
use tokio::{process::Command, time::timeout};

use super::{
    implementations::{SECRET, start_node},
    matrix::RUNS_NODE,
};
use crate::harness::{
    TestResult, Tool,
    node::Fixture,
    process::Complaint,
    require,
    target::{options, reference_plan},
};

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

/// The check that runs the client of npm: with it, on the reference server and on that with each fault that it declares.
#[rstest]
#[test]
async fn the_check_of_the_stock_client_is_proven() -> TestResult {
    require(Tool::Node)?;
    let fixture = Fixture::shared("node").await?;
    let folder = fixture.folder.to_str().expect("a path in UTF-8");
    let check = catalogue::find(RUNS_NODE).expect("it is there").check;
    let faults = [None].into_iter().chain(check.faults.iter().copied().map(Some));
    for fault in faults {
        let options = Options { faults: fault.into_iter().collect(), ..options() };
        let server = ReferenceServer::start(options.clone()).await?;
        // What it rests on is left out: the fault may fail it as well.
        let plan = reference_plan(&server, &options, "5s", &[("client-dir", folder)], vec![check]);
        let runner = Runner::new(plan, Redactor::new()).await.unwrap_or_else(|untestable| panic!("{untestable}"));
        let report = Arc::new(runner).run().await;
        let [result] = &report.results[..] else { panic!("{report:#?}") };
        match fault {
            None => {
                assert_eq!(result.outcome, Outcome::Pass, "{:?}", result.notes);
                assert!(
                    result.notes.iter().any(|note| note.text().starts_with("socket.io-client 4.")),
                    "{:?}",
                    result.notes
                );
            }
            Some(fault) => assert!(matches!(result.outcome, Outcome::Fail(_)), "{fault}: {:?}", result.outcome),
        }
    }
    Ok(())
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
