//! A hundred clients whose connections drop at the same moment are back at the same moment, and served.
//!
//! That is what happens when a proxy restarts or a network comes back. The clients are connected, half of them by each
//! transport, dropped together, and connected again together; each must be let in and get one pong to its ping. How long
//! it took is told, not judged: it says as much of the machine that siospec runs on. So an answer may take four times as
//! long as elsewhere, and what fails is tried again before it counts.
//!
//! The check runs alone, after all others, so that its load is not theirs.

use futures::future::join_all;
use tokio::time::Instant;

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    contract::Vars,
    fault::Fault,
    message::Message,
    probe::{Answer, Client, Life, Probe, Stop, User, Verdict, confirmed, fail, on_wire},
    verdict::{Level, Row},
    wire::{Heartbeats, Transport, WireError},
};

pub const CHECK: Check = Check {
    id: "reconnect.storm",
    title: "A hundred clients that come back at once are all served",
    level: Level::Should,
    row: Row::C9,
    cites: &[cite::SIO_DISCONNECT_EVENTS, cite::CHECKLIST],
    needs: &[Need::Connect, Need::Ping],
    requires: &[
        "auth.valid-token",
        "events.ping-pong",
        "events.ping-pong-private",
        "reconnect.single-pong",
        "reconnect.parallel-clients",
    ],
    isolation: Isolation::Alone,
    effects: &[Effect::Heavy, Effect::Endangers],
    wait: Wait::None,
    meaning: "A short loss of the network becomes a long one: clients that are turned away try again and again, all of \
              them.",
    fix: "Let `io.use()` and `io.on('connection')` wait for nothing that is scarce, such as a query per client on a small \
          pool, and look at the limits of connections and of new connections per second in the proxy and the system \
          (`worker_connections`, `ulimit -n`).",
    effort: Effort::Days,
    faults: &[Fault::TurnsCrowdAway],
    run: |probe| Box::pin(run(probe)),
};

const CLIENTS: usize = 100;
/// How many deadlines an answer may take.
const PATIENCE: u32 = 4;

/// Why a client is not served.
enum Trouble {
    /// There is a limit of new connections, by which the deployment protects itself.
    Limited,
    Unserved(Message),
}

/// A client that is served, or why not.
type Outcome = Result<Client, Trouble>;

async fn run(probe: &Probe) -> Verdict {
    confirmed(probe, || exchange(probe)).await
}

async fn exchange(probe: &Probe) -> Verdict {
    let users: Vec<(User, Transport)> =
        probe.mixed_transports(CLIENTS).into_iter().map(|transport| (probe.user("user"), transport)).collect();
    let first = join_all(users.iter().map(|(user, transport)| connect(probe, user, *transport))).await;
    let clients = all(probe, first, "a handshake and CONNECT").map_err(|stop| stop.found("On the first connect"))?;
    clients.into_iter().for_each(Client::drop_connection);
    let begun = Instant::now();
    let back = join_all(users.iter().map(|(user, transport)| serve(probe, user, *transport))).await;
    let ping = on_wire(&probe.contract().namespace, &probe.ping()?.emit, &Vars::new());
    all(probe, back, say!("a handshake, CONNECT, and {ping}", ping)).map_err(|stop| stop.found("After the drop"))?;
    probe.note(say!("{clients} clients were back and served after {time}", clients = CLIENTS, time = begun.elapsed()));
    Ok(())
}

/// Those that are served, when all are.
fn all(probe: &Probe, outcomes: Vec<Result<Outcome, Stop>>, sent: impl Into<Message>) -> Result<Vec<Client>, Stop> {
    let mut served = Vec::new();
    let mut unserved = Vec::new();
    for outcome in outcomes {
        match outcome? {
            Ok(client) => served.push(client),
            Err(Trouble::Unserved(how)) => unserved.push(how),
            Err(Trouble::Limited) => {
                return Err(Stop::Skip("the deployment limits how often one address connects (HTTP 429)".into()));
            }
        }
    }
    let Some(first) = unserved.first() else { return Ok(served) };
    fail(say!(
        "{count} of {clients} clients that connect at once are not served",
        count = unserved.len(),
        clients = CLIENTS
    ))
    .extent(unserved.len(), CLIENTS)
    .sent(say!("{clients} × {sent}", clients = CLIENTS, sent = sent.into()))
    .received(if unserved.len() > 1 { say!("{first}, and others", first) } else { first.clone() })
    .expected(say!("a CONNECT reply, and one `{reply}` to each ping", reply = probe.ping()?.reply))
    .doubtful()
    .stop()
}

fn unserved(transport: Transport, how: impl Into<Message>) -> Result<Outcome, Stop> {
    Ok(Err(Trouble::Unserved(say!("over {transport}: {how}", transport, how = how.into()))))
}

/// A client of `user`, connected.
async fn connect(probe: &Probe, user: &User, transport: Transport) -> Result<Outcome, Stop> {
    let endpoint = probe.endpoint(transport.name()).patient(PATIENCE * probe.deadline());
    let mut client = match probe.open_at(endpoint, transport, Heartbeats::Answered).await {
        Ok(client) => client,
        Err(WireError::Status { response, .. }) if response.status == 429 => return Ok(Err(Trouble::Limited)),
        Err(error) => return unserved(transport, error),
    };
    match client.connect(probe.credentials(user).await?).await? {
        Answer::Connected(_) => Ok(Ok(client)),
        answer => unserved(transport, answer),
    }
}

/// A client of `user`, connected, that has had one pong to its ping.
async fn serve(probe: &Probe, user: &User, transport: Transport) -> Result<Outcome, Stop> {
    let ping = probe.ping()?;
    let mut client = match connect(probe, user, transport).await? {
        Ok(client) => client,
        Err(trouble) => return Ok(Err(trouble)),
    };
    // What is lost in the instant after the CONNECT reply is for `events.immediate-emit`: there is a round trip between.
    if let Life::Closed(how) = client.life().await? {
        return unserved(transport, say!("connected, and closed again ({how})", how));
    }
    let from = client.mark();
    client.emit(&ping.emit, &Vars::new());
    let arrived = client.wait_event(from, &ping.reply).await;
    if let Ok(None) = arrived {
        client.emit(&ping.emit, &Vars::new());
        return match client.wait_event(from, &ping.reply).await {
            Ok(Some(_)) => unserved(
                transport,
                say!(
                    "no `{reply}`, but one to a second ping: no handler yet, see events.immediate-emit",
                    reply = ping.reply
                ),
            ),
            _ => unserved(transport, say!("no `{reply}` in time", reply = ping.reply)),
        };
    }
    if let Life::Closed(how) = client.life().await? {
        return unserved(transport, say!("closed after its `{event}` ({how})", event = ping.emit.event, how));
    }
    match client.events_since(from, &ping.reply).len() {
        1 => Ok(Ok(client)),
        pongs => unserved(
            transport,
            say!("{pongs} × `{reply}` to one `{event}`", pongs, reply = ping.reply, event = ping.emit.event),
        ),
    }
}
