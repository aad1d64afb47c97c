//! Hides secrets in whatever is shown or written: transcripts, reports, messages.

mod text;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

pub use text::{Redacted, Run, first};

/// Secrets shorter than this (in characters) are not hidden: they turn up in any text by chance, and hiding them would
/// make a report unreadable while it tells the reader what they are.
pub const SHORTEST: usize = 4;

/// A secret that was cut off is hidden where at least this many of its first characters are left.
pub const SHORTEST_START: usize = 16;

/// Longer secrets (in bytes) are not looked for in base64. A private key in PEM is below it; beyond are the long texts that
/// checks send on purpose.
pub const LONGEST_IN_BASE64: usize = 4096;

/// Replaces every registered secret by its label, `‹valid token of a›`. Clones share what is registered.
///
/// A secret is found as it is, and JSON-escaped, percent-encoded, or in base64 (standard and URL alphabet, with and
/// without padding). Beyond what is registered, anything with the look of a signed JSON Web Token is hidden as well.
///
/// A token's payload and its signature are found by themselves as well. Its header alone tells no secret (it names the
/// algorithm and the key, the same in many a token) and goes for the start of a token that was cut off.
///
/// Not found: another secret whose beginning is cut off, one split over two frames, and base64 of a text that merely
/// contains it. Register such texts (as whole header values) on their own.
#[derive(Clone, Default)]
pub struct Redactor {
    shared: Arc<RwLock<Shared>>,
}

#[derive(Default)]
struct Shared {
    /// Every form of every secret, with its label.
    labels: BTreeMap<Arc<str>, Arc<str>>,
    /// The forms registered since the finder was built.
    fresh: Vec<Arc<str>>,
    finder: Option<Arc<Finder>>,
}

/// What is registered, made ready to search. Tokens are made all through a run, with texts to redact in between, so the
/// automata are built like a log-structured tree: a new one for what is new, merged with older ones as small as itself.
struct Finder {
    /// Sizes fall from each to the next by half or more.
    parts: Vec<Arc<Part>>,
}

struct Part {
    automaton: AhoCorasick,
    kinds: Vec<Kind>,
    /// Its forms, with their labels.
    labels: BTreeMap<Arc<str>, Arc<str>>,
}

/// Where a part found something next; `None` when there is nothing more.
type Next = Option<(usize, usize, usize)>;

enum Kind {
    Whole(Arc<str>),
    /// The first characters of one secret or more.
    Start,
    /// `eyJ`, which every JWT begins with: base64 of `{"`.
    Jwt,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Redactor").finish_non_exhaustive()
    }
}

impl Redactor {
    /// A redactor that knows no secret yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a secret under a label. The first label of a text stays; texts of fewer than [`SHORTEST`] characters
    /// are ignored.
    pub fn conceal(&self, secret: &str, label: &str) {
        if secret.chars().count() < SHORTEST {
            return;
        }
        let mut shared = self.shared.write().unwrap_or_else(PoisonError::into_inner);
        if shared.labels.contains_key(secret) {
            return;
        }
        let label: Arc<str> = label.into();
        for form in forms(secret) {
            let form: Arc<str> = form.into();
            if !shared.labels.contains_key(&form) {
                shared.labels.insert(form.clone(), label.clone());
                shared.fresh.push(form);
            }
        }
        for (segment, name) in telling_segments(secret) {
            let segment: Arc<str> = segment.into();
            if !shared.labels.contains_key(&segment) {
                shared.labels.insert(segment.clone(), format!("{name} of {label}").into());
                shared.fresh.push(segment);
            }
        }
    }

    /// The text with every secret replaced by its label. Takes time linear in the text's length.
    pub fn redact(&self, text: &str) -> String {
        let mut out = Redacted::default();
        self.finder().redact(text, &mut out);
        out.shown()
    }

    /// The same, where labels are told from what is said.
    pub fn hide(&self, runs: &[Run]) -> Redacted {
        let finder = self.finder();
        let mut out = Redacted::default();
        for run in runs {
            match run {
                Run::Said(text) => finder.redact(text, &mut out),
                Run::Secret(label) => out.hide(label),
            }
        }
        out
    }

