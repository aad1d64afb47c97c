//! What the checks say when they fail, each under its own faults: `snapshots/messages/<check>.snap`.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::LazyLock,
};

use regex::{Captures, Regex};
use siospec::{
    catalogue::{self, Check},
    mock::Fault,
    verdict::{Outcome, RunReport},
};

/// What is kept of a failure.
const LABELS: [&str; 4] = ["reason", "sent", "got", "expected"];

/// Where they are kept.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("snapshots/messages")
}

/// Compares each check's messages with those that are kept.
pub fn assert_as_before(reports: &BTreeMap<Fault, RunReport>) {
    let kept = compare(reports, |_| true);
    let there = fs::read_dir(folder()).expect("the messages' folder").map(|entry| entry.expect("a file").file_name());
    // What insta leaves beside a snapshot that changed, in this run or an earlier one, is no snapshot.
    let is_stale = |name: &str| !name.ends_with(".new") && !kept.contains(name);
    let stale: Vec<_> = there.filter(|name| is_stale(&name.to_string_lossy())).collect();
    assert!(stale.is_empty(), "no check says these any more: {stale:?}");
}

/// As [`assert_as_before`], of the checks all of whose faults were looked at, where these are a few of the faults only.
pub fn assert_some_as_before(reports: &BTreeMap<Fault, RunReport>, shown: impl Fn(Fault) -> bool) {
    compare(reports, |check| check.faults.iter().all(|fault| !shown(*fault) || reports.contains_key(fault)));
}

/// Compares the messages of those checks; the names of their files.
fn compare(reports: &BTreeMap<Fault, RunReport>, wanted: impl Fn(&Check) -> bool) -> BTreeSet<String> {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder());
    let mut kept = BTreeSet::new();
    let mut changed = Vec::new();
    for check in catalogue::all().map(|entry| entry.check).filter(|check| wanted(check)) {
        let messages = messages(check, reports);
        if messages.is_empty() {
            continue;
        }
        let name = format!("{}.snap", check.id);
        let before = fs::read_to_string(folder().join(&name)).unwrap_or_default();
        kept.insert(name);
        if said_by_us(&before) == said_by_us(&messages) {
            continue;
        }
        let compare = || settings.bind(|| insta::assert_snapshot!(check.id, messages));
        // All of them before it fails: a word that is changed often changes several.
        if catch_unwind(AssertUnwindSafe(compare)).is_err() {
            changed.push(check.id);
        }
    }
    assert!(changed.is_empty(), "these say something else than before: {}", changed.join(", "));
    kept
}

/// What the check says under each of the faults, without what differs from run to run.
fn messages(check: &Check, reports: &BTreeMap<Fault, RunReport>) -> String {
    let mut text = String::new();
    for fault in check.faults {
        let result = reports.get(fault).and_then(|report| report.results.iter().find(|result| result.id == check.id));
        let Some(result) = result else { continue };
        let Outcome::Fail(failure) = &result.outcome else { continue };
        writeln!(text, "{}=== {fault} ({})", if text.is_empty() { "" } else { "\n" }, result.level.name()).unwrap();
        let [reason, sent, got, expected] = LABELS;
        let fields =
            [(reason, &failure.reason), (sent, &failure.sent), (got, &failure.received), (expected, &failure.expected)];
        for (label, said) in fields.into_iter().filter(|(_, said)| !said.is_empty()) {
            writeln!(text, "{label}: {}", steady(&said.text()).replace('\n', "\n    ")).unwrap();
        }
    }
    text
}

/// The messages without what came back: it stands there for whoever reads them, and may have come in one of several ways
/// that are all lawful (a reset or a close frame, one client's loss or another's).
fn said_by_us(messages: &str) -> String {
    let mut is_received = false;
    let ours = messages.lines().skip_while(|line| !line.starts_with("=== ")).filter(|line| {
        is_received = line.starts_with("got: ") || (is_received && line.starts_with("    "));
        !is_received
    });
    ours.collect::<Vec<_>>().join("\n")
}

