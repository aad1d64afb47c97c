//! The handshake, the path, the port.

mod client_bundle;
mod foreign_path;
mod no_redirect;
mod no_socket_in_api;
mod not_cached;
mod open_packet;
mod polling_available;
mod polling_handshake;
mod same_port;
mod trailing_slash;
mod unique_sid;
mod upgrade;
mod upgrade_offered;
mod websocket_handshake;

use super::checks;
use crate::{
    probe::{Probe, Verdict, fail},
    verdict::Level,
    wire::Transport,
};

checks![
    polling_handshake,
    open_packet,
    websocket_handshake,
    same_port,
    no_redirect,
    upgrade,
    upgrade_offered,
    polling_available,
    no_socket_in_api,
    unique_sid,
    not_cached,
    trailing_slash,
    client_bundle,
    foreign_path,
];

/// Finds fault with a transport by which a handshake has just succeeded, where another one failed as the run began.
fn expect_each_served(probe: &Probe, transport: Transport) -> Verdict {
    let target = probe.target();
    let refused = match transport {
        Transport::Polling => target.polling.as_ref().err(),
        Transport::WebSocket => target.websocket.as_ref().err(),
    };
    let sent = say!("several handshakes by {transport}, one after the other", transport);
    if let Some(error) = refused {
        return fail(say!("A handshake by {transport} is served now, and was not as the run began", transport))
            .sent(sent)
            .received(say!("first, each time: {error}; then an open packet", error))
            .expected("an open packet for each")
            .stop();
    }
    let Some(error) = target.stumbles_of(transport).next() else { return Ok(()) };
    fail(say!("Handshakes by {transport} fail at times", transport))
        .sent(sent)
        .received(say!("first: {error}; later an open packet", error))
        .expected("an open packet for each")
        .at(Level::Should)
        .stop()
}
