//! What stands in front of the server, and beside it.

mod idle_survival;
mod long_poll_survival;
mod poll_rate;

use super::checks;

checks![idle_survival, long_poll_survival, poll_rate];
