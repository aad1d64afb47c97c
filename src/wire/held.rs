//! What a run keeps of what the target sent: one bound for all of its connections together.
//!
//! A bound for each connection is none for a run, which has a hundred of them at a time.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::{EnginePacket, WireError};

/// Bytes that all open sessions of a run, and the answers being read, take at the most.
const MAX_HELD: usize = 32 << 20;
/// What a packet takes beside its data, and a value of JSON beside its text, once they are read and kept; in bytes.
const PACKET: usize = 128;
const VALUE: usize = 64;

/// The bytes held by all connections of a run.
#[derive(Clone, Default)]
pub(super) struct Held(Arc<AtomicUsize>);

impl Held {
    /// The part of one connection, which is given back when it is dropped.
    pub(super) fn part(&self) -> Part {
        Part { own: AtomicUsize::new(0), all: self.clone() }
    }
}

/// What one connection holds, as a part of what all of them do.
pub(super) struct Part {
    own: AtomicUsize,
    all: Held,
}

impl Part {
    /// Adds so many bytes.
    ///
    /// # Errors
    /// [`WireError::Cut`] where all connections together hold too much.
    pub(super) fn add(&self, bytes: usize) -> Result<(), WireError> {
        self.own.fetch_add(bytes, Ordering::Relaxed);
        if self.all.0.fetch_add(bytes, Ordering::Relaxed) + bytes <= MAX_HELD {
            return Ok(());
        }
        let limit = MAX_HELD >> 20;
        Err(WireError::Cut(say!("the clients of this run together received more than {limit} MiB", limit)))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.own.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// About how many bytes a packet takes once it is read and kept. A value of JSON is written in two characters, and takes far
/// more. Heartbeats are not kept.
pub(super) fn weight(packet: &EnginePacket) -> usize {
    let begins_a_value = |byte: &u8| matches!(byte, b',' | b'[' | b'{' | b':');
    match packet {
        EnginePacket::Message(text) => text.len() + PACKET + text.bytes().filter(begins_a_value).count() * VALUE,
        EnginePacket::Binary(data) => data.len() + PACKET,
        _ => 0,
    }
}
