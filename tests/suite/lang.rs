//! The translations: every sentence that a report can hold is there, and says as much as the original.
//!
//! The sentences are read off the sources. `UPDATE_DOCS=1 cargo test -- lang` puts new ones into the PO files, without a
//! translation, and takes out those that are gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use polib::{
    catalog::Catalog,
    message::{Message, MessageView},
    po_file,
};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use regex::Regex;
use rstest::rstest;
use siospec::{
    lang::Lang,
    report::Kind,
    verdict::{CheckResult, RunReport, Step},
};

use crate::harness::TestResult;

/// Where the sentences of reports are written.
const SOURCES: [&str; 12] = [
    "catalogue",
    "causes",
    "cli/run.rs",
    "cli/wait.rs",
    "contract/pattern.rs",
    "gate",
    "message.rs",
    "probe",
    "report",
    "runner",
    "verdict.rs",
    "wire",
];

/// Files whose texts are said one by one, be they a single word.
const SINGLE_WORDS: [&str; 7] = [
    "contract/pattern.rs",
    "report/words.rs",
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

/// Where all that is put together is said in reports, but for commands, and for the labels of tokens.
const SAID: [&str; 5] = ["catalogue/", "causes/", "contract/pattern.rs", "probe/", "runner/mod.rs"];

/// What is said somewhere, by its text: a whole sentence, or one with gaps.
type Sentences = BTreeMap<String, Sentence>;

#[derive(Default)]
struct Sentence {
    /// The form for any number but one.
    many: Option<String>,
    files: BTreeSet<String>,
}

#[rstest]
#[test]
fn every_sentence_is_translated() {
    for lang in Lang::all().filter(|lang| *lang != Lang::EN) {
        assert_all_translated(lang.code());
    }
}

fn assert_all_translated(lang: &str) {
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
        "{} sentences lack a translation in locales/{lang}.po ({}):\n{}",
        open.len(),
        if env::var_os("UPDATE_DOCS").is_some() {
            "each is there with an empty text by now, for a translator"
        } else {
            "`UPDATE_DOCS=1 cargo test -- lang::` adds them to it"
        },
        open.join("\n")
    );
    let gone: Vec<&&str> = known.iter().filter(|sentence| !sentences.contains_key(**sentence)).collect();
    assert!(gone.is_empty(), "locales/{lang}.po has sentences that nothing says: {gone:#?}");
}

#[rstest]
#[test]
fn a_translation_has_the_same_gaps_and_the_same_code() {
    for lang in Lang::all().filter(|lang| *lang != Lang::EN) {
        assert_same_parts(lang.code());
    }
}

fn assert_same_parts(lang: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("locales/{lang}.po"));
    let catalog = po_file::parse(&path).expect("a PO file");
    let wrong: Vec<String> = catalog
        .messages()
        .filter(|message| message.is_translated())
        .flat_map(|message| {
            let forms = forms(message);
            let is_wrong = |translated: &String| fixed_parts(message.msgid()) != fixed_parts(translated);
            let shown = |translated: String| format!("{:?}\n{translated:?}", message.msgid());
            forms.into_iter().filter(is_wrong).map(shown).collect::<Vec<_>>()
        })
        .collect();
    assert!(wrong.is_empty(), "{} translations change a gap, or code:\n{}", wrong.len(), wrong.join("\n\n"));
}

/// A language that does not exist: each text of ours between brackets. Whatever stands outside of them was not translated.
fn pseudo() -> Lang {
    static PSEUDO: LazyLock<Lang> = LazyLock::new(|| {
        let mut po =
            "msgid \"\"\nmsgstr \"\"\n\"Language: qps\\n\"\n\"Plural-Forms: nplurals=2; plural=(n != 1);\\n\"\n"
                .to_owned();
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        for (one, sentence) in sentences() {
            let own = |text: &str| quoted(&format!("⟦{text}⟧"));
            po += &match &sentence.many {
                None => format!("\nmsgid {}\nmsgstr {}\n", quoted(&one), own(&one)),
                Some(many) => format!(
                    "\nmsgid {}\nmsgid_plural {}\nmsgstr[0] {}\nmsgstr[1] {}\n",
                    quoted(&one),
                    quoted(many),
                    own(&one),
                    own(many)
                ),
            };
        }
        Lang::read("qps", &po).expect("a PO file")
    });
    *PSEUDO
}

