//! Second looks: the end of a session may be the fault of this machine, when it was too busy to answer a heartbeat in time.
//! What the server does, it does each time.

use futures::future::BoxFuture;

use super::Stop;

/// How often a session may end before that counts.
const LOOKS: usize = 2;

/// Why one look at the target does not pass.
#[derive(Clone, Debug)]
pub enum Look {
    /// A session ended that should not have, or nothing could be judged; this is what to say if that comes again.
    Ended(Stop),
    /// Anything else, which counts at once.
    Stop(Stop),
}

impl From<Stop> for Look {
    /// What could not be judged may be judged by a second look.
    fn from(stop: Stop) -> Look {
        if matches!(stop, Stop::Broken(_)) { Look::Ended(stop) } else { Look::Stop(stop) }
    }
}

/// Looks again where a session ended that should not have.
///
/// # Errors
/// Those of `look`, the end of a session only where it came each time.
pub async fn confirmed<'a, T>(look: impl Fn() -> BoxFuture<'a, Result<T, Look>> + Send) -> Result<T, Stop> {
    for _ in 1..LOOKS {
        match look().await {
            Ok(seen) => return Ok(seen),
            Err(Look::Stop(stop)) => return Err(stop),
            Err(Look::Ended(_)) => {}
        }
    }
    look().await.map_err(|(Look::Ended(stop) | Look::Stop(stop))| stop)
}
