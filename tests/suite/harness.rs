//! The test binary itself: what its `#[test]` understands, and its command line.

use crate::harness::{TestResult, Tool, require, skip};
use rstest::{fixture, rstest};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;
use std::{env, fs, thread};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[fixture]
fn greeting() -> String {
    "hello".to_owned()
}

#[test]
fn runs_in_a_thread_of_its_own_name() {
    assert_eq!(thread::current().name(), Some("harness::runs_in_a_thread_of_its_own_name"));
}

#[rstest]
fn needs_no_second_attribute_beside_rstest(greeting: String) {
    assert_eq!(greeting, "hello");
}

#[rstest]
#[case::lower("abc", 3)]
#[case::empty("", 0)]
#[test]
fn takes_cases(#[case] text: &str, #[case] length: usize, #[values(1, 2)] times: usize) {
    assert_eq!(text.repeat(times).len(), length * times);
}

#[rstest]
#[case::plain(false)]
#[case::shouted(true)]
#[test]
fn keeps_a_snapshot_per_case(#[case] shouted: bool, greeting: String) {
    let text = if shouted { greeting.to_uppercase() } else { greeting };
    insta::assert_snapshot!(text);
    let label = if shouted { "shouted" } else { "plain" };
    let file = format!("snapshots/harness/keeps_a_snapshot_per_case@{label}.snap");
    assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(&file).is_file(), "{file} is missing");
}

#[rstest]
#[timeout(Duration::from_secs(10))]
#[test]
async fn awaits_while_a_task_serves(greeting: String) -> TestResult {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move { listener.accept().await?.0.write_all(greeting.as_bytes()).await });
    let mut received = String::new();
    TcpStream::connect(address).await?.read_to_string(&mut received).await?;
    server.await??;
    assert_eq!(received, "hello");
    Ok(())
}

#[rstest]
#[case::node(Tool::Node)]
#[case::docker(Tool::Docker)]
#[test]
fn finds(#[case] tool: Tool) -> TestResult {
    require(tool)
}

/// Inputs of `command_line`, not listed otherwise.
mod sample {
    use super::*;

    #[test]
    fn passes() {}

    #[test]
    fn panics() {
        panic!("as it should");
    }

    #[test]
    async fn fails() -> TestResult {
        fs::read("/no such file")?;
        Ok(())
    }

    #[test]
    #[ignore = "as it should be"]
    fn rests() {
        panic!("ran");
    }

    #[test]
    fn skips() -> TestResult {
        skip("needs a full moon")
    }

    #[test]
    fn misses_chromium() -> TestResult {
        require(Tool::Chromium)
    }

    #[rstest]
    #[timeout(Duration::from_millis(50))]
    #[test]
    async fn hangs() {
        std::future::pending().await
    }
}

/// Runs this binary again, in an environment where no tool is found.
fn this_binary(arguments: &[&str], requirements: &str) -> std::io::Result<Output> {
    let mut command = Command::new(env::current_exe()?);
    // Nextest speaks to its tests through variables, and a target may be set for the whole run.
    command.env_clear().envs(env::vars().filter(|(name, _)| name.eq_ignore_ascii_case("SystemRoot")));
    command.env("PATH", "/nowhere").env("SIOSPEC_SAMPLES", "1").env("SIOSPEC_REQUIRE", requirements);
    command.args(arguments).output()
}

#[rstest]
#[case::success("passes", "", 0, "test result: ok. 1 passed; 0 failed; 0 ignored")]
#[case::panic("panics", "", 101, "thread 'harness::sample::panics'")]
#[case::error("fails", "", 101, "1 failed")]
#[case::timeout("hangs", "", 101, "Timeout")]
#[case::ignored("rests", "", 0, "test result: ok. 0 passed; 0 failed; 1 ignored")]
#[case::skip("skips", "", 0, "harness::sample::skips: needs a full moon")]
#[case::absent("misses_chromium", "", 0, "harness::sample::misses_chromium: needs chromium")]
#[case::required("misses_chromium", "node,chromium", 101, "needs chromium, which SIOSPEC_REQUIRE says is here")]
#[case::misspelt("passes", "crhomium", 2, "SIOSPEC_REQUIRE names `crhomium`")]
#[test]
fn command_line(
    #[case] sample: &str,
    #[case] requirements: &str,
    #[case] status: i32,
    #[case] expected: &str,
) -> TestResult {
    let name = format!("harness::sample::{sample}");
    let output = this_binary(&["--exact", &name], requirements)?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert_eq!(output.status.code(), Some(status), "{text}");
    assert!(text.contains(expected), "no {expected:?} in:\n{text}");
    Ok(())
}

#[test]
fn a_target_takes_our_own_tests_off_the_list() -> TestResult {
    let target = ["--target-url", "http://127.0.0.1:9"];
    let list = this_binary(&[&target[..], &["--list"]].concat(), "")?;
    assert!(!String::from_utf8_lossy(&list.stdout).contains("harness::"));
    let none = this_binary(&[&target[..], &["no such check"]].concat(), "")?;
    assert_eq!(none.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&none.stderr).contains("no check was selected"));
    Ok(())
}

/// `#[tokio::test]` and its like lead to the attribute of Rust, which drops the function.
#[test]
fn no_test_has_an_attribute_from_elsewhere() -> TestResult {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path)?;
                let foreign = |line: &&str| line.starts_with("#[") && line.contains("::test");
                assert_eq!(text.lines().map(str::trim).find(foreign), None, "in {}", path.display());
            }
        }
    }
    Ok(())
}
