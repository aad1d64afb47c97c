//! Requests that carry the page's own `Origin`, as every browser's do, are refused, and those without one are not.

use super::{Found, Kind, Row, View};

pub const CAUSE: Kind = Kind {
    id: "own-origin-refused",
    title: "The page's own origin is refused: no browser gets in",
    row: Row::D,
    fix: "Compare `Origin` with the origin that users see, and let a proxy pass it and `Host` on (in nginx `proxy_set_header \
          Host $http_host;`). Where only the public origin is let in and another address is tested, declare it: `origin`.",
    find,
};

fn find(view: &View<'_>) -> Option<Found> {
    let refused = view.failed("security.own-origin")?;
    Some(Found { seen: "`Origin` → ×".into(), symptoms: vec![refused.id.clone()] })
}
