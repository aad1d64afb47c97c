//! What comes once on a first connection comes more often to a user who was connected before. That it comes once at first
//! is what these checks rest on.

use super::{Found, Kind, Row, View, copies, counted};

pub const CAUSE: Kind = Kind {
    id: "handlers-per-reconnect",
    title: "Each reconnect of a user adds handlers",
    row: Row::C9,
    fix: "Register handlers on the new connection's socket only, and take out on `disconnect` whatever was registered \
          elsewhere: `bus.on('notify', send); socket.on('disconnect', () => bus.off('notify', send))`.",
    find,
};

/// Checks in which users come back.
const COME_BACK: [&str; 5] = [
    "reconnect.single-pong",
    "reconnect.graceful",
    "reconnect.single-notification",
    "reconnect.single-room-delivery",
    "reconnect.same-greeting",
];

fn find(view: &View<'_>) -> Option<Found> {
    // Where something comes too often from the start, a reconnect proves nothing.
    if view.results.iter().any(|result| result.area() != "reconnect" && copies(result).is_some()) {
        return None;
    }
    let piled: Vec<_> = COME_BACK.iter().filter_map(|id| view.failed(id)).filter(|it| copies(it).is_some()).collect();
    piled.first()?;
    let symptoms = piled.iter().map(|result| result.id.clone()).collect();
    Some(Found { seen: counted(piled), symptoms })
}
