//! What is expected of servers that are not ours: `tests/expectations/<server>.toml`.
//!
//! A test holds a server to its file, result by result. `UPDATE_EXPECTATIONS=1` writes the results as they are; the
//! sentences about what departs from the text are a person's to write, and the test fails while one is empty.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use siospec::{
    lang::Lang,
    report,
    verdict::{CheckResult, Level, Outcome, RunReport},
};

use super::skip::{Stop, TestResult};

/// The files, in the order of the page that is made from them.
pub const SERVERS: [&str; 5] = ["socket.io-4", "nuxt", "socket.io-3", "socketioxide", "python-socketio"];

/// What one server is expected to do.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectations {
    /// Its name.
    pub server: String,
    /// Its version.
    pub version: String,
    /// The file that says so.
    pub pinned: Pin,
    /// How it is run, in words.
    pub run: String,
    /// Checks that pass, with a lawful choice or without, as the server's own tasks come out.
    #[serde(default)]
    races: Vec<String>,
    /// What it does that a check finds fault with.
    #[serde(default, rename = "deviation")]
    pub deviations: Vec<Deviation>,
    /// What came of each check.
    #[serde(default)]
    pub results: BTreeMap<String, String>,
}

/// Where the version stands, so that a server that is moved to another one is looked at again.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    file: String,
    text: String,
}

/// A check that fails.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviation {
    /// The check's id.
    pub check: String,
    /// How much it matters.
    pub level: Level,
    /// Whether the check fails only in some runs: the server loses a race.
    #[serde(default)]
    pub sometimes: bool,
    /// What the server does, and the sentence that it breaks, with its document and section.
    pub breaks: String,
    /// Whether Socket.IO's own clients care.
    pub clients: String,
}

impl Expectations {
    /// Reads a server's file.
    pub fn read(name: &str) -> Expectations {
        let path = path(name);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut read: Expectations =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for deviation in &mut read.deviations {
            for text in [&mut deviation.breaks, &mut deviation.clients] {
                *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            }
        }
        read.run = read.run.split_whitespace().collect::<Vec<_>>().join(" ");
        read
    }

    /// What is said about a failing check.
    pub fn deviation(&self, check: &str) -> Option<&Deviation> {
        self.deviations.iter().find(|deviation| deviation.check == check)
    }

    /// Whether a race of the server's can bring about this result.
    fn can_also_be(&self, check: &str, result: &str) -> bool {
        let races = |check| self.deviation(check).is_some_and(|deviation| deviation.sometimes);
        let is_choice = ["pass", "lawful"].contains(&result) && self.races.iter().any(|race| race == check);
        is_choice || (races(check) && result == "pass") || result.strip_prefix("after ").is_some_and(races)
    }

    /// The file's text with the results of `report`, and a deviation with its old sentences for each that failed.
    fn with_results_of(&self, report: &RunReport) -> String {
        let mut text = String::from(
            "# Held against the server by `cargo test -- implementations`. UPDATE_EXPECTATIONS=1 writes the results anew;\n\
             # the sentences are written by hand.\n\n",
        );
        for (key, value) in [("server", &self.server), ("version", &self.version)] {
            writeln!(text, "{key} = {}", quoted(value)).unwrap();
        }
        writeln!(text, "pinned = {{ file = {}, text = {} }}", quoted(&self.pinned.file), quoted(&self.pinned.text))
            .unwrap();
        writeln!(text, "run = {}", paragraph(&self.run)).unwrap();
        if !self.races.is_empty() {
            let races: Vec<String> = self.races.iter().map(|check| quoted(check)).collect();
            writeln!(text, "races = [{}]", races.join(", ")).unwrap();
        }
        for result in &report.results {
            let known = self.deviation(&result.id);
            let failed = matches!(result.outcome, Outcome::Fail(_));
            let sometimes = known.is_some_and(|deviation| deviation.sometimes);
            if !failed && !sometimes {
                continue;
            }
            let level = if failed { result.level } else { known.map_or(result.level, |deviation| deviation.level) };
            writeln!(text, "\n[[deviation]]\ncheck = {}", quoted(&result.id)).unwrap();
            writeln!(text, "level = {}", quoted(level.name())).unwrap();
            if sometimes {
                writeln!(text, "sometimes = true").unwrap();
            }
            writeln!(text, "breaks = {}", paragraph(known.map_or("", |deviation| &deviation.breaks))).unwrap();
            writeln!(text, "clients = {}", paragraph(known.map_or("", |deviation| &deviation.clients))).unwrap();
        }
        text += "\n# pass; lawful: passed by a choice that the text leaves open; skip: its capability is not declared;\n\
                 # after …: not judged, since that check failed; otherwise the level of the finding.\n[results]\n";
        for result in &report.results {
            let known = self.results.get(&result.id);
            let named = match (self.deviation(&result.id), known) {
                (Some(deviation), _) if deviation.sometimes => deviation.level.name().to_owned(),
                (_, Some(known)) if self.can_also_be(&result.id, &named(result)) => known.clone(),
                _ => named(result),
            };
            writeln!(text, "{} = {}", quoted(&result.id), quoted(&named)).unwrap();
        }
        text
    }
}

