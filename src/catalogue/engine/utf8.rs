//! Text survives the way to the server and back unchanged, over both transports: letters of two and three bytes, emoji and
//! other characters outside the first 65,536, line separators, an embedded NUL, and more that code tends to forget.
//!
//! Each text goes by an event whose acknowledgement holds the message, or by a room. Where the contract says that the
//! acknowledgement holds what was sent, each text must come back. An application may refuse a room message (a database that
//! takes no NUL): one that comes back over no transport is noted; one that comes back over one transport and not over the
//! other is a failure.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    contract::Ack,
    mock::Fault,
    probe::{Echoed, Probe, Stop, Verdict, confirmed, fail, in_order},
    verdict::{Level, Row},
    wire::Transport,
};

pub const CHECK: Check = Check {
    id: "engine.utf8",
    title: "Text of any language comes back unchanged",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::EIO_HEADERS, cite::EIO_POLLING, cite::EIO_WEBSOCKET],
    needs: &[Need::Connect, Need::Echo],
    requires: &["auth.valid-token"],
    isolation: Isolation::SideBySide,
    wait: Wait::None,
    meaning: "Names, messages and emoji turn into other characters, or cut the message off, for some users only: those \
              whose network lets them use one transport.",
    fix: "Hand the request to the engine as it came: no body parser, decoder or compression in between may read it as \
          anything but UTF-8 (`Content-Type: text/plain; charset=UTF-8`), and none may count characters where it needs \
          bytes (`Buffer.byteLength(text)`, not `text.length`, for Content-Length).",
    effort: Effort::Hours,
    faults: &[Fault::ManglesAstral, Fault::ReadsPostsAsLatin1, Fault::LosesAstral],
    run: |probe| Box::pin(run(probe)),
};

/// What is sent, and what it is.
const TEXTS: [(&str, &str); 7] = [
    ("letters of two bytes", "[äöüßñé Ωжш]"),
    ("letters of three bytes", "[日本語 한국어 ไทย €]"),
    ("characters outside the first 65,536", "[😀 𝒳 👩‍👩‍👧 🇩🇪]"),
    ("the separators U+2028 and U+2029", "[a\u{2028}b\u{2029}c]"),
    ("an embedded NUL", "[a\0b]"),
    ("the separator of polling payloads, U+001E", "[a\u{1e}b]"),
    ("letters in two code points", "[e\u{301} A\u{30a}]"),
];

async fn run(probe: &Probe) -> Verdict {
    let returned =
        in_order(probe.transports().into_iter().map(|transport| confirmed(probe, move || returned(probe, transport))))
            .await?;
    let promised = probe.contract().ack.as_ref().is_some_and(Ack::echoes);
    let mut refused = 0;
    for (index, (what, text)) in TEXTS.iter().enumerate() {
        let missing: Vec<Transport> = returned.iter().filter(|(_, back)| !back[index]).map(|(over, _)| *over).collect();
        match missing[..] {
            [] => {}
            [one] if returned.len() > 1 => {
                return fail(format!("A text with {what} does not come back over {one}"))
                    .sent(format!("{text:?}"))
                    .received("no answer in time")
                    .expected("the same text, as over the other transport")
                    .stop();
            }
            _ if promised => {
                return fail(format!(
                    "A text with {what} does not come back, though the contract says it is sent back"
                ))
                .sent(format!("{text:?}"))
                .received("no answer in time, over any transport")
                .expected("the same text in the acknowledgement (ack.event, ack.reply)")
                .stop();
            }
            _ => {
                refused += 1;
                probe
                    .note(format!("a text with {what} is taken and does not come back; the application may refuse it"));
            }
        }
    }
    if refused == TEXTS.len() {
        return Err(Stop::Skip("no text beyond ASCII comes back: the application seems to refuse them".into()));
    }
    Ok(())
}

/// Sends every text; which of them came back. One that came back as another, or ended the connection, is a failure.
async fn returned(probe: &Probe, transport: Transport) -> Result<(Transport, Vec<bool>), Stop> {
    let mut echo = probe.echo(transport).await?;
    let mut back = Vec::new();
    for (what, text) in TEXTS {
        let (how, received, has_ended) = match echo.text(text).await? {
            Echoed::Unchanged => {
                back.push(true);
                continue;
            }
            Echoed::Nothing => {
                back.push(false);
                continue;
            }
            Echoed::Changed(found) => ("comes back changed", found, false),
            Echoed::Closed(how) => ("ends the connection", how, true),
        };
        let finding = fail(format!("A text with {what} {how} over {transport}"))
            .sent(format!("{} with {text:?} ({} characters)", echo.event(), text.chars().count()))
            .received(received)
            .expected("the same text");
        return if has_ended { finding.doubtful() } else { finding }.stop();
    }
    Ok((transport, back))
}
