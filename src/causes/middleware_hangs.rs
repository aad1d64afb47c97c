//! A CONNECT to the main namespace stays unanswered on a connection that lives, while CONNECTs are answered elsewhere: the
//! middleware does not call `next` in every case.

use super::{Found, Kind, Row, View, wire};
use crate::verdict::{CheckResult, Entry};

pub const CAUSE: Kind = Kind {
    id: "middleware-hangs",
    title: "The middleware hangs: a CONNECT gets no answer",
    row: Row::C4,
    fix: "Call `next` on every way out of the middleware, also where something throws or is missing: `try { …; next() } \
          catch { next(new Error('unauthorized')) }`; await what is asynchronous inside the `try`, with a time limit.",
    find,
};

fn find(view: &View<'_>) -> Option<Found> {
    let judges = ["auth.rejection-in-time", "auth.valid-token"];
    let hung: Vec<_> = judges.iter().filter_map(|id| view.failed(id)).filter(|result| hanging(result) > 0).collect();
    hung.first()?;
    // Where no CONNECT is answered at all, it need not be the middleware.
    let all = || view.results.iter().flat_map(|result| &result.transcript);
    if !view.passed("auth.valid-token") && !all().any(|entry| wire::lets_in(entry) || wire::answers_elsewhere(entry)) {
        return None;
    }
    let times: usize = hung.iter().map(|result| hanging(result)).sum();
    let symptoms = view.open_ids(|result| hanging(result) > 0);
    Some(Found { seen: say!("`40{…}` → – {times}×", times), symptoms })
}

/// On how many connections that live a CONNECT is the last that was said, but for heartbeats.
fn hanging(result: &CheckResult) -> usize {
    let hangs = |lines: &&Vec<&Entry>| {
        let Some(at) = lines.iter().rposition(|entry| wire::connects(entry)) else { return false };
        let says_more =
            |entry: &Entry| wire::lets_in(entry) || wire::refuses(entry) || entry.ends() || entry.finds_nobody();
        !lines[at..].iter().any(|entry| says_more(entry))
    };
    wire::connections(result).iter().filter(hangs).count()
}
