//! JSON as JavaScript takes it, which most Socket.IO servers and clients are written in: nested deeper than serde_json reads
//! by itself, with lone surrogates and with numbers beyond all bounds (ECMA-262, `JSON.parse`; RFC 8259, 8.2 and 6).

use std::ops::Range;

use serde::Deserialize;
use serde_json::Value;

/// How deep values may be nested. What is deeper is nothing that a check can look at, and would need a stack of its own.
pub const MAX_DEPTH: usize = 512;

/// Why a text is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// It is nested deeper than [`MAX_DEPTH`], which is siospec's own limit.
    #[error("JSON nested deeper than {MAX_DEPTH} levels, which is more than siospec reads")]
    TooDeep,
    /// It is no JSON.
    #[error("{0}")]
    NotJson(String),
}

/// Reads a JSON text. A lone surrogate becomes U+FFFD, and a number beyond all bounds the largest that there is, since no text
/// and no number here can hold them.
///
/// # Errors
/// See [`Unread`].
pub fn parse(text: &str) -> Result<Value, Unread> {
    if depth(text) > MAX_DEPTH {
        return Err(Unread::TooDeep);
    }
    read(text).or_else(|error| {
        let mended = mended(text);
        if mended == text { Err(error) } else { read(&mended) }
    })
}

fn read(text: &str) -> Result<Value, Unread> {
    let mut reader = serde_json::Deserializer::from_str(text);
    // Bounded above.
    reader.disable_recursion_limit();
    let value = Value::deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| Unread::NotJson(error.to_string()))
}

/// What a JSON text consists of, as far as this goes by it.
enum Piece {
    /// A text with its quotes.
    Text(Range<usize>),
    /// A number.
    Number(Range<usize>),
    /// Any other byte.
    Byte(u8),
}

/// Cuts a text into pieces, whether or not it is JSON.
fn pieces(text: &str) -> impl Iterator<Item = Piece> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let begin = at;
        match *bytes.get(at)? {
            b'"' => {
                at += 1;
                while let Some(byte) = bytes.get(at) {
                    at += if *byte == b'\\' { 2 } else { 1 };
                    if *byte == b'"' {
                        break;
                    }
                }
                at = at.min(bytes.len());
                Some(Piece::Text(begin..at))
            }
            b'-' | b'0'..=b'9' => {
                while bytes.get(at).is_some_and(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte)) {
                    at += 1;
                }
                Some(Piece::Number(begin..at))
            }
            byte => {
                at += 1;
                Some(Piece::Byte(byte))
            }
        }
    })
}

fn depth(text: &str) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    for piece in pieces(text) {
        match piece {
            Piece::Byte(b'[' | b'{') => {
                now += 1;
                most = most.max(now);
            }
            Piece::Byte(b']' | b'}') => now = now.saturating_sub(1),
            _ => {}
        }
    }
    most
}

fn mended(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Text(range) => mend_surrogates(&text.as_bytes()[range], &mut out),
            Piece::Number(range) => {
                let number = &text[range];
                match number.parse::<f64>() {
                    Ok(value) if value.is_infinite() => {
                        out.extend_from_slice(f64::MAX.copysign(value).to_string().as_bytes());
                        // With a point, lest it be read as a whole number, of which there are no such large ones.
                        out.extend_from_slice(b".0");
                    }
                    _ => out.extend_from_slice(number.as_bytes()),
                }
            }
            Piece::Byte(byte) => out.push(byte),
        }
    }
    // Only escapes and numbers were replaced, by ASCII.
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

/// The code unit of the escape `\uXXXX` that begins here.
fn unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn mend_surrogates(text: &[u8], out: &mut Vec<u8>) {
    const ESCAPE: usize = r"\uXXXX".len();
    let mut at = 0;
    while at < text.len() {
        let length = match (unit(&text[at..]), text.get(at + ESCAPE..).and_then(unit)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 2 * ESCAPE,
            (Some(0xD800..=0xDFFF), _) => {
                out.extend_from_slice(br"\ufffd");
                at += ESCAPE;
                continue;
            }
            (Some(_), _) => ESCAPE,
            // Another escape, of which the second character begins no further one.
            (None, _) if text[at] == b'\\' => 2,
            (None, _) => 1,
        };
        let end = (at + length).min(text.len());
        out.extend_from_slice(&text[at..end]);
        at = end;
    }
}
