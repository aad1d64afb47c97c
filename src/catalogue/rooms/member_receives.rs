//! A message to a room reaches the other member, and reaches it once.
//!
//! Two clients join a room of a name that nobody else uses, and one sends to it. Joining may take the server a moment,
//! and the protocol has no answer to it: so messages are sent until one arrives. Two more follow, each after the other's
//! arrival, and a fence, before copies are counted.
//!
//! Whether a sender hears its own message is the application's choice (`io.to` or `socket.to`) and is not judged, here or
//! elsewhere.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Copied, Level, Row},
};

pub const CHECK: Check = Check {
    id: "rooms.member-receives",
    title: "A message to a room reaches the other member once",
    level: Level::Must,
    row: Row::C5,
    cites: &[cite::SIO_ROOMS, cite::CHECKLIST],
    needs: &[Need::Connect, Need::Rooms],
    requires: &["auth.valid-token"],
    isolation: Isolation::Rooms,
    effects: &[],
    wait: Wait::None,
    meaning: "Whoever is in a room misses what is said there, or sees it twice.",
    fix: "Join and send under one and the same name: `socket.on('join_room', (room) => socket.join(room))`, then \
          `io.to(room).emit('receive_message', { room, message })`; and register both handlers once per connection.",
    effort: Effort::Minutes,
    faults: &[Fault::RoomDeliversNothing],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let rooms = probe.rooms()?;
    let room = probe.room("room")?;
    let mut clients = probe.clients("member", &[probe.transport(); 2]).await?;
    for client in &mut clients {
        super::join(probe, client, &room).await?;
    }
    let [sender, receiver] = &mut clients[..] else { unreachable!("two were asked for") };

    let from = receiver.mark();
    let expected = say!("one `{event}` with the message, at the other member", event = rooms.receive.event);
    if let Some(vars) = super::unsettled(probe, sender, receiver, &room).await? {
        let events = receiver.events_since(from, &rooms.receive.event);
        let misfit =
            events.last().and_then(|event| Some((event, rooms.receive.check(event.event_args(), &vars).err()?)));
        let Some((event, mismatch)) = misfit else {
            return super::finding(probe, "A message to the room does not reach the other member", &vars)?
                .received(say!("no `{event}` in time", event = rooms.receive.event))
                .expected(expected)
                .stop();
        };
        return super::finding(probe, "A message to the room reaches the other member, but not as declared", &vars)?
            .received(say!("4{event} ({mismatch})", event = event.encode(), mismatch))
            .expected(expected)
            .stop();
    }
    match super::copies(probe, sender, receiver, &room).await? {
        None => Ok(()),
        Some((0, vars)) => {
            super::finding(probe, "A message to the room is lost on its way to the other member", &vars)?
                .received(say!("no `{event}` in time, though messages before it arrived", event = rooms.receive.event))
                .expected(expected)
                .stop()
        }
        Some((copies, vars)) => {
            super::finding(probe, say!("A message to the room reaches the other member {copies} times", copies), &vars)?
                .received(say!("{copies} × `{event}` with the same message", copies, event = rooms.receive.event))
                .expected(expected)
                .copies(Copied::RoomMessage, [copies])
                .stop()
        }
    }
}
