//! The application that protocol test suites ask for: what a client sends comes back, and nobody needs a token.

use std::{future::ready, io, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use hyper::service::Service;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{SeqAccess, Visitor},
    ser::SerializeTuple,
};
use socketioxide::{
    SocketIo,
    extract::{AckSender, SocketRef, TryData},
    handler::ConnectHandler,
    service::SocketIoService,
};
use tokio::io::DuplexStream;

use super::{BUFFERED_PACKETS, NO_HEARTBEAT, PIPE, payload::Payload};
use crate::mock::gateway::{Io, Link, Upstream};

/// Its namespaces. They are alike.
const NAMESPACES: [&str; 2] = ["/", "/custom"];

/// The application.
pub struct Protocol {
    service: SocketIoService<()>,
}

impl Protocol {
    pub fn new(connect_timeout: Duration) -> Protocol {
        let (service, io) = SocketIo::builder()
            .req_path("/socket.io")
            .ping_interval(NO_HEARTBEAT)
            .ping_timeout(NO_HEARTBEAT)
            // The gateway comes first; this one only cleans up.
            .connect_timeout(connect_timeout + Duration::from_secs(60))
            .max_buffer_size(BUFFERED_PACKETS)
            .build_with_inner_svc(());
        for namespace in NAMESPACES {
            // The local adapter has nothing to wait for.
            io.ns(namespace, show_auth.with(register_handlers));
        }
        Protocol { service }
    }

    fn connect(&self) -> io::Result<Box<dyn Io>> {
        let (gateway_end, app_end) = tokio::io::duplex(PIPE);
        let mut request = http::Request::new(());
        *request.uri_mut() = http::Uri::from_static("/socket.io/?EIO=4&transport=websocket");
        // The service takes a connection whose WebSocket handshake is already done.
        let taken = Service::<(DuplexStream, http::Request<()>)>::call(&self.service, (app_end, request));
        taken.into_inner().map_err(io::Error::other)?;
        Ok(Box::new(gateway_end))
    }
}

impl Upstream for Protocol {
    fn open(&self, _: Arc<Link>) -> BoxFuture<'_, io::Result<Box<dyn Io>>> {
        Box::pin(ready(self.connect()))
    }
}

/// Registers the handlers while the CONNECT reply has not gone out yet, so that no event comes too early for them.
async fn register_handlers(socket: SocketRef) -> Result<(), std::convert::Infallible> {
    socket.on("message", |socket: SocketRef, TryData(arguments): TryData<Arguments>| {
        let _ = arguments.map(|arguments| socket.emit("message-back", &arguments));
        ready(())
    });
    socket.on("message-with-ack", |TryData(arguments): TryData<Arguments>, ack: AckSender| {
        let _ = arguments.map(|arguments| ack.send(&arguments));
        ready(())
    });
    Ok(())
}

/// Tells the client what it sent along with its CONNECT.
async fn show_auth(socket: SocketRef, TryData(auth): TryData<Payload>) {
    let _ = socket.emit("auth", &auth.unwrap_or(Payload::Map(Vec::new())));
}

/// The arguments of an event, any number of them. socketioxide takes a tuple for all, and anything else for the first.
struct Arguments(Vec<Payload>);

impl Serialize for Arguments {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        self.0.iter().try_for_each(|argument| tuple.serialize_element(argument))?;
        tuple.end()
    }
}

impl<'de> Deserialize<'de> for Arguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ArgumentsVisitor;

        impl<'de> Visitor<'de> for ArgumentsVisitor {
            type Value = Arguments;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the arguments of an event")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Arguments, A::Error> {
                let mut arguments = Vec::new();
                while let Some(argument) = items.next_element()? {
                    arguments.push(argument);
                }
                Ok(Arguments(arguments))
            }
        }

        // JSON knows no tuples, and gives all that there are, whatever their number.
        deserializer.deserialize_tuple(0, ArgumentsVisitor)
    }
}
