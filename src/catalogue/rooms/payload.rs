//! What is sent to a room comes back as it was: text, number, object, array, and what is nested in them.
//!
//! Each value stands where the contract has the message. After each a text follows, so that what came before it is known to
//! be all that became of the value. An application may refuse a value (it takes texts only), may wrap it or add to it, and
//! may make text of it that still says all: that is noted. What says something else is a failure.

use serde_json::{Value, json};

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    contract::Vars,
    fault::Fault,
    message::data,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
    wire::SocketPacket,
};

pub const CHECK: Check = Check {
    id: "rooms.payload",
    title: "What is sent to a room arrives as it was",
    level: Level::Must,
    row: Row::C5,
    cites: &[cite::SIO_EVENTS, cite::SIO_ROOMS],
    needs: &[Need::Connect, Need::Rooms, Need::DistinctRoomMessages],
    requires: &["rooms.member-receives"],
    isolation: Isolation::Rooms,
    effects: &[],
    wait: Wait::None,
    meaning: "Members get `[object Object]`, or half of what was sent.",
    fix: "Pass on what came: `io.to(room).emit('receive_message', { room, message })`. Make no text of it (`` `${message}` ``, \
          `String(message)`), or refuse what is no text.",
    effort: Effort::Minutes,
    faults: &[Fault::MakesTextOfObjects],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let rooms = probe.rooms()?;
    let room = probe.room("room")?;
    let [sender, mut member] = super::members(probe, &room, [probe.transport(); 2]).await?;
    let id = probe.nonce("value");
    let values = [
        ("a number", json!(f64::from(rand::random::<u16>()) + 0.5)),
        ("an object", json!({ "id": id, "count": 7, "flag": true, "nothing": null })),
        ("an array", json!([id, 1, false, null])),
        ("nested values", json!({ "id": id, "list": [{ "deep": { "deeper": [1, [2, "three"]] } }] })),
    ];
    let event = rooms.receive.event.as_str();
    for (what, value) in &values {
        member.catch_up().await?;
        let from = member.mark();
        let mark = probe.nonce("place");
        let vars = Vars::new().room(room.clone()).message(&mark);
        let (name, mut args) = rooms.send.render(&vars);
        let mut places = 0;
        args.iter_mut().for_each(|arg| place(arg, &mark, value, &mut places));
        if places == 0 {
            probe.note("only texts were sent: the contract has the message inside a text");
            return Ok(());
        }
        let packet = SocketPacket::event(&probe.contract().namespace, &name, &args);
        sender.send(&packet);
        let last = super::message(probe, &room)?;
        super::deliver(probe, &sender, &mut member, &last).await?;
        let came = |packets: &[SocketPacket]| -> Vec<SocketPacket> {
            // Values that took longer than those after them are no answer to these.
            let is_another = |packet: &SocketPacket| {
                values
                    .iter()
                    .any(|(other, sent)| other != what && packet.event_args().iter().any(|arg| holds(arg, sent)))
                    || rooms.receive.check(packet.event_args(), &last).is_ok()
                    || is_of_another_try(packet, &id)
            };
            let events = packets.iter().filter(|packet| packet.event_name() == Some(event));
            events.filter(|packet| !is_another(packet)).cloned().collect()
        };
        if came(member.since(from)).is_empty() {
            member.listen(probe.target().quiet_window()).await?;
        }
        let came = came(member.since(from));
        let arrived = |holds: &dyn Fn(&Value) -> bool| came.iter().any(|packet| packet.event_args().iter().any(holds));
        let Some(first) = came.first() else {
            probe.note(say!("{what} in place of the message does not arrive; the application may refuse it", what));
            continue;
        };
        if arrived(&|arg| holds(arg, value)) {
            continue;
        }
        if arrived(&|arg| says(arg, value)) {
            probe.note(say!("lawful choice: {what} in place of the message arrives as text that says all of it", what));
            continue;
        }
        if probe.has_room_pool() {
            probe.note(say!(
                "{what} in place of the message was not seen as such, in a room that others write in as well",
                what
            ));
            continue;
        }
        return super::finding(probe, say!("{what} that is sent to a room arrives as something else", what), &vars)?
            .sent(format!("4{}", packet.encode()))
            .received(format!("4{}", first.encode()))
            .expected(say!("`{event}` with {value} in it", event = data(event), value))
            .stop();
    }
    Ok(())
}

/// Whether a message of ours came that is not of these values: of the trial of the room before, or of a check in the same room.
fn is_of_another_try(packet: &SocketPacket, id: &str) -> bool {
    let text = packet.encode();
    ["message", "echo", "order", "value"].iter().any(|kind| text.contains(&format!("siospec-{kind}-")))
        && !text.contains(id)
}

/// Puts `new` where the text `mark` stands.
fn place(value: &mut Value, mark: &str, new: &Value, places: &mut usize) {
    match value {
        Value::String(text) if text == mark => {
            *value = new.clone();
            *places += 1;
        }
        Value::Array(items) => items.iter_mut().for_each(|item| place(item, mark, new, places)),
        Value::Object(fields) => fields.values_mut().for_each(|field| place(field, mark, new, places)),
        _ => {}
    }
}

/// Whether `sent` stands somewhere in `found`, be it with more fields.
fn holds(found: &Value, sent: &Value) -> bool {
    is_as_sent(found, sent)
        || match found {
            Value::Array(items) => items.iter().any(|item| holds(item, sent)),
            Value::Object(fields) => fields.values().any(|field| holds(field, sent)),
            _ => false,
        }
}

fn is_as_sent(found: &Value, sent: &Value) -> bool {
    match (found, sent) {
        (Value::Object(found), Value::Object(sent)) => {
            sent.iter().all(|(name, value)| found.get(name).is_some_and(|found| is_as_sent(found, value)))
        }
        (Value::Array(found), Value::Array(sent)) => {
            found.len() == sent.len() && found.iter().zip(sent).all(|(found, sent)| is_as_sent(found, sent))
        }
        (Value::Number(found), Value::Number(sent)) => found.as_f64() == sent.as_f64(),
        _ => found == sent,
    }
}

/// Whether a text somewhere in `found` is JSON that holds `sent`.
fn says(found: &Value, sent: &Value) -> bool {
    match found {
        Value::String(text) => serde_json::from_str(text).is_ok_and(|said: Value| holds(&said, sent)),
        Value::Array(items) => items.iter().any(|item| says(item, sent)),
        Value::Object(fields) => fields.values().any(|field| says(field, sent)),
        _ => false,
    }
}
