//! siospec's own limits: what it does not read is named as its own, and what a lawful server may send is read.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::SinkExt;
use rstest::rstest;
use serde_json::{Value, json};
use siospec::{
    probe::Answer,
    redact::Redactor,
    wire::{
        Direction, Endpoint, Entry, Session, SocketPacket, Transcript, Transport, WireError,
        http::{Http, Trust},
        json::{self, MAX_DEPTH, Unread},
        socket::Kind,
        transcript,
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    process::Command,
    time::Instant,
};
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{TestResult, process::siospec};

#[rstest]
#[case(r#"{"a":[1,"x",true,null]}"#, json!({"a": [1, "x", true, null]}))]
#[case(r#"["\ud83d\ude00"]"#, json!(["😀"]))]
#[case(r#"["a\ud800b"]"#, json!(["a\u{fffd}b"]))]
#[case(r#"["\udc00","\ud83d\ud83d\ude00"]"#, json!(["\u{fffd}", "\u{fffd}😀"]))]
#[case(r#"["\\ud800"]"#, json!(["\\ud800"]))]
#[case(r#"{"\ud800":1}"#, json!({"\u{fffd}": 1}))]
#[case("[1e999,-1e999,1]", json!([f64::MAX, f64::MIN, 1]))]
#[case(r#"["1e999"]"#, json!(["1e999"]))]
#[test]
fn json_is_read_as_javascript_reads_it(#[case] text: &str, #[case] value: Value) {
    assert_eq!(json::parse(text), Ok(value));
}

#[rstest]
#[case("")]
#[case("[1,]")]
#[case("{\"a\"}")]
#[case("[\"a")]
#[case("[1] [2]")]
#[case("nul")]
#[case(r#"["\ud8"]"#)]
#[case("\"\\")]
#[test]
fn what_is_no_json_is_none(#[case] text: &str) {
    assert!(matches!(json::parse(text), Err(Unread::NotJson(_))), "{:?}", json::parse(text));
}

#[rstest]
#[test]
fn json_is_read_as_deep_as_siospec_says() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(json::parse(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(json::parse(&nested(MAX_DEPTH + 1)), Err(Unread::TooDeep));
    assert!(json::parse(&format!("[\"{}\"]", "[".repeat(MAX_DEPTH + 1))).is_ok(), "a text is not nested");
    let deep = SocketPacket::decode(&format!("2[\"a\",{}]", nested(100_000)));
    assert!(matches!(deep, Err(WireError::Cut(_))), "not the target's fault");
}

/// A proxy is no part of what is looked at, and must not read its tokens; the stock client obeys the environment.
#[rstest]
#[test]
async fn no_proxy_of_the_environment_is_asked() -> TestResult {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let proxy = format!("http://{}", listener.local_addr()?);
    let asked = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&asked);
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counting.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n").await;
        }
    });
    let folder = tempfile::tempdir()?;
    let mut command = siospec(folder.path());
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        command.env(name, &proxy);
    }
    command.env_remove("NO_PROXY").env_remove("no_proxy");
    let only = "interop.rust-socketio,transport.polling-handshake,transport.websocket-handshake,events.ping-pong";
    let output = Command::from(command).args(["run", "--only", only]).output().await?;
    serving.abort();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    Ok(())
}

/// Commands of the user's own get the environment as it was.
#[rstest]
#[test]
async fn commands_of_the_user_have_the_users_environment() -> TestResult {
    if cfg!(windows) {
        return crate::harness::skip("the command is for a POSIX shell");
    }
    let folder = tempfile::tempdir()?;
    let seen = folder.path().join("seen");
    let print = format!("echo \"$NO_PROXY\" > '{}'; echo token", seen.display());
    let mut command = Command::from(siospec(folder.path()));
    command.env("NO_PROXY", "internal.example");
    command.args(["run", "--only", "transport.polling-handshake", "--auth-token-command", &print]).output().await?;
    assert_eq!(std::fs::read_to_string(seen)?, "internal.example\n");
    Ok(())
}

/// A process that may open next to no files is no fault of the target.
#[cfg(unix)]
#[rstest]
#[test]
async fn too_few_files_are_siospecs_own_trouble() -> TestResult {
    let server = siospec::mock::ReferenceServer::start(crate::harness::target::options()).await?;
    let run = format!(
        "ulimit -n 40 && exec '{}' run {} --auth-secret {} --max-wait 1s",
        env!("CARGO_BIN_EXE_siospec"),
        server.url(),
        siospec::mock::DEFAULT_JWT_SECRET
    );
    let output = Command::new("sh").args(["-c", &run]).current_dir(std::env::temp_dir()).output().await?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{told}");
    assert!(told.contains("ulimit -n"), "{told}");
    Ok(())
}

