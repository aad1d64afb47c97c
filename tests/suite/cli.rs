//! The program as its users meet it: exit codes, what it prints where, and what it must never print.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Output, Stdio},
};

use rstest::{fixture, rstest};
use serde_json::Value;
use siospec::{
    lang::Lang,
    mock::{DEFAULT_JWT_SECRET, Fault, Options, ReferenceServer},
    report::{Format, Json, Terminal},
    verdict::{CheckResult, Direction, Entry, Failure, Gate, Level, Outcome, Row, RunReport},
};
use tempfile::TempDir;

use crate::harness::{TestResult, process::siospec};

const FAST: &str = "transport.open-packet,transport.unique-sid,events.ping-pong";

#[fixture]
fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

#[rstest]
#[case::conforms(&["run", "--only", FAST], 0, "")]
#[case::does_not_conform(&["run", "--only", FAST, "--fault", "no-pong"], 1, "FAIL events.ping-pong")]
#[case::unknown_flag(&["run", "--auth-secrt", "x"], 2, "--auth-secret")]
#[case::unknown_fault(&["run", "--fault", "no-pongs"], 2, "did you mean `no-pong`?")]
#[case::no_such_config(&["run", "--config", "missing.toml"], 2, "missing.toml")]
#[case::fault_with_url(&["run", "localhost:9", "--fault", "no-pong"], 2, "--fault is about the reference server")]
#[case::empty_url(&["run", ""], 2, "empty")]
#[case::path_in_url(&["run", "http://localhost:9/ws"], 2, "--path /ws")]
#[case::base_in_url(&["run", "http://localhost:9/app"], 2, "--base /app")]
#[case::path_in_url_of_wait(&["wait", "http://localhost:9/ws"], 2, "--path /ws")]
#[case::page_that_is_none(&["run", "localhost:9", "--page", "http://x/"], 2, "give the path alone")]
#[case::credentials_in_url(&["run", "http://anna:hunter2@localhost:9"], 2, "--headers")]
#[case::other_scheme(&["run", "ftp://localhost"], 2, "expected http:// or https://")]
#[case::report_is_a_folder(&["run", "--report", "json=."], 2, "--report json: cannot write .")]
#[case::report_below_a_file(&["run", "--report", "html=siospec.toml/report.html"], 2, "siospec.toml/report.html")]
#[case::unknown_report(&["run", "--report", "jnuit=report.xml"], 2, "did you mean `junit`? There are: terminal, json")]
#[case::report_without_a_path(&["run", "--report", "json="], 2, "a path belongs behind the `=`")]
#[case::two_reports_on_stdout(&["run", "--report", "json", "--report", "tap=-"], 2, "standard output holds one report")]
#[case::two_reports_in_one_file(&["run", "--report", "json=a", "--report", "tap=a"], 2, "another report's already")]
#[case::badge_of_which_kind(&["run", "--report", "badge=badge.png"], 2, ".svg or .json")]
#[case::nobody_listens(&["run", "http://127.0.0.1:9"], 3, "Nothing answers at 127.0.0.1:9")]
#[case::nothing_matches(&["run", "--only", "transport.open-paket"], 4, "did you mean `transport.open-packet`?")]
#[case::nothing_left(&["run", "--only", "events.*", "--skip", "events"], 4, "--skip leaves none")]
#[case::unknown_check(&["explain", "auth.forged"], 2, "did you mean `auth.forged-signature`?")]
#[test]
fn ends_with_the_documented_code(
    folder: TempDir,
    #[case] arguments: &[&str],
    #[case] expected: i32,
    #[case] says: &str,
) -> TestResult {
    fs::write(folder.path().join("siospec.toml"), "")?;
    let output = siospec(folder.path()).args(arguments).output()?;
    let errors = text(&output.stderr);
    assert_eq!(code(&output), expected, "{errors}{}", text(&output.stdout));
    assert!(errors.contains(says), "{errors}");
    assert!(!errors.contains("hunter2"), "{errors}");
    Ok(())
}

