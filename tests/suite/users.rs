//! Users and rooms that exist: an app with accounts, a login, and rooms that not everybody may join.

use std::{fs, time::Duration};

use rstest::rstest;
use siospec::verdict::{CheckResult, Level, Outcome, RunReport};
use tempfile::tempdir;
use tokio::process::Command;

use crate::harness::{
    Stop, TestResult, Tool,
    node::Fixture,
    process::{self, Complaint, Service},
    require,
    target::result,
};

const PATIENCE: Duration = Duration::from_secs(20);
const PASSWORD: &str = "chalk-and-slate-of-a-test";

async fn school(fault: &str) -> Result<(Service, String), Stop> {
    let fixture = Fixture::shared("node").await?;
    let mut command = Command::new("node");
    command.args(["school.mjs", fault]).current_dir(&fixture.folder);
    for (variable, value) in [
        ("PORT", "0"),
        ("JWT_SECRET", "a-secret-of-the-school"),
        ("SCHOOL_PASSWORD", PASSWORD),
        ("PING_INTERVAL", "2000"),
        ("PING_TIMEOUT", "4000"),
        ("CONNECT_TIMEOUT", "4000"),
    ] {
        command.env(variable, value);
    }
    let mut service = Service::start(&mut command).map_err(|error| Complaint(format!("node school.mjs: {error}")))?;
    let url = service.word_after("listening on ", PATIENCE).await?;
    Ok((service, url))
}

/// A run by the school's contract: what it printed, its exit code, and its report.
async fn run(url: &str, password: &str, only: &[&str]) -> Result<(String, Option<i32>, RunReport), Stop> {
    let folder = tempdir()?;
    let contract = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/node/school.toml");
    let mut command = process::siospec(folder.path());
    command.args(["run", url, "--config", contract, "--report", "json=run.json", "--report", "terminal"]);
    command.args(["--choices-idle-limit", "4s", "--choices-connect-timeout", "4s"]);
    command.args(only).env("SCHOOL_PASSWORD", password);
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    let json =
        fs::read_to_string(folder.path().join("run.json")).map_err(|error| Complaint(format!("{error}: {said}")))?;
    assert!(!said.contains(password) && !json.contains(password), "it shows the password: {said}");
    assert!(!json.contains("eyJhbGciOi"), "it shows a token");
    Ok((said, output.status.code(), serde_json::from_str(&json)?))
}

/// The checks with such a result.
fn ids(report: &RunReport, is_such: impl Fn(&CheckResult) -> bool) -> Vec<&str> {
    report.results.iter().filter(|result| is_such(result)).map(|result| result.id.as_str()).collect()
}

const OF_ROOMS: [&str; 4] = ["--only", "rooms.*", "--only", "rest.*"];

#[rstest]
#[test]
async fn rooms_that_exist_are_judged_with_real_strangers() -> TestResult {
    require(Tool::Node)?;
    let (_service, url) = school("").await?;
    let (said, code, report) = run(&url, PASSWORD, &OF_ROOMS).await?;
    assert_eq!(code, Some(0), "{said}");
    for result in &report.results {
        let is_judged = matches!(result.outcome, Outcome::Pass) || result.id == "rooms.names";
        assert!(is_judged, "{}: {:?}", result.id, result.outcome);
    }
    Ok(())
}

#[rstest]
#[test]
async fn rooms_that_are_joined_on_connect_have_outsiders() -> TestResult {
    require(Tool::Node)?;
    let (_service, url) = school("joins-on-connect").await?;
    let flags = [&OF_ROOMS[..], &["--rooms-joined-on-connect=true"]].concat();
    let (said, code, report) = run(&url, PASSWORD, &flags).await?;
    assert_eq!(code, Some(0), "{said}");
    let skipped = ids(&report, |result| !matches!(result.outcome, Outcome::Pass));
    assert_eq!(skipped, ["rooms.disconnect-leaves", "rooms.names"], "{said}");
    Ok(())
}

#[rstest]
#[case::membership_is_not_looked_at("open-rooms", "rooms.join-authorization", Level::Should)]
#[case::messages_go_to_everybody("to-everybody", "rooms.outsider-silent", Level::Must)]
#[case::rooms_come_back_as_texts("text-rooms", "rooms.member-receives", Level::Must)]
#[test]
async fn a_fault_of_rooms_that_exist_is_found(
    #[case] fault: &str,
    #[case] check: &str,
    #[case] level: Level,
) -> TestResult {
    require(Tool::Node)?;
    let (_service, url) = school(fault).await?;
    let (said, _, report) = run(&url, PASSWORD, &OF_ROOMS).await?;
    let failed = ids(&report, CheckResult::is_failure);
    assert_eq!(failed, [check], "{said}");
    assert_eq!(result(&report, check).level, level);
    Ok(())
}

#[rstest]
#[test]
async fn a_login_that_is_refused_is_no_verdict() -> TestResult {
    require(Tool::Node)?;
    let (_service, url) = school("").await?;
    let (said, code, _) = run(&url, "not-the-password", &["--only", "events.ping-pong"]).await?;
    assert_eq!(code, Some(5), "{said}");
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("cannot log in: POST /api/auth/login was answered HTTP 401"), "{said}");
    Ok(())
}

#[rstest]
#[test]
#[ignore = "a whole run: for .ci/run, and for changes to the contract and the probe"]
async fn an_app_of_users_and_rooms_conforms() -> TestResult {
    require(Tool::Node)?;
    let (_service, url) = school("").await?;
    let (said, code, _) = run(&url, PASSWORD, &[]).await?;
    assert_eq!(code, Some(0), "{said}");
    Ok(())
}
