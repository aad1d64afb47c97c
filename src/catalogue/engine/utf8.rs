//! Text survives the way to the server and back unchanged, over both transports: letters of two and three bytes, emoji and
//! other characters outside the first 65,536, line separators, an embedded NUL, and more that code tends to forget.
//!
//! Each text goes by an event whose acknowledgement holds the message, or by a room. The contract says of both that the message
//! arrives, so that each text must come back. An application may refuse one (a database that takes no NUL), if it tells the
//! sender so by an event: that is noted. Where it says nothing, control characters that a room message loses weigh less.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    message::{Message, data, quote},
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
    effects: &[],
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
    let mut refused = 0;
    for (index, (what, text)) in TEXTS.iter().enumerate() {
        let missing: Vec<Transport> =
            returned.iter().filter(|look| look.back[index] == Back::Lost).map(|look| look.over).collect();
        let told = returned.iter().find_map(|look| match &look.back[index] {
            Back::Refused(told) => Some(told),
            Back::Whole | Back::Lost => None,
        });
        match (&missing[..], told) {
            ([], None) => {}
            (_, Some(told)) => {
                refused += 1;
                probe.note(say!("lawful choice: a text with {what} is refused: {told}", what, told));
            }
            ([one], None) if returned.len() > 1 => {
                return fail(say!("A text with {what} does not come back over {one}", what, one))
                    .sent(quote(text))
                    .received("no answer in time")
                    .expected("the same text, as over the other transport")
                    .stop();
            }
            ([_, ..], None) => {
                let finding =
                    fail(say!("A text with {what} does not come back, though the contract says it is sent back", what))
                        .sent(quote(text))
                        .received("no answer in time, over any transport")
                        .expected(returned[0].promise);
                // Whoever speaks in a room does not miss these, and many a database takes none.
                let is_dispensable = !returned[0].is_declared && text.chars().any(char::is_control);
                return if is_dispensable { finding.at(Level::Should) } else { finding }.stop();
            }
        }
    }
    if refused == TEXTS.len() {
        return Err(Stop::Skip("no text beyond ASCII comes back: the application seems to refuse them".into()));
    }
    Ok(())
}

/// What came back over one transport.
struct Look {
    over: Transport,
    /// Text by text.
    back: Vec<Back>,
    /// What the contract says.
    promise: &'static str,
    is_declared: bool,
}

#[derive(PartialEq, Eq)]
enum Back {
    Whole,
    Lost,
    Refused(Message),
}

/// Sends every text; which of them came back. One that came back as another, or ended the connection, is a failure.
async fn returned(probe: &Probe, transport: Transport) -> Result<Look, Stop> {
    let mut echo = probe.echo(transport).await?;
    let mut back = Vec::new();
    for (what, text) in TEXTS {
        let (how, received, has_ended) = match echo.text(text).await? {
            Echoed::Unchanged => {
                back.push(Back::Whole);
                continue;
            }
            Echoed::Nothing => {
                back.push(Back::Lost);
                continue;
            }
            Echoed::Refused(told) => {
                back.push(Back::Refused(told));
                continue;
            }
            Echoed::Changed(found) => ("comes back changed", found, false),
            Echoed::Closed(how) => ("ends the connection", how, true),
        };
        let finding = fail(say!("A text with {what} {how} over {transport}", what, how, transport))
            .sent(say!(
                "{event} with {text} ({chars} characters)",
                event = data(echo.event()),
                text = quote(text),
                chars = text.chars().count()
            ))
            .received(received)
            .expected("the same text");
        return if has_ended { finding.doubtful() } else { finding }.stop();
    }
    Ok(Look { over: transport, back, promise: echo.promise(), is_declared: echo.is_declared() })
}
