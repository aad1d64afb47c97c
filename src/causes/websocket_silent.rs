//! A WebSocket is accepted by 101, and then nothing ever comes on it, not even its end: what accepts it is not Socket.IO.

use super::{Found, Kind, Row, View, wire};
use crate::verdict::{CheckResult, Direction};

pub const CAUSE: Kind = Kind {
    id: "websocket-silent",
    title: "WebSockets are accepted with 101, but nothing is ever sent on them",
    row: Row::C8,
    fix: "Something else takes the upgrade, such as Nitro with `experimental.websocket`: bind an engine.io `Engine` to both \
          Nitro's router and the crossws `websocket` hook, so that Socket.IO gets it.",
    find,
};

fn find(view: &View<'_>) -> Option<Found> {
    let handshake = view.failed("transport.websocket-handshake").filter(|result| is_silent(result))?;
    let symptoms = view.open_ids(|result| result.id == handshake.id || is_silent(result));
    Some(Found { seen: "`Upgrade: websocket` → `101` → –".into(), symptoms })
}

/// Whether there is a WebSocket on which nothing was received.
fn is_silent(result: &CheckResult) -> bool {
    wire::connections(result).iter().any(|lines| {
        let opened = lines.iter().position(|entry| entry.status() == Some(101));
        opened.is_some_and(|at| lines[at + 1..].iter().all(|entry| entry.direction == Direction::Sent))
    })
}