/// All that these runs say is said in any language: every template is found, and what is not ours stays as it is.
pub fn assert_translated<'a>(reports: impl IntoIterator<Item = &'a RunReport>) {
    let mut left = BTreeSet::new();
    for report in reports {
        let mut report = report.clone();
        for message in report.results.iter_mut().flat_map(CheckResult::messages_mut).chain(&mut report.notes) {
            let said = pseudo().translated(message);
            let is_left = |template: &&str| !template.starts_with('⟦') && is_said(template, true);
            left.extend(
                said.templates().into_iter().filter(is_left).map(|template| format!("{template:?} of {message:?}")),
            );
            assert_eq!(message.others(), said.others(), "what is not ours was changed in {message:?}");
            // What a variable of the script stands for is the label of a secret.
            let texts = message.others().into_iter().filter(|text| !text.starts_with('$'));
            let ours = texts.flat_map(|text| english(&text)).filter(|words| !is_theirs(words));
            left.extend(ours.map(|words| format!("{words:?} is no data in {message:?}")));
            // Code of ours that is data is not shown as code.
            let code = message.others().into_iter().filter(|text| text.matches('`').count() > 1);
            left.extend(code.map(|text| format!("{text:?} is no data in {message:?}")));
        }
    }
    assert!(left.is_empty(), "{} templates have no translation:\n{}", left.len(), Vec::from_iter(left).join("\n"));
}

#[rstest]
#[test]
async fn every_format_is_in_one_language() -> TestResult {
    let mut report = crate::suite::report::broken_in_many_ways().await;
    assert_translated([&report]);
    // Commands are no language.
    for result in &mut report.results {
        result.by_hand.retain(|step| matches!(step, Step::Comment(_)));
    }
    let lang = pseudo();
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Json) {
        let mut bytes = Vec::new();
        kind.format(Some(Path::new("badge.svg"))).expect("a format").write(&lang.report(&report), &lang, &mut bytes)?;
        let text = String::from_utf8(bytes)?;
        let left = english(&ours_taken_out(&text));
        assert!(left.is_empty(), "{}: not in brackets: {left:#?}", kind.name());
    }
    Ok(())
}

/// Whether the reference server, or the system, says this.
fn is_theirs(words: &str) -> bool {
    let theirs = ["Connection reset without closing handshake"];
    theirs.iter().any(|text| words.contains(text))
}

/// The text without what stands between the brackets, which may stand in each other.
fn ours_taken_out(text: &str) -> String {
    let mut depth = 0_usize;
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '⟦' => depth += 1,
            '⟧' => depth = depth.saturating_sub(1),
            c if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out
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
    static GAP: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\{[a-z0-9_]+\}").expect("a pattern"));
    let code = text.split('`').skip(1).step_by(2).map(str::to_owned);
    code.chain(GAP.find_iter(text).map(|gap| gap.as_str().to_owned())).collect()
}

/// The translations of a sentence: one, or one for each form.
fn forms(message: &dyn MessageView) -> Vec<String> {
    match message.is_plural() {
        true => message.msgstr_plural().cloned().unwrap_or_default(),
        false => message.msgstr().map(str::to_owned).into_iter().collect(),
    }
}

fn updated(old: &Catalog, sentences: &Sentences) -> Catalog {
    let mut catalog = Catalog::new(old.metadata.clone());
    // A file's sentences together, for whoever translates them.
    let mut sentences: Vec<_> = sentences.iter().collect();
    sentences.sort_by_key(|(_, sentence)| sentence.files.first());
    for (text, Sentence { many, files }) in sentences {
        let translated = old.find_message(None, text, many.as_deref()).or_else(|| old.find_message(None, text, None));
        let mut forms = translated.map(forms).unwrap_or_default();
        let first = forms.first().cloned().unwrap_or_default();
        let mut message = match many {
            Some(many) => {
                forms.resize(old.metadata.plural_rules.nplurals, first);
                let mut message = Message::build_plural();
                message.with_msgid_plural(many.clone()).with_msgstr_plural(forms);
                message
            }
            None => {
                let mut message = Message::build_singular();
                message.with_msgstr(first);
                message
            }
        };
        message.with_msgid(text.clone()).with_source(files.iter().cloned().collect::<Vec<_>>().join("\n"));
        catalog.append_or_update(message.done());
    }
    catalog
}

fn sentences() -> Sentences {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut sentences, mut seen, mut formatted) = (Sentences::new(), BTreeSet::new(), Vec::new());
    for file in SOURCES.iter().flat_map(|source| files(&root.join(source))) {
        let name = file.strip_prefix(&root).expect("below it").to_string_lossy().replace('\\', "/");
        // These name documents, answer the command line, and read what went over the wire.
        if ["catalogue/cite.rs", "catalogue/selection.rs", "gate/waive.rs", "causes/wire.rs", "wire/entry.rs"]
            .contains(&name.as_str())
        {
            continue;
        }
        let text = fs::read_to_string(&file).expect("a source file");
        let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        seen.insert(name.clone());
        let mut found = Found::default();
        walk(tokens, &mut found, SINGLE_WORDS.contains(&name.as_str()));
        if SAID.iter().any(|said| name.starts_with(said)) && name != "probe/tokens.rs" {
            let formatted_here =
                found.formatted.into_iter().filter(|text| !text.starts_with("siospec ") && !text.contains("--"));
            formatted.extend(formatted_here.map(|text| format!("src/{name}: {text:?}")));
        }
        // The command line's own complaints are in English.
        let literals = found.literals.into_iter().filter(|_| !name.starts_with("cli/"));
        for (text, many) in literals.map(|text| (text, None)).chain(found.said) {
            let sentence = sentences.entry(text).or_default();
            sentence.many = sentence.many.take().or(many);
            sentence.files.insert(format!("src/{name}"));
        }
    }
    assert!(
        formatted.is_empty(),
        "no translation finds what `format!` has put together; say it by `say!`: {formatted:#?}"
    );
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

