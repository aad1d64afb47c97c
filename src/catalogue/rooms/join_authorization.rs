//! The declared private room is closed to users who do not belong to it.
//!
//! Two of them join it, and one sends to it, twice: the other must hear nothing. Whether a join is refused by an
//! acknowledgement, an error event or silence is the deployment's choice.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    contract::Vars,
    mock::Fault,
    probe::{Probe, Verdict, on_wire},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "rooms.join-authorization",
    title: "A stranger is kept out of a private room",
    level: Level::Should,
    row: Row::D,
    cites: &[cite::SIO_ROOMS, cite::CWE_862],
    needs: &[Need::Connect, Need::Rooms, Need::PrivateRoom],
    requires: &["auth.valid-token", "rooms.member-receives", "rooms.outsider-silent"],
    isolation: Isolation::Rooms,
    wait: Wait::None,
    meaning: "Every user reads along in every room, and speaks in it, by knowing its name.",
    fix: "Ask in the handler whether the user may: `socket.on('join_room', async (room, ack) => { if (!(await \
          mayJoin(socket.data.user, room))) return ack?.({ ok: false }); socket.join(room) })`.",
    effort: Effort::Hours,
    faults: &[Fault::OpenPrivateRoom],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let declared = probe.rooms()?;
    let Some(room) = &probe.contract().choices.private_room else { return Ok(()) };
    let mut strangers = probe.clients("stranger", &probe.mixed_transports(2)).await?;
    for stranger in &mut strangers {
        super::join(probe, stranger, room).await?;
    }
    let [sender, receiver] = &mut strangers[..] else { return Ok(()) };
    // The fence tells that the server took the joins; their handlers may have to ask a database first.
    for _ in 0..2 {
        let vars = super::message(probe, room)?;
        let from = receiver.mark();
        sender.emit(&declared.send, &vars);
        sender.fence().await?;
        receiver.listen(probe.target().quiet_window()).await?;
        receiver.fence().await?;
        receiver.take_notes(probe);
        if let Some(heard) = receiver.expected_since(from, &declared.receive, &vars).first() {
            let join = on_wire(&probe.contract().namespace, &declared.join, &Vars::new().room(room));
            return super::finding(probe, format!("Users who do not belong to `{room}` hear each other in it"), &vars)?
                .sent(format!(
                    "{join} by two users, then {} by one of them",
                    on_wire(&probe.contract().namespace, &declared.send, &vars)
                ))
                .received(format!("at the other: 4{}", heard.encode()))
                .expected("nothing at the other")
                .stop();
        }
    }
    Ok(())
}
