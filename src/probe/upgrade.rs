//! From polling to WebSocket, for checks that need a session which has moved (Engine.IO v4, "Upgrade").

use super::{Probe, Stop};
use crate::wire::{EnginePacket, Frame, Handshake, Polling, Session, Transport, Upgrade, WebSocket, WireError};

/// A session that began on polling and is on WebSocket now.
pub struct Upgraded {
    /// What the server said on opening.
    pub handshake: Handshake,
    /// The polling transport that it left.
    pub polling: Polling,
    /// The WebSocket that it moved to.
    pub socket: WebSocket,
    /// The packets that came by polling, other than noops and heartbeats.
    pub early: Vec<EnginePacket>,
}

impl Probe {
    /// Opens a session by polling, has it carry `before`, and upgrades it.
    ///
    /// # Errors
    /// [`Stop::Skip`] where no upgrade is offered, [`Stop::Broken`] where it fails: `transport.upgrade` judges that.
    pub async fn upgraded(&self, label: &str, before: &[EnginePacket]) -> Result<Upgraded, Stop> {
        self.upgraded_during(label, before, &[]).await
    }

    /// As [`Probe::upgraded`], and `during` goes by a POST while the upgrade is under way.
    ///
    /// # Errors
    /// As [`Probe::upgraded`].
    pub async fn upgraded_during(
        &self,
        label: &str,
        before: &[EnginePacket],
        during: &[EnginePacket],
    ) -> Result<Upgraded, Stop> {
        let endpoint = self.endpoint(label);
        let broken = |what: &'static str| {
            move |error: WireError| Stop::Broken(say!("{what}: {error} (see transport.upgrade)", what, error))
        };
        let (handshake, mut early) =
            Session::polling_handshake(&endpoint).await.map_err(broken("the session to upgrade"))?;
        if !handshake.upgrades().contains(&"websocket") {
            let reason = "the handshake offers no upgrade to websocket (see transport.upgrade-offered)";
            return Err(Stop::Skip(reason.into()));
        }
        let polling = Polling::new(&endpoint, &handshake.sid);
        if !before.is_empty() {
            polling.push(before).await.map_err(broken("the session to upgrade"))?;
        }
        // The poll that is pending while the client probes, and is released by the probe.
        let pending = tokio::spawn({
            let polling = polling.clone();
            let patience = self.deadline();
            async move { polling.poll(patience).await }
        });
        let url = endpoint.engine_url(Transport::WebSocket, Some(&handshake.sid));
        let mut socket = match WebSocket::open(&endpoint, url, Default::default()).await {
            Ok(Upgrade::Accepted(socket)) => socket,
            Ok(Upgrade::Refused(response)) => {
                return Err(Stop::Broken(say!("the upgrade is refused: {response} (see transport.upgrade)", response)));
            }
            Err(error) => return Err(broken("the WebSocket of the upgrade")(error)),
        };
        socket
            .send_packet(&EnginePacket::Ping("probe".into()))
            .await
            .map_err(broken("the WebSocket of the upgrade"))?;
        if !during.is_empty() {
            polling.push(during).await.map_err(broken("the session to upgrade"))?;
        }
        match socket.receive(self.deadline()).await {
            Ok(Frame::Text(text)) if text == "3probe" => {}
            Ok(frame) => {
                return Err(Stop::Broken(say!("2probe is answered by {frame} (see transport.upgrade)", frame)));
            }
            Err(error) => return Err(broken("2probe")(error)),
        }
        let released = pending.await.map_err(|error| Stop::Broken(error.to_string().into()))?;
        early.extend(released.map_err(broken("the poll that is pending during the upgrade"))?);
        socket.send_packet(&EnginePacket::Upgrade).await.map_err(broken("the WebSocket of the upgrade"))?;
        // A heartbeat that came by polling still waits for its answer.
        for packet in early.extract_if(.., |packet| matches!(packet, EnginePacket::Noop | EnginePacket::Ping(_))) {
            if let EnginePacket::Ping(data) = packet {
                let pong = EnginePacket::Pong(data);
                socket.send_packet(&pong).await.map_err(broken("the WebSocket of the upgrade"))?;
            }
        }
        Ok(Upgraded { handshake, polling, socket, early })
    }
}
