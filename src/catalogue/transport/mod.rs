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
