//! The translations: every sentence that a report can hold is there, and says as much as the original.
//!
//! The sentences are read off the sources. `UPDATE_DOCS=1 cargo test -- lang` puts new ones into the PO files, without a
//! translation, and takes out those that are gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs, iter,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use polib::{catalog::Catalog, message::Message, po_file};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use regex::Regex;
use rstest::rstest;
use siospec::lang::Lang;

use crate::harness::messages;

/// Where the sentences of reports are written.
const SOURCES: [&str; 11] = [
    "catalogue",
    "causes",
    "contract/pattern.rs",
    "gate",
    "lang/joints.rs",
    "probe",
    "report",
    "reproduce.rs",
    "runner",
    "verdict.rs",
    "wire",
];

/// Files whose texts are said one by one, be they a single word.
const SINGLE_WORDS: [&str; 8] = [
    "contract/pattern.rs",
    "report/words.rs",
    "lang/joints.rs",
    "report/github.rs",
    "report/markdown.rs",
    "report/scorecard.rs",
    "report/terminal.rs",
    "verdict.rs",
];

/// What these say is for developers, or is no sentence.
const NOT_SAID: [&str; 14] = [
    "panic",
    "unreachable",
    "assert",
    "assert_eq",
    "debug_assert",
    "todo",
    "include_str",
    "include_bytes",
    "env",
    "concat",
    "option_env",
    "expect",
    "cfg",
    "matches",
];

/// A sentence with its gaps numbered, and the files that say it.
type Sentences = BTreeMap<String, BTreeSet<String>>;

#[rstest]
#[test]
fn every_sentence_is_translated(#[values(Lang::Th)] lang: Lang) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("locales/{lang}.po"));
    let sentences = sentences();
    let mut catalog = po_file::parse(&path).expect("a PO file");
    if env::var_os("UPDATE_DOCS").is_some() {
        catalog = updated(&catalog, &sentences);
        po_file::write_to_file(&catalog, &path).expect("the file can be written");
    }
    let known: BTreeSet<&str> = catalog.messages().map(|message| message.msgid()).collect();
    let missing = sentences.keys().filter(|sentence| !known.contains(sentence.as_str()));
    let empty = catalog.messages().filter(|message| !message.is_translated()).map(|message| message.msgid());
    let open: Vec<String> = missing.map(String::as_str).chain(empty).map(|sentence| format!("{sentence:?}")).collect();
    assert!(
        open.is_empty(),
        "{} sentences lack a translation in locales/{lang}.po (`UPDATE_DOCS=1 cargo test -- lang` adds them to it):\n{}",
        open.len(),
        open.join("\n")
    );
    let gone: Vec<&&str> = known.iter().filter(|sentence| !sentences.contains_key(**sentence)).collect();
    assert!(gone.is_empty(), "locales/{lang}.po has sentences that nothing says: {gone:#?}");
}

#[rstest]
#[test]
fn a_translation_has_the_same_gaps_and_the_same_code(#[values(Lang::Th)] lang: Lang) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("locales/{lang}.po"));
    let catalog = po_file::parse(&path).expect("a PO file");
    let wrong: Vec<String> = catalog
        .messages()
        .filter(|message| message.is_translated())
        .filter_map(|message| {
            let translated = message.msgstr().ok()?;
            let same = fixed_parts(message.msgid()) == fixed_parts(translated);
            (!same).then(|| format!("{:?}\n{translated:?}", message.msgid()))
        })
        .collect();
    assert!(wrong.is_empty(), "{} translations change a gap, or code:\n{}", wrong.len(), wrong.join("\n\n"));
}

/// A sentence is put together from parts: that each has a translation does not mean that the whole is found.
#[rstest]
#[test]
fn what_the_checks_say_is_translated_to_the_end(#[values(Lang::Th)] lang: Lang) {
    let kept = fs::read_dir(messages::folder()).expect("the pinned messages");
    let mut left = BTreeSet::new();
    for path in
        kept.map(|file| file.expect("a file").path()).filter(|path| path.extension().is_some_and(|it| it == "snap"))
    {
        let file = fs::read_to_string(&path).expect("a text");
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        for text in messages::texts(&file) {
            let said = lang.say(&text);
            left.extend(english(&said).into_iter().map(|words| format!("{name}: {words:?} is left of {text:?}")));
        }
    }
    let left: Vec<String> = left.into_iter().collect();
    assert!(left.is_empty(), "{} pieces have no translation to {lang}:\n{}", left.len(), left.join("\n"));
}

