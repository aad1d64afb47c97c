//! A client that never joined a room hears nothing that is sent to it.
//!
//! Two members are connected, and an outsider on each transport. Once the other member has the message, the outsiders'
//! connections are fenced: whatever the server sent to them before, they have by then.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
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
    effects: &[],
    wait: Wait::None,
    meaning: "Everybody reads everybody's messages.",
    fix: "Send to the room, not to all: `io.to(room).emit(…)` or `socket.to(room).emit(…)` instead of `io.emit(…)`.",
    effort: Effort::Minutes,
    faults: &[Fault::RoomBroadcastsToAll, Fault::LeaksFromOtherNode],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let rooms = probe.rooms()?;
    let room = probe.room("room")?;
    let [sender, mut member] = super::members(probe, &room, [probe.transport(); 2]).await?;
    let mut outsiders = Vec::new();
    for transport in probe.transports() {
        let user = probe.user_outside(None, &room, "outsider")?;
        outsiders.push(probe.client_of(&user, &format!("outsider ({})", transport.name()), transport).await?);
    }
    let vars = super::message(probe, &room)?;
    super::deliver(probe, &sender, &mut member, &vars).await?;
    for outsider in &mut outsiders {
        outsider.fence().await?;
        outsider.take_notes(probe);
        if let Some(heard) = outsider.expected_since(0, &rooms.receive, &vars).first() {
            let reason =
                say!("A client outside the room hears its messages over {transport}", transport = outsider.transport());
            return super::finding(probe, reason, &vars)?
                .received(say!("at the outsider: 4{heard}", heard = heard.encode()))
                .expected("nothing at the outsider")
                .stop();
        }
    }
    Ok(())
}
