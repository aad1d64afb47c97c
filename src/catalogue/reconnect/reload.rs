//! After a reload (hot module replacement, a restart) the application is there once: one CONNECT reply, one pong to a
//! ping, one notification to a REST call.
//!
//! A client is connected, then the contract's reload hook runs: a shell command or an HTTP call. `nuxt dev` replaces its
//! worker a moment after the hook has returned, drops every connection and may answer nothing for some seconds; a server
//! that reloads in place may keep them. Both are lawful, so the check waits a bounded time for the client's connection to
//! drop and goes on either way. From then on it tries new connections until one of each transport gets a pong and a
//! notification, at most `reload.deadline` after the hook; on new connections again it counts.
//!
//! Where the contract declares `reload.keeps-connections`, the deployment is held to it: a client of each transport is
//! connected before, and its connection must have outlived the reload once the server is seen to serve again.

use std::{process::Stdio, time::Duration};

use futures::future::{join_all, try_join_all};
use reqwest::header::HeaderMap;
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite, events, rest},
    contract::{Reload, ReloadAction, Vars},
    fault::Fault,
    message::{Message, data},
    probe::{Client, Life, Probe, Stop, Verdict, confirmed, fail, trust},
    shell,
    verdict::{Copied, Level, Row},
    wire::{Endpoint, HttpResponse, Transport, WireError, http::Http},
};

pub const CHECK: Check = Check {
    id: "reconnect.reload",
    title: "After a reload the server is back, and only one instance runs",
    level: Level::Must,
    row: Row::C9,
    cites: &[cite::SIO_NUXT, cite::CHECKLIST],
    needs: &[Need::Connect, Need::Ping, Need::Rest, Need::Reload],
    requires: &[
        "socket.connect-reply-once",
        "events.ping-pong",
        "events.ping-pong-private",
        "reconnect.parallel-clients",
        "rest.response",
        "rest.emit-once",
        "rest.emit-all",
    ],
    isolation: Isolation::Alone,
    effects: &[Effect::Broadcasts, Effect::Endangers],
    wait: Wait::None,
    meaning: "Each saved file adds one more server to the running process: developers see every event twice, then three \
              times, and chase bugs that a restart makes go away. Or the server stays away until someone restarts it.",
    fix: "Make one server and close it with the old code: `if (!globalThis.io) globalThis.io = new Server(…)`, or \
          `nitroApp.hooks.hook('close', () => io.close())`.",
    effort: Effort::Minutes,
    faults: &[Fault::ReloadDoublesServer, Fault::ReloadDropsConnections],
    run: |probe| Box::pin(run(probe)),
};

/// Pause before the first new attempt to reach a server that is away; it doubles up to the second one.
const PAUSES: (Duration, Duration) = (Duration::from_millis(25), Duration::from_secs(1));

async fn run(probe: &Probe) -> Verdict {
    let reload = probe.contract().reload.as_ref();
    let reload = reload.ok_or_else(|| Stop::Skip("the contract declares no reload hook".into()))?;
    if reload.keeps_connections {
        // A heartbeat that this machine answers too late ends a connection as well.
        return confirmed(probe, || kept(probe, reload)).await;
    }
    let mut old = probe.client("before", probe.transport()).await?;
    run_hook(probe, reload).await?;
    let end = Instant::now() + reload.deadline;
    wait_for_drop(probe, reload, &mut old).await?;
    drop(old);
    back_and_once(probe, reload, end).await
}

