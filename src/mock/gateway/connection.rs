//! What a request knows of the TCP connection that it came on.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// A TCP connection; clones are the same one. It is among the extensions of each of its requests.
#[derive(Clone, Debug, Default)]
pub struct Connection(Arc<AtomicBool>);

impl Connection {
    /// Says that it is closed.
    pub fn close(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
