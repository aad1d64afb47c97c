//! Shell commands that show a failure again without siospec: `curl` for what went over HTTP, `websocat` for WebSocket.
//!
//! They are made from the check's transcript, which holds no secrets. Where one was hidden, a variable stands, for the
//! user to set.

use std::collections::BTreeMap;
use std::fmt::Write;

use url::Url;

use crate::{
    contract::keys::{self, Kind},
    message::Message,
    redact::{Redacted, Run},
    verdict::{Direction, Failure, Step},
    wire::{Transport, transcript::Line},
};

/// Requests, or frames, beyond this are left out: what takes more is better shown by siospec itself.
const MAX_STEPS: usize = 12;

/// What every request to the target carries, and where that is.
pub struct Surroundings<'a> {
    /// Scheme, host and port.
    pub origin: &'a Url,
    /// Names of the headers that the contract declares; their values are secret.
    pub headers: Vec<&'a str>,
    /// The command that starts the target, where siospec had started it itself.
    pub start: Option<String>,
}

/// The commands for one failure: those of the client that failed, or of the first one; none where nothing was sent. Each is
/// built word by word: what a target said is quoted, whatever it looks like, and for a label stands a variable.
pub fn by_hand(around: &Surroundings, failure: &Failure, transcript: &[Line]) -> Vec<Step> {
    let sent = failure.sent.text();
    let telling: String = sent.lines().next().unwrap_or_default().chars().take(60).collect();
    let transport = transport_of(failure);
    let mut connections: Vec<(&str, usize)> = Vec::new();
    for entry in transcript.iter().filter(|entry| entry.direction == Direction::Sent) {
        let score = usize::from(!telling.is_empty() && entry.text.shown().contains(&telling))
            + usize::from(transport.is_some_and(|transport| opens(&entry.text) == Some(transport)));
        match connections.iter_mut().find(|(name, _)| *name == entry.connection) {
            Some((_, best)) => *best = score.max(*best),
            None => connections.push((&entry.connection, score)),
        }
    }
    // Of several, the first.
    let Some((connection, _)) = connections.iter().rev().max_by_key(|(_, score)| *score) else { return Vec::new() };
    let mut entries: Vec<&Line> = transcript.iter().filter(|entry| entry.connection == *connection).collect();
    if let Some(transport) = transport.filter(|wanted| entries.iter().any(|entry| opens(&entry.text) == Some(*wanted)))
    {
        // A client of a check that does the same by each transport: what went by the other one was right.
        let mut is_wanted = true;
        entries.retain(|entry| {
            is_wanted = opens(&entry.text).map_or(is_wanted, |opened| opened == transport);
            is_wanted
        });
    }
    let mut script = Script { around, legend: BTreeMap::new(), sid: None, handshakes: 0, lines: Vec::new() };
    script.write(&entries);
    script.finish()
}

/// The transport that the failure is about, where it names one alone.
fn transport_of(failure: &Failure) -> Option<Transport> {
    let about =
        |transport: Transport| [&failure.reason, &failure.sent].iter().any(|said| said.names(transport.shown()));
    match (about(Transport::Polling), about(Transport::WebSocket)) {
        (true, false) => Some(Transport::Polling),
        (false, true) => Some(Transport::WebSocket),
        _ => None,
    }
}

/// The transport of a new session, if the text is the request that opens one.
fn opens(text: &Redacted) -> Option<Transport> {
    let text = text.shown();
    let target = text.lines().next()?.strip_prefix("GET ")?;
    if parameter(target, "sid").is_some() {
        return None;
    }
    match parameter(target, "transport")? {
        "polling" => Some(Transport::Polling),
        "websocket" => Some(Transport::WebSocket),
        _ => None,
    }
}

/// One thing to do.
enum Asked {
    Http { method: String, target: Redacted, headers: Vec<Redacted>, body: Redacted },
    Upgrade { target: Redacted, headers: Vec<Redacted>, frames: Vec<Redacted> },
}

