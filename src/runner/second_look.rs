//! When it is a check's turn, and second looks at it: where it did not pass, and this machine, the target, or what ran beside
//! it may be why.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use super::{Event, MOST_OUTAGES, Runner, exchange::Exchange, lock, presence::blame};
use crate::{
    catalogue::{Check, Isolation},
    message::Message,
    probe::{Probe, Setting},
    verdict::{CheckResult, Outcome},
};

/// How long the next check is put off, at the most, because the target does not keep up with those that run.
const PATIENCE_WITH_TARGET: Duration = Duration::from_millis(100);
/// How often a check is tried again while the target still turns requests away.
const TRIES_BELOW_LIMIT: usize = 3;
/// How many slow answers meanwhile make a check worth a second look that could not be judged.
const OVERTAXED: usize = 3;
/// How many checks of a run get one that could not be judged for one answer that did not come.
const LONE_LOOKS: usize = 3;
const RESTARTS: &str = "the development server restarted each time that this ran";
const AFTER_OUTAGE: &str = "judged alone: the target went down while this ran alongside other checks";

impl Runner {
    /// Runs the check when it is its turn, beside what it gets along with.
    pub(super) async fn tried(&self, check: &'static Check) -> CheckResult {
        let contract = &self.setting.contract;
        // Exclusion only where no nonce tells one check's broadcasts from another's.
        let _notifications = match (check.isolation, &contract.rest) {
            (Isolation::Notifications, Some(rest)) if !rest.carries_message() => Some(self.notifications.lock().await),
            _ => None,
        };
        let _rooms = match (check.isolation, &contract.rooms) {
            // Some of those that look at notifications send to rooms as well.
            (Isolation::Rooms | Isolation::Notifications, Some(rooms)) if !rooms.send.carries_message() => {
                Some(self.rooms.lock().await)
            }
            _ => None,
        };
        let (shared, exclusive) = match check.isolation {
            Isolation::First | Isolation::Alone | Isolation::Last => (None, Some(self.alone.write().await)),
            _ => (Some(self.alone.read().await), None),
        };
        let job = self.jobs.acquire().await.expect("the semaphore is never closed");
        // What many checks have to say at once would wait for longer than their answers may take.
        let slowly = if self.setting.http.pace().is_slow() { self.slowly.acquire().await.ok() } else { None };
        self.setting.lag.turn().await;
        self.setting.http.until_it_keeps_up(self.setting.target.promptly(), PATIENCE_WITH_TARGET).await;
        if let Err(why) = self.until_somebody_is_there().await {
            let reason = say!("the target went down before this ran, and did not come back in time: {why}", why);
            return self.redacted(self.result_of(check, Outcome::Broken { reason }, Instant::now()));
        }
        self.tell(Event::Started(check.id));
        let begun = tokio::time::Instant::now();
        let Exchange { result, harms_others, saw_an_end, met_silence, is_doubtful } = self.exchange(check).await;
        let Setting { http, target, .. } = &*self.setting;
        if self.is_disturbed_since(begun) && !matches!(result.outcome, Outcome::Pass) {
            drop((job, shared, exclusive, slowly));
            return self.tried_below_the_limit(check, result).await;
        }
        let late = http.late_answers_since(begun, target.promptly());
        if harms_others {
            drop((job, shared, exclusive, slowly));
            return self.tried_alone(check, result, begun).await;
        }
        // What passed by an end may owe it to an outage, and what did not pass, too.
        if saw_an_end || !matches!(result.outcome, Outcome::Pass) {
            let is_there = self.is_there_after(&result, begun).await;
            if http.presence().outage_since(begun).is_some() {
                let was_alone = exclusive.is_some();
                drop((job, shared, exclusive, slowly));
                return match is_there {
                    Ok(()) => self.tried_after_outage(check, result).await,
                    Err(_) if was_alone && result.is_failure() => result,
                    Err(why) => self.unjudged(result, went_down(&why)),
                };
            }
        }
        // Silence then may be lateness, and so may the end of a session.
        let is_broken = matches!(result.outcome, Outcome::Broken { .. });
        let may_be_late = is_broken || is_doubtful || result.is_failure() && met_silence;
        let is_overtaxed = late >= OVERTAXED || self.setting.is_long(self.setting.lag.worst_since(begun));
        // One request among many may be lost by itself, as by a development server.
        let is_alone = || is_broken && met_silence && self.lone_looks.fetch_add(1, Ordering::Relaxed) < LONE_LOOKS;
        if may_be_late && (is_overtaxed || is_alone()) {
            drop((job, shared, exclusive, slowly));
            return self.tried_at_leisure(check, result, late).await;
        }
        result
    }

    /// The result where nothing follows from what was seen.
    fn unjudged(&self, result: CheckResult, reason: Message) -> CheckResult {
        self.redacted(CheckResult { outcome: Outcome::Broken { reason }, ..result })
    }

    /// What becomes of a check that could not be judged, or was left without an answer, while the target was slow with what
    /// others asked as well: all of them together were too much for it, or for this machine. A second look, with nothing beside
    /// it, tells silence from lateness; what it does not see again is a note.
    async fn tried_at_leisure(&self, check: &'static Check, first: CheckResult, late: usize) -> CheckResult {
        let reason = match &first.outcome {
            Outcome::Broken { reason } => reason,
            Outcome::Fail(failure) => &failure.reason,
            _ => return first,
        };
        let _alone = self.alone.write().await;
        let Exchange { result: mut second, .. } = self.exchange(check).await;
        if first.is_failure() && !matches!(second.outcome, Outcome::Pass) {
            return first;
        }
        if !matches!(second.outcome, Outcome::Broken { .. }) {
            let promptly = self.setting.target.promptly();
            second.notes.push(if late < OVERTAXED {
                say!("judged alone, at the second try; the first time: {reason}", reason)
            } else if first.is_failure() {
                say!(
                    "seen once, and not again: {reason}; {late} other answers took longer than {promptly} then",
                    reason,
                    late,
                    promptly
                )
            } else {
                say!(
                    "judged alone: {reason}; {late} other answers took longer than {promptly} during the first try",
                    reason,
                    late,
                    promptly
                )
            });
        }
        self.redacted(second)
    }

