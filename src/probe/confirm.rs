//! Second looks: the end of a session may be the fault of this machine, when it was too busy to answer a heartbeat in time.
//! Whether it was is measured. What the server does on a machine that was in time, it does.

use tokio::time::Instant;

use super::{Probe, Stop};

/// Looks again where a finding is [doubtful](super::Finding::doubtful), or nothing could be judged, and this machine was late
/// meanwhile. What was seen once, and not again, is a note that says how late.
///
/// # Errors
/// Those of the second look where there is one; but a finding stands when the second look cannot be had, since a server
/// that is still down then has shown enough.
pub async fn confirmed<T, F: Future<Output = Result<T, Stop>>>(probe: &Probe, look: impl Fn() -> F) -> Result<T, Stop> {
    let begun = Instant::now();
    let first = match look().await {
        Err(stop) if is_in_doubt(&stop) => stop,
        judged => return judged,
    };
    let Some(late) = probe.was_late(begun) else { return Err(first) };
    let (seen, first) = again(first, look().await)?;
    probe.note(match first {
        Stop::Fail(finding) => {
            say!(
                "seen once, and not again: {reason}; the first time, this machine lagged by {late}",
                reason = finding.failure.reason,
                late
            )
        }
        Stop::Broken(reason) | Stop::Skip(reason) => {
            say!("judged at the second try: {reason}; at the first, this machine lagged by {late}", reason, late)
        }
    });
    Ok(seen)
}

/// As [`confirmed`], but whatever was found, and whether or not this machine was late: for exchanges of a client that is not
/// ours, and may lose a race with itself.
///
/// # Errors
/// As [`confirmed`].
pub async fn seen_twice<T, F: Future<Output = Result<T, Stop>>>(
    probe: &Probe,
    look: impl Fn() -> F,
) -> Result<T, Stop> {
    let first = match look().await {
        Err(stop @ (Stop::Broken(_) | Stop::Fail(_))) => stop,
        judged => return judged,
    };
    let (seen, first) = again(first, look().await)?;
    if let Stop::Fail(finding) = first {
        probe.note(say!("seen once, and not again: {reason}", reason = finding.failure.reason));
    }
    Ok(seen)
}

fn is_in_doubt(stop: &Stop) -> bool {
    match stop {
        Stop::Broken(_) => true,
        Stop::Fail(finding) => finding.doubtful,
        Stop::Skip(_) => false,
    }
}

/// What two looks come to.
fn again<T>(first: Stop, second: Result<T, Stop>) -> Result<(T, Stop), Stop> {
    match (second, first) {
        (Ok(seen), first) => Ok((seen, first)),
        (Err(Stop::Broken(_)), finding @ Stop::Fail(_)) => Err(finding),
        (Err(second), _) => Err(second),
    }
}
