//! What a team keeps beside its runs, and blocks merges with: waivers, baselines, differences, shards, transcripts.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Json, Router,
    http::{StatusCode, Uri},
    routing,
};
use rstest::{fixture, rstest};
use serde_json::{Value, json};
use siospec::{
    catalogue,
    contract::{self, Contract, Layers},
    gate::{fingerprint, without_changing_parts},
    mock::{DEFAULT_JWT_SECRET, Fault, Options, ReferenceServer},
    probe::Tokens,
    redact::Redactor,
    verdict::{CheckResult, ExitCode, Extent, Outcome, RunReport},
};
use tempfile::TempDir;

use crate::harness::{TestResult, process, skip};

/// Two quick checks: one that the fault `no-pong` fails, one that it does not touch.
const TWO: &str = "events.ping-pong,transport.open-packet";

#[fixture]
fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// What came of a command in that folder.
struct Said {
    code: i32,
    stdout: String,
    stderr: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Said {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Said {
            code: output.status.code().expect("an exit code"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Said {
    /// All of it, on one line, whatever the width of the page was.
    fn all(&self) -> String {
        format!("{} {}", self.stdout, self.stderr).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn ends(self, code: ExitCode, says: &[&str]) -> Said {
        assert_eq!(self.code, code as i32, "{}{}", self.stdout, self.stderr);
        for says in says {
            assert!(self.all().contains(says), "no {says:?} in:\n{}{}", self.stdout, self.stderr);
        }
        self
    }
}

fn siospec(folder: &Path, arguments: &[&str]) -> std::io::Result<Said> {
    Ok(process::siospec(folder).args(arguments).output()?.into())
}

/// A run of the two checks at the reference server with a fault, its report in `file`.
fn run(folder: &Path, fault: Option<&str>, file: &str, more: &[&str]) -> std::io::Result<Said> {
    let output = format!("json={file}");
    let mut arguments = vec!["run", "--only", TWO, "--deadline", "1s", "--report", &output];
    arguments.extend(fault.iter().flat_map(|fault| ["--fault", fault]));
    arguments.extend(more);
    siospec(folder, &arguments)
}

fn read(folder: &Path, file: &str) -> Result<RunReport, Box<dyn std::error::Error>> {
    Ok(serde_json::from_str(&fs::read_to_string(folder.join(file))?)?)
}

fn waiver(check: &str, until: &str) -> String {
    format!(
        "[[waive]]\ncheck = \"{check}\"\nreason = \"the handler is rewritten\"\nowner = \"anna\"\nuntil = {until}\n"
    )
}

/// A finding that does not fail the run hides no MUST.
#[rstest]
#[case::of_a_lower_level(
    "reverses-payload,loses-bursts,takes-one-attachment-only",
    "engine.payload-batching,engine.order,socket.binary-event",
    "socket.binary-event"
)]
#[case::by_a_status(
    "unknown-sid-not-found,keeps-dead-sessions",
    "engine.unknown-sid,reconnect.new-session",
    "reconnect.new-session"
)]
#[test]
fn what_is_only_a_finding_blocks_nothing(
    folder: TempDir,
    #[case] faults: &str,
    #[case] checks: &str,
    #[case] fails: &str,
) -> TestResult {
    let short = ["--ping-interval", "1s", "--ping-timeout", "1s", "--report", "json=run.json"];
    let arguments = [&["run", "--fault", faults, "--only", checks, "--deadline", "2s"][..], &short[..]].concat();
    siospec(folder.path(), &arguments)?.ends(ExitCode::DoesNotConform, &[&format!("FAIL {fails}")]);
    let report = read(folder.path(), "run.json").expect("a report");
    assert_eq!(report.counts().blocked, 0, "{report:#?}");
    Ok(())
}

/// A waiver is for one check, and for no other.
#[rstest]
#[test]
fn a_waived_failure_blocks_nothing(folder: TempDir) -> TestResult {
    let only = ["--only", "auth.valid-token,events.*,rooms.member-receives", "--report", "json=run.json"];
    let run = |more: &[&str]| {
        let faults = ["run", "--fault", "rejects-valid-token", "--deadline", "1s"];
        siospec(folder.path(), &[&faults[..], &only[..], more].concat())
    };
    run(&[])?.ends(ExitCode::DoesNotConform, &["auth.valid-token failed, and without it there is nothing to judge"]);
    let blocked_by_it = || {
        let report = read(folder.path(), "run.json").expect("a report");
        let is_blocked =
            |it: &&CheckResult| matches!(&it.outcome, Outcome::Blocked { by, .. } if by == "auth.valid-token");
        report.results.iter().filter(is_blocked).count()
    };
    assert!(blocked_by_it() > 3, "{}", blocked_by_it());
    fs::write(folder.path().join("w.toml"), waiver("auth.valid-token", "2999-12-31"))?;
    // What rests on it sees for itself that nobody gets in.
    run(&["--config", "w.toml"])?.ends(ExitCode::OwnFault, &["WAIVED auth.valid-token", "UNSURE events.ping-pong"]);
    assert_eq!(blocked_by_it(), 0);
    Ok(())
}

#[rstest]
#[case::nothing_given(&[], ExitCode::NothingMatched, "not enough was judged: ")]
#[case::accepted(&["--allow-incomplete"], ExitCode::Conforms, "(accepted: --allow-incomplete)")]
#[case::nobody_gets_in(&["--auth-secret", "another-secret-than-the-server-has"], ExitCode::DoesNotConform, "auth.valid-token")]
#[test]
async fn without_a_token_not_enough_is_judged(
    folder: TempDir,
    #[case] more: &'static [&'static str],
    #[case] code: ExitCode,
    #[case] says: &str,
) -> TestResult {
    let server = ReferenceServer::start(Options::default()).await?;
    let (at, url) = (folder.path().to_owned(), server.url().to_owned());
    let run = move || {
        let checks = "auth.missing-token,auth.valid-token,auth.expired,socket.connect,transport.open-packet";
        process::siospec(&at).args(["run", &url, "--only", checks, "--report", "json=run.json"]).args(more).output()
    };
    let said = Said::from(tokio::task::spawn_blocking(run).await??);
    let flags: &[&str] = if more.len() > 1 { &[] } else { &["--auth-secret", "--choices-guests=true"] };
    said.ends(code, &[&[says], flags].concat());
    // The stored report comes to the same.
    assert_eq!(read(folder.path(), "run.json").expect("a report").exit_code(), code);
    Ok(())
}

#[rstest]
#[case::today("events.ping-pong", contract::today().to_string())]
#[case::long_after("events.*", "2999-12-31".to_owned())]
#[case::as_text("events", "\"2999-12-31\"".to_owned())]
#[test]
fn a_waived_failure_is_shown_and_does_not_fail_the_run(
    folder: TempDir,
    #[case] check: &str,
    #[case] until: String,
) -> TestResult {
    fs::write(folder.path().join("w.toml"), waiver(check, &until))?;
    let said = run(folder.path(), Some("no-pong"), "run.json", &["--config", "w.toml"])?;
    let waived = format!("waived until {} by anna: the handler is rewritten", until.trim_matches('"'));
    said.ends(ExitCode::Conforms, &[&waived, "0 failed, 1 waived", "WAIVED events.ping-pong"]);
    // The stored report says the same.
    let report = read(folder.path(), "run.json").expect("a report");
    assert_eq!(report.exit_code(), ExitCode::Conforms);
    assert!(report.results.iter().any(|result| result.is_failure() && result.is_waived()));
    Ok(())
}

#[rstest]
#[test]
fn a_waiver_that_ran_out_no_longer_holds(folder: TempDir) -> TestResult {
    let yesterday = contract::today().yesterday().expect("there was one").to_string();
    fs::write(folder.path().join("w.toml"), waiver("events.ping-pong", &yesterday))?;
    let said = run(folder.path(), Some("no-pong"), "run.json", &["--config", "w.toml"])?;
    said.ends(
        ExitCode::DoesNotConform,
        &[&format!("the waiver of anna ran out on {yesterday}"), "FAIL events.ping-pong"],
    );
    Ok(())
}

#[rstest]
#[case::passed("events.ping-pong", "it passed; take the waiver out")]
#[case::not_selected("auth.expired", "it was not selected")]
#[test]
fn a_waiver_that_covers_nothing_is_reported(folder: TempDir, #[case] check: &str, #[case] why: &str) -> TestResult {
    fs::write(folder.path().join("w.toml"), waiver(check, "2999-12-31"))?;
    let said = run(folder.path(), None, "run.json", &["--config", "w.toml"])?;
    said.ends(
        ExitCode::Conforms,
        &[&format!("the waiver of {check} (by anna, until 2999-12-31) covers nothing: {why}")],
    );
    Ok(())
}

#[rstest]
#[case::unknown_check(
    "[[waive]]\ncheck = \"auth.expird\"\nreason = \"r\"\nowner = \"o\"\nuntil = 2999-01-01",
    "siospec.toml:2:9",
    "did you mean `auth.expired`?"
)]
#[case::unknown_field(
    "[[waive]]\ncheck = \"auth\"\nreasn = \"r\"\nowner = \"o\"\nuntil = 2999-01-01",
    "siospec.toml:3:1",
    "did you mean `reason`?"
)]
#[case::no_owner(
    "path = \"/x\"\n[[waive]]\ncheck = \"auth\"\nreason = \"r\"\nuntil = 2999-01-01",
    "siospec.toml:2:1",
    "a waiver without `owner`"
)]
#[case::no_such_day(
    "[[waive]]\ncheck = \"auth\"\nreason = \"r\"\nowner = \"o\"\nuntil = \"2999-02-30\"",
    "siospec.toml:5:9",
    "expected a day such as 2027-01-31, found 2999-02-30"
)]
#[case::a_moment(
    "[[waive]]\ncheck = \"auth\"\nreason = \"r\"\nowner = \"o\"\nuntil = 2999-02-03T10:00:00",
    "siospec.toml:5:9",
    "not a day"
)]
#[case::empty(
    "[[waive]]\ncheck = \"auth\"\nreason = \" \"\nowner = \"o\"\nuntil = 2999-01-01",
    "siospec.toml:3:10",
    "found an empty one"
)]
#[case::one_table("[waive]\ncheck = \"auth\"", "siospec.toml:1:1", "expected [[waive]]")]
#[case::misspelt_table("[[waiver]]\ncheck = \"auth\"", "siospec.toml:1:3", "did you mean `waive`?")]
#[case::no_pattern(
    "[[waive]]\ncheck = \"auth.{\"\nreason = \"r\"\nowner = \"o\"\nuntil = 2999-01-01",
    "siospec.toml:2:9",
    "is no pattern"
)]
#[test]
fn a_wrong_waiver_is_shown_with_its_place(
    folder: TempDir,
    #[case] file: &str,
    #[case] place: &str,
    #[case] says: &str,
) -> TestResult {
    fs::write(folder.path().join("siospec.toml"), file)?;
    siospec(folder.path(), &["run", "http://127.0.0.1:9"])?.ends(ExitCode::UsersMistake, &[place, says]);
    Ok(())
}

