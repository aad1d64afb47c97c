//! A CONNECT whose payload is no object (`40"s"`, `40[]`, `40null`, `40true`, broken JSON) never connects, and does not
//! take the server down.
//!
//! Closing the connection, as Node does, a CONNECT_ERROR and silence are all lawful. Where guests are declared, a CONNECT
//! that is accepted whatever its payload gives nobody more than they have; it is a finding of the level SHOULD there.

use futures::{StreamExt, stream};

use super::{AT_ONCE, END};
use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Wait, cite},
    fault::Fault,
    message::{Joint, list},
    probe::{Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
    wire::{SocketPacket, Transport, WireError, socket::Kind},
};

pub const CHECK: Check = Check {
    id: "socket.connect-payload",
    title: "A CONNECT whose payload is not an object never connects and does no harm",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::SIO_CONNECT, cite::CWE_248],
    needs: &[],
    requires: &["auth.missing-token"],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Malformed, Effect::Endangers],
    wait: Wait::None,
    meaning: "A stranger gets in without a token, or ends the server for all with one packet.",
    fix: "Serve Socket.IO by an up-to-date `socket.io` (`npm update socket.io socket.io-parser`). In `io.use()`, take the \
          token as a text and nothing else: `const token = socket.handshake.auth?.token; if (typeof token !== 'string') \
          return next(new Error('unauthorized'))`.",
    effort: Effort::Minutes,
    faults: &[Fault::AcceptsConnectPayloadOfAnyKind],
    run: |probe| Box::pin(run(probe)),
};

const PAYLOADS: [&str; 5] = ["\"s\"", "[]", "null", "true", "{"];

/// A CONNECT that was accepted.
struct Accepted {
    sent: String,
    transport: Transport,
    reply: String,
}

async fn run(probe: &Probe) -> Verdict {
    let transports = probe.transports();
    let tries = PAYLOADS.iter().flat_map(|payload| transports.iter().map(move |transport| (*payload, *transport)));
    let exchanges: Vec<_> =
        tries.enumerate().map(|(index, (payload, transport))| attempt(probe, index, payload, transport)).collect();
    let mut accepted = Vec::new();
    let mut lost = None;
    for tried in stream::iter(exchanges).buffered(probe.at_once(AT_ONCE)).collect::<Vec<_>>().await {
        match tried {
            Ok(one) => accepted.extend(one),
            Err(stop) => lost = lost.or(Some(stop)),
        }
    }
    if let Some(first) = accepted.first() {
        let others =
            accepted.iter().map(|one| say!("`{sent}` ({transport})", sent = one.sent, transport = one.transport));
        let others = list(others, Joint::Comma);
        let finding = fail(say!("CONNECT is accepted with a payload that is no object: {others}", others))
            .sent(say!("{sent} over {transport}", sent = first.sent, transport = first.transport))
            .received(&first.reply)
            .expected(say!("a CONNECT_ERROR, or {end}", end = END));
        return if probe.contract().choices.guests { finding.at(Level::Should).stop() } else { finding.stop() };
    }
    lives_on(probe).await?;
    lost.map_or(Ok(()), Err)
}

async fn attempt(probe: &Probe, index: usize, payload: &str, transport: Transport) -> Result<Option<Accepted>, Stop> {
    let mut client = probe.open_asked(&format!("c{}", index + 1), transport).await?;
    let from = client.mark();
    let sent = super::packet(probe, "0", payload);
    let namespace = &probe.contract().namespace;
    let is_answer = |packet: &SocketPacket| {
        packet.namespace == *namespace && matches!(packet.kind, Kind::Connect | Kind::ConnectError)
    };
    client.send_raw(&sent);
    match client.wait("answer to CONNECT", from, probe.in_time(), is_answer).await {
        Ok(packet) if packet.kind == Kind::Connect => {
            Ok(Some(Accepted { sent, transport, reply: format!("4{}", packet.encode()) }))
        }
        Ok(_) => Ok(None),
        Err(WireError::Timeout { .. }) => {
            // Silence is a choice only of a server that still speaks.
            probe.serves_still(transport).await?;
            probe.note("lawful choice: a CONNECT whose payload is no object may go unanswered, the connection open");
            Ok(None)
        }
        // Closed, which is how Node answers; anything else is the network's doing.
        Err(error) => client.ended_by(error).map(|_| None),
    }
}

/// The server must still open new sessions.
async fn lives_on(probe: &Probe) -> Verdict {
    for transport in probe.transports() {
        let trouble = match probe.open(&format!("after ({transport})"), transport).await {
            Ok(_) => continue,
            Err(Stop::Broken(reason)) => reason,
            Err(stop) => return Err(stop),
        };
        let all = PAYLOADS.iter().map(|payload| say!("`{packet}`", packet = super::packet(probe, "0", payload)));
        let all = list(all, Joint::Comma);
        return fail("A CONNECT whose payload is no object takes the server down: it no longer answers")
            .sent(say!("each of {all}; then a new connection over {transport}", all, transport))
            .received(trouble)
            .expected("a server that goes on")
            .harms_others()
            .stop();
    }
    Ok(())
}