/// The runs of four or more English words in a text, outside code, quotes, JSON, URLs and what goes over the wire.
fn english(text: &str) -> Vec<String> {
    static NO_WORDS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        let patterns = [
            "`[^`]*`",
            r#""([^"\\]|\\.)*""#,
            "“[^”]*”",
            "‹[^›]*›",
            r"(?s)[{\[].*[}\]]",
            r"\w+://\S*",
            // Header fields and status lines.
            r"(?m)^\s*[A-Za-z][A-Za-z-]*: .*$",
            r"HTTP \d{3}( [A-Z][A-Za-z]*)*",
            // Header names.
            r"\b(Vary|[A-Z][a-z]+(-[A-Z][a-z]+)+)\b",
        ];
        patterns.map(|pattern| Regex::new(pattern).expect("a pattern")).into()
    });
    let mut text = text.to_owned();
    for pattern in NO_WORDS.iter() {
        text = pattern.replace_all(&text, " | ").into_owned();
    }
    let is_word = |word: &str| {
        let word = word.trim_matches(|c: char| ",.;:()!?".contains(c));
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphabetic() || "'’-".contains(c))
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let runs = words.split(|word| !is_word(word)).filter(|run| run.len() >= 4);
    runs.map(|run| run.join(" ")).collect()
}

#[rstest]
#[case::whole("the server says nothing at all", &["the server says nothing at all"])]
#[case::rest("เซิร์ฟเวอร์ within the time given ตอบ", &["within the time given"])]
#[case::short("Bad Request ได้รับ end of stream", &[])]
#[case::quoted("ตอบ \"this is not our text\" และ `let it be here now`", &[])]
#[case::wire("40{\"message\":\"this is not ours\"} http://a.example/b c", &[])]
#[case::headers("HTTP 404 Not Found\nvary: this is the wire", &[])]
#[test]
fn english_that_is_left_is_found(#[case] text: &str, #[case] expected: &[&str]) {
    assert_eq!(english(text), expected);
}

/// What a translation must keep: gaps, and what stands in backticks.
fn fixed_parts(text: &str) -> BTreeSet<String> {
    let code = text.split('`').skip(1).step_by(2).map(str::to_owned);
    let gaps = (1..=99).map(|number| format!("{{{number}}}")).filter(|gap| text.contains(gap.as_str()));
    code.chain(gaps).collect()
}

fn updated(old: &Catalog, sentences: &Sentences) -> Catalog {
    let mut catalog = Catalog::new(old.metadata.clone());
    // A file's sentences together, for whoever translates them.
    let mut sentences: Vec<_> = sentences.iter().collect();
    sentences.sort_by_key(|(_, files)| files.first());
    for (sentence, files) in sentences {
        let translated =
            old.find_message(None, sentence, None).and_then(|message| message.msgstr().ok().map(str::to_owned));
        let mut message = Message::build_singular();
        message.with_msgid(sentence.clone()).with_msgstr(translated.unwrap_or_default());
        message.with_source(files.iter().cloned().collect::<Vec<_>>().join("\n"));
        catalog.append_or_update(message.done());
    }
    catalog
}

fn sentences() -> Sentences {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut sentences, mut seen) = (Sentences::new(), BTreeSet::new());
    for file in SOURCES.iter().flat_map(|source| files(&root.join(source))) {
        let name = file.strip_prefix(&root).expect("below it").to_string_lossy().replace('\\', "/");
        // The one names documents, the other reads what went over the wire.
        if name == "catalogue/cite.rs" || name == "causes/wire.rs" {
            continue;
        }
        let text = fs::read_to_string(&file).expect("a source file");
        let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        seen.insert(name.clone());
        let mut found = Vec::new();
        walk(tokens, &mut found, SINGLE_WORDS.contains(&name.as_str()));
        for sentence in found {
            sentences.entry(sentence).or_default().insert(format!("src/{name}"));
        }
    }
    for file in SINGLE_WORDS {
        assert!(seen.contains(file), "src/{file} is gone; what says its single words now?");
    }
    sentences
}

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut entries: Vec<PathBuf> =
        fs::read_dir(path).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    entries.iter().flat_map(|entry| files(entry)).filter(|file| file.extension().is_some_and(|it| it == "rs")).collect()
}

