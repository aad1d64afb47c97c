//! The runner, with checks of the tests' own: nothing that one does keeps the others from their verdicts.

use std::{
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::{BoxFuture, join_all};
use rstest::rstest;
use siospec::{
    catalogue::{Check, Effort, Isolation, Need, Selection, Wait},
    contract::{Contract, Layers},
    message::Message,
    mock::{DEFAULT_JWT_SECRET, Fault, ReferenceServer},
    probe::{Probe, Stop, Verdict, fail},
    redact::Redactor,
    report::words,
    runner::{Event, Plan, Runner},
    verdict::{ExitCode, Level, Outcome, Row, RunReport},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::{Barrier, mpsc},
};

use crate::harness::target::{options, result};

type Run = for<'a> fn(&'a Probe) -> BoxFuture<'a, Verdict>;

fn check(id: &'static str, run: Run) -> Check {
    Check {
        id,
        title: "a check of the tests",
        level: Level::Must,
        row: Row::P,
        cites: &[],
        needs: &[],
        requires: &[],
        isolation: Isolation::SideBySide,
        effects: &[],
        wait: Wait::None,
        meaning: "",
        fix: "",
        effort: Effort::Minutes,
        faults: &[Fault::NoPong],
        run,
    }
}

async fn run_with(flags: &[(&'static str, &str)], checks: Vec<Check>) -> RunReport {
    let server = ReferenceServer::start(options()).await.expect("a free port");
    let runner = Runner::new(plan(&server, flags, checks), Redactor::new()).await.expect("testable");
    Arc::new(runner).run().await
}

fn plan(server: &ReferenceServer, flags: &[(&'static str, &str)], checks: Vec<Check>) -> Plan {
    let flags = flags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
    let contract = Contract::load(Layers { file: None, env: std::iter::empty(), flags }).expect("a contract");
    let checks = checks.into_iter().map(|check| &*Box::leak(Box::new(check))).collect();
    Plan { reference: true, jobs: 8, ..Plan::new(server.url().parse().expect("a URL"), contract, checks) }
}

async fn run(checks: Vec<Check>) -> RunReport {
    run_with(&[], checks).await
}

fn passes(_: &Probe) -> BoxFuture<'_, Verdict> {
    Box::pin(async { Ok(()) })
}

fn fails(_: &Probe) -> BoxFuture<'_, Verdict> {
    Box::pin(async { fail("on purpose").stop() })
}

#[rstest]
#[test]
async fn a_check_that_panics_is_broken_and_the_rest_go_on() {
    let panics = check("t.panics", |_| Box::pin(async { panic!("a bug of ours") }));
    let report = run(vec![panics, check("t.passes", passes)]).await;
    let Outcome::Broken { reason } = &result(&report, "t.panics").outcome else { panic!("{report:#?}") };
    assert!(reason.text().contains("a bug of ours"), "{reason:?}");
    assert_eq!(result(&report, "t.passes").outcome, Outcome::Pass);
    assert_eq!(report.exit_code(), ExitCode::OwnFault);
}

#[rstest]
#[test]
async fn a_check_that_never_ends_is_broken_at_its_deadline() {
    let stuck = check("t.stuck", |_| Box::pin(std::future::pending()));
    let report = run_with(&[("deadline", "50ms")], vec![stuck, check("t.passes", passes)]).await;
    assert!(matches!(result(&report, "t.stuck").outcome, Outcome::Broken { .. }), "{report:#?}");
    assert_eq!(result(&report, "t.passes").outcome, Outcome::Pass);
}

#[rstest]
#[test]
async fn checks_run_side_by_side() {
    static ALL_HERE: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(4));
    fn meets(_: &Probe) -> BoxFuture<'_, Verdict> {
        Box::pin(async {
            ALL_HERE.wait().await;
            Ok(())
        })
    }
    let report = run(vec![check("t.a", meets), check("t.b", meets), check("t.c", meets), check("t.d", meets)]).await;
    assert_eq!(report.counts().passed, 4);
}

