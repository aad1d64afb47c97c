//! An event with an acknowledgement id is acknowledged once, with that id: `420["echo","x"]` → `430["x"]`.
//!
//! The event is the one that the contract declares (`ack.event`). Three are in flight at once, with the ids 0, 1 and 12;
//! 0 is what every JavaScript client begins with, and what careless code takes for none. The answers may come in any
//! order. A fence follows before they are counted.

use serde_json::Value;

use super::{heard, is_ack};
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    contract::{Ack, Vars},
    fault::Fault,
    probe::{Life, Probe, Stop, Verdict, confirmed, fail},
    verdict::{Level, Row},
    wire::{SocketPacket, Transport, WireError, socket::Kind},
};

pub const CHECK: Check = Check {
    id: "socket.ack",
    title: "An event with an acknowledgement id is acknowledged once, with that id",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::SIO_ACK, cite::SIO_TEST_SUITE],
    needs: &[Need::Connect, Need::Ack],
    requires: &["auth.valid-token"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "`await socket.emitWithAck(…)` never returns, or returns another call's answer.",
    fix: "Call the callback, which is the handler's last argument, exactly once on every path: \
          `socket.on('save', async (data, ack) => { try { ack({ ok: true, id: await save(data) }) } catch { ack({ ok: \
          false }) } })`. Register one handler for the event, not two.",
    effort: Effort::Hours,
    faults: &[Fault::NoAck, Fault::DoubleAck, Fault::AckWrongId, Fault::AckWrongPayload],
    run: |probe| Box::pin(run(probe)),
};

const IDS: [u64; 3] = [0, 1, 12];

async fn run(probe: &Probe) -> Verdict {
    let Some(ack) = &probe.contract().ack else {
        return Err(Stop::Skip("the contract declares no event that is acknowledged (ack.event)".into()));
    };
    for transport in probe.transports() {
        confirmed(probe, || over(probe, ack, transport)).await?;
    }
    Ok(())
}

async fn over(probe: &Probe, ack: &Ack, transport: Transport) -> Verdict {
    let namespace = &probe.contract().namespace;
    let room = probe.room("room")?;
    let mut client = probe.client(&format!("a ({transport})"), transport).await?;
    let mark = client.mark();
    let mut asked = Vec::new();
    for id in IDS {
        let vars = Vars::new().room(room.clone()).message(probe.nonce(&format!("ack-{id}")));
        let (event, args) = ack.emit.render(&vars);
        let packet = SocketPacket { ack_id: Some(id), ..SocketPacket::event(namespace, &event, &args) };
        client.send(&packet);
        asked.push((id, vars, format!("4{}", packet.encode())));
    }
    let expected = |id: u64| {
        say!("one {packet}, as the contract declares", packet = super::packet(probe, "3", &format!("{id}[…]")))
    };
    for (id, vars, sent) in &asked {
        let wanted = |packet: &SocketPacket| is_ack(packet, namespace, *id);
        let answer = match client.wait("acknowledgement", mark, probe.in_time(), wanted).await {
            Ok(answer) => answer,
            Err(WireError::Timeout { .. }) => {
                return fail(say!(
                    "An event with the acknowledgement id {id} is not acknowledged over {transport}",
                    id,
                    transport
                ))
                .sent(sent)
                .received(heard(probe, &client, mark))
                .expected(expected(*id))
                .stop();
            }
            Err(error) => match client.ended_by(error)? {
                Life::Open => continue,
                life @ Life::Closed(_) => {
                    return fail(say!(
                        "An event with an acknowledgement id ends the connection over {transport}",
                        transport
                    ))
                    .sent(sent)
                    .received(life)
                    .doubtful()
                    .expected(expected(*id))
                    .stop();
                }
            },
        };
        let wrong = match &answer.data {
            Some(Value::Array(args)) => ack.check(args, vars).err().map(|mismatch| mismatch.message()),
            _ => Some("its payload is no array".into()),
        };
        if let Some(wrong) = wrong {
            return fail(say!(
                "An acknowledgement over {transport} does not hold what the contract declares",
                transport
            ))
            .sent(sent)
            .received(say!("4{answer} ({wrong})", answer = answer.encode(), wrong))
            .expected(expected(*id))
            .stop();
        }
    }
    client.fence().await?;
    client.take_notes(probe);
    let is_any_ack =
        |packet: &&SocketPacket| matches!(packet.kind, Kind::Ack | Kind::BinaryAck) && packet.namespace == *namespace;
    let acks: Vec<_> = client.since(mark).iter().filter(is_any_ack).collect();
    if acks.len() == IDS.len() {
        return Ok(());
    }
    let sent = asked.iter().map(|(_, _, sent)| sent.as_str()).collect::<Vec<_>>().join(", ");
    fail(say!(
        "{count} events with an acknowledgement id get {acks} acknowledgements over {transport}",
        count = IDS.len(),
        acks = acks.len(),
        transport
    ))
    .sent(sent)
    .received(acks.iter().map(|packet| format!("4{}", packet.encode())).collect::<Vec<_>>().join(", "))
    .expected("one acknowledgement for each")
    .stop()
}
