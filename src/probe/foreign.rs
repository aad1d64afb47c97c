//! Upgrades at paths that nobody serves. A proxy takes a server that ends such a connection for one that failed, and may send
//! nobody there for a while: what is asked meanwhile says nothing of the server.

use reqwest::header::HeaderMap;
use url::Url;

use super::{Probe, Stop};
use crate::message::Message;
use crate::wire::{Endpoint, HttpResponse, Upgrade, WebSocket, WireError};

/// What came of an upgrade at a path that nobody serves.
pub enum Foreign {
    /// It was refused.
    Refused(HttpResponse),
    /// The proxy in front says that there is no server (502, 503, 504), and yet the target serves: the server ended the
    /// connection.
    EndedBehind,
    /// The connection was closed.
    Closed,
    /// 101.
    Accepted(WebSocket),
    /// It got no answer.
    Silence(WireError),
}

impl Probe {
    /// Asks for an upgrade at `url`. Where a proxy says that nobody is there (502, 503, 504) it is asked once more, when the
    /// target serves what is lawful; and it does so when this returns.
    ///
    /// # Errors
    /// [`Stop::Broken`] when there is no connection, or when the target does not come back.
    pub async fn upgrade_elsewhere(&self, endpoint: &Endpoint, url: &Url) -> Result<Foreign, Stop> {
        let first = self.upgraded_elsewhere(endpoint, url).await?;
        if !matches!(first, Foreign::EndedBehind) {
            return Ok(first);
        }
        self.served_at_all().await?;
        // One at a time: another's upgrade may have the proxy answer this one for the server.
        let _alone = self.setting.controls.foreign.lock().await;
        if self.until_it_answers().await.map_err(|why| gone(url, &why))?.is_zero() {
            self.note("the proxy in front answers a foreign upgrade as it does where a server fails (HTTP 502 to 504)");
            return Ok(first);
        }
        let second = self.upgraded_elsewhere(endpoint, url).await?;
        self.until_it_answers().await.map_err(|why| gone(url, &why))?;
        Ok(second)
    }

    async fn upgraded_elsewhere(&self, endpoint: &Endpoint, url: &Url) -> Result<Foreign, Stop> {
        match WebSocket::open(endpoint, url.clone(), HeaderMap::new()).await {
            Ok(Upgrade::Refused(response)) if (502..=504).contains(&response.status) => Ok(Foreign::EndedBehind),
            Ok(Upgrade::Refused(response)) => Ok(Foreign::Refused(response)),
            Ok(Upgrade::Accepted(socket)) => Ok(Foreign::Accepted(socket)),
            Err(WireError::Closed(_) | WireError::Malformed(_)) => Ok(Foreign::Closed),
            Err(error @ WireError::Timeout { .. }) => Ok(Foreign::Silence(error)),
            Err(error) => Err(Stop::Broken(say!("GET {url}: {error}", url, error))),
        }
    }
}

fn gone(url: &Url, why: &Message) -> Stop {
    Stop::Broken(say!("after an upgrade at {url} not even valid requests are answered: {why}", url, why))
}
