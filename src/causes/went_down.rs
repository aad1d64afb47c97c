//! From one moment on nobody listens at the target any more: each attempt to connect fails until the run's end, nothing is
//! received, and most checks come to nothing.

use super::{Found, Kind, Outcome, Row, View, was_run, wire};
use crate::verdict::{CheckResult, Entry};

pub const CAUSE: Kind = Kind {
    id: "went-down",
    title: "The target went down during the run",
    row: Row::D,
    fix: "Look into the server's log at that time: an exception that nobody catches ends a Node process. Catch what handlers \
          and middleware throw, let a supervisor restart the process, and run the checks named alone to see which one does \
          it.",
    find,
};

/// How many checks must have found nobody.
const ENOUGH: usize = 3;
/// How much later something is written down than it happened, at the most, in milliseconds.
const SKEW: u64 = 1_000;
/// How many checks are named that ran at that time.
const NAMED: usize = 4;

fn find(view: &View<'_>) -> Option<Found> {
    let times = |shows: fn(&Entry) -> bool| {
        let lines = view.results.iter().flat_map(|result| result.transcript.iter().map(move |entry| (result, entry)));
        lines.filter(move |(_, entry)| shows(entry)).filter_map(|(result, entry)| wire::time(result, entry))
    };
    let (alive, refused) = (times(wire::answers).max()?, times(wire::finds_nobody).min()?);
    // Somebody who was let in after that saw a restart, or a full queue before it.
    if alive > refused + SKEW {
        return None;
    }
    // Nothing is known of what passed but when it did.
    let later = || {
        let ends_later = |result: &&CheckResult| wire::end(result).is_some_and(|end| end >= refused);
        view.results.iter().filter(ends_later).filter(|result| was_run(result))
    };
    let passed = later().filter(|result| matches!(result.outcome, Outcome::Pass)).count();
    if passed * 2 >= later().count() {
        return None;
    }
    let symptoms = view.open_ids(|result| {
        let late = result.transcript.iter().filter(|entry| wire::time(result, entry).is_some_and(|at| at >= alive));
        late.into_iter().any(|entry| wire::finds_nobody(entry) || wire::ends(entry))
    });
    let nobody = view.open_ids(|result| result.transcript.iter().any(wire::finds_nobody));
    if nobody.len() < ENOUGH {
        return None;
    }
    let ran = view.results.iter().filter(|result| {
        let span = result.began_ms.zip(wire::end(result));
        was_run(result) && span.is_some_and(|(begin, end)| begin <= alive && end >= alive)
    });
    let ran: Vec<&str> = ran.map(|result| result.id.as_str()).collect();
    let more = if ran.len() > NAMED { ", …" } else { "" };
    let ran = ran[..ran.len().min(NAMED)].join(", ");
    let [alive, refused] = [alive, refused].map(|ms| format!("{:.1} s", ms as f64 / 1_000.0));
    Some(Found {
        seen: format!("last heard of after {alive}, gone after {refused}; at that time ran {ran}{more}"),
        symptoms,
    })
}
