//! What stands in front of the server, and beside it.

use super::checks;

checks![];
