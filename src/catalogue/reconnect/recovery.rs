//! Where connection state recovery is offered, a client that comes back gets what it missed: each event once, in order.
//!
//! Two clients share a room. The connection of one drops, the other sends three messages, and the first comes back with
//! the `pid` of its CONNECT reply and the offset of the last event it had. Recovery needs an adapter that keeps events: a
//! server may offer it and be unable to do it. And nothing tells when the server has noticed the loss, so that coming back
//! is tried until it succeeds or the deadline is over.

use serde_json::{Map, Value};
use tokio::time::{Instant, sleep};

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite, rooms},
    contract::Vars,
    fault::Fault,
    probe::{Answer, Client, Probe, Stop, User, Verdict, fail, is_expected},
    verdict::{Level, Row},
    wire::Transport,
};

pub const CHECK: Check = Check {
    id: "reconnect.recovery",
    title: "A recovered connection gets what it missed, once and in order",
    level: Level::May,
    row: Row::C9,
    cites: &[cite::SIO_RECOVERY],
    needs: &[Need::Connect, Need::Ping, Need::Rooms, Need::DistinctRoomMessages],
    requires: &["auth.valid-token", "events.ping-pong", "rooms.member-receives", "rooms.join-twice"],
    isolation: Isolation::Rooms,
    effects: &[],
    wait: Wait::None,
    meaning: "After a short loss of the network, messages are missing on the page, or shown twice, though the server \
              says that it recovers them.",
    fix: "`new Server({ connectionStateRecovery: { maxDisconnectionDuration: 120_000 } })` needs the in-memory adapter, or \
          one that keeps events, such as `@socket.io/redis-streams-adapter`; `@socket.io/redis-adapter` does not.",
    effort: Effort::Minutes,
    faults: &[Fault::RecoveryLosesEvent, Fault::RecoveryRepeatsEvents],
    run: |probe| Box::pin(run(probe)),
};

const MESSAGES: usize = 3;

/// By what a client comes back.
pub(in crate::catalogue) struct Known {
    private_id: String,
    offset: String,
}

impl Known {
    /// The CONNECT payload that asks for recovery, with these credentials.
    pub(in crate::catalogue) fn payload(&self, credentials: Option<Value>) -> Value {
        let mut payload = match credentials {
            Some(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        payload.insert("pid".into(), self.private_id.as_str().into());
        payload.insert("offset".into(), self.offset.as_str().into());
        Value::Object(payload)
    }

    /// Whether it is the same connection that goes on.
    pub(in crate::catalogue) fn is_recovered(&self, answer: &Answer) -> bool {
        let Answer::Connected(reply) = answer else { return false };
        reply.data.as_ref().and_then(|data| data.get("pid")?.as_str()) == Some(&self.private_id)
    }
}

/// By what `client` would come back after it has been sent one more event.
pub(in crate::catalogue) async fn ids(probe: &Probe, client: &mut Client) -> Result<Known, Stop> {
    client.fence().await?;
    let reply = super::connect_replies(probe, client).into_iter().next();
    let private_id = reply.as_ref().and_then(|reply| reply.data.as_ref()?.get("pid")?.as_str());
    let Some(private_id) = private_id else {
        return Err(Stop::Skip(
            "the deployment does not offer connection state recovery (the CONNECT reply has no pid); it is switched on by \
             `new Server({ connectionStateRecovery: {} })`"
                .into(),
        ));
    };
    probe.conceal(private_id, "pid");
    let ping = probe.ping()?;
    let from = client.mark();
    client.emit(&ping.emit, &Vars::new());
    let Some(pong) = client.wait_event(from, &ping.reply).await? else {
        return Err(Stop::Broken(say!("no `{reply}` in time (see events.ping-pong)", reply = ping.reply)));
    };
    client.fence().await?;
    let later = client.events_since(from, &ping.reply).pop().unwrap_or(pong);
    let offset = later.event_args().last().and_then(Value::as_str);
    let offset = offset.ok_or_else(|| Stop::Skip("the deployment's events carry no offset to come back to".into()))?;
    Ok(Known { private_id: private_id.to_owned(), offset: offset.to_owned() })
}

async fn run(probe: &Probe) -> Verdict {
    let declared = probe.rooms()?;
    let (transport, room) = (probe.transport(), probe.room("room")?);
    let user = probe.user("user");
    let mut client = probe.client_of(&user, "before", transport).await?;
    let mut sender = probe.client("sender", transport).await?;
    ids(probe, &mut client).await?;
    rooms::join(probe, &mut client, &room).await?;
    rooms::join(probe, &mut sender, &room).await?;
    rooms::settle(probe, &sender, &mut client, &room).await?;
    let known = ids(probe, &mut client).await?;
    client.drop_connection();

    let missed = (0..MESSAGES).map(|_| rooms::message(probe, &room)).collect::<Result<Vec<_>, _>>()?;
    missed.iter().for_each(|vars| sender.emit(&declared.send, vars));
    sender.fence().await?;
    let sent = say!("{messages} messages to the room of a lost connection, which then came back", messages = MESSAGES);
    let Some(mut client) = back(probe, &known, &user, transport).await? else {
        return fail("The server offers connection state recovery, and no connection is recovered")
            .sent("CONNECT with the `pid` and the last offset of a lost connection")
            .received(say!("a new connection each time, within {time}", time = probe.deadline()))
            .expected("a CONNECT reply with the same `pid`")
            .stop();
    };
    if let Some(last) = missed.last() {
        client.wait_expected(0, &declared.receive, last).await?;
    }
    client.fence().await?;
    client.take_notes(probe);
    let number = |packet| missed.iter().position(|vars| is_expected(packet, &declared.receive, vars)).map(|at| at + 1);
    let heard: Vec<usize> = client.since(0).iter().filter_map(number).collect();
    if heard == (1..=MESSAGES).collect::<Vec<_>>() {
        return Ok(());
    }
    let wrong = (1..=MESSAGES).filter(|number| heard.iter().filter(|other| *other == number).count() != 1).count();
    let heard = heard.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    fail("A recovered connection does not get what it missed, once and in order")
        .extent(wrong, MESSAGES)
        .sent(sent)
        .received(if heard.is_empty() {
            "none of them".into()
        } else {
            say!("the messages {heard}, in this order", heard)
        })
        .expected("the messages 1, 2, 3, in this order")
        .stop()
}

/// The client that came back to its connection. None when none was recovered in time.
async fn back(probe: &Probe, known: &Known, user: &User, transport: Transport) -> Result<Option<Client>, Stop> {
    let end = Instant::now() + probe.deadline();
    let mut pause = probe.target().quiet_window();
    loop {
        let mut client = probe.open("after", transport).await?;
        let answer = client.connect(Some(known.payload(probe.credentials(user).await?))).await?;
        match &answer {
            answer if known.is_recovered(answer) => return Ok(Some(client)),
            Answer::Connected(_) => {}
            answer => {
                return Err(Stop::Broken(say!(
                    "CONNECT of a client that comes back: {answer} (see auth.valid-token)",
                    answer
                )));
            }
        }
        if Instant::now() + pause > end {
            return Ok(None);
        }
        sleep(pause).await;
        pause *= 2;
    }
}
