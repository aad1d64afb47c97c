//! Socket.IO v5: packets and namespaces.

mod connect;
mod connect_reply_once;

use super::checks;

checks![connect, connect_reply_once];
