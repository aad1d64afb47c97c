//! The report of a run, and what it says of the target.

use std::time::{Instant, SystemTime};

use super::{MAX_QUOTE, MOST_OUTAGES, Runner, lock};
use crate::{
    message::Message,
    verdict::{CheckResult, Evidence, Gate, Outcome, RunReport},
    wire::Transport,
};

impl Runner {
    pub(super) fn report(&self, mut results: Vec<CheckResult>, begun: Instant, started: String) -> RunReport {
        let is_run =
            |result: &&mut CheckResult| !matches!(result.outcome, Outcome::Skip { .. } | Outcome::Blocked { .. });
        // All checks met it, whichever shows it.
        if let (Some(limit), Some(result)) = (self.setting.http.pace().limit(), results.iter_mut().find(is_run)) {
            let ms = limit.within.as_millis() as u64;
            result.evidence.push(Evidence::Limited { status: limit.status, after: limit.after, ms });
        }
        if !*lock(&self.is_explained) || results.iter().any(|result| result.evidence.contains(&Evidence::TakesDown)) {
            let ms = |at: tokio::time::Instant| at.saturating_duration_since(self.begun.into()).as_millis() as u64;
            let outages = self.outages();
            let seen = outages.iter().map(|outage| Evidence::Outage {
                heard_ms: ms(outage.heard),
                missed_ms: ms(outage.missed),
                back_ms: outage.back.map(ms),
                ran: self.ran_at(outage).into_iter().map(str::to_owned).collect(),
                dev_server: self.dev_server.get().is_some_and(|it| *it),
            });
            if let Some(result) = results.iter_mut().find(is_run) {
                result.evidence.extend(seen);
            }
        }
        RunReport {
            siospec: env!("CARGO_PKG_VERSION").into(),
            target: self.setting.redactor.redact(self.plan.origin.as_str()),
            reference: self.plan.reference,
            started,
            notes: self.target_notes().iter().map(|note| note.redacted(&self.setting.redactor, MAX_QUOTE)).collect(),
            gate: Gate::default(),
            results,
            duration_ms: begun.elapsed().as_millis() as u64,
            ended: None,
        }
    }

    /// The report of a run that was interrupted after these results. What was not judged is in it as such, so that it
    /// cannot pass for a whole one. `started` is when it began, as [`now`] tells it.
    pub fn interrupted(&self, mut seen: Vec<CheckResult>, begun: Instant, started: String) -> RunReport {
        for check in self.plan.checks.iter().filter(|check| !self.plan.unjudged.contains(&check.id)) {
            if !seen.iter().any(|result| result.id == check.id) {
                let reason = "the run was interrupted before this check came to an end".into();
                seen.push(self.result_of(check, Outcome::Broken { reason }, Instant::now()));
            }
        }
        seen.sort_by_key(|result| self.plan.checks.iter().position(|check| check.id == result.id));
        let mut report = self.report(seen, begun, started);
        report.notes.push("interrupted: only a part of the checks was judged".into());
        report
    }

    fn target_notes(&self) -> Vec<Message> {
        let target = &self.setting.target;
        let broken = |transport: Transport, handshake: &Result<_, Message>| {
            handshake.as_ref().err().map(|error| say!("{transport} does not work: {error}", transport, error))
        };
        let deadline = self.plan.contract.deadline;
        let milliseconds = target.round_trip.as_secs_f64() * 1_000.0;
        let mut notes = vec![if target.round_trip >= deadline {
            say!("no round trip was measured within {time}", time = deadline)
        } else if target.round_trip * 2 >= deadline {
            say!(
                "round trip {milliseconds} ms, near the deadline of {deadline}: a slow answer counts as none \
                 (--deadline)",
                milliseconds = format!("{milliseconds:.1}"),
                deadline
            )
        } else {
            say!("round trip {milliseconds} ms", milliseconds = format!("{milliseconds:.1}"))
        }];
        if let Some(base) = &target.base {
            notes.push(say!(
                "the application lives below {base}, as its page at / says (Nuxt's app.baseURL): the page, the API's \
                 routes and the REST route were looked for there; `base` in siospec.toml says so once and for all",
                base
            ));
        }
        if self.plan.contract.insecure_tls && target.origin.scheme() == "https" {
            notes.push("the target's certificate is not verified (insecure-tls)".into());
        }
        if let Some(limit) = self.setting.http.pace().limit() {
            let [within, paused] = [limit.within, limit.paused].map(|time| format!("{:.1} s", time.as_secs_f64()));
            let (after, status) = (limit.after, limit.status);
            notes.push(if limit.in_vain {
                say!(
                    "limited after {after} requests in {within} (HTTP {status}): the run paused for {paused}, without \
                     success",
                    after,
                    within,
                    status,
                    paused
                )
            } else {
                say!(
                    "limited after {after} requests in {within} (HTTP {status}): the run paused for {paused}, and \
                     went on slower",
                    after,
                    within,
                    status,
                    paused
                )
            });
        }
        for outage in self.outages().iter().take(MOST_OUTAGES) {
            let from = outage.missed.saturating_duration_since(self.begun.into()).as_secs_f64();
            let (how, lasted) = (&outage.how, outage.lasted().as_secs_f64());
            notes.push(match outage.back {
                Some(_) => say!(
                    "the target was down from {from} s, for {lasted} s ({how}); the run waited",
                    from = format!("{from:.1}"),
                    lasted = format!("{lasted:.1}"),
                    how
                ),
                None => say!(
                    "the target was down from {from} s ({how}) until the run's end",
                    from = format!("{from:.1}"),
                    how
                ),
            });
        }
        // What is declared off need not work.
        let choices = &self.plan.contract.choices;
        if !choices.websocket_only {
            notes.extend(broken(Transport::Polling, &target.polling));
        }
        if !choices.polling_only {
            notes.extend(broken(Transport::WebSocket, &target.websocket));
        }
        notes
    }
}

/// The time as a report says it.
pub fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}
