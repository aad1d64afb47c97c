//! What stands in front of the server, and beside it.

mod compression_safe;
mod cross_node_rest;
mod cross_node_rooms;
mod idle_survival;
mod long_poll_survival;
mod no_double_delivery;
mod poll_rate;
mod proxy_idle;
mod sticky_sessions;
mod tls;
mod upstream_survives;

use futures::future::try_join_all;
use serde_json::Value;
use url::Url;

use super::checks;
use crate::probe::{Client, Probe, Stop};

checks![
    sticky_sessions,
    idle_survival,
    long_poll_survival,
    proxy_idle,
    poll_rate,
    tls,
    compression_safe,
    cross_node_rooms,
    cross_node_rest,
    no_double_delivery,
    upstream_survives
];

/// The target and its further nodes, each once.
fn nodes(probe: &Probe) -> Result<Vec<Url>, Stop> {
    let mut nodes: Vec<Url> = Vec::new();
    for node in probe.nodes()? {
        if !nodes.iter().any(|other| other.origin() == node.origin()) {
            nodes.push(node);
        }
    }
    if nodes.len() < 2 {
        return Err(Stop::Skip("the contract's further nodes (--node) are the target itself".into()));
    }
    Ok(nodes)
}

/// A connected client on each node.
async fn clients(probe: &Probe, nodes: &[Url]) -> Result<Vec<Client>, Stop> {
    try_join_all(nodes.iter().map(|node| probe.client_on(node, probe.transport()))).await
}

/// A connected client on each node, all in one room. That a join works at all is judged by `rooms.member-receives`.
async fn members(probe: &Probe, nodes: &[Url], room: &Value) -> Result<Vec<Client>, Stop> {
    let mut clients = clients(probe, nodes).await?;
    for client in &mut clients {
        super::rooms::join(probe, client, room).await?;
    }
    Ok(clients)
}

/// Every way from one of `count` nodes to another.
fn ways(count: usize) -> impl Iterator<Item = [usize; 2]> {
    (0..count).flat_map(move |from| (0..count).filter(move |to| *to != from).map(move |to| [from, to]))
}