    fn finder(&self) -> Arc<Finder> {
        let current = |shared: &Shared| shared.finder.clone().filter(|_| shared.fresh.is_empty());
        if let Some(finder) = current(&self.shared.read().unwrap_or_else(PoisonError::into_inner)) {
            return finder;
        }
        let mut shared = self.shared.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have been first.
        if let Some(finder) = current(&shared) {
            return finder;
        }
        let mut forms = std::mem::take(&mut shared.fresh);
        let mut parts = shared.finder.take().map_or_else(Vec::new, |finder| finder.parts.clone());
        while let Some(smallest) = parts.pop_if(|part| part.labels.len() <= 2 * forms.len()) {
            forms.extend(smallest.labels.keys().cloned());
        }
        parts.push(Arc::new(Part::new(&forms, &shared.labels)));
        let finder = Arc::new(Finder { parts });
        shared.finder = Some(finder.clone());
        finder
    }
}

/// A secret as it may turn up in a text.
fn forms(secret: &str) -> Vec<String> {
    let json = serde_json::Value::from(secret).to_string();
    let percent = percent_encode(secret);
    let mut forms = vec![
        secret.to_owned(),
        json[1..json.len() - 1].to_owned(),
        lower_escapes(&percent),
        percent.replace("%20", "+"),
        percent,
    ];
    if secret.len() <= LONGEST_IN_BASE64 {
        forms.extend([
            STANDARD.encode(secret),
            STANDARD_NO_PAD.encode(secret),
            URL_SAFE.encode(secret),
            URL_SAFE_NO_PAD.encode(secret),
        ]);
    }
    forms
}

/// The payload and the signature of a JWT in the compact form (RFC 7519, section 3.1), those of at least
/// [`SHORTEST_START`] characters: `e30`, an empty payload, tells nothing.
fn telling_segments(secret: &str) -> impl Iterator<Item = (&str, &'static str)> {
    let segments: Vec<&str> = secret.split('.').collect();
    let named = match segments[..] {
        [header, payload, signature] if is_jwt_header(header) => vec![(payload, "payload"), (signature, "signature")],
        _ => Vec::new(),
    };
    let is_base64url = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    named.into_iter().filter(move |(segment, _)| segment.len() >= SHORTEST_START && is_base64url(segment))
}

fn is_jwt_header(segment: &str) -> bool {
    let json = URL_SAFE_NO_PAD.decode(segment).ok();
    json.is_some_and(|json| serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&json).is_ok())
}

/// Percent-encodes everything but the unreserved characters of RFC 3986, section 2.3.
pub fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// `%2F` as `%2f`, the other letters kept.
fn lower_escapes(text: &str) -> String {
    let mut left = 0;
    text.chars()
        .map(|c| {
            if c == '%' {
                left = 2;
                return c;
            }
            let inside = left > 0;
            left -= i32::from(inside);
            if inside { c.to_ascii_lowercase() } else { c }
        })
        .collect()
}

impl Part {
    fn new(forms: &[Arc<str>], known: &BTreeMap<Arc<str>, Arc<str>>) -> Self {
        let labels: BTreeMap<Arc<str>, Arc<str>> =
            forms.iter().map(|form| (form.clone(), known.get(form).cloned().unwrap_or_default())).collect();
        let mut patterns: BTreeMap<&str, Kind> = BTreeMap::from([("eyJ", Kind::Jwt)]);
        for (form, label) in &labels {
            if let Some((end, _)) = form.char_indices().nth(SHORTEST_START) {
                patterns.entry(&form[..end]).or_insert(Kind::Start);
            }
            patterns.insert(form, Kind::Whole(label.clone()));
        }
        let (patterns, kinds): (Vec<&str>, Vec<Kind>) = patterns.into_iter().unzip();
        // This kind is the quickest to build, and what is searched is small beside what is built.
        let automaton = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::NoncontiguousNFA))
            .match_kind(MatchKind::LeftmostLongest)
            .build(&patterns)
            .unwrap_or_else(|error| unreachable!("texts of a few kilobytes make an automaton: {error}"));
        Self { automaton, kinds, labels }
    }

    fn find(&self, text: &str, from: usize) -> Next {
        let found = self.automaton.find(Input::new(text).range(from..))?;
        Some((found.start(), found.end(), found.pattern().as_usize()))
    }
}

