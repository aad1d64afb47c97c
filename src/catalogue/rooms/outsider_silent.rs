//! A client that never joined a room hears nothing that is sent to it.
//!
//! Two members and an outsider are connected. Once the other member has the message, the outsider's connection is
//! fenced: whatever the server sent to it before, it has by then.

use crate::{
    catalogue::{Check, Isolation, Need, cite},
    mock::Fault,
    probe::{Probe, Verdict, fail, on_wire, vars},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "rooms.outsider-silent",
    title: "A client outside the room hears nothing of it",
    level: Level::Must,
    row: Row::C5,
    cites: &[cite::SIO_ROOMS, cite::CHECKLIST],
    needs: &[Need::Connect, Need::Rooms],
    requires: &["rooms.member-receives"],
    isolation: Isolation::Rooms,
    meaning: "Everybody reads everybody's messages.",
    fix: "Send to the room, not to all: `io.to(room).emit(…)` or `socket.to(room).emit(…)` instead of `io.emit(…)`.",
    faults: &[Fault::RoomBroadcastsToAll],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let rooms = probe.rooms()?;
    let vars = vars(&probe.nonce("room"), &probe.nonce("message"));
    let [mut sender, mut member] = super::members(probe, &vars, [probe.transport(); 2]).await?;
    for transport in probe.transports() {
        let mut outsider = probe.client("outsider", transport).await?;
        let from = outsider.mark();
        super::deliver(probe, &mut sender, &mut member, &vars).await?;
        outsider.fence().await?;
        outsider.take_notes(probe);
        if let Some(heard) = outsider.expected_since(from, &rooms.receive, &vars).first() {
            return fail(format!("A client outside the room hears its messages over {transport}"))
                .sent(on_wire(&probe.contract().namespace, &rooms.send, &vars))
                .received(format!("at the outsider: 4{}", heard.encode()))
                .expected("nothing at the outsider")
                .stop();
        }
    }
    Ok(())
}
