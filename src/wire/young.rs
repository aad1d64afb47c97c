//! Sessions that were opened a moment ago, and need not be known everywhere yet: workers behind one port may tell each other of
//! them (`@socket.io/sticky`), and a client's next request may come by another connection before the word does.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use super::response::HttpResponse;

/// How long after its handshake a session that is not known is asked for once more.
pub const YOUNG: Duration = Duration::from_millis(50);
/// Sessions that are remembered; more are not opened within that time.
const MAX_SESSIONS: usize = 4_000;
/// The code of that answer.
const UNKNOWN_SID: u64 = 1;
/// What Node's engine.io answers to an upgrade instead.
const UNKNOWN_SID_TEXT: &[u8] = b"Session ID unknown";

/// The young sessions of a run, of all its clients.
#[derive(Debug, Default)]
pub(super) struct Young {
    sessions: Mutex<VecDeque<(String, Instant)>>,
    seen_late: AtomicBool,
}

impl Young {
    /// Takes note that the session was opened now.
    pub(super) fn opened(&self, sid: &str) {
        let now = Instant::now();
        let mut sessions = self.sessions();
        while sessions.front().is_some_and(|(_, until)| *until <= now) || sessions.len() >= MAX_SESSIONS {
            sessions.pop_front();
        }
        sessions.push_back((sid.to_owned(), now + YOUNG));
    }

    /// Until when the session that the URL names need not be known.
    pub(super) fn until(&self, url: &Url) -> Option<Instant> {
        let (_, sid) = url.query_pairs().find(|(name, _)| name == "sid")?;
        let now = Instant::now();
        self.sessions().iter().rev().find(|(opened, until)| *opened == sid && *until > now).map(|(_, until)| *until)
    }

    /// Takes note that a session was not known at first, and was a moment later.
    pub(super) fn note_late(&self) {
        self.seen_late.store(true, Ordering::Relaxed);
    }

    /// Whether that was seen.
    pub(super) fn has_seen_late(&self) -> bool {
        self.seen_late.load(Ordering::Relaxed)
    }

    fn sessions(&self) -> MutexGuard<'_, VecDeque<(String, Instant)>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the answer is that there is no such session.
pub(super) fn is_unknown(response: &HttpResponse) -> bool {
    let has_code = || serde_json::from_slice::<Value>(&response.body).is_ok_and(|body| body["code"] == UNKNOWN_SID);
    response.status == 400 && (*response.body == *UNKNOWN_SID_TEXT || has_code())
}
