//! Reconnects, disconnects and reloads.

mod graceful;
mod new_session;
mod nothing_replayed;
mod parallel_clients;
pub(super) mod recovery;
mod reload;
mod same_greeting;
mod single_notification;
mod single_pong;
mod single_room_delivery;
mod storm;

use super::checks;
use crate::{
    catalogue::events,
    probe::{Client, Probe, Stop, User, Verdict},
    wire::{SocketPacket, Transport, socket::Kind},
};

checks![
    new_session,
    single_pong,
    single_notification,
    single_room_delivery,
    nothing_replayed,
    same_greeting,
    parallel_clients,
    graceful,
    storm,
    reload,
    recovery,
];

/// How often a user's connection ends before it is looked at for the last time.
const RECONNECTS: usize = 5;

/// How a connection ends.
#[derive(Clone, Copy)]
enum Parting {
    /// As when the network is lost.
    Abrupt,
    /// By DISCONNECT and the end of the session.
    Clean,
}

impl Parting {
    async fn end(self, client: Client) {
        match self {
            Parting::Abrupt => client.drop_connection(),
            Parting::Clean => client.disconnect().await,
        }
    }
}

/// A connection of `user` after [`RECONNECTS`] earlier ones were dropped.
async fn reconnected(probe: &Probe, user: &User, label: &str, transport: Transport) -> Result<Client, Stop> {
    for _ in 0..RECONNECTS {
        probe.client_of(user, label, transport).await?.drop_connection();
    }
    probe.client_of(user, label, transport).await
}

/// Connects one user time and again, each time by a connection that ends as `parting` says, and finds one pong to each
/// ping on every connection after the first.
async fn expect_single_pongs(probe: &Probe, transport: Transport, parting: Parting) -> Verdict {
    let user = probe.user("user");
    let label = transport.name();
    parting.end(probe.client_of(&user, label, transport).await?).await;
    for number in 1..=RECONNECTS {
        let mut client = probe.client_of(&user, label, transport).await?;
        let pongs = events::expect_one_pong_each(probe, &mut client, 2).await;
        pongs.map_err(|stop| stop.found(say!("After {number} reconnect" | "After {number} reconnects", number)))?;
        parting.end(client).await;
    }
    Ok(())
}

/// The CONNECT replies that `client` got in the contract's namespace.
fn connect_replies(probe: &Probe, client: &Client) -> Vec<SocketPacket> {
    let ours = |packet: &&SocketPacket| packet.kind == Kind::Connect && packet.namespace == probe.contract().namespace;
    client.since(0).iter().filter(ours).cloned().collect()
}
