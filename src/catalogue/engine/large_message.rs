//! A message just under `maxPayload` passes, over both transports and in both directions: it comes back whole.
//!
//! It goes by an event whose acknowledgement holds the message, or by a room. The contract says of both that the message
//! arrives, so that it must come back. By a room alone, the application may bound what is said there, if it tells the sender so
//! by an event; where it says nothing the loss weighs less than where an acknowledgement was declared to give messages back. A
//! limit of more than 3 MB is not filled, and nothing is sent that is over the limit.

use super::payload_limit;
use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    message::{Message, data},
    probe::{Echoed, Probe, Stop, Verdict, confirmed, fail, in_order},
    verdict::{Level, Row},
    wire::Transport,
};

pub const CHECK: Check = Check {
    id: "engine.large-message",
    title: "A message just under maxPayload passes in both directions",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::EIO_HANDSHAKE, cite::SIO_MAX_PAYLOAD],
    needs: &[Need::Connect, Need::Echo],
    requires: &["auth.valid-token"],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Heavy],
    wait: Wait::None,
    meaning: "A picture or a long text within the advertised limit ends the connection, over and over, because the \
              client sends it again after each reconnect.",
    fix: "Let what stands in between take as much as the server: the proxy's limit for request bodies (nginx: \
          `client_max_body_size`) and for WebSocket messages must not be lower than `maxHttpBufferSize` (1 MB by default), \
          which is what the handshake advertises.",
    effort: Effort::Hours,
    faults: &[Fault::LimitsBelowMaxPayload, Fault::CannotSendLargeMessages, Fault::LosesLargeMessages],
    run: |probe| Box::pin(run(probe)),
};

/// Bytes that are left free below the limit.
const SPARE: usize = 64;
/// The largest message that is sent, in bytes; siospec itself takes no answer of more than 4 MiB.
const MAX_MESSAGE: usize = 3_000_000;

async fn run(probe: &Probe) -> Verdict {
    let limit = payload_limit(probe)?;
    if limit > MAX_MESSAGE {
        probe.note(say!("judged by {sent} bytes: maxPayload is {limit}", sent = MAX_MESSAGE, limit));
    }
    let size = limit.min(MAX_MESSAGE);
    let returned =
        probe.transports().into_iter().map(|transport| confirmed(probe, move || returns(probe, transport, size)));
    let returned = in_order(returned).await?;
    if let Some(told) = returned.iter().find_map(|look| look.refusal.as_ref()) {
        return Err(Stop::Skip(say!(
            "the transport takes a message just under maxPayload, and the application refuses it ({told}): declare an \
             event that returns texts of any length (ack.event, ack.reply)",
            told
        )));
    }
    let lost: Vec<&Look> = returned.iter().filter(|look| !look.is_whole).collect();
    let (reason, expected) = match lost[..] {
        [] => return Ok(()),
        [one] if returned.len() > 1 => (
            say!("A message just under maxPayload does not come back over {over}", over = one.over),
            "the same text, as over the other transport",
        ),
        [one, ..] => (
            "A message just under maxPayload does not come back, though the contract says it is sent back".into(),
            one.promise,
        ),
    };
    let finding = fail(reason)
        .sent(say!("{event} with a text of about {size} bytes", event = lost[0].event, size))
        .received("no answer in time, and the connection stays open")
        .expected(expected);
    // An application that bounds its messages everywhere is no transport that loses them.
    let may_be_bounded = lost.len() == returned.len() && !lost[0].is_declared;
    if may_be_bounded { finding.at(Level::Should) } else { finding }.stop()
}

/// What came of the message over one transport.
struct Look {
    over: Transport,
    is_whole: bool,
    /// What the application said in place of it.
    refusal: Option<Message>,
    event: String,
    promise: &'static str,
    is_declared: bool,
}

/// Sends a message of about `size` bytes; whether it comes back whole, or not at all.
async fn returns(probe: &Probe, transport: Transport, size: usize) -> Result<Look, Stop> {
    let mut echo = probe.echo(transport).await?;
    let Some(length) = size.checked_sub(echo.envelope() + SPARE).filter(|length| *length > 0) else {
        return Err(Stop::Skip(say!("maxPayload is {size} bytes, which leaves no room for a message", size)));
    };
    let mut look = Look {
        over: transport,
        is_whole: true,
        refusal: None,
        event: echo.event().to_owned(),
        promise: echo.promise(),
        is_declared: echo.is_declared(),
    };
    let (what, received, has_ended) = match echo.text(&"x".repeat(length)).await? {
        Echoed::Unchanged => return Ok(look),
        Echoed::Refused(told) => {
            (look.is_whole, look.refusal) = (false, Some(told));
            return Ok(look);
        }
        Echoed::Nothing => {
            look.is_whole = false;
            // A connection that still works took the message; one that is stuck proves nothing.
            return match echo.text("afterwards").await? {
                Echoed::Unchanged => Ok(look),
                other => Err(Stop::Broken(say!(
                    "a message of {size} bytes is not answered over {transport} within the deadline, nor is a short \
                     one after it ({told}); is the network too slow for it?",
                    size,
                    transport,
                    told = other.told()
                ))),
            };
        }
        Echoed::Changed(found) => ("comes back changed", found, false),
        Echoed::Closed(how) => ("ends the connection", how, true),
    };
    let finding = fail(say!("A message just under maxPayload {what} over {transport}", what, transport))
        .sent(say!("{event} with a text of {length} bytes", event = data(echo.event()), length))
        .received(received)
        .expected(say!("the same text: maxPayload is {payload_limit} bytes", payload_limit = payload_limit(probe)?));
    if has_ended { finding.doubtful() } else { finding }.stop()
}