fn on_the_notification_channel(id: &'static str, run: Run) -> Check {
    Check { isolation: Isolation::Notifications, ..check(id, run) }
}

#[rstest]
#[test]
async fn checks_on_a_shared_channel_run_side_by_side_where_a_nonce_keeps_them_apart() {
    static BOTH_HERE: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(2));
    fn meets(_: &Probe) -> BoxFuture<'_, Verdict> {
        Box::pin(async {
            BOTH_HERE.wait().await;
            Ok(())
        })
    }
    let checks = ["t.a", "t.b"].map(|id| on_the_notification_channel(id, meets));
    let report = run_with(&[("rest.body", r#"{"message":"{{message}}"}"#)], checks.into()).await;
    assert_eq!(report.counts().passed, 2, "{report:#?}");
}

#[rstest]
#[test]
async fn checks_on_a_shared_channel_run_one_at_a_time_where_no_nonce_goes_through() {
    static INSIDE: AtomicUsize = AtomicUsize::new(0);
    fn counts(probe: &Probe) -> BoxFuture<'_, Verdict> {
        Box::pin(async {
            assert_eq!(INSIDE.fetch_add(1, Ordering::SeqCst), 0, "another one is inside");
            // Some exchanges, so that the others would get their turn.
            for _ in 0..20 {
                probe.open("a", probe.transport()).await?;
            }
            INSIDE.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        })
    }
    let checks = ["t.a", "t.b", "t.c"].map(|id| on_the_notification_channel(id, counts));
    let report = run_with(&[("rest.body", r#"{"message":"hello"}"#)], checks.into()).await;
    assert_eq!(report.counts().passed, 3, "{report:#?}");
}

#[rstest]
#[test]
async fn what_disturbs_others_comes_last_and_alone() {
    static ORDER: Mutex<Vec<&str>> = Mutex::new(Vec::new());
    fn together(probe: &Probe) -> BoxFuture<'_, Verdict> {
        Box::pin(async {
            probe.open("a", probe.transport()).await?;
            ORDER.lock().unwrap().push("together");
            Ok(())
        })
    }
    fn alone(_: &Probe) -> BoxFuture<'_, Verdict> {
        Box::pin(async {
            ORDER.lock().unwrap().push("alone");
            Ok(())
        })
    }
    let last = Check { isolation: Isolation::Alone, ..check("t.alone", alone) };
    run(vec![last, check("t.a", together), check("t.b", together)]).await;
    assert_eq!(*ORDER.lock().unwrap(), ["together", "together", "alone"]);
}

#[rstest]
#[test]
async fn what_fails_the_run_or_cannot_be_judged_blocks_what_rests_on_it(
    #[values((fails as Run, ExitCode::DoesNotConform), (breaks as Run, ExitCode::OwnFault))] (blocks, code): (
        Run,
        ExitCode,
    ),
) {
    let dependent = Check { requires: &["t.root"], ..check("t.dependent", passes) };
    let last = Check { requires: &["t.dependent"], ..check("t.last", passes) };
    let report = run(vec![last, dependent, check("t.root", blocks)]).await;
    for id in ["t.dependent", "t.last"] {
        let Outcome::Blocked { by, reason } = &result(&report, id).outcome else { panic!("{report:#?}") };
        assert_eq!(by, "t.root");
        assert!(reason.text().starts_with("t.root"), "{reason:?}");
    }
    assert_eq!((report.counts().blocked, report.exit_code()), (2, code));
}

fn breaks(_: &Probe) -> BoxFuture<'_, Verdict> {
    Box::pin(async { Err(Stop::Broken("the network failed".into())) })
}

