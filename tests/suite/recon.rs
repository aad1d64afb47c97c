//! The reconnaissance: what cannot be tested is named once, for what it is.

use std::{fs, time::Duration};

use rstest::rstest;
use siospec::{
    contract::Contract,
    mock::{Authority, DEFAULT_JWT_SECRET, ReferenceServer},
    probe::{Untestable, reconnoitre},
    redact::Redactor,
    wire::http::{Http, Trust},
};
use tempfile::tempdir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    process::Command,
    task::JoinSet,
    time::timeout,
};

use crate::harness::{
    TestResult, process,
    relay::{Mishap, Relay},
    skip,
    target::{options, score},
    tls::Terminator,
};

/// Answers whatever it is sent with these bytes, and closes.
async fn answering(bytes: &'static [u8]) -> std::io::Result<(String, JoinSet<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(bytes).await;
        }
    });
    Ok((address.to_string(), tasks))
}

#[rstest]
#[case::a_page(
    b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 48\r\n\r\n<!DOCTYPE html><html><title>My shop</title></html",
    "HTML page (title \"My shop\")"
)]
#[case::a_page_of_nuxt_below_another_path(
    b"HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: 61\r\n\r\n<!DOCTYPE html><script>{app:{baseURL:\"/shop/\",b:1}}</script>\n",
    "give --base /shop."
)]
#[case::a_proxy(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n", "proxy")]
#[case::a_redirect(
    b"HTTP/1.1 301 Moved\r\nlocation: https://elsewhere.example/\r\ncontent-length: 0\r\n\r\n",
    "redirects to https://elsewhere.example/"
)]
#[case::another_service(
    b"HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
    "does not answer as Socket.IO does"
)]
#[case::not_http(b"220 mail.example ESMTP ready\r\n", "is not HTTP")]
#[case::nothing(b"", "closes the connection")]
#[case::engine_io_3(b"HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n13:0{\"sid\":\"abc\"}", "Engine.IO v3")]
#[case::an_endless_body(b"HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\n0{", "")]
#[case::garbage(b"\x00\xff\x00\xff\x00\xff\r\n\r\n", "is not HTTP")]
#[test]
async fn what_is_no_socket_io_is_named(#[case] answer: &'static [u8], #[case] found: &str) -> TestResult {
    let (address, _server) = answering(answer).await?;
    let scored = timeout(Duration::from_secs(30), score(&format!("http://{address}"), &[("deadline", "2s")])).await?;
    let untestable = scored.expect_err("nothing to test");
    assert!(untestable.found().text().contains(found), "{untestable:?}");
    assert!(!untestable.advice().is_empty());
    Ok(())
}

#[rstest]
#[test]
async fn a_server_that_accepts_and_says_nothing_is_not_waited_for() -> TestResult {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let scored = timeout(Duration::from_secs(20), score(&url, &[("deadline", "300ms")])).await?;
    assert!(matches!(scored, Err(Untestable::Unreachable(_))), "{scored:?}");
    Ok(())
}

#[rstest]
#[test]
async fn a_certificate_that_nobody_vouches_for_is_a_matter_of_tls() -> TestResult {
    let server = ReferenceServer::start(options()).await?;
    let terminator = Terminator::start(&Authority::new()?, server.address()).await?;
    let scored = score(&format!("https://localhost:{}", terminator.port), &[]).await;
    assert!(matches!(scored, Err(Untestable::Tls(_))), "{scored:?}");
    let plain = score(&format!("https://{}", server.address()), &[]).await;
    assert!(matches!(plain, Err(Untestable::Tls(_))), "{plain:?}");
    Ok(())
}

#[rstest]
#[case::known_to_the_platform(&[], "certificate and host name are valid")]
#[case::named(&["--ca-file", "roots.pem"], "certificate and host name are valid")]
#[case::not_looked_at(&["--insecure-tls"], "the target's certificate is not verified")]
#[test]
async fn a_deployment_behind_tls_is_scored_like_any_other(#[case] flags: &[&str], #[case] said: &str) -> TestResult {
    if !cfg!(target_os = "linux") && flags.is_empty() {
        return skip("only Linux's trust can be given by a variable");
    }
    let authority = Authority::new()?;
    let server = ReferenceServer::start(options()).await?;
    let terminator = Terminator::start(&authority, server.address()).await?;
    let folder = tempdir()?;
    let roots = folder.path().join("roots.pem");
    fs::write(&roots, &authority.root)?;
    let url = format!("https://localhost:{}", terminator.port);
    let siospec = |verb: &str| {
        let mut command = Command::from(process::siospec(folder.path()));
        command.args([verb, &url]).args(flags);
        if flags.is_empty() {
            command.env("SSL_CERT_FILE", &roots).env_remove("SSL_CERT_DIR");
        }
        command
    };
    let waited = siospec("wait").args(["--timeout", "20s"]).output().await?;
    assert_eq!(waited.status.code(), Some(0), "{}", String::from_utf8_lossy(&waited.stderr));
    let output = siospec("run")
        .args(["--auth-secret", DEFAULT_JWT_SECRET, "--report", "markdown"])
        .args(["--only", "transport,events,interop,deploy.tls"])
        .output()
        .await?;
    let report = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{report}{}", String::from_utf8_lossy(&output.stderr));
    assert!(report.contains(" 0 failed"), "{report}");
    assert!(report.contains(said), "{report}");
    Ok(())
}

#[rstest]
#[case::no_file("nowhere.pem", "cannot read")]
#[case::no_certificate("siospec.toml", "holds no PEM certificate")]
#[test]
fn what_is_no_certificate_is_a_mistake(#[case] file: &str, #[case] said: &str) -> TestResult {
    let folder = tempdir()?;
    fs::write(folder.path().join("siospec.toml"), "path = \"/socket.io\"\n")?;
    let output = process::siospec(folder.path()).args(["run", "https://localhost:1", "--ca-file", file]).output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains(said), "{told}");
    Ok(())
}

/// Where an exchange takes now less, now more, silence must last longer before it counts.
#[rstest]
#[case::steady(Duration::ZERO, Duration::ZERO)]
#[case::unsteady(Duration::from_millis(150), Duration::from_secs(1))]
#[test]
async fn quiet_windows_follow_the_jitter(#[case] delay: Duration, #[case] at_least: Duration) -> TestResult {
    let server = ReferenceServer::start(options()).await?;
    let relay = Relay::start(server.address(), Mishap::Delays("44/siospec-recon-", delay)).await?;
    let http = Http::new(&[], Duration::from_secs(5), Trust::default()).expect("clients");
    let found = reconnoitre(&http, &relay.url.parse()?, &Contract::default(), &Redactor::new()).await;
    let target = found.unwrap_or_else(|untestable| panic!("{untestable}"));
    // What is measured is the difference to an exchange that takes a few milliseconds as well.
    assert!(target.jitter * 10 >= delay * 9, "{target:?}");
    assert!(target.quiet_window() >= at_least, "{:?}", target.quiet_window());
    Ok(())
}
