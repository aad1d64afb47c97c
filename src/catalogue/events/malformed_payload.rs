//! Arguments of another kind than declared harm nobody but their sender.
//!
//! Each declared event is sent with null, a number, texts, arrays, an object nested 100 levels deep, 100 kB of text, too
//! few arguments and too many, each after the other. The sender's own connection may be closed; it is opened anew then.
//! After each event, the connections of others must work, and a new client must be let in. What fails is tried again before it counts.
//!
//! The check runs alone, after all others: where it fails, it takes everybody's connection down.

use serde_json::{Value, json};

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    contract::{Emit, Vars},
    fault::Fault,
    message::{Message, excerpt},
    probe::{Client, Life, Probe, Stop, Verdict, confirmed, fail},
    verdict::{Level, Row},
    wire::SocketPacket,
};

pub const CHECK: Check = Check {
    id: "events.malformed-payload",
    title: "Malformed arguments harm nobody else",
    level: Level::Must,
    row: Row::C5,
    cites: &[cite::SIO_LISTENING, cite::CWE_20, cite::CWE_248],
    needs: &[Need::Connect],
    requires: &["auth.valid-token"],
    isolation: Isolation::Alone,
    effects: &[Effect::Malformed, Effect::Endangers],
    wait: Wait::None,
    meaning: "One client, by a bug or on purpose, takes the server down for everybody.",
    fix: "Look at what arrives before using it, and call an acknowledgement only where there is one: \
          `socket.on('join_room', (room, ack) => { if (typeof room !== 'string') return; …; if (typeof ack === 'function') \
          ack() })`. What a handler throws, nothing catches: in an async one, put `try { … } catch { … }` around it.",
    effort: Effort::Hours,
    faults: &[Fault::MalformedPayloadCrashes],
    run: |probe| Box::pin(run(probe)),
};

/// Bytes of the long text, as long as the target takes messages of that size.
const LONG: usize = 100_000;
/// Levels of the deep object. siospec itself reads no more than 128, and a server may send it back inside something else.
const DEPTH: usize = 100;

async fn run(probe: &Probe) -> Verdict {
    confirmed(probe, || exchange(probe)).await
}

async fn exchange(probe: &Probe) -> Verdict {
    let mut peers = probe.clients("peer", &probe.transports()).await?;
    let mut sender = probe.client("sender", probe.transport()).await?;
    for emit in declared(probe) {
        for (what, args) in variations(probe, emit) {
            let packet = SocketPacket::event(&probe.contract().namespace, &emit.event, &args);
            sender.send(&packet);
            let sent = say!(
                "`{event}` with {what}: 4{packet}",
                event = emit.event,
                what,
                packet = excerpt(&packet.encode(), 120)
            );
            if let Life::Closed(how) = sender.life().await? {
                probe.note(say!("lawful choice: the sender's connection is closed after {what} ({how})", what, how));
                expect_life(probe, &mut peers, &sent).await?;
                sender = probe.client("sender", probe.transport()).await?;
            }
        }
        expect_life(
            probe,
            &mut peers,
            say!("`{event}` with malformed arguments, one after the other", event = emit.event),
        )
        .await?;
    }
    Ok(())
}

/// The events that the contract declares clients to send.
fn declared(probe: &Probe) -> Vec<&Emit> {
    let contract = probe.contract();
    let rooms = contract.rooms.iter().flat_map(|rooms| [&rooms.join, &rooms.send, &rooms.leave]);
    let ping = contract.ping.iter().map(|ping| &ping.emit);
    ping.chain(rooms).chain(contract.ack.iter().map(|ack| &ack.emit)).collect()
}

/// Arguments that the event is not declared with.
fn variations(probe: &Probe, emit: &Emit) -> Vec<(&'static str, Vec<Value>)> {
    let text = probe.nonce("junk");
    let deep = (0..DEPTH).fold(Value::Null, |inner, _| json!({ "a": inner }));
    let long = "x".repeat(LONG.min(probe.target().handshake().max_payload().map_or(LONG, |limit| limit / 2)));
    let vars = Vars::new().room(text.as_str()).message(&text);
    let (_, declared) = emit.render(&vars);
    let mut surplus = declared;
    surplus.extend([json!(1), Value::Null, json!({ "siospec": text }), json!([])]);
    vec![
        ("no arguments", Vec::new()),
        ("null", vec![Value::Null]),
        ("true", vec![json!(true)]),
        ("a number", vec![json!(-1.5e300)]),
        ("an empty text", vec![json!("")]),
        ("a text", vec![json!(text)]),
        ("an array", vec![json!([text, null, []])]),
        ("an empty object", vec![json!({})]),
        ("an object of other fields", vec![json!({ "room": null, "message": null, "siospec": text })]),
        ("an object nested 100 levels deep", vec![deep]),
        ("a long text", vec![json!(long)]),
        ("too many arguments", surplus),
    ]
}

/// The others' connections must work, and a new client be let in, after `sent`.
async fn expect_life(probe: &Probe, peers: &mut [Client], sent: impl Into<Message>) -> Verdict {
    let sent = sent.into();
    for peer in peers {
        let harm = "Malformed arguments of one client take another one's connection down";
        super::expect_unharmed(probe, peer, harm, &sent).await?;
    }
    match probe.client("newcomer", probe.transport()).await {
        Ok(_) => Ok(()),
        Err(Stop::Broken(reason)) => fail("After malformed arguments of one client, nobody can connect")
            .sent(sent)
            .received(reason)
            .expected("a new client connects")
            .doubtful()
            .harms_others()
            .stop(),
        Err(stop) => Err(stop),
    }
}