#[rstest]
#[test]
fn failures_of_the_baseline_are_known_and_only_new_ones_fail(folder: TempDir) -> TestResult {
    let at = folder.path();
    run(at, Some("no-pong"), "run.json", &[])?.ends(ExitCode::DoesNotConform, &[]);
    siospec(at, &["baseline", "run.json"])?.ends(ExitCode::Conforms, &["siospec-baseline.json: 1 failure accepted"]);

    let baseline = ["--baseline", "siospec-baseline.json"];
    let new = [&baseline[..], &["--fail-on", "new"]].concat();
    run(at, Some("no-pong"), "again.json", &new)?
        .ends(ExitCode::Conforms, &["known: the failure is in the baseline", "1 failed", "1 known"]);
    assert_eq!(read(at, "again.json").expect("a report").exit_code(), ExitCode::Conforms);
    // Known, and yet a failure, unless only new ones count.
    run(at, Some("no-pong"), "again.json", &baseline)?.ends(ExitCode::DoesNotConform, &["known: "]);
    // Another reason, another failure.
    run(at, Some("double-pong"), "again.json", &new)?.ends(ExitCode::DoesNotConform, &["❌ does not conform"]);
    run(at, None, "again.json", &new)?.ends(ExitCode::Conforms, &["passes now: events.ping-pong"]);
    Ok(())
}