/// As declared, the connections of old clients outlive the reload.
async fn kept(probe: &Probe, reload: &Reload) -> Verdict {
    let before = probe
        .transports()
        .into_iter()
        .map(|transport| async move { probe.client(&format!("before {}", transport.name()), transport).await });
    let mut old = try_join_all(before).await?;
    run_hook(probe, reload).await?;
    let end = Instant::now() + reload.deadline;
    let until = Instant::now() + patience(probe, reload);
    let waits = old.iter_mut().map(|client| cut(client, until));
    let early = join_all(waits).await;
    // That there are two servers now, or none, is worse than that clients have to come back.
    back_and_once(probe, reload, end).await?;
    for (client, early) in old.iter_mut().zip(early) {
        let how = match early? {
            Some(how) => how,
            // The worker may be replaced only a while after the hook has returned. The server serves by now, so that silence
            // is an end as well.
            None => match client.life().await {
                Ok(Life::Closed(how)) => how.message(),
                Ok(Life::Open) => continue,
                // It went on for as long as was waited, and nothing can be asked on it.
                Err(Stop::Broken(_)) if !probe.target().answers_fences => continue,
                Err(stop) => return Err(stop),
            },
        };
        return fail(say!(
            "A reload that is declared to keep connections cuts them, over {transport}",
            transport = client.transport()
        ))
        .sent(say!(
            "{reload}, with a client connected over {transport}",
            reload = named(reload),
            transport = client.transport()
        ))
        .received(how)
        .expected(
            "the connection goes on, as the contract declares (reload.keeps-connections = true). Keep the server that \
                 clients are connected to across reloads, such as on `globalThis`, or take the declaration out",
        )
        .doubtful()
        .stop();
    }
    let patience = patience(probe, reload);
    probe.note(say!("the reload kept the old connections for {patience} and longer, as declared", patience));
    Ok(())
}

/// How the connection ends by then, if it does.
async fn cut(client: &mut Client, until: Instant) -> Result<Option<Message>, Stop> {
    match client.watch(until).await {
        WireError::Timeout { .. } => Ok(None),
        // Whatever a poll meets in place of its answer, its client takes the connection for lost.
        error @ (WireError::Closed(_) | WireError::Connect(_) | WireError::Status { .. }) => Ok(Some(error.message())),
        error => Err(Stop::Broken(say!("client {label}: {error}", label = data(client.label()), error))),
    }
}

/// New connections work by `end`, and the application is there once.
async fn back_and_once(probe: &Probe, reload: &Reload, end: Instant) -> Verdict {
    let mut pause = PAUSES.0;
    loop {
        let reached = try_join_all(probe.transports().into_iter().map(|transport| reach(probe, transport)));
        let away = match timeout_at(end, reached).await {
            Ok(Ok(_)) => match count(probe).await {
                // What answered was the old server, and the reload is still to come.
                Err(Stop::Broken(why)) if Instant::now() < end => why,
                verdict => return verdict,
            },
            Ok(Err(Stop::Broken(why))) => why,
            Ok(Err(stop)) => return Err(stop),
            Err(_) => "an answer was still awaited then".into(),
        };
        if Instant::now() + pause >= end {
            let deadline = reload.deadline;
            return fail(say!("The server is not back {deadline} after the reload", deadline))
                .sent(say!("{reload}, then new connections", reload = named(reload)))
                .received(away)
                .expected(say!("a connection, a pong and a notification within reload.deadline ({deadline})", deadline))
                .stop();
        }
        tokio::time::sleep(pause).await;
        pause = PAUSES.1.min(pause * 2);
    }
}

/// How long the end of a connection from before the reload is waited for: as long as one answer may take.
fn patience(probe: &Probe, reload: &Reload) -> Duration {
    reload.deadline.min(probe.deadline())
}

/// Waits until the connection from before the reload is gone. Where it lives on, nothing shows that there was a reload at all,
/// since the contract does not say that reloads keep connections.
async fn wait_for_drop(probe: &Probe, reload: &Reload, old: &mut Client) -> Result<(), Stop> {
    let patience = patience(probe, reload);
    if !matches!(old.watch(Instant::now() + patience).await, WireError::Timeout { .. }) {
        return Ok(());
    }
    Err(Stop::Broken(say!(
        "nothing shows that the server reloaded: the old connection lived on for {patience} after {reload}. Does the \
         hook touch what the server watches? If reloads keep connections, declare --reload-keeps-connections=true",
        patience,
        reload = named(reload)
    )))
}

