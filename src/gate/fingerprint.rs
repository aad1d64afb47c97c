//! By what a failure is known again: its reason without the parts that differ from run to run.

use aws_lc_rs::digest::{SHA256, digest};

/// Stands for what differs from run to run.
const CHANGING: &str = "#";

/// Sixteen hexadecimal digits that stay the same as long as the reason says the same.
pub fn fingerprint(reason: &str) -> String {
    hash(&without_changing_parts(reason)).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first eight bytes of a SHA-256: stable from one version of siospec to the next.
pub(super) fn hash(text: &str) -> [u8; 8] {
    let digest = digest(&SHA256, text.as_bytes());
    std::array::from_fn(|at| digest.as_ref()[at])
}

/// The reason without numbers, durations, nonces, session ids and ports.
pub fn without_changing_parts(reason: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    for word in reason.split_whitespace() {
        let word = reduced(word);
        // `1s 500ms` and `2s` are one length of time each.
        if word.starts_with(CHANGING) && out.last().is_some_and(|last| last == CHANGING) {
            out.pop();
        }
        out.push(word);
    }
    out.join(" ")
}

fn reduced(word: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let mut out = String::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let length = rest.find(|c: char| is_part(c) != is_part(first)).unwrap_or(rest.len());
        let (part, after) = rest.split_at(length);
        rest = after;
        let changes = is_part(first) && is_changing(part);
        // `1.5`, `127.0.0.1:4000`: numbers with a full stop or colon between them are one.
        if changes && (out.ends_with("#.") || out.ends_with("#:")) {
            out.pop();
        } else {
            out.push_str(if changes { CHANGING } else { part });
        }
    }
    out
}

/// Numbers with or without a unit, and what looks made by chance.
fn is_changing(part: &str) -> bool {
    if part.starts_with("siospec-") && part.len() > 20 {
        return true;
    }
    let digits = part.chars().filter(char::is_ascii_digit).count();
    let number = part.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || c == '-');
    let unit = part.len() - number.len();
    // Not `HS256`, `C4` or `base64`, which mean something.
    let is_random = part.len() >= 12 && digits > 0 && !part.contains("--");
    let letters: Vec<char> = part.chars().collect();
    let humps = letters.windows(2).filter(|pair| pair[0].is_lowercase() && pair[1].is_uppercase()).count();
    (is_number && unit <= 4) || is_random || (part.len() >= 16 && humps >= 3)
}
