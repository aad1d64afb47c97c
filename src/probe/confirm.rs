//! Second looks: the end of a session may be the fault of this machine, when it was too busy to answer a heartbeat in time.
//! Whether it was is measured. What the server does on a machine that was in time, it does.

use tokio::time::Instant;

use super::{Probe, Stop};
use crate::wire::round;

/// Looks again where a finding is [doubtful](super::Finding::doubtful), or nothing could be judged, and this machine was late
/// meanwhile. What was seen once, and not again, is a note that says how late.
///
/// # Errors
/// Those of the second look where there is one; but a finding stands when the second look cannot be had, since a server
/// that is still down then has shown enough.
pub async fn confirmed<T, F: Future<Output = Result<T, Stop>>>(probe: &Probe, look: impl Fn() -> F) -> Result<T, Stop> {
    let begun = Instant::now();
    let first = match look().await {
        Err(stop @ Stop::Broken(_)) => stop,
        Err(Stop::Fail(finding)) if finding.doubtful => Stop::Fail(finding),
        judged => return judged,
    };
    let Some(late) = probe.was_late(begun) else { return Err(first) };
    let late = humantime::format_duration(round(late));
    match (look().await, first) {
        (Ok(seen), Stop::Fail(finding)) => {
            probe.note(format!(
                "seen once, and not again: {}; this machine was {late} late then",
                finding.failure.reason
            ));
            Ok(seen)
        }
        (Ok(seen), Stop::Broken(reason)) => {
            probe.note(format!("judged at the second try: {reason}; this machine was {late} late then"));
            Ok(seen)
        }
        (Err(Stop::Broken(_)), finding @ Stop::Fail(_)) => Err(finding),
        (second, _) => second,
    }
}