/// What does not fail the run must not hide what does.
#[rstest]
#[case::should(Level::Should)]
#[case::may(Level::May)]
#[case::accepted(Level::Must)]
#[test]
async fn a_failure_that_does_not_fail_the_run_blocks_nothing(#[case] level: Level) {
    let dependent = Check { requires: &["t.root"], ..check("t.dependent", fails) };
    let server = ReferenceServer::start(options()).await.expect("a free port");
    let checks = vec![dependent, Check { level, ..check("t.root", fails) }];
    let mut runner = Runner::new(plan(&server, &[], checks), Redactor::new()).await.expect("testable");
    if level == Level::Must {
        runner = runner.held_to(|_| false);
    }
    let report = Arc::new(runner).run().await;
    assert!(result(&report, "t.dependent").is_failure(), "{report:#?}");
    assert_eq!(report.exit_code(), ExitCode::DoesNotConform);
}

/// Whatever became of what blocks it: by merging, by a policy of another run, by a report that somebody wrote.
#[rstest]
#[test]
async fn a_run_with_a_blocked_check_never_conforms() {
    let mut report = run(vec![check("t.a", passes), check("t.b", passes)]).await;
    assert_eq!(report.exit_code(), ExitCode::Conforms);
    report.results[0].outcome = Outcome::Blocked { by: "t.elsewhere".into(), reason: "t.elsewhere failed".into() };
    report.gate.allow_flaky = true;
    report.gate.allow_incomplete = true;
    assert_eq!(report.exit_code(), ExitCode::OwnFault);
}

#[rstest]
#[case::must(Level::Must, false, ExitCode::NothingMatched)]
#[case::accepted(Level::Must, true, ExitCode::Conforms)]
#[case::should(Level::Should, false, ExitCode::Conforms)]
#[test]
async fn a_run_without_a_token_is_not_enough(#[case] level: Level, #[case] accepted: bool, #[case] code: ExitCode) {
    let needs_token = Check { level, needs: &[Need::Connect], ..check("t.token", passes) };
    let mut report = run(vec![needs_token, check("t.a", passes)]).await;
    report.gate.allow_incomplete = accepted;
    assert_eq!(report.exit_code(), code, "{report:#?}");
    let said = words::of_run(&report).iter().map(Message::text).collect::<String>();
    assert_eq!(said.contains("--auth-secret") && said.contains("--allow-incomplete"), level == Level::Must, "{said}");
}

/// A deployment that lets guests in has no need of tokens; nor is what the contract rules out for want of one.
#[rstest]
#[test]
async fn what_the_contract_rules_out_is_no_lack() {
    let checks = vec![
        Check { needs: &[Need::Token], ..check("t.guests", passes) },
        Check { needs: &[Need::Connect, Need::Nodes], ..check("t.nodes", passes) },
        check("t.a", passes),
    ];
    let report = run_with(&[("choices.guests", "true")], checks).await;
    assert_eq!((report.counts().skipped, report.counts().unjudged), (2, 0), "{report:#?}");
    assert_eq!(report.exit_code(), ExitCode::Conforms);
}

#[rstest]
#[test]
async fn a_check_that_is_not_selected_blocks_nothing() {
    let dependent = Check { requires: &["t.elsewhere"], ..check("t.dependent", passes) };
    assert_eq!(run(vec![dependent]).await.counts().passed, 1);
}

#[rstest]
#[case::should(Level::Should)]
#[case::may(Level::May)]
#[test]
async fn only_a_must_fails_the_run(#[case] level: Level) {
    let report = run(vec![Check { level, ..check("t.fails", fails) }]).await;
    assert!(matches!(result(&report, "t.fails").outcome, Outcome::Fail(_)));
    assert_eq!(report.exit_code(), ExitCode::Conforms);
}

#[rstest]
#[test]
async fn a_run_that_judged_nothing_does_not_conform() {
    let report = run(vec![Check { needs: &[Need::Token], ..check("t.skipped", passes) }]).await;
    assert_eq!(report.counts().skipped, 1);
    assert_eq!(report.exit_code(), ExitCode::NothingMatched);
}

