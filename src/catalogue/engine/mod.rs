//! Engine.IO v4: sessions, packets, heartbeats, limits.

use super::checks;

checks![];
