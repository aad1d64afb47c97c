//! Several results of one check, several runs: what they come to together.

use std::collections::BTreeSet;

use crate::{
    catalogue,
    gate::shard,
    report::text,
    verdict::{CheckResult, RunReport, Shards},
};

/// Why reports are not of one run.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// Nothing to merge.
    #[error("there is no report to merge")]
    Nothing,
    /// They differ in what must be the same.
    #[error("{first} and {second} do not belong together: {what} is {a} in the one and {b} in the other")]
    Differ {
        /// What differs.
        what: &'static str,
        /// The name of one report.
        first: String,
        /// What it has.
        a: String,
        /// The name of the other.
        second: String,
        /// What that has.
        b: String,
    },
}

/// One report of several runs of the same checks, one after the other.
pub fn rounds(reports: Vec<RunReport>) -> Option<RunReport> {
    reports.into_iter().reduce(|mut all, report| {
        add_results(&mut all.results, report.results);
        add_new(&mut all.notes, report.notes);
        all.duration_ms += report.duration_ms;
        all
    })
}

/// One report of several that hold parts of the checks, each with the name that messages call it by.
///
/// # Errors
/// [`MergeError`] when they differ in the target, the version, or what they are held to.
pub fn merge(reports: Vec<(String, RunReport)>) -> Result<RunReport, MergeError> {
    let mut reports = reports.into_iter();
    let (name, mut all) = reports.next().ok_or(MergeError::Nothing)?;
    for (other_name, other) in reports {
        agree(&name, &all, &other_name, &other)?;
        // Side by side, most likely; the longest is what the matrix took.
        all.duration_ms = all.duration_ms.max(other.duration_ms);
        add_results(&mut all.results, other.results);
        add_new(&mut all.notes, other.notes.into_iter().filter(|note| !note.is_about("round trip")).collect());
        add_new(&mut all.gate.fixed, other.gate.fixed);
        // A waiver is idle only if none of the reports had use for it.
        all.gate.idle_waivers.retain_mut(|idle| {
            let same =
                other.gate.idle_waivers.iter().find(|other| other.check == idle.check && other.until == idle.until);
            same.inspect(|other| idle.why = idle.why.max(other.why)).is_some()
        });
        if let (Some(shards), Some(more)) = (&mut all.gate.shards, other.gate.shards) {
            shards.run.extend(more.run);
        }
    }
    if let Some(shards) = &mut all.gate.shards {
        let run: BTreeSet<u32> = shards.run.iter().copied().collect();
        // A report may say anything of itself.
        let missing = (1..=shards.count.min(shard::MAX_SHARDS)).filter(|number| !run.contains(number)).collect();
        *shards = Shards { count: shards.count, run: run.into_iter().collect(), missing };
    }
    let place = |result: &CheckResult| catalogue::all().position(|entry| entry.check.id == result.id);
    // What this version does not know comes last.
    all.results.sort_by_key(|result| place(result).unwrap_or(usize::MAX));
    all.bound_transcripts();
    Ok(all)
}

fn agree(first: &str, a: &RunReport, second: &str, b: &RunReport) -> Result<(), MergeError> {
    let shards = |report: &RunReport| report.gate.shards.as_ref().map_or(1, |shards| shards.count);
    // The reference server is another one in each run, on whatever port was free.
    let target = |report: &RunReport| {
        if report.reference { "siospec's reference server".to_owned() } else { text::visible(&report.target) }
    };
    let differences = [
        ("the target", target(a), target(b)),
        ("the version of siospec", a.siospec.clone(), b.siospec.clone()),
        ("the number of shards", shards(a).to_string(), shards(b).to_string()),
        ("--fail-on", a.gate.fail_on.name().to_owned(), b.gate.fail_on.name().to_owned()),
        ("--allow-flaky", a.gate.allow_flaky.to_string(), b.gate.allow_flaky.to_string()),
        ("--allow-incomplete", a.gate.allow_incomplete.to_string(), b.gate.allow_incomplete.to_string()),
    ];
    match differences.into_iter().find(|(_, a, b)| a != b) {
        Some((what, a, b)) => {
            Err(MergeError::Differ { what, first: first.to_owned(), a, second: second.to_owned(), b })
        }
        None => Ok(()),
    }
}

fn add_results(all: &mut Vec<CheckResult>, more: Vec<CheckResult>) {
    for result in more {
        match all.iter_mut().find(|known| known.id == result.id) {
            Some(known) => *known = known.clone().tried_again(result),
            None => all.push(result),
        }
    }
}

fn add_new<T: PartialEq>(all: &mut Vec<T>, more: Vec<T>) {
    for one in more {
        if !all.contains(&one) {
            all.push(one);
        }
    }
}
