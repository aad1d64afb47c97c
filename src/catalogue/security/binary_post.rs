//! A POST of the type `application/octet-stream` is answered at once, by a refusal.
//!
//! Version 3 of the protocol sent binary data that way. The text of version 4 still names the type among its headers, but
//! has binary data sent as base64 in a text, and its servers take nothing else. engine.io before 6.6.7 never
//! answers such a POST (CVE-2026-59725). A server that takes no notice of the type and reads the body as text may answer
//! 200: lawful, and noted.

use bytes::Bytes;
use reqwest::Method;

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    message::Message,
    probe::{Probe, Stop, Verdict, fail, to_the_point},
    verdict::{Level, Row},
    wire::{Endpoint, Session, Transport, WireError},
};

pub const CHECK: Check = Check {
    id: "security.binary-post",
    title: "An octet-stream POST is refused at once",
    level: Level::Should,
    row: Row::D,
    cites: &[cite::EIO_POLLING, cite::CVE_2026_59725],
    needs: &[Need::Polling],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Malformed],
    wait: Wait::None,
    meaning: "Each such request of a stranger stays open, with all that hangs on it, until the server has no connections or \
              no memory left.",
    fix: "Update: `npm install socket.io@latest`, and see in the lock file that engine.io is 6.6.7 or newer \
          (`npm ls engine.io`).",
    effort: Effort::Minutes,
    faults: &[Fault::HangsOnBinaryPost],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let endpoint = probe.endpoint("a");
    let opened = Session::polling_handshake(&endpoint).await;
    let (handshake, _) = opened.map_err(|error| Stop::Broken(say!("the session to post to: {error}", error)))?;
    let url = endpoint.engine_url(Transport::Polling, Some(&handshake.sid));
    // A message in the binary framing of version 3: type, length, end of length, data. No packet to version 4.
    let body = Bytes::from_static(&[1, 2, 255, 4, 0]);
    let headers = Endpoint::content_type("application/octet-stream");
    let finding = |reason: &'static str, received: Message| {
        fail(reason)
            .sent("POST with Content-Type: application/octet-stream, 5 bytes")
            .received(received)
            .expected("HTTP 400, or another 4xx, at once")
    };
    match endpoint.send(Method::POST, url, headers, Some(body), probe.deadline()).await {
        Ok(response) if (400..500).contains(&response.status) => {
            to_the_point("the octet-stream POST", response)?;
            probe.served(Transport::Polling).await.map(drop)
        }
        Ok(response) if response.is_success() => {
            probe.note(say!("lawful choice: an octet-stream POST is read as text, and answered {response}", response));
            probe.served(Transport::Polling).await.map(drop)
        }
        Ok(response) => finding("An octet-stream POST makes the server fail", response.message()).stop(),
        Err(error @ WireError::Timeout { .. }) => {
            finding("An octet-stream POST is never answered", error.message()).stop()
        }
        // The end of the connection is a refusal as well.
        Err(WireError::Closed(_)) => probe.serves_still(Transport::Polling).await.map(drop),
        Err(error) => Err(Stop::Broken(say!("the octet-stream POST: {error}", error))),
    }
}
