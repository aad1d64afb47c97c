//! The report formats: each is read by a parser that is not ours and says what the run says, and none tells a secret.

use std::{collections::BTreeMap, fs, path::Path};

use rstest::rstest;
use serde_json::{Value, json};
use siospec::{
    lang::Lang,
    mock::{DEFAULT_JWT_SECRET, Fault, ReferenceServer},
    report::{
        Json, Kind,
        scorecard::{self, Ending},
        text::{
            self,
            Piece::{self, Code, Words},
        },
    },
    runner::Runner,
    say,
    verdict::{
        CheckResult, Citation, Direction, Entry, ExitCode, Extent, FailOn, Failure, Gate, Idle, IdleWaiver, Lack,
        Level, Outcome, Row, RunReport, Step, Tries, Waived,
    },
};
use tokio::{process::Command, sync::OnceCell};

use crate::harness::{
    Stop, TestResult, Tool,
    node::Fixture,
    require,
    target::{options, reference_runner},
};

/// Findings of the levels MUST and SHOULD, and checks that are skipped because of them.
const THREE_FAULTS: [Fault; 3] = [Fault::AcceptsExpiredToken, Fault::NoPong, Fault::CacheableHandshake];

/// Each format, under the name that `fixtures/formats/read.mjs` knows.
const FILES: [(&str, Kind); 10] = [
    ("report.txt", Kind::Terminal),
    ("report.json", Kind::Json),
    ("report.xml", Kind::Junit),
    ("report.html", Kind::Html),
    ("report.md", Kind::Markdown),
    ("report.github", Kind::Github),
    ("report.sarif", Kind::Sarif),
    ("report.tap", Kind::Tap),
    ("badge.svg", Kind::Badge),
    ("badge.json", Kind::Badge),
];

type Outputs = BTreeMap<&'static str, String>;

fn outputs(report: &RunReport) -> Outputs {
    let written = |(name, kind): (&'static str, Kind)| {
        let mut bytes = Vec::new();
        let format = kind.format(Some(Path::new(name))).expect("a name that fits");
        format.write(report, &Lang::EN, &mut bytes).expect("memory can be written to");
        (name, String::from_utf8(bytes).expect("text"))
    };
    FILES.into_iter().map(written).collect()
}

/// One run of the reference server with these faults, however many tests ask for it.
async fn run(faults: &[Fault]) -> &'static RunReport {
    static FAULTY: OnceCell<RunReport> = OnceCell::const_new();
    static RIGHT: OnceCell<RunReport> = OnceCell::const_new();
    let cell = if faults.is_empty() { &RIGHT } else { &FAULTY };
    cell.get_or_init(async || {
        let options = options().guarded().with_faults(faults.iter().copied());
        let server = ReferenceServer::start(options.clone()).await.expect("a free port");
        let runner = reference_runner(&server, &options, "3s", &[], Runner::every_check()).await.expect("testable");
        std::sync::Arc::new(runner).run().await
    })
    .await
}

/// A run in which much is said: of failures, of checks that were left out, and of what could not be judged.
pub async fn broken_in_many_ways() -> RunReport {
    run(&THREE_FAULTS).await.clone()
}

const HOSTILE: &str = "\u{fffe}\u{ffff}\u{fdd0}\u{1fffe}\u{1b}]0;owned\u{7}\u{202e}\r\n::error::no\n# SKIP ]]> `` ``` ~~~ </pre></script><img src=x onerror=alert(1)> \
                       @octocat #1 [a](javascript:alert(1)) | {{ 7 }} $(id) & \"quoted\" 'single' %0A --- ...";

