//! Sessions for long waits.

use std::time::Duration;

use tokio::time::Instant;

use super::{Answer, Client, Probe, Stop};
use crate::wire::{Heartbeats, Transport, round};

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
        let has_credentials = self.tokens().has_source() || self.contract().choices.guests;
        if has_credentials && let Ok(credentials) = self.credentials(&self.user(label)).await {
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
}

impl Steady {
    /// How long the server must keep this session, if only that of which it is said is to end it: without a CONNECT, until
    /// a little before the time that the server waits for one.
    pub fn lifetime(&self, probe: &Probe) -> Option<Duration> {
        (!self.is_connected).then(|| probe.contract().choices.connect_timeout.mul_f64(0.9))
    }

    /// Whether the session may have been closed by now for want of a CONNECT.
    pub fn may_be_over(&self, probe: &Probe) -> bool {
        self.lifetime(probe).is_some_and(|lifetime| self.opened.elapsed() >= lifetime)
    }

    /// How long ago it was opened, for a person to read.
    pub fn age(&self) -> String {
        humantime::format_duration(round(self.opened.elapsed())).to_string()
    }
}
