//! interop

pub(super) const CHECKS: &[super::Entry] = &[];
