//! JUnit XML, as Jenkins, GitLab and others read it.
//!
//! An area is a suite, a check a case. What fails the run must be red there and nothing else may be, but JUnit knows no
//! warning: findings that do not fail the run, such as waived ones, are skipped cases, with the waiver or the level and
//! the reason as the message and all there is to say as the text. They must not look as if they had passed.

use std::{io, time::Duration};

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::{
    FILE_WIDTH, Format, explain,
    scorecard::{self, Ending},
    text,
};
use crate::{
    lang::Lang,
    verdict::{CheckResult, Gate, Outcome, RunReport},
};

/// The report as JUnit XML.
pub struct Junit;

impl Format for Junit {
    fn write(&self, report: &RunReport, lang: &Lang, out: &mut dyn io::Write) -> io::Result<()> {
        let mut suites: Vec<TestSuite> = Vec::new();
        for result in &report.results {
            let name = format!("siospec.{}", text::visible(result.area()));
            if suites.last().is_none_or(|suite| suite.name.as_str() != name) {
                suites.push(TestSuite::new(&name));
            }
            let suite = suites.last_mut().expect("there is one now");
            let time = Duration::from_millis(result.duration_ms);
            suite.set_time(suite.time.unwrap_or_default() + time);
            suite.add_test_case(case(result, &report.gate, lang, &name, time));
        }
        // JUnit has no place for what concerns the whole run; the first suite's properties are read as such.
        if let Some(first) = suites.first_mut() {
            let said = scorecard::about_run(report, lang);
            first.add_properties(said.iter().map(|said| Property::new("siospec.gate", text::visible(said))));
            let causes = scorecard::causes(report, lang);
            let told = causes.iter().map(|cause| text::visible(&scorecard::told(cause, lang)));
            first.add_properties(told.map(|told| Property::new("siospec.cause", told)));
        }
        let mut xml = Report::new(format!("siospec {}", text::visible(&report.target)));
        xml.set_time(Duration::from_millis(report.duration_ms));
        xml.add_test_suites(suites);
        xml.serialize(out).map_err(io::Error::other)
    }
}

fn case(result: &CheckResult, gate: &Gate, lang: &Lang, suite: &str, time: Duration) -> TestCase {
    let ending = Ending::of(result, gate);
    let mut status = match ending {
        Ending::Passed => TestCaseStatus::success(),
        Ending::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Ending::Broken => TestCaseStatus::non_success(NonSuccessKind::Error),
        Ending::ToImprove | Ending::Waived | Ending::Known | Ending::Flaky | Ending::Skipped | Ending::Blocked => {
            TestCaseStatus::skipped()
        }
    };
    let reason = match &result.outcome {
        Outcome::Pass => String::new(),
        Outcome::Fail(failure) if ending == Ending::ToImprove => {
            format!("{}: {}", result.level.name(), failure.reason.text())
        }
        Outcome::Fail(failure) => failure.reason.text(),
        Outcome::Skip { reason, .. } => reason.text(),
        Outcome::Blocked { reason, .. } => format!("{}: {}", lang.say(ending.words()), reason.text()),
        Outcome::Broken { reason } => format!("{}: {}", lang.say("could not be judged"), reason.text()),
    };
    // What is let pass says why before it says what.
    let mut said = scorecard::about(result, lang);
    let why_first = matches!(ending, Ending::Waived | Ending::Known | Ending::Flaky);
    said.insert(if why_first { said.len() } else { 0 }, reason);
    status.set_message(text::visible(&said.join("; ")));
    if matches!(result.outcome, Outcome::Fail(_) | Outcome::Broken { .. }) {
        status.set_type(result.level.name());
        status.set_description(explain(result, gate, lang, FILE_WIDTH));
    }
    let mut case = TestCase::new(text::visible(&result.id), status);
    case.set_classname(suite);
    case.set_time(time);
    if !result.transcript.is_empty() {
        case.set_system_out(scorecard::exchange(result));
    }
    case
}
