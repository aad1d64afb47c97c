//! Reading transcripts: what went over the wire, and when.

use serde_json::Value;

use crate::verdict::{CheckResult, Direction, Entry};

/// Whether the line asks for WebSocket.
pub fn asks_for_upgrade(entry: &Entry) -> bool {
    entry.direction == Direction::Sent && entry.text.starts_with("GET ") && entry.text.contains("\nUpgrade: websocket")
}

/// The session id in a handshake's answer, by whichever transport.
pub fn opened(entry: &Entry) -> Option<String> {
    if entry.direction != Direction::Received {
        return None;
    }
    let packet = entry.text.lines().find_map(|line| line.strip_prefix("0{"))?;
    let open = serde_json::from_str::<Value>(&format!("{{{}", packet.split('\x1e').next()?)).ok()?;
    Some(open.get("sid")?.as_str()?.to_owned())
}

/// The Engine.IO messages of a line, without their `4`: one of a WebSocket, several of a POST or a poll's answer.
fn messages(entry: &Entry) -> impl Iterator<Item = &str> {
    entry.text.split(['\n', '\x1e']).filter_map(|packet| packet.strip_prefix('4'))
}

/// Whether the line is a CONNECT to the main namespace.
pub fn connects(entry: &Entry) -> bool {
    let is_connect = |message: &str| message == "0" || message.starts_with("0{");
    entry.direction == Direction::Sent && messages(entry).any(is_connect)
}

/// Whether the line lets a CONNECT to the main namespace in.
pub fn lets_in(entry: &Entry) -> bool {
    entry.direction == Direction::Received && messages(entry).any(|message| message.starts_with("0{"))
}

/// Whether the line refuses a CONNECT to the main namespace in the way of the protocol.
pub fn refuses(entry: &Entry) -> bool {
    entry.direction == Direction::Received && messages(entry).any(|message| message.starts_with("4{"))
}

/// Whether the line answers a CONNECT to another namespace.
pub fn answers_elsewhere(entry: &Entry) -> bool {
    let is_answer = |message: &str| message.starts_with("4/") || message.starts_with("0/");
    entry.direction == Direction::Received && messages(entry).any(is_answer)
}

/// Whether the line is an answer of some kind.
pub fn answers(entry: &Entry) -> bool {
    entry.direction == Direction::Received && !entry.ends()
}

/// The lines of each connection, in the order in which they appear.
pub fn connections(result: &CheckResult) -> Vec<Vec<&Entry>> {
    let mut connections: Vec<Vec<&Entry>> = Vec::new();
    for entry in &result.transcript {
        match connections.iter_mut().find(|lines| lines[0].connection == entry.connection) {
            Some(lines) => lines.push(entry),
            None => connections.push(vec![entry]),
        }
    }
    connections
}

/// Milliseconds from the run's beginning to that line, where that is known.
pub fn time(result: &CheckResult, entry: &Entry) -> Option<u64> {
    Some(result.began_ms? + entry.at_ms)
}

/// Milliseconds from the run's beginning to the check's end, where that is known.
pub fn end(result: &CheckResult) -> Option<u64> {
    Some(result.began_ms? + result.duration_ms)
}