#[rstest]
#[test]
fn shows_a_wrong_contract_with_its_line(folder: TempDir) -> TestResult {
    fs::write(folder.path().join("siospec.toml"), "path = \"/socket.io\"\n[rest]\npth = \"/api/notify\"\n")?;
    let output = siospec(folder.path()).args(["run", "http://127.0.0.1:9"]).output()?;
    let errors = text(&output.stderr);
    assert_eq!(code(&output), 2, "{errors}");
    assert!(errors.contains("siospec.toml:3:1") && errors.contains("did you mean `rest.path`?"), "{errors}");
    Ok(())
}

#[rstest]
#[test]
fn leaves_the_users_contract_aside_when_it_checks_the_reference_server(folder: TempDir) -> TestResult {
    fs::write(folder.path().join("siospec.toml"), "path = \"/elsewhere\"\n")?;
    let output = siospec(folder.path()).args(["run", "--only", FAST]).output()?;
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    Ok(())
}

#[rstest]
#[test]
fn init_never_overwrites(folder: TempDir) -> TestResult {
    let file = folder.path().join("siospec.toml");
    assert_eq!(code(&siospec(folder.path()).arg("init").output()?), 0);
    let written = fs::read_to_string(&file)?;
    assert!(written.contains("#path = \"/socket.io\""), "{written}");
    fs::write(&file, "path = \"/mine\"\n")?;
    let output = siospec(folder.path()).arg("init").output()?;
    assert_eq!(code(&output), 2);
    assert!(text(&output.stderr).contains("--force"), "{}", text(&output.stderr));
    assert_eq!(fs::read_to_string(&file)?, "path = \"/mine\"\n");
    assert_eq!(code(&siospec(folder.path()).args(["init", "--force"]).output()?), 0);
    assert_eq!(fs::read_to_string(&file)?, written);
    Ok(())
}

#[rstest]
#[test]
fn explains_a_check(folder: TempDir) -> TestResult {
    let output = siospec(folder.path()).args(["explain", "auth.forged-signature"]).output()?;
    assert_eq!(code(&output), 0);
    insta::assert_snapshot!(text(&output.stdout));
    Ok(())
}

#[rstest]
#[test]
fn lists_the_checks(folder: TempDir) -> TestResult {
    let output = siospec(folder.path()).args(["list", "--only", "events.ping-pong,transport.open-packet"]).output()?;
    insta::assert_snapshot!(text(&output.stdout));
    let json: Value = serde_json::from_slice(&siospec(folder.path()).args(["list", "--json"]).output()?.stdout)?;
    let first = &json[0];
    assert!(first["id"].is_string() && first["level"].is_string() && first["row"].is_string(), "{first}");
    Ok(())
}

#[rstest]
#[test]
fn lists_every_fault(folder: TempDir) -> TestResult {
    let output = text(&siospec(folder.path()).arg("faults").output()?.stdout);
    for fault in Fault::ALL {
        assert!(output.lines().any(|line| line == fault.name()), "{fault} is missing");
    }
    Ok(())
}

#[rstest]
#[case::piped(&[], false)]
#[case::no_color(&[("NO_COLOR", "1")], false)]
#[case::forced(&[("CLICOLOR_FORCE", "1")], true)]
#[test]
fn colours_where_they_are_wanted(
    folder: TempDir,
    #[case] variables: &[(&str, &str)],
    #[case] has_colours: bool,
) -> TestResult {
    let mut command = siospec(folder.path());
    command.args(["run", "--only", FAST, "--fault", "no-pong", "--verbose"]).envs(variables.iter().copied());
    let output = command.output()?;
    assert_eq!(output.stdout.contains(&0x1b), has_colours, "{}", text(&output.stdout));
    assert_eq!(output.stderr.contains(&0x1b), has_colours, "{}", text(&output.stderr));
    Ok(())
}

#[rstest]
#[test]
fn prints_nothing_but_json_to_standard_output(folder: TempDir) -> TestResult {
    let output =
        siospec(folder.path()).args(["run", "--only", FAST, "--fault", "no-pong", "--report", "json=-"]).output()?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(report["schema"], 2);
    let report: RunReport = serde_json::from_value(report)?;
    assert!(report.reference);
    assert_eq!((report.counts().passed, report.counts().failed), (2, 1));
    assert!(text(&output.stderr).contains("❌ does not conform: 2 passed, 1 failed"), "{}", text(&output.stderr));
    Ok(())
}

