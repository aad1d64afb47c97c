//! What comes at once, as a faulty application sees it.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tokio::{sync::watch, time::timeout};

/// How long nothing more must have come for a burst to be over.
const PAUSE: Duration = Duration::from_millis(250);

/// How long it is waited for that, at the most.
const PAUSE_WITHIN: Duration = Duration::from_secs(1);

/// Calls, or packets, that wait for each other.
#[derive(Debug, Default)]
pub struct Burst {
    waiting: AtomicUsize,
    /// How many came so far.
    came: watch::Sender<usize>,
}

impl Burst {
    /// Waits until no other one comes for a while, and tells how many waited before this one.
    ///
    /// What is sent at once arrives one after the other, and on a busy machine slowly: only in relation to each other can they
    /// be told for a burst.
    pub async fn pause(&self) -> usize {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        self.came.send_modify(|came| *came += 1);
        let mut came = self.came.subscribe();
        let pause = async { while timeout(PAUSE, came.changed()).await.is_ok_and(|changed| changed.is_ok()) {} };
        let _ = timeout(PAUSE_WITHIN, pause).await;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        before
    }
}
