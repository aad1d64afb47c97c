//! How busy this machine is, measured, and how much may begin at once.
//!
//! A timer of ours is set to fire every few milliseconds. How late it does says how long whatever else is due in this
//! process has to wait for the processor. Two things follow from it: new work begins only while the timer is about on time,
//! and what looks like a target's silence is known for this machine's where the timer was late as well.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Semaphore,
    task::AbortHandle,
    time::{Instant, sleep_until},
};

/// How often the timer is set to fire.
const TICK: Duration = Duration::from_millis(4);
/// Lateness up to which more is begun at each tick than at the one before. A timer is up to a millisecond late on an idle
/// machine, and a processor that others use as well is had within some milliseconds.
const ON_TIME: Duration = Duration::from_millis(8);
/// Lateness beyond which nothing is begun.
const LATE: Duration = Duration::from_millis(40);
/// However busy the machine is, something is begun after this many ticks: the load may be another's, and never end.
const PATIENCE: u32 = 25;
/// What is begun at one tick, at the most.
const MOST_AT_ONCE: usize = 8;
/// Lateness that is remembered.
const NOTABLE: Duration = Duration::from_millis(20);
/// How many times of lateness are remembered.
const MAX_REMEMBERED: usize = 4_096;

/// The measure, shared by all that goes on in this process. Clones measure as one.
#[derive(Clone, Debug)]
pub struct Lag(Arc<Meter>);

#[derive(Debug)]
struct Meter {
    seen: Arc<Seen>,
    task: AbortHandle,
}

#[derive(Debug)]
struct Seen {
    /// When the timer fired late, and by how much.
    late: Mutex<VecDeque<(Instant, Duration)>>,
    /// When it is to fire next.
    due: Mutex<Instant>,
    /// What may begin now.
    turns: Semaphore,
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Lag {
    /// Begins to measure.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn watch() -> Lag {
        let seen = Arc::new(Seen {
            late: Mutex::default(),
            due: Mutex::new(Instant::now() + TICK),
            turns: Semaphore::new(1),
        });
        let task = tokio::spawn(watch(Arc::clone(&seen))).abort_handle();
        Lag(Arc::new(Meter { seen, task }))
    }

    /// Waits until the machine has time for something new. Whoever asks first gets the first turn.
    pub async fn turn(&self) {
        if let Ok(turn) = self.0.seen.turns.acquire().await {
            turn.forget();
        }
    }

    /// How long what was due since `begun` had to wait for the processor, at the worst.
    #[must_use]
    pub fn worst_since(&self, begun: Instant) -> Duration {
        let overdue = Instant::now().saturating_duration_since(*lock(&self.0.seen.due));
        let late = lock(&self.0.seen.late);
        let since = late.iter().rev().take_while(|(at, _)| *at >= begun).map(|(_, by)| *by);
        since.fold(overdue, Duration::max)
    }
}

async fn watch(seen: Arc<Seen>) {
    let mut at_once = 1;
    let mut withheld = 0;
    loop {
        let due = Instant::now() + TICK;
        *lock(&seen.due) = due;
        sleep_until(due).await;
        let now = Instant::now();
        let by = now.saturating_duration_since(due);
        if by >= NOTABLE {
            let mut late = lock(&seen.late);
            if late.len() == MAX_REMEMBERED {
                late.pop_front();
            }
            late.push_back((now, by));
        }
        at_once = if by <= ON_TIME { (at_once * 2).min(MOST_AT_ONCE) } else { (at_once / 2).max(1) };
        if by >= LATE && withheld < PATIENCE {
            withheld += 1;
            continue;
        }
        withheld = 0;
        let left = seen.turns.available_permits();
        seen.turns.add_permits(at_once.saturating_sub(left));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
