//! A CONNECT to a namespace that does not exist is refused by a CONNECT_ERROR with a message:
//! `44/name,{"message":"Invalid namespace"}`. The name is a new random one each time, and the message's wording is free.
//!
//! Clients show the message as the error's text; without an answer they wait for ever.

use serde_json::Value;

use super::heard;
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
    wire::{SocketPacket, WireError, socket::Kind},
};

pub const CHECK: Check = Check {
    id: "socket.unknown-namespace",
    title: "A namespace that does not exist is refused with a message",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::SIO_CONNECT, cite::SIO_TEST_SUITE, cite::SIO_NAMESPACES],
    needs: &[Need::FixedNamespaces],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "A misspelt namespace looks like a server that is slow or silent, or works and reaches nobody.",
    fix: "Name each namespace: `io.of('/chat').on('connection', …)`; the package `socket.io` then refuses all others. \
          `io.of(/^.*$/)` lets any name in: anchor the pattern to the names that are meant, or declare \
          `choices.dynamic-namespaces`.",
    effort: Effort::Hours,
    faults: &[Fault::AcceptsUnknownNamespace, Fault::RefusesUnknownNamespaceWithString, Fault::IgnoresUnknownNamespace],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    for transport in probe.transports() {
        let mut client = probe.open(&format!("a ({transport})"), transport).await?;
        let namespace = format!("/{}", probe.nonce("nowhere"));
        let mark = client.mark();
        let connect = SocketPacket::connect(&namespace, None);
        client.send(&connect);
        let is_answer = |packet: &SocketPacket| {
            packet.namespace == namespace && matches!(packet.kind, Kind::Connect | Kind::ConnectError)
        };
        let (reason, received) = match client.wait("answer to CONNECT", mark, probe.in_time(), is_answer).await {
            Ok(packet) if packet.kind == Kind::Connect => {
                ("A namespace that does not exist can be connected to", format!("4{}", packet.encode()).into())
            }
            Ok(packet) => match packet.data.as_ref().and_then(|data| data.get("message")) {
                Some(Value::String(_)) => continue,
                _ => {
                    let received = format!("4{}", packet.encode()).into();
                    ("The refusal of a namespace that does not exist has no message", received)
                }
            },
            Err(WireError::Timeout { .. }) => {
                ("A CONNECT to a namespace that does not exist gets no answer", heard(probe, &client, mark))
            }
            Err(WireError::Closed(how)) => {
                let received = say!("the connection is closed ({how})", how);
                ("A CONNECT to a namespace that does not exist closes the connection", received)
            }
            Err(error) if error.misses_session() => {
                let received = say!("the connection is closed ({error})", error);
                ("A CONNECT to a namespace that does not exist closes the connection", received)
            }
            Err(error) => {
                return Err(Stop::Broken(say!(
                    "CONNECT to {namespace} over {transport}: {error}",
                    namespace,
                    transport,
                    error
                )));
            }
        };
        return fail(say!("{reason} over {transport}", reason, transport))
            .sent(format!("4{}", connect.encode()))
            .received(received)
            .expected(say!("44{namespace},{\"message\":\"…\"}", namespace))
            .stop();
    }
    Ok(())
}
