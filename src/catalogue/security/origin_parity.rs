//! A page of a foreign origin finds the same on polling and on WebSocket: both serve it, or both refuse it.
//!
//! `cors` keeps no request out: the server answers, and the browser keeps the answer from the page. On WebSocket there is
//! no such thing, and Node's socket.io serves a foreign origin on both: that is the same verdict. What refuses is
//! `allowRequest`, and ways to attach Socket.IO exist by which only polling asks it. Refused on polling and served on
//! WebSocket is the failure. Served on polling to pages that may read it (CORS), and refused on WebSocket, is a finding at
//! the level SHOULD: they connect and never upgrade. Served without CORS and refused on WebSocket is lawful: such a page
//! gets nothing by either.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Stop, Verdict, fail, to_the_point},
    verdict::{Level, Row},
    wire::Transport,
};

pub const CHECK: Check = Check {
    id: "security.origin-parity",
    title: "A foreign origin is treated the same on polling and on WebSocket",
    level: Level::Must,
    row: Row::D,
    cites: &[cite::SIO_ALLOW_REQUEST, cite::RFC6455_10_2, cite::CWE_1385],
    needs: &[Need::Polling, Need::WebSocket],
    requires: &["transport.polling-handshake", "transport.websocket-handshake"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Only one transport is protected: a page that is refused on polling opens a WebSocket and gets in.",
    fix: "Check where both transports pass: in `io.use((socket, next) => …)` by `socket.handshake.headers.origin`. With \
          the engine bound to Nitro's `websocket` hook, `allowRequest` is not asked for WebSockets: refuse in the hook's \
          `upgrade` as well.",
    effort: Effort::Hours,
    faults: &[Fault::OriginCheckedOnPollingOnly, Fault::OriginCheckedOnWebsocketOnly],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let origin = super::stranger(probe);
    let polling = super::poll_from(probe, &origin).await?;
    let polling = to_the_point("a polling handshake", polling)?;
    let is_served = super::is_served(&polling);
    if !is_served && !(400..500).contains(&polling.status) {
        return Err(Stop::Broken(say!(
            "a polling handshake with Origin: {origin} was answered {polling}",
            origin,
            polling
        )));
    }
    let websocket = super::open_websocket(&probe.endpoint("WebSocket"), super::origin_header(&origin)?).await?;
    let websocket = websocket.refused(probe).await?;
    probe.served(Transport::Polling).await?;
    let may_read = super::allowed_origin(&polling).is_some_and(|allowed| allowed == "*" || allowed == origin);
    let sent = say!("a handshake by each transport, with Origin: {origin}", origin);
    match (is_served, websocket) {
        (false, Ok(_)) => fail("A foreign origin that is refused on polling is served on WebSocket")
            .sent(sent)
            .received(say!("polling: {polling}; WebSocket: HTTP 101, open packet", polling))
            .expected("a refusal on WebSocket as well")
            .stop(),
        (true, Err(how)) if may_read => fail("A foreign origin that may poll is refused on WebSocket")
            .at(Level::Should)
            .sent(sent)
            .received(say!("polling: {polling}; WebSocket: {how}", polling = super::shown(&polling), how))
            .expected("the same on both")
            .stop(),
        (true, Err(_)) => {
            probe.note(
                "lawful choice: a foreign origin is refused on WebSocket; by polling, browsers keep it out (no CORS)",
            );
            Ok(())
        }
        (true, Ok(_)) => {
            probe.note("lawful choice: a foreign origin is served on both transports");
            Ok(())
        }
        (false, Err(_)) => Ok(()),
    }
}
