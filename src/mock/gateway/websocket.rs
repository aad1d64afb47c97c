//! WebSocket connections: the handshake, and a stream that writes while it reads.

use std::{collections::VecDeque, pin::Pin, task::Poll, time::Duration};

use futures::{Sink, Stream, StreamExt, future::poll_fn};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    time,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        error::CapacityError,
        handshake::derive_accept_key,
        protocol::{CloseFrame, Role, WebSocketConfig},
    },
};

pub use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::{
    answer::{self, Answer},
    packet::{Malformed, Packet},
};

/// How long a closed connection is kept for the other end's part of the close.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// How much of an oversized message is read and thrown away, in bytes, so that the close frame is not lost to a reset.
const DISCARD_AT_MOST: usize = 64 << 20;

/// How long hyper may take to hand over an upgraded connection.
const UPGRADE_WITHIN: Duration = Duration::from_secs(10);

/// How long a connection is held that is never to be answered.
pub const HANG_FOR: Duration = Duration::from_secs(120);

/// Any byte stream that a WebSocket runs over.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// Whether the request asks for a WebSocket (RFC 6455, 4.2.1).
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    let lists = |name, token: &str| {
        headers.get_all(name).iter().any(|value| {
            value.to_str().is_ok_and(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
        })
    };
    lists(header::CONNECTION, "upgrade") && lists(header::UPGRADE, "websocket")
}

/// Answers a WebSocket handshake; the connection itself is ready once the answer is written.
///
/// # Errors
///
/// The refusal, when the request lacks a key or names another version.
pub fn accept(mut request: Request<Incoming>) -> Result<(Answer, Upgrading), Box<Answer>> {
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY);
    let version = request.headers().get(header::SEC_WEBSOCKET_VERSION);
    if version.map(HeaderValue::as_bytes) != Some(b"13") {
        let mut refusal = answer::refuse_upgrade(StatusCode::UPGRADE_REQUIRED, "Upgrade required");
        refusal.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return Err(Box::new(refusal));
    }
    let accept = key.and_then(|key| HeaderValue::try_from(derive_accept_key(key.as_bytes())).ok());
    let Some(accept) = accept else {
        return Err(Box::new(answer::refuse_upgrade(StatusCode::BAD_REQUEST, "Bad request")));
    };
    let mut answer = answer::empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = answer.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Ok((answer, Upgrading(hyper::upgrade::on(&mut request))))
}

/// Answers 101 and then stays silent, until the client is gone or tired of it.
pub fn hang(request: Request<Incoming>) -> Answer {
    match accept(request) {
        Ok((answer, upgrading)) => {
            tokio::spawn(upgrading.hang());
            answer
        }
        Err(refusal) => *refusal,
    }
}

/// A connection whose 101 is still on its way.
pub struct Upgrading(hyper::upgrade::OnUpgrade);

impl Upgrading {
    async fn io(self) -> Option<Box<dyn Io>> {
        let upgraded = time::timeout(UPGRADE_WITHIN, self.0).await.ok()?.ok()?;
        Some(Box::new(TokioIo::new(upgraded)))
    }

    /// The WebSocket, or nothing when the client went away meanwhile.
    pub async fn complete(self, max_payload: usize) -> Option<Connection> {
        let config = WebSocketConfig::default()
            .max_message_size(Some(max_payload))
            .max_frame_size(Some(max_payload))
            .read_buffer_size(16 << 10);
        let stream = WebSocketStream::from_raw_socket(self.io().await?, Role::Server, Some(config)).await;
        Some(Connection::new(stream))
    }

    async fn hang(self) {
        if let Some(mut io) = self.io().await {
            until_gone(&mut io).await;
        }
    }
}

/// Reads and throws away, until the client is gone or tired of it.
async fn until_gone(io: &mut Box<dyn Io>) {
    let mut buffer = [0; 1024];
    let gone = async { while io.read(&mut buffer).await.is_ok_and(|read| read > 0) {} };
    let _ = time::timeout(HANG_FOR, gone).await;
}

/// What arrived on a [`Connection`].
#[derive(Debug)]
pub enum Arrival {
    Packet(Packet),
    /// A text frame that is no packet.
    Malformed,
    /// A frame that ends the connection with that code: too big, or not UTF-8, or against RFC 6455.
    Violation(CloseCode),
    /// The other end closed, in an orderly way or not.
    Gone,
}

/// A WebSocket that carries Engine.IO packets, with a queue of what is still to be written.
pub struct Connection {
    stream: WebSocketStream<Box<dyn Io>>,
    queue: VecDeque<Message>,
    queued: usize,
}

