//! What is wrong at the root: a few named causes, each concluded from the results of a whole run.
//!
//! One file each, as checks have. A cause rests on what was seen (outcomes, what checks hand over, what went over the wire),
//! so that a stored report has the same causes; it never reads a sentence, so that the language does not matter. Where what
//! was seen has more than one explanation, there is no cause.

mod bad_token_ends_process;
mod base_url;
mod cached_handshake;
mod dev_server_restarts;
mod handlers_per_connection;
mod handlers_per_reconnect;
mod handlers_per_reload;
mod initialised_twice;
mod middleware_hangs;
mod no_sticky_sessions;
mod own_origin_refused;
mod requests_limited;
mod slow_target;
mod upgrade_stripped;
mod websocket_silent;
mod went_down;
mod wire;

use std::collections::BTreeSet;

use crate::message::{Joint, Message, word};
use crate::verdict::{Cause, CheckResult, Copied, Evidence, Level, Outcome, Row};

/// A cause that a run can have.
pub struct Kind {
    /// Its id.
    pub id: &'static str,
    /// What is wrong, as one sentence.
    pub title: &'static str,
    /// The row that it belongs to.
    pub row: Row,
    /// What to change in a Nuxt app.
    pub fix: &'static str,
    find: fn(&View<'_>) -> Option<Found>,
}

/// What shows a cause.
struct Found {
    seen: Message,
    symptoms: Vec<String>,
}

/// Every cause, in the order in which to fix them: what falsifies other results comes first.
pub const ALL: &[Kind] = &[
    went_down::CAUSE,
    dev_server_restarts::CAUSE,
    bad_token_ends_process::CAUSE,
    requests_limited::CAUSE,
    cached_handshake::CAUSE,
    no_sticky_sessions::CAUSE,
    own_origin_refused::CAUSE,
    upgrade_stripped::CAUSE,
    websocket_silent::CAUSE,
    base_url::CAUSE,
    handlers_per_connection::CAUSE,
    initialised_twice::CAUSE,
    handlers_per_reconnect::CAUSE,
    handlers_per_reload::CAUSE,
    middleware_hangs::CAUSE,
    slow_target::CAUSE,
];

/// The causes of what is wrong in these results. A result is the symptom of one cause.
pub fn of(results: &[CheckResult]) -> Vec<Cause> {
    let mut view = View { results, explained: BTreeSet::new() };
    let mut causes = Vec::new();
    for kind in ALL {
        let Some(Found { seen, mut symptoms }) = (kind.find)(&view) else { continue };
        symptoms.dedup();
        view.explained.extend(symptoms.iter().cloned());
        let of = |id: &String| results.iter().find(|result| result.id == *id);
        let level = symptoms.iter().filter_map(of).map(|result| result.level).max();
        // What nothing shows any more, since the run made up for it, fails nothing.
        let level = level.unwrap_or(Level::Should);
        let hides = results.iter().filter(|result| symptoms.iter().any(|id| stands_in_the_way(id, result)));
        causes.push(Cause {
            id: kind.id.to_owned(),
            title: kind.title.to_owned(),
            seen,
            level,
            row: kind.row,
            hides: hides.map(|result| result.id.clone()).collect(),
            symptoms,
            fix: kind.fix.to_owned(),
        });
    }
    causes
}

/// Whether a check was not run because of what became of the one with this id.
fn stands_in_the_way(id: &str, result: &CheckResult) -> bool {
    matches!(&result.outcome, Outcome::Blocked { by, .. } if by == id)
}

/// Whether the check was run, whatever came of it.
fn was_run(result: &CheckResult) -> bool {
    !matches!(result.outcome, Outcome::Skip { .. } | Outcome::Blocked { .. })
}

/// The results, and which of them have a cause already.
struct View<'a> {
    results: &'a [CheckResult],
    explained: BTreeSet<String>,
}

impl<'a> View<'a> {
    fn get(&self, id: &str) -> Option<&'a CheckResult> {
        self.results.iter().find(|result| result.id == id)
    }

    fn passed(&self, id: &str) -> bool {
        self.get(id).is_some_and(|result| matches!(result.outcome, Outcome::Pass))
    }

    /// The failure of that check, unless it has a cause already.
    fn failed(&self, id: &str) -> Option<&'a CheckResult> {
        self.open().find(|result| result.id == id && result.is_failure())
    }

    /// What failed or could not be judged, and has no cause yet.
    fn open(&self) -> impl Iterator<Item = &'a CheckResult> {
        let is_wrong = |result: &CheckResult| matches!(result.outcome, Outcome::Fail(_) | Outcome::Broken { .. });
        self.results.iter().filter(move |result| is_wrong(result) && !self.explained.contains(&result.id))
    }

    /// The ids of what is open and shows that.
    fn open_ids(&self, shows: impl Fn(&CheckResult) -> bool) -> Vec<String> {
        self.open().filter(|result| shows(result)).map(|result| result.id.clone()).collect()
    }
}

/// What came more often than once by a failure, and how often on connections one after the other.
fn copies(result: &CheckResult) -> Option<(Copied, &[usize])> {
    result.evidence.iter().find_map(|evidence| match evidence {
        Evidence::Copies { of, counts } if counts.iter().any(|count| *count > 1) => Some((*of, counts.as_slice())),
        _ => None,
    })
}

/// `pong 2×, notification 2×`: names and numbers, in no language.
fn counted<'a>(results: impl IntoIterator<Item = &'a CheckResult>) -> Message {
    let counted = results.into_iter().filter_map(copies).map(|(of, counts)| {
        let counts: Vec<String> = counts.iter().map(|count| format!("{count}×")).collect();
        let name = match of {
            Copied::ConnectReply => "connect-reply",
            Copied::Pong => "pong",
            Copied::Notification => "notification",
            Copied::RoomMessage => "room-message",
            Copied::Greeting => "greeting",
        };
        say!("`{name}` {counts}", name = word(name), counts = counts.join(" → "))
    });
    Message::list(counted, Joint::Comma)
}
