//! Nobody was at the target for a while, or is not any more. The run saw that when it asked again; a report of a run that did
//! not shows it where each attempt to connect fails from one moment on, and most checks come to nothing.

use super::{Found, Kind, Outcome, Row, View, was_run, wire};
use crate::message::Message;
use crate::verdict::{CheckResult, Entry, Evidence};

pub const CAUSE: Kind = Kind {
    id: "went-down",
    title: "The target went down during the run",
    row: Row::D,
    fix: "Look into the server's log at that time: an exception that nobody catches ends a Node process. Catch what handlers \
          and middleware throw, let a supervisor restart the process, and run the checks named alone to see which one does \
          it. `nuxt dev` restarts by itself when a client drops its connection: start it with `--no-fork`.",
    find,
};

/// How many checks must have found nobody.
const ENOUGH: usize = 3;
/// How much later something is written down than it happened, at the most, in milliseconds.
const SKEW: u64 = 1_000;
/// How many checks are named that ran at that time.
const NAMED: usize = 4;

fn find(view: &View<'_>) -> Option<Found> {
    // Where bad tokens end the process, that is the cause of every outage there was.
    let ends_others = |evidence: &Evidence| matches!(evidence, Evidence::EndsOthers { .. });
    if is_dev_server(view) || view.results.iter().flat_map(|result| &result.evidence).any(ends_others) {
        return None;
    }
    seen_by_the_run(view).or_else(|| shown_by_transcripts(view))
}

/// Whether it was a development server that was not there.
pub(super) fn is_dev_server(view: &View<'_>) -> bool {
    let is_it = |evidence: &Evidence| matches!(evidence, Evidence::Outage { dev_server: true, .. });
    view.results.iter().flat_map(|result| &result.evidence).any(is_it)
}

pub(super) fn seen_by_the_run(view: &View<'_>) -> Option<Found> {
    let outages = view.results.iter().flat_map(|result| &result.evidence).filter_map(|evidence| match evidence {
        Evidence::Outage { heard_ms, missed_ms, back_ms, ran, .. } => Some((*heard_ms, *missed_ms, *back_ms, ran)),
        _ => None,
    });
    let outages: Vec<_> = outages.collect();
    let &(heard, missed, back, ran) = outages.first()?;
    let takes_down = |result: &CheckResult| result.evidence.contains(&Evidence::TakesDown);
    let symptoms = view.open_ids(|result| {
        let span = result.began_ms.zip(wire::end(result));
        let overlaps = |(begin, end): (u64, u64)| {
            outages.iter().any(|(heard, _, back, _)| begin <= back.unwrap_or(u64::MAX) && end >= *heard)
        };
        takes_down(result) || span.is_some_and(overlaps)
    });
    let mut seen = told(heard, missed, ran);
    if let Some(back) = back {
        seen = say!("{seen}; back after {back}", seen, back = seconds(back));
    }
    if let Some(by) = view.results.iter().find(|result| takes_down(result)) {
        seen = say!("{seen}; gone again while {id} ran alone", seen, id = by.id);
    }
    Some(Found { seen, symptoms })
}

fn seconds(ms: u64) -> String {
    format!("{:.1} s", ms as f64 / 1_000.0)
}

fn told(alive: u64, gone: u64, ran: &[impl AsRef<str>]) -> Message {
    let mut named = ran.iter().take(NAMED).map(AsRef::as_ref).collect::<Vec<&str>>().join(", ");
    if ran.len() > NAMED {
        named += ", …";
    }
    let [alive, gone] = [alive, gone].map(seconds);
    say!("last answered after {alive}, down after {gone}; running then: {named}", alive, gone, named)
}

fn shown_by_transcripts(view: &View<'_>) -> Option<Found> {
    let times = |shows: fn(&Entry) -> bool| {
        let lines = view.results.iter().flat_map(|result| result.transcript.iter().map(move |entry| (result, entry)));
        lines.filter(move |(_, entry)| shows(entry)).filter_map(|(result, entry)| wire::time(result, entry))
    };
    let (alive, refused) = (times(wire::answers).max()?, times(Entry::finds_nobody).min()?);
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
        late.into_iter().any(|entry| entry.finds_nobody() || entry.ends())
    });
    let nobody = view.open_ids(|result| result.transcript.iter().any(Entry::finds_nobody));
    if nobody.len() < ENOUGH {
        return None;
    }
    let ran = view.results.iter().filter(|result| {
        let span = result.began_ms.zip(wire::end(result));
        was_run(result) && span.is_some_and(|(begin, end)| begin <= alive && end >= alive)
    });
    let ran: Vec<&str> = ran.map(|result| result.id.as_str()).collect();
    Some(Found { seen: told(alive, refused, &ran), symptoms })
}
