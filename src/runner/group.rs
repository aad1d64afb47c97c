//! Several runs that make up one: what one server cannot show is judged on another beside it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::join_all;
use tokio::sync::mpsc;

use super::{Event, Runner};
use crate::{
    catalogue,
    verdict::{CheckResult, RunReport},
};

/// Runs that go on side by side, and one report of them all.
pub struct Group {
    runners: Vec<Runner>,
    events: Option<mpsc::UnboundedSender<Event>>,
}

impl Group {
    /// The first of them gives the report its target and its remarks.
    ///
    /// # Panics
    /// Without any.
    #[must_use]
    pub fn new(runners: Vec<Runner>) -> Group {
        assert!(!runners.is_empty(), "a group has a run at least");
        Group { runners, events: None }
    }

    /// As [`Runner::sparing_others`].
    #[must_use]
    pub fn sparing_others(mut self) -> Group {
        self.runners = self.runners.into_iter().map(Runner::sparing_others).collect();
        self
    }

    /// As [`Runner::with_retries`].
    #[must_use]
    pub fn with_retries(mut self, retries: u32) -> Group {
        self.runners = self.runners.into_iter().map(|runner| runner.with_retries(retries)).collect();
        self
    }

    /// As [`Runner::held_to`].
    #[must_use]
    pub fn held_to(mut self, refuses: impl Fn(&CheckResult) -> bool + Clone + Send + Sync + 'static) -> Group {
        self.runners = self.runners.into_iter().map(|runner| runner.held_to(refuses.clone())).collect();
        self
    }

    /// As [`Runner::keeping_transcripts`].
    #[must_use]
    pub fn keeping_transcripts(mut self) -> Group {
        self.runners = self.runners.into_iter().map(Runner::keeping_transcripts).collect();
        self
    }

    /// As [`Runner::with_events`].
    #[must_use]
    pub fn with_events(mut self, events: mpsc::UnboundedSender<Event>) -> Group {
        self.runners = self.runners.into_iter().map(|runner| runner.with_events(events.clone())).collect();
        self.events = Some(events);
        self
    }

    /// As [`Runner::again`].
    #[must_use]
    pub fn again(&self) -> Group {
        Group { runners: self.runners.iter().map(Runner::again).collect(), events: self.events.clone() }
    }

    /// Runs all checks of all runs.
    pub async fn run(self) -> RunReport {
        let begun = Instant::now();
        if let Some(events) = &self.events {
            let mut checks: Vec<&'static str> = self.runners.iter().flat_map(Runner::judged).collect();
            checks.sort_by_key(|id| place(id));
            let target = self.runners[0].plan.origin.to_string();
            // Nobody listening is no reason to stop.
            let _ = events.send(Event::Begun { target, checks });
        }
        let keeps_transcripts = self.keeps_transcripts();
        let reports = join_all(self.runners.into_iter().map(|runner| Arc::new(runner).judge_all())).await;
        joined(reports, begun.elapsed(), keeps_transcripts)
    }

    /// As [`Runner::interrupted`].
    pub fn interrupted(&self, seen: &[CheckResult], begun: Instant, started: &str) -> RunReport {
        let of = |runner: &Runner| {
            let judged: Vec<&str> = runner.judged().collect();
            let seen = seen.iter().filter(|result| judged.contains(&result.id.as_str())).cloned().collect();
            runner.interrupted(seen, begun, started.to_owned())
        };
        joined(self.runners.iter().map(of).collect(), begun.elapsed(), self.keeps_transcripts())
    }

    fn keeps_transcripts(&self) -> bool {
        self.runners.iter().any(|runner| runner.keeps_transcripts)
    }
}

/// Where all transcripts are kept they are asked for as they are: who asked bounds what is left of them in the report.
fn joined(reports: Vec<RunReport>, took: Duration, keeps_transcripts: bool) -> RunReport {
    let joined = reports.into_iter().reduce(|mut all, report| {
        all.results.extend(report.results);
        all
    });
    let mut all = joined.expect("a group has a run at least");
    all.results.sort_by_key(|result| place(&result.id));
    all.duration_ms = took.as_millis() as u64;
    if !keeps_transcripts {
        all.bound_transcripts();
    }
    all
}

/// A check's place in the catalogue; what is not in it comes last.
fn place(id: &str) -> usize {
    catalogue::all().position(|entry| entry.check.id == id).unwrap_or(usize::MAX)
}
