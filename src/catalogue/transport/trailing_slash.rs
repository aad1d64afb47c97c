//! What the path without its trailing slash does.
//!
//! Clients always ask with the slash. Without it, Node's server leaves the request to the application (404, or its
//! page), and other ways of attaching serve it too; each is lawful and said. A server error is not: scanners and
//! people who type the URL will cause it.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Stop, Verdict, fail, to_the_point},
    verdict::{Level, Row},
    wire::{Transport, engine, response::BodyKind},
};

pub const CHECK: Check = Check {
    id: "transport.trailing-slash",
    title: "The path without its trailing slash causes no server error",
    level: Level::May,
    row: Row::C3,
    cites: &[cite::SIO_SERVER_OPTIONS, cite::EIO_HANDSHAKE],
    needs: &[Need::PollingDeclared],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Anyone can fill the error log by asking for the path.",
    fix: "Register the route handler for both forms, or leave the form without the slash to the application's 404.",
    effort: Effort::Minutes,
    faults: &[Fault::NoSlashCrashes],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let endpoint = probe.endpoint("a");
    let mut url = endpoint.engine_url(Transport::Polling, None);
    url.set_path(&probe.contract().path);
    let response = match endpoint.get(url.clone()).await {
        Ok(response) => response,
        Err(error) => return Err(Stop::Broken(say!("GET {url}: {error}", url, error))),
    };
    let response = if matches!(response.status, 429 | 502..=504) {
        to_the_point(format!("GET {url}"), response)?
    } else {
        response
    };
    if response.status >= 500 {
        return fail("The path without its trailing slash causes a server error")
            .sent(format!("GET {url}"))
            .received(response)
            .expected("the handshake, a redirect, a 4xx or a page")
            .stop();
    }
    let opened = matches!(engine::decode_payload(&response.text()).as_deref(), Ok([engine::Packet::Open(_), ..]));
    probe.note(match (opened, response.kind()) {
        (true, _) => "lawful choice: without the trailing slash the handshake is served too".into(),
        (false, BodyKind::Html) => {
            say!("lawful choice: without the trailing slash a page comes (HTTP {status})", status = response.status)
        }
        (false, _) => say!("lawful choice: without the trailing slash HTTP {status}", status = response.status),
    });
    probe.served_at_all().await.map(drop)
}
