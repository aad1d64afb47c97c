//! There is no page at `/`, and there is one above Socket.IO's path: the application lives below `app.baseURL`.

use super::{Evidence, Found, Kind, Row, View};

pub const CAUSE: Kind = Kind {
    id: "base-url",
    title: "The application lives below another path than `/` (app.baseURL)",
    row: Row::C3,
    fix: "Where that is meant, tell siospec: `--base /app`; clients need `io({ path: '/app/socket.io' \
          })`. Where it is not, take `app.baseURL` (`NUXT_APP_BASE_URL`) away.",
    find,
};

fn find(view: &View<'_>) -> Option<Found> {
    let missing = view.failed("transport.same-port")?;
    let path = missing.evidence.iter().find_map(|evidence| match evidence {
        Evidence::PageAt { path } => Some(path),
        _ => None,
    })?;
    Some(Found { seen: say!("`GET {path}`", path), symptoms: vec![missing.id.clone()] })
}
