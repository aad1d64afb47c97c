//! Members of a room hear each other whatever transport they are on: a member on polling and one on WebSocket, in both
//! directions, each message once.
//!
//! Clients begin on polling by default, and some networks never let them off it.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
    wire::Transport,
};

pub const CHECK: Check = Check {
    id: "rooms.cross-transport",
    title: "Members on polling and on WebSocket hear each other",
    level: Level::Must,
    row: Row::C5,
    cites: &[cite::SIO_ROOMS, cite::CHECKLIST],
    needs: &[Need::Connect, Need::Rooms, Need::DistinctRoomMessages, Need::Polling, Need::WebSocket],
    requires: &["auth.valid-token", "rooms.member-receives"],
    isolation: Isolation::Rooms,
    effects: &[],
    wait: Wait::None,
    meaning: "Who is behind a proxy that blocks WebSocket is left out of every conversation.",
    fix: "Serve both transports from one `Server`: bind one `Engine` to Nitro's router and to its `websocket` hook, and \
          send by `io.to(room).emit(…)`, not through a list of WebSocket peers of one's own.",
    effort: Effort::Hours,
    faults: &[Fault::RoomSkipsPolling],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let receive = &probe.rooms()?.receive.event;
    let room = probe.room("room")?;
    let mut clients = probe.clients("member", &[Transport::Polling, Transport::WebSocket]).await?;
    for client in &mut clients {
        super::join(probe, client, &room).await?;
    }
    for _ in 0..2 {
        let [sender, receiver] = &mut clients[..] else { unreachable!("two were asked for") };
        let way = say!("sent over {transport}", transport = sender.transport());
        let member = say!("the member on {transport}", transport = receiver.transport());
        let found = match super::unsettled(probe, sender, receiver, &room).await? {
            None => super::copies(probe, sender, receiver, &room).await?,
            Some(vars) => Some((0, vars)),
        };
        if let Some((copies, vars)) = found {
            let (reason, received) = match copies {
                0 => ("does not reach".into(), say!("no `{receive}` in time", receive)),
                _ => (say!("arrives {copies} times at", copies), say!("{copies} × `{receive}`", copies, receive)),
            };
            return super::finding(probe, say!("A room message {way} {reason} {member}", way, reason, member), &vars)?
                .received(received)
                .expected(say!("one `{receive}` at {member}", receive, member))
                .stop();
        }
        clients.reverse();
    }
    Ok(())
}
