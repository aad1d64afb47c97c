//! The declared private room is closed to users who do not belong to it.
//!
//! Two of them join it, and one sends to it, twice: the other must hear nothing. Whether a join is refused by an
//! acknowledgement, an error event or silence is the deployment's choice.
//!
//! Where the contract declares how to be a user who may join (`choices.private-room-claims`, or
//! `choices.private-room-token-env`), two of these join as well, and what one says, and the other hears, must not reach the
//! strangers: a join that is answered by a refusal may have taken effect. Where the deployment's rooms and users are declared
//! (`rooms.pool`, `[[users]]`), the room is one that some of them may join and others may not.

use serde_json::Value;

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    contract::Vars,
    fault::Fault,
    message::{Arg, data},
    probe::{Client, Probe, Stop, Verdict, on_wire},
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
    effects: &[],
    wait: Wait::None,
    meaning: "Any user who knows a room's name can read and send messages in it.",
    fix: "Ask in the handler whether the user may: `socket.on('join_room', async (room, ack) => { if (!(await \
          mayJoin(socket.data.user, room))) return ack?.({ ok: false }); socket.join(room) })`.",
    effort: Effort::Hours,
    faults: &[Fault::OpenPrivateRoom, Fault::RefusedStillListens],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let Some(room) = probe.contract().closed_room() else { return Ok(()) };
    let mut strangers = Vec::new();
    for (number, transport) in probe.mixed_transports(2).into_iter().enumerate() {
        let label = format!("stranger{}", number + 1);
        let user = probe.known_user(|user| !user.may_join(&room)).unwrap_or_else(|| probe.user(&label));
        let mut stranger = probe.client_of(&user, &label, transport).await?;
        super::join(probe, &mut stranger, &room).await?;
        strangers.push(stranger);
    }
    strangers_are_silent(probe, &room, &mut strangers).await?;
    members_are_alone(probe, &room, &mut strangers).await
}

fn shown(room: &Value) -> Arg {
    data(room.as_str().map_or_else(|| room.to_string(), str::to_owned))
}

/// What a stranger says must not reach another one.
async fn strangers_are_silent(probe: &Probe, room: &Value, strangers: &mut [Client]) -> Verdict {
    let declared = probe.rooms()?;
    let [sender, receiver] = strangers else { return Ok(()) };
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
            let join = on_wire(&probe.contract().namespace, &declared.join, &Vars::new().room(room.clone()));
            return super::finding(
                probe,
                say!("Users who do not belong to `{room}` hear each other in it", room = shown(room)),
                &vars,
            )?
            .sent(say!(
                "{join} by two users, then {message} by one of them",
                join,
                message = on_wire(&probe.contract().namespace, &declared.send, &vars)
            ))
            .received(say!("at the other: 4{heard}", heard = heard.encode()))
            .expected("nothing at the other")
            .stop();
        }
    }
    Ok(())
}

/// What a member says must not reach a stranger who asked to join before.
async fn members_are_alone(probe: &Probe, room: &Value, strangers: &mut [Client]) -> Verdict {
    let declared = probe.rooms()?;
    let Some(mut sender) = probe.private_member(room, "member1", probe.transport()).await? else { return Ok(()) };
    let Some(mut member) = probe.private_member(room, "member2", probe.transport()).await? else { return Ok(()) };
    for client in [&mut sender, &mut member] {
        super::join(probe, client, room).await?;
    }
    if super::unsettled(probe, &sender, &mut member, room).await?.is_some() {
        return Err(Stop::Broken(say!(
            "users who may join `{room}`, as the contract says, do not hear each other in it \
             (choices.private-room-claims, choices.private-room-token-env, [[users]])",
            room = shown(room)
        )));
    }
    for stranger in &mut *strangers {
        stranger.fence().await?;
    }
    let from: Vec<usize> = strangers.iter().map(Client::mark).collect();
    let vars = super::message(probe, room)?;
    super::deliver(probe, &sender, &mut member, &vars).await?;
    for (stranger, from) in strangers.iter_mut().zip(from) {
        stranger.fence().await?;
        stranger.take_notes(probe);
        if let Some(heard) = stranger.expected_since(from, &declared.receive, &vars).first() {
            let namespace = &probe.contract().namespace;
            let join = on_wire(namespace, &declared.join, &Vars::new().room(room.clone()));
            return super::finding(
                probe,
                say!("A user who does not belong to `{room}` hears its members", room = shown(room)),
                &vars,
            )?
            .sent(say!(
                "{join} by a stranger, then {message} by a member",
                join,
                message = on_wire(namespace, &declared.send, &vars)
            ))
            .received(say!("at the stranger: 4{heard}", heard = heard.encode()))
            .expected("nothing at the stranger")
            .stop();
        }
    }
    Ok(())
}