struct Script<'a> {
    around: &'a Surroundings<'a>,
    /// Variables and what they stand for.
    legend: BTreeMap<String, String>,
    /// The session's id in the transcript, once a command has asked for a new one.
    sid: Option<String>,
    /// How many sessions the commands have opened by polling.
    handshakes: usize,
    lines: Vec<Step>,
}

impl Script<'_> {
    fn write(&mut self, entries: &[&Line]) {
        let steps = steps(entries);
        let total = steps.len();
        // Polls were pending while other requests went out; one at a time, each has its place after what it answers.
        let mut owes_poll = None;
        let mut is_answered = true;
        let mut polled = false;
        for (taken, step) in steps.into_iter().enumerate() {
            if taken == MAX_STEPS {
                let count = total - taken;
                self.lines
                    .push(Step::Comment(say!("… and {count} more request" | "… and {count} more requests", count)));
                return;
            }
            if let Asked::Http { method, target, .. } = &step
                && method == "GET"
                && parameter(&target.shown(), "sid").is_some()
                && parameter(&target.shown(), "transport") == Some("polling")
            {
                if is_answered {
                    owes_poll = Some(step);
                } else {
                    self.step(step, entries);
                    (is_answered, polled, owes_poll) = (true, true, None);
                }
            } else {
                let again = std::mem::take(&mut owes_poll);
                is_answered = matches!(&step, Asked::Http { method, .. } if method == "GET");
                self.step(step, entries);
                polled = false;
                if let Some(poll) = again.filter(|_| !is_answered) {
                    self.step(poll, entries);
                    (is_answered, polled) = (true, true);
                }
            }
        }
        // Another one would wait for the next heartbeat.
        if let Some(poll) = owes_poll.filter(|_| !polled) {
            self.step(poll, entries);
        }
    }

    fn step(&mut self, step: Asked, entries: &[&Line]) {
        let mut left_out = 0;
        let command = match step {
            Asked::Http { method, target, headers, body } => {
                let url = self.url(self.around.origin.scheme(), &target);
                let is_handshake = method == "GET"
                    && parameter(&target.shown(), "transport") == Some("polling")
                    && parameter(&target.shown(), "sid").is_none();
                let received = entries.iter().filter(|entry| entry.direction == Direction::Received);
                let sid = received.filter_map(|entry| sid_of_handshake(&entry.text.shown())).nth(self.handshakes);
                self.handshakes += usize::from(is_handshake);
                if let Some(sid) = sid.filter(|sid| is_handshake && uses(entries, sid)) {
                    let headers = self.headers("-H", &headers);
                    self.sid = Some(sid);
                    format!("sid=$(curl -s{headers} {url} | sed 's/.*\"sid\":\"\\([^\"]*\\)\".*/\\1/')")
                } else {
                    let mut command = "curl -i".to_owned();
                    if method != "GET" {
                        let _ = write!(command, " -X {method}");
                    }
                    command += &self.headers("-H", &headers);
                    if !body.is_empty() {
                        let _ = write!(command, " --data-binary {}", self.word(&body));
                    }
                    format!("{command} {url}")
                }
            }
            Asked::Upgrade { target, headers, frames } => {
                let scheme = if self.around.origin.scheme() == "https" { "wss" } else { "ws" };
                let url = self.url(scheme, &target);
                let headers = self.headers("-H", &headers);
                left_out = frames.len().saturating_sub(MAX_STEPS);
                let frames: Vec<String> = frames.iter().take(MAX_STEPS).map(|frame| self.word(frame)).collect();
                let said =
                    if frames.is_empty() { String::new() } else { format!("printf '%s\\n' {}; ", frames.join(" ")) };
                // Kept open for the answers. Without the flag, websocat sends each line's end as part of the packet.
                format!("{{ {said}sleep 5; }} | websocat -t --linemode-strip-newlines{headers} {url}")
            }
        };
        self.lines.push(Step::Command(command));
        if left_out > 0 {
            let more = say!("… and {count} more frame" | "… and {count} more frames", count = left_out);
            self.lines.push(Step::Comment(more));
        }
    }

    fn url(&mut self, scheme: &str, target: &Redacted) -> String {
        let (path, query) = target.split_once("?").unwrap_or_else(|| (target.clone(), Redacted::default()));
        // The cache buster is a new one each time.
        let query: Vec<Redacted> =
            query.split("&").into_iter().filter(|pair| !pair.is_empty() && !pair.shown().starts_with("t=")).collect();
        let rest = self.around.origin.as_str().split_once("://").map_or("", |(_, rest)| rest).trim_end_matches('/');
        let mut url = Redacted::from(format!("{scheme}://{rest}"));
        url.push(&path);
        url.say(if query.is_empty() { "" } else { "?" });
        url.push(&Redacted::join(&query, "&"));
        self.word(&url)
    }

    fn headers(&mut self, flag: &str, own: &[Redacted]) -> String {
        let declared: Vec<Redacted> = self
            .around
            .headers
            .iter()
            .map(|name| {
                let mut header = Redacted::from(format!("{name}: "));
                header.hide(&format!("value of {name}"));
                header
            })
            .collect();
        // What the check says itself stands in the contract's place.
        let name = |header: &Redacted| header.shown().split(':').next().unwrap_or_default().to_ascii_lowercase();
        let declared = declared.iter().filter(|header| !own.iter().any(|other| name(other) == name(header)));
        let words: Vec<String> = declared.chain(own).map(|header| format!(" {flag} {}", self.word(header))).collect();
        words.concat()
    }

    /// The text as one word of a shell, with variables where something was hidden.
    fn word(&mut self, text: &Redacted) -> String {
        let mut out = String::new();
        for run in text.runs() {
            match run {
                Run::Said(text) => {
                    let parts = match self.sid.as_deref() {
                        Some(sid) => text.split(sid).collect(),
                        None => vec![text.as_str()],
                    };
                    out += &parts.into_iter().map(literal).collect::<Vec<_>>().join("\"$sid\"");
                }
                Run::Secret(label) => {
                    let name = variable(label);
                    let _ = write!(out, "\"${name}\"");
                    self.legend.entry(name).or_insert_with(|| label.to_owned());
                }
            }
        }
        if out.is_empty() { "''".to_owned() } else { out }
    }

    fn finish(self) -> Vec<Step> {
        if self.lines.is_empty() {
            return Vec::new();
        }
        let start = self.around.start.iter().map(|command| say!("first, elsewhere: {command}", command));
        let legend = self.legend.iter().map(|(name, what)| Message::data(format!("${name}: {what}")));
        start.chain(legend).map(Step::Comment).chain(self.lines).collect()
    }
}

