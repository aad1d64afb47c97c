//! A client that did nothing loses its connection whenever another one sends a bad token, each time that this was looked
//! at, and keeps it as long before.

use super::{Evidence, Found, Kind, Row, View};
use crate::verdict::CheckResult;

pub const CAUSE: Kind = Kind {
    id: "bad-token-ends-process",
    title: "A bad token ends the process: everybody loses the connection",
    row: Row::C4,
    fix: "Catch what the verification throws, also in an `async` middleware, whose rejection nobody else catches: `io.use(\
          (socket, next) => { try { …; next() } catch { next(new Error('unauthorized')) } })`.",
    find,
};

fn find(view: &View<'_>) -> Option<Found> {
    let ended = |result: &CheckResult| {
        result.evidence.iter().find_map(|evidence| match evidence {
            Evidence::EndsOthers { times } => Some(*times),
            _ => None,
        })
    };
    let times = view.open().find_map(ended)?;
    // Each ends all connections there are, whichever check they belong to.
    let loses = |result: &CheckResult| result.transcript.iter().any(|entry| entry.ends() || entry.finds_nobody());
    let symptoms = view.open_ids(|result| ended(result).is_some() || loses(result));
    Some(Found { seen: say!("`40{…}` → × {times}/{times}", times), symptoms })
}