/// `always`: what is said as it stands may be a single word.
fn walk(tokens: TokenStream, found: &mut Vec<String>, always: bool) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                let inner = tokens[at + 1..].iter().take(2).find_map(|token| match token {
                    TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => Some(group.stream()),
                    _ => None,
                });
                if let Some(attribute) = inner {
                    at += 1;
                    let mut parts = attribute.into_iter();
                    if is_ident(parts.next().as_ref(), "error")
                        && let Some(TokenTree::Group(message)) = parts.next()
                    {
                        collect(message.stream(), found, true, false);
                    }
                    // The `!` of an inner attribute, and the attribute.
                    while !matches!(tokens[at], TokenTree::Group(_)) {
                        at += 1;
                    }
                }
            }
            TokenTree::Ident(ident) => {
                let name = ident.to_string();
                let is_macro = matches!(tokens.get(at + 1), Some(TokenTree::Punct(punct)) if punct.as_char() == '!');
                let group = match tokens.get(at + 1 + usize::from(is_macro)) {
                    Some(TokenTree::Group(group)) => Some(group.stream()),
                    _ => None,
                };
                if let Some(arguments) = group {
                    let skipped = NOT_SAID.contains(&name.as_str());
                    let template = is_macro && ["format", "write", "writeln"].contains(&name.as_str());
                    if skipped || template || name == "say" {
                        if !skipped {
                            collect(arguments, found, template, always || name == "say");
                        }
                        at += 1 + usize::from(is_macro);
                    }
                }
            }
            TokenTree::Group(group) => walk(group.stream(), found, always),
            TokenTree::Literal(literal) => found.extend(text_of(literal).filter(|text| is_said(text, always))),
            TokenTree::Punct(_) => {}
        }
        at += 1;
    }
}

/// The literals among a call's arguments: of a template the first is one, and all that follow are its parts.
fn collect(arguments: TokenStream, found: &mut Vec<String>, template: bool, always: bool) {
    let mut template = template;
    let mut rest = Vec::new();
    for token in arguments {
        match &token {
            TokenTree::Literal(literal) => {
                let Some(text) = text_of(literal) else { continue };
                let text = if std::mem::take(&mut template) { numbered(&text) } else { text };
                found.extend(Some(text).filter(|text| is_said(text, always)));
            }
            _ => rest.push(token),
        }
    }
    walk(rest.into_iter().collect(), found, always);
}

fn is_ident(token: Option<&TokenTree>, name: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(ident)) if ident == name)
}

fn text_of(literal: &proc_macro2::Literal) -> Option<String> {
    syn::parse_str::<syn::LitStr>(&literal.to_string()).ok().map(|literal| literal.value())
}

/// Whether a person would read it as language: it has two words, one after the other, outside gaps and code; or one,
/// where it is said as it stands.
fn is_said(text: &str, always: bool) -> bool {
    let outside: String = text.split('`').step_by(2).collect::<Vec<_>>().join("`");
    let words: Vec<bool> = outside
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphabetic()))
        .map(|word| word.len() > 1 && word.chars().all(|c| c.is_alphabetic() || "'’-".contains(c)))
        .collect();
    words.windows(2).any(|pair| pair == [true, true]) || (always && words.contains(&true))
}

/// A format string with its placeholders numbered in their order: `{name} of {}` is `{1} of {2}`.
fn numbered(format: &str) -> String {
    let mut out = String::new();
    let mut number = 0;
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '{' | '}' if chars.peek() == Some(&c) => {
                chars.next();
                out.push(c);
            }
            '{' => {
                iter::from_fn(|| chars.next_if(|c| *c != '}')).for_each(drop);
                chars.next();
                number += 1;
                out.push_str(&format!("{{{number}}}"));
            }
            c => out.push(c),
        }
    }
    out
}
