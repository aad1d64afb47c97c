//! Whether the target is there. A connection that is refused, a proxy that misses its server, an answer that does not come:
//! each may be one request's bad luck, or one check's doing. Whether nobody is there shows when the target is asked again.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{HttpResponse, WireError, pace};
use crate::message::Message;

/// Outages that are remembered.
const MAX_REMEMBERED: usize = 32;
/// Ends of connections that are remembered, how long they count, and those of how many checks show that something is going on
/// which is no single check's doing.
const MAX_ENDS: usize = 256;
const LATELY: Duration = Duration::from_secs(1);
const MANY: usize = 3;

/// What is known of the target's being there.
#[derive(Debug)]
pub struct Presence(Mutex<State>);

#[derive(Debug)]
struct State {
    /// When something was answered last.
    heard: Instant,
    /// The first request since then that found nobody, until it is known what that means.
    missed: Option<Missed>,
    outages: Vec<Outage>,
    /// When connections ended without a word, and whose they were.
    ends: VecDeque<(Instant, usize)>,
}

#[derive(Clone, Debug)]
struct Missed {
    at: Instant,
    heard: Instant,
    how: Message,
}

/// A time at which nobody was there.
#[derive(Clone, Debug)]
pub struct Outage {
    /// When something was answered last before it.
    pub heard: Instant,
    /// When the first request found nobody.
    pub missed: Instant,
    /// What that request met.
    pub how: Message,
    /// When somebody was there again.
    pub back: Option<Instant>,
}

impl Outage {
    /// How long it was, as far as it is known.
    pub fn lasted(&self) -> Duration {
        self.back.unwrap_or_else(Instant::now).saturating_duration_since(self.missed)
    }
}

impl Default for Presence {
    fn default() -> Presence {
        let heard = Instant::now();
        Presence(Mutex::new(State { heard, missed: None, outages: Vec::new(), ends: VecDeque::new() }))
    }
}

impl Presence {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of what a request met.
    pub(super) fn note(&self, answer: Result<&HttpResponse, &WireError>) {
        let how = match answer {
            Ok(response) if matches!(response.status, 502..=504) && pace::limits(response).is_none() => {
                say!("HTTP {status}", status = response.status)
            }
            Err(error @ (WireError::Connect(_) | WireError::Timeout { .. } | WireError::Closed(_))) => error.message(),
            Ok(_) => return self.heard(),
            Err(_) => return,
        };
        let mut state = self.state();
        let (at, heard) = (Instant::now(), state.heard);
        state.missed.get_or_insert(Missed { at, heard, how });
    }

    /// Takes note that there was an answer.
    pub(super) fn heard(&self) {
        self.state().heard = Instant::now();
    }

    /// Takes note that a connection of `whose` ended without a word: no close frame, no close packet.
    pub(super) fn ended(&self, whose: usize) {
        let mut state = self.state();
        if state.ends.len() == MAX_ENDS {
            state.ends.pop_front();
        }
        state.ends.push_back((Instant::now(), whose));
    }

    /// Whether connections of several checks ended without a word within the last second, as they do when a server goes down.
    pub fn many_ended_lately(&self) -> bool {
        let state = self.state();
        let lately = state.ends.iter().rev().take_while(|(at, _)| at.elapsed() <= LATELY);
        lately.map(|(_, whose)| whose).collect::<BTreeSet<_>>().len() >= MANY
    }

    /// Whether a request found nobody, and it is not known yet whether others would.
    pub fn is_in_doubt(&self) -> bool {
        self.state().missed.is_some()
    }

    /// Doubts that somebody is there, so that it is looked for.
    pub fn look_again(&self) {
        let mut state = self.state();
        let (at, heard) = (Instant::now(), state.heard);
        state.missed.get_or_insert(Missed { at, heard, how: "nobody answers".into() });
    }

    /// Says that the target was asked again, and answered.
    pub fn is_there(&self) {
        let mut state = self.state();
        state.missed = None;
        if let Some(outage) = state.outages.last_mut()
            && outage.back.is_none()
        {
            outage.back = Some(Instant::now());
        }
    }

    /// Says that the target was asked again, and did not answer.
    pub fn is_not_there(&self) {
        let mut state = self.state();
        let is_known = state.outages.last().is_some_and(|outage| outage.back.is_none());
        if let Some(Missed { at, heard, how }) = state.missed.clone()
            && !is_known
            && state.outages.len() < MAX_REMEMBERED
        {
            state.outages.push(Outage { heard, missed: at, how, back: None });
        }
    }

    /// The outages so far.
    pub fn outages(&self) -> Vec<Outage> {
        self.state().outages.clone()
    }

    /// The last outage that had not ended by then.
    pub fn outage_since(&self, begun: Instant) -> Option<Outage> {
        let state = self.state();
        state.outages.last().filter(|outage| outage.back.is_none_or(|back| back >= begun)).cloned()
    }
}
