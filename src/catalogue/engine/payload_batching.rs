//! Several packets in one POST, joined by the record separator (`\x1e`), are all processed, in order.
//!
//! The packets are CONNECTs to namespaces that do not exist, which the protocol has answered without any token. That
//! none is lost must hold. Their answers in another order than the packets are a finding of lesser weight, because each
//! is for a namespace of its own; where the contract declares dynamic namespaces, the order is not looked at.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
    wire::{EnginePacket, Polling, Session, SocketPacket, Transport, WireError, engine},
};

pub const CHECK: Check = Check {
    id: "engine.payload-batching",
    title: "All packets of one POST are processed, in order",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::EIO_ENCODING, cite::EIO_SENDING],
    needs: &[Need::Polling],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Clients on polling gather what is sent in quick succession into one request: messages are lost, or change \
              places.",
    fix: "Hand the engine the request as it came: no middleware or proxy that reads the body, trims it, or drops control \
          characters such as `\\x1e`.",
    effort: Effort::Hours,
    faults: &[Fault::TruncatesPayload, Fault::ReversesPayload],
    run: |probe| Box::pin(run(probe)),
};

/// Packets in the POST.
const PACKETS: usize = 10;

async fn run(probe: &Probe) -> Verdict {
    let endpoint = probe.endpoint("a");
    let lost = |error: WireError| Stop::Broken(say!("the session to send on: {error} (see engine.post-ok)", error));
    let (handshake, early) = Session::polling_handshake(&endpoint).await.map_err(lost)?;
    let polling = Polling::new(&endpoint, &handshake.sid);

    let names: Vec<String> = (1..=PACKETS).map(|number| probe.nonce(&format!("batch{number}"))).collect();
    let payload: Vec<EnginePacket> = names.iter().map(|name| super::question(name)).collect();
    let sent = engine::encode_payload(&payload).replace('\u{1e}', "\\x1e");
    polling.push(&payload).await.map_err(lost)?;

    let mut session = Session::over_polling(polling, handshake, early);
    let deadline = probe.in_time();
    let mut answered: Vec<String> = Vec::new();
    let missing = loop {
        let missing = names.iter().filter(|name| !answered.contains(name)).count();
        if missing == 0 {
            break 0;
        }
        match session.next("answer", deadline).await.map_err(|error| probe.noted(error)) {
            Ok(EnginePacket::Message(text)) => {
                let namespace = SocketPacket::decode(&text).map(|packet| packet.namespace).unwrap_or_default();
                answered.extend(names.iter().find(|name| namespace.strip_prefix('/') == Some(name)).cloned());
            }
            Ok(_) => {}
            Err(WireError::Timeout { .. } | WireError::Closed(_)) => break missing,
            Err(error) if error.misses_session() => break missing,
            Err(error) => return Err(lost(error)),
        }
    };
    let order = if answered.is_empty() {
        "no answer".into()
    } else {
        say!("answers for {answered}", answered = answered.join(", "))
    };
    if missing == PACKETS && !answers_one(probe).await? {
        return Err(Stop::Broken(
            "the target does not answer a CONNECT to an unknown namespace (see socket.unknown-namespace)".into(),
        ));
    }
    if missing > 0 {
        return fail(say!("{missing} of {packets} packets in one POST are not processed", missing, packets = PACKETS))
            .extent(missing, PACKETS)
            .sent(say!("one POST of {sent}", sent))
            .received(order)
            .expected("an answer, 44/<name>,{\"message\":…}, to each")
            .stop();
    }
    if answered != names && !probe.contract().choices.dynamic_namespaces {
        return fail("The packets of one POST are answered out of order")
            .sent(say!("one POST of {sent}", sent))
            .received(order)
            .expected("the answers in the order of the packets")
            .at(Level::Should)
            .stop();
    }
    Ok(())
}

/// Whether such a packet is answered when it comes alone.
async fn answers_one(probe: &Probe) -> Result<bool, Stop> {
    let session = Session::open(&probe.endpoint("b"), Transport::Polling).await;
    let mut session = session.map_err(|error| Stop::Broken(say!("the second session: {error}", error)))?;
    Ok(super::exchange(probe, &mut session).await.is_ok())
}
