//! Whether the target is there: a run waits for one that went down, and finds out which check takes it down.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Event, Runner, exchange::shows_an_end, lock};
use crate::{
    catalogue::Check,
    message::Message,
    probe::Probe,
    verdict::{CheckResult, Evidence, Failure, Outcome},
    wire::presence::Outage,
};

/// How long after it was found to be gone a target is looked for again.
const BETWEEN_LOOKS_FOR_THE_GONE: Duration = Duration::from_secs(5);
/// How often, and how far apart, a target is looked for that ended the sessions of several checks.
const LOOKS_AFTER_AN_END: usize = 4;
const BETWEEN_LOOKS_AFTER_AN_END: Duration = Duration::from_millis(250);
/// What waits no longer for the protocol is run again to learn whether it takes the target down, and how long all that may take.
const SHORT: Duration = Duration::from_secs(2);
const LONGEST_SEARCH: Duration = Duration::from_secs(30);

impl Runner {
    /// Waits for the target where a request found nobody, and others find nobody as well. One that does not come back is not
    /// waited for again, but looked for now and then.
    pub(super) async fn until_somebody_is_there(&self) -> Result<(), Message> {
        let presence = self.setting.http.presence();
        if !presence.is_in_doubt() {
            return Ok(());
        }
        let mut last = self.looked.lock().await;
        if !presence.is_in_doubt() {
            return Ok(());
        }
        if let Some((at, why)) = &*last
            && at.elapsed() < BETWEEN_LOOKS_FOR_THE_GONE
        {
            return Err(why.clone());
        }
        let probe = Probe::new(Arc::clone(&self.setting));
        // One more connection may have had bad luck.
        let met = match probe.meets_somebody().await {
            Err(_) => probe.meets_somebody().await,
            met => met,
        };
        let met = match met {
            Err(why) => {
                presence.is_not_there();
                if last.is_none() {
                    self.tell(Event::Waiting(why.clone()));
                }
                if last.is_none() { probe.until_somebody_is_there().await } else { Err(why) }
            }
            met => met,
        };
        match &met {
            Ok(()) => {
                presence.is_there();
                *last = None;
            }
            Err(why) => *last = Some((Instant::now(), why.clone())),
        }
        met
    }

    /// Whether the target is there after a check with this result, which began then. A server that is being stopped ends its
    /// sessions before it stops listening, so that it is looked for again a while later where many were ended.
    pub(super) async fn is_there_after(
        &self,
        result: &CheckResult,
        begun: tokio::time::Instant,
    ) -> Result<(), Message> {
        let presence = self.setting.http.presence();
        let saw_an_end = result.transcript.iter().any(shows_an_end);
        for look in 0..LOOKS_AFTER_AN_END {
            if saw_an_end {
                presence.look_again();
            }
            let is_there = self.until_somebody_is_there().await;
            if is_there.is_err() || !presence.many_ended_lately() || presence.outage_since(begun).is_some() {
                return is_there;
            }
            if look + 1 < LOOKS_AFTER_AN_END {
                // Nothing tells when a server stops listening.
                tokio::time::sleep(BETWEEN_LOOKS_AFTER_AN_END).await;
            }
        }
        Ok(())
    }

    /// The check that takes the target down, where it went down and nobody was seen to do it: what had passed, or ended, when
    /// that was noticed is run again, one by one, for as long as that takes no longer than the search is worth.
    pub(super) async fn who_takes_it_down(&self) -> Option<&'static str> {
        let outages = self.outages();
        let outage = outages.first().filter(|_| !*lock(&self.is_explained))?;
        if self.is_dev_server().await {
            return None;
        }
        let begun = Instant::now();
        let suspects = self.ran_at(outage).into_iter().filter(|id| self.times_run(id) == 1);
        for check in suspects.filter_map(|id| self.planned(id)).filter(|check| self.wait(check) <= SHORT) {
            let _alone = self.alone.write().await;
            if begun.elapsed() > LONGEST_SEARCH || self.until_somebody_is_there().await.is_err() {
                return None;
            }
            if self.takes_it_down(check).await && self.takes_it_down(check).await {
                return Some(check.id);
            }
        }
        None
    }

    /// Whether the target goes down when the check has it to itself. One that goes down by itself now and then does not do so
    /// twice in a row just then.
    pub(super) async fn takes_it_down(&self, check: &'static Check) -> bool {
        if self.until_somebody_is_there().await.is_err() {
            return false;
        }
        let outages = self.outages().len();
        self.exchange(check).await;
        let is_proven = self.goes_down_again(outages).await;
        *lock(&self.is_explained) |= is_proven;
        is_proven
    }

    /// Whether the target is not there now, or was not there once more, when so many outages were known before.
    pub(super) async fn goes_down_again(&self, outages: usize) -> bool {
        self.setting.http.presence().look_again();
        let _ = self.until_somebody_is_there().await;
        self.outages().len() > outages
    }

    /// Whether a development server serves the page, which restarts by itself.
    pub(super) async fn is_dev_server(&self) -> bool {
        let probe = Probe::new(Arc::clone(&self.setting));
        let look = async || probe.is_served_by_vite().await.ok_or(());
        self.dev_server.get_or_try_init(look).await.is_ok_and(|it| *it)
    }

    /// The outages of this run.
    pub(super) fn outages(&self) -> Vec<Outage> {
        let begun = tokio::time::Instant::from(self.begun);
        self.setting.http.presence().outages().into_iter().filter(|outage| outage.missed >= begun).collect()
    }

    /// The checks that ran when that began, those first that ended next to it.
    pub(super) fn ran_at(&self, outage: &Outage) -> Vec<&'static str> {
        let ran = lock(&self.ran);
        let mut ran: Vec<_> =
            ran.iter().filter(|(_, begun, ended)| *begun <= outage.missed && *ended >= outage.heard).collect();
        let apart = |at: tokio::time::Instant| {
            outage.missed.saturating_duration_since(at).max(at.saturating_duration_since(outage.missed))
        };
        ran.sort_by_key(|(_, _, ended)| apart(*ended));
        ran.into_iter().map(|(id, ..)| *id).collect()
    }

    fn times_run(&self, id: &str) -> usize {
        lock(&self.ran).iter().filter(|(ran, ..)| *ran == id).count()
    }
}

/// Says of a check that it takes the target down, whatever else came of it. What it found itself says more.
pub(super) fn blame(result: &mut CheckResult) {
    result.evidence.push(Evidence::TakesDown);
    result.unfelt = false;
    if result.is_failure() {
        result
            .notes
            .push("the target goes down while this runs: alongside other checks, and again when run alone".into());
        return;
    }
    result.outcome = Outcome::Fail(Failure {
        reason: "The target goes down while this check runs: alongside other checks, and again when run alone".into(),
        sent: say!("what {id} sends, which any client may send", id = result.id),
        received: "the target no longer answers".into(),
        expected: "the target goes on answering".into(),
        extent: None,
    });
}