/// The contract's flags as the words of a command that can be run again. What is secret, or may hold a secret, is named
/// by the variable that would hold it.
pub fn flags(flags: &[(&'static str, String)]) -> Vec<String> {
    let known = flags.iter().filter_map(|(name, value)| Some((keys::find(name)?, value)));
    known
        .map(|(key, value)| {
            let value = if key.kind.is_secret() { format!("\"${}\"", key.variable()) } else { word(value) };
            let between = if key.kind == Kind::Bool { '=' } else { ' ' };
            format!("--{}{between}{value}", key.flag())
        })
        .collect()
}

/// The text as one word of a shell.
pub fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Text in quotes, so that a shell takes it as it is.
fn literal(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    if text.chars().any(char::is_control) {
        let mut out = "$'".to_owned();
        for c in text.chars() {
            let _ = match c {
                '\'' | '\\' => write!(out, "\\{c}"),
                '\n' => write!(out, "\\n"),
                c if c.is_ascii_control() => write!(out, "\\x{:02x}", c as u32),
                c => write!(out, "{c}"),
            };
        }
        return out + "'";
    }
    quoted(text)
}

/// The variable that stands for what a label hides: `TOKEN`, `EXPIRED_TOKEN`, `COOKIE`.
fn variable(label: &str) -> String {
    let words: Vec<&str> = label.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    if let Some(name) = label.strip_prefix("value of ") {
        return name.to_ascii_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    }
    match words.iter().position(|word| *word == "token") {
        // `token of anna with iss = 1` is said to be so by the legend.
        Some(0) => "BAD_TOKEN".to_owned(),
        Some(1) if words[0] == "valid" => "TOKEN".to_owned(),
        Some(at) => words[..=at].join("_").to_ascii_uppercase(),
        None if label.contains("JWT") => "TOKEN".to_owned(),
        None => "SECRET".to_owned(),
    }
}

fn steps(entries: &[&Line]) -> Vec<Asked> {
    let mut steps: Vec<Asked> = Vec::new();
    for entry in entries.iter().filter(|entry| entry.direction == Direction::Sent) {
        let lines = entry.text.split("\n");
        let request = lines[0].split_once(" ").filter(|(method, target)| {
            let method = method.shown();
            !method.is_empty() && method.chars().all(|c| c.is_ascii_uppercase()) && target.shown().starts_with('/')
        });
        let Some((method, target)) = request else {
            let shown = entry.text.shown();
            let is_packet = !shown.starts_with("(binary") && !shown.starts_with("(close frame");
            // Polls may have gone out since, while a session moves.
            let frames = steps.iter_mut().rev().find_map(|step| match step {
                Asked::Upgrade { frames, .. } => Some(frames),
                Asked::Http { .. } => None,
            });
            if let Some(frames) = frames.filter(|_| is_packet && !is_ours_alone(&entry.text)) {
                frames.push(entry.text.clone());
            }
            continue;
        };
        let rest = &lines[1..];
        let body_at = rest.iter().position(|line| !is_header(&line.shown())).unwrap_or(rest.len());
        let method = method.shown();
        // A balancer's cookies are of a session that is gone; the contract's are added to every request anyway.
        let headers = rest[..body_at].iter().filter(|line| !line.shown().to_ascii_lowercase().starts_with("cookie:"));
        let (upgrade, headers): (Vec<Redacted>, Vec<Redacted>) =
            headers.cloned().partition(|header| header.shown() == "Upgrade: websocket");
        if !upgrade.is_empty() {
            steps.push(Asked::Upgrade { target, headers, frames: Vec::new() });
            continue;
        }
        let body = Redacted::join(&rest[body_at..], "\n");
        let packets: Vec<Redacted> = body.split("\u{1e}").into_iter().filter(|packet| !is_ours_alone(packet)).collect();
        if method == "POST" && parameter(&target.shown(), "sid").is_some() && packets.is_empty() {
            continue;
        }
        steps.push(Asked::Http { method, target, headers, body: Redacted::join(&packets, "\u{1e}") });
    }
    steps
}

/// What siospec sends for its own sake: the fences by which it knows that nothing more comes, and heartbeats.
fn is_ours_alone(packet: &Redacted) -> bool {
    let packet = packet.shown();
    packet == "3" || packet.contains("/siospec-fence-")
}

/// `name: value`, as a request's lines before its body are.
fn is_header(line: &str) -> bool {
    line.split_once(": ").is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic() || c.is_ascii_digit() || c == '-')
    })
}

fn parameter<'a>(target: &'a str, name: &str) -> Option<&'a str> {
    let (_, query) = target.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// The id in an answer that holds an open packet.
fn sid_of_handshake(text: &str) -> Option<String> {
    let (_, packet) = text.split_once("\n0{")?;
    let (_, rest) = packet.split_once("\"sid\":\"")?;
    let sid = rest.split('"').next().filter(|sid| sid.len() >= 8)?;
    Some(sid.to_owned())
}

fn uses(entries: &[&Line], sid: &str) -> bool {
    entries.iter().any(|entry| entry.direction == Direction::Sent && entry.text.shown().contains(sid))
}
