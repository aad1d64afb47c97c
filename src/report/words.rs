//! What the gate has to say, in words, one text each: for every format that shows a report.

use super::text::count;
use crate::verdict::{CheckResult, FailOn, Failure, Idle, Outcome, RunReport};

/// What there is to say of one result beyond its outcome: waived, known, worse, flaky.
pub fn of_result(result: &CheckResult) -> Vec<String> {
    let mut said = Vec::new();
    if let (Some(waived), true) = (&result.waived, result.is_failure()) {
        said.push(match waived.expired {
            false => format!("waived until {} by {}: {}", waived.until, waived.owner, waived.reason),
            true => format!("the waiver of {} ran out on {}: {}", waived.owner, waived.until, waived.reason),
        });
    }
    if result.known && result.is_failure() {
        said.push("known: the failure is in the baseline".to_owned());
    }
    if let (Some(before), Outcome::Fail(Failure { extent: Some(now), .. })) = (result.worse_than, &result.outcome) {
        said.push(format!(
            "known, but worse: {} of {} before, {} of {} now",
            before.failed, before.of, now.failed, now.of
        ));
    }
    if let Some(tries) = result.tries {
        let parts = [
            (tries.pass, "passed"),
            (tries.fail, "failed"),
            (tries.broken, "could not be judged"),
            (tries.skip, "skipped"),
        ];
        let parts: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{what} {n}×")).collect();
        if result.is_flaky() {
            said.push(format!("flaky: {} in {}", parts.join(", "), count(tries.total() as usize, "run")));
        } else if parts.len() > 1 || matches!(result.outcome, Outcome::Fail(_) | Outcome::Broken { .. }) {
            said.push(format!("run {}×: {}", tries.total(), parts.join(", ")));
        }
    }
    said
}

/// What is to do about MUST checks that were not judged for lack of a token, where there are such.
pub fn incomplete<'a>(results: impl IntoIterator<Item = &'a CheckResult>) -> Option<String> {
    let number = results.into_iter().filter(|result| result.wants_token()).count();
    let checks = match number {
        0 => return None,
        1 => "1 MUST check needs".to_owned(),
        n => format!("{n} MUST checks need"),
    };
    Some(format!(
        "not enough was judged: {checks} a valid token; give --auth-secret (or --auth-private-key-file, --auth-token, \
         --auth-token-command), declare --choices-guests=true where clients connect without one, or accept it by \
         --allow-incomplete"
    ))
}

/// What there is to say of the run as a whole.
pub fn of_run(report: &RunReport) -> Vec<String> {
    let gate = &report.gate;
    let mut said = Vec::new();
    match gate.fail_on {
        FailOn::Must => {}
        FailOn::Should => said.push("SHOULD findings fail this run (--fail-on should)".to_owned()),
        FailOn::New => {
            let baseline = gate.baseline.as_deref().unwrap_or("the baseline");
            said.push(format!(
                "only failures that are not in {baseline}, or are worse than there, fail this run (--fail-on new)"
            ));
        }
    }
    if gate.allow_flaky && report.results.iter().any(CheckResult::is_flaky) {
        said.push("flaky checks do not fail this run (--allow-flaky)".to_owned());
    }
    if let Some(incomplete) = incomplete(&report.results) {
        said.push(match gate.allow_incomplete {
            false => incomplete,
            true => format!("{incomplete} (accepted: --allow-incomplete)"),
        });
    }
    if let Some(shards) = &gate.shards {
        let listed = |numbers: &[u32]| numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        if !shards.missing.is_empty() {
            let (missing, have) = (listed(&shards.missing), listed(&shards.run));
            said.push(format!("incomplete: of {} shards, {have} are here and {missing} missing", shards.count));
        } else if shards.run.len() < shards.count as usize {
            said.push(format!("only shard {} of {}", listed(&shards.run), shards.count));
        }
    }
    for waiver in &gate.idle_waivers {
        let why = match waiver.why {
            Idle::Passed => "it passed; take the waiver out",
            Idle::NotSelected => "it was not selected",
            Idle::NotJudged => "it was not judged",
        };
        let (check, owner, until) = (&waiver.check, &waiver.owner, &waiver.until);
        said.push(format!("the waiver of {check} (by {owner}, until {until}) covers nothing: {why}"));
    }
    if !gate.fixed.is_empty() {
        said.push(format!(
            "in the baseline, and passes now: {}; write the baseline anew, lest it comes back unseen",
            gate.fixed.join(", ")
        ));
    }
    said
}
