//! A request to upgrade arrives without its `Upgrade` header: Engine.IO takes it for a poll that says
//! `transport=websocket`, and answers 400 `{"code":3}`. No upgrade got through in the whole run.

use super::{Found, Kind, Row, View, wire};
use crate::verdict::CheckResult;

pub const CAUSE: Kind = Kind {
    id: "upgrade-stripped",
    title: "A proxy strips Upgrade from requests: no WebSocket gets through",
    row: Row::D,
    fix: "Let the proxy pass it on: in nginx `proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; \
          proxy_set_header Connection \"upgrade\";` for the path.",
    find,
};

fn find(view: &View<'_>) -> Option<Found> {
    let passes = |result: &CheckResult| result.transcript.iter().any(|entry| entry.status() == Some(101));
    if view.passed("transport.websocket-handshake")
        || view.passed("transport.upgrade")
        || view.results.iter().any(passes)
    {
        return None;
    }
    let handshake = view.failed("transport.websocket-handshake").filter(|result| is_stripped(result))?;
    let symptoms = view.open_ids(|result| result.id == handshake.id || is_stripped(result));
    Some(Found { seen: "`Upgrade: websocket` → `400 {\"code\":3}`".into(), symptoms })
}

/// Whether an upgrade is answered as if it were a poll.
fn is_stripped(result: &CheckResult) -> bool {
    wire::connections(result).iter().any(|lines| {
        let mut pairs = lines.windows(2);
        pairs.any(|pair| wire::asks_for_upgrade(pair[0]) && pair[1].code() == Some(3))
    })
}