#[rstest]
#[test]
async fn secrets_stay_out_of_reasons_notes_and_transcripts() {
    let tells = check("t.tells", |probe| {
        Box::pin(async {
            let token = probe.valid_token(&probe.user("a")).await?;
            probe.note(format!("the token is {token}"));
            let mut client = probe.open("a", probe.transport()).await?;
            client.connect(Some(probe.tokens().connect_payload(token.clone().into()))).await?;
            fail(format!("it was {token}")).sent(&token).received(DEFAULT_JWT_SECRET.to_owned()).expected(&token).stop()
        })
    });
    let report = run_with(&[("auth.secret", DEFAULT_JWT_SECRET)], vec![tells]).await;
    let text = serde_json::to_string(&report).unwrap();
    assert!(result(&report, "t.tells").transcript.len() > 2, "{report:#?}");
    assert!(!text.contains("eyJ"), "{text}");
    assert!(!text.contains(DEFAULT_JWT_SECRET), "{text}");
}

#[rstest]
#[test]
async fn one_stream_of_events_tells_of_every_check_once() {
    let server = ReferenceServer::start(options()).await.expect("a free port");
    let checks = Selection::new(&["transport".into()], &[]).expect("an area").checks();
    let plan = Plan::new(server.url().parse().expect("a URL"), Contract::default(), checks);
    let plan = Plan { reference: true, jobs: 3, ..plan };
    let (sender, mut events) = mpsc::unbounded_channel();
    let runner = Runner::new(plan, Redactor::new()).await.expect("testable").with_events(sender);
    let report = tokio::time::timeout(Duration::from_secs(60), Arc::new(runner).run()).await.expect("in time");
    let mut finished = Vec::new();
    let mut begun = Vec::new();
    while let Some(event) = events.recv().await {
        match event {
            Event::Begun { checks, .. } => begun = checks.into_iter().map(ToOwned::to_owned).collect(),
            Event::Started(id) => assert!(!finished.contains(&id.to_owned())),
            Event::Finished(result) => finished.push(result.id),
            Event::Waiting(why) => panic!("somebody is there: {why:?}"),
        }
    }
    finished.sort();
    begun.sort();
    assert_eq!(finished, begun);
    assert_eq!(report.results.len(), begun.len());
}

#[rstest]
#[case::id("auth.forged-signature", 1)]
#[case::glob("*-handshake", 2)]
#[test]
fn a_selection_takes_ids_and_globs(#[case] pattern: &str, #[case] count: usize) {
    assert_eq!(Selection::new(&[pattern.into()], &[]).unwrap().checks().len(), count);
}

#[rstest]
#[test]
fn a_selection_that_matches_nothing_names_the_nearest() {
    let mistake = Selection::new(&["auth.forged-signatur".into()], &[]).err().expect("a mistake").to_string();
    assert!(mistake.contains("auth.forged-signature"), "{mistake}");
}

/// What another check beside it did is not blamed on it; the run does not pass all the same.
#[rstest]
#[test]
async fn harm_that_is_not_seen_again_alone_is_nobodys_failure() {
    static LOOKS: AtomicUsize = AtomicUsize::new(0);
    static INSIDE: AtomicUsize = AtomicUsize::new(0);
    let suspect = check("t.suspect", |_| {
        Box::pin(async {
            match LOOKS.fetch_add(1, Ordering::SeqCst) {
                0 => fail("the server is down").harms_others().stop(),
                _ => {
                    assert_eq!(INSIDE.load(Ordering::SeqCst), 0, "nothing runs beside it");
                    Ok(())
                }
            }
        })
    });
    fn beside(_: &Probe) -> BoxFuture<'_, Verdict> {
        Box::pin(async {
            INSIDE.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(200)).await;
            INSIDE.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        })
    }
    let report = run(vec![suspect, check("t.a", beside), check("t.b", beside)]).await;
    let suspect = result(&report, "t.suspect");
    let Outcome::Broken { reason } = &suspect.outcome else { panic!("{suspect:#?}") };
    assert!(reason.text().contains("the server is down") && suspect.is_flaky(), "{suspect:#?}");
    assert_eq!(report.exit_code(), ExitCode::OwnFault);
}