/// As many findings as nobody wants, of a target that plays tricks on every format.
fn hostile(checks: usize) -> RunReport {
    let result = |number: usize| {
        let level = [Level::Must, Level::Should, Level::May][number % 3];
        let failure = Failure {
            reason: say!("it does not hold, `see` {hostile}", hostile = HOSTILE.to_owned()),
            sent: HOSTILE.to_owned().into(),
            received: HOSTILE.repeat(5).into(),
            expected: "".into(),
            extent: None,
        };
        let outcome = match number % 7 {
            0 => Outcome::Pass,
            1 if number.is_multiple_of(2) => {
                Outcome::Blocked { by: "area-0.check-3".into(), reason: HOSTILE.to_owned().into() }
            }
            1 => Outcome::Skip { reason: HOSTILE.to_owned().into(), lacks: None },
            2 => Outcome::Broken { reason: HOSTILE.to_owned().into() },
            _ => Outcome::Fail(failure),
        };
        let entry = |at: u64, direction| Entry {
            at_ms: at * 300,
            connection: format!("c{}", at % 4),
            direction,
            text: format!("HTTP 200\nx-header: 1\n{}", HOSTILE.repeat(at as usize % 3)),
        };
        CheckResult {
            id: format!("area-{}.check-{number}", number / 20),
            title: "Something holds".into(),
            level,
            row: Row::ALL[number % 14],
            outcome,
            notes: vec![HOSTILE.to_owned().into()],
            meaning: "Users see nothing at all.".into(),
            fix: "Put `io.use((socket, next) => next())` into `server/plugins/socket.io.ts`.".into(),
            effort: number.is_multiple_of(2).then(|| "minutes".into()),
            cites: vec![
                Citation { place: "RFC 1, \"1\"".into(), url: "https://www.rfc-editor.org/rfc/rfc1".into() },
                Citation { place: "the checklist".into(), url: "docs/checklist.md".into() },
            ],
            reproduce: format!("siospec run 'http://localhost:3000/' --only check-{number}"),
            duration_ms: 12,
            began_ms: None,
            evidence: Vec::new(),
            by_hand: Vec::new(),
            unfelt: false,
            waived: None,
            known: false,
            worse_than: None,
            tries: None,
            transcript: (0..if number == 3 { 80 } else { 8 })
                .flat_map(|at| [entry(at, Direction::Sent), entry(at, Direction::Received)])
                .collect(),
        }
    };
    RunReport {
        siospec: "0.0.0".into(),
        target: "http://localhost:3000/".into(),
        reference: false,
        started: "2026-01-02T03:04:05Z".into(),
        notes: vec![HOSTILE.to_owned().into()],
        gate: Gate::default(),
        results: (0..checks).map(result).collect(),
        duration_ms: 62_100,
        ended: None,
    }
}

/// What the parsers of `fixtures/formats` make of the outputs.
async fn read(outputs: &Outputs) -> Result<Value, Stop> {
    let fixture = Fixture::installed("formats").await?;
    let folder = tempfile::tempdir()?;
    for (name, text) in outputs {
        fs::write(folder.path().join(name), text)?;
    }
    let read = Command::new("node").arg("read.mjs").arg(folder.path()).current_dir(&fixture.folder).output().await?;
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    Ok(serde_json::from_slice(&read.stdout)?)
}

