//! rest

pub(super) const CHECKS: &[super::Entry] = &[];
