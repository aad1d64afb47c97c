//! A connection whose CONNECT was refused stays out: it hears no broadcast, and its events are not handled.
//!
//! The connection itself may stay open after a refusal, so that the client can try again; that is lawful, and so is
//! closing it. What must not happen is that it takes part. Two connections are refused over each transport: one listens
//! while the REST trigger notifies everybody and, where rooms are declared, while a message goes to a room; the other
//! sends the declared `ping`. Closing a connection that sends an event before it is connected is lawful.

use super::Attempt;
use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite, rest, rooms},
    contract::Vars,
    fault::Fault,
    probe::{Answer, Client, Probe, Stop, Verdict, fail, in_order, on_wire},
    verdict::{Level, Row},
    wire::{SocketPacket, Transport, socket::Kind},
};

pub const CHECK: Check = Check {
    id: "auth.rejected-stays-out",
    title: "A refused connection gets no events, and its own are ignored",
    level: Level::Must,
    row: Row::C4,
    cites: &[cite::SIO_CONNECT, cite::SIO_MIDDLEWARES],
    needs: &[Need::Refusals, Need::Rest, Need::Connect],
    requires: &["auth.rejection-in-time", "auth.forged-signature", "auth.valid-token", "rest.emit-once"],
    isolation: Isolation::Notifications,
    effects: &[Effect::Broadcasts],
    wait: Wait::None,
    meaning: "The refusal has no effect: strangers read what is meant for users, or act as one.",
    fix: "Refuse in `io.use()` by `next(new Error('unauthorized'))`, register handlers and join rooms in \
          `io.on('connection')` alone, and emit by `io.emit(…)` or `io.to(room).emit(…)`, not to the engine's sockets.",
    effort: Effort::Hours,
    faults: &[Fault::RejectedStillHears, Fault::RejectedStillHandled],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let transports = probe.transports();
    let all =
        |label: &'static str| in_order(transports.iter().map(move |transport| rejected(probe, label, *transport)));
    let listeners = all("listener").await?;
    broadcast(probe).await?;
    for listener in listeners.into_iter().flatten() {
        hears_nothing(probe, listener).await?;
    }
    if probe.contract().ping.is_none() {
        probe.note("the contract declares no ping: whether a refused connection's events are handled was not judged");
        return Ok(());
    }
    for sender in all("sender").await?.into_iter().flatten() {
        is_not_handled(probe, sender).await?;
    }
    Ok(())
}

/// A connection whose CONNECT was refused; none where the refusal ended it, which keeps it out for certain.
async fn rejected(probe: &Probe, label: &str, transport: Transport) -> Result<Option<Client>, Stop> {
    let mut client = probe.open_asked(&format!("{label} ({transport})"), transport).await?;
    let forged = Attempt::forged(probe)?;
    match client.connect(forged.payload).await? {
        Answer::Refused(_) => Ok(Some(client)),
        Answer::Closed(_) => {
            probe.note("refused by closing the connection (see auth.rejection-shape), so it stays out");
            Ok(None)
        }
        Answer::Shut(_) => {
            probe.note("refused at the handshake, so it stays out");
            Ok(None)
        }
        answer @ Answer::Connected(_) => Err(Stop::Broken(say!(
            "{what} over {transport}: {answer} (see auth.forged-signature)",
            what = forged.what,
            transport,
            answer
        ))),
        answer @ (Answer::Silence(_) | Answer::Cut(_)) => Err(Stop::Broken(say!(
            "{what} over {transport}: {answer} (see auth.rejection-in-time)",
            what = forged.what,
            transport,
            answer
        ))),
    }
}

/// Makes the server notify everybody and, where rooms are declared, send to a room; until those who should hear it have.
async fn broadcast(probe: &Probe) -> Verdict {
    let rooms = probe.contract().rooms.as_ref();
    let room = rooms.map(|declared| Ok::<_, Stop>((declared, probe.room("room")?))).transpose()?;
    let mut admitted = probe.clients("admitted", &[probe.transport(); 2]).await?;
    let [hearer, sender] = &mut admitted[..] else { return Err(Stop::Broken("a client is missing".into())) };

    let (message, sent) = rest::message(probe)?;
    let from = hearer.mark();
    probe.notify(&message).await?;
    let event = &probe.rest()?.event;
    if hearer.wait_expected(from, event, &sent).await?.is_none() {
        let reason = say!("`{event}` does not even reach a connected client (see rest.emit-once)", event = event.event);
        return Err(Stop::Broken(reason));
    }

    let Some((declared, room)) = room else { return Ok(()) };
    let vars = rooms::message(probe, &room)?;
    for member in [&mut *hearer, &mut *sender] {
        member.emit(&declared.join, &vars);
        member.fence().await?;
    }
    let from = hearer.mark();
    sender.emit(&declared.send, &vars);
    if hearer.wait_expected(from, &declared.receive, &vars).await?.is_none() {
        probe.note("judged by notifications alone: the room's message does not reach its member (see rooms.*)");
    }
    Ok(())
}

async fn hears_nothing(probe: &Probe, mut client: Client) -> Verdict {
    // Where the server has closed the connection meanwhile, what came before that counts.
    if client.fence().await.is_err() {
        probe.note(say!(
            "the server closed the refused connection over {transport} meanwhile",
            transport = client.transport()
        ));
    }
    client.take_notes(probe);
    let namespace = &probe.contract().namespace;
    let is_event = |packet: &&SocketPacket| packet.event_name().is_some() && packet.namespace == *namespace;
    // What came before the refusal came to a client that had not asked yet: `rest.emit-authenticated-only` judges that.
    let is_earlier = |packet: &&SocketPacket| packet.kind != Kind::ConnectError || packet.namespace != *namespace;
    let Some(heard) = client.since(0).iter().skip_while(is_earlier).find(is_event) else { return Ok(()) };
    fail(say!(
        "A refused connection hears what the server sends to its users, over {transport}",
        transport = client.transport()
    ))
    .sent("CONNECT with a token signed with another key, which was refused; then a broadcast")
    .received(say!("at the refused connection: 4{heard}", heard = heard.encode()))
    .expected("nothing at the refused connection")
    .stop()
}

async fn is_not_handled(probe: &Probe, mut client: Client) -> Verdict {
    let ping = probe.ping()?;
    client.emit(&ping.emit, &Vars::new());
    let _ = client.fence().await;
    client.take_notes(probe);
    let pongs = client.events_since(0, &ping.reply);
    let Some(pong) = pongs.first() else { return Ok(()) };
    fail(say!(
        "A refused connection's `{event}` is handled over {transport}",
        event = ping.emit.event,
        transport = client.transport()
    ))
    .sent(say!(
        "CONNECT with a token signed with another key, which was refused; then {ping}",
        ping = on_wire(&probe.contract().namespace, &ping.emit, &Vars::new())
    ))
    .received(format!("4{}", pong.encode()))
    .expected("no answer, or the end of the connection")
    .stop()
}
