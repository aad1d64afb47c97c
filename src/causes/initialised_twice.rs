//! Two kinds of things that must come once come equally often on every connection: the application runs more than once in
//! the process, each with handlers of its own. One kind alone may be a line that emits twice, and is no proof; but for the
//! CONNECT reply, which no application sends, so that two of them are two servers'.

use super::{Copied, Found, Kind, Row, View, copies, counted};

pub const CAUSE: Kind = Kind {
    id: "initialised-twice",
    title: "The application is initialised twice",
    row: Row::C9,
    fix: "Make one server per process, behind a guard that outlives a reload: `if (!globalThis.io) globalThis.io = new \
          Server(…)` in `server/plugins/`; register `io.on('connection', …)` inside that guard; and see that the plugin is \
          not imported a second time.",
    find,
};

fn find(view: &View<'_>) -> Option<Found> {
    let seen: Vec<_> = view.open().filter(|result| result.is_failure() && copies(result).is_some()).collect();
    let at_first: Vec<_> = seen.iter().copied().filter(|result| result.area() != "reconnect").collect();
    let (_, counts) = copies(at_first.first()?)?;
    let times = *counts.first().filter(|count| **count > 1)?;
    let agrees = |counts: &[usize]| counts.iter().all(|count| *count == times);
    let found: Vec<_> = at_first.iter().filter_map(|result| copies(result)).collect();
    let mut kinds: Vec<Copied> = found.iter().map(|(of, _)| *of).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let is_sure = kinds.len() > 1 || kinds.contains(&Copied::ConnectReply);
    if !is_sure || !found.iter().all(|(_, counts)| agrees(counts)) {
        return None;
    }
    let symptoms = seen.iter().map(|result| result.id.clone()).collect();
    Some(Found { seen: counted(at_first), symptoms })
}