impl Finder {
    /// The first of what the parts find from `from` on, the longest of those that begin there. `ahead` keeps what each
    /// part found, so that the text is searched once.
    fn find(&self, text: &str, from: usize, ahead: &mut [Next]) -> Option<(usize, usize, &Kind)> {
        for (part, next) in self.parts.iter().zip(&mut *ahead) {
            if next.is_some_and(|(start, ..)| start < from) {
                *next = part.find(text, from);
            }
        }
        let found = self.parts.iter().zip(ahead).filter_map(|(part, next)| next.map(|next| (part, next)));
        let (part, (start, end, pattern)) = found.min_by_key(|(_, (start, end, _))| (*start, Reverse(*end)))?;
        Some((start, end, &part.kinds[pattern]))
    }

    fn redact(&self, text: &str, out: &mut Redacted) {
        let mut ahead: Vec<Next> = self.parts.iter().map(|part| part.find(text, 0)).collect();
        // `at` is what was copied, `from` where to look next, `seen` the end of the last stretch that is no JWT.
        let (mut at, mut from, mut seen) = (0, 0, 0);
        while let Some((start, end, kind)) = self.find(text, from, &mut ahead) {
            let rest = &text[start..];
            let run = if rest.starts_with("eyJ") && start >= seen { token_length(rest) } else { 0 };
            let hidden = match kind {
                Kind::Whole(label) => Some((end - start, label.to_string(), "")),
                Kind::Start => {
                    let (length, label) = self.start_of(rest);
                    Some((length, format!("start of {}", label.unwrap_or("a secret")), ""))
                }
                Kind::Jwt => None,
            };
            let hidden = match hidden {
                // A known token with more behind it: another signature, perhaps. A full stop is the sentence's.
                Some((length, label, _)) if length < run && rest[length..run].len() > 1 => match kind {
                    Kind::Whole(_) => Some((run, label, "…")),
                    _ => Some((run, jwt_label(&rest[..run]), "")),
                },
                None if run > 0 && is_signed(&rest[..run]) => Some((run, jwt_label(&rest[..run]), "")),
                other => other,
            };
            match hidden {
                Some((length, label, more)) => {
                    out.say(&text[at..start]);
                    out.hide(&label);
                    out.say(more);
                    at = start + length;
                    from = at;
                }
                None => {
                    seen = seen.max(start + run);
                    from = start + 3;
                }
            }
        }
        out.say(&text[at..]);
    }

    /// How much of the text is the start of a secret, and of which: of none in particular when several begin alike.
    fn start_of(&self, text: &str) -> (usize, Option<&str>) {
        let end = text.char_indices().nth(SHORTEST_START).map_or(text.len(), |(end, _)| end);
        let start = &text[..end];
        let mut best = (end, None);
        let alike = self.parts.iter().flat_map(|part| {
            let after = part.labels.range::<str, _>((Bound::Included(start), Bound::Unbounded));
            after.take_while(|(form, _)| form.starts_with(start))
        });
        for (form, label) in alike {
            let common = common_length(form, text);
            match best {
                (length, _) if common > length => best = (common, Some(&**label)),
                (length, None) if common == length => best = (common, Some(&**label)),
                (length, Some(other)) if common == length && other != &**label => best = (length, Some("a secret")),
                _ => {}
            }
        }
        best
    }
}

fn common_length(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
}

/// How far the characters of a JWT reach, full stops at the end left out.
fn token_length(text: &str) -> usize {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let length = text.bytes().take_while(|byte| is_token(byte)).count();
    text[..length].trim_end_matches('.').len()
}

fn is_signed(token: &str) -> bool {
    let parts: Vec<&str> = token.split('.').collect();
    parts.len() >= 3 && parts[0].len() > 3 && !parts[2].is_empty()
}

/// A JWT told by its header alone; the rest of it is nobody's business.
fn jwt_label(token: &str) -> String {
    let header = token.split('.').next().unwrap_or_default();
    let algorithm = URL_SAFE_NO_PAD.decode(header).ok().and_then(|json| {
        let header: serde_json::Value = serde_json::from_slice(&json).ok()?;
        let name = header.get("alg")?.as_str()?;
        (name.len() <= 16 && name.chars().all(|c| c.is_ascii_alphanumeric())).then(|| name.to_owned())
    });
    algorithm.map_or_else(|| "JWT".to_owned(), |name| format!("JWT alg={name}"))
}
