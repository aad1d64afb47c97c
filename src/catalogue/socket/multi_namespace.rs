//! Two namespaces over one connection are independent: both connect, what is sent in one is answered in that one, and
//! leaving one leaves the other working.
//!
//! The second namespace is each of those that the contract declares (`choices.namespaces`). The declared `ping` is sent in
//! both; whether the second one answers it is the application's choice. When the client leaves the first namespace, the
//! protocol lets a server end the connection; when it leaves the second one, the first must go on.

use serde_json::Value;

use super::heard;
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    contract::{Ping, Vars},
    fault::Fault,
    message::data,
    probe::{Client, Life, Probe, Stop, Verdict, confirmed, fail},
    verdict::{Level, Row},
    wire::{SocketPacket, Transport, WireError, socket::Kind},
};

pub const CHECK: Check = Check {
    id: "socket.multi-namespace",
    title: "Two namespaces over one connection are independent",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::SIO_CONNECT, cite::SIO_DISCONNECT, cite::SIO_NAMESPACES, cite::SIO_TEST_SUITE],
    needs: &[Need::Connect, Need::Namespaces],
    requires: &[
        "auth.valid-token",
        "socket.connect",
        "socket.connect-reply-once",
        "events.ping-pong",
        "events.ping-pong-private",
        "reconnect.parallel-clients",
    ],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "A page that uses two namespaces gets the messages of one in the other, or loses both when it leaves one.",
    fix: "Give each namespace its own middleware and handlers, `io.of('/chat').use(…).on('connection', (socket) => …)`, \
          and answer on that `socket`, or by `io.of('/chat').emit(…)`: `io.emit(…)` is the namespace `/`.",
    effort: Effort::Hours,
    faults: &[Fault::NoSecondNamespace, Fault::NamespacesRunTogether, Fault::DisconnectLeavesAllNamespaces],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let contract = probe.contract();
    for second in contract.choices.namespaces.iter().filter(|second| **second != contract.namespace) {
        for transport in probe.transports() {
            confirmed(probe, || beside(probe, second, transport)).await?;
        }
    }
    Ok(())
}

async fn beside(probe: &Probe, second: &str, transport: Transport) -> Verdict {
    let first = probe.contract().namespace.as_str();
    let mut client = in_both(probe, second, transport, "a").await?;
    let ping = probe.contract().ping.as_ref();
    let answers = match ping {
        Some(ping) => {
            answers_where_asked(probe, &mut client, ping, first).await?;
            answers_where_asked(probe, &mut client, ping, second).await?
        }
        None => false,
    };
    if !answers {
        probe.note(say!(
            "{second} answers no ping: whether it goes on after {first} is left was not checked",
            second = data(second),
            first = data(first)
        ));
    }

    let leave = SocketPacket::new(Kind::Disconnect, second);
    client.send(&leave);
    let life = client.life().await?;
    if let Life::Closed(_) = life {
        return fail(say!(
            "Leaving {second} ends the connection over {transport}, and {first} with it",
            second = data(second),
            transport,
            first = data(first)
        ))
        .sent(format!("4{}", leave.encode()))
        .received(life)
        .doubtful()
        .expected(say!("a connection that goes on in {first}", first = data(first)))
        .stop();
    }
    if let Some(ping) = ping {
        still_answers(probe, client, ping, first, second).await?;
    }

    if let (Some(ping), true) = (ping, answers) {
        let mut client = in_both(probe, second, transport, "b").await?;
        client.send(&SocketPacket::new(Kind::Disconnect, first));
        if let Life::Closed(_) = client.life().await? {
            probe.note(say!(
                "lawful choice: leaving {first} ends the connection, with {second} still in use",
                first = data(first),
                second = data(second)
            ));
            return Ok(());
        }
        still_answers(probe, client, ping, second, first).await?;
    }
    Ok(())
}

