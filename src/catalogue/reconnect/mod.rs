//! reconnect

pub(super) const CHECKS: &[super::Entry] = &[];