/// The text without what differs from run to run.
fn steady(text: &str) -> String {
    static CHANGING: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        let changing = [
            (r"siospec-([a-z0-9-]+?)-[0-9a-f]{16}", "siospec-$1-‹nonce›"),
            (r"(127\.0\.0\.1|localhost|\[::1\]):\d+", "$1:‹port›"),
            (r#""(sid|pid|offset)":"[^"]*""#, r#""$1":"‹id›""#),
            (r"\bsid=[\w-]+", "sid=‹id›"),
            (r"\bt=[0-9a-f]{1,8}\b", "t=‹nonce›"),
            // `1s 500ms` and `2s` are one length of time each; the unit of `12 ms` belongs to the sentence.
            (r"\b\d+(s|ms|us|µs|ns|m)( \d+(s|ms|us|µs|ns))*\b", "‹time›"),
            (r"\b\d+(\.\d+)? (ms|s)\b", "‹number› $2"),
            // A connection ends in one of several lawful ways, as the race has it.
            (
                r"(WebSocket protocol error: Connection reset without closing handshake|close frame( \d+| without a code)|before the answer was complete|by an Engine\.IO close packet|POST was answered HTTP 4\d\d, empty body)",
                "‹end›",
            ),
            (r"\bsiospec-node\d+-\d{6}\b", "‹id›"),
            (r"([\w-]{8}, ){5}…", "‹ids›, …"),
            (r"\bclient\d+ \((polling|WebSocket)\)", "client‹number› (‹transport›)"),
            (r"\b\d+ heartbeats", "‹number› heartbeats"),
            // What piled up depends on how many ends the server has noticed by then.
            (r"\b(gives|arrives) \d+ (events|times) over (polling|WebSocket)", "$1 ‹number› $2 over ‹transport›"),
            (r"\bwith a client connected over (polling|WebSocket)", "with a client connected over ‹transport›"),
            (r"^\d+ × `(notification|receive_message)`", "‹number› × `$1`"),
            (r"After \d+ reconnects?: (.*) over (polling|WebSocket)", "After ‹number› reconnects: $1 over ‹transport›"),
            (r"\b\d+ × 42\[", "‹number› × 42["),
            (r"\b\d+ at client", "‹number› at client"),
            (r"^at the refused connection: 42\[.*", "at the refused connection: 42[‹broadcast›]"),
            (r"no (HTTP answer|answer to a CONNECT) came within", "no HTTP answer came within"),
            (r"siospec-(during|after\d)-", "siospec-‹when›-"),
            (r"\bafter \d+ exchanges\b", "after ‹number› exchanges"),
            (r"\b\d+ of (100 clients|200 messages)", "‹number› of $1"),
            (r"(?i)\b(date: )[^\n]*", "$1‹date›"),
            (r"(?i)\b(content-length: )\d+", "$1‹number›"),
            (r"\b\d{10,}\b", "‹number›"),
        ];
        changing.map(|(pattern, instead)| (Regex::new(pattern).expect("a pattern"), instead)).into()
    });
    static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[A-Za-z0-9_-]{15,}").expect("a pattern"));
    let mut text = Cow::Borrowed(text);
    for (pattern, instead) in CHANGING.iter() {
        text = Cow::Owned(pattern.replace_all(&text, *instead).into_owned());
    }
    let instead = |word: &Captures<'_>| if looks_random(&word[0]) { "‹id›".to_owned() } else { word[0].to_owned() };
    WORD.replace_all(&text, instead).into_owned()
}

/// Session ids are base64: words and header names have their capitals where parts begin.
fn looks_random(word: &str) -> bool {
    let chars: Vec<char> = word.chars().collect();
    let humps = chars.windows(2).filter(|pair| pair[0].is_lowercase() && pair[1].is_uppercase()).count();
    let has_digit = chars.iter().any(char::is_ascii_digit);
    let has_capital = chars.iter().any(char::is_ascii_uppercase);
    humps >= 3 || (has_digit && has_capital)
}