/// A client that is connected to both namespaces.
async fn in_both(probe: &Probe, second: &str, transport: Transport, label: &str) -> Result<Client, Stop> {
    let user = probe.user(label);
    let credentials = probe.payload(probe.credentials(&user).await?);
    let mut client = probe.client_of(&user, &format!("{label} ({transport})"), transport).await?;
    let mark = client.mark();
    client.send(&SocketPacket::connect(second, credentials));
    let is_answer =
        |packet: &SocketPacket| packet.namespace == second && matches!(packet.kind, Kind::Connect | Kind::ConnectError);
    let received = match client.wait("answer to CONNECT", mark, probe.in_time(), is_answer).await {
        Ok(packet) if packet.kind == Kind::Connect => match packet.data.as_ref().and_then(|data| data.get("sid")) {
            Some(Value::String(sid)) if !sid.is_empty() => {
                client.fence().await?;
                client.take_notes(probe);
                return Ok(client);
            }
            _ => format!("4{}", packet.encode()).into(),
        },
        Ok(packet) => format!("4{}", packet.encode()).into(),
        Err(WireError::Timeout { .. }) => heard(probe, &client, mark),
        Err(error) => client.ended_by(error)?.message(),
    };
    fail(say!(
        "The declared namespace {second} cannot be connected to beside {first} over {transport}",
        second = data(second),
        first = data(first(probe)),
        transport
    ))
    .sent(say!(
        "CONNECT to {second} with the credentials that {first} took",
        second = data(second),
        first = data(first(probe))
    ))
    .received(received)
    .expected(say!("40{second},{\"sid\":\"…\"}", second = data(second)))
    .stop()
}

fn first(probe: &Probe) -> &str {
    &probe.contract().namespace
}

fn ping_in(client: &Client, ping: &Ping, namespace: &str) -> SocketPacket {
    let (event, args) = ping.emit.render(&Vars::new());
    let packet = SocketPacket::event(namespace, &event, &args);
    client.send(&packet);
    packet
}

/// Sends the ping in `namespace`. Any answer must be in that namespace; whether there is one is what comes back.
async fn answers_where_asked(probe: &Probe, client: &mut Client, ping: &Ping, namespace: &str) -> Result<bool, Stop> {
    let mark = client.mark();
    let sent = ping_in(client, ping, namespace);
    let is_pong = |packet: &SocketPacket| packet.event_name() == Some(ping.reply.as_str());
    // In the first namespace the answer is promised; in the other it may not be there.
    let patience = if namespace == first(probe) { probe.deadline() } else { probe.target().quiet_window() };
    match client.wait("pong", mark, tokio::time::Instant::now() + patience, is_pong).await {
        Ok(_) | Err(WireError::Timeout { .. }) => {}
        Err(error) => {
            return fail(say!(
                "A ping in {namespace} ends the connection over {transport}",
                namespace = data(namespace),
                transport = client.transport()
            ))
            .sent(format!("4{}", sent.encode()))
            .received(client.ended_by(error)?)
            .doubtful()
            .expected("a connection that goes on")
            .stop();
        }
    }
    client.fence().await?;
    client.take_notes(probe);
    let pongs: Vec<_> = client.since(mark).iter().filter(|packet| is_pong(packet)).collect();
    match pongs.iter().find(|pong| pong.namespace != namespace) {
        None => Ok(!pongs.is_empty()),
        Some(astray) => {
            let reason = say!(
                "A ping in {asked} is answered in {answered} over {transport}",
                asked = data(namespace),
                answered = astray.namespace,
                transport = client.transport()
            );
            fail(reason)
                .sent(format!("4{}", sent.encode()))
                .received(format!("4{}", astray.encode()))
                .expected(say!("answers in {namespace} alone", namespace = data(namespace)))
                .stop()
        }
    }
}

/// After `left` was left, a ping in `stayed` must be answered as before.
async fn still_answers(probe: &Probe, mut client: Client, ping: &Ping, stayed: &str, left: &str) -> Verdict {
    let mark = client.mark();
    let sent = ping_in(&client, ping, stayed);
    let is_pong =
        |packet: &SocketPacket| packet.namespace == stayed && packet.event_name() == Some(ping.reply.as_str());
    let received = match client.wait("pong", mark, probe.in_time(), is_pong).await {
        Ok(_) => return Ok(()),
        Err(WireError::Timeout { .. }) => heard(probe, &client, mark),
        Err(error) => client.ended_by(error)?.message(),
    };
    let transport = client.transport();
    fail(say!(
        "After {left} is left, {stayed} no longer works over {transport}",
        left = data(left),
        stayed = data(stayed),
        transport
    ))
    .sent(say!(
        "4{left}; then 4{sent}",
        left = SocketPacket::new(Kind::Disconnect, left).encode(),
        sent = sent.encode()
    ))
    .received(received)
    .expected(say!("`{reply}` in {stayed}", reply = ping.reply, stayed = data(stayed)))
    .stop()
}
