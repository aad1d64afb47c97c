//! JUnit XML, as Jenkins, GitLab and others read it.
//!
//! An area is a suite, a check a case. What keeps a run from conforming must be red there and nothing else may be, but
//! JUnit knows no warning: findings of the levels SHOULD and MAY are skipped cases, with the level and the reason as the
//! message and all there is to say as the text. They must not look as if they had passed.

use std::{io, time::Duration};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{FILE_WIDTH, Format, explain, scorecard, text};
use crate::{
    lang::Lang,
    verdict::{CheckResult, Level, Outcome, RunReport},
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
            suite.add_test_case(case(result, lang, &name, time));
        }
        let mut xml = Report::new(format!("siospec {}", text::visible(&report.target)));
        xml.set_time(Duration::from_millis(report.duration_ms));
        xml.add_test_suites(suites);
        xml.serialize(out).map_err(io::Error::other)
    }
}

fn case(result: &CheckResult, lang: &Lang, suite: &str, time: Duration) -> TestCase {
    let mut status = match &result.outcome {
        Outcome::Pass => TestCaseStatus::success(),
        Outcome::Fail(_) if result.level == Level::Must => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Outcome::Broken { .. } => TestCaseStatus::non_success(NonSuccessKind::Error),
        Outcome::Fail(_) | Outcome::Skip { .. } => TestCaseStatus::skipped(),
    };
    let message = match &result.outcome {
        Outcome::Pass => String::new(),
        Outcome::Fail(failure) if result.level == Level::Must => text::visible(&failure.reason),
        Outcome::Fail(failure) => format!("{}: {}", result.level.name(), text::visible(&failure.reason)),
        Outcome::Skip { reason } => text::visible(reason),
        Outcome::Broken { reason } => format!("{}: {}", lang.say("could not be judged"), text::visible(reason)),
    };
    status.set_message(message);
    if matches!(result.outcome, Outcome::Fail(_) | Outcome::Broken { .. }) {
        status.set_type(result.level.name());
        status.set_description(explain(result, lang, FILE_WIDTH));
    }
    let mut case = TestCase::new(text::visible(&result.id), status);
    case.set_classname(suite);
    case.set_time(time);
    if !result.transcript.is_empty() {
        case.set_system_out(scorecard::exchange(result));
    }
    case
}
