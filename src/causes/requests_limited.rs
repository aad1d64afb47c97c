//! Requests are answered 429, or 503 in turn with answers of Socket.IO: something counts them, and turns the rest away. The run
//! goes on slower then, so that there may be no other symptom.

use super::{Found, Kind, Row, View, wire};
use crate::verdict::{CheckResult, Evidence};

pub const CAUSE: Kind = Kind {
    id: "requests-limited",
    title: "Requests are limited: what comes too fast is turned away",
    row: Row::D,
    fix: "Exempt Socket.IO's path from the limit, or raise it: polling alone takes several requests a second for each client, \
          and all clients behind one address share a limit by address. To test with it, stay below it: `--rate 20/s`.",
    find,
};

/// How often 503 and success must have taken turns, and how many checks must have met it.
const TURNS: usize = 8;
const ENOUGH: usize = 3;

fn find(view: &View<'_>) -> Option<Found> {
    let has = |result: &CheckResult, code| result.transcript.iter().any(|entry| entry.status() == Some(code));
    let by = |code| view.open_ids(move |result| has(result, code));
    let (limited, unavailable) = (by(429), by(503));
    let told = view.results.iter().flat_map(|result| &result.evidence).find_map(|evidence| match evidence {
        Evidence::Limited { status, after, ms } => Some((*status, *after, *ms)),
        _ => None,
    });
    if let Some((status, after, ms)) = told {
        let symptoms = if status == 429 { limited } else { unavailable };
        let within = ms as f64 / 1_000.0;
        return Some(Found {
            seen: say!(
                "`HTTP {status}` after {after} requests in {within} s",
                status,
                after,
                within = format!("{within:.1}")
            ),
            symptoms,
        });
    }
    let (code, symptoms) = match () {
        () if !limited.is_empty() => (429, limited),
        () if unavailable.len() >= ENOUGH && turns(view) >= TURNS => (503, unavailable),
        () => return None,
    };
    let all = view.results.iter().flat_map(|result| &result.transcript);
    let times = all.filter(|entry| entry.status() == Some(code)).count();
    Some(Found { seen: say!("`HTTP {code}` {times}×", code, times), symptoms })
}

/// How often 503 and success took turns, while the target could be connected to all the time and no proxy complained.
fn turns(view: &View<'_>) -> usize {
    let mut seen: Vec<(u64, bool)> = Vec::new();
    for result in view.results {
        for entry in &result.transcript {
            match entry.status() {
                _ if entry.finds_nobody() => return 0,
                Some(502 | 504) => return 0,
                Some(status @ (200 | 503)) => seen.extend(wire::time(result, entry).map(|at| (at, status == 200))),
                _ => {}
            }
        }
    }
    seen.sort_unstable();
    seen.windows(2).filter(|pair| pair[0].1 != pair[1].1).count()
}