/// Holds a run against the server's file.
pub fn assert_as_expected(name: &str, report: &RunReport) -> TestResult {
    let mut expected = Expectations::read(name);
    if env::var_os("UPDATE_EXPECTATIONS").is_some() {
        fs::write(path(name), expected.with_results_of(report))?;
        expected = Expectations::read(name);
    }
    let mut surprises = Vec::new();
    let pinned = Path::new(env!("CARGO_MANIFEST_DIR")).join(&expected.pinned.file);
    if !fs::read_to_string(&pinned)?.contains(&expected.pinned.text)
        || !expected.pinned.text.contains(&expected.version)
    {
        surprises.push(format!(
            "{} no longer pins version {}: look at the new one, and correct `version` and `pinned`",
            expected.pinned.file, expected.version,
        ));
    }
    for result in &report.results {
        let found = named(result);
        let deviation = expected.deviation(&result.id);
        if found == "broken" {
            surprises.push(report::explain(result, &report.gate, &Lang::EN, report::text::width()));
        } else if expected.can_also_be(&result.id, &found) {
            // The race was won this time, or lost by what this check rests on.
        } else if expected.results.get(&result.id) != Some(&found) {
            let before = expected.results.get(&result.id).map_or("nothing", String::as_str);
            let explained = report::explain(result, &report.gate, &Lang::EN, report::text::width());
            surprises.push(format!("{}: expected {before}, found {found}\n{explained}", result.id));
        }
        let level = deviation.map(|deviation| deviation.level.name());
        let listed = expected.results.get(&result.id).filter(|result| is_finding(result)).map(String::as_str);
        if level != listed {
            surprises.push(format!("{}: a finding needs its [[deviation]] of the same level, and no other", result.id));
        }
    }
    let known: BTreeSet<&str> = report.results.iter().map(|result| result.id.as_str()).collect();
    let listed = expected.results.keys().chain(expected.deviations.iter().map(|deviation| &deviation.check));
    surprises
        .extend(listed.filter(|id| !known.contains(id.as_str())).map(|id| format!("{id}: there is no such check")));
    for deviation in &expected.deviations {
        if deviation.breaks.is_empty() || deviation.clients.is_empty() {
            surprises.push(format!("{}: say in the file what it breaks and whether clients care", deviation.check));
        }
    }
    if surprises.is_empty() {
        return Ok(());
    }
    Err(Stop::Failed(format!(
        "tests/expectations/{name}.toml does not fit (UPDATE_EXPECTATIONS=1 writes the results anew):\n\n{}",
        surprises.join("\n\n")
    )))
}

/// One word or two for a result.
fn named(result: &CheckResult) -> String {
    match &result.outcome {
        Outcome::Pass if result.notes.iter().any(|note| note.text().starts_with("lawful choice")) => {
            "lawful".to_owned()
        }
        Outcome::Pass => "pass".to_owned(),
        Outcome::Fail(_) => result.level.name().to_owned(),
        Outcome::Skip { .. } => "skip".to_owned(),
        Outcome::Blocked { by, .. } => format!("after {by}"),
        Outcome::Broken { .. } => "broken".to_owned(),
    }
}

/// Whether a result's word is that of a check that failed.
pub fn is_finding(result: &str) -> bool {
    [Level::Must, Level::Should, Level::May].iter().any(|level| level.name() == result)
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expectations").join(format!("{name}.toml"))
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A text of several lines, which are one to whoever reads it back.
fn paragraph(text: &str) -> String {
    if text.is_empty() {
        return "\"\"".to_owned();
    }
    format!("'''\n{}\n'''", textwrap::fill(text, 118))
}
