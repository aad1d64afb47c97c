//! Second looks: the end of a session may be the fault of this machine, when it was too busy to answer a heartbeat in time.
//! What the server does, it does each time.

use super::{Probe, Stop};

/// Looks again where a finding is [doubtful](super::Finding::doubtful), or nothing could be judged. What was seen once, and
/// not again, is a note.
///
/// # Errors
/// Those of the second look where there is one; but a finding stands when the second look cannot be had, since a server
/// that is still down then has shown enough.
pub async fn confirmed<T, F: Future<Output = Result<T, Stop>>>(probe: &Probe, look: impl Fn() -> F) -> Result<T, Stop> {
    let first = match look().await {
        Err(stop @ Stop::Broken(_)) => stop,
        Err(Stop::Fail(finding)) if finding.doubtful => Stop::Fail(finding),
        judged => return judged,
    };
    match (look().await, first) {
        (Ok(seen), Stop::Fail(finding)) => {
            probe.note(format!("seen once, and not again: {}", finding.failure.reason));
            Ok(seen)
        }
        (Err(Stop::Broken(_)), finding @ Stop::Fail(_)) => Err(finding),
        (second, _) => second,
    }
}
