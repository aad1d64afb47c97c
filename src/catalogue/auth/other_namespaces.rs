//! Namespaces beside the main one do not open without a token: `/admin`, `/internal`, and those that are declared.
//!
//! `io.use()` guards the namespace `/` and no other: each `io.of(…)` needs a `use` of its own. A namespace that does not
//! exist is refused as well, which is what most deployments do with the first two.

use tokio::time::Instant;

use super::REFUSAL;
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    contract::Carrier,
    fault::Fault,
    message::data,
    probe::{Probe, Stop, Verdict, fail, in_order},
    verdict::{Level, Row},
    wire::{Heartbeats, SocketPacket, Transport, WireError, socket::Kind},
};

pub const CHECK: Check = Check {
    id: "auth.other-namespaces",
    title: "No other namespace opens without a token",
    level: Level::Should,
    row: Row::C4,
    cites: &[cite::SIO_NAMESPACES, cite::SIO_MIDDLEWARES, cite::CWE_306],
    needs: &[Need::Refusals],
    requires: &["auth.rejection-in-time", "auth.missing-token", "socket.unknown-namespace"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "The main namespace is protected, but another is not: anybody can receive its events, and perhaps send \
              some.",
    fix: "Give each namespace the same middleware: `io.of('/admin').use(authenticate)` beside `io.use(authenticate)`, or \
          `io.on('new_namespace', (namespace) => namespace.use(authenticate))` for all of them.",
    effort: Effort::Hours,
    faults: &[Fault::OpenAdminNamespace],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let contract = probe.contract();
    let mut names = vec!["/admin", "/internal"];
    names.extend(contract.choices.namespaces.iter().map(String::as_str));
    names.retain(|name| *name != contract.namespace);
    names.sort_unstable();
    names.dedup();
    for transport in probe.transports() {
        let opened = in_order(names.iter().map(|name| opens(probe, name, transport))).await?;
        if let Some(reply) = opened.into_iter().flatten().next() {
            return fail(say!(
                "The namespace {namespace} opens without a token, over {transport}",
                namespace = reply.namespace,
                transport
            ))
            .sent(format!("4{}", SocketPacket::connect(&reply.namespace, None).encode()))
            .received(format!("4{}", reply.encode()))
            .expected(REFUSAL.replacen("44", &format!("44{},", reply.namespace), 1))
            .stop();
        }
    }
    Ok(())
}

/// The CONNECT reply of that namespace to a CONNECT without a token, if there is one.
async fn opens(probe: &Probe, name: &str, transport: Transport) -> Result<Option<SocketPacket>, Stop> {
    let endpoint = probe.endpoint_of_nobody(&format!("{name} ({transport})"));
    let mut client = match probe.open_at(endpoint, transport, Heartbeats::Answered).await {
        Ok(client) => client,
        // Where requests carry the token, one without it may not even open a session.
        Err(WireError::Status { response, .. })
            if probe.tokens().carrier() != Carrier::Payload && matches!(response.status, 400 | 401 | 403) =>
        {
            return Ok(None);
        }
        Err(error) => {
            return Err(Stop::Broken(say!("no {transport} session without a token: {error}", transport, error)));
        }
    };
    client.ask(probe).await?;
    let from = client.mark();
    client.send(&SocketPacket::connect(name, None));
    let is_answer =
        |packet: &SocketPacket| packet.namespace == name && matches!(packet.kind, Kind::Connect | Kind::ConnectError);
    match client.wait("answer to CONNECT", from, Instant::now() + probe.deadline(), is_answer).await {
        Ok(packet) => Ok((packet.kind == Kind::Connect).then_some(packet)),
        // Closing the connection keeps everybody out, too.
        Err(WireError::Closed(_)) => Ok(None),
        Err(error) if error.misses_session() => Ok(None),
        Err(error) => {
            Err(Stop::Broken(say!("CONNECT to {name} over {transport}: {error}", name = data(name), transport, error)))
        }
    }
}