/// A new connection that a ping and the REST trigger work with.
async fn reach(probe: &Probe, transport: Transport) -> Verdict {
    let (ping, declared) = (probe.ping()?, probe.rest()?);
    let mut client = probe.client(&format!("try {}", transport.name()), transport).await?;
    let from = client.mark();
    client.emit(&ping.emit, &Vars::new());
    if client.wait_event(from, &ping.reply).await?.is_none() {
        return Err(Stop::Broken(say!("no `{reply}` over {transport}", reply = ping.reply, transport)));
    }
    let (message, vars) = rest::message(probe)?;
    probe.notify(&message).await?;
    match client.wait_expected(from, &declared.event, &vars).await? {
        Some(_) => Ok(()),
        None => Err(Stop::Broken(say!(
            "no `{event}` over {transport} after a REST call",
            event = declared.event.event,
            transport
        ))),
    }
}

/// One CONNECT reply, one pong, one notification, on new connections.
async fn count(probe: &Probe) -> Verdict {
    let declared = probe.rest()?;
    let transports = probe.transports();
    let mut clients =
        try_join_all(transports.iter().map(|transport| probe.client(transport.name(), *transport))).await?;
    for client in &mut clients {
        let replies = super::connect_replies(probe, client).len();
        if replies != 1 {
            return fail(say!(
                "After the reload, one CONNECT gets {replies} replies over {transport}",
                replies,
                transport = client.transport()
            ))
            .sent(said!("CONNECT once"))
            .received(say!("{replies} CONNECT replies", replies))
            .expected("one CONNECT reply")
            .copies(Copied::ConnectReply, [replies])
            .stop();
        }
        events::expect_one_pong_each(probe, client, 2).await.map_err(|stop| stop.found("After the reload"))?;
    }
    let deliveries = rest::deliveries(probe, &mut clients).await?;
    let Some((client, count)) = clients.iter().zip(&deliveries.copies).find(|(_, count)| **count != 1) else {
        return Ok(());
    };
    let event = &declared.event.event;
    fail(say!(
        "After the reload, one REST call gives {count} events over {transport}",
        count,
        transport = client.transport()
    ))
    .sent(rest::on_wire(declared, &deliveries.vars))
    .received(say!("{count} × `{event}`", count, event))
    .expected(say!("one `{event}`", event))
    .copies(Copied::Notification, [*count])
    .stop()
}

fn named(reload: &Reload) -> Message {
    match &reload.action {
        ReloadAction::Command(_) => "the reload command".into(),
        ReloadAction::Http { method, url } => format!("{method} {}", url.path()).into(),
    }
}

async fn run_hook(probe: &Probe, reload: &Reload) -> Result<(), Stop> {
    match &reload.action {
        ReloadAction::Command(command) => run_command(command, reload.deadline).await,
        ReloadAction::Http { method, url } => match call(probe, method.clone(), url, reload.deadline).await {
            Ok(response) if response.is_success() => Ok(()),
            Ok(response) => {
                Err(Stop::Broken(say!("{reload} was answered {response}", reload = named(reload), response)))
            }
            // A server that restarts need not live to answer.
            Err(WireError::Closed(how)) => {
                probe.note(say!("{reload} got no answer: the connection closed {how}", reload = named(reload), how));
                Ok(())
            }
            Err(error) => Err(Stop::Broken(say!("{reload}: {error}", reload = named(reload), error))),
        },
    }
}

async fn call(probe: &Probe, method: http::Method, url: &Url, deadline: Duration) -> Result<HttpResponse, WireError> {
    let target = probe.endpoint("reload");
    let endpoint = if url.origin() == target.origin().origin() {
        target
    } else {
        // The contract's headers are the target's alone.
        let http = Http::new(&[], deadline, trust(probe.contract()))?;
        Endpoint::new(http, url, "", deadline, probe.transcript().clone()).labelled("reload")
    };
    endpoint.send(method, url.clone(), HeaderMap::new(), None, deadline).await
}

async fn run_command(command: &str, deadline: Duration) -> Result<(), Stop> {
    // What it prints is not kept, however much it is.
    let child = shell::command(command).stdout(Stdio::null()).spawn();
    let mut child = child.map_err(|error| Stop::Broken(say!("the reload command did not start: {error}", error)))?;
    match timeout(deadline, child.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(Stop::Broken(say!("the reload command failed with {status}", status))),
        Ok(Err(error)) => Err(Stop::Broken(say!("the reload command could not be waited for: {error}", error))),
        Err(_) => Err(Stop::Broken(say!("the reload command did not end within {deadline}", deadline))),
    }
}
