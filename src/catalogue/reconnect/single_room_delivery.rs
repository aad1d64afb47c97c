//! However often a user's connection drops and joins its room again, one message to the room arrives once.
//!
//! One user for each transport connects six times and joins the same room each time; the first five connections are cut
//! without a word. Another user, a member too, then sends one message, and its deliveries are counted at each user
//! behind a fence. That the message arrives at all is judged by `rooms.member-receives`.

use futures::future::try_join_all;
use serde_json::Value;

use super::RECONNECTS;
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite, rooms},
    fault::Fault,
    probe::{Client, Probe, Stop, Verdict, fail, on_wire},
    verdict::{Copied, Level, Row},
    wire::Transport,
};

pub const CHECK: Check = Check {
    id: "reconnect.single-room-delivery",
    title: "After dropped connections and new joins, a room message arrives once",
    level: Level::Must,
    row: Row::C9,
    cites: &[cite::SIO_ROOMS, cite::CHECKLIST],
    needs: &[Need::Connect, Need::Rooms],
    requires: &["auth.valid-token", "rooms.member-receives", "rooms.cross-transport"],
    isolation: Isolation::Rooms,
    effects: &[],
    wait: Wait::None,
    meaning: "A chat shows every message once more after each loss of the network.",
    fix: "Leave membership to Socket.IO, which ends it with the connection: `socket.join(room)`, and send with \
          `io.to(room).emit(…)`. Keep no list of your own of who is where, or take the socket out on `disconnect`.",
    effort: Effort::Hours,
    faults: &[Fault::RoomDeliveriesPileUp],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let declared = probe.rooms()?;
    let room = probe.room("room")?;
    let vars = rooms::message(probe, &room)?;
    let users = probe.transports().into_iter().map(|transport| member(probe, &room, transport));
    let mut members = try_join_all(users).await?;
    let mut sender = probe.client("sender", probe.transport()).await?;
    rooms::join(probe, &mut sender, &room).await?;
    for member in &mut members {
        rooms::settle(probe, &sender, member, &room).await?;
    }
    // Behind these fences, nothing of what settled the joins is still under way.
    sender.fence().await?;
    let mut marks = Vec::new();
    for member in &mut members {
        member.fence().await?;
        marks.push(member.mark());
    }
    sender.emit(&declared.send, &vars);
    for (member, from) in members.iter_mut().zip(marks) {
        member.wait_expected(from, &declared.receive, &vars).await?;
        member.fence().await?;
        member.take_notes(probe);
        let count = member.expected_since(from, &declared.receive, &vars).len();
        if count != 1 {
            let event = &declared.receive.event;
            let transport = member.transport();
            return fail(say!(
                "After {reconnects} reconnects, a room message arrives {count} times over {transport}",
                reconnects = RECONNECTS,
                count,
                transport
            ))
            .sent(say!(
                "{message} once, by another member",
                message = on_wire(&probe.contract().namespace, &declared.send, &vars)
            ))
            .received(say!("{count} × `{event}`", count, event))
            .expected(say!("one `{event}`", event))
            .copies(Copied::RoomMessage, [count])
            .stop();
        }
    }
    sender.take_notes(probe);
    Ok(())
}

/// A user's last connection, in the room as its earlier ones were.
async fn member(probe: &Probe, room: &Value, transport: Transport) -> Result<Client, Stop> {
    let user = probe.user("user");
    for _ in 0..RECONNECTS {
        let mut client = probe.client_of(&user, transport.name(), transport).await?;
        rooms::join(probe, &mut client, room).await?;
        client.drop_connection();
    }
    let mut client = probe.client_of(&user, transport.name(), transport).await?;
    rooms::join(probe, &mut client, room).await?;
    Ok(client)
}
