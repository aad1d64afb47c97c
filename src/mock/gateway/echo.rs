//! An upstream that sends every message back.

use std::{future::ready, io, sync::Arc};

use futures::future::BoxFuture;
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};

use super::{
    packet::Packet,
    upstream::{Link, Upstream},
    websocket::{Arrival, Connection, Io},
};

/// The size of the in-memory connection, in bytes.
const PIPE: usize = 256 << 10;

/// What Engine.IO's own test suite asks for: each message comes back, be it text or binary.
pub struct Echo;

impl Upstream for Echo {
    fn open(&self, _: Arc<Link>) -> BoxFuture<'_, io::Result<Box<dyn Io>>> {
        let (gateway_end, echo_end) = tokio::io::duplex(PIPE);
        tokio::spawn(echo(Box::new(echo_end)));
        Box::pin(ready(Ok(Box::new(gateway_end) as Box<dyn Io>)))
    }
}

async fn echo(io: Box<dyn Io>) {
    let mut connection = Connection::new(WebSocketStream::from_raw_socket(io, Role::Server, None).await);
    while let Arrival::Packet(packet) = connection.next().await {
        if matches!(packet, Packet::Message(_) | Packet::Binary(_)) {
            connection.push(packet);
        }
    }
}
