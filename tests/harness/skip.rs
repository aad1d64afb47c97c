//! Tests that need a program the machine may lack.
//!
//! `SIOSPEC_REQUIRE=node,docker` turns the absence of one into a failure, so that CI cannot skip in silence.

use super::{node::NPM, proxy};
use std::error::Error;
use std::process::{Command, Stdio};
use std::sync::{LazyLock, Mutex};
use std::{env, iter};

/// A test that reports success, a skip or a failure.
pub type TestResult = Result<(), Stop>;

/// Why a test ended early.
#[derive(Debug)]
pub enum Stop {
    Skipped(String),
    Failed(String),
}

impl<E: Error + 'static> From<E> for Stop {
    fn from(error: E) -> Self {
        let causes = iter::successors(Some(&error as &dyn Error), |&error| error.source());
        Self::Failed(causes.map(ToString::to_string).collect::<Vec<_>>().join(": "))
    }
}

/// `return skip("why")`.
pub fn skip(reason: impl Into<String>) -> TestResult {
    Err(Stop::Skipped(reason.into()))
}

/// A program that some tests need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    Node,
    Chromium,
    Docker,
    /// Python 3 with `venv`.
    Python,
    /// A Redis server.
    Redis,
    /// nginx, haproxy, Apache and Caddy.
    Proxies,
}

impl Tool {
    const ALL: [Self; 6] = [Self::Node, Self::Chromium, Self::Docker, Self::Python, Self::Redis, Self::Proxies];

    fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Chromium => "chromium",
            Self::Docker => "docker",
            Self::Python => "python",
            Self::Redis => "redis",
            Self::Proxies => "proxies",
        }
    }

    fn is_there(self) -> bool {
        match self {
            Self::Node => runs("node", &["--version"]) && runs(NPM, &["--version"]),
            Self::Chromium => {
                ["chromium", "chromium-browser", "google-chrome"].iter().any(|it| runs(it, &["--version"]))
            }
            // A client without its daemon is of no use.
            Self::Docker => runs("docker", &["info", "--format", "{{.ServerVersion}}"]),
            Self::Python => runs("python3", &["-c", "import venv, ensurepip"]),
            Self::Redis => runs("redis-server", &["--version"]),
            Self::Proxies => proxy::Kind::ALL.iter().all(|kind| {
                let version = if *kind == proxy::Kind::Caddy { "version" } else { "-v" };
                cfg!(unix) && runs(kind.program(), &[version])
            }),
        }
    }
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    let command = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    command.is_ok_and(|output| output.status.success())
}

/// `require(Tool::Node)?` at the head of a test.
pub fn require(tool: Tool) -> TestResult {
    static THERE: LazyLock<Vec<Tool>> =
        LazyLock::new(|| Tool::ALL.into_iter().filter(|tool| tool.is_there()).collect());
    if THERE.contains(&tool) {
        Ok(())
    } else if requirements().any(|name| name == tool.name()) {
        Err(Stop::Failed(format!("needs {}, which SIOSPEC_REQUIRE says is here", tool.name())))
    } else {
        skip(format!("needs {}", tool.name()))
    }
}

/// A misspelt requirement would require nothing.
pub fn check_requirements() -> Result<(), String> {
    match requirements().find(|name| Tool::ALL.iter().all(|tool| tool.name() != name)) {
        Some(name) => {
            Err(format!("SIOSPEC_REQUIRE names `{name}`; known are node, chromium, docker, python, redis and proxies"))
        }
        None => Ok(()),
    }
}

fn requirements() -> impl Iterator<Item = String> {
    let list = env::var("SIOSPEC_REQUIRE").unwrap_or_default();
    list.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect::<Vec<_>>().into_iter()
}

static SKIPPED: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

pub fn remember(test: &str, reason: &str) {
    SKIPPED.lock().unwrap().push((test.to_owned(), reason.to_owned()));
}

/// Repeats the skips below the results, where they are read.
pub fn print_summary() {
    let mut skipped = SKIPPED.lock().unwrap();
    if skipped.is_empty() {
        return;
    }
    skipped.sort();
    eprintln!("SKIPPED {}, not tested on this machine:", skipped.len());
    for (test, reason) in &*skipped {
        eprintln!("  {test}: {reason}");
    }
    eprintln!();
}
