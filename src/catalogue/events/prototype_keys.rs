//! Names that every JavaScript object already has, `__proto__`, `constructor` and the like, are names like all others: as
//! keys of arguments, as rooms and as events.
//!
//! A server that keeps its rooms or handlers in a plain object finds something under these names before anybody has put it
//! there. One client sends them while others listen: their connections must go on, and they must hear nothing of it.
//! Then, where rooms are declared, the others' own room must work as before. What fails is tried again before it counts.
//!
//! The check runs alone, after all others: where it fails, it takes everybody's connection down.

use serde_json::{Value, json};

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite, rooms},
    contract::{Emit, Vars},
    fault::Fault,
    message::data,
    probe::{Client, Life, Probe, Verdict, confirmed, fail, on_wire},
    verdict::{Level, Row},
    wire::SocketPacket,
};

pub const CHECK: Check = Check {
    id: "events.prototype-keys",
    title: "Names such as __proto__ harm nobody",
    level: Level::Must,
    row: Row::C5,
    cites: &[cite::CWE_1321, cite::CWE_248],
    needs: &[Need::Connect],
    requires: &["auth.valid-token", "events.malformed-payload", "rooms.member-receives", "rooms.outsider-silent"],
    isolation: Isolation::Alone,
    effects: &[Effect::Malformed, Effect::Endangers],
    wait: Wait::None,
    meaning: "One client takes the server down for everybody, changes how it treats others, or sends to all of them.",
    fix: "Keep what users name in a `Map`, `const rooms = new Map()`, not in `{}`; and do not merge what arrives into \
          objects of your own (`Object.assign`, `lodash.merge`): take the fields that you know, one by one.",
    effort: Effort::Hours,
    faults: &[Fault::PrototypeRoomCrashes, Fault::PrototypeRoomHoldsAll],
    run: |probe| Box::pin(run(probe)),
};

/// The names, none of which is reserved by Socket.IO.
const NAMES: [&str; 6] = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf"];

async fn run(probe: &Probe) -> Verdict {
    confirmed(probe, || exchange(probe)).await
}

async fn exchange(probe: &Probe) -> Verdict {
    let room = probe.room("room")?;
    let mut peers = probe.clients("peer", &probe.mixed_transports(2)).await?;
    if let (Some(_), [sender, receiver]) = (&probe.contract().rooms, &mut peers[..]) {
        rooms::join(probe, sender, &room).await?;
        rooms::join(probe, receiver, &room).await?;
        rooms::settle(probe, sender, receiver, &room).await?;
    }
    let mark = probe.nonce("prototype");
    let mut sender = probe.client("sender", probe.transport()).await?;
    for name in NAMES {
        let packets = packets(probe, name, &mark);
        for packet in &packets {
            sender.send(packet);
            if let Life::Closed(how) = sender.life().await? {
                probe.note(say!(
                    "lawful choice: the sender's connection is closed after `{name}` ({how})",
                    name = data(name),
                    how
                ));
                expect_peace(probe, &mut peers, name, &mark).await?;
                sender = probe.client("sender", probe.transport()).await?;
            }
        }
        expect_peace(probe, &mut peers, name, &mark).await?;
    }
    let (Some(declared), [sender, receiver]) = (&probe.contract().rooms, &mut peers[..]) else {
        probe.note("the contract declares no rooms: judged by other events alone");
        return Ok(());
    };
    let vars = rooms::message(probe, &room)?;
    let from = receiver.mark();
    sender.emit(&declared.send, &vars);
    if receiver.wait_expected(from, &declared.receive, &vars).await?.is_some() {
        return Ok(());
    }
    fail("After names such as __proto__ from one client, the room of others no longer works")
        .sent(on_wire(&probe.contract().namespace, &declared.send, &vars))
        .received(say!("no `{event}` at the other member", event = declared.receive.event))
        .expected("the room's message, as before")
        .stop()
}

/// `name` as an event, as a room, and as a key of the declared events' arguments.
fn packets(probe: &Probe, name: &str, mark: &str) -> Vec<SocketPacket> {
    let contract = probe.contract();
    let poison = json!({ name: { "siospec": mark, "prototype": { "siospec": mark } } });
    let event = |event: &str, args: &[Value]| SocketPacket::event(&contract.namespace, event, args);
    let mut packets = vec![event(name, &[json!(mark)]), event(name, std::slice::from_ref(&poison))];
    let vars = Vars::new().room(name).message(mark);
    let mut with = |emit: &Emit| {
        let (name, mut args) = emit.render(&vars);
        packets.push(event(&name, &args));
        match args.iter_mut().find_map(Value::as_object_mut) {
            Some(fields) => fields.extend(poison.as_object().cloned().unwrap_or_default()),
            None => args.push(poison.clone()),
        }
        packets.push(event(&name, &args));
    };
    if let Some(rooms) = &contract.rooms {
        [&rooms.join, &rooms.send, &rooms.leave].into_iter().for_each(&mut with);
    }
    contract.ping.iter().map(|ping| &ping.emit).for_each(&mut with);
    contract.ack.iter().map(|ack| &ack.emit).for_each(&mut with);
    packets
}

/// The others' connections go on, and they have heard nothing of it.
async fn expect_peace(probe: &Probe, peers: &mut [Client], name: &str, mark: &str) -> Verdict {
    let sent = say!("`{name}` as event, room and key, by another client", name = data(name));
    for peer in peers {
        let harm = say!("The name `{name}` from one client takes another one's connection down", name = data(name));
        super::expect_unharmed(probe, peer, harm, &sent).await?;
        if let Some(heard) = peer.since(0).iter().find(|packet| packet.encode().contains(mark)) {
            return fail(say!("What one client sends to `{name}` reaches others", name = data(name)))
                .sent(sent)
                .received(say!("at a client that is not in that room: 4{heard}", heard = heard.encode()))
                .expected("nothing at the other client")
                .stop();
        }
    }
    Ok(())
}
