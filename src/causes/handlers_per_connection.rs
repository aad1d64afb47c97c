//! A user who connects later gets more answers to one ping than the one before: every connection registers handlers for all
//! that follow, as `io.on('connection', …)` inside another handler does.

use super::{Found, Kind, Row, View, copies, counted};

pub const CAUSE: Kind = Kind {
    id: "handlers-per-connection",
    title: "Every connection adds handlers for all that follow",
    row: Row::C9,
    fix: "Call `io.on('connection', …)` once, when the server is made, behind `if (!globalThis.io)`: never inside another \
          handler, a request, a middleware or a composable.",
    find,
};

fn find(view: &View<'_>) -> Option<Found> {
    let grows = |counts: &[usize]| counts.len() >= 3 && counts.windows(2).all(|pair| pair[0] < pair[1]);
    let growing = |result: &_| copies(result).is_some_and(|(_, counts)| grows(counts));
    let first = view.open().find(|result| result.area() != "reconnect" && growing(*result))?;
    let symptoms = view.open_ids(|result| result.is_failure() && copies(result).is_some());
    Some(Found { seen: counted([first]), symptoms })
}
