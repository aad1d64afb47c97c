//! The WebSocket transport (RFC 6455) on top of the same HTTP client as everything else, so that TLS, headers and
//! refusals come from one place.

use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use reqwest::{
    Upgraded,
    header::{
        CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error as WsError, Message as WsMessage,
        handshake::{client::generate_key, derive_accept_key},
        protocol::{Role, WebSocketConfig},
    },
};
use url::Url;

use super::{Direction, Endpoint, EnginePacket, HttpResponse, WireError, endpoint::Answered};
use crate::message::{Message, excerpt, quote};

/// A larger message from the target closes the connection, in bytes.
pub(super) const MAX_MESSAGE: usize = 4 << 20;

/// Bytes that are read at once: what a check waits for is short, and a check may have a hundred of them open.
const READ_BUFFER: usize = 8 << 10;

/// What came of an upgrade request.
pub enum Upgrade {
    /// 101: the connection speaks WebSocket now.
    Accepted(WebSocket),
    /// Any other status.
    Refused(HttpResponse),
}

/// What can arrive on a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Bytes),
    /// The end: by close frame, by end of stream or by reset. Lawful servers use all three.
    Closed(Message),
    /// A message that siospec does not take in, so large is it; nothing can be read after it.
    TooLarge,
}

spoken!(Frame);

impl Frame {
    /// What came, in words.
    pub fn message(&self) -> Message {
        match self {
            Frame::Text(text) => excerpt(text, 200).into(),
            Frame::Binary(data) => say!("a binary frame of {count} bytes", count = data.len()),
            Frame::Closed(how) => how.clone(),
            Frame::TooLarge => say!("a message of more than {count} bytes", count = MAX_MESSAGE),
        }
    }
}

/// An open WebSocket.
pub struct WebSocket {
    // Both boxed because they are large, and move with every session.
    stream: Box<WebSocketStream<Upgraded>>,
    endpoint: Box<Endpoint>,
    extensions: String,
}

impl WebSocket {
    /// Asks for an upgrade at `url` (scheme http or https).
    ///
    /// # Errors
    /// As [`Endpoint::send`]; [`WireError::Malformed`] for a 101 whose `Sec-WebSocket-Accept` is wrong (RFC 6455, 4.1).
    pub async fn open(endpoint: &Endpoint, url: Url, extra: HeaderMap) -> Result<Upgrade, WireError> {
        let key = generate_key();
        let mut headers = HeaderMap::from_iter([
            (CONNECTION, HeaderValue::from_static("Upgrade")),
            (UPGRADE, HeaderValue::from_static("websocket")),
            (SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")),
            (SEC_WEBSOCKET_KEY, HeaderValue::try_from(&key).expect("base64 is allowed in a header")),
        ]);
        headers.extend(extra);
        let response = match endpoint.upgrade(url, headers).await? {
            Answered::Switched(response) => response,
            Answered::Refused(response) => return Ok(Upgrade::Refused(response)),
        };
        let accept = response.headers().get("sec-websocket-accept").and_then(|value| value.to_str().ok());
        if accept != Some(derive_accept_key(key.as_bytes()).as_str()) {
            return Err(WireError::Malformed("101 with a wrong or missing Sec-WebSocket-Accept".into()));
        }
        endpoint.record(Direction::Received, "HTTP 101, WebSocket open");
        let extensions = response.headers().get(SEC_WEBSOCKET_EXTENSIONS).and_then(|value| value.to_str().ok());
        let extensions = extensions.unwrap_or_default().to_owned();
        let upgraded = response.upgrade().await.map_err(|error| WireError::Closed(error.to_string().into()))?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE))
            .read_buffer_size(READ_BUFFER);
        let stream = Box::new(WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await);
        Ok(Upgrade::Accepted(WebSocket { stream, endpoint: Box::new(endpoint.clone()), extensions }))
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What the target took up of the extensions that were offered to it; empty for nothing.
    pub fn extensions(&self) -> &str {
        &self.extensions
    }

