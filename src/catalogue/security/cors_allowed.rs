//! Each declared foreign origin is let in: by its own name, on polling, on a preflight and on WebSocket.
//!
//! `Access-Control-Allow-Origin` must be there once and hold exactly that origin: browsers compare it letter by letter,
//! and refuse two values, as a server and a proxy that both add one give. A preflight, which browsers send where the client
//! has headers of its own (`extraHeaders`), must be answered 2xx. Where other origins get another answer, `Vary: Origin`
//! keeps caches from mixing them up; its absence is a finding at the level SHOULD.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    message::Message,
    probe::{Probe, Verdict, fail},
    verdict::{Level, Row},
    wire::Transport,
};

pub const CHECK: Check = Check {
    id: "security.cors-allowed",
    title: "Declared foreign origins are let in by their own name",
    level: Level::Must,
    row: Row::D,
    cites: &[cite::FETCH_CORS, cite::SIO_CORS],
    needs: &[Need::Origins, Need::Polling],
    requires: &["transport.polling-handshake", "security.cors-wildcard-credentials"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "The application that is served elsewhere cannot connect: the browser shows \"blocked by CORS policy\", and the \
              server's log shows nothing.",
    fix: "Name the origin as browsers do, with its scheme and without a path: `new Server({ cors: { origin: \
          ['https://app.example.com'] } })`. With the engine bound to Nitro, give `cors` to the `Engine`. Let no proxy add \
          the same header again.",
    effort: Effort::Minutes,
    faults: &[
        Fault::CorsForgetsAllowed,
        Fault::CorsRefusesPreflight,
        Fault::CorsWithoutVary,
        Fault::WebsocketRefusesAllowedOrigin,
    ],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let others = super::poll_from(probe, &super::stranger(probe)).await?;
    let others = super::allowed_origin(&others);
    for declared in &probe.contract().origins {
        // Who declares every origin is held to any.
        let everybody = declared == "*";
        let origin = if everybody { super::stranger(probe) } else { declared.clone() };
        let is_let_in = |allowed: Option<&str>| allowed == Some(&*origin) || (everybody && allowed == Some("*"));

        let answer = super::poll_from(probe, &origin).await?;
        let finding = |reason: Message| fail(reason).sent(say!("a polling handshake, with Origin: {origin}", origin));
        let expected = say!("HTTP 200, Access-Control-Allow-Origin: {origin}", origin);
        if answer.status != 200 {
            return finding(say!("The declared origin {origin} is refused on polling", origin))
                .received(&answer)
                .expected(expected)
                .stop();
        }
        let allowed = super::allowed_origin(&answer);
        if !is_let_in(allowed.as_deref()) {
            return finding(say!("The declared origin {origin} is not let in on polling", origin))
                .received(super::shown(&answer))
                .expected(expected)
                .stop();
        }
        let varies = super::varies_by_origin(&answer);
        let shown = super::shown(&answer);

        let answer = super::preflight_from(probe, &origin).await?;
        if !answer.is_success() || !is_let_in(super::allowed_origin(&answer).as_deref()) {
            return fail(say!("A preflight of the declared origin {origin} does not succeed", origin))
                .sent(say!("{preflight}, with Origin: {origin}", preflight = super::PREFLIGHT, origin))
                .received(super::shown(&answer))
                .expected(say!("HTTP 204 or another 2xx, Access-Control-Allow-Origin: {origin}", origin))
                .stop();
        }

        if probe.transports().contains(&Transport::WebSocket) {
            let opening = super::open_websocket(&probe.endpoint("WebSocket"), super::origin_header(&origin)?).await?;
            if let Err(how) = opening.session() {
                return fail(say!("The declared origin {origin} is refused on WebSocket", origin))
                    .sent(say!("a WebSocket handshake, with Origin: {origin}", origin))
                    .received(how)
                    .expected("HTTP 101, then the open packet")
                    .stop();
            }
        }

        if !varies && others != allowed {
            return finding(say!("What {origin} gets may be given to other origins by a cache", origin))
                .at(Level::Should)
                .received(shown)
                .expected("Vary: Origin, since other origins get another answer")
                .stop();
        }
    }
    Ok(())
}
