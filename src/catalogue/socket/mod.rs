//! Socket.IO v5: packets and namespaces.

mod connect;
mod connect_reply_once;
mod connect_timeout;

use super::checks;

checks![connect, connect_reply_once, connect_timeout];
