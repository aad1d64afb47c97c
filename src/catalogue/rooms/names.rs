//! Rooms whose names differ are different rooms: `Room` and `room`, `a` and `a ` with a blank behind it, the number 1 and the
//! text `1`.
//!
//! One member is in each room, and two more in the room of the other name: what these say to each other must not reach the
//! first, nor what is said in the first room them. An application that folds names on purpose declares it (`rooms.names`). One
//! that takes only some names, such as texts alone or none with blanks, is within its rights; the result says so. That a number
//! and the text of it name one room is worth knowing, and no more: a number is sent only where the contract has the room as a
//! value of its own.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    contract::{Emit, Vars},
    fault::Fault,
    probe::{Client, Probe, Stop, Verdict, fail, is_expected},
    verdict::{Level, Row},
    wire::{SocketPacket, WireError},
};

pub const CHECK: Check = Check {
    id: "rooms.names",
    title: "Rooms whose names differ are different rooms",
    level: Level::Should,
    row: Row::C5,
    cites: &[cite::SIO_ROOMS, cite::CHECKLIST],
    needs: &[Need::Connect, Need::Rooms, Need::DistinctRoomMessages],
    requires: &["rooms.member-receives", "rooms.outsider-silent", "events.malformed-payload"],
    // A number in place of a text is too much for some.
    isolation: Isolation::Alone,
    effects: &[Effect::Malformed, Effect::Endangers],
    wait: Wait::None,
    meaning: "A misspelt room name gets a client into the room without the access checks for the real name; and two \
              groups that should be separate read each other's messages.",
    fix: "Join and send by the name as it came, and refuse what is no name: `if (typeof room !== 'string') return`. Where names \
          are folded on purpose (`room.trim().toLowerCase()`), fold them before all else, and declare it (rooms.names = \
          \"folded\").",
    effort: Effort::Minutes,
    faults: &[Fault::FoldsRoomNames, Fault::MakesTextOfRoomNumbers],
    run: |probe| Box::pin(run(probe)),
};

/// How many times as long as the first name a second one may take to be heard.
const PATIENCE: u32 = 5;

/// A room's name that must not be taken for another one's.
struct Variant {
    what: &'static str,
    name: Value,
    /// What it must not be taken for.
    of: Value,
    /// How much it matters that it is.
    level: Level,
}

async fn run(probe: &Probe) -> Verdict {
    let rooms = probe.rooms()?;
    if probe.has_room_pool() {
        return Err(Stop::Skip(
            "the contract declares which rooms exist (rooms.pool), and there are no other names".into(),
        ));
    }
    // Lower case but for one letter.
    let room = probe.nonce("Room");
    let number = u64::from(rand::random::<u32>()) + 7_000_000_000;
    let mut variants = vec![
        Variant {
            what: "the same name in other letter case",
            name: json!(room.to_lowercase()),
            of: json!(room),
            level: Level::Should,
        },
        Variant {
            what: "the same name with a trailing space",
            name: json!(format!("{room} ")),
            of: json!(room),
            level: Level::Should,
        },
    ];
    if has_own_place(&rooms.join) && has_own_place(&rooms.send) {
        let (name, of) = (json!(number), json!(number.to_string()));
        variants.push(Variant { what: "a number in place of the text of it", name, of, level: Level::May });
    } else {
        probe.note("no number was sent as a room's name: {{room}} is no value of its own in rooms.join-args and rooms.send-args");
    }
    let mut is_judged = false;
    for variant in &variants {
        is_judged |= are_apart(probe, variant).await?;
    }
    if is_judged { Ok(()) } else { Err(Stop::Skip("the application takes none of the other names for rooms".into())) }
}

/// Whether the members of the variant's room hear each other, and nobody hears the other room. What is lawful is noted.
async fn are_apart(probe: &Probe, variant: &Variant) -> Result<bool, Stop> {
    let Variant { what, name, of, .. } = variant;
    let [mut insider, mut member] = pair(probe, of).await?;
    let [mut sender, mut peer] = pair(probe, name).await?;
    let begun = Instant::now();
    if !is_heard(probe, &insider, &mut member, of, probe.deadline()).await? {
        return Err(Stop::Broken(say!(
            "members of the room {of} do not hear each other (see rooms.member-receives)",
            of
        )));
    }
    member.catch_up().await?;
    // Where the one name took so long, the other one takes about as long, or is not taken.
    let patience = (begun.elapsed() * PATIENCE).max(3 * probe.target().quiet_window()).min(probe.deadline());
    let is_taken = is_heard(probe, &sender, &mut peer, name, patience).await?;

    let mut folded = is_overheard(probe, (&insider, of), &mut member, &mut peer).await?.map(|heard| (of, name, heard));
    if is_taken && folded.is_none() {
        let heard = is_overheard(probe, (&sender, name), &mut peer, &mut member).await?;
        folded = heard.map(|heard| (name, of, heard));
    }
    for client in [&mut insider, &mut member, &mut sender, &mut peer] {
        client.take_notes(probe);
    }
    let folds = probe.rooms()?.folds_names;
    match folded {
        Some((said, heard, (packet, event))) if !folds => {
            fail(say!("Two different room names are treated as one: {what}", what))
                .sent(say!("4{packet} to the room {said}", packet = packet.encode(), said))
                .received(say!("at the member of the room {heard} alone: 4{event}", heard, event = event.encode()))
                .expected("nothing outside the room, unless the contract says rooms.names = \"folded\"")
                .at(variant.level)
                .stop()
        }
        Some(_) => {
            probe.note(say!("lawful choice: names of rooms are folded, as declared: {what}", what));
            Ok(true)
        }
        None if is_taken => Ok(true),
        None => {
            probe.note(say!("lawful choice: {what} is not taken for a room's name", what));
            Ok(false)
        }
    }
}

