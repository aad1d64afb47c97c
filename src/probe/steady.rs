//! Sessions for long waits.

use std::time::Duration;

use tokio::time::Instant;

use super::{Answer, Client, Probe, Stop};
use crate::message::Message;
use crate::wire::{Heartbeats, Transport};

/// A session that is to live for long: connected where that can be, because a server may close one that is not.
pub struct Steady {
    /// The client.
    pub client: Client,
    /// Whether it is connected to the contract's namespace.
    pub is_connected: bool,
    /// Before its first request was sent; the server's own clocks started later.
    pub opened: Instant,
}

impl Probe {
    /// Opens a session for a long wait.
    ///
    /// # Errors
    /// As [`Probe::open`].
    pub async fn steady(&self, label: &str, transport: Transport, heartbeats: Heartbeats) -> Result<Steady, Stop> {
        if self.has_credentials()
            && let Ok(credentials) = self.credentials(&self.user(label)).await
        {
            let opened = Instant::now();
            let mut client = self.open_with(label, transport, heartbeats).await?;
            if let Ok(Answer::Connected(_)) = client.connect(credentials).await {
                return Ok(Steady { client, is_connected: true, opened });
            }
        }
        let opened = Instant::now();
        let client = self.open_with(label, transport, heartbeats).await?;
        Ok(Steady { client, is_connected: false, opened })
    }

    /// Whether a client has what it takes to be let in.
    fn has_credentials(&self) -> bool {
        self.tokens().has_source() || self.contract().choices.guests
    }

    /// What becomes of a check for whose session it tells, by `why`, that nobody is connected on it.
    pub fn unconnected(&self, why: impl Into<Message>) -> Stop {
        let why = why.into();
        if self.has_credentials() {
            Stop::Broken(say!("{why} (see auth.valid-token)", why))
        } else {
            Stop::Skip(say!("{why}; to connect, give --auth-secret or --auth-token", why))
        }
    }
}

impl Steady {
    /// How long the server must keep this session, if only that of which it is said is to end it: without a CONNECT, until
    /// a little before the time that the server waits for one.
    pub fn lifetime(&self, probe: &Probe) -> Option<Duration> {
        (!self.is_connected).then(|| probe.contract().choices.connect_timeout.mul_f64(0.9))
    }

    /// Whether the session may have been closed by now for want of a CONNECT.
    pub fn may_be_over(&self, probe: &Probe) -> bool {
        self.lifetime(probe).is_some_and(|lifetime| self.age() >= lifetime)
    }

    /// How long ago it was opened.
    pub fn age(&self) -> Duration {
        self.opened.elapsed()
    }
}
