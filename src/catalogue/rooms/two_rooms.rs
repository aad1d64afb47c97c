//! A client in two rooms can tell them apart: what is sent to one room reaches that room's members only, and the client
//! itself hears and is heard in both.
//!
//! One client joins two rooms, and each room has one member more. A message to either room must reach that room's
//! member, must not reach the other room's, and what the members send must reach the client. An application that allows
//! one room at a time, and takes its clients out of the first when they join a second, fails here: the checklist's rooms
//! are independent.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    contract::Vars,
    fault::Fault,
    message::Message,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "rooms.two-rooms",
    title: "Messages stay in their room for a client in two",
    level: Level::Must,
    row: Row::C5,
    cites: &[cite::SIO_ROOMS, cite::CHECKLIST],
    needs: &[Need::Connect, Need::Rooms, Need::DistinctRoomMessages],
    requires: &["rooms.member-receives", "rooms.outsider-silent"],
    isolation: Isolation::Rooms,
    effects: &[],
    wait: Wait::None,
    meaning: "What somebody writes in one room shows up in another, before people whom it was not meant for; or a second \
              room silences the first.",
    fix: "Send to the room that the message names, never to all of `socket.rooms`: `io.to(room).emit(…)` with the \
          `room` of this message, and no room kept in a variable that connections share.",
    effort: Effort::Hours,
    faults: &[Fault::RoomsRunTogether],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let rooms = probe.rooms()?;
    let (first, second) = (probe.room("first")?, probe.room("second")?);
    let transport = probe.transport();
    let (user_of_first, user_of_second) =
        (probe.user_outside(Some(&first), &second, "first")?, probe.user_outside(Some(&second), &first, "second")?);
    let mut both = probe.client("both", transport).await?;
    let mut in_first = probe.client_of(&user_of_first, "first", transport).await?;
    let mut in_second = probe.client_of(&user_of_second, "second", transport).await?;
    super::join(probe, &mut both, &first).await?;
    super::join(probe, &mut in_first, &first).await?;
    super::settle(probe, &both, &mut in_first, &first).await?;
    super::join(probe, &mut both, &second).await?;
    super::join(probe, &mut in_second, &second).await?;
    super::settle(probe, &both, &mut in_second, &second).await?;

    let clients = [(&first, &mut in_first, said!("first")), (&second, &mut in_second, said!("second"))];
    let [mut here, mut elsewhere] = clients;
    for _ in 0..2 {
        let (room, member, name) = &mut here;
        let (_, outsider, other) = &mut elsewhere;
        let vars = super::message(probe, room)?;
        let from = outsider.mark();
        if !super::arrives(probe, &both, member, &vars).await? {
            return unheard(probe, say!("Messages from a client in two rooms do not reach the {name}", name), &vars);
        }
        outsider.fence().await?;
        outsider.take_notes(probe);
        if let Some(heard) = outsider.expected_since(from, &rooms.receive, &vars).first() {
            return super::finding(
                probe,
                say!("A message to the {name} room also goes to the {other}", name, other),
                &vars,
            )?
            .received(say!("at a member of the {other} room alone: 4{heard}", other, heard = heard.encode()))
            .expected(say!("nothing outside the {name} room", name))
            .stop();
        }
        let vars = super::message(probe, room)?;
        if !super::arrives(probe, member, &mut both, &vars).await? {
            return unheard(probe, say!("A client in two rooms gets no messages from the {name}", name), &vars);
        }
        std::mem::swap(&mut here, &mut elsewhere);
    }
    Ok(())
}

fn unheard(probe: &Probe, reason: Message, vars: &Vars) -> Verdict {
    let receive = &probe.rooms()?.receive.event;
    super::finding(probe, reason, vars)?
        .received(say!("no `{receive}` in time", receive))
        .expected(say!("`{receive}` at every other member of the room", receive))
        .stop()
}
