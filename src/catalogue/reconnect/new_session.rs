//! After a dropped connection, the client gets a session of its own and the old one dies in bounded time.
//!
//! Over polling the client's pending GET is cut. A server may notice that at once, as Node does, or only by the pong
//! that stays away, which takes `pingInterval` + `pingTimeout`. Its old session is asked after by POSTs, which do not
//! count as a sign of life, until one is refused; no heartbeat is ever answered.
//!
//! Over either transport the new connection has another session id and another socket id (the `sid` in the CONNECT
//! reply).

use std::time::Duration;

use serde_json::Value;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    message::data,
    probe::{Client, Probe, Stop, User, Verdict, fail},
    verdict::{Level, Row},
    wire::{Endpoint, EnginePacket, HttpResponse, Polling, Session, SocketPacket, Transport, WireError, socket::Kind},
};

pub const CHECK: Check = Check {
    id: "reconnect.new-session",
    title: "After a dropped connection, the session is new and the old one dies",
    level: Level::Must,
    row: Row::C9,
    cites: &[cite::EIO_HEARTBEAT, cite::EIO_POLLING, cite::SIO_CONNECT],
    needs: &[Need::Connect, Need::Polling],
    requires: &["socket.connect-reply-once", "engine.unknown-sid"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::DeadPeer,
    meaning: "Every client that ever lost its network stays in the server's memory and in its rooms; it is shown as \
              online for ever, and `disconnect` handlers never run.",
    fix: "Leave the engine's heartbeat on (`pingInterval: 25000, pingTimeout: 20000`, not `Infinity` or days), and let \
          Nitro's handler pass the request's end on to it: `engine.handleRequest(event.node.req, event.node.res)` with \
          the original objects.",
    effort: Effort::Minutes,
    faults: &[Fault::KeepsDeadSessions],
    run: |probe| Box::pin(run(probe)),
};

/// Sessions that are tried for a cut that the server can notice.
const ATTEMPTS: usize = 4;

async fn run(probe: &Probe) -> Verdict {
    let websocket = async {
        if !probe.target().usable(Transport::WebSocket) {
            return Ok(());
        }
        let user = probe.user("user");
        let old = probe.client_of(&user, "WebSocket", Transport::WebSocket).await?;
        let ids = Ids::of(probe, &old);
        old.drop_connection();
        ids.expect_others(probe, &user, Transport::WebSocket).await
    };
    tokio::try_join!(polling(probe), websocket).map(drop)
}

async fn polling(probe: &Probe) -> Verdict {
    let user = probe.user("user");
    let mut attempt = 1;
    loop {
        let endpoint = probe.endpoint(&format!("polling {attempt}"));
        let (polling, ids) = dropped(probe, &user, &endpoint).await?;
        // A cut that crosses with an answer is none, and a busy server answers all the time. Another session may have
        // more luck; a second GET on this one might pass for an overlapping poll.
        let soon = probe.target().quiet_window() * 4;
        let early = dies(probe, &polling, soon).await?;
        if attempt < ATTEMPTS && matches!(early, End::Alive(_)) {
            attempt += 1;
            continue;
        }
        return tokio::try_join!(
            expect_dead(probe, &polling, early),
            ids.expect_others(probe, &user, Transport::Polling)
        )
        .map(drop);
    }
}

/// A session of `user` that its client has left by cutting a poll.
async fn dropped(probe: &Probe, user: &User, endpoint: &Endpoint) -> Result<(Polling, Ids), Stop> {
    let lost = |error: WireError| Stop::Broken(say!("the session to drop: {error}", error));
    let (handshake, early) = Session::polling_handshake(endpoint).await.map_err(lost)?;
    let polling = Polling::new(endpoint, &handshake.sid);
    let payload = probe.payload(probe.credentials(user).await?);
    let connect = SocketPacket::connect(&probe.contract().namespace, payload);
    polling.push(&[EnginePacket::Message(connect.encode())]).await.map_err(lost)?;
    let socket = connected(probe, &polling, early).await?;
    cut_a_poll(probe, &polling).await?;
    Ok((polling, Ids { engine: handshake.sid, socket }))
}

/// Polls until the CONNECT reply is there, and gives the `sid` that it holds.
async fn connected(probe: &Probe, polling: &Polling, early: Vec<EnginePacket>) -> Result<Option<String>, Stop> {
    let lost = |error: WireError| Stop::Broken(say!("the session to drop: {error}", error));
    let end = probe.in_time();
    let mut packets = early;
    loop {
        for packet in packets {
            match packet {
                EnginePacket::Ping(data) => polling.push(&[EnginePacket::Pong(data)]).await.map_err(lost)?,
                EnginePacket::Message(text) => match SocketPacket::decode(&text) {
                    Ok(reply) if reply.kind == Kind::Connect => {
                        return Ok(reply.data.and_then(|data| Some(data.get("sid")?.as_str()?.to_owned())));
                    }
                    Ok(reply) if reply.kind == Kind::ConnectError => {
                        return Err(Stop::Broken(say!(
                            "CONNECT was refused: {reply} (see auth.valid-token)",
                            reply = reply.shown()
                        )));
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        packets = polling.poll(end.saturating_duration_since(Instant::now())).await.map_err(lost)?;
    }
}

/// Leaves the session by a GET that is cut while the server holds it: one that was just being sent, or just answered,
/// would be no cut to the server. That it has arrived shows in the answers to POSTs that were sent after it.
async fn cut_a_poll(probe: &Probe, polling: &Polling) -> Result<(), Stop> {
    let lost = |error: WireError| Stop::Broken(say!("the session to drop: {error}", error));
    let end = probe.in_time();
    while Instant::now() < end {
        // In a task of its own, which is ended with this set; a POST, by contrast, must never be cut.
        let mut held = JoinSet::new();
        let (poll, patience) = (polling.clone(), probe.deadline());
        held.spawn(async move { poll.poll(patience).await });
        for _ in 0..2 {
            polling.push(&[idle(probe)]).await.map_err(lost)?;
        }
        let Ok(Some(answered)) = timeout(probe.target().quiet_window(), held.join_next()).await else { return Ok(()) };
        let packets = answered.map_err(|error| Stop::Broken(error.to_string().into()))?.map_err(lost)?;
        for packet in packets {
            if let EnginePacket::Ping(data) = packet {
                polling.push(&[EnginePacket::Pong(data)]).await.map_err(lost)?;
            }
        }
    }
    // A target that talks all the time: then its client just stops listening.
    Ok(())
}

/// A packet that changes nothing: an acknowledgement that nobody waits for.
fn idle(probe: &Probe) -> EnginePacket {
    let packet = SocketPacket {
        ack_id: Some(999),
        data: Some(Value::Array(Vec::new())),
        ..SocketPacket::new(Kind::Ack, &probe.contract().namespace)
    };
    EnginePacket::Message(packet.encode())
}

/// What became of a session that its client has left.
enum End {
    /// It is refused; before that the server may have failed over it.
    Dead { failed: Option<HttpResponse> },
    /// How it still answers.
    Alive(HttpResponse),
}

/// POSTs on a session that its client has left, until one is refused or `patience` is over. What they say is ignored by
/// the server, and unlike a GET they neither count as an overlapping poll nor keep anything pending.
async fn dies(probe: &Probe, polling: &Polling, patience: Duration) -> Result<End, Stop> {
    let end = Instant::now() + patience;
    let mut pause = probe.target().quiet_window();
    let mut failed = None;
    loop {
        let response = match polling.post(idle(probe).encode()).await {
            // By which status an unknown sid is refused is judged by engine.unknown-sid.
            Ok(response) if response.misses_session() => return Ok(End::Dead { failed }),
            Ok(response) if response.is_success() => response,
            // Says nothing of the session; the next answer does.
            Ok(response) if response.status == 500 => failed.insert(response).clone(),
            Ok(response) => return Err(Stop::Broken(say!("POST on the old session is answered {response}", response))),
            Err(error) => return Err(Stop::Broken(say!("POST on the old session: {error}", error))),
        };
        if Instant::now() >= end {
            return Ok(End::Alive(response));
        }
        // Nothing tells when the server has noticed, so there is nothing but asking again.
        sleep_until(end.min(Instant::now() + pause)).await;
        pause = probe.deadline().min(pause * 2);
    }
}

async fn expect_dead(probe: &Probe, polling: &Polling, early: End) -> Verdict {
    let handshake = probe.target().handshake();
    // Twice the timeout: some servers look for missing pongs only so often.
    let limit = handshake.ping_interval() + 2 * handshake.ping_timeout() + probe.deadline();
    let end = match early {
        End::Alive(_) => dies(probe, polling, limit).await?,
        dead => dead,
    };
    let response = match end {
        End::Dead { failed: None } => return Ok(()),
        End::Dead { failed: Some(response) } => {
            return fail(
                "A request for a session that has ended causes a server error, before the next one is refused",
            )
            .sent("POSTs with the sid of a session that its client has left")
            .received(response)
            .expected("HTTP 400, as for any sid that is not known")
            .at(Level::Should)
            .stop();
        }
        End::Alive(response) => response,
    };
    fail(say!("A session lives on {limit} after its client is gone", limit))
        .sent("POSTs with the old sid, and no pong to any heartbeat")
        .received(say!("never a refusal; at last: {response}", response))
        .expected(say!("HTTP 400 within pingInterval + 2 × pingTimeout + deadline = {limit}", limit))
        .stop()
}

/// What a connection is known by.
struct Ids {
    engine: String,
    socket: Option<String>,
}

impl Ids {
    fn of(probe: &Probe, client: &Client) -> Ids {
        let replies = super::connect_replies(probe, client);
        let sid = replies.first().and_then(|reply| reply.data.as_ref()?.get("sid")?.as_str().map(str::to_owned));
        Ids { engine: client.engine_sid().to_owned(), socket: sid }
    }

    /// Connects `user` anew.
    async fn expect_others(&self, probe: &Probe, user: &User, transport: Transport) -> Verdict {
        let client = probe.client_of(user, &format!("new {}", transport.name()), transport).await?;
        let new = Ids::of(probe, &client);
        let finding = |what: &'static str, id: &str| {
            fail(say!("After a dropped connection over {transport}, the new one has the old {what}", transport, what))
                .sent("a handshake without sid, then CONNECT")
                .received(data(id))
                .expected(say!("another {what}", what))
        };
        if new.engine == self.engine {
            return finding("session id", &new.engine).stop();
        }
        match &new.socket {
            Some(id) if new.socket == self.socket => finding("socket id", id).stop(),
            _ => Ok(()),
        }
    }
}