/// What a file says.
#[derive(Default)]
struct Found {
    /// What `say!` says, with its form for any number but one.
    said: Vec<(String, Option<String>)>,
    /// Other texts that look like language.
    literals: Vec<String>,
    /// What looks like language and is put together by `format!`.
    formatted: Vec<String>,
}

/// `always`: what is said as it stands may be a single word.
fn walk(tokens: TokenStream, found: &mut Found, always: bool) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                let inner = tokens[at + 1..].iter().take(2).position(
                    |token| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket),
                );
                // An attribute says nothing.
                at += inner.map_or(0, |offset| offset + 1);
            }
            TokenTree::Ident(ident) => {
                let name = ident.to_string();
                let is_macro = matches!(tokens.get(at + 1), Some(TokenTree::Punct(punct)) if punct.as_char() == '!');
                let group = match tokens.get(at + 1 + usize::from(is_macro)) {
                    Some(TokenTree::Group(group)) => Some(group.stream()),
                    _ => None,
                };
                if let Some(arguments) = group {
                    let is_skipped = NOT_SAID.contains(&name.as_str());
                    let is_format = is_macro && ["format", "write", "writeln"].contains(&name.as_str());
                    let is_said = ["say", "said"].contains(&name.as_str());
                    if ["wait", "next_packet", "next"].contains(&name.as_str()) {
                        // What was waited for, as an error names it.
                        let first = arguments.clone().into_iter().next();
                        let first = first.and_then(|token| match token {
                            TokenTree::Literal(literal) => text_of(&literal),
                            _ => None,
                        });
                        found.literals.extend(first);
                    }
                    if is_said || is_format {
                        collect(arguments, found, if is_said { Form::Said } else { Form::Formatted }, always);
                    }
                    if is_said || is_format || is_skipped {
                        at += 1 + usize::from(is_macro);
                    }
                }
            }
            TokenTree::Group(group) => walk(group.stream(), found, always),
            TokenTree::Literal(literal) => {
                found.literals.extend(text_of(literal).filter(|text| is_said(text, always)));
            }
            TokenTree::Punct(_) => {}
        }
        at += 1;
    }
}

#[derive(PartialEq)]
enum Form {
    /// `say!("…", …)`, `say!("…" | "…", …)`, or `lang.say("…")`.
    Said,
    /// `format!("…", …)`
    Formatted,
}

/// What a call says: its first literals, and what stands among its arguments.
fn collect(arguments: TokenStream, found: &mut Found, form: Form, always: bool) {
    let tokens: Vec<TokenTree> = arguments.into_iter().collect();
    let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    // `write!` has its target first.
    let is_literal = |token: &TokenTree| matches!(token, TokenTree::Literal(_));
    let begin = if form == Form::Formatted { tokens.iter().position(is_literal).unwrap_or_default() } else { 0 };
    let first = tokens[begin..].iter().position(is_comma).map_or(tokens.len(), |at| begin + at);
    let texts: Vec<String> = tokens[begin..first]
        .iter()
        .filter_map(|token| match token {
            TokenTree::Literal(literal) => text_of(literal),
            _ => None,
        })
        .collect();
    let rest = if texts.is_empty() { &tokens[..] } else { &tokens[first..] };
    match (form, &texts[..]) {
        (Form::Said, [one, many @ ..]) if is_said(one, true) => {
            found.said.push((one.clone(), many.first().cloned()));
        }
        (Form::Formatted, [text, ..]) if is_said(&without_gaps(text), false) => found.formatted.push(text.clone()),
        _ => {}
    }
    walk(rest.iter().cloned().collect(), found, always);
}

fn text_of(literal: &proc_macro2::Literal) -> Option<String> {
    syn::parse_str::<syn::LitStr>(&literal.to_string()).ok().map(|literal| literal.value())
}

/// Whether a person would read it as language: it has two words outside gaps and code; or one, where it is said as it stands.
fn is_said(text: &str, always: bool) -> bool {
    let text = without_gaps(text);
    let outside: String = text.split('`').step_by(2).collect::<Vec<_>>().join("`");
    // `GET` and `CONNECT` are the same in every language.
    let is_word = |word: &str| {
        let is_language = word.chars().all(|c| c.is_alphabetic() || "'’-".contains(c));
        is_language && word.starts_with(char::is_alphabetic) && word.chars().any(char::is_lowercase)
    };
    let words = outside.split_whitespace().map(|word| word.trim_matches(|c: char| ".,;:()?!×–…“”\"".contains(c)));
    let number = words.filter(|word| is_word(word)).count();
    number > 1 || (always && number > 0)
}

/// A format string without what stands in its gaps.
fn without_gaps(format: &str) -> String {
    static GAP: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\{[^{}]*\}").expect("a pattern"));
    GAP.replace_all(format, "{}").into_owned()
}
