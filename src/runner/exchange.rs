//! One check, run once: bounded in time, and apart from everything else should it panic.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt;

use super::{MAX_QUOTE, Runner, lock, reproduce};
use crate::{
    catalogue::{Check, Isolation, Wait},
    message::Message,
    probe::{Probe, Stop},
    verdict::{CheckResult, Entry, Evidence, Failure, Outcome, Step},
    wire::response::was_starved_since,
};

/// How many answers a check may wait for in vain, one after the other, before it counts as stuck; on top of this come
/// the waits that follow from the target's own heartbeat settings.
const DEADLINES_PER_CHECK: u32 = 12;
const OUT_OF_FILES: &str = "this process could open no more files (`ulimit -n` raises the limit)";

/// What came of a check that was run.
pub(super) struct Exchange {
    pub result: CheckResult,
    /// Whether it says that others come to harm by it.
    pub harms_others: bool,
    /// Whether a connection of it ended by the target's doing, or could not be made.
    pub saw_an_end: bool,
    /// Whether it was left without an answer.
    pub met_silence: bool,
    /// Whether it found what slowness would look like.
    pub is_doubtful: bool,
}

impl Runner {
    /// Runs the check itself: bounded in time, and apart from everything else should it panic.
    pub(super) async fn exchange(&self, check: &'static Check) -> Exchange {
        let (begun, started) = (Instant::now(), tokio::time::Instant::now());
        let probe = Probe::new(Arc::clone(&self.setting));
        let probe = if check.isolation == Isolation::First { probe.as_it_comes() } else { probe };
        let handshake = self.setting.target.handshake();
        let reload = self.setting.contract.reload.as_ref().map_or(Duration::ZERO, |reload| reload.deadline);
        // Who waits for answers only waits for no heartbeat.
        let heartbeats = match check.wait {
            Wait::None => Duration::ZERO,
            _ => 2 * (handshake.ping_interval() + handshake.ping_timeout()).min(self.longest_wait()),
        };
        let limit = DEADLINES_PER_CHECK * self.setting.contract.deadline + heartbeats + self.wait(check) + reload;
        let exchange = AssertUnwindSafe((check.run)(&probe)).catch_unwind();
        let mut level = check.level;
        let mut evidence = Vec::new();
        let (mut harms_others, mut is_doubtful) = (false, false);
        let outcome = match tokio::time::timeout(limit, exchange).await {
            Ok(Ok(Err(Stop::Fail(finding)))) if was_starved_since(started) => {
                let reason = finding.failure.reason;
                Outcome::Broken {
                    reason: say!(
                        "{out_of_files}, so this proves nothing: {reason}",
                        out_of_files = OUT_OF_FILES,
                        reason
                    ),
                }
            }
            Ok(Ok(Ok(()))) if was_starved_since(started) => Outcome::Broken { reason: OUT_OF_FILES.into() },
            Ok(Ok(Err(Stop::Fail(finding)))) => {
                level = finding.level.unwrap_or(level);
                (harms_others, is_doubtful) = (finding.harms_others, finding.doubtful);
                evidence.extend(finding.evidence.map(|evidence| *evidence));
                let extent = finding.failure.extent.or_else(|| evidence.iter().find_map(Evidence::extent));
                Outcome::Fail(Failure { extent, ..finding.failure })
            }
            Ok(Ok(Ok(()))) => Outcome::Pass,
            Ok(Ok(Err(Stop::Skip(reason)))) => Outcome::Skip { reason, lacks: None },
            Ok(Ok(Err(Stop::Broken(reason)))) => Outcome::Broken { reason },
            Ok(Err(panic)) => {
                Outcome::Broken { reason: say!("siospec itself panicked: {panic}", panic = panic_text(&*panic)) }
            }
            Err(_) => Outcome::Broken { reason: say!("did not come to an end within {time}", time = limit) },
        };
        let held_back = self.setting.http.pace().held_back_since(started);
        let outcome = match outcome {
            Outcome::Fail(failure) if self.setting.is_long(held_back) => {
                let reason = say!(
                    "requests waited up to {time} for their turn (--rate, or the target's own limit), so this proves \
                     nothing: {reason}",
                    time = held_back,
                    reason = failure.reason
                );
                Outcome::Broken { reason }
            }
            outcome => outcome,
        };
        let mut result = self.result_of(check, outcome, begun);
        result.level = level;
        // What takes others down is felt by all.
        result.unfelt = result.is_failure() && check.is_for_misuse() && !harms_others;
        result.evidence = evidence;
        result.notes = probe.notes();
        let saw_an_end = {
            let presence = self.setting.http.presence();
            let is_troubled = presence.is_in_doubt() || presence.outage_since(started).is_some();
            is_troubled && probe.transcript().entries().iter().any(shows_an_end)
        };
        if self.keeps_transcripts || !matches!(result.outcome, Outcome::Pass) {
            result.transcript = probe.transcript().entries();
        }
        let mut result = self.redacted(result);
        if let Outcome::Fail(failure) = &result.outcome {
            let headers = self.setting.contract.headers.iter().map(|(name, _)| name.as_str()).collect();
            let around = reproduce::Surroundings { origin: &self.plan.origin, headers, start: self.start_reference() };
            let script = reproduce::by_hand(&around, failure, &probe.transcript().lines());
            let redactor = &self.setting.redactor;
            let redacted = |step| match step {
                Step::Comment(comment) => Step::Comment(Message::redacted(&comment, redactor, MAX_QUOTE)),
                Step::Command(command) => Step::Command(redactor.redact(&command)),
            };
            result.by_hand = script.into_iter().map(redacted).collect();
        }
        lock(&self.ran).push((check.id, started, tokio::time::Instant::now()));
        let met_silence = probe.transcript().has_silence();
        Exchange { result, harms_others, saw_an_end, met_silence, is_doubtful }
    }

    pub(super) fn reproduce(&self, check: &Check) -> String {
        format!("{} --only {} --transcript", self.command, check.id)
    }

    /// The command that starts the reference server where this run had it.
    fn start_reference(&self) -> Option<String> {
        const FLAGS: [&str; 5] = ["--fault", "--scenario", "--ping-interval", "--ping-timeout", "--connect-timeout"];
        let address = self.plan.reference.then(|| self.plan.origin.as_str().trim_start_matches("http://"))?;
        let flags = self.plan.flags.windows(2).filter(|pair| FLAGS.contains(&pair[0].as_str()));
        let flags: Vec<String> = flags.map(|pair| format!(" {}", pair.join(" "))).collect();
        Some(format!("siospec serve --listen {}{}", address.trim_end_matches('/'), flags.concat()))
    }
}

/// Whether a connection of a check ended by the target's doing, or could not be made.
pub(super) fn shows_an_end(entry: &Entry) -> bool {
    entry.ends() || entry.finds_nobody()
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("without a message").to_owned()
}
