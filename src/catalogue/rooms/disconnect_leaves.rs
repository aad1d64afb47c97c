//! A connection takes its rooms with it: when the same user connects again, nothing arrives from a room before the user
//! has joined it anew.
//!
//! Two users join a room. One disconnects as clients do, the other's connection drops without a word; both connect
//! again, and a member who stayed sends to the room. Where tokens come from a single ready one, both are the same user.
//! Connection state recovery, which restores rooms on purpose, is asked for by a field that is not sent here.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Stop, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "rooms.disconnect-leaves",
    title: "A new connection of the same user is in no room until it joins",
    level: Level::Must,
    row: Row::C5,
    cites: &[cite::SIO_ROOMS, cite::SIO_DISCONNECT, cite::CHECKLIST],
    needs: &[Need::Connect, Need::Rooms],
    requires: &["rooms.member-receives", "rooms.outsider-silent"],
    isolation: Isolation::Rooms,
    effects: &[],
    wait: Wait::None,
    meaning: "After a reload of the page, people read rooms that they have closed; and what they join again they see \
              twice.",
    fix: "Let `socket.join(room)` keep the membership, which ends with the connection; a list of one's own, by user, has \
          to be cleared: `socket.on('disconnect', () => members.delete(userId))`.",
    effort: Effort::Hours,
    faults: &[Fault::RoomsSurviveDisconnect],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let rooms = probe.rooms()?;
    if rooms.joined_on_connect {
        let declared =
            "the contract declares that a client is in its rooms as soon as it connects (rooms.joined-on-connect)";
        return Err(Stop::Skip(declared.into()));
    }
    let transport = probe.transport();
    let room = probe.room("room")?;
    let [sender, mut stayer] = super::members(probe, &room, [transport; 2]).await?;
    let (clean, abrupt) = (probe.user("clean"), probe.user("abrupt"));
    let (mut leaver, mut dropped) =
        tokio::try_join!(probe.client_of(&clean, "clean", transport), probe.client_of(&abrupt, "abrupt", transport),)?;
    for client in [&mut leaver, &mut dropped] {
        super::join(probe, client, &room).await?;
        super::settle(probe, &sender, client, &room).await?;
    }
    dropped.drop_connection();
    leaver.disconnect().await;

    let (leaver, dropped) = tokio::try_join!(
        probe.client_of(&clean, "clean again", transport),
        probe.client_of(&abrupt, "abrupt again", transport),
    )?;
    let vars = super::message(probe, &room)?;
    super::deliver(probe, &sender, &mut stayer, &vars).await?;
    for (mut client, end) in [(leaver, "a disconnect"), (dropped, "a dropped connection")] {
        client.fence().await?;
        client.take_notes(probe);
        if let Some(heard) = client.expected_since(0, &rooms.receive, &vars).first() {
            return super::finding(
                probe,
                say!("After {end}, the same user is in the room without a join", end),
                &vars,
            )?
            .received(say!("at the user's new connection: 4{heard}", heard = heard.encode()))
            .expected("nothing before the new connection joins the room")
            .stop();
        }
    }
    Ok(())
}
