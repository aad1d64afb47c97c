//! What is said, as data.

use rstest::rstest;
use siospec::{
    lang::Lang,
    message::{Joint, Message, Piece, data, excerpt, list, quote, word},
    redact::Redactor,
    report::{Json, Kind},
    say,
    verdict::RunReport,
};

use crate::harness::TestResult;

const TOKEN: &str = "the secret of alice";

fn redactor() -> Redactor {
    let redactor = Redactor::new();
    redactor.conceal(TOKEN, "valid token of alice");
    redactor
}

#[rstest]
#[case::number(say!("{lost} of {sent} are lost", lost = 2_usize, sent = 200_u64), "2 of 200 are lost")]
#[case::same_twice(say!("{to} and {to}", to = word("a")), "a and a")]
#[case::time(say!("within {time}", time = std::time::Duration::from_micros(2_100_900)), "within 2s 100ms")]
#[case::braces(say!("40{data},{\"sid\":\"…\"} of {who}", data = data("/x"), who = word("b")), "40/x,{\"sid\":\"…\"} of b")]
#[case::no_gap("expects {{message}} and {client}".into(), "expects {{message}} and {client}")]
#[case::one(say!("{count} run" | "{count} runs", count = 1_usize), "1 run")]
#[case::many(say!("{count} run" | "{count} runs", count = 3_usize), "3 runs")]
#[case::none(say!("{count} run" | "{count} runs", count = 0_usize), "0 runs")]
#[case::and(say!("on {all}", all = list(["a", "b", "c"], Joint::And)), "on a, b and c")]
#[case::and_one(say!("on {all}", all = list(["a"], Joint::And)), "on a")]
#[case::comma(Message::list(["a", "b"], Joint::Comma), "a, b")]
#[case::nested(say!("{what}: {why}", what = say!("no {it}", it = word("sid")), why = "gone"), "no sid: gone")]
#[case::quote(say!("got {what}", what = quote("a \"b\"\n")), "got \"a \\\"b\\\"\\n\"")]
#[case::excerpt(say!("got {what}", what = excerpt("abcdef", 4)), "got abcd… (2 more characters)")]
// A gap in what is put into a gap is none.
#[case::no_gap_in_data(say!("{a} {b}", a = data("{b}"), b = word("x")), "{b} x")]
#[test]
fn a_message_is_its_template_with_its_arguments(#[case] message: Message, #[case] text: &str) {
    assert_eq!(message.text(), text);
    let stored = serde_json::to_string(&message).expect("JSON");
    assert_eq!(serde_json::from_str::<Message>(&stored).expect("a message"), message);
}

#[rstest]
#[test]
fn a_secret_is_told_from_a_text_that_looks_like_its_label() {
    let told = format!("‹valid token of alice› {TOKEN}");
    let message = say!("the target says {told}", told).redacted(&redactor(), 100);
    assert_eq!(message.text(), r"the target says \u{2039}valid token of alice\u{203a} ‹valid token of alice›");
    let stored = serde_json::to_string(&message).expect("JSON");
    assert!(!stored.contains(TOKEN) && stored.contains(r#"{"secret":"valid token of alice"}"#), "{stored}");
}

#[rstest]
#[test]
fn a_secret_is_hidden_before_a_text_is_cut() {
    let message = say!("got {told}", told = format!("abc {TOKEN}")).redacted(&redactor(), 8);
    assert_eq!(message.text(), "got abc ‹valid token of alice›");
}

#[rstest]
#[test]
fn a_backtick_of_the_target_begins_no_code() {
    let message = say!("`{event}` gives {told} and `x`", event = data("a`b"), told = data("`rm` "));
    let expected = [
        Piece::Code("a`b".into()),
        Piece::Words(" gives ".into()),
        Piece::Data("`rm` ".into()),
        Piece::Words(" and ".into()),
        Piece::Code("x".into()),
    ];
    assert_eq!(message.pieces(), expected);
}

#[rstest]
#[test]
async fn a_stored_report_is_shown_in_any_language() -> TestResult {
    let report = super::report::broken_in_many_ways().await;
    let mut stored = Vec::new();
    siospec::report::Format::write(&Json, &report, &Lang::EN, &mut stored)?;
    let read: RunReport = serde_json::from_slice(&stored)?;
    for lang in Lang::all() {
        let shown = |report: &RunReport| -> std::io::Result<String> {
            let mut bytes = Vec::new();
            let format = Kind::Markdown.format(None).expect("a format");
            format.write(&lang.report(report), &lang, &mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        assert_eq!(shown(&read)?, shown(&report)?, "{lang}");
    }
    Ok(())
}
