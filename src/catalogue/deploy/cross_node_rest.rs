//! A call of the REST trigger on one node reaches the clients on every other node.
//!
//! A client is connected to each node, and each node's trigger is called once.

use futures::future::join_all;

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite, rest},
    fault::Fault,
    message::data,
    probe::{Client, Probe, Verdict, authority, fail},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "deploy.cross-node-rest",
    title: "A REST call on one node reaches the clients on the others",
    level: Level::Must,
    row: Row::D,
    cites: &[cite::SIO_ADAPTER, cite::SIO_REDIS],
    needs: &[Need::Nodes, Need::Connect, Need::Rest],
    requires: &["auth.valid-token", "rest.emit-once"],
    isolation: Isolation::Notifications,
    effects: &[Effect::Broadcasts],
    wait: Wait::None,
    meaning: "A notification reaches only those who happen to be on the node that took the call.",
    fix: "Give each node an adapter, and all of them the same Redis: `new Server({ adapter: createAdapter(pubClient, \
          subClient) })` from `@socket.io/redis-adapter`. A process without clients emits by `@socket.io/redis-emitter`.",
    effort: Effort::Days,
    faults: &[Fault::EventsStayOnNode],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let rest = probe.rest()?;
    let nodes = super::nodes(probe)?;
    let mut clients = super::clients(probe, &nodes).await?;
    for caller in &nodes {
        let (message, vars) = rest::message(probe)?;
        let marks: Vec<usize> = clients.iter().map(Client::mark).collect();
        probe.notify_on(caller, &message).await?;
        let waiting =
            clients.iter_mut().zip(marks).map(|(client, from)| client.wait_expected(from, &rest.event, &vars));
        for (node, arrived) in nodes.iter().zip(join_all(waiting).await) {
            // What happens on the very node that was called is judged by `rest.emit-once`.
            if arrived?.is_none() && node != caller {
                let [from, to] = [caller, node].map(|node| data(authority(node)));
                return fail(say!("A REST call on {from} does not reach the clients of {to}", from, to))
                    .sent(say!("{call}, on {from}", call = rest::on_wire(rest, &vars), from))
                    .received(say!("no `{event}` in time at the client on {to}", event = rest.event.event, to))
                    .expected(say!("one `{event}` at each client, whatever its node", event = rest.event.event))
                    .stop();
            }
        }
    }
    Ok(())
}
