//! After a dropped connection, the client gets a session of its own and the old one dies in bounded time.
//!
//! Over polling the client's pending GET is cut. A server may notice that at once, as Node does, or only by the pong
//! that stays away, which takes `pingInterval` + `pingTimeout`. Its old session is asked after by POSTs, which do not
//! count as a sign of life, until one is refused; no heartbeat is ever answered.
//!
//! Over either transport the new connection has another session id and another socket id (the `sid` in the CONNECT
//! reply).

use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use crate::{
    catalogue::{Check, Isolation, Need, cite},
    mock::Fault,
    probe::{Client, Probe, Stop, User, Verdict, fail},
    verdict::{Level, Row},
    wire::{EnginePacket, Polling, SocketPacket, Transport, round, socket::Kind},
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
    let mut old = probe.client_of(&user, "polling", Transport::Polling).await?;
    let ids = Ids::of(probe, &old);
    let polling = Polling::new(old.endpoint(), &ids.engine);
    // By then the pending GET has arrived, and the server can notice that it is cut.
    old.listen(probe.target().quiet_window()).await?;
    old.drop_connection();
    tokio::try_join!(expect_dead(probe, &polling), ids.expect_others(probe, &user, Transport::Polling)).map(drop)
}

/// POSTs on a session that its client has left, until one is refused. What they say, an acknowledgement that nobody waits
/// for, is ignored, and unlike a GET they neither count as an overlapping poll nor keep anything pending.
async fn expect_dead(probe: &Probe, polling: &Polling) -> Verdict {
    let handshake = probe.target().handshake();
    // Twice the timeout: some servers look for missing pongs only so often.
    let limit = handshake.ping_interval() + 2 * handshake.ping_timeout() + probe.deadline();
    let end = Instant::now() + limit;
    let question = SocketPacket {
        ack_id: Some(999),
        data: Some(Value::Array(Vec::new())),
        ..SocketPacket::new(Kind::Ack, &probe.contract().namespace)
    };
    let mut pause = probe.target().quiet_window();
    loop {
        let response = match polling.post(EnginePacket::Message(question.encode()).encode()).await {
            Ok(response) if response.status == 400 => return Ok(()),
            Ok(response) if response.is_success() => response,
            Ok(response) => return Err(Stop::Broken(format!("POST on the old session is answered {response}"))),
            Err(error) => return Err(Stop::Broken(format!("POST on the old session: {error}"))),
        };
        if Instant::now() >= end {
            let limit = humantime::format_duration(round(limit));
            return fail(format!("A session lives on {limit} after its client is gone"))
                .sent("POSTs with the old sid, and no pong to any heartbeat")
                .received(format!("never a refusal; at last: {response}"))
                .expected(format!("HTTP 400 within pingInterval + 2 × pingTimeout + deadline = {limit}"))
                .stop();
        }
        // Nothing tells when the server has noticed, so there is nothing but asking again.
        sleep_until(end.min(Instant::now() + pause)).await;
        pause = probe.deadline().min(pause * 2);
    }
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
