//! Joining a room named by another client's socket id gives no access to what is sent to that id.
//!
//! In Socket.IO every socket is in a room named by its own id, and `io.to(socketId).emit(…)` is how one user is spoken to.
//! A `join_room` that takes whatever name the client gives lets anybody into that room; and ids are no secret once one
//! client's id reaches another, as a sender's, say.
//!
//! One client joins the room named by the other's id. Only where that room turns out to be the other's own (the other
//! hears what is sent to it, and never joined it) does it matter what the first one hears there: a room that merely has
//! such a name, as an application that prefixes its rooms would make, is harmless.

use serde_json::Value;

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    contract::Vars,
    fault::Fault,
    probe::{Answer, Client, Probe, Stop, Verdict, fail, on_wire},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "rooms.own-room-eavesdrop",
    title: "Joining a room named after another client's socket id does not give access to that client's messages",
    level: Level::Should,
    row: Row::D,
    cites: &[cite::SIO_ROOMS],
    needs: &[Need::Connect, Need::Rooms],
    requires: &["auth.valid-token", "socket.connect", "rooms.member-receives", "rooms.outsider-silent"],
    isolation: Isolation::Rooms,
    effects: &[],
    wait: Wait::None,
    meaning: "Whoever learns a user's socket id reads what the server sends to that user alone.",
    fix: "Keep the rooms that users name apart from those that Socket.IO makes: `socket.join('room:' + name)`, and \
          `io.to('room:' + name)` when sending; or refuse names that are socket ids: `if (io.sockets.sockets.has(name)) \
          return`.",
    effort: Effort::Hours,
    faults: &[Fault::SocketIdsAreRooms],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let rooms = probe.rooms()?;
    let (mut victim, id) = with_id(probe).await?;
    let mut eavesdropper = probe.client("eavesdropper", probe.transport()).await?;
    super::join(probe, &mut eavesdropper, &id).await?;

    let to_victim = super::message(probe, &id)?;
    let from = victim.mark();
    eavesdropper.emit(&rooms.send, &to_victim);
    // The fence tells that the server took the message. Its handler may take its time, and only what arrives counts.
    eavesdropper.fence().await?;
    victim.listen(probe.target().quiet_window()).await?;
    victim.fence().await?;
    victim.take_notes(probe);
    if victim.expected_since(from, &rooms.receive, &to_victim).is_empty() {
        probe.note("a room named after a socket id does not reach that socket");
        return Ok(());
    }

    let to_itself = super::message(probe, &id)?;
    let from = eavesdropper.mark();
    victim.emit(&rooms.send, &to_itself);
    victim.fence().await?;
    eavesdropper.listen(probe.target().quiet_window()).await?;
    eavesdropper.fence().await?;
    eavesdropper.take_notes(probe);
    let Some(heard) = eavesdropper.expected_since(from, &rooms.receive, &to_itself).into_iter().next() else {
        return Ok(());
    };
    let namespace = &probe.contract().namespace;
    fail("A client that joins the room named by another's socket id hears what is sent to that id")
        .sent(say!(
            "{join} by one client, then {message} by the client with that id",
            join = on_wire(namespace, &rooms.join, &Vars::new().room(id.clone())),
            message = on_wire(namespace, &rooms.send, &to_itself)
        ))
        .received(say!("at the first client: 4{heard}", heard = heard.encode()))
        .expected("nothing at the first client")
        .stop()
}

/// A connected client and its Socket.IO id, from the CONNECT reply.
async fn with_id(probe: &Probe) -> Result<(Client, Value), Stop> {
    let mut client = probe.open("victim", probe.transport()).await?;
    let credentials = probe.credentials(&probe.user("victim")).await?;
    match client.connect(credentials).await? {
        Answer::Connected(reply) => {
            let id = reply.data.as_ref().and_then(|data| data.get("sid")?.as_str());
            let id = id.ok_or_else(|| Stop::Broken("the CONNECT reply has no sid (see socket.connect)".into()))?;
            client.fence().await?;
            Ok((client, id.into()))
        }
        answer => Err(Stop::Broken(say!("{answer} (see auth.valid-token)", answer))),
    }
}
