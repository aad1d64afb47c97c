//! A client that joins a room twice gets each message once.
//!
//! Clients join again whenever they are not sure: after a reconnect, when a component is mounted a second time. A second
//! join may be ignored or refused; it must not add a second delivery.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "rooms.join-twice",
    title: "Joining a room twice delivers once",
    level: Level::Must,
    row: Row::C5,
    cites: &[cite::SIO_ROOMS, cite::CHECKLIST],
    needs: &[Need::Connect, Need::Rooms],
    requires: &["auth.valid-token", "rooms.member-receives"],
    isolation: Isolation::Rooms,
    effects: &[],
    wait: Wait::None,
    meaning: "Messages show up twice, and once more with each page that joins the room again.",
    fix: "Keep members in a set, not in a list; `socket.join(room)` does. Add no listener in the join handler: what \
          `socket.on('join_room', …)` registers, it registers anew with each join.",
    effort: Effort::Minutes,
    faults: &[Fault::JoinTwiceDeliversTwice],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let receive = &probe.rooms()?.receive.event;
    let room = probe.room("room")?;
    let [sender, mut member] = super::members(probe, &room, [probe.transport(); 2]).await?;
    super::join(probe, &mut member, &room).await?;
    match super::copies(probe, &sender, &mut member, &room).await? {
        None => Ok(()),
        Some((0, vars)) => super::finding(probe, "A second join takes the client out of the room", &vars)?
            .received(say!("no `{receive}` in time at the client that joined twice", receive))
            .expected(say!("one `{receive}`", receive))
            .stop(),
        Some((copies, vars)) => {
            let reason = say!("After a second join, each message arrives {copies} times", copies);
            super::finding(probe, reason, &vars)?
                .received(say!("{copies} × `{receive}` at the client that joined twice", copies, receive))
                .expected(say!("one `{receive}`", receive))
                .stop()
        }
    }
}
