//! A client that has left a room hears nothing more from it, and goes on hearing the other room that it is in.
//!
//! Leaving has no answer, and its handler may have to ask a database first; so messages are sent until one no longer
//! reaches the client, and only one that still does at the end of the deadline counts. A member who stays shows that each
//! message went out, and the fence behind it that the client was not just slow to get it.

use tokio::time::Instant;

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    contract::Vars,
    fault::Fault,
    probe::{Probe, Stop, Verdict, fail, on_wire},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "rooms.leave",
    title: "After leaving a room nothing arrives from it, and other rooms go on",
    level: Level::Must,
    row: Row::C5,
    cites: &[cite::SIO_ROOMS, cite::CHECKLIST],
    needs: &[Need::Connect, Need::Rooms],
    requires: &["rooms.member-receives", "rooms.outsider-silent", "rooms.two-rooms"],
    isolation: Isolation::Rooms,
    effects: &[],
    wait: Wait::None,
    meaning: "People keep receiving from rooms that they have left, or stop receiving from rooms that they have not \
              left.",
    fix: "Leave the room that the event names, and no other: \
          `socket.on('leave_room', (room) => socket.leave(room))`, by the very name that `socket.join(room)` got.",
    effort: Effort::Minutes,
    faults: &[Fault::LeaveDoesNothing, Fault::LeaveLeavesAll],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let rooms = probe.rooms()?;
    let (left, kept) = (probe.room("left")?, probe.room("kept")?);
    let [sender, mut stayer, mut leaver] = super::members(probe, &left, [probe.transport(); 3]).await?;
    super::join(probe, &mut stayer, &kept).await?;
    super::join(probe, &mut leaver, &kept).await?;
    super::settle(probe, &stayer, &mut leaver, &kept).await?;
    super::deliver(probe, &sender, &mut leaver, &super::message(probe, &left)?).await?;

    let leave = on_wire(&probe.contract().namespace, &rooms.leave, &Vars::new().room(left.clone()));
    leaver.emit(&rooms.leave, &Vars::new().room(left.clone()));
    leaver.fence().await?;
    let end = probe.in_time();
    let mut pause = probe.target().quiet_window();
    loop {
        let vars = super::message(probe, &left)?;
        let from = leaver.mark();
        super::deliver(probe, &sender, &mut stayer, &vars).await?;
        leaver.fence().await?;
        leaver.take_notes(probe);
        let heard = leaver.expected_since(from, &rooms.receive, &vars);
        let Some(heard) = heard.first() else { break };
        if Instant::now() >= end {
            return fail("A client that left the room still hears it")
                .sent(say!("{leave}, then from another member {message}", leave, message = sent(probe, &vars)?))
                .received(say!("at the client that left: 4{heard}", heard = heard.encode()))
                .expected("nothing from this room any more")
                .stop();
        }
        leaver.listen(pause.min(end - Instant::now())).await?;
        pause *= 2;
    }

    let vars = super::message(probe, &kept)?;
    if super::arrives(probe, &stayer, &mut leaver, &vars).await? {
        return Ok(());
    }
    fail("A client that left one room no longer hears another")
        .sent(say!("{leave}, then from a member of the other room {message}", leave, message = sent(probe, &vars)?))
        .received(say!("no `{event}` in time", event = rooms.receive.event))
        .expected(say!("`{event}` from the room that was not left", event = rooms.receive.event))
        .stop()
}

fn sent(probe: &Probe, vars: &Vars) -> Result<String, Stop> {
    Ok(on_wire(&probe.contract().namespace, &probe.rooms()?.send, vars))
}