#[track_caller]
fn assert_valid(schema: &Value, instance: &Value) {
    let validator = jsonschema::validator_for(schema).expect("a schema");
    let errors: Vec<String> = validator.iter_errors(instance).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

async fn assert_readable(report: &RunReport) -> TestResult {
    let outputs = outputs(report);
    let read = read(&outputs).await?;
    let ends = |ending| report.results.iter().filter(|result| Ending::of(result, &report.gate) == ending).count();
    let is_broken = |result: &&CheckResult| matches!(result.outcome, Outcome::Broken { .. });
    let (all, findings) = (report.results.len(), scorecard::findings(report).len());
    let unjudged = report.results.iter().filter(is_broken).count();
    let (failed, broken) = (ends(Ending::Failed), ends(Ending::Broken));
    let skipped = ends(Ending::Skipped) + ends(Ending::Blocked);
    let let_pass = [Ending::ToImprove, Ending::Waived, Ending::Known, Ending::Flaky].map(ends).iter().sum::<usize>();
    assert_eq!(all, ends(Ending::Passed) + failed + let_pass + skipped + broken);
    let ids: Vec<&str> = report.results.iter().map(|result| result.id.as_str()).collect();

    let junit = &read["junit"];
    assert_eq!(junit["errors"], json!([]));
    assert_eq!(junit["names"], json!(ids));
    let counts = [all, failed, broken, skipped + let_pass];
    assert_eq!(json!([junit["cases"], junit["failures"], junit["broken"], junit["skipped"]]), json!(counts));
    assert_eq!(junit["said"], json!(counts));

    let tap = &read["tap"];
    assert_eq!((&tap["extra"], &tap["bad"]), (&json!([]), &json!([])));
    assert_eq!(json!([tap["count"], tap["todo"], tap["skip"]]), json!([all, let_pass, skipped]));
    assert_eq!(tap["ok"], json!(failed + broken == 0));
    assert_eq!(tap["diagnosed"], json!(findings + unjudged));

    let html = &read["html"];
    for nothing in ["errors", "doubled", "dangling", "loaded", "handlers"] {
        assert_eq!(html[nothing], json!([]), "{nothing}");
    }
    let html = json!([html["articles"], html["checks"], html["rows"], html["scripts"]]);
    assert_eq!(html, json!([findings, all, 14, 1]));

    let markdown = &read["markdown"];
    assert_eq!(json!([markdown["titles"], markdown["rows"], markdown["strange"]]), json!([1, 14, []]));
    assert!(outputs["report.md"].chars().count() <= 65_536);
    let is_whole = !outputs["report.md"].contains("To fit into a comment");
    assert_eq!(is_whole, markdown["findings"] == findings && markdown["opened"] == findings + unjudged);
    assert_eq!(read["svg"], json!({ "valid": true, "root": ["svg"] }));

    let sarif: Value = serde_json::from_str(&outputs["report.sarif"])?;
    assert_eq!(read["sarif"]["errors"], json!([]));
    assert_eq!(sarif["runs"][0]["results"].as_array().map(Vec::len), Some(findings));
    let notifications = &sarif["runs"][0]["invocations"][0]["toolExecutionNotifications"];
    assert_eq!(notifications.as_array().map(Vec::len), Some(unjudged));

    assert_valid(&Json::schema(), &serde_json::from_str(&outputs["report.json"])?);
    assert_eq!(&serde_json::from_str::<RunReport>(&outputs["report.json"])?, report);

    let commands: Vec<&str> = outputs["report.github"].lines().collect();
    let is_error = |line: &&&str| line.starts_with("::error");
    assert_eq!(commands.iter().filter(is_error).count(), (failed + broken).min(10));
    let is_command =
        |line: &&str| ["error", "warning", "notice"].iter().any(|kind| line.starts_with(&format!("::{kind} title=")));
    assert!(commands.iter().all(is_command), "{commands:#?}");

    let badge: Value = serde_json::from_str(&outputs["badge.json"])?;
    assert_eq!((&badge["schemaVersion"], &badge["label"]), (&json!(1), &json!("Socket.IO")));
    Ok(())
}

#[rstest]
#[case::no_fault(&[])]
#[case::three_faults(&THREE_FAULTS)]
#[test]
async fn each_format_is_read_by_a_parser_that_is_not_ours(#[case] faults: &[Fault]) -> TestResult {
    require(Tool::Node)?;
    let report = run(faults).await;
    assert!(report.results.iter().all(|result| result.effort.is_some()));
    let counts = report.counts();
    let expected = if faults.is_empty() { (0, 0) } else { (2, 1) };
    assert_eq!((counts.failed, counts.warned), expected);
    assert_readable(report).await
}

#[rstest]
#[case::nothing(0)]
#[case::one(1)]
#[case::many(70)]
#[case::too_many(150)]
#[test]
async fn no_target_breaks_a_format(#[case] checks: usize) -> TestResult {
    require(Tool::Node)?;
    assert_readable(&hostile(checks)).await
}

/// One result of each kind that the gate knows, all of the level MUST, by the check's id.
fn gated() -> RunReport {
    let mut report = hostile(0);
    report.notes.clear();
    report.gate = Gate {
        fail_on: FailOn::New,
        allow_flaky: true,
        allow_incomplete: false,
        baseline: Some("before.json".into()),
        fixed: vec!["g.fixed".into()],
        idle_waivers: vec![IdleWaiver {
            check: "g.idle".into(),
            owner: "bert".into(),
            until: "2026-03-01".into(),
            why: Idle::Passed,
        }],
        shards: None,
    };
    let mut add = |id: &str, change: fn(&mut CheckResult)| {
        let mut result = hostile(4).results.remove(3);
        (result.id, result.level, result.notes) = (id.to_owned(), Level::Must, Vec::new());
        result.transcript.clear();
        let failure = Failure {
            reason: "the token is let in".into(),
            sent: "40{}".into(),
            received: "40{\"sid\":\"x\"}".into(),
            expected: "44".into(),
            extent: None,
        };
        result.outcome = Outcome::Fail(failure);
        change(&mut result);
        report.results.push(result);
    };
    fn waived(expired: bool) -> Option<Waived> {
        let until = if expired { "2026-01-01" } else { "2026-02-03" };
        Some(Waived { owner: "anna".into(), reason: "until the login is new".into(), until: until.into(), expired })
    }
    const FLAKY: Option<Tries> = Some(Tries { pass: 2, fail: 1, skip: 0, broken: 0 });
    add("g.new", |result| result.by_hand = vec![Step::Command("curl -i 'http://localhost/again'".into())]);
    add("g.waived", |result| result.waived = waived(false));
    add("g.expired", |result| result.waived = waived(true));
    add("g.known", |result| result.known = true);
    add("g.worse", |result| {
        result.worse_than = Some(Extent::share(1, 10));
        if let Outcome::Fail(failure) = &mut result.outcome {
            failure.extent = Some(Extent::share(10, 10));
        }
    });
    add("g.flaky", |result| result.tries = FLAKY);
    add("g.unsure", |result| {
        result.outcome = Outcome::Broken { reason: "the network failed".into() };
        result.tries = Some(Tries { fail: 0, broken: 1, ..FLAKY.unwrap_or_default() });
    });
    report
}

const WAIVED: &str = "waived until 2026-02-03 by anna: until the login is new";
const EXPIRED: &str = "the waiver of anna ran out on 2026-01-01: until the login is new";
const KNOWN: &str = "known: the failure is in the baseline";
const WORSE: &str = "known, but worse: 1 of 10 before, 10 of 10 now";
const FLAKY: &str = "flaky: passed 2×, failed 1× in 3 runs";
const UNSURE: &str = "flaky: passed 2×, could not be judged 1× in 3 runs";
const HEAD: [&str; 4] = [
    "only failures that are not in before.json, or are worse than there, fail this run (--fail-on new)",
    "flaky checks do not fail this run (--allow-flaky)",
    "the waiver of g.idle (by bert, until 2026-03-01) covers nothing: it passed; take the waiver out",
    "in the baseline, and passes now: g.fixed; update the baseline, or a new failure goes unnoticed",
];

#[rstest]
#[test]
async fn what_the_gate_lets_pass_is_no_failure_and_says_why() -> TestResult {
    require(Tool::Node)?;
    let report = gated();
    assert_eq!(report.exit_code(), ExitCode::DoesNotConform);
    assert_readable(&report).await?;
    let outputs = outputs(&report);
    let read = read(&outputs).await?;

    let verdicts = json!({
        "g.new": ["failure", "the token is let in"],
        "g.waived": ["skipped", format!("{WAIVED}; the token is let in")],
        "g.expired": ["failure", format!("the token is let in; {EXPIRED}")],
        "g.known": ["skipped", format!("{KNOWN}; the token is let in")],
        "g.worse": ["failure", format!("the token is let in; {WORSE}")],
        "g.flaky": ["skipped", format!("{FLAKY}; the token is let in")],
        "g.unsure": ["skipped", format!("{UNSURE}; could not be judged: the network failed")],
    });
    assert_eq!(read["junit"]["verdicts"], verdicts);
    assert_eq!(read["junit"]["head"], json!(HEAD));

    let todos = json!([["g.waived", WAIVED], ["g.known", KNOWN], ["g.flaky", FLAKY], ["g.unsure", UNSURE]]);
    assert_eq!(read["tap"]["todos"], todos);
    for said in HEAD {
        assert!(read["tap"]["comments"].to_string().contains(said), "{said}: {}", read["tap"]["comments"]);
    }

    let outcomes = json!({
        "g.new": "failed",
        "g.waived": "waived",
        "g.expired": "failed",
        "g.known": "known",
        "g.worse": "failed",
        "g.flaky": "flaky",
        "g.unsure": "flaky",
    });
    assert_eq!(read["html"]["outcomes"], outcomes);
    assert!(read["html"]["options"].as_array().is_some_and(|options| options.contains(&json!("waived"))));

    let sarif: Value = serde_json::from_str(&outputs["report.sarif"])?;
    let run = &sarif["runs"][0];
    let found: Vec<Value> = run["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|it| json!([it["ruleId"], it["level"], it["suppressions"][0]["justification"], it["baselineState"]]))
        .collect();
    let expected = json!([
        ["g.new", "error", null, "new"],
        ["g.waived", "warning", WAIVED, "new"],
        ["g.expired", "error", null, "new"],
        ["g.known", "warning", null, "unchanged"],
        ["g.worse", "error", null, "updated"],
        ["g.flaky", "warning", null, "new"],
    ]);
    assert_eq!(json!(found), expected);
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);

    let titles: Vec<&str> =
        outputs["report.github"].lines().filter_map(|line| line.rsplit_once("::").map(|(title, _)| title)).collect();
    let expected = [
        "::error title=MUST g.new",
        "::error title=MUST g.expired",
        "::error title=MUST g.worse",
        "::notice title=siospec",
        "::notice title=MUST g.waived (waived)",
        "::notice title=MUST g.known (known)",
        "::notice title=MUST g.flaky (flaky)",
        "::notice title=could not be judged%3A g.unsure",
    ];
    assert_eq!(titles, expected, "{}", outputs["report.github"]);

    // Whatever shows a finding shows all of this.
    let plain = |name: &str| outputs[name].split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = [
        ("report.txt", anstream::adapter::strip_str(&plain("report.txt")).to_string()),
        ("report.html", read["html"]["text"].to_string()),
        ("report.md", read["markdown"]["text"].to_string()),
        ("report.github", plain("report.github").replace("%0A", " ")),
        ("report.sarif", plain("report.sarif")),
        ("report.tap", plain("report.tap")),
        ("report.xml", read["junit"].to_string() + &plain("report.xml").replace("&apos;", "'")),
    ];
    for (name, text) in shown {
        for said in
            HEAD.into_iter().chain([WAIVED, EXPIRED, KNOWN, WORSE, FLAKY, UNSURE, "curl -i 'http://localhost/again'"])
        {
            assert!(text.contains(said), "{name} lacks {said:?}");
        }
    }
    Ok(())
}

#[rstest]
#[test]
fn nothing_that_a_target_says_is_obeyed() {
    for (name, text) in outputs(&hostile(70)) {
        let text = if name == "report.txt" { anstream::adapter::strip_str(&text).to_string() } else { text };
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{name}");
        assert!(!text.contains('\u{202e}'), "{name}");
        if name != "report.github" {
            assert!(!text.lines().any(|line| line.trim_start().starts_with("::")), "{name}");
        }
    }
}

#[rstest]
#[test]
async fn no_format_tells_a_secret() {
    let report = run(&THREE_FAULTS).await;
    let outputs = outputs(report);
    // The tokens that were sent are in there, by their labels.
    assert!(outputs["report.json"].contains("‹expired token of "), "{}", outputs["report.json"]);
    for (name, text) in &outputs {
        for secret in [DEFAULT_JWT_SECRET, "eyJ"] {
            assert!(!text.contains(secret), "{secret} in {name}");
        }
    }
}

#[rstest]
#[test]
fn the_json_schema_refuses_what_is_no_report() {
    let validator = jsonschema::validator_for(&Json::schema()).expect("a schema");
    let report: Value = serde_json::from_str(&outputs(&hostile(7))["report.json"]).expect("JSON");
    assert!(validator.is_valid(&report));
    let changes: [(&str, Value); 5] = [
        ("/schema", json!(1)),
        ("/results/0/level", json!("PERHAPS")),
        ("/results/0/outcome", json!("maybe")),
        ("/results/3/reason", json!(3)),
        ("/summary/score/right", json!(-1)),
    ];
    for (place, value) in changes {
        let mut report = report.clone();
        *report.pointer_mut(place).expect(place) = value;
        assert!(!validator.is_valid(&report), "{place}");
    }
}

#[rstest]
#[case("", &[])]
#[case("no code", &[Words("no code")])]
#[case("put `a` before `b`", &[Words("put "), Code("a"), Words(" before "), Code("b")])]
#[case("an odd ` one", &[Words("an odd ` one")])]
#[case("``` `a`", &[Words("``"), Code(" "), Words("a`")])]
#[test]
fn code_stands_between_backticks(#[case] text: &str, #[case] expected: &[Piece]) {
    assert_eq!(text::pieces(text), expected);
}

/// By a version that knew neither what a check lacks nor what blocks it.
#[rstest]
#[test]
fn a_report_of_an_older_version_is_read() {
    let mut report = hostile(2);
    report.results[1].outcome = Outcome::Skip { reason: "needs a valid token".into(), lacks: None };
    let text = outputs(&report)["report.json"].replace(r#""unjudged": 0,"#, "");
    assert!(!text.contains("lacks") && !text.contains("allow_incomplete"), "{text}");
    assert_eq!(serde_json::from_str::<RunReport>(&text).expect("a report"), report);
    let blocked =
        r#"{ "outcome": "blocked", "by": "t.a", "reason": { "text": "t.a failed", "template": "t.a failed" } }"#;
    let outcome = serde_json::from_str::<Outcome>(blocked).expect("an outcome");
    assert_eq!(outcome, Outcome::Blocked { by: "t.a".into(), reason: "t.a failed".into() });
}

#[rstest]
#[test]
fn the_score_counts_no_row_that_was_not_judged() {
    let mut report = hostile(0);
    let mut add = |row, level, outcome| {
        let result = CheckResult { row, level, outcome, ..hostile(1).results.remove(0) };
        report.results.push(result);
    };
    let failure = || {
        Outcome::Fail(Failure {
            reason: "no".into(),
            sent: "".into(),
            received: "".into(),
            expected: "".into(),
            extent: None,
        })
    };
    add(Row::C3, Level::Must, Outcome::Pass);
    add(Row::C3, Level::Must, Outcome::Skip { reason: "why".into(), lacks: None });
    add(Row::C4, Level::Must, Outcome::Pass);
    add(Row::C4, Level::Must, failure());
    add(Row::C5, Level::Should, failure());
    add(Row::C6, Level::Must, Outcome::Skip { reason: "why".into(), lacks: None });
    add(Row::C7, Level::Must, Outcome::Broken { reason: "why".into() });
    add(Row::C8, Level::Must, Outcome::Pass);
    add(Row::C8, Level::Must, Outcome::Skip { reason: "why".into(), lacks: Some(Lack::Key) });
    add(Row::C9, Level::Must, Outcome::Pass);
    add(Row::C9, Level::Must, Outcome::Blocked { by: "t.a".into(), reason: "t.a failed".into() });
    add(Row::C11, Level::Must, Outcome::Blocked { by: "t.a".into(), reason: "t.a failed".into() });
    // What is only advised, and was not looked at, takes nothing from what must hold.
    add(Row::C12, Level::Must, Outcome::Pass);
    add(Row::C12, Level::Should, Outcome::Blocked { by: "t.a".into(), reason: "t.a failed".into() });
    add(Row::P, Level::Must, Outcome::Pass);
    let score = scorecard::Score::of(&report);
    assert_eq!(score, scorecard::Score { right: 2, partly_judged: 3, to_improve: 1, failed: 1, not_judged: 5 });
    assert_eq!(score.fraction(), "2/12");
    let caveat = score.caveat(&Lang::EN).expect("a caveat");
    assert!(caveat.contains("8 of the 12 rows were not judged, or in part"), "{caveat}");
}