    /// Sends a text frame.
    ///
    /// # Errors
    /// [`WireError::Closed`] when the connection is gone, [`WireError::Timeout`] when the target does not read.
    pub async fn send_text(&mut self, text: &str) -> Result<(), WireError> {
        self.endpoint.record(Direction::Sent, text);
        self.send(WsMessage::text(text)).await
    }

    /// Sends a binary frame.
    ///
    /// # Errors
    /// As [`WebSocket::send_text`].
    pub async fn send_binary(&mut self, data: Bytes) -> Result<(), WireError> {
        self.endpoint.record(Direction::Sent, shown(&data));
        self.send(WsMessage::binary(data)).await
    }

    /// Sends an Engine.IO packet: binary messages as binary frames, all else as text.
    ///
    /// # Errors
    /// As [`WebSocket::send_text`].
    pub async fn send_packet(&mut self, packet: &EnginePacket) -> Result<(), WireError> {
        match packet {
            EnginePacket::Binary(data) => self.send_binary(data.clone()).await,
            packet => self.send_text(&packet.encode()).await,
        }
    }

    /// Sends a close frame. The target's own arrives as [`Frame::Closed`].
    ///
    /// # Errors
    /// As [`WebSocket::send_text`].
    pub async fn send_close(&mut self) -> Result<(), WireError> {
        self.endpoint.record(Direction::Sent, "(close frame)");
        self.send(WsMessage::Close(None)).await
    }

    async fn send(&mut self, message: WsMessage) -> Result<(), WireError> {
        let deadline = self.endpoint.deadline();
        match timeout(deadline, self.stream.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(WireError::Closed(error.to_string().into())),
            Err(_) => Err(WireError::Timeout { what: "space in the send buffer", after: deadline }),
        }
    }

    /// The next message, or the end, within `deadline`. After [`Frame::Closed`] it is always that again. That none came is noted,
    /// since it may have been late.
    ///
    /// # Errors
    /// [`WireError::Timeout`].
    pub async fn receive(&mut self, deadline: Duration) -> Result<Frame, WireError> {
        timeout(deadline, self.receive_unbounded()).await.map_err(|_| {
            self.endpoint.note_silence();
            WireError::Timeout { what: "WebSocket message", after: deadline }
        })
    }

    /// The next message, or the end, however long it takes; for callers that wait for other things too.
    pub(super) async fn receive_unbounded(&mut self) -> Frame {
        loop {
            let frame = match self.stream.next().await {
                Some(Ok(WsMessage::Text(text))) => Frame::Text(text.as_str().to_owned()),
                Some(Ok(WsMessage::Binary(data))) => Frame::Binary(data),
                Some(Ok(WsMessage::Close(Some(close)))) => {
                    let code = u16::from(close.code);
                    Frame::Closed(match close.reason.as_str() {
                        "" => say!("close frame {code}", code),
                        reason => say!("close frame {code} {reason}", code, reason = quote(reason)),
                    })
                }
                Some(Ok(WsMessage::Close(None))) => Frame::Closed("close frame without a code".into()),
                // tungstenite answers pings by itself.
                Some(Ok(_)) => continue,
                None | Some(Err(WsError::ConnectionClosed | WsError::AlreadyClosed)) => {
                    self.endpoint.ended_without_a_word();
                    Frame::Closed("end of stream".into())
                }
                Some(Err(WsError::Capacity(_))) => Frame::TooLarge,
                Some(Err(error)) => {
                    self.endpoint.ended_without_a_word();
                    Frame::Closed(error.to_string().into())
                }
            };
            match &frame {
                Frame::Text(text) => self.endpoint.record(Direction::Received, text),
                Frame::Binary(data) => self.endpoint.record(Direction::Received, shown(data)),
                Frame::Closed(how) => self.endpoint.record(Direction::Received, format!("(closed: {})", how.text())),
                Frame::TooLarge => {
                    self.endpoint.record(Direction::Remark, format!("a message of more than {MAX_MESSAGE} bytes"));
                }
            }
            return frame;
        }
    }
}

/// A binary message in a transcript: its bytes, those that are no ASCII as escapes.
fn shown(data: &Bytes) -> String {
    format!("(binary, {} bytes) {}", data.len(), data.escape_ascii())
}
