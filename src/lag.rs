//! How busy this machine is, measured, and how much may begin at once.
//!
//! A timer of ours is set to fire every few milliseconds, in the very runtime that does the work. How late it does says how
//! long whatever else is due there has to wait for the processor. Two things follow from it: new work begins only while the
//! timer is about on time, and what looks like a target's silence is known for this machine's where the timer was late as well.

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
/// What is begun at one tick, at the most: few enough for what they do to show before the next ones begin.
const MOST_AT_ONCE: usize = 4;
/// How long the lateness of another runtime in this process counts.
const FRESH: Duration = Duration::from_millis(12);
/// Lateness that is remembered.
const NOTABLE: Duration = Duration::from_millis(20);
/// How many times of lateness are remembered.
const MAX_REMEMBERED: usize = 4_096;

/// The last notable lateness in this process, whichever runtime it was in: they share its processors.
static LATEST: Mutex<Option<(Instant, Duration)>> = Mutex::new(None);

/// The measure, shared by all that goes on in one runtime. Clones measure as one.
#[derive(Clone, Debug)]
pub struct Lag(Arc<Meter>);

#[derive(Debug)]
struct Meter {
    seen: Arc<Seen>,
    task: AbortHandle,
}

/// Times at which something was late, and by how much.
#[derive(Debug, Default)]
pub struct Lateness(Mutex<VecDeque<(Instant, Duration)>>);

impl Lateness {
    /// Remembers that something was late now.
    pub fn add(&self, by: Duration) {
        if by < NOTABLE {
            return;
        }
        let mut late = lock(&self.0);
        if late.len() == MAX_REMEMBERED {
            late.pop_front();
        }
        late.push_back((Instant::now(), by));
    }

    /// The worst of it since then; zero for none.
    #[must_use]
    pub fn worst_since(&self, begun: Instant) -> Duration {
        let late = lock(&self.0);
        let since = late.iter().rev().take_while(|(at, _)| *at >= begun).map(|(_, by)| *by);
        since.max().unwrap_or_default()
    }

    /// How often it was that much, or more, since then.
    #[must_use]
    pub fn count_since(&self, begun: Instant, least: Duration) -> usize {
        lock(&self.0).iter().rev().take_while(|(at, _)| *at >= begun).filter(|(_, by)| *by >= least).count()
    }
}

#[derive(Debug)]
struct Seen {
    late: Lateness,
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
            late: Lateness::default(),
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
        self.0.seen.late.worst_since(begun).max(overdue)
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
        seen.late.add(by);
        let by = by.max(elsewhere(now, by));
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

/// Waits until nothing in this process was late for as long as `calm`, or `patience` is over.
pub async fn until_calm(calm: Duration, patience: Duration) {
    let end = Instant::now() + patience;
    let begun = Instant::now();
    loop {
        let last = lock(&LATEST).map_or(begun, |(at, _)| at.max(begun));
        let until = (last + calm).min(end);
        if until <= Instant::now() {
            return;
        }
        sleep_until(until).await;
    }
}

/// Takes note that something took longer than it should, such as an answer of a target on this machine.
pub fn notice(by: Duration) {
    elsewhere(Instant::now(), by);
}

/// Makes `by` known to the other runtimes, and gives what is known of them.
fn elsewhere(now: Instant, by: Duration) -> Duration {
    let mut latest = lock(&LATEST);
    let fresh = latest.filter(|(at, _)| now.saturating_duration_since(*at) < FRESH).map(|(_, by)| by);
    if by > ON_TIME && fresh.is_none_or(|known| by >= known) {
        *latest = Some((now, by));
    }
    fresh.unwrap_or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
