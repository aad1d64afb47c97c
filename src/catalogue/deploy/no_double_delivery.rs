//! What crosses from one node to another arrives there once, be it a room message or a REST call's event.
//!
//! A fence tells what one node has sent on one connection, and nothing of what is still on its way between nodes. So each
//! message is followed by a second one, which takes the same way; once that has arrived, and a quiet window has passed,
//! the copies of both are counted.

use futures::future::try_join_all;
use url::Url;

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite, rest, rooms},
    contract::{Expect, Vars},
    fault::Fault,
    message::data,
    probe::{BETWEEN_NODES, Client, Probe, Stop, Verdict, authority, fail, in_order},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "deploy.no-double-delivery",
    title: "What crosses from one node to another arrives once",
    level: Level::Must,
    row: Row::D,
    cites: &[cite::SIO_ADAPTER, cite::SIO_REDIS],
    needs: &[Need::Nodes, Need::Connect],
    requires: &[
        "auth.valid-token",
        "rooms.join-twice",
        "rest.emit-once",
        "deploy.cross-node-rooms",
        "deploy.cross-node-rest",
    ],
    // It counts both room messages and notifications, which a contract may let look alike.
    isolation: Isolation::Alone,
    effects: &[Effect::Broadcasts],
    wait: Wait::None,
    meaning: "Each message shows as often as there are nodes: the more servers, the worse.",
    fix: "Emit on one node only, and leave the rest to the adapter. Where each node hears of something by itself (a queue, \
          Redis, a database), let it tell its own clients alone: `io.local.emit('notification', …)`.",
    effort: Effort::Hours,
    faults: &[Fault::EventsCrossTwice],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let nodes = super::nodes(probe)?;
    if probe.contract().rooms.is_none() && probe.contract().rest.is_none() {
        return Err(Stop::Skip("the contract declares neither rooms nor a REST trigger".into()));
    }
    let window = probe.target().quiet_window().max(BETWEEN_NODES);
    probe.note(say!(
        "the absence of a second copy was judged by a second message over the same path and a quiet window of \
         {window}: a fence guarantees order only for what one node sends on one connection",
        window
    ));
    if probe.contract().rooms.is_some() {
        room_messages(probe, &nodes).await?;
    }
    if probe.contract().rest.is_some() {
        notifications(probe, &nodes).await?;
    }
    Ok(())
}

async fn room_messages(probe: &Probe, nodes: &[Url]) -> Verdict {
    let rooms = probe.rooms()?;
    let room = probe.room("room")?;
    let mut clients = super::members(probe, nodes, &room).await?;
    for [from, to] in super::ways(nodes.len()) {
        let [sender, receiver] = clients
            .get_disjoint_mut([from, to])
            .map_err(|error| Stop::Broken(say!("no two clients: {error}", error = error.to_string())))?;
        rooms::settle(probe, sender, receiver, &room).await?;
    }
    for sender in 0..nodes.len() {
        let marks: Vec<usize> = clients.iter().map(Client::mark).collect();
        let messages = [rooms::message(probe, &room)?, rooms::message(probe, &room)?];
        for vars in &messages {
            let from: Vec<usize> = clients.iter().map(Client::mark).collect();
            clients[sender].emit(&rooms.send, vars);
            let others = clients.iter_mut().zip(from).enumerate().filter(|(number, _)| *number != sender);
            let waiting = others.map(|(_, (client, from))| client.wait_expected(from, &rooms.receive, vars));
            if try_join_all(waiting).await?.contains(&None) {
                return Err(Stop::Broken(say!(
                    "`{event}` does not arrive on every node (see deploy.cross-node-rooms)",
                    event = rooms.receive.event
                )));
            }
        }
        settled(probe, &mut clients).await?;
        let is_distinct = rooms.send.carries_message();
        for (number, client) in clients.iter().enumerate().filter(|(number, _)| *number != sender) {
            if let Some((copies, vars)) = surplus(client, marks[number], &rooms.receive, &messages, is_distinct) {
                let [from, to] = [sender, number].map(|node| data(authority(&nodes[node])));
                let reason = say!("A room message on {from} arrives {copies} times on {to}", from, copies, to);
                return rooms::finding(probe, reason, vars)?
                    .received(say!(
                        "{copies} × `{event}` at the member on {to}",
                        copies,
                        event = rooms.receive.event,
                        to
                    ))
                    .expected(say!("one `{event}` at each member", event = rooms.receive.event))
                    .stop();
            }
        }
    }
    Ok(())
}

async fn notifications(probe: &Probe, nodes: &[Url]) -> Verdict {
    let rest = probe.rest()?;
    let mut clients = super::clients(probe, nodes).await?;
    for caller in nodes {
        let marks: Vec<usize> = clients.iter().map(Client::mark).collect();
        let mut messages = Vec::new();
        for _ in 0..2 {
            let (message, vars) = rest::message(probe)?;
            let from: Vec<usize> = clients.iter().map(Client::mark).collect();
            probe.notify_on(caller, &message).await?;
            let waiting =
                clients.iter_mut().zip(from).map(|(client, from)| client.wait_expected(from, &rest.event, &vars));
            if try_join_all(waiting).await?.contains(&None) {
                return Err(Stop::Broken(say!(
                    "`{event}` does not arrive on every node (see deploy.cross-node-rest)",
                    event = rest.event.event
                )));
            }
            messages.push(vars);
        }
        settled(probe, &mut clients).await?;
        for ((client, node), from) in clients.iter().zip(nodes).zip(marks) {
            if let Some((copies, vars)) = surplus(client, from, &rest.event, &messages, rest.carries_message()) {
                let [from, to] = [caller, node].map(|node| data(authority(node)));
                return fail(say!("A REST call on {from} arrives {copies} times on {to}", from, copies, to))
                    .sent(say!("{call}, on {from}", call = rest::on_wire(rest, vars), from))
                    .received(say!("{copies} × `{event}` at the client on {to}", copies, event = rest.event.event, to))
                    .expected(say!("one `{event}` at each client", event = rest.event.event))
                    .stop();
            }
        }
    }
    Ok(())
}

/// Lets whatever is still on its way arrive.
async fn settled(probe: &Probe, clients: &mut [Client]) -> Result<(), Stop> {
    in_order(clients.iter_mut().map(Client::fence)).await?;
    clients.iter_mut().for_each(|client| client.take_notes(probe));
    Ok(())
}

/// The message that came more often than once, and how often.
fn surplus<'a>(
    client: &Client,
    from: usize,
    expect: &Expect,
    messages: &'a [Vars],
    is_distinct: bool,
) -> Option<(usize, &'a Vars)> {
    let expected = if is_distinct { 1 } else { messages.len() };
    messages.iter().find_map(|vars| {
        let copies = client.expected_since(from, expect, vars).len();
        (copies > expected).then(|| (copies.div_ceil(expected), vars))
    })
}
