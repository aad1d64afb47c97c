//! A hundred clients whose connections drop at the same moment are back at the same moment, and served.
//!
//! That is what happens when a proxy restarts or a network comes back. The clients are connected, half of them by each
//! transport, dropped together, and connected again together; each must be let in and get one pong to its ping. How long
//! it took is told, not judged: it says as much of the machine that siospec runs on.
//!
//! The check runs alone, after all others, so that its load is not theirs.

use futures::future::join_all;
use tokio::time::Instant;

use crate::{
    catalogue::{Check, Isolation, Need, Wait, cite},
    contract::Vars,
    mock::Fault,
    probe::{Answer, Client, Life, Probe, Stop, User, Verdict, fail, on_wire},
    verdict::{Level, Row},
    wire::{Heartbeats, Transport, WireError, round},
};

pub const CHECK: Check = Check {
    id: "reconnect.storm",
    title: "A hundred clients that come back at once are all served",
    level: Level::Should,
    row: Row::C9,
    cites: &[cite::SIO_DISCONNECT_EVENTS, cite::CHECKLIST],
    needs: &[Need::Connect, Need::Ping],
    requires: &[
        "socket.connect-reply-once",
        "events.ping-pong",
        "events.ping-pong-private",
        "reconnect.single-pong",
        "reconnect.parallel-clients",
    ],
    isolation: Isolation::Alone,
    wait: Wait::None,
    meaning: "A short loss of the network becomes a long one: clients that are turned away try again and again, all of \
              them.",
    fix: "Let `io.use()` and `io.on('connection')` wait for nothing that is scarce, such as a query per client on a small \
          pool, and look at the limits of connections and of new connections per second in the proxy and the system \
          (`worker_connections`, `ulimit -n`).",
    faults: &[Fault::TurnsCrowdAway],
    run: |probe| Box::pin(run(probe)),
};

const CLIENTS: usize = 100;

/// Why a client is not served.
enum Trouble {
    /// There is a limit of new connections, by which the deployment protects itself.
    Limited,
    Unserved(String),
}

async fn run(probe: &Probe) -> Verdict {
    let users: Vec<(User, Transport)> =
        probe.mixed_transports(CLIENTS).into_iter().map(|transport| (probe.user("user"), transport)).collect();
    let clients = all(probe, &users).await.map_err(|stop| stop.found("On the first connect"))?;
    clients.into_iter().for_each(Client::drop_connection);
    let begun = Instant::now();
    all(probe, &users).await.map_err(|stop| stop.found("After the drop"))?;
    probe.note(format!(
        "{CLIENTS} clients were back and served after {}",
        humantime::format_duration(round(begun.elapsed()))
    ));
    Ok(())
}

/// Connects them all at once; each gets one pong.
async fn all(probe: &Probe, users: &[(User, Transport)]) -> Result<Vec<Client>, Stop> {
    let mut served = Vec::new();
    let mut unserved = Vec::new();
    for outcome in join_all(users.iter().map(|(user, transport)| one(probe, user, *transport))).await {
        match outcome? {
            Ok(client) => served.push(client),
            Err(Trouble::Unserved(how)) => unserved.push(how),
            Err(Trouble::Limited) => {
                return Err(Stop::Skip("the deployment limits how often one address connects (HTTP 429)".into()));
            }
        }
    }
    let Some(first) = unserved.first() else { return Ok(served) };
    fail(format!("{} of {CLIENTS} clients that connect at once are not served", unserved.len()))
        .sent(format!(
            "{CLIENTS} × a handshake, CONNECT, and {}",
            on_wire(&probe.contract().namespace, &probe.ping()?.emit, &Vars::new())
        ))
        .received(format!("{first}{}", if unserved.len() > 1 { ", and others" } else { "" }))
        .expected(format!("one `{}` at each", probe.ping()?.reply))
        .stop()
}

async fn one(probe: &Probe, user: &User, transport: Transport) -> Result<Result<Client, Trouble>, Stop> {
    let ping = probe.ping()?;
    let unserved = |how: String| Ok(Err(Trouble::Unserved(format!("over {transport}: {how}"))));
    let mut client = match probe.open_at(probe.endpoint(transport.name()), transport, Heartbeats::Answered).await {
        Ok(client) => client,
        Err(WireError::Status { response, .. }) if response.status == 429 => return Ok(Err(Trouble::Limited)),
        Err(error) => return unserved(error.to_string()),
    };
    match client.connect(probe.credentials(user).await?).await? {
        Answer::Connected(_) => {}
        answer => return unserved(answer.to_string()),
    }
    // What is lost in the instant after the CONNECT reply is for `events.immediate-emit`.
    if let Life::Closed(how) = client.life().await? {
        return unserved(format!("connected, and closed again ({how})"));
    }
    let from = client.mark();
    client.emit(&ping.emit, &Vars::new());
    if client.wait_event(from, &ping.reply).await?.is_none() {
        return unserved(format!("no `{}` in time", ping.reply));
    }
    if let Life::Closed(how) = client.life().await? {
        return unserved(format!("closed after its `{}` ({how})", ping.reply));
    }
    match client.events_since(from, &ping.reply).len() {
        1 => Ok(Ok(client)),
        pongs => unserved(format!("{pongs} × `{}` to one `{}`", ping.reply, ping.emit.event)),
    }
}
