//! Deployments behind real proxies: what is healthy passes, and each proxy's classic mistake is what the report names first.

use std::time::Duration;

use rstest::rstest;
use siospec::{
    causes,
    message::Message,
    mock::{Cluster, DEFAULT_JWT_SECRET, ReferenceServer},
    verdict::{CheckResult, Level, Outcome, RunReport},
};
use tokio::sync::Semaphore;

use super::implementations::{PROMISES, start_node_with};
use crate::harness::{
    Stop, TestResult, Tool,
    node::Fixture,
    process::Service,
    proxy::{Kind, Proxy},
    require,
    target::{options, result, score, score_part},
};

const PATIENCE: Duration = Duration::from_secs(120);
/// Servers, proxies and four runs share this machine.
const PING_TIMEOUT: Duration = Duration::from_secs(8);

/// The configuration by which each of them passes Socket.IO on, as their documentation has it.
fn healthy(kind: Kind, server: &str) -> String {
    match kind {
        Kind::Nginx => nginx(server, "proxy_set_header Host $http_host;"),
        Kind::Haproxy => format!("  timeout tunnel 1h\nlisten web\n  bind 127.0.0.1:@PORT\n  server a {server}\n"),
        Kind::Apache => format!(
            "Listen 127.0.0.1:@PORT\nRewriteEngine On\nRewriteCond %{{HTTP:Upgrade}} websocket [NC]\n\
             RewriteRule ^/(.*) ws://{server}/$1 [P,L]\nProxyPreserveHost On\nProxyPass / http://{server}/\n"
        ),
        Kind::Caddy => format!("http://127.0.0.1:@PORT {{\n  reverse_proxy {server}\n}}\n"),
    }
}

fn nginx(server: &str, more: &str) -> String {
    nginx_with("", server, more)
}

/// `around` stands beside the `server` block.
fn nginx_with(around: &str, server: &str, more: &str) -> String {
    format!(
        "http {{\n  access_log off;\n  map $http_upgrade $connection_upgrade {{ default upgrade; \"\" close; }}\n  {around}\n  \
         server {{\n    listen 127.0.0.1:@PORT;\n    location / {{\n      proxy_pass http://{server}; proxy_http_version 1.1;\n      \
         proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;\n      {more}\n    }}\n  }}\n}}\n"
    )
}

async fn node() -> Result<(Service, String), Stop> {
    let fixture = Fixture::shared("node").await?;
    let (service, url) = start_node_with(&fixture, &["server.mjs"], PING_TIMEOUT).await?;
    Ok((service, url.trim_start_matches("http://").trim_end_matches('/').to_owned()))
}

async fn judged(url: &str) -> RunReport {
    judged_by(url, &[]).await
}

