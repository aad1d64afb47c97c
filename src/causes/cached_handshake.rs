//! Two handshakes were answered with one and the same session id: something between client and server keeps answers.

use std::collections::BTreeMap;

use super::{Found, Kind, Row, View, wire};
use crate::verdict::Entry;

pub const CAUSE: Kind = Kind {
    id: "cached-handshake",
    title: "A cache answers handshakes, so that clients share one session",
    row: Row::D,
    fix: "Exclude the path from every cache: no `routeRules` with `cache`, `swr` or `isr` for `/socket.io/**`, and no CDN \
          rule that ignores the query string.",
    find,
};

fn find(view: &View<'_>) -> Option<Found> {
    let mut opened: BTreeMap<String, usize> = BTreeMap::new();
    let all = view.open().filter(|result| result.id.starts_with("transport.")).flat_map(|result| &result.transcript);
    for sid in all.filter_map(wire::opened) {
        *opened.entry(sid).or_default() += 1;
    }
    let shared: Vec<_> = opened.iter().filter(|(_, times)| **times > 1).collect();
    let (sid, times) = shared.first()?;
    let shows = |entry: &Entry| wire::opened(entry).is_some_and(|sid| shared.iter().any(|(shared, _)| **shared == sid));
    let symptoms = view.open_ids(|result| result.transcript.iter().any(shows));
    Some(Found { seen: say!("`0{\"sid\":\"{sid}\"}` {times}×", sid, times), symptoms })
}
