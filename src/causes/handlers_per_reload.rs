//! After a reload, something comes twice that came once before it: the old server stayed in place beside the new one.

use super::{Found, Kind, Row, View, copies, counted};

pub const CAUSE: Kind = Kind {
    id: "handlers-per-reload",
    title: "Each reload adds another server beside the old one",
    row: Row::C9,
    fix: "Close the old server when Nitro reloads, `nitroApp.hooks.hook('close', () => io.close())`, or keep the one there \
          is: `if (!globalThis.io) globalThis.io = new Server(…)`.",
    find,
};

fn find(view: &View<'_>) -> Option<Found> {
    if view.results.iter().any(|result| result.area() != "reconnect" && copies(result).is_some()) {
        return None;
    }
    let reload = view.failed("reconnect.reload").filter(|result| copies(result).is_some())?;
    Some(Found { seen: counted([reload]), symptoms: vec![reload.id.clone()] })
}
