//! One line of a transcript, and what can be read off it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which way something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// From siospec to the target.
    Sent,
    /// From the target to siospec.
    Received,
    /// Neither: a remark about the connection.
    Remark,
}

/// One line of a transcript.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// Milliseconds since the check began.
    pub at_ms: u64,
    /// Which of the check's clients or connections.
    pub connection: String,
    /// Which way it went.
    pub direction: Direction,
    /// What went, redacted and cut to a bounded length.
    pub text: String,
}

impl Entry {
    /// The status of an answer, if the line is one.
    pub fn status(&self) -> Option<u16> {
        let rest = self.text.strip_prefix("HTTP ")?;
        let digits = rest.get(..3).filter(|_| self.direction == Direction::Received)?;
        digits.parse().ok()
    }

    /// The code in an answer of Engine.IO that refuses a request: `{"code":3,…}`.
    pub fn code(&self) -> Option<u64> {
        let (_, body) = self.text.split_once("\n{").filter(|_| self.status() == Some(400))?;
        let body: Value = serde_json::from_str(&format!("{{{body}")).ok()?;
        body.get("code")?.as_u64()
    }

    /// Whether no TCP connection could be made.
    pub fn finds_nobody(&self) -> bool {
        self.direction == Direction::Remark && self.text.starts_with("cannot connect: ")
    }

    /// Whether the connection, or the session on it, ended by the target's doing.
    pub fn ends(&self) -> bool {
        match self.direction {
            Direction::Received => self.text.starts_with("(closed: ") || self.code() == Some(1),
            Direction::Remark => self.text.starts_with("the connection was closed: "),
            Direction::Sent => false,
        }
    }
}
