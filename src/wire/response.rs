//! What an HTTP request comes to: an answer, bounded and put into words, or the error that says whose fault it was.

use std::sync::{Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, LOCATION, SERVER, SET_COOKIE, VARY};
use tokio::time::Instant;

use super::{WireError, held::Part};
use crate::{
    message::{Message, excerpt, quote_of},
    redact::Redacted,
};

/// A body beyond this is cut off, in bytes: no answer that a check looks at is larger.
pub(super) const MAX_BODY: usize = 4 << 20;

/// An HTTP answer with its body, at most 4 MiB of it.
#[derive(Clone, Debug)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Whether the body was longer, and was not read to its end.
    pub is_cut: bool,
}

/// What a body is, judged by what it holds rather than by what its header claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// Nothing.
    Empty,
    /// An HTML page.
    Html,
    /// A JSON value.
    Json,
    /// Anything else.
    Other,
}

impl HttpResponse {
    /// The body as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value, empty where it is missing or not text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The media type without its parameters, in lower case; empty where there is none.
    pub fn media_type(&self) -> String {
        self.header("content-type").split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the target answered as one does that does not know the session (any more): 400 by Engine.IO, and of what else
    /// HTTP has for what is not there, 404 and 410 (RFC 9110, 15.5.5 and 15.5.11), which engine.unknown-sid looks for.
    pub fn misses_session(&self) -> bool {
        matches!(self.status, 400 | 404 | 410)
    }

    /// Whether the status is 3xx.
    pub fn is_redirect(&self) -> bool {
        (300..400).contains(&self.status)
    }

    /// What the body is.
    pub fn kind(&self) -> BodyKind {
        let text = self.text();
        let start = text.trim_start_matches('\u{feff}').trim_start();
        let is_html = |prefix: &str| start.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
        if start.is_empty() {
            BodyKind::Empty
        } else if is_html("<!doctype html")
            || is_html("<html")
            || is_html("<head")
            || self.media_type() == "text/html" && start.starts_with('<')
        {
            BodyKind::Html
        } else if serde_json::from_str::<serde_json::Value>(start)
            .is_ok_and(|value| value.is_object() || value.is_array())
        {
            BodyKind::Json
        } else {
            BodyKind::Other
        }
    }
}

spoken!(HttpResponse);

impl HttpResponse {
    /// The answer in a few words: status, media type, and the beginning of the body.
    pub fn message(&self) -> Message {
        let status = self.status;
        if self.is_redirect() {
            let location = excerpt(self.header("location"), 200);
            return say!("HTTP {status}, redirect to {location}", status, location);
        }
        match self.kind() {
            BodyKind::Empty => say!("HTTP {status}, empty body", status),
            BodyKind::Html => match html_title(&self.text()) {
                Some(title) => {
                    say!("HTTP {status}, an HTML page (title {title})", status, title = quote_of(&title, 60))
                }
                None => say!("HTTP {status}, an HTML page (untitled)", status),
            },
            BodyKind::Json | BodyKind::Other => {
                let (media_type, body) = (self.media_type(), excerpt(self.text().trim(), 200));
                if media_type.is_empty() {
                    say!("HTTP {status}, no content type: {body}", status, body)
                } else {
                    say!("HTTP {status}, {media_type}: {body}", status, media_type, body)
                }
            }
        }
    }
}

fn html_title(html: &str) -> Option<String> {
    let lower = html.to_ascii_lowercase();
    let title = lower.find("<title").and_then(|start| {
        let from = start + html[start..].find('>')? + 1;
        let to = from + lower[from..].find("</title")?;
        Some(html[from..to].trim().to_owned())
    });
    title.filter(|title| !title.is_empty())
}

/// Reads an answer's body, of which `held` is told while it is read.
pub(super) async fn read(response: reqwest::Response, held: &Part) -> Result<HttpResponse, WireError> {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let mut body = BytesMut::new();
    let mut stream = response.bytes_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| classify(&error))?;
        let room = MAX_BODY - body.len();
        held.add(chunk.len().min(room))?;
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            return Ok(HttpResponse { status, headers, body: body.freeze(), is_cut: true });
        }
    }
    Ok(HttpResponse { status, headers, body: body.freeze(), is_cut: false })
}

pub(super) fn wire_text(response: &HttpResponse) -> Redacted {
    let mut line = Redacted::from(format!("HTTP {}", response.status));
    for (name, value) in &response.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let is_telling = [CONTENT_TYPE, LOCATION, CACHE_CONTROL, VARY, SERVER].contains(name);
        if is_telling || name.as_str().starts_with("access-control-") {
            line.say(&format!("\n{name}: {value}"));
        } else if *name == SET_COOKIE {
            line.say(&format!("\n{name}: "));
            say_cookies(&mut line, value.split(';').next().unwrap_or_default());
        }
    }
    // Not shortened here: the transcript does it, once the secrets are out.
    line.say("\n");
    line.say(&response.text());
    line
}

/// `a=‹cookie›; b=‹cookie›`: whatever a cookie holds may let its reader in.
pub(super) fn say_cookies(line: &mut Redacted, header: &str) {
    for (at, pair) in header.split(';').enumerate() {
        let name = pair.split('=').next().unwrap_or_default().trim();
        line.say(&format!("{}{name}=", if at > 0 { "; " } else { "" }));
        line.hide("cookie");
    }
}

/// The error and all its causes, which is where reqwest keeps what matters.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text += &format!(": {cause_text}");
        }
        source = cause.source();
    }
    text
}

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// Whether the process, or the machine, has no file descriptor left (EMFILE, ENFILE; WSAEMFILE).
fn is_out_of_files(error: &std::io::Error) -> bool {
    let codes: &[i32] = if cfg!(windows) { &[10_024] } else { &[23, 24] };
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

/// When this process could open no more files, the last time.
static STARVED: Mutex<Option<Instant>> = Mutex::new(None);

/// Whether this process could open no more files at some time since then, so that what went wrong may be its own fault.
pub fn was_starved_since(begun: Instant) -> bool {
    STARVED.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at >= begun)
}

pub(super) fn classify(error: &reqwest::Error) -> WireError {
    let io = causes(error).find_map(|cause| cause.downcast_ref::<std::io::Error>());
    if let Some(io) = io.filter(|io| is_out_of_files(io)) {
        *STARVED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        return WireError::Cut(say!(
            "this process may open no more files ({io}; `ulimit -n` raises the limit)",
            io = io.to_string()
        ));
    }
    // The innermost cause says what happened; the outer ones only where.
    let root = causes(error).last().map(ToString::to_string).unwrap_or_default();
    // Not in the outermost text, which holds the URL.
    let text = causes(error).skip(1).map(ToString::to_string).collect::<Vec<_>>().join(": ").to_lowercase();
    if ["certificate", "tls", "handshakefailure", "invalidcontenttype", "corrupt message"]
        .iter()
        .any(|mark| text.contains(mark))
    {
        return WireError::Tls(root.into());
    }
    if error.is_timeout() {
        return WireError::Connect("no TCP connection in time".into());
    }
    if error.is_connect() {
        return WireError::Connect(root.into());
    }
    match io.map(std::io::Error::kind) {
        Some(
            std::io::ErrorKind::ConnectionReset
            | std::io::ErrorKind::ConnectionAborted
            | std::io::ErrorKind::BrokenPipe
            | std::io::ErrorKind::UnexpectedEof,
        ) => WireError::Closed(root.into()),
        _ if text.contains("connection closed before message completed") => {
            WireError::Closed("before the answer was complete".into())
        }
        _ => WireError::Malformed(say!("not an HTTP answer: {root}", root)),
    }
}
