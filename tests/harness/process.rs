//! Programs that tests start: ended with the test, read line by line, never waited for without an end.

use std::{path::Path, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::mpsc,
    time::timeout,
};

/// A program with all that it started, such as the process that `nuxt dev` forks. Both end when this is dropped.
pub struct Group(pub Child);

impl Group {
    /// Starts it.
    pub fn start(command: &mut Command) -> std::io::Result<Group> {
        #[cfg(unix)]
        command.process_group(0);
        command.kill_on_drop(true).spawn().map(Group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.0.id() {
            // The group, of which it is the first.
            let _ = std::process::Command::new("kill").args(["-KILL", "--", &format!("-{id}")]).status();
        }
    }
}

/// A program that serves until it is dropped.
pub struct Service {
    _group: Group,
    lines: mpsc::UnboundedReceiver<String>,
    seen: Vec<String>,
}

impl Service {
    /// Starts it, without input.
    pub fn start(command: &mut Command) -> std::io::Result<Service> {
        let mut group = Group::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))?;
        let (lines, receiver) = mpsc::unbounded_channel();
        tokio::spawn(forward(group.0.stdout.take().expect("piped"), lines.clone()));
        tokio::spawn(forward(group.0.stderr.take().expect("piped"), lines));
        Ok(Service { _group: group, lines: receiver, seen: Vec::new() })
    }

    /// Waits for a line that holds `mark` and gives what follows it, up to white space.
    pub async fn word_after(&mut self, mark: &str, patience: Duration) -> Result<String, Complaint> {
        let found = timeout(patience, async {
            while let Some(line) = self.lines.recv().await {
                let word = line.split_once(mark).map(|(_, rest)| rest.split_whitespace().next().unwrap_or_default());
                let word = word.map(ToOwned::to_owned);
                self.seen.push(line);
                if let Some(word) = word {
                    return Some(word);
                }
            }
            None
        });
        match found.await {
            Ok(Some(word)) => Ok(word),
            Ok(None) => Err(Complaint(format!("ended before it said {mark:?}:\n{}", self.seen.join("\n")))),
            Err(_) => Err(Complaint(format!("did not say {mark:?} in {patience:?}:\n{}", self.seen.join("\n")))),
        }
    }
}

async fn forward(stream: impl AsyncRead + Unpin, lines: mpsc::UnboundedSender<String>) {
    let mut reader = BufReader::new(stream).lines();
    while let Ok(Some(line)) = reader.next_line().await {
        // Read on when nobody listens any more: a full pipe would stop the program.
        let _ = lines.send(line);
    }
}

/// The program under test in that folder, without what the caller's environment says to it.
pub fn siospec(folder: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_siospec"));
    command.current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SIOSPEC_") {
            command.env_remove(name);
        }
    }
    command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").env_remove("RUST_BACKTRACE");
    command
}

/// What a program did not do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Complaint(pub String);

/// Runs a program to its end, which must be a success.
pub async fn run(program: &str, arguments: &[&str], folder: &Path, patience: Duration) -> Result<(), Complaint> {
    let command = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("NUXT_TELEMETRY_DISABLED", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let name = format!("{program} {}", arguments.join(" "));
    let output = timeout(patience, command)
        .await
        .map_err(|_| Complaint(format!("{name}: not done in {patience:?}")))?
        .map_err(|error| Complaint(format!("{name}: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(Complaint(format!("{name}: {}\n{}", output.status, String::from_utf8_lossy(&said))))
}