/// What a target sends without end is bounded for the run as a whole, by what it takes once it is read, and the bound is
/// siospec's own.
#[rstest]
#[case::of_text("4".repeat(1 << 20), 30..34)]
#[case::of_values(format!("42[1{}]", ",1".repeat(1 << 19)), 0..4)]
#[case::of_small_packets("42[\"x\"]".into(), 0..4)]
#[test]
async fn what_a_run_takes_in_is_bounded(#[case] packet: String, #[case] mebibytes: Range<usize>) -> TestResult {
    const OPEN: &str = r#"0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", listener.local_addr()?).parse()?;
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        let mut socket = tokio_tungstenite::accept_async(stream).await.expect("an upgrade");
        let mut next = Message::text(OPEN);
        while socket.send(next).await.is_ok() {
            next = Message::text(packet.clone());
        }
    });
    let patience = Duration::from_secs(10);
    let http = Http::new(&[], patience, Trust::default()).expect("clients");
    let endpoint = Endpoint::new(http, &origin, "/socket.io", patience, Transcript::new(Redactor::new()));
    let mut session = Session::open(&endpoint, Transport::WebSocket).await.expect("a session");
    let mut heard = 0;
    let end = loop {
        match session.next("packet", Instant::now() + patience).await {
            Ok(packet) => heard += packet.len(),
            Err(end) => break end,
        }
    };
    serving.abort();
    assert!(matches!(&end, WireError::Cut(why) if why.text().contains("more than 32 MiB")), "{end:?}");
    assert!(mebibytes.contains(&(heard >> 20)), "{heard}");
    Ok(())
}

fn flood(lines: usize, text: &str) -> Vec<Entry> {
    let transcript = Transcript::new(Redactor::new());
    for number in 0..lines {
        transcript.record("a", Direction::Received, format!("{number} {text}"));
    }
    transcript.entries()
}

/// How many lines the remarks stand for.
fn not_kept(entries: &[Entry]) -> usize {
    let remarks = entries.iter().filter(|entry| entry.direction == Direction::Remark);
    remarks.map(|entry| entry.text.split(' ').next().and_then(|number| number.parse::<usize>().ok()).unwrap_or(0)).sum()
}

#[rstest]
#[case::many(10_000, String::new())]
#[case::long(1_000, "x".repeat(100_000))]
#[case::wide(1_000, "ü".repeat(3_000))]
#[test]
fn a_transcript_keeps_its_beginning_and_its_end(#[case] lines: usize, #[case] text: String) {
    let entries = flood(lines, &text);
    assert!(entries[0].text.starts_with("0 "), "{}", entries[0].text.len());
    assert!(entries.last().expect("lines").text.starts_with(&format!("{} ", lines - 1)));
    assert_eq!(entries.len() - 1 + not_kept(&entries), lines);
    let bytes: usize = entries.iter().map(|entry| entry.text.len()).sum();
    assert!(entries.len() <= 2_001 && bytes < 280 << 10, "{} lines, {bytes} bytes", entries.len());
    assert!(entries.is_sorted_by_key(|entry| entry.at_ms));
}

#[rstest]
#[test]
fn the_transcripts_of_a_report_are_bounded_together() {
    let short = flood(20, "short");
    let mut all = vec![flood(5_000, &"x".repeat(100)); 60];
    all.insert(30, short.clone());
    transcript::bound(all.iter_mut());
    let bytes: usize = all.iter().flatten().map(|entry| entry.text.len()).sum();
    assert!(bytes < 4 << 20, "{bytes}");
    assert_eq!(all.remove(30), short, "what is short stays whole");
    for entries in &all {
        assert!(entries[0].text.starts_with("0 ") && entries.last().expect("lines").text.starts_with("4999 "));
        assert_eq!(entries.len() - 1 + not_kept(entries), 5_000);
    }
}

/// A reason says what a target said, and is still a sentence.
#[rstest]
#[test]
fn a_reason_holds_little_of_what_a_target_says() {
    let said = json!({ "message": "x".repeat(5_000) });
    let packet = SocketPacket { data: Some(said), ..SocketPacket::new(Kind::ConnectError, "/") };
    let reason = Answer::Refused(packet).message().text();
    assert!(reason.starts_with("CONNECT was refused: 44{\"message\":\"xxx"), "{reason}");
    assert!(reason.chars().count() < 300, "{reason}");
}
