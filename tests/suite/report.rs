//! The report formats: each is read by a parser that is not ours and says what the run says, and none tells a secret.

use std::{collections::BTreeMap, fs, path::Path};

use rstest::rstest;
use serde_json::{Value, json};
use siospec::{
    lang::Lang,
    mock::{DEFAULT_JWT_SECRET, Fault, ReferenceServer},
    report::{
        Json, Kind, scorecard,
        text::{
            self,
            Piece::{self, Code, Words},
        },
    },
    runner::Runner,
    verdict::{CheckResult, Citation, Counts, Direction, Entry, Failure, Gate, Level, Outcome, Row, RunReport},
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
        format.write(report, &Lang::default(), &mut bytes).expect("memory can be written to");
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

const HOSTILE: &str = "\u{1b}]0;owned\u{7}\u{202e}\r\n::error::no\n# SKIP ]]> `` ``` ~~~ </pre></script><img src=x onerror=alert(1)> \
                       @octocat #1 [a](javascript:alert(1)) | {{ 7 }} $(id) & \"quoted\" 'single' %0A --- ...";

/// As many findings as nobody wants, of a target that plays tricks on every format.
fn hostile(checks: usize) -> RunReport {
    let result = |number: usize| {
        let level = [Level::Must, Level::Should, Level::May][number % 3];
        let failure = Failure {
            reason: format!("it does not hold, `see` {HOSTILE}"),
            sent: HOSTILE.into(),
            received: HOSTILE.repeat(5),
            expected: String::new(),
        };
        let outcome = match number % 7 {
            0 => Outcome::Pass,
            1 => Outcome::Skip { reason: HOSTILE.into() },
            2 => Outcome::Broken { reason: HOSTILE.into() },
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
            notes: vec![HOSTILE.into()],
            meaning: "Users see nothing at all.".into(),
            fix: "Put `io.use((socket, next) => next())` into `server/plugins/socket.io.ts`.".into(),
            effort: number.is_multiple_of(2).then(|| "minutes".into()),
            cites: vec![
                Citation { place: "RFC 1, \"1\"".into(), url: "https://www.rfc-editor.org/rfc/rfc1".into() },
                Citation { place: "the checklist".into(), url: "docs/checklist.md".into() },
            ],
            reproduce: format!("siospec run 'http://localhost:3000/' --only check-{number}"),
            duration_ms: 12,
            by_hand: None,
            waived: None,
            known: false,
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
        notes: vec![HOSTILE.into()],
        gate: Gate::default(),
        results: (0..checks).map(result).collect(),
        duration_ms: 62_100,
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
    let Counts { passed, failed, warned, noted, skipped, broken, .. } = report.counts();
    let (all, findings) = (report.results.len(), failed + warned + noted);
    assert_eq!(all, passed + findings + skipped + broken);
    let ids: Vec<&str> = report.results.iter().map(|result| result.id.as_str()).collect();

    let junit = &read["junit"];
    assert_eq!(junit["errors"], json!([]));
    assert_eq!(junit["names"], json!(ids));
    let counts = [all, failed, broken, skipped + warned + noted];
    assert_eq!(json!([junit["cases"], junit["failures"], junit["broken"], junit["skipped"]]), json!(counts));
    assert_eq!(junit["said"], json!(counts));

    let tap = &read["tap"];
    assert_eq!((&tap["extra"], &tap["bad"]), (&json!([]), &json!([])));
    assert_eq!(json!([tap["count"], tap["todo"], tap["skip"]]), json!([all, warned + noted, skipped]));
    assert_eq!(tap["ok"], json!(failed + broken == 0));
    assert_eq!(tap["diagnosed"], json!(findings + broken));

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
    assert_eq!(is_whole, markdown["findings"] == findings && markdown["opened"] == findings + broken);
    assert_eq!(read["svg"], json!({ "valid": true, "root": ["svg"] }));

    let sarif: Value = serde_json::from_str(&outputs["report.sarif"])?;
    assert_eq!(read["sarif"]["errors"], json!([]));
    assert_eq!(sarif["runs"][0]["results"].as_array().map(Vec::len), Some(findings));
    let notifications = &sarif["runs"][0]["invocations"][0]["toolExecutionNotifications"];
    assert_eq!(notifications.as_array().map(Vec::len), Some(broken));

    assert_valid(&Json::schema(), &serde_json::from_str(&outputs["report.json"])?);
    assert_eq!(&serde_json::from_str::<RunReport>(&outputs["report.json"])?, report);

    let commands: Vec<&str> = outputs["report.github"].lines().collect();
    assert_eq!(commands.len(), failed.min(10).max((failed + broken).min(10)) + warned.min(10) + noted.min(10));
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
        ("/schema", json!(2)),
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
            sent: String::new(),
            received: String::new(),
            expected: String::new(),
        })
    };
    add(Row::C3, Level::Must, Outcome::Pass);
    add(Row::C3, Level::Must, Outcome::Skip { reason: "why".into() });
    add(Row::C4, Level::Must, Outcome::Pass);
    add(Row::C4, Level::Must, failure());
    add(Row::C5, Level::Should, failure());
    add(Row::C6, Level::Must, Outcome::Skip { reason: "why".into() });
    add(Row::C7, Level::Must, Outcome::Broken { reason: "why".into() });
    add(Row::P, Level::Must, Outcome::Pass);
    let score = scorecard::Score::of(&report);
    assert_eq!(score, scorecard::Score { right: 1, to_improve: 2, missing: 1, not_judged: 8 });
    assert_eq!(score.fraction(), "1/12");
    let caveat = score.caveat(&Lang::default()).expect("a caveat");
    assert!(caveat.contains("8 of the 12 rows were not judged"), "{caveat}");
}
