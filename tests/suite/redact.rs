//! Secrets in every form in which they turn up.

use std::time::Duration;

use rstest::rstest;
use siospec::{
    redact::Redactor,
    runner::reproduce::{Surroundings, by_hand},
    verdict::{Failure, script},
    wire::{Direction, Transcript},
};

use crate::harness::TestResult;

const HEAD: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

fn tokens() -> (Redactor, String, String) {
    let redactor = Redactor::new();
    let a = format!("{HEAD}.eyJzdWIiOiJhIn0.c2lnbmF0dXJlLW9mLWE");
    let b = format!("{HEAD}.eyJzdWIiOiJiIn0.c2lnbmF0dXJlLW9mLWI");
    redactor.conceal(&a, "valid token of a");
    redactor.conceal(&b, "forged token of b");
    (redactor, a, b)
}

#[rstest]
#[test]
fn a_token_is_replaced_by_its_label() {
    let (redactor, a, b) = tokens();
    assert_eq!(redactor.redact(&format!(r#"40{{"token":"{a}"}}"#)), r#"40{"token":"‹valid token of a›"}"#);
    assert_eq!(redactor.redact(&format!("{a}\u{1e}{b}.")), "‹valid token of a›\u{1e}‹forged token of b›.");
    assert_eq!(redactor.redact("nothing here, eyJ not either"), "nothing here, eyJ not either");
}

#[rstest]
#[case("a\"b\\c/ü d")]
#[case("p@ss word+%")]
#[case("plain-secret")]
#[test]
fn every_form_of_a_secret_is_found(#[case] secret: &str) {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
    let redactor = Redactor::new();
    redactor.conceal(secret, "s");
    let json = serde_json::to_string(secret).unwrap();
    let percent = siospec::redact::percent_encode(secret);
    let forms = [
        secret.to_owned(),
        json[1..json.len() - 1].to_owned(),
        percent.clone(),
        percent.replace("%20", "+"),
        STANDARD.encode(secret),
        STANDARD_NO_PAD.encode(secret),
        URL_SAFE.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
    ];
    for form in forms {
        assert_eq!(redactor.redact(&format!("x={form}&y")), "x=‹s›&y", "{form}");
    }
}

#[rstest]
#[test]
fn the_longest_secret_wins() {
    let redactor = Redactor::new();
    redactor.conceal("Bearer", "scheme");
    redactor.conceal("Bearer abcdef", "header");
    redactor.conceal("abcdef", "inner");
    assert_eq!(redactor.redact("Bearer abcdef, abcdef, Bearer"), "‹header›, ‹inner›, ‹scheme›");
}

#[rstest]
#[case("")]
#[case("abc")]
#[test]
fn a_very_short_secret_is_ignored(#[case] secret: &str) {
    let redactor = Redactor::new();
    redactor.conceal(secret, "s");
    assert_eq!(redactor.redact("abc abcd"), "abc abcd");
}

#[rstest]
#[test]
fn a_cut_token_is_hidden() {
    let (redactor, a, _) = tokens();
    assert_eq!(redactor.redact(&format!("{}…", &a[..55])), "‹start of valid token of a›…");
    let cut = redactor.redact(&format!("\"{}\"", &a[..20]));
    assert_eq!(cut, "\"‹start of a secret›\"");
    // All but the last character, signature begun.
    assert_eq!(redactor.redact(&a[..a.len() - 1]), "‹start of valid token of a›");
    assert_eq!(redactor.redact(&a[..15]), &a[..15]);
    let opaque = Redactor::new();
    opaque.conceal("0123456789abcdefghijklmnop", "session");
    assert_eq!(opaque.redact("<0123456789abcdefghi>"), "<‹start of session›>");
    assert_eq!(opaque.redact("0123456789abcdefgXYZ"), "‹start of session›XYZ");
}

#[rstest]
#[test]
fn an_unknown_jwt_keeps_no_signature() {
    let redactor = Redactor::new();
    let foreign = format!("{HEAD}.eyJzdWIiOiJ4In0.Zm9yZWlnbg");
    assert_eq!(
        redactor.redact(&format!("said\\n{foreign}, again {foreign}.")),
        "said\\n‹JWT alg=HS256›, again ‹JWT alg=HS256›."
    );
    // Also where a registered token begins alike, or is its prefix.
    let (redactor, a, _) = tokens();
    assert_eq!(redactor.redact(&foreign), "‹JWT alg=HS256›");
    let unsigned = a.rsplit_once('.').unwrap().0;
    redactor.conceal(unsigned, "token without signature");
    assert_eq!(redactor.redact(unsigned), "‹token without signature›");
    assert_eq!(redactor.redact(&format!("{unsigned}.b3RoZXIgc2lnbmF0dXJl")), "‹token without signature›…");
}

#[rstest]
#[test]
fn the_segments_of_a_token_are_hidden_by_themselves() {
    const PAYLOAD: &str = "eyJzdWIiOiJhbGljZSIsImV4cCI6MX0";
    const SIGNATURE: &str = "c2lnbmF0dXJlLW9mLWFsaWNl";
    let redactor = Redactor::new();
    redactor.conceal(&format!("{HEAD}.{PAYLOAD}.{SIGNATURE}"), "valid token of alice");
    let shown = |text: &str| redactor.redact(text);
    assert_eq!(shown(&format!("claims {PAYLOAD}, said")), "claims ‹payload of valid token of alice›, said");
    assert_eq!(shown(&format!("sig={SIGNATURE}&x")), "sig=‹signature of valid token of alice›&x");
    // Without its header, cut off, and spread over a JSON array.
    assert_eq!(shown(&format!("…{PAYLOAD}.{SIGNATURE}")), "…‹payload of valid token of alice›…");
    assert_eq!(shown(&PAYLOAD[..20]), "‹start of payload of valid token of alice›");
    assert_eq!(
        shown(&format!(r#"["{HEAD}","{PAYLOAD}","{SIGNATURE}"]"#)),
        r#"["‹start of valid token of alice›","‹payload of valid token of alice›","‹signature of valid token of alice›"]"#
    );
    // The whole one is still told by its own label.
    assert_eq!(shown(&format!("{HEAD}.{PAYLOAD}.{SIGNATURE}")), "‹valid token of alice›");
}

#[rstest]
#[test]
fn a_segment_that_tells_nothing_stays() {
    let redactor = Redactor::new();
    redactor.conceal(&format!("{HEAD}.e30."), "unsigned token");
    redactor.conceal("www.an-example-of-a-name.example", "host");
    assert_eq!(redactor.redact("e30 an-example-of-a-name"), "e30 an-example-of-a-name");
}

#[rstest]
#[test]
fn clones_share_what_is_registered() {
    let redactor = Redactor::new();
    let clone = redactor.clone();
    assert_eq!(clone.redact("hunter2"), "hunter2");
    redactor.conceal("hunter2", "password");
    assert_eq!(clone.redact("hunter2"), "‹password›");
}

#[rstest]
#[test]
fn what_it_takes_grows_with_the_text_alone() {
    let (redactor, a, _) = tokens();
    for n in 0..200 {
        redactor.conceal(&format!("{HEAD}.eyJuIjoxMjM0NTY3ODkwfQ{n}.c2lnbmF0dXJlLW9mLWE{n}"), "other");
    }
    let hostile =
        ["eyJ".repeat(300_000), format!("{HEAD}.").repeat(20_000), a[..30].repeat(30_000), "a.".repeat(500_000)];
    // Of this thread alone: what else the machine does meanwhile is no part of it.
    let took = |text: &str| {
        let now =
            || Duration::try_from(rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime)).expect("a time");
        let begun = now();
        redactor.redact(text);
        now() - begun
    };
    const PART: u32 = 8;
    // Below that, memory that is asked for the first time is what takes time.
    const RESOLUTION: Duration = Duration::from_millis(1);
    for text in hostile {
        let part = &text[..text.len() / PART as usize];
        // The first one readies the redactor.
        let small = (0..3).map(|_| took(part)).min().expect("three").max(RESOLUTION);
        let large = took(&text);
        // Eight times as much, and not sixty-four.
        assert!(large < 3 * PART * small, "{large:?}, and {small:?} for an eighth, for {}…", &text[..12]);
    }
}

/// A target that writes what looks like a label has it quoted in the commands that a report offers; a real label is a variable.
#[rstest]
#[test]
fn no_target_can_write_a_label() -> TestResult {
    const SID: &str = "‹value of x$(touch pwned)›";
    let redactor = Redactor::new();
    redactor.conceal("the secret of alice", "valid token of alice");
    let transcript = Transcript::new(redactor);
    let sent = |text: &str| transcript.record("a", Direction::Sent, text);
    sent("GET /socket.io/?EIO=4&transport=websocket&t=1\nUpgrade: websocket");
    sent(r#"40{"token":"the secret of alice"}"#);
    sent(&format!(r#"42["join_room","{SID}"]"#));
    let failure = Failure {
        reason: "It does not work over WebSocket".into(),
        sent: "".into(),
        received: "".into(),
        expected: "".into(),
        extent: None,
    };
    let origin = "http://127.0.0.1:1".parse()?;
    let around = Surroundings { origin: &origin, headers: vec!["x-key$(touch pwned)"], start: None };
    let commands = script(&by_hand(&around, &failure, &transcript.lines()));
    assert!(commands.contains(&format!(r#"'42["join_room","{SID}"]'"#)), "{commands}");
    assert!(commands.contains(r#"'40{"token":"'"$TOKEN"'"}'"#), "{commands}");
    assert!(commands.contains(r#"'x-key$(touch pwned): '"$X_KEY__TOUCH_PWNED_""#), "{commands}");
    assert!(commands.contains("# $TOKEN: valid token of alice"), "{commands}");
    let shown: Vec<String> = transcript.entries().into_iter().map(|entry| entry.text).collect();
    assert_eq!(
        shown[1..],
        [r#"40{"token":"‹valid token of alice›"}"#.to_owned(), format!(r#"42["join_room","{SID}"]"#)]
    );
    Ok(())
}