#[rstest]
#[test]
async fn harm_that_is_seen_again_alone_is_a_failure() {
    let suspect = check("t.suspect", |_| Box::pin(async { fail("the server is down").harms_others().stop() }));
    let report = run(vec![suspect]).await;
    let suspect = result(&report, "t.suspect");
    assert!(suspect.is_failure(), "{suspect:#?}");
    assert!(
        suspect.notes.iter().any(|note| note.text().contains("answered before, and again afterwards")),
        "{suspect:#?}"
    );
}

/// Nothing can be run alone on a target that does not come back.
#[rstest]
#[test]
async fn who_ended_a_target_that_stays_away_is_not_known() {
    static SERVER: Mutex<Option<ReferenceServer>> = Mutex::new(None);
    let suspect = check("t.suspect", |_| {
        Box::pin(async {
            drop(SERVER.lock().unwrap().take());
            fail("the server is down").harms_others().stop()
        })
    });
    let server = ReferenceServer::start(options()).await.expect("a free port");
    let runner = Runner::new(plan(&server, &[], vec![suspect]), Redactor::new()).await.expect("testable");
    *SERVER.lock().unwrap() = Some(server);
    let report = Arc::new(runner).run().await;
    let Outcome::Broken { reason } = &result(&report, "t.suspect").outcome else { panic!("{report:#?}") };
    assert!(reason.text().contains("does not come back"), "{reason:?}");
}

/// Where all that run together are too much for the target, what could not be judged, and what
/// slowness would look like, is tried with nothing beside it.
#[rstest]
#[case::overtaxed(3, || Stop::Broken("no answer".into()), true)]
#[case::not_overtaxed(0, || Stop::Broken("no answer".into()), false)]
#[case::end_of_a_session(3, || doubtful().expect_err("a finding"), true)]
#[case::not_overtaxed_and_ended(0, || doubtful().expect_err("a finding"), false)]
#[test]
async fn what_an_overtaxed_target_left_in_doubt_is_tried_again(
    #[case] late: usize,
    #[case] stop: fn() -> Stop,
    #[case] judged: bool,
) {
    let slow = TcpListener::bind("127.0.0.1:0").await.unwrap();
    type Unsure = (String, usize, fn() -> Stop);
    static SLOW: Mutex<Option<Unsure>> = Mutex::new(None);
    let lock = SERIAL.lock().await;
    *SLOW.lock().unwrap() = Some((format!("http://{}/", slow.local_addr().unwrap()), late, stop));
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = slow.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                // Longer than any server here takes.
                tokio::time::sleep(Duration::from_millis(400)).await;
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
            });
        }
    });
    let unsure = check("t.unsure", |probe| {
        Box::pin(async {
            let Some((url, late, stop)) = SLOW.lock().unwrap().take() else { return Ok(()) };
            let endpoint = probe.endpoint("slow");
            let url: url::Url = url.parse().unwrap();
            join_all((0..late).map(|_| endpoint.get(url.clone()))).await;
            Err(stop())
        })
    });
    let report = run(vec![unsure]).await;
    serving.abort();
    drop(lock);
    let result = result(&report, "t.unsure");
    assert_eq!(result.outcome == Outcome::Pass, judged, "{result:#?}");
    assert_eq!(result.notes.iter().any(|note| note.text().contains("no answer")), judged, "{result:#?}");
}

fn doubtful() -> Verdict {
    fail("no answer").doubtful().stop()
}

static SERIAL: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
