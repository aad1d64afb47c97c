//! Requests that are answered at once by any server take most of the time that an answer may take.
//!
//! Looked at are handshakes and POSTs, never polls, which are held on purpose; each on a connection on which nothing else
//! was under way. A machine that is busy with the checks themselves would look alike, so most of them must be slow.

use super::{Found, Kind, Row, View, wire};
use crate::verdict::{CheckResult, Direction};

pub const CAUSE: Kind = Kind {
    id: "slow-target",
    title: "The target is slow: answers take most of the time that they may take",
    row: Row::D,
    fix: "Look for what blocks the event loop: a loop, `JSON.parse` of much, `readFileSync` or `bcrypt.hashSync` in a handler \
          or a middleware. If the way to the target is long, give answers more time: `--deadline 30s`.",
    find,
};

/// How long an answer takes that is slow, in milliseconds; how many must be, and in how many checks.
const SLOW_MS: u64 = 2_000;
const SLOW: usize = 6;
const ENOUGH: usize = 3;

fn find(view: &View<'_>) -> Option<Found> {
    let taken: Vec<(&CheckResult, u64)> =
        view.open().flat_map(|result| durations(result).into_iter().map(move |took| (result, took))).collect();
    let slow: Vec<_> = taken.iter().filter(|(_, took)| *took >= SLOW_MS).collect();
    let symptoms = view.open_ids(|result| slow.iter().any(|(slow, _)| slow.id == result.id));
    if slow.len() < SLOW || symptoms.len() < ENOUGH || slow.len() * 2 < taken.len() {
        return None;
    }
    let longest = slow.iter().map(|(_, took)| *took).max()?;
    Some(Found {
        seen: say!(
            "{slow} / {all}: ≥ {least} ms, ≤ {longest} ms",
            slow = slow.len(),
            all = taken.len(),
            least = SLOW_MS,
            longest
        ),
        symptoms,
    })
}

/// How long each handshake and POST took that was answered.
fn durations(result: &CheckResult) -> Vec<u64> {
    let mut taken = Vec::new();
    for lines in wire::connections(result) {
        for pair in lines.windows(2) {
            let is_asked = pair[0].direction == Direction::Sent
                && (pair[0].text.starts_with("POST ")
                    || pair[0].text.starts_with("GET ") && !pair[0].text.contains("sid="));
            if is_asked && pair[1].status().is_some() {
                taken.push(pair[1].at_ms.saturating_sub(pair[0].at_ms));
            }
        }
    }
    taken
}
