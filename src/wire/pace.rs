//! How fast requests are sent: as fast as `--rate` has it, and slower where the target turns away what comes too fast.
//!
//! 429 (RFC 6585, 4), and 503 that says when to come back or that comes from a known limiter, are about how fast requests
//! come and not about what they ask. The run pauses, goes on slower, and sends the request again.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use super::HttpResponse;
use crate::lag::Lateness;

/// How often one request is sent, at the most.
pub(super) const TRIES: usize = 4;
/// The first pause. Each further one, until something is let through, is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause, whatever `Retry-After` says.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Pauses in a row after which still nothing is let through: then it is no rate that keeps requests out.
const IN_VAIN: u32 = 4;
/// How long a run pauses in all. What is turned away after that is judged as it is.
const PAUSES_IN_ALL: Duration = Duration::from_secs(60);
/// The time between two requests after the first pause, and the longest: each further pause makes it twice as long.
const GAP: Duration = Duration::from_millis(20);
const LONGEST_GAP: Duration = Duration::from_millis(500);
/// So many requests that are let through make the time between two of them shorter by a fifth.
const EASED_AFTER: u32 = 50;

/// The pace of all requests of a run.
#[derive(Debug)]
pub struct Pace {
    state: Mutex<State>,
    /// How long requests had to wait for their turn.
    held_back: Lateness,
    begun: Instant,
    /// The time between two requests that `--rate` asks for.
    declared: Duration,
}

#[derive(Debug)]
struct State {
    sent: usize,
    gap: Duration,
    /// When the next request may be sent.
    next: Instant,
    /// When the last pause ends: what was sent before that was turned away for the same reason.
    resumes: Instant,
    pauses_in_a_row: u32,
    let_through: u32,
    limit: Option<Limit>,
}

/// How a target limits requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The status of what is turned away.
    pub status: u16,
    /// How many requests were sent before the first was turned away.
    pub after: usize,
    /// Within what time.
    pub within: Duration,
    /// How long the run paused, in all.
    pub paused: Duration,
    /// Whether it was no use: slower requests were turned away as well.
    pub in_vain: bool,
    last: Instant,
}

impl Pace {
    /// So many requests a second at the most; any number unless told.
    pub fn new(rate: Option<f64>) -> Pace {
        let now = Instant::now();
        let declared = rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate.max(0.01)));
        Pace {
            state: Mutex::new(State {
                sent: 0,
                gap: declared,
                next: now,
                resumes: now,
                pauses_in_a_row: 0,
                let_through: 0,
                limit: None,
            }),
            held_back: Lateness::default(),
            begun: now,
            declared,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the next request may be sent, and gives when that was.
    pub(super) async fn turn(&self) -> Instant {
        let asked = Instant::now();
        let at = {
            let mut state = self.state();
            state.sent += 1;
            let at = state.next.max(asked);
            state.next = at + state.gap;
            at
        };
        if at > asked {
            sleep_until(at).await;
            self.held_back.add(asked.elapsed());
        }
        Instant::now()
    }

    /// Counts a request that is sent as it comes.
    pub(super) fn count(&self) {
        self.state().sent += 1;
    }

    /// Takes note of what came of a request that was sent then. Whether it is worth sending again, when it is its turn.
    pub(super) fn is_worth_repeating(&self, sent: Instant, answer: &HttpResponse) -> bool {
        let Some(retry_after) = limits(answer) else {
            self.let_through();
            return false;
        };
        let now = Instant::now();
        let mut guard = self.state();
        let state = &mut *guard;
        let (sent_before, begun) = (state.sent.saturating_sub(1), self.begun);
        let limit = state.limit.get_or_insert_with(|| Limit {
            status: answer.status,
            after: sent_before,
            within: now.saturating_duration_since(begun),
            paused: Duration::ZERO,
            in_vain: false,
            last: now,
        });
        limit.last = now;
        if limit.in_vain {
            return false;
        }
        if sent < state.resumes {
            return true;
        }
        if state.pauses_in_a_row == IN_VAIN || limit.paused >= PAUSES_IN_ALL {
            limit.in_vain = true;
            (state.gap, state.next) = (self.declared, now);
            return false;
        }
        let pause = retry_after.unwrap_or(FIRST_PAUSE * 2u32.pow(state.pauses_in_a_row)).min(LONGEST_PAUSE);
        limit.paused += pause;
        state.pauses_in_a_row += 1;
        state.let_through = 0;
        state.gap = (state.gap * 2).clamp(GAP, LONGEST_GAP).max(self.declared);
        state.resumes = now + pause;
        state.next = state.resumes;
        true
    }

    fn let_through(&self) {
        let mut state = self.state();
        state.pauses_in_a_row = 0;
        if state.limit.is_none() {
            return;
        }
        state.let_through += 1;
        if state.let_through == EASED_AFTER {
            state.let_through = 0;
            state.gap = (state.gap * 4 / 5).max(self.declared);
        }
    }

    /// How the target limits requests, if it was seen to.
    pub fn limit(&self) -> Option<Limit> {
        self.state().limit
    }

    /// Whether requests are held back now, be it by `--rate` or for the target's limit.
    pub fn is_slow(&self) -> bool {
        let state = self.state();
        !state.gap.is_zero() && state.limit.is_none_or(|limit| !limit.in_vain)
    }

    /// Whether something was turned away since then that slower requests help against.
    pub fn was_limited_since(&self, begun: Instant) -> bool {
        self.limit().is_some_and(|limit| !limit.in_vain && limit.last >= begun)
    }

    /// How long a request was held back since then, at the worst.
    pub fn held_back_since(&self, begun: Instant) -> Duration {
        self.held_back.worst_since(begun)
    }
}

/// Whether an answer says that requests come too fast, and how long to wait where it tells.
pub(super) fn limits(answer: &HttpResponse) -> Option<Option<Duration>> {
    let retry_after = answer.header("retry-after").trim().parse().ok().map(Duration::from_secs);
    match answer.status {
        429 => Some(retry_after),
        503 if retry_after.is_some() || is_nginx_limiter(answer) => Some(retry_after),
        _ => None,
    }
}

/// What nginx's `limit_req` and `limit_conn` answer unless told otherwise. A server that does not answer is 502 or 504 there.
fn is_nginx_limiter(answer: &HttpResponse) -> bool {
    answer.text().contains("<center>nginx")
}
