//! The handshake is answered directly, not by a redirect.
//!
//! WebSocket clients do not follow redirects at all, and a redirected POST may lose its body.

use crate::{
    catalogue::{Check, Effort, Isolation, Wait, cite},
    fault::Fault,
    probe::{Probe, Stop, Verdict, fail, to_the_point},
    verdict::{Level, Row},
    wire::{Transport, Upgrade, WebSocket, WireError},
};

pub const CHECK: Check = Check {
    id: "transport.no-redirect",
    title: "The handshake is answered directly, not by a redirect",
    level: Level::Must,
    row: Row::C3,
    cites: &[cite::EIO_HANDSHAKE, cite::RFC9110_15_4],
    needs: &[],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "WebSocket clients do not follow redirects, and POSTs may lose their bodies: connections fail or lose \
              messages.",
    fix: "Exclude the path from redirecting rules: trailing-slash and locale redirects (`routeRules`, i18n), \
          authentication middleware, and http → https in front of the socket (let clients use https at once).",
    effort: Effort::Minutes,
    faults: &[Fault::RedirectsHandshake],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let endpoint = probe.endpoint("a");
    let polling = endpoint.engine_url(Transport::Polling, None);
    let websocket = endpoint.engine_url(Transport::WebSocket, None);
    let mut answers = Vec::new();
    let broken = |error: WireError| Stop::Broken(say!("the handshake gets no answer: {error}", error));
    if !probe.contract().choices.websocket_only {
        answers.push((polling.clone(), endpoint.get(polling).await.map_err(broken)?));
    }
    if !probe.contract().choices.polling_only
        && let Upgrade::Refused(response) =
            WebSocket::open(&endpoint, websocket.clone(), Default::default()).await.map_err(broken)?
    {
        answers.push((websocket, response));
    }
    match answers.iter().find(|(_, response)| response.is_redirect()) {
        None => {
            for (url, response) in answers {
                to_the_point(format!("GET {url}"), response)?;
            }
            probe.served_at_all().await.map(drop)
        }
        Some((url, response)) => fail("The handshake is redirected")
            .sent(format!("GET {url}"))
            .received(response)
            .expected("an answer from the handshake's own URL")
            .stop(),
    }
}