impl Connection {
    pub fn new(stream: WebSocketStream<Box<dyn Io>>) -> Connection {
        Connection { stream, queue: VecDeque::new(), queued: 0 }
    }

    /// Queues a packet; it is written while [`Connection::next`] waits.
    pub fn push(&mut self, packet: Packet) {
        let message = match packet {
            Packet::Binary(data) => Message::Binary(data),
            other => Message::text(other.encode()),
        };
        self.queued += message.len();
        self.queue.push_back(message);
    }

    /// What is queued: how many packets, and how many bytes.
    pub fn backlog(&self) -> (usize, usize) {
        (self.queue.len(), self.queued)
    }

    /// Writes what is queued, and waits for the next packet. Loses nothing when it is cancelled.
    pub async fn next(&mut self) -> Arrival {
        loop {
            let message = poll_fn(|context| {
                if self.poll_write(context).is_err() {
                    return Poll::Ready(None);
                }
                Pin::new(&mut self.stream).poll_next(context)
            });
            return match message.await {
                Some(Ok(Message::Text(text))) => match Packet::decode(&text) {
                    Ok(packet) => Arrival::Packet(packet),
                    Err(Malformed) => Arrival::Malformed,
                },
                Some(Ok(Message::Binary(data))) => Arrival::Packet(Packet::Binary(data)),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Err(Error::Capacity(CapacityError::MessageTooLong { .. }))) => Arrival::Violation(CloseCode::Size),
                Some(Err(Error::Utf8(_))) => Arrival::Violation(CloseCode::Invalid),
                Some(Err(Error::Protocol(_))) => Arrival::Violation(CloseCode::Protocol),
                Some(Ok(Message::Close(_)) | Err(_)) | None => Arrival::Gone,
            };
        }
    }

    /// Hands queued messages to the stream as far as it takes them, and flushes.
    fn poll_write(&mut self, context: &mut std::task::Context<'_>) -> Result<(), Error> {
        let mut stream = Pin::new(&mut self.stream);
        while !self.queue.is_empty() {
            match stream.as_mut().poll_ready(context)? {
                Poll::Pending => return Ok(()),
                Poll::Ready(()) => {
                    let Some(message) = self.queue.pop_front() else { break };
                    self.queued -= message.len();
                    stream.as_mut().start_send(message)?;
                }
            }
        }
        match stream.poll_flush(context)? {
            Poll::Ready(()) | Poll::Pending => Ok(()),
        }
    }

    /// Neither writes nor closes any more, until the client is gone or tired of it.
    pub async fn hold(mut self) {
        until_gone(self.stream.get_mut()).await;
    }

    /// Writes what is queued, then drops the connection.
    pub async fn finish(mut self) {
        let _ = time::timeout(CLOSE_WITHIN, self.write_queue()).await;
    }

    /// Whether all that was queued could be written.
    async fn write_queue(&mut self) -> bool {
        poll_fn(|context| match self.poll_write(context) {
            Ok(()) if self.queue.is_empty() => Poll::Ready(true),
            Ok(()) => Poll::Pending,
            Err(_) => Poll::Ready(false),
        })
        .await
    }

    /// Writes what is queued, then closes; without a code, as Node does, unless there is one to give.
    ///
    /// Also the way to complete the close handshake that the client began.
    pub async fn close(mut self, code: Option<CloseCode>) {
        let frame = code.map(|code| CloseFrame { code, reason: "".into() });
        let _ = time::timeout(CLOSE_WITHIN, async {
            if !self.write_queue().await || self.stream.close(frame).await.is_err() {
                return;
            }
            while let Some(Ok(_)) = self.stream.next().await {}
            if code.is_none() {
                return;
            }
            // After a violation the stream reads no more frames; the rest is thrown away as bytes, because closing a
            // socket with unread input resets it, and the close frame might be lost with it.
            let mut buffer = vec![0; 16 << 10];
            let mut left = DISCARD_AT_MOST;
            while let Ok(read @ 1..) = self.stream.get_mut().read(&mut buffer).await {
                left = left.saturating_sub(read);
                if left == 0 {
                    break;
                }
            }
        })
        .await;
    }
}

/// The WebSocket over which the gateway speaks to an upstream.
pub async fn client_side(io: Box<dyn Io>) -> Connection {
    let config = WebSocketConfig::default().read_buffer_size(16 << 10);
    Connection::new(WebSocketStream::from_raw_socket(io, Role::Client, Some(config)).await)
}
