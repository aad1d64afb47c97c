//! What keeps a check from being run: what it needs and nobody gave, and what it rests on.

use jsonwebtoken::AlgorithmFamily;

use super::Runner;
use crate::{
    catalogue::Need,
    contract::Carrier,
    message::Message,
    probe::Setting,
    verdict::{CheckResult, Lack, Outcome},
    wire::Transport,
};

impl Runner {
    /// What becomes of a check that rests on one with this result, where it is not run. What passed at times leaves
    /// something to judge, and a failure that does not fail the run must not hide one that would. A missing capability of
    /// that check is none of this one's.
    pub(super) fn blocked_by(&self, required: &CheckResult) -> Option<Outcome> {
        let by = required.id.clone();
        match &required.outcome {
            _ if required.is_flaky() => None,
            Outcome::Fail(_) if (self.refuses)(required) => {
                let reason = say!("{by} failed, and without it there is nothing to judge", by);
                Some(Outcome::Blocked { by, reason })
            }
            Outcome::Broken { .. } => {
                let reason = say!("{by} could not be judged, and this check depends on it", by);
                Some(Outcome::Blocked { by, reason })
            }
            Outcome::Blocked { .. } => Some(required.outcome.clone()),
            Outcome::Pass | Outcome::Fail(_) | Outcome::Skip { .. } => None,
        }
    }

    /// What becomes of a check whose transport did not work at the reconnaissance. The check of that transport's handshake
    /// has the say: where it fails the run, it blocks this one; where its failure is accepted, this one is skipped; and
    /// else this one is run, and sees for itself.
    pub(super) async fn without_transport(&self, need: Need) -> Option<Outcome> {
        let (transport, handshake, reason) = match need {
            Need::Polling => (
                Transport::Polling,
                "transport.polling-handshake",
                "needs polling, which does not work (see transport.polling-handshake)",
            ),
            Need::WebSocket => (
                Transport::WebSocket,
                "transport.websocket-handshake",
                "needs WebSocket, which does not work (see transport.websocket-handshake)",
            ),
            _ => return None,
        };
        if self.setting.target.usable(transport) {
            return None;
        }
        let handshake = self.result(self.planned(handshake)?).await;
        let is_accepted = handshake.is_failure() && !handshake.is_flaky();
        self.blocked_by(&handshake)
            .or_else(|| is_accepted.then(|| Outcome::Skip { reason: reason.into(), lacks: Some(Lack::Transport) }))
    }
}

