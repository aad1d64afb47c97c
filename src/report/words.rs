//! What the gate has to say, in words, one text each: for every format that shows a report.

use crate::message::{Joint, Message, list};
use crate::verdict::{CheckResult, Extent, FailOn, Idle, Outcome, RunReport};

/// What there is to say of one result beyond its outcome: waived, known, worse, flaky.
pub fn of_result(result: &CheckResult) -> Vec<Message> {
    let mut said = Vec::new();
    if let (Some(waived), true) = (&result.waived, result.is_failure()) {
        said.push(match waived.expired {
            false => say!(
                "waived until {until} by {owner}: {reason}",
                until = waived.until,
                owner = waived.owner,
                reason = waived.reason
            ),
            true => say!(
                "the waiver of {owner} ran out on {until}: {reason}",
                owner = waived.owner,
                until = waived.until,
                reason = waived.reason
            ),
        });
    }
    if result.known && result.is_failure() {
        said.push("known: the failure is in the baseline".into());
    }
    match (result.worse_than, result.extent()) {
        (Some(Extent::Share { failed: was, of: of_then }), Some(Extent::Share { failed, of })) => {
            said.push(say!(
                "known, but worse: {was} of {of_then} before, {failed} of {of} now",
                was,
                of_then,
                failed,
                of
            ));
        }
        (Some(Extent::Copies { copies: was }), Some(Extent::Copies { copies })) => {
            said.push(say!("known, but worse: came {was}× before, {copies}× now", was, copies));
        }
        _ => {}
    }
    if let Some(tries) = result.tries {
        let parts = [
            (tries.pass, "passed"),
            (tries.fail, "failed"),
            (tries.broken, "could not be judged"),
            (tries.skip, "skipped"),
        ];
        let parts = parts.into_iter().filter(|(count, _)| *count > 0);
        let parts: Vec<Message> = parts.map(|(count, what)| say!("{what} {count}×", what, count)).collect();
        let (number, total) = (parts.len(), tries.total());
        let parts = list(parts, Joint::Comma);
        if result.is_flaky() {
            said.push(say!("flaky: {parts} in {total} runs", parts, total));
        } else if number > 1 || matches!(result.outcome, Outcome::Fail(_) | Outcome::Broken { .. }) {
            said.push(say!("run {total}×: {parts}", total, parts));
        }
    }
    said
}

/// What is to do about MUST checks that were not judged for lack of a token, where there are such.
pub fn incomplete<'a>(results: impl IntoIterator<Item = &'a CheckResult>) -> Option<Message> {
    let count = results.into_iter().filter(|result| result.wants_token()).count();
    if count == 0 {
        return None;
    }
    let checks = say!("{count} MUST check needs a valid token" | "{count} MUST checks need a valid token", count);
    Some(say!(
        "not enough was judged: {checks}; give --auth-secret (or --auth-private-key-file, --auth-token, \
         --auth-token-command), declare --choices-guests=true where clients connect without one, or accept it by \
         --allow-incomplete",
        checks
    ))
}

/// What there is to say of the run as a whole.
pub fn of_run(report: &RunReport) -> Vec<Message> {
    let gate = &report.gate;
    let mut said = Vec::new();
    match gate.fail_on {
        FailOn::Must => {}
        FailOn::Should => said.push("SHOULD findings fail this run (--fail-on should)".into()),
        FailOn::Felt => {
            said.push("only failures that Socket.IO's own clients can meet fail this run (--fail-on felt)".into());
        }
        FailOn::New => {
            let baseline = gate.baseline.clone().map_or_else(|| "the baseline".into(), Message::data);
            said.push(say!(
                "only failures that are not in {baseline}, or are worse than there, fail this run (--fail-on new)",
                baseline
            ));
        }
    }
    if gate.allow_flaky && report.results.iter().any(CheckResult::is_flaky) {
        said.push("flaky checks do not fail this run (--allow-flaky)".into());
    }
    if let Some(incomplete) = incomplete(&report.results) {
        said.push(match gate.allow_incomplete {
            false => incomplete,
            true => say!("{incomplete} (accepted: --allow-incomplete)", incomplete),
        });
    }
    if let Some(shards) = &gate.shards {
        let listed = |numbers: &[u32]| numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        if !shards.missing.is_empty() {
            let (missing, have) = (listed(&shards.missing), listed(&shards.run));
            said.push(say!(
                "incomplete: of {shards} shards, {have} are here and {missing} missing",
                shards = shards.count,
                have,
                missing
            ));
        } else if shards.run.len() < shards.count as usize {
            said.push(say!("only shard {run} of {shards}", run = listed(&shards.run), shards = shards.count));
        }
    }
    for waiver in &gate.idle_waivers {
        let why = match waiver.why {
            Idle::Passed => "it passed; take the waiver out",
            Idle::NotSelected => "it was not selected",
            Idle::NotJudged => "it was not judged",
        };
        let (check, owner, until) = (&waiver.check, &waiver.owner, &waiver.until);
        said.push(say!(
            "the waiver of {check} (by {owner}, until {until}) covers nothing: {why}",
            check,
            owner,
            until,
            why
        ));
    }
    if !gate.fixed.is_empty() {
        said.push(say!(
            "in the baseline, and passes now: {fixed}; update the baseline, or a new failure goes unnoticed",
            fixed = gate.fixed.join(", ")
        ));
    }
    said
}