/// The same words of five clients of ten and of all of them.
#[rstest]
#[test]
fn a_known_failure_that_is_worse_by_now_is_new(folder: TempDir) -> TestResult {
    let at = folder.path();
    let run = |fault: &str, file: &str, more: &[&str]| {
        let output = format!("json={file}");
        let run = ["run", "--only", "rest.emit-all", "--deadline", "1s", "--fault", fault, "--report", &output];
        siospec(at, &[&run[..], more].concat())
    };
    let (some, all) = ("rest-skips-polling", "rest-emits-nothing");
    run(some, "some.json", &[])?.ends(ExitCode::DoesNotConform, &["misses 5 of 10 clients"]);
    run(all, "all.json", &[])?.ends(ExitCode::DoesNotConform, &["misses 10 of 10 clients"]);
    for (report, baseline) in [("some.json", "b-some.json"), ("all.json", "b-all.json")] {
        siospec(at, &["baseline", report, "-o", baseline])?.ends(ExitCode::Conforms, &["1 failure accepted"]);
    }

    let new = |baseline| ["--fail-on", "new", "--baseline", baseline];
    run(some, "again.json", &new("b-some.json"))?
        .ends(ExitCode::Conforms, &["known: the failure is in the baseline", "1 known"]);
    let worse = "known, but worse: 5 of 10 before, 10 of 10 now";
    run(all, "worse.json", &new("b-some.json"))?
        .ends(ExitCode::DoesNotConform, &[worse, "1 failed, 1 known, but worse", "FAIL rest.emit-all"]);
    let report = read(at, "worse.json").expect("a report");
    assert_eq!((report.exit_code(), report.counts().worse), (ExitCode::DoesNotConform, 1));
    run(all, "markdown.json", &[&new("b-some.json")[..], &["--report", "markdown=worse.md"]].concat())?;
    assert!(fs::read_to_string(at.join("worse.md"))?.contains(worse));
    let thai = run(all, "th.json", &[&new("b-some.json")[..], &["--lang", "th"]].concat())?;
    assert!(!thai.all().contains("worse"), "{}", thai.stdout);
    run(some, "better.json", &new("b-all.json"))?.ends(ExitCode::Conforms, &["known: the failure is in the baseline"]);

    siospec(at, &["diff", "some.json", "all.json"])?
        .ends(ExitCode::DoesNotConform, &["Changed MUST rest.emit-all", "worse than before: 1 changed"]);
    siospec(at, &["diff", "all.json", "some.json"])?.ends(ExitCode::Conforms, &["nothing changed"]);

    // A file of a version that knew no extent goes by the reason alone.
    let mut old: Value = serde_json::from_str(&fs::read_to_string(at.join("b-some.json"))?)?;
    old["failures"][0].as_object_mut().expect("an entry").remove("extent").expect("an extent");
    fs::write(at.join("old.json"), old.to_string())?;
    run(all, "again.json", &new("old.json"))?.ends(ExitCode::Conforms, &["known: the failure is in the baseline"]);
    Ok(())
}