/// By these promises beside the others.
async fn judged_by(url: &str, more: &[(&'static str, &str)]) -> RunReport {
    judged_within(PATIENCE, url, more).await
}

async fn judged_within(patience: Duration, url: &str, more: &[(&'static str, &str)]) -> RunReport {
    let flags: Vec<(&'static str, &str)> = PROMISES.iter().chain(more).copied().collect();
    let report = tokio::time::timeout(patience, score(url, &flags)).await.expect("it comes to an end");
    report.unwrap_or_else(|untestable| panic!("{untestable}"))
}

/// What fails the run, or could not be judged.
fn wrong(report: &RunReport) -> Vec<&CheckResult> {
    let is_wrong = |result: &&CheckResult| {
        result.fails_the_run() || matches!(result.outcome, Outcome::Broken { .. } | Outcome::Blocked { .. })
    };
    report.results.iter().filter(is_wrong).collect()
}

#[track_caller]
fn assert_healthy(report: &RunReport) {
    let wrong = wrong(report);
    assert!(wrong.is_empty(), "{wrong:#?}");
    let causes = causes::of(&report.results);
    assert!(causes.is_empty(), "{causes:#?}");
}

#[track_caller]
fn assert_first_cause(report: &RunReport, id: &str) {
    let causes = causes::of(&report.results);
    let found: Vec<&str> = causes.iter().map(|cause| cause.id.as_str()).collect();
    assert_eq!(found, [id], "{:#?}", wrong(report));
}

/// A proxy before Node's server, with the configuration that is made of its address.
async fn before_node(kind: Kind, configuration: impl FnOnce(&str) -> String) -> Result<(Proxy, Service), Stop> {
    require(Tool::Node)?;
    require(Tool::Proxies)?;
    let (service, server) = node().await?;
    Ok((Proxy::start(kind, &configuration(&server)).await?, service))
}

async fn passes(kind: Kind) -> TestResult {
    let (proxy, _service) = before_node(kind, |server| healthy(kind, server)).await?;
    assert_healthy(&judged_within(3 * PATIENCE, &proxy.url, &[]).await);
    Ok(())
}

#[rstest]
#[test]
async fn what_is_healthy_passes(#[values(Kind::Nginx, Kind::Apache)] kind: Kind) -> TestResult {
    passes(kind).await
}

#[rstest]
#[test]
#[ignore = "ten runs each: for .ci/run"]
async fn what_is_healthy_passes_each_time(
    #[values(Kind::Nginx, Kind::Haproxy, Kind::Apache, Kind::Caddy)] kind: Kind,
) -> TestResult {
    // What all of them at once ask of this machine is no part of what is healthy.
    static TURNS: Semaphore = Semaphore::const_new(2);
    let _turn = TURNS.acquire().await?;
    for _ in 0..10 {
        passes(kind).await?;
    }
    Ok(())
}

/// Without the lines that pass the upgrade on.
#[rstest]
#[case(Kind::Nginx)]
#[case(Kind::Apache)]
#[test]
#[ignore = "a whole run each: for .ci/run, and for changes to the wire and to causes"]
async fn an_upgrade_that_is_stripped_is_named(#[case] kind: Kind) -> TestResult {
    let configuration = |server: &str| match kind {
        Kind::Nginx => format!(
            "http {{ server {{ listen 127.0.0.1:@PORT; location / {{ proxy_pass http://{server}; proxy_set_header Host \
             $http_host; }} }} }}"
        ),
        _ => format!("Listen 127.0.0.1:@PORT\nProxyPreserveHost On\nProxyPass / http://{server}/\n"),
    };
    let (proxy, _service) = before_node(kind, configuration).await?;
    assert_first_cause(&judged(&proxy.url).await, "upgrade-stripped");
    Ok(())
}

/// Two nodes that know of each other, and a proxy that sends each request to the next one.
#[rstest]
#[case::by_turns("  balance roundrobin\n", "", false)]
#[case::by_cookie("  balance roundrobin\n  cookie SRV insert indirect nocache\n", "cookie", true)]
#[test]
#[ignore = "a whole run each: for .ci/run, and for changes to the wire and to causes"]
async fn affinity_by_cookie_is_affinity(
    #[case] how: &str,
    #[case] cookie: &str,
    #[case] is_sticky: bool,
) -> TestResult {
    require(Tool::Proxies)?;
    let cluster = Cluster::default();
    let start = || ReferenceServer::start(options().with_cluster(&cluster));
    let (a, b) = (start().await?, start().await?);
    let line = |name: &str, server: &ReferenceServer| {
        let cookie = if cookie.is_empty() { String::new() } else { format!(" {cookie} {name}") };
        format!("  server {name} {}{cookie}\n", server.address())
    };
    let servers = line("a", &a) + &line("b", &b);
    let configuration = format!("  timeout tunnel 1h\nlisten web\n  bind 127.0.0.1:@PORT\n{how}{servers}");
    let proxy = Proxy::start(Kind::Haproxy, &configuration).await?;
    let flags = [("auth.secret", DEFAULT_JWT_SECRET), ("choices.connect-timeout", "5s"), ("choices.idle-limit", "4s")];
    let report = score(&proxy.url, &flags).await.unwrap_or_else(|untestable| panic!("{untestable}"));
    if is_sticky {
        assert_healthy(&report);
    } else {
        assert_first_cause(&report, "no-sticky-sessions");
    }
    Ok(())
}

/// The workers of `@socket.io/sticky`; the word of a new session takes so many milliseconds more.
async fn workers(balancing: &str, late: &str) -> Result<(Service, String), Stop> {
    let fixture = Fixture::shared("node").await?;
    Ok(start_node_with(&fixture, &["cluster.mjs", balancing, late], PING_TIMEOUT).await?)
}

#[rstest]
#[case::by_turns_and_late("round-robin", "10")]
#[case::by_load("least-connection", "0")]
#[test]
#[ignore = "a whole run each: for .ci/run, and for changes to the wire"]
async fn affinity_by_the_first_request_is_affinity(#[case] balancing: &str, #[case] late: &str) -> TestResult {
    require(Tool::Node)?;
    // The word of a session is late enough by itself.
    static TURNS: Semaphore = Semaphore::const_new(1);
    let _turn = TURNS.acquire().await?;
    let (_service, url) = workers(balancing, late).await?;
    assert_healthy(&judged(&url).await);
    Ok(())
}

/// Each connection goes to the next worker, until the session is known.
#[rstest]
#[test]
async fn a_session_that_is_known_late_is_asked_for_again() -> TestResult {
    require(Tool::Node)?;
    let (_service, url) = workers("round-robin", "10").await?;
    let named = ["interop.rust-socketio", "events.ping-pong"];
    let report = score_part(&url, &PROMISES, &named).await.unwrap_or_else(|untestable| panic!("{untestable}"));
    assert_healthy(&report);
    let notes: Vec<String> = result(&report, named[0]).notes.iter().map(Message::text).collect();
    assert!(notes.iter().any(|note| note.contains("as it is between the workers here")), "{notes:?}");
    Ok(())
}

/// nginx takes a server that ends foreign upgrades out of service, and that is all that is wrong.
#[rstest]
#[test]
#[ignore = "a whole run each: for .ci/run, and for changes to the wire and to causes"]
async fn foreign_upgrades_that_take_nodes_out_are_one_finding() -> TestResult {
    require(Tool::Node)?;
    require(Tool::Proxies)?;
    let ((_one, a), (_two, b)) = (node().await?, node().await?);
    let upstream = format!("upstream app {{ ip_hash; server {a}; server {b}; }}");
    let configuration = nginx_with(&upstream, "app", "proxy_set_header Host $host;");
    let proxy = Proxy::start(Kind::Nginx, &configuration).await?;
    let report = judged(&proxy.url).await;
    assert_healthy(&report);
    let survives = result(&report, "deploy.upstream-survives");
    assert!(survives.is_failure() && survives.level == Level::Should, "{survives:#?}");
    Ok(())
}

/// python-socketio compares the page's origin with the `Host` that the proxy does not pass on.
#[rstest]
#[test]
#[ignore = "a whole run each: for .ci/run, and for changes to the wire and to causes"]
async fn a_host_that_is_not_passed_on_is_named() -> TestResult {
    require(Tool::Python)?;
    require(Tool::Proxies)?;
    let (_service, url) = super::implementations::start_python().await?;
    let server = url.trim_start_matches("http://").trim_end_matches('/');
    let proxy = Proxy::start(Kind::Nginx, &nginx(server, "")).await?;
    let report = judged(&proxy.url).await;
    assert_first_cause(&report, "own-origin-refused");
    let own = result(&report, "security.own-origin");
    let Outcome::Fail(failure) = &own.outcome else { panic!("{own:#?}") };
    assert!(own.fix.contains("Host") || failure.reason.text().contains("Host"), "{own:#?}");
    Ok(())
}

/// A limiter lets one user's page through, and not a whole run.
#[rstest]
#[test]
#[ignore = "a whole run each: for .ci/run, and for changes to the wire and to causes"]
async fn a_limit_of_requests_is_named() -> TestResult {
    let zone = "limit_req_zone $binary_remote_addr zone=user:1m rate=100r/s;";
    let limit = "proxy_set_header Host $http_host; limit_req zone=user burst=50 nodelay; limit_req_status 429;";
    let (proxy, _service) = before_node(Kind::Nginx, |server| nginx_with(zone, server, limit)).await?;
    // Some 2,500 requests, and pauses.
    let report = judged_within(6 * PATIENCE, &proxy.url, &[]).await;
    assert_first_cause(&report, "requests-limited");
    Ok(())
}

/// `timeout tunnel` is shorter than `pingInterval`: that is the proxy's doing, and the server's heartbeats are as promised.
#[rstest]
#[test]
async fn a_proxy_that_cuts_what_is_silent_is_named() -> TestResult {
    let cutting =
        |server: &str| format!("listen web\n  timeout tunnel 1s\n  bind 127.0.0.1:@PORT\n  server a {server}\n");
    let (proxy, _service) = before_node(Kind::Haproxy, cutting).await?;
    let checks = ["deploy.proxy-idle", "engine.heartbeat-websocket"];
    let report = score_part(&proxy.url, &PROMISES, &checks).await.unwrap_or_else(|untestable| panic!("{untestable}"));
    let outcome = |id: &str| &report.results.iter().find(|result| result.id == id).expect("it is run").outcome;
    assert!(matches!(outcome("deploy.proxy-idle"), Outcome::Fail(_)), "{:#?}", report.results);
    assert_eq!(outcome("engine.heartbeat-websocket"), &Outcome::Pass, "{:#?}", report.results);
    Ok(())
}

/// The application, its socket and its API lie below `/app`, and there is nothing beside it.
#[rstest]
#[test]
#[ignore = "a whole run each: for .ci/run, and for changes to the wire and to causes"]
async fn an_application_below_another_path_is_told_where_it_is() -> TestResult {
    let configuration = |server: &str| {
        format!(
            "http://127.0.0.1:@PORT {{\n  handle_path /app/* {{\n    reverse_proxy {server}\n  }}\n  handle {{\n    respond 404\n  }}\n}}\n"
        )
    };
    let (proxy, _service) = before_node(Kind::Caddy, configuration).await?;
    let unaware = judged_by(&proxy.url, &[("path", "/app/socket.io")]).await;
    let causes = causes::of(&unaware.results);
    assert!(causes.iter().any(|cause| cause.id == "base-url"), "{causes:#?}");
    assert_healthy(&judged_by(&proxy.url, &[("path", "/app/socket.io"), ("base", "/app")]).await);
    Ok(())
}
