//! A session is unknown to the next TCP connection: several nodes share the load, and a client's requests do not stay at
//! one. Whatever failed with `{"code":1}`, "session unknown", as its last answer goes with it.

use super::{Found, Kind, Row, View, wire};
use crate::verdict::{CheckResult, Entry};

pub const CAUSE: Kind = Kind {
    id: "no-sticky-sessions",
    title: "Requests of one session reach different nodes",
    row: Row::D,
    fix: "Let the balancer send all requests of a client to one node: in nginx `ip_hash;` in the `upstream`, elsewhere a \
          cookie; or do without polling, on the server and on every client: `transports: ['websocket']`.",
    find,
};

fn find(view: &View<'_>) -> Option<Found> {
    let lost = view.failed("deploy.sticky-sessions")?;
    let unknown = lost.transcript.iter().filter(|entry| entry.code() == Some(1)).count();
    let is_unknown = |result: &CheckResult| {
        let last = |lines: &Vec<&Entry>| lines.last().copied().and_then(Entry::code);
        wire::connections(result).iter().any(|lines| last(lines) == Some(1))
    };
    let symptoms = view.open_ids(|result| result.id == lost.id || is_unknown(result));
    Some(Found { seen: say!("`{\"code\":1}` {unknown}×", unknown), symptoms })
}