    /// What becomes of a check that did not pass while the target turned requests away for coming too fast: the run has slowed
    /// down since, and the check is run once more, with nothing beside it. What is turned away then as well proves nothing.
    async fn tried_below_the_limit(&self, check: &'static Check, first: CheckResult) -> CheckResult {
        let alone = self.alone.write().await;
        let (mut last, mut harms_others, mut is_disturbed) = (first, false, true);
        for _ in 0..TRIES_BELOW_LIMIT {
            let begun = tokio::time::Instant::now();
            Exchange { result: last, harms_others, .. } = self.exchange(check).await;
            is_disturbed = self.is_disturbed_since(begun);
            if matches!(last.outcome, Outcome::Pass) || !is_disturbed {
                break;
            }
        }
        if !is_disturbed {
            last.notes
                .push("judged when requests were slower: the target turned some away, for coming too fast".into());
        } else if let Outcome::Fail(failure) = &last.outcome
            && check.isolation != Isolation::First
        {
            let reason = say!(
                "the target refused requests for coming too fast, however slowly they were sent, so this proves \
                 nothing: {reason}",
                reason = failure.reason
            );
            last.outcome = Outcome::Broken { reason };
        }
        if harms_others {
            drop(alone);
            return self.tried_alone(check, last, tokio::time::Instant::now()).await;
        }
        self.redacted(last)
    }

    /// Whether, since then, the target turned requests away for coming too fast, or the pause for that held some back.
    fn is_disturbed_since(&self, begun: tokio::time::Instant) -> bool {
        let pace = self.setting.http.pace();
        let was_held_back =
            pace.limit().is_some_and(|limit| !limit.in_vain) && self.setting.is_long(pace.held_back_since(begun));
        pace.was_limited_since(begun) || was_held_back
    }

    /// What becomes of a check during which the target was not there: it is run once more, with nothing beside it, right after
    /// the target answered. Where the target goes down again then, this check does it.
    async fn tried_after_outage(&self, check: &'static Check, first: CheckResult) -> CheckResult {
        let _alone = self.alone.write().await;
        let is_there = self.until_somebody_is_there().await;
        let outages = self.outages().len();
        let reason = match is_there {
            Err(why) => Some(went_down(&why)),
            Ok(()) if outages > MOST_OUTAGES => {
                Some("the target went down while this ran, as it did before, and this is not tried any further".into())
            }
            Ok(()) => None,
        };
        if let Some(reason) = reason {
            return self.unjudged(first, reason);
        }
        let Exchange { result: mut second, .. } = self.exchange(check).await;
        second.notes.push(AFTER_OUTAGE.into());
        if self.goes_down_again(outages).await {
            if self.is_dev_server().await {
                return self.unjudged(second, RESTARTS.into());
            }
            if self.takes_it_down(check).await {
                blame(&mut second);
            }
        }
        self.redacted(second)
    }

    /// What becomes of a check that says that others come to harm by what it sent. Whatever ran beside it may have done
    /// that, and the target may have been down before: it is run once more, when it has the target to itself, and only right
    /// after the target answered.
    async fn tried_alone(&self, check: &'static Check, first: CheckResult, begun: tokio::time::Instant) -> CheckResult {
        let Outcome::Fail(failure) = &first.outcome else { return first };
        let reason = &failure.reason;
        let _alone = self.alone.write().await;
        let _ = self.until_somebody_is_there().await;
        if let Err(why) = Probe::new(Arc::clone(&self.setting)).until_it_answers().await {
            let reason = say!(
                "the target went down while this ran alongside other checks, and does not come back, so it is unknown \
                 which of them caused it: {reason}; {why}",
                reason,
                why
            );
            return self.unjudged(first, reason);
        }
        let was_down = self.setting.http.presence().outage_since(begun).is_some();
        let outages = self.outages().len();
        let Exchange { result: mut second, harms_others, .. } = self.exchange(check).await;
        if harms_others && self.goes_down_again(outages).await && self.is_dev_server().await {
            return self.unjudged(second, RESTARTS.into());
        }
        if matches!(second.outcome, Outcome::Pass) && was_down {
            second.notes.push(AFTER_OUTAGE.into());
            return second;
        }
        if matches!(second.outcome, Outcome::Pass) {
            let reason = say!(
                "alongside other checks this seemed to harm others, but alone it does not, so something else did: \
                 {reason}",
                reason
            );
            return self.unjudged(first, reason).tried_again(second);
        }
        if harms_others {
            *lock(&self.is_explained) = true;
            let after = match Probe::new(Arc::clone(&self.setting)).answers_now().await {
                Ok(()) => "seen again when run alone: the target answered before, and again afterwards",
                Err(_) => "seen again when run alone: the target answered before, but not afterwards",
            };
            second.notes.push(after.into());
        }
        second
    }
}

fn went_down(why: &Message) -> Message {
    say!("the target went down while this ran, and did not come back in time: {why}", why)
}
