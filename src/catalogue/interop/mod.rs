//! Client libraries other than siospec's own probe, as they come from their registry.

mod rust_socketio;
mod socket_io_client;

use super::checks;

checks![rust_socketio, socket_io_client];