#[rstest]
#[test]
fn writes_any_number_of_reports_and_the_terminals_too(folder: TempDir) -> TestResult {
    let mut command = siospec(folder.path());
    command.args(["run", "--only", FAST, "--fault", "no-pong", "--report", "junit=made/for/it/report.xml"]);
    command.args(["--report", "html=report.html", "--report", "badge=badge.svg", "--report", "badge=badge.json"]);
    command.args(["--report", "terminal=report.txt"]).env("CLICOLOR_FORCE", "1");
    let output = command.output()?;
    assert_eq!(code(&output), 1, "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("does not conform"), "{}", text(&output.stdout));
    let read = |name: &str| fs::read_to_string(folder.path().join(name));
    assert!(read("made/for/it/report.xml")?.contains(r#"<testcase name="events.ping-pong""#));
    assert!(read("report.html")?.starts_with("<!DOCTYPE html>"));
    assert!(read("badge.svg")?.starts_with("<svg"));
    assert!(read("badge.json")?.contains(r#""schemaVersion": 1"#));
    let terminal = read("report.txt")?;
    assert!(terminal.contains("❌ does not conform") && !terminal.contains('\u{1b}'), "{terminal}");
    Ok(())
}

#[rstest]
#[test]
fn leaves_no_empty_report_behind(folder: TempDir) -> TestResult {
    let mut command = siospec(folder.path());
    command.args(["run", "http://127.0.0.1:9", "--report", "junit=new.xml", "--report", "json=old.json"]);
    fs::write(folder.path().join("old.json"), "{}")?;
    assert_eq!(code(&command.output()?), 3);
    assert!(!folder.path().join("new.xml").exists());
    assert_eq!(fs::read_to_string(folder.path().join("old.json"))?, "{}");
    Ok(())
}

#[rstest]
#[test]
async fn shows_no_secret_anywhere(folder: TempDir) -> TestResult {
    // Needs quotes in a shell and in JSON, and is not the server's: many checks fail with it in hand.
    let secret = r#"it's a "secret" of 32 bytes or so"#;
    let server = ReferenceServer::start(Options::default().with_fault(Fault::NoPong)).await?;
    let output = siospec(folder.path())
        .args([
            "run",
            server.url(),
            "--auth-secret",
            secret,
            "--verbose",
            "--max-wait",
            "3s",
            "--report",
            "json=report.json",
        ])
        .args(["--rest-credentials", r#"{ "x-api-key": "an-api-key-of-ours" }"#])
        .output()?;
    let json = fs::read_to_string(folder.path().join("report.json"))?;
    let all = [text(&output.stdout), text(&output.stderr), json].concat();
    assert!(all.contains(r#"--auth-secret "$SIOSPEC_AUTH_SECRET""#), "{all}");
    for hidden in ["it's a", "secret\\\" of", "an-api-key-of-ours", DEFAULT_JWT_SECRET] {
        assert!(!all.contains(hidden), "{hidden} in {all}");
    }
    Ok(())
}

#[rstest]
#[test]
async fn serves_until_it_is_told_to_stop(folder: TempDir) -> TestResult {
    let mut served =
        siospec(folder.path()).args(["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(served.stdout.take().expect("piped")).read_line(&mut line)?;
    let url = line.trim().strip_prefix("listening on ").expect("the one line").to_owned();
    let address = url.trim_start_matches("http://");

    let second = siospec(folder.path()).args(["serve", "--listen", address]).output()?;
    assert_eq!(code(&second), 2);
    assert_eq!(text(&second.stderr).lines().count(), 1, "{}", text(&second.stderr));

    let run = siospec(folder.path()).args(["run", address, "--only", "transport.open-packet"]).output()?;
    assert_eq!(code(&run), 0, "{}", text(&run.stderr));
    if cfg!(unix) {
        Command::new("kill").args(["-TERM", &served.id().to_string()]).status()?;
        assert_eq!(served.wait()?.code(), Some(0));
    } else {
        served.kill()?;
    }
    Ok(())
}

/// A report in which the target tries to play tricks on the terminal.
#[fixture]
fn report() -> RunReport {
    let hostile = "\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}txet\r\n::error::no";
    let entry = |at_ms, direction, text: &str| Entry { at_ms, connection: "a".into(), direction, text: text.into() };
    let result = |id: &str, level, row, outcome| CheckResult {
        id: id.into(),
        title: "Something holds".into(),
        level,
        row,
        outcome,
        notes: vec!["a remark".into()],
        meaning: "Users see nothing at all.".into(),
        fix: "Do it right.".into(),
        effort: (level == Level::Must).then(|| "minutes".into()),
        cites: Vec::new(),
        reproduce: format!("siospec run http://localhost:3000/ --only {id}"),
        duration_ms: 12,
        began_ms: None,
        evidence: Vec::new(),
        by_hand: Vec::new(),
        unfelt: false,
        waived: None,
        known: false,
        worse_than: None,
        tries: None,
        transcript: (0..40)
            .map(|n| entry(n * 30, Direction::Sent, "40{}"))
            .chain([entry(1_234, Direction::Received, hostile), entry(1_240, Direction::Remark, "closed")])
            .collect(),
    };
    let failure = || {
        Outcome::Fail(Failure {
            reason: "It does not hold".into(),
            sent: "40{}".into(),
            received: hostile.repeat(3).into(),
            expected: "44{\"message\":…}".into(),
            extent: None,
        })
    };
    let skip = |reason: &str| Outcome::Skip { reason: reason.to_owned().into(), lacks: None };
    RunReport {
        siospec: "0.0.0".into(),
        target: "http://localhost:3000/".into(),
        reference: false,
        started: "2026-01-02T03:04:05Z".into(),
        notes: vec!["round trip 0.5 ms".into()],
        gate: Gate::default(),
        results: vec![
            result("a.should", Level::Should, Row::C3, failure()),
            result("a.must", Level::Must, Row::C4, failure()),
            result("a.pass", Level::Must, Row::C12, Outcome::Pass),
            result("a.skip", Level::Must, Row::D, skip("needs more")),
            result("b.skip", Level::Must, Row::D, skip("needs more")),
            result("a.broken", Level::Must, Row::P, Outcome::Broken { reason: "the network went away".into() }),
        ],
        duration_ms: 62_100,
        ended: None,
    }
}

#[rstest]
#[test]
fn shows_a_report_and_obeys_no_target(report: RunReport) -> TestResult {
    let mut bytes = Vec::new();
    Terminal { width: 80 }.write(&report, &Lang::EN, &mut bytes)?;
    let shown = anstream::adapter::strip_str(&text(&bytes)).to_string();
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
    assert!(!shown.contains('\u{202e}'), "{shown:?}");
    insta::assert_snapshot!(shown);
    Ok(())
}

#[rstest]
#[test]
fn writes_json_that_no_terminal_obeys_and_that_says_the_same(report: RunReport) -> TestResult {
    let mut bytes = Vec::new();
    Json.write(&report, &Lang::EN, &mut bytes)?;
    let json = text(&bytes);
    assert!(!json.contains(|c: char| c.is_control() && c != '\n') && !json.contains('\u{202e}'), "{json:?}");
    assert_eq!(serde_json::from_str::<RunReport>(&json)?, report);
    Ok(())
}

/// One report that cannot be written costs no other, and neither does a standard error that is full.
#[cfg(target_os = "linux")]
#[rstest]
#[test]
fn what_cannot_be_written_costs_nothing_else(folder: TempDir) -> TestResult {
    let full = fs::OpenOptions::new().write(true).open("/dev/full")?;
    let output = siospec(folder.path())
        .args(["run", "--only", FAST, "--report", "json=/dev/full"])
        .args(["--report", "html=report.html", "--report", "terminal"])
        .args(["--report", "json=whole.json", "--report", "sarif=run.sarif"])
        .stderr(full)
        .output()?;
    assert_eq!(code(&output), 5);
    assert!(text(&output.stdout).contains("conforms"));
    assert!(fs::read_to_string(folder.path().join("report.html"))?.contains("</html>"));
    // The process ends with 5, and so say those that state its exit code.
    let json: Value = serde_json::from_slice(&fs::read(folder.path().join("whole.json"))?)?;
    let sarif: Value = serde_json::from_slice(&fs::read(folder.path().join("run.sarif"))?)?;
    assert_eq!(
        (&json["summary"]["exit_code"], &sarif["runs"][0]["invocations"][0]["exitCode"]),
        (&5.into(), &5.into())
    );
    Ok(())
}

/// Also where standard output alone cannot be written, after the files.
#[cfg(target_os = "linux")]
#[rstest]
#[test]
fn a_report_says_the_exit_code_when_standard_output_is_full(folder: TempDir) -> TestResult {
    let full = fs::OpenOptions::new().write(true).open("/dev/full")?;
    let mut command = siospec(folder.path());
    let output = command.args(["run", "--only", FAST, "--report", "json=run.json"]).stdout(full).output()?;
    assert_eq!(code(&output), 5);
    let report: Value = serde_json::from_slice(&fs::read(folder.path().join("run.json"))?)?;
    assert_eq!(report["summary"]["exit_code"], 5);
    Ok(())
}

/// What was judged before the interruption conforms; the process ends with 130 all the same, and the report says so.
#[cfg(unix)]
#[rstest]
#[test]
fn an_interrupted_run_says_so_in_its_report(folder: TempDir) -> TestResult {
    let mut child = siospec(folder.path())
        .args(["run", "--only", FAST, "--repeat", "1000", "--report", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut said = BufReader::new(child.stderr.take().expect("piped")).lines();
    let is_second = |line: &std::io::Result<String>| line.as_ref().is_ok_and(|line| line.contains("run 2 of 1000"));
    assert!(said.any(|line| is_second(&line)));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status()?.success());
    // Read on, so that a full pipe stops nobody.
    let rest = std::thread::spawn(move || said.count());
    let output = child.wait_with_output()?;
    rest.join().expect("a reader");
    let report: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!((code(&output), &report["summary"]["exit_code"]), (130, &Value::from(130)));
    assert!(report["notes"].to_string().contains("interrupted in run"), "{}", report["notes"]);
    Ok(())
}

/// The exit code that a report states is the one of the process, however the run ended.
#[rstest]
#[case::conforms(&["--only", FAST], 0)]
#[case::does_not_conform(&["--only", FAST, "--fault", "no-pong"], 1)]
#[case::judged_nothing(&["--safe", "--only", "rest"], 4)]
#[test]
fn the_exit_code_of_a_report_is_that_of_the_process(
    folder: TempDir,
    #[case] arguments: &[&str],
    #[case] expected: i32,
) -> TestResult {
    let output = siospec(folder.path()).arg("run").args(arguments).args(["--report", "json"]).output()?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!((code(&output), &report["summary"]["exit_code"]), (expected, &Value::from(expected)));
    Ok(())
}

/// What others would feel is left out, and the report says what.
#[rstest]
#[test]
fn a_safe_run_leaves_out_what_others_would_feel(folder: TempDir) -> TestResult {
    let only = "rest.emit-once,reconnect.storm,transport.polling-handshake";
    let output = siospec(folder.path()).args(["run", "--safe", "--only", only, "--report", "json"]).output()?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let results = report["results"].as_array().expect("results").iter();
    let outcomes: Vec<_> = results.map(|it| ["id", "outcome", "lacks"].map(|key| it[key].as_str())).collect();
    // Left out is not judged, and shows as that in its row.
    assert_eq!(
        outcomes,
        [
            [Some("transport.polling-handshake"), Some("pass"), None],
            [Some("rest.emit-once"), Some("skip"), Some("leave")],
            [Some("reconnect.storm"), Some("skip"), Some("leave")],
        ]
    );
    assert_eq!(code(&siospec(folder.path()).args(["run", "--safe", "--only", "rest"]).output()?), 4);
    let listed = siospec(folder.path()).args(["list", "--effects", "--only", "reconnect.storm"]).output()?;
    assert!(text(&listed.stdout).contains("fragile target"));
    Ok(())
}