/// Two clients that asked to be in the room.
async fn pair(probe: &Probe, room: &Value) -> Result<[Client; 2], Stop> {
    let mut clients = probe.clients("member", &[probe.transport(); 2]).await?;
    for client in &mut clients {
        client.send(&packet(probe, &probe.rooms()?.join, Vars::new(), room));
        client.catch_up().await?;
    }
    clients.try_into().map_err(|_| Stop::Broken("a client is missing".into()))
}

/// Whether what `sender` says in the room reaches `receiver`: as in [`super::unsettled`], the joins may still be on their way.
async fn is_heard(
    probe: &Probe,
    sender: &Client,
    receiver: &mut Client,
    room: &Value,
    within: Duration,
) -> Result<bool, Stop> {
    let rooms = probe.rooms()?;
    let end = Instant::now() + within;
    let mut patience = probe.target().quiet_window();
    let from = receiver.mark();
    let mut said: Vec<Vars> = Vec::new();
    while Instant::now() < end {
        let vars = Vars::new().message(probe.nonce("message"));
        sender.send(&packet(probe, &rooms.send, vars.clone(), room));
        said.push(vars);
        let arrived = |packet: &SocketPacket| said.iter().any(|vars| is_expected(packet, &rooms.receive, vars));
        match receiver.wait("room message", from, end.min(Instant::now() + patience), arrived).await {
            Ok(_) => return Ok(true),
            Err(WireError::Timeout { .. }) => patience *= 2,
            // An application may close the connection of whoever sends what is no name to it.
            Err(WireError::Closed(_)) => return Ok(false),
            Err(error) => return Err(receiver.broken(&error)),
        }
    }
    Ok(false)
}

/// What `outsider` hears of a message that reaches `member`, and the message.
async fn is_overheard(
    probe: &Probe,
    (sender, room): (&Client, &Value),
    member: &mut Client,
    outsider: &mut Client,
) -> Result<Option<(SocketPacket, SocketPacket)>, Stop> {
    let receive = &probe.rooms()?.receive;
    // Without the room, since an application that folds names may tell the folded one.
    let vars = Vars::new().message(probe.nonce("message"));
    let (at_member, from) = (member.mark(), outsider.mark());
    let said = packet(probe, &probe.rooms()?.send, vars.clone(), room);
    sender.send(&said);
    if member.wait_expected(at_member, receive, &vars).await?.is_none() {
        return Err(super::undelivered(receive));
    }
    outsider.fence().await?;
    let heard = outsider.expected_since(from, receive, &vars).into_iter().next();
    Ok(heard.map(|heard| (said, heard)))
}

/// The event with that room, be it a text or not.
fn packet(probe: &Probe, emit: &Emit, vars: Vars, room: &Value) -> SocketPacket {
    let mark = match room {
        Value::String(name) => name.clone(),
        _ => probe.nonce("place"),
    };
    let (event, mut args) = emit.render(&vars.room(mark.as_str()));
    args.iter_mut().for_each(|arg| place(arg, &mark, room));
    SocketPacket::event(&probe.contract().namespace, &event, &args)
}

/// Puts `room` where `mark` stands alone.
fn place(value: &mut Value, mark: &str, room: &Value) {
    match value {
        Value::String(text) if text == mark => *value = room.clone(),
        Value::Array(items) => items.iter_mut().for_each(|item| place(item, mark, room)),
        Value::Object(fields) => fields.values_mut().for_each(|field| place(field, mark, room)),
        _ => {}
    }
}

/// Whether the room is a value of its own among the arguments, and in no text.
fn has_own_place(emit: &Emit) -> bool {
    let mark = "siospec-place";
    let (event, args) = emit.render(&Vars::new().room(mark));
    let mut without = args.clone();
    without.iter_mut().for_each(|arg| place(arg, mark, &Value::Null));
    without != args && !event.contains(mark) && !without.iter().any(|arg| arg.to_string().contains(mark))
}