#[rstest]
#[case::a_little_more((1, 10), (4, 10), false)]
#[case::by_half_of_all((1, 10), (6, 10), true)]
#[case::from_half_to_all((2, 4), (4, 4), true)]
#[case::nearly_all_before((8, 10), (10, 10), false)]
#[case::many_times_as_many((2, 200), (60, 200), true)]
#[case::many_times_a_little((1, 200), (40, 200), false)]
#[case::of_fewer((5, 10), (10, 20), false)]
#[case::of_fewer_and_all((5, 20), (10, 10), true)]
#[case::better((10, 10), (1, 10), false)]
#[case::of_nothing((0, 0), (1, 1), false)]
#[case::of_a_file_that_anybody_wrote((u16::MAX, u16::MAX), (1, u16::MAX), false)]
#[test]
fn worse_is_what_chance_does_not_make(#[case] before: (u16, u16), #[case] now: (u16, u16), #[case] worse: bool) {
    let [before, now] = [before, now].map(|(failed, of)| Extent::Share { failed, of });
    assert_eq!(now.is_worse_than(before), worse);
}

/// How a server treats what no client sends is for its maintainers to know, and may be left at that.
#[rstest]
#[test]
fn what_no_client_meets_may_be_let_pass(folder: TempDir) -> TestResult {
    let at = folder.path();
    let run = |faults: &str, fail_on: &str| {
        let run =
            ["run", "--only", "engine.transport-missing,socket.unknown-type,events.ping-pong", "--deadline", "1s"];
        siospec(at, &[&run[..], &["--fault", faults, "--fail-on", fail_on, "--report", "json=felt.json"]].concat())
    };
    let unfelt = "serves-missing-transport,ignores-unknown-type";
    run(unfelt, "must")?.ends(ExitCode::DoesNotConform, &["2 failed"]);
    run(unfelt, "felt")?.ends(ExitCode::Conforms, &["engine.transport-missing", "clients can meet fail this run"]);
    // A stored report comes to the same.
    assert_eq!(read(at, "felt.json").expect("a report").exit_code(), ExitCode::Conforms);
    run(&format!("{unfelt},no-pong"), "felt")?.ends(ExitCode::DoesNotConform, &["events.ping-pong"]);
    Ok(())
}

/// Two pongs and nine are the same words.
#[rstest]
#[test]
fn more_copies_than_before_are_new(folder: TempDir) -> TestResult {
    let at = folder.path();
    let run = ["run", "--only", "events.ping-pong", "--fault", "double-pong", "--report", "json=now.json"];
    siospec(at, &run)?.ends(ExitCode::DoesNotConform, &[]);
    siospec(at, &["baseline", "now.json", "-o", "baseline.json"])?.ends(ExitCode::Conforms, &["1 failure accepted"]);
    let gated = [&run[..], &["--fail-on", "new", "--baseline", "baseline.json"]].concat();
    siospec(at, &gated)?.ends(ExitCode::Conforms, &["1 known"]);

    let mut before: Value = serde_json::from_str(&fs::read_to_string(at.join("baseline.json"))?)?;
    let copies = before["failures"][0]["extent"].as_object_mut().expect("an extent");
    assert_eq!(copies.insert("copies".into(), 1.into()), Some(2.into()));
    fs::write(at.join("baseline.json"), before.to_string())?;
    siospec(at, &gated)?.ends(ExitCode::DoesNotConform, &["known, but worse: came 1× before, 2× now"]);
    Ok(())
}

#[rstest]
#[case::another(2, 3, false)]
#[case::twice_as_many(2, 4, true)]
#[case::fewer(9, 2, false)]
#[test]
fn twice_as_many_copies_are_worse(#[case] before: u16, #[case] now: u16, #[case] worse: bool) {
    let [before, now] = [before, now].map(|copies| Extent::Copies { copies });
    assert_eq!(now.is_worse_than(before), worse);
    assert!(!now.is_worse_than(Extent::share(1, 10)));
}

