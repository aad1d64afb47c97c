//! socket

pub(super) const CHECKS: &[super::Entry] = &[];
