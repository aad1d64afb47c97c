//! A handshake by POST, PUT or DELETE is refused: sessions are opened by GET.
//!
//! socket.io answers 400; 405 and any other 4xx say the same. 501 is what HTTP itself has for a method that a server
//! does not know.

use bytes::Bytes;
use reqwest::Method;

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
    wire::{Endpoint, Transport},
};

pub const CHECK: Check = Check {
    id: "engine.bad-method",
    title: "A handshake by another method than GET is refused",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::EIO_HANDSHAKE, cite::EIO_TESTS],
    needs: &[Need::Polling],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Malformed],
    wait: Wait::None,
    meaning: "Requests that no client sends open sessions, or hit code that does not expect them: a 500 that anybody can \
              cause fills the error log and makes health checks doubt the server.",
    fix: "Give the engine every method and let it refuse: in Nuxt, `router.use(path, defineEventHandler({ handler(event) \
          { engine.handleRequest(event.node.req, event.node.res); event._handled = true } }))` rather than a handler \
          per method.",
    effort: Effort::Hours,
    faults: &[Fault::ServesAnyMethod, Fault::BadMethodCrashes],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let endpoint = probe.endpoint(method.as_str());
        let url = endpoint.engine_url(Transport::Polling, None);
        let (what, sent) = (say!("A handshake by {method}", method), format!("{method} {url}").into());
        let body = (method != Method::DELETE).then(|| Bytes::from("40"));
        let headers = match body {
            Some(_) => Endpoint::content_type("text/plain;charset=UTF-8"),
            None => Default::default(),
        };
        match endpoint.send(method, url, headers, body, probe.deadline()).await {
            Ok(response) if response.status == 501 => drop(probe.served(Transport::Polling).await?),
            answer => {
                drop(super::expect_client_error(probe, &what, &sent, "HTTP 400, 405 or another 4xx", answer).await?)
            }
        }
    }
    Ok(())
}