/// What is missing for a check to run, and how to supply it. What the contract, the deployment or this build rules out is
/// nothing that a check lacks.
pub(super) fn missing(need: Need, setting: &Setting) -> Option<(Message, Option<Lack>)> {
    let Setting { contract, target, tokens, .. } = setting;
    let reason = match need {
        Need::Connect if !tokens.has_source() && !contract.choices.guests => {
            "needs a valid token: give --auth-secret (or --auth-token, --auth-token-command, …), or declare \
             --choices-guests=true"
        }
        Need::Token if !tokens.has_source() => {
            "needs a valid token: give --auth-secret, --auth-private-key-file, --auth-token or --auth-token-command"
        }
        Need::SigningKey if !tokens.can_mint() => {
            "needs the signing key, to make tokens that are bad in one way only: give --auth-secret or \
             --auth-private-key-file"
        }
        Need::Refusals if contract.choices.guests => "the contract lets guests in (choices.guests)",
        Need::Ping if contract.ping.is_none() => "the contract declares no ping (ping.enabled)",
        Need::Rooms if contract.rooms.is_none() => "the contract declares no rooms (rooms.enabled)",
        Need::Rest if contract.rest.as_ref().is_some_and(|rest| rest.needs_token()) && !tokens.has_source() => {
            "the REST trigger needs a valid token: give --auth-secret, --auth-private-key-file, --auth-token or \
             --auth-token-command"
        }
        Need::RestCredentials if contract.rest.as_ref().is_some_and(|rest| rest.credentials.is_empty()) => {
            "the contract declares no credentials of the REST trigger (rest.credentials)"
        }
        Need::Ack if contract.ack.is_none() => {
            "the contract declares no event that is acknowledged: give --ack-event, and --ack-args where it takes some"
        }
        Need::Echo if !contract.echoes() => {
            "needs a way to get a message back: an event whose acknowledgement holds {{message}} (ack.event, ack.reply), \
             or rooms whose messages do"
        }
        Need::Namespaces if contract.choices.namespaces.is_empty() => {
            "the contract declares no further namespace (choices.namespaces)"
        }
        Need::FixedNamespaces if contract.choices.dynamic_namespaces => {
            "the contract declares that any namespace can be connected to (choices.dynamic-namespaces)"
        }
        Need::PrivateRoom if contract.closed_room().is_none() => {
            "the contract declares no room that some users may not join (choices.private-room, or rooms.pool and [[users]])"
        }
        Need::Origins if contract.origins.is_empty() => "the contract declares no foreign origin (origins)",
        Need::Cookie
            if contract.auth.carrier != Carrier::Cookie
                && !contract.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("cookie")) =>
        {
            "needs the cookie that identifies users: give a user's cookie by --headers 'Cookie: …'; where only the \
             token identifies users, there is nothing to judge"
        }
        Need::Nodes if contract.nodes.is_empty() => {
            "needs a second node of the deployment: give its base URL by --node"
        }
        Need::Issuer if contract.auth.issuer.is_none() => "the contract declares no issuer of tokens (auth.issuer)",
        Need::Audience if contract.auth.audience.is_none() => {
            "the contract declares no audience of tokens (auth.audience)"
        }
        Need::Hmac if contract.auth.algorithm.family() != AlgorithmFamily::Hmac => {
            "the contract's tokens are not signed by HMAC"
        }
        Need::PublicKey if !tokens.has_public_key() => {
            "needs the public key of an asymmetric algorithm: give --auth-public-key-file"
        }
        Need::Https if target.origin.scheme() != "https" => "the target is not reached by https",
        Need::Https if contract.insecure_tls => "the target's certificate is not verified (insecure-tls)",
        Need::Rest if contract.rest.is_none() => "the contract declares no REST trigger (rest.enabled)",
        Need::DistinctRoomMessages if contract.rooms.as_ref().is_some_and(|rooms| !rooms.send.carries_message()) => {
            "needs room messages that can be told apart: let {{message}} stand in rooms.send-args"
        }
        Need::Reload if contract.reload.is_none() => {
            "needs a way to reload the application: give --reload-command or --reload-url"
        }
        Need::PollingDeclared if contract.choices.websocket_only => {
            "the contract declares a WebSocket-only deployment (choices.websocket-only)"
        }
        Need::Polling if contract.choices.websocket_only => {
            "needs polling, and the contract declares a WebSocket-only deployment (choices.websocket-only)"
        }
        Need::WebSocketDeclared if contract.choices.polling_only => {
            "the contract declares a polling-only deployment (choices.polling-only)"
        }
        Need::WebSocket if contract.choices.polling_only => {
            "needs WebSocket, and the contract declares a polling-only deployment (choices.polling-only)"
        }
        Need::InteropClient if !cfg!(feature = "interop") => {
            "needs the rust_socketio client, which this build of siospec lacks: build it with --features interop"
        }
        _ => return None,
    };
    let is_hmac = contract.auth.algorithm.family() == AlgorithmFamily::Hmac;
    let lacks = match need {
        // Where nobody is refused, nobody need have a token.
        Need::Token | Need::SigningKey if contract.choices.guests => None,
        Need::Connect | Need::Token => Some(Lack::Token),
        Need::Rest if contract.rest.is_some() => Some(Lack::Token),
        Need::SigningKey if !tokens.has_source() => Some(Lack::Token),
        Need::SigningKey => Some(Lack::Key),
        Need::Https if target.origin.scheme() == "https" => Some(Lack::Certificate),
        Need::PublicKey if !is_hmac => Some(Lack::Key),
        _ => None,
    };
    Some((reason.into(), lacks))
}