#[rstest]
#[case::new_without_baseline(&["run", "--fail-on", "new"], "--baseline")]
#[case::report_as_baseline(&["run", "--baseline", "report.json"], "`siospec baseline` makes a baseline of it")]
#[case::no_baseline(&["run", "--baseline", "missing.json"], "cannot read missing.json")]
#[case::no_json(&["diff", "text.json", "report.json"], "text.json is not JSON")]
#[case::missing(&["diff", "missing.json", "report.json"], "cannot read missing.json")]
#[case::no_report(&["baseline", "other.json"], "other.json is no JSON report")]
#[case::of_the_future(&["merge", "future.json"], "future.json is a report of schema 99")]
#[case::no_shard(&["run", "--shard", "5/4"], "write 1/4, 2/4, 3/4, 4/4")]
#[test]
fn mistakes_are_told(folder: TempDir, #[case] arguments: &[&str], #[case] says: &str) -> TestResult {
    let files = [("report.json", r#"{"schema":2,"results":[]}"#), ("text.json", "no"), ("other.json", "{}")];
    for (name, text) in files.into_iter().chain([("future.json", r#"{"schema":99}"#)]) {
        fs::write(folder.path().join(name), text)?;
    }
    siospec(folder.path(), arguments)?.ends(ExitCode::UsersMistake, &[says]);
    Ok(())
}

#[rstest]
#[case::must("must", ExitCode::Conforms)]
#[case::should("should", ExitCode::DoesNotConform)]
#[test]
fn should_findings_fail_where_they_are_to(
    folder: TempDir,
    #[case] fail_on: &str,
    #[case] code: ExitCode,
) -> TestResult {
    let arguments =
        ["run", "--only", "transport.upgrade-offered", "--fault", "no-upgrade-offered", "--fail-on", fail_on];
    siospec(folder.path(), &arguments)?.ends(code, &["1 to improve"]);
    Ok(())
}

#[rstest]
#[test]
fn a_difference_tells_what_is_fixed_and_what_broke(folder: TempDir) -> TestResult {
    let at = folder.path();
    run(at, None, "good.json", &[])?;
    run(at, Some("no-pong"), "bad.json", &[])?;
    run(at, Some("double-pong"), "other.json", &[])?;
    siospec(at, &["diff", "good.json", "bad.json"])?.ends(
        ExitCode::DoesNotConform,
        &["❌ Broken MUST events.ping-pong (pass → fail)", "worse than before: 1 broken"],
    );
    siospec(at, &["diff", "bad.json", "good.json"])?.ends(ExitCode::Conforms, &["✅ Fixed MUST events.ping-pong"]);
    siospec(at, &["diff", "bad.json", "bad.json"])?.ends(ExitCode::Conforms, &["no regression: nothing changed"]);
    siospec(at, &["diff", "bad.json", "other.json"])?.ends(ExitCode::Conforms, &["Changed MUST events.ping-pong"]);

    let markdown = siospec(at, &["diff", "good.json", "bad.json", "--format", "markdown"])?;
    assert!(markdown.stdout.contains("- `events.ping-pong` (MUST): pass → fail"), "{}", markdown.stdout);
    let json = siospec(at, &["diff", "good.json", "bad.json", "--format", "json"])?;
    let json: Value = serde_json::from_str(&json.stdout)?;
    assert_eq!((&json["regression"], &json["broken"][0]["id"]), (&json!(true), &json!("events.ping-pong")));

    // A check more, and one less.
    siospec(at, &["run", "--only", "transport.open-packet,transport.unique-sid", "--report", "json=less.json"])?;
    siospec(at, &["diff", "good.json", "less.json"])?.ends(
        ExitCode::Conforms,
        &["New checks MUST transport.unique-sid (pass)", "Gone MUST events.ping-pong (pass)"],
    );
    Ok(())
}

/// A server with just enough Socket.IO to be tested, whose REST route fails at every `n`th call, from the first on.
async fn fickle(n: usize) -> String {
    let calls = Arc::new(AtomicUsize::new(0));
    let notify = move || async move {
        let is_good = !calls.fetch_add(1, Ordering::SeqCst).is_multiple_of(n);
        Json(json!({ "success": is_good }))
    };
    let open =
        r#"0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":[],"pingInterval":300,"pingTimeout":200,"maxPayload":1000000}"#;
    // It knows none of its sessions again, so that nobody waits for anything on them.
    let unknown = (StatusCode::BAD_REQUEST, r#"{"code":1,"message":"Session ID unknown"}"#);
    let answer = move |uri: Uri| async move {
        if uri.query().unwrap_or_default().contains("sid=") { Err(unknown) } else { Ok(open) }
    };
    let app = Router::new()
        .route("/socket.io/", routing::get(answer).post(move || async move { unknown }))
        .route("/api/notify", routing::post(notify));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

#[rstest]
#[case::without(2, &[], ExitCode::DoesNotConform, "1 failed")]
#[case::retried(2, &["--retries", "2"], ExitCode::DoesNotConform, "flaky: passed 1×, failed 1× in 2 runs")]
#[case::allowed(2, &["--retries", "2", "--allow-flaky"], ExitCode::Conforms, "passes, with failures that are accepted")]
#[case::never_passed(1, &["--retries", "2", "--allow-flaky"], ExitCode::DoesNotConform, "run 3×: failed 3×")]
#[case::repeated(3, &["--repeat", "3"], ExitCode::DoesNotConform, "flaky: passed 2×, failed 1× in 3 runs")]
#[case::repeated_and_allowed(3, &["--repeat", "3", "--allow-flaky"], ExitCode::Conforms, "1 flaky")]
#[test]
async fn a_check_of_different_verdicts_is_flaky(
    folder: TempDir,
    #[case] n: usize,
    #[case] flags: &[&str],
    #[case] code: ExitCode,
    #[case] says: &str,
) -> TestResult {
    let url = fickle(n).await;
    let mut arguments = vec!["run", url.as_str(), "--only", "rest.response", "--report", "json=run.json"];
    arguments.extend(flags);
    let (at, arguments) = (folder.path().to_owned(), arguments.into_iter().map(str::to_owned).collect::<Vec<_>>());
    // The server runs in this process.
    let said: Said = tokio::task::spawn_blocking(move || process::siospec(&at).args(arguments).output()).await??.into();
    said.ends(code, &[says]);
    assert_eq!(read(folder.path(), "run.json").expect("a report").exit_code(), code);
    Ok(())
}

#[rstest]
#[test]
fn shards_part_the_checks_and_merge_into_the_whole(folder: TempDir) -> TestResult {
    let at = folder.path();
    let only =
        "transport.open-packet,transport.unique-sid,events.ping-pong,transport.same-port,transport.polling-handshake";
    let files = ["1.json", "2.json", "3.json"];
    let mut seen = BTreeSet::new();
    for (number, file) in files.iter().enumerate() {
        let shard = format!("{}/3", number + 1);
        let flags = [
            "run",
            "--only",
            only,
            "--fault",
            "no-pong",
            "--deadline",
            "1s",
            "--shard",
            &shard,
            "--report",
            &format!("json={file}"),
        ];
        let said = siospec(at, &flags)?;
        if said.code == ExitCode::NothingMatched as i32 {
            return skip("these five checks leave a shard of three empty");
        }
        for result in read(at, file).expect("a report").results {
            assert!(seen.insert(result.id.clone()), "{} is in two shards", result.id);
        }
    }
    assert_eq!(seen.len(), 5);
    let merged = siospec(at, &["merge", "1.json", "2.json", "3.json", "--report", "json=all.json"])?;
    merged.ends(ExitCode::DoesNotConform, &["4 passed, 1 failed"]);
    let all = read(at, "all.json").expect("a report");
    let order: Vec<&str> = catalogue::all().map(|entry| entry.check.id).filter(|id| seen.contains(*id)).collect();
    assert_eq!(all.results.iter().map(|result| result.id.as_str()).collect::<Vec<_>>(), order);

    // What is missing is no pass.
    let failed = files.iter().position(|file| read(at, file).is_ok_and(|report| report.counts().failed > 0));
    let failed = failed.expect("one failed");
    let others: Vec<&str> = files.iter().enumerate().filter(|(at, _)| *at != failed).map(|(_, file)| *file).collect();
    let says = format!("and {} missing", failed + 1);
    siospec(at, &[&["merge"], &others[..]].concat())?.ends(ExitCode::OwnFault, &["incomplete: of 3 shards", &says]);
    Ok(())
}

#[rstest]
#[test]
fn the_shards_of_the_catalogue_are_even() {
    use siospec::gate::Shard;
    let count = catalogue::all().count();
    for number in 1..=4 {
        let held = catalogue::all().filter(|entry| Shard { number, count: 4 }.holds(entry.check.id)).count();
        assert!(held * 10 > count, "shard {number} of 4 holds {held} of {count}");
    }
}

#[rstest]
#[test]
fn results_that_disagree_are_flaky_when_merged(folder: TempDir) -> TestResult {
    let at = folder.path();
    run(at, None, "good.json", &[])?;
    run(at, Some("no-pong"), "bad.json", &[])?;
    siospec(at, &["merge", "good.json", "bad.json"])?
        .ends(ExitCode::DoesNotConform, &["flaky: passed 1×, failed 1× in 2 runs"]);
    siospec(at, &["merge", "good.json", "good.json"])?.ends(ExitCode::Conforms, &["2 passed, 0 failed"]);
    let mut other: Value = serde_json::from_str(&fs::read_to_string(at.join("good.json"))?)?;
    other["siospec"] = json!("9.9.9");
    fs::write(at.join("other.json"), other.to_string())?;
    siospec(at, &["merge", "good.json", "other.json"])?
        .ends(ExitCode::UsersMistake, &["good.json and other.json do not belong together: the version of siospec is"]);
    Ok(())
}

#[rstest]
#[test]
fn transcripts_hold_what_went_over_the_wire_of_passing_checks_too(folder: TempDir) -> TestResult {
    let said = run(folder.path(), None, "run.json", &["--transcript"])?.ends(ExitCode::Conforms, &[]);
    assert!(said.stdout.contains("events.ping-pong: pass") && said.stdout.contains("42[\"ping\"]"), "{}", said.stdout);
    // The report stays as it would be.
    let report = read(folder.path(), "run.json").expect("a report");
    assert!(report.results.iter().all(|result| result.transcript.is_empty()));

    run(folder.path(), Some("no-pong"), "run.json", &["--transcript=wire/of/it"])?.ends(ExitCode::DoesNotConform, &[]);
    let files: Vec<_> = fs::read_dir(folder.path().join("wire/of/it"))?.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["events.ping-pong.txt"]);
    Ok(())
}

#[rstest]
#[test]
async fn no_output_holds_a_secret(folder: TempDir) -> TestResult {
    let faults = [Fault::NoPong, Fault::AcceptsAnySignature, Fault::RestAnswersPage];
    let server = ReferenceServer::start(Options::default().with_faults(faults)).await?;
    let at = folder.path().to_owned();
    let url = server.url().to_owned();
    let (said, diff) = tokio::task::spawn_blocking(move || -> std::io::Result<(Said, Said)> {
        let only = "auth,events.ping-pong,rest.response,transport.open-packet";
        let run = |more: &[&str]| {
            let mut command = process::siospec(&at);
            command.args(["run", &url, "--only", only, "--max-wait", "1s", "--verbose"]).args(more);
            command.env("SIOSPEC_AUTH_SECRET", DEFAULT_JWT_SECRET);
            command.env("SIOSPEC_HEADERS", r#"{"Cookie":"lang=th; session=s3cr3t-cookie-of-ours"}"#);
            command.env("SIOSPEC_REST_CREDENTIALS", r#"{"x-api-key":"an-api-key-of-ours"}"#).output().map(Said::from)
        };
        run(&["--transcript=wire", "--report", "json=old.json"])?;
        let said = run(&["--transcript", "--report", "json=new.json", "--retries", "1"])?;
        siospec(&at, &["baseline", "new.json"])?;
        Ok((said, siospec(&at, &["diff", "old.json", "new.json", "--format", "json"])?))
    })
    .await??;
    let mut outputs = vec![said.stdout, said.stderr, diff.stdout];
    let files = fs::read_dir(folder.path())?.chain(fs::read_dir(folder.path().join("wire"))?);
    for file in files {
        let path = file?.path();
        if path.is_file() {
            outputs.push(fs::read_to_string(path)?);
        }
    }
    assert!(outputs.len() > 8, "{}", outputs.len());
    let all = outputs.concat();
    assert!(
        all.contains("\"$TOKEN\"") && all.contains("-H 'Cookie: '\"$COOKIE\"") && all.contains("$X_API_KEY"),
        "{all}"
    );
    for hidden in [DEFAULT_JWT_SECRET, "eyJ", "s3cr3t-cookie-of-ours", "an-api-key-of-ours"] {
        let line = all.lines().find(|line| line.contains(hidden));
        assert!(line.is_none(), "{hidden} in {line:?}");
    }
    Ok(())
}

#[rstest]
#[test]
async fn what_shows_a_failure_by_hand_can_be_run(folder: TempDir) -> TestResult {
    if Command::new("curl").arg("--version").output().is_err() {
        return skip("needs curl");
    }
    // Polling shows the failure first; the second pong comes with the first, or right after.
    let options = Options::default().with_ping_interval(std::time::Duration::from_secs(2));
    let server = ReferenceServer::start(options.with_fault(Fault::DoublePong)).await?;
    let url = server.url().to_owned();
    let at = folder.path().to_owned();
    let contract = Contract::load(Layers {
        file: None,
        env: std::iter::empty(),
        flags: vec![("auth.secret", DEFAULT_JWT_SECRET.to_owned())],
    });
    let token = Tokens::new(&contract.expect("a contract"), Redactor::new()).valid("anna").await;
    let token = token.expect("a token").expect("a source of tokens");
    let (script, output) = tokio::task::spawn_blocking(move || -> std::io::Result<(String, Said)> {
        let mut command = process::siospec(&at);
        command.args(["run", &url, "--only", "events.ping-pong", "--report", "json=run.json"]);
        command.env("SIOSPEC_AUTH_SECRET", DEFAULT_JWT_SECRET).output()?;
        let report: Value = serde_json::from_str(&fs::read_to_string(at.join("run.json"))?)?;
        let script = serde_json::from_value::<CheckResult>(report["results"][0].clone())?.script();
        let output = Command::new("bash").args(["-c", &script]).env("TOKEN", token).output()?;
        Ok((script, output.into()))
    })
    .await??;
    assert!(output.stdout.contains("42[\"pong\"]"), "{script}\n{}{}", output.stdout, output.stderr);
    Ok(())
}

#[rstest]
#[case::websocket(
    "accepts-missing-token-on-websocket",
    "auth.missing-token",
    "{ printf '%s\\n' '40'; sleep 5; } | websocat -t --linemode-strip-newlines -H 'Cookie: '\"$COOKIE\" \
     -H 'origin: http://127.0.0.1:"
)]
#[case::request(
    "rest-answers-page",
    "rest.response",
    "curl -i -X POST -H 'Cookie: '\"$COOKIE\" -H 'authorization: Bearer '\"$TOKEN\" \
     -H 'content-type: application/json' -H 'origin: http://127.0.0.1:"
)]
#[case::start("no-pong", "events.ping-pong", "# first, elsewhere: siospec serve --listen 127.0.0.1:")]
#[test]
fn commands_are_about_the_transport_that_failed(
    folder: TempDir,
    #[case] fault: &str,
    #[case] check: &str,
    #[case] command: &str,
) -> TestResult {
    siospec(
        folder.path(),
        &["run", "--only", check, "--fault", fault, "--deadline", "1s", "--report", "json=run.json"],
    )?;
    let report = read(folder.path(), "run.json").expect("a report");
    let commands = report.results[0].script();
    assert!(commands.lines().any(|line| line.starts_with(command)), "{commands}");
    assert!(report.results[0].reproduce.ends_with(&format!("--only {check} --transcript")));
    Ok(())
}

#[rstest]
#[test]
async fn waits_for_a_server_that_is_still_starting(folder: TempDir) -> TestResult {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    drop(listener);
    let at = folder.path().to_owned();
    let url = format!("http://{address}");
    let waiting = tokio::task::spawn_blocking({
        let url = url.clone();
        move || siospec(&at, &["wait", &url, "--timeout", "30s"])
    });
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    let server = ReferenceServer::start(Options::default().with_listen(address)).await?;
    let said = waiting.await??.ends(ExitCode::Conforms, &["Socket.IO answers at"]);
    assert_eq!(said.stderr.lines().count(), 1, "{}", said.stderr);
    server.stop().await;
    Ok(())
}

#[rstest]
#[test]
fn says_what_it_saw_last_when_it_waited_in_vain(folder: TempDir) -> TestResult {
    let said = siospec(folder.path(), &["wait", "http://127.0.0.1:9", "--timeout", "2s", "--path", "/ws"])?;
    said.ends(ExitCode::Untestable, &["no Socket.IO at http://127.0.0.1:9/ws", "Nothing answers at 127.0.0.1:9"]);
    Ok(())
}

#[rstest]
#[test]
async fn waits_without_the_secrets_that_a_run_needs(folder: TempDir) -> TestResult {
    let server = ReferenceServer::start(Options::default()).await?;
    fs::write(folder.path().join("siospec.toml"), "[auth]\nsecret-env = \"A_SECRET_OF_ANOTHER_JOB\"\n")?;
    let (at, url) = (folder.path().to_owned(), server.url().to_owned());
    let said = tokio::task::spawn_blocking(move || {
        process::siospec(&at).args(["wait", &url]).env("SIOSPEC_AUTH_SECRET", "").output()
    });
    Said::from(said.await??).ends(ExitCode::Conforms, &["Socket.IO answers at"]);
    Ok(())
}

#[rstest]
#[case::bash("bash")]
#[case::zsh("zsh")]
#[case::fish("fish")]
#[case::powershell("powershell")]
#[case::elvish("elvish")]
#[test]
fn completes_in_every_shell(folder: TempDir, #[case] shell: &str) -> TestResult {
    let said = siospec(folder.path(), &["completions", shell])?.ends(ExitCode::Conforms, &[]);
    for flag in ["fail-on", "rest-path", "transcript"] {
        assert!(said.stdout.contains(flag), "{flag} is missing for {shell}");
    }
    if shell == "bash" {
        fs::write(folder.path().join("it.sh"), &said.stdout)?;
        assert!(Command::new("bash").arg("-n").arg(folder.path().join("it.sh")).status()?.success());
    }
    Ok(())
}

#[rstest]
#[test]
fn there_is_a_manual_page_for_every_command(folder: TempDir) -> TestResult {
    siospec(folder.path(), &["man", "pages"])?.ends(ExitCode::Conforms, &[]);
    for name in ["siospec", "siospec-run", "siospec-wait", "siospec-diff", "siospec-baseline", "siospec-merge"] {
        let page = fs::read_to_string(folder.path().join(format!("pages/{name}.1")))?;
        assert!(page.contains(".TH") && page.contains("SYNOPSIS"), "{page}");
    }
    let page = fs::read_to_string(folder.path().join("pages/siospec-run.1"))?;
    assert!(page.contains("fail\\-on") && page.contains("rest\\-path"), "{page}");
    let printed = siospec(folder.path(), &["man"])?.ends(ExitCode::Conforms, &[]);
    assert!(printed.stdout.contains("SYNOPSIS"), "{}", printed.stdout);
    Ok(())
}

#[rstest]
#[case::times("no `pong` within 1s 500ms", "no `pong` within 2s", true)]
#[case::counts("3 of 5 clients heard nothing", "2 of 5 clients heard nothing", true)]
#[case::nonces("heard siospec-a-61201c9dcc85b588 twice", "heard siospec-a-0000000000000000 twice", true)]
#[case::sids("session \"lv_VI97HAXpY6yYWAAAC\" lives", "session \"Vzdib-T5_ivrabkNXfTf\" lives", true)]
#[case::ports("127.0.0.1:4000 closes", "127.0.0.1:31999 closes", true)]
#[case::words("a token of RS256 is accepted", "a token of HS512 is accepted", false)]
#[case::reasons("ping is not answered", "ping is answered twice", false)]
#[case::headers("no Access-Control-Allow-Origin", "no Sec-WebSocket-Accept", false)]
#[test]
fn a_reason_is_known_again_by_what_does_not_change(#[case] a: &str, #[case] b: &str, #[case] same: bool) {
    let (told_a, told_b) = (without_changing_parts(a), without_changing_parts(b));
    assert_eq!(fingerprint(a) == fingerprint(b), same, "{told_a:?} and {told_b:?}");
}
