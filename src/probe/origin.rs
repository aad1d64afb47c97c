//! Pages of the deployment's own origin: whether they are let in, and with what `Origin` the rest of the run is done.
//!
//! Browsers say a page's `Origin` with every POST and every WebSocket, so siospec does. A target that keeps its own pages
//! out has one defect, which `security.own-origin` tells; all else is then judged with what is let in.

use reqwest::header::HeaderValue;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use super::{Target, Tokens, Untestable, reconnoitre};
use crate::{
    contract::Contract,
    message::Message,
    redact::Redactor,
    wire::{
        Endpoint, EnginePacket, Heartbeats, Session, SocketPacket, Transcript, Transport,
        http::{Http, Page},
        socket::Kind,
    },
};

/// Further pairs of looks that must all say the same: a target that refuses every second connection cares for no origin.
const MORE_LOOKS: usize = 3;

/// How far a client gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Not to an answer to its CONNECT, for this reason.
    Shut(Message),
    /// To a CONNECT_ERROR, which is this.
    Refused(Message),
    /// All the way.
    Connected,
}

impl Entry {
    fn depth(&self) -> u8 {
        match self {
            Entry::Shut(_) => 0,
            Entry::Refused(_) => 1,
            Entry::Connected => 2,
        }
    }

    /// Whether it got less far than `other`.
    pub fn is_before(&self, other: &Entry) -> bool {
        self.depth() < other.depth()
    }

    /// Opens a session at `endpoint`, sends a CONNECT, and leaves.
    pub async fn try_at(endpoint: &Endpoint, transport: Transport, namespace: &str, payload: Option<Value>) -> Entry {
        let mut session = match Session::open_with(endpoint, transport, Heartbeats::Answered).await {
            Ok(session) => session,
            Err(error) => return Entry::Shut(error.message()),
        };
        session.send(EnginePacket::Message(SocketPacket::connect(namespace, payload).encode()));
        let deadline = Instant::now() + endpoint.deadline();
        let entry = loop {
            match session.next("answer to CONNECT", deadline).await {
                Ok(EnginePacket::Message(text)) => match SocketPacket::decode(&text) {
                    // A reply has a sid; what has none may be the CONNECT itself, come back.
                    Ok(packet) if packet.namespace == namespace && packet.kind == Kind::Connect => {
                        let sid = packet.data.as_ref().and_then(|data| data.get("sid"));
                        if sid.is_some_and(Value::is_string) {
                            break Entry::Connected;
                        }
                    }
                    Ok(packet) if packet.namespace == namespace && packet.kind == Kind::ConnectError => {
                        break Entry::Refused(packet.encode().into());
                    }
                    _ => {}
                },
                Ok(_) => {}
                Err(error) => break Entry::Shut(error.message()),
            }
        };
        session.close(endpoint.deadline()).await;
        entry
    }

    /// What came of it with the `Origin` of the deployment's own pages and without one, where it gets less far with it,
    /// each time. `None` where it makes no difference.
    pub async fn kept_out(
        endpoint: &Endpoint,
        contract: &Contract,
        transport: Transport,
        payload: Option<Value>,
    ) -> Option<(Entry, Entry)> {
        let page = endpoint.labelled("own origin").for_page(own_page(contract));
        let none = endpoint.labelled("no origin").for_page(Page::None);
        let enter =
            async |endpoint: &Endpoint| Entry::try_at(endpoint, transport, &contract.namespace, payload.clone()).await;
        let (with, without) = tokio::join!(enter(&page), enter(&none));
        if !with.is_before(&without) {
            return None;
        }
        for look in 0..MORE_LOOKS {
            // By turns, so that what goes by the order of requests shows.
            let (with, without) = if look % 2 == 0 {
                let without = enter(&none).await;
                (enter(&page).await, without)
            } else {
                let with = enter(&page).await;
                (with, enter(&none).await)
            };
            if !with.is_before(&without) {
                return None;
            }
        }
        Some((with, without))
    }
}

/// The page that a deployment's users have open.
pub fn own_page(contract: &Contract) -> Page {
    let declared = contract.origin.as_deref().and_then(|origin| HeaderValue::try_from(origin).ok());
    declared.map_or(Page::Own, Page::Of)
}

/// The reconnaissance as a browser would make it; and where the target keeps its own pages out, as another client would.
/// The clients that come back are those to go on with.
///
/// # Errors
/// As [`reconnoitre`].
pub async fn admit(
    http: Http,
    origin: &Url,
    contract: &Contract,
    redactor: &Redactor,
    tokens: &Tokens,
) -> Result<(Http, Target), Untestable> {
    let of_page = http.clone().for_page(own_page(contract));
    let found = reconnoitre(&of_page, origin, contract, redactor).await;
    if let Err(Untestable::Unreachable(_) | Untestable::Tls(_) | Untestable::NotHttp(_) | Untestable::EngineIo3(_)) =
        &found
    {
        return found.map(|target| (of_page, target));
    }
    let token = tokens.valid("siospec-own-origin").await.ok().flatten();
    let (_, payload) = tokens.part(token.map(|token| tokens.connect_payload(token.into())));
    let transcript = Transcript::new(redactor.clone());
    let endpoint = Endpoint::new(http.clone(), origin, &contract.path, contract.deadline, transcript);
    let kept_out = |transport| Entry::kept_out(&endpoint, contract, transport, payload.clone());
    let (polling, websocket) = tokio::join!(kept_out(Transport::Polling), kept_out(Transport::WebSocket));
    if polling.is_none() && websocket.is_none() {
        return found.map(|target| (of_page, target));
    }
    let target = reconnoitre(&http, origin, contract, redactor).await?;
    Ok((http, target))
}
