//! A POST with packets is answered 200 `ok`.
//!
//! Clients look at the status alone, and at that closely: browsers' clients take anything but 200 for the end of the
//! transport, 204 included. They do not read the body. Another text than `ok` is therefore the server's departure from
//! the protocol and a finding of lesser weight; python-socketio answers `OK`.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    message::{Message, quote_of},
    probe::{Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
    wire::WireError,
};

pub const CHECK: Check = Check {
    id: "engine.post-ok",
    title: "A POST with packets is answered 200 ok",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::EIO_SENDING],
    needs: &[Need::Polling],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "With another status, clients on polling close the connection (`transport error`) on their first message. \
              With another text after status 200, Socket.IO clients notice nothing: they do not read it.",
    fix: "Another status comes from something in between: in Nuxt, hand the engine the original request, unread \
          (`engine.handleRequest(event.node.req, event.node.res)`, no `readBody` before it) and set \
          `event._handled = true`; with several nodes, see that all requests of a session reach the same one. Another \
          text is the server library's own.",
    effort: Effort::Hours,
    faults: &[Fault::PostAnswersOtherText, Fault::PostAnswersNoContent],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let polling = super::polling_session(probe, "a").await?;
    let packet = super::question(&probe.nonce("post")).encode();
    let finding = |reason: Message| fail(reason).sent(say!("POST of {packet}", packet)).expected("HTTP 200, body ok");
    match polling.post(packet.clone()).await {
        Ok(response) if response.status == 200 && response.text() == "ok" => Ok(()),
        Ok(response) if response.status == 200 => {
            let text = quote_of(response.text().trim(), 40);
            finding(say!("A POST is answered {text} instead of \"ok\"; Socket.IO clients do not read it", text))
                .received(response)
                .at(Level::Should)
                .stop()
        }
        Ok(response) => finding(say!("A POST with packets is answered HTTP {status}", status = response.status))
            .received(response)
            .stop(),
        Err(error @ (WireError::Timeout { .. } | WireError::Closed(_))) => {
            finding("A POST with packets gets no answer".into()).received(error).stop()
        }
        Err(error) => Err(Stop::Broken(say!("POST of {packet}: {error}", packet, error))),
    }
}
