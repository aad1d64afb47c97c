//! A message that is sent to a room on one node reaches the room's members on every other node.
//!
//! A client on each node joins the same room. From each node a message is sent, and must arrive at all others. As the
//! join may take the servers a moment, messages are sent until one arrives. A target that is itself a balancer counts as a
//! node of its own.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite, rooms},
    fault::Fault,
    message::data,
    probe::{Probe, Stop, Verdict, authority},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "deploy.cross-node-rooms",
    title: "A room message on one node reaches the members on the others",
    level: Level::Must,
    row: Row::D,
    cites: &[cite::SIO_ADAPTER, cite::SIO_REDIS],
    needs: &[Need::Nodes, Need::Connect, Need::Rooms],
    requires: &["auth.valid-token", "rooms.member-receives"],
    isolation: Isolation::Rooms,
    effects: &[],
    wait: Wait::None,
    meaning: "Room members receive messages only from clients on the same node: half of every conversation is \
              missing, and a different half after each reconnect.",
    fix: "Give each node an adapter, and all of them the same Redis: `new Server({ adapter: createAdapter(pubClient, \
          subClient) })` from `@socket.io/redis-adapter`; then send by `io.to(room).emit(…)`.",
    effort: Effort::Days,
    faults: &[Fault::EventsStayOnNode],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let receive = &probe.rooms()?.receive.event;
    let nodes = super::nodes(probe)?;
    let room = probe.room("room")?;
    let mut clients = super::members(probe, &nodes, &room).await?;
    for way in super::ways(nodes.len()) {
        let [from, to] = way.map(|node| data(authority(&nodes[node])));
        let [sender, receiver] = clients
            .get_disjoint_mut(way)
            .map_err(|error| Stop::Broken(say!("no two clients: {error}", error = error.to_string())))?;
        if let Some(vars) = rooms::unsettled(probe, sender, receiver, &room).await? {
            return rooms::finding(probe, say!("A room message on {from} does not reach {to}", from, to), &vars)?
                .received(say!("no `{receive}` in time at the member on {to}", receive, to))
                .expected(say!("one `{receive}` with the message at each member, whatever its node", receive))
                .stop();
        }
    }
    Ok(())
}
