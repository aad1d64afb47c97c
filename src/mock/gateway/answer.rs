//! The gateway's HTTP answers, worded as engine.io's.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

/// What the gateway answers with.
pub type Answer = Response<Full<Bytes>>;

/// The error codes of the Engine.IO handshake. The numbers and messages are engine.io's; the text fixes only the 400.
#[derive(Clone, Copy, Debug)]
pub enum Refusal {
    TransportUnknown,
    SessionUnknown,
    BadHandshakeMethod,
    BadRequest,
    UnsupportedProtocolVersion,
}

impl Refusal {
    const fn code(self) -> u8 {
        match self {
            Refusal::TransportUnknown => 0,
            Refusal::SessionUnknown => 1,
            Refusal::BadHandshakeMethod => 2,
            Refusal::BadRequest => 3,
            Refusal::UnsupportedProtocolVersion => 5,
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Refusal::TransportUnknown => "Transport unknown",
            Refusal::SessionUnknown => "Session ID unknown",
            Refusal::BadHandshakeMethod => "Bad handshake method",
            Refusal::BadRequest => "Bad request",
            Refusal::UnsupportedProtocolVersion => "Unsupported protocol version",
        }
    }

    /// The answer to a polling request.
    pub fn answer(self) -> Answer {
        let body = format!(r#"{{"code":{},"message":"{}"}}"#, self.code(), self.message());
        with_body(StatusCode::BAD_REQUEST, "application/json", body)
    }

    /// The answer to a request to upgrade.
    pub fn answer_upgrade(self) -> Answer {
        refuse_upgrade(StatusCode::BAD_REQUEST, self.message())
    }
}

/// An answer with a body of that type.
pub fn with_body(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// An answer that is nothing but a status.
pub fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

/// The answer to packets that were taken.
pub fn accepted() -> Answer {
    let mut answer = with_body(StatusCode::OK, "text/html", "ok");
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// A polling answer: packets, or the handshake.
pub fn payload(body: impl Into<Bytes>) -> Answer {
    let mut answer = with_body(StatusCode::OK, "text/plain; charset=UTF-8", body);
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// The refusal of an upgrade; the connection is of no further use.
pub fn refuse_upgrade(status: StatusCode, message: &'static str) -> Answer {
    let mut answer = with_body(status, "text/html", message);
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}
