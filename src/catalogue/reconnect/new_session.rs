//! After a dropped connection, the client gets a session of its own and the old one dies in bounded time.
//!
//! Over polling the client's pending GET is cut. A server may notice that at once, as Node does, or only by the pong
//! that stays away, which takes `pingInterval` + `pingTimeout`. Its old session is asked after by GETs until one is
//! refused. While the session lives such a GET is a lawful poll that the server may hold until its next heartbeat, and
//! no heartbeat is ever answered.
//!
//! Over either transport the new connection has another session id and another socket id (the `sid` in the CONNECT
//! reply).

use tokio::time::Instant;

use crate::{
    catalogue::{Check, Isolation, Need, cite},
    mock::Fault,
    probe::{Client, Probe, Stop, User, Verdict, fail},
    verdict::{Level, Row},
    wire::{Polling, Transport, WireError, round},
};

pub const CHECK: Check = Check {
    id: "reconnect.new-session",
    title: "After a dropped connection, the session is new and the old one dies",
    level: Level::Must,
    row: Row::C9,
    cites: &[cite::EIO_HEARTBEAT, cite::EIO_POLLING, cite::SIO_CONNECT],
    needs: &[Need::Connect, Need::Polling],
    requires: &["socket.connect-reply-once"],
    isolation: Isolation::SideBySide,
    meaning: "Every client that ever lost its network stays in the server's memory and in its rooms; it is shown as \
              online for ever, and `disconnect` handlers never run.",
    fix: "Leave the engine's heartbeat on (`pingInterval: 25000, pingTimeout: 20000`, not `Infinity` or days), and let \
          Nitro's handler pass the request's end on to it: `engine.handleRequest(event.node.req, event.node.res)` with \
          the original objects.",
    faults: &[Fault::KeepsDeadSessions],
    run: |probe| Box::pin(run(probe)),
};

/// More answers than this are no heartbeats.
const MAX_ANSWERS: usize = 1_000;

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
    let old = probe.client_of(&user, "polling", Transport::Polling).await?;
    let ids = Ids::of(probe, &old);
    old.drop_connection();
    tokio::try_join!(expect_dead(probe, &ids.engine), ids.expect_others(probe, &user, Transport::Polling)).map(drop)
}

/// GETs on a session that its client has left, until one is refused. A GET that is not answered soon is cut in turn: where
/// the client's own last one never got as far as the server, this is the cut that the server sees. And a server may leave
/// a GET pending that it held when the session ended, so that only the next one is refused.
async fn expect_dead(probe: &Probe, sid: &str) -> Verdict {
    let handshake = probe.target().handshake();
    // Twice the timeout: some servers look for missing pongs only so often.
    let limit = handshake.ping_interval() + 2 * handshake.ping_timeout() + probe.deadline();
    let end = Instant::now() + limit;
    let polling = Polling::new(&probe.endpoint("old session"), sid);
    let mut patience = probe.target().quiet_window();
    let mut last = String::from("no answer to the first GET");
    for _ in 0..MAX_ANSWERS {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        match polling.get(patience.min(left)).await {
            Ok(response) if (400..500).contains(&response.status) => return Ok(()),
            Ok(response) if response.status == 200 => last = response.to_string(),
            Ok(response) => {
                return Err(Stop::Broken(format!("GET on the old session is answered {response}")));
            }
            Err(WireError::Timeout { .. }) => patience = probe.deadline().min(patience * 2),
            // The server ends the session while it holds the GET.
            Err(WireError::Closed(how)) => last = format!("the connection closed {how}"),
            Err(error) => return Err(Stop::Broken(format!("GET on the old session: {error}"))),
        }
    }
    let limit = humantime::format_duration(round(limit));
    fail(format!("A session lives on {limit} after its client is gone"))
        .sent("GETs with the old sid, and no pong to any heartbeat")
        .received(format!("never a refusal; at last: {last}"))
        .expected(format!("HTTP 400 within pingInterval + 2 × pingTimeout + deadline = {limit}"))
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
        let finding = |what: &str, id: &str| {
            fail(format!("After a dropped connection over {transport}, the new one has the old {what}"))
                .sent("a handshake without sid, then CONNECT")
                .received(id)
                .expected(format!("another {what}"))
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
