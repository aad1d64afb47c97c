//! What a text tells that is nobody's business: for checks that look at answers to strangers.

use serde_json::Value;

use crate::{contract::TokenSource, probe::Probe};

/// Every text in a JSON value.
pub fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// Bytes of a secret; a shorter one is in many a text by chance.
const MIN_SECRET: usize = 8;

/// What the text tells, as a noun phrase.
pub fn indiscretion(probe: &Probe, text: &str) -> Option<&'static str> {
    let is_frame = |line: &str| {
        let line = line.trim_start();
        (line.starts_with("at ") && line.trim_end_matches(')').ends_with(|c: char| c.is_ascii_digit()))
            || line.starts_with("File \"")
    };
    let secret = match &probe.contract().auth.source {
        Some(TokenSource::Secret(secret)) => Some(secret.expose()),
        _ => None,
    };
    if secret.is_some_and(|secret| secret.len() >= MIN_SECRET && text.contains(secret)) || text.contains("-----BEGIN ")
    {
        Some("the signing secret or a key")
    } else if text.lines().any(is_frame) {
        Some("a stack trace")
    } else if text.split(|c: char| c.is_whitespace() || "'\"`()<>,;".contains(c)).any(is_file_path) {
        Some("the path of a file")
    } else {
        None
    }
}

/// `/app/server/auth.ts`, `C:\app\auth.ts`, `file:///…`, `node_modules/…`; not `/login`.
fn is_file_path(word: &str) -> bool {
    let bytes = word.as_bytes();
    let absolute =
        word.starts_with('/') || (bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && &bytes[1..3] == b":\\");
    let mut parts = word.rsplit(['/', '\\']);
    let is_file = parts.next().is_some_and(|name| name.trim_matches('.').contains('.'));
    word.starts_with("file://") || word.contains("node_modules") || (absolute && is_file && parts.count() > 1)
}

/// Software whose version tells an attacker which holes to try.
const SOFTWARE: &[&str] = &[
    "nginx",
    "openresty",
    "apache",
    "tomcat",
    "jetty",
    "caddy",
    "envoy",
    "varnish",
    "haproxy",
    "express",
    "nitro",
    "nuxt",
    "h3",
    "next.js",
    "koa",
    "fastify",
    "engine.io",
    "socket.io",
    "node.js",
    "node",
    "deno",
    "bun",
    "php",
    "python",
    "werkzeug",
    "gunicorn",
    "uvicorn",
    "aiohttp",
    "tornado",
    "django",
    "flask",
    "microsoft-iis",
    "kestrel",
    "asp.net",
    "openssl",
    "passenger",
    "puma",
];

/// The name and version of a piece of software in the text: `nginx/1.18.0`, `Express 4.18`.
pub fn version(text: &str) -> Option<&str> {
    let lower = text.to_ascii_lowercase();
    SOFTWARE.iter().find_map(|name| {
        lower.match_indices(name).find_map(|(start, _)| {
            let begins_word = !lower[..start].ends_with(|c: char| c.is_ascii_alphanumeric() || "./-_@".contains(c));
            let rest = &lower[start + name.len()..];
            let number = rest.strip_prefix(['/', ' ', '@'])?;
            let number = number.strip_prefix('v').unwrap_or(number);
            let length = number.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
            let is_version = number[..length].trim_matches('.').contains('.');
            let end = lower.len() - number.len() + length;
            (begins_word && is_version).then(|| text[start..end].trim_end_matches('.'))
        })
    })
}
