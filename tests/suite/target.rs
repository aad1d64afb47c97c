//! `cargo test -- --target-url URL`: the catalogue in the test runner's clothes.

use std::process::{Command, Output};

use rstest::rstest;
use siospec::{
    catalogue,
    mock::{DEFAULT_JWT_SECRET, Fault, Options, ReferenceServer},
};

use crate::harness::{TestResult, target::options};

/// This binary, as cargo calls it.
async fn against(url: &str, arguments: &[&str]) -> std::io::Result<Output> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--target-url", url, "--auth-secret", DEFAULT_JWT_SECRET]).args(arguments);
    command.args(["--choices-connect-timeout", "5s", "--choices-idle-limit", "4s"]);
    // The variables of an outer run are not this one's.
    command.env_remove("SIOSPEC_TARGET_URL").env_remove("SIOSPEC_REQUIRE").env_remove("NEXTEST");
    tokio::task::spawn_blocking(move || command.output()).await.expect("no panic")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// The names of the tests with this verdict, sorted: they run side by side, and end in any order.
fn named(output: &Output, verdict: &str) -> Vec<String> {
    let lines = text(output);
    let named = lines.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("test ")?.split_once(" ... ")?;
        rest.starts_with(verdict).then(|| name.trim().to_owned())
    });
    let mut named: Vec<String> = named.collect();
    named.sort();
    named
}

async fn server(faults: &[Fault]) -> std::io::Result<ReferenceServer> {
    ReferenceServer::start(Options { faults: faults.iter().copied().collect(), ..options() }).await
}

#[rstest]
#[test]
async fn a_conforming_target_passes_and_only_the_catalogue_runs() -> TestResult {
    let server = server(&[]).await?;
    let output = against(server.url(), &[]).await?;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!(named(&output, "ok").len() + named(&output, "ignored").len(), catalogue::all().count());
    // What the flags do not supply, and what this server does not offer.
    let ignored = [
        "auth.algorithm-confusion",
        "auth.recovery-without-token",
        "auth.wrong-audience",
        "auth.wrong-issuer",
        "deploy.cross-node-rest",
        "deploy.cross-node-rooms",
        "deploy.no-double-delivery",
        "deploy.tls",
        "interop.socket-io-client",
        "reconnect.recovery",
        "reconnect.reload",
        "rest.unauthenticated",
        "rooms.join-authorization",
        "security.cors-allowed",
        "security.cross-site-websocket",
        "socket.ack",
        "socket.multi-namespace",
    ];
    assert_eq!(named(&output, "ignored"), ignored, "{}", text(&output));
    Ok(())
}

#[rstest]
#[test]
async fn a_fault_fails_the_checks_that_declare_it() -> TestResult {
    let server = server(&[Fault::AcceptsAnySignature]).await?;
    let output = against(server.url(), &["--deadline", "2s"]).await?;
    let declared = catalogue::all().filter(|entry| entry.check.faults.contains(&Fault::AcceptsAnySignature));
    let mut declared: Vec<&str> = declared.map(|entry| entry.check.id).collect();
    declared.sort_unstable();
    assert_eq!(output.status.code(), Some(101));
    assert_eq!(named(&output, "FAILED"), declared, "{}", text(&output));
    assert!(!text(&output).contains(DEFAULT_JWT_SECRET));
    Ok(())
}

#[rstest]
#[test]
async fn filters_select_and_lists_ask_nothing_of_the_target() -> TestResult {
    let dead = "http://127.0.0.1:9";
    let list = against(dead, &["--list"]).await?;
    assert_eq!(text(&list).lines().filter(|line| line.ends_with(": test")).count(), catalogue::all().count());

    let server = server(&[]).await?;
    let exact = against(server.url(), &["--exact", "socket.connect", "--test-threads", "1"]).await?;
    assert_eq!(named(&exact, "ok"), ["socket.connect"], "{}", text(&exact));
    Ok(())
}

#[rstest]
#[case::nobody_there("http://127.0.0.1:9", &[], 3, "Nothing answers at 127.0.0.1:9")]
#[case::nothing_selected("", &["no-such-check"], 4, "no check was judged")]
#[case::wrong_contract("http://127.0.0.1:9", &["--deadline", "soon"], 2, "--deadline")]
#[test]
async fn what_judges_nothing_does_not_pass(
    #[case] url: &str,
    #[case] arguments: &[&str],
    #[case] status: i32,
    #[case] says: &str,
) -> TestResult {
    let server = server(&[]).await?;
    let output = against(if url.is_empty() { server.url() } else { url }, arguments).await?;
    assert_eq!(output.status.code(), Some(status), "{}", text(&output));
    assert!(text(&output).contains(says), "{}", text(&output));
    Ok(())
}

#[rstest]
#[case::refused(&[], 4)]
#[case::accepted(&["--allow-incomplete"], 0)]
#[test]
async fn without_a_token_not_enough_is_judged(
    #[case] more: &'static [&'static str],
    #[case] status: i32,
) -> TestResult {
    let server = server(&[]).await?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--target-url", server.url(), "auth.", "--deadline", "2s"]).args(more);
    command.env_remove("SIOSPEC_REQUIRE").env_remove("SIOSPEC_ALLOW_INCOMPLETE").env_remove("NEXTEST");
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic")?;
    assert_eq!(output.status.code(), Some(status), "{}", text(&output));
    assert_eq!(text(&output).contains("not enough was judged: "), status == 4, "{}", text(&output));
    assert!(named(&output, "ok").contains(&"auth.missing-token".to_owned()), "{}", text(&output));
    Ok(())
}

#[rstest]
#[case::by_itself(None, 4)]
// A process for each test: the others may well judge something.
#[case::under_nextest(Some("1"), 0)]
#[test]
async fn a_skip_says_what_would_supply_what_it_lacks(#[case] nextest: Option<&str>, #[case] status: i32) -> TestResult {
    let server = server(&[]).await?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--target-url", server.url(), "--exact", "auth.valid-token"]);
    command.env_remove("SIOSPEC_REQUIRE").env_remove("NEXTEST").envs(nextest.map(|value| ("NEXTEST", value)));
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic")?;
    assert!(text(&output).contains("--auth-secret"), "{}", text(&output));
    assert_eq!(output.status.code(), Some(status), "{}", text(&output));
    Ok(())
}
