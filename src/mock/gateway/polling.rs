//! Long-polling: what a request of a known session does (Engine.IO v4, "HTTP long-polling").

use std::{future::pending, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use tokio::{sync::oneshot, time};

use super::{
    super::Fault,
    Handle, Settings, Transport,
    answer::{self, Answer, Refusal},
    packet::{Packet, decode_payload},
    session::{Command, PollAnswer},
};

/// How much of a refused body is read and thrown away, in bytes, so that the refusal is not lost to a reset.
const DISCARD_AT_MOST: usize = 64 << 20;

/// How long that may take.
const DISCARD_WITHIN: Duration = Duration::from_secs(1);

/// How many packets of one POST the faults `truncates-payload` and `reverses-payload` leave alone.
const FEW_PACKETS: usize = 4;

/// A GET: waits for packets. Nothing, when the connection is to be cut.
pub async fn get(handle: Handle, settings: &Settings) -> Option<Answer> {
    if settings.faults.has(Fault::LimitsPolls) && handle.is_flooded() {
        return Some(answer::empty(StatusCode::TOO_MANY_REQUESTS));
    }
    let (sender, answer) = oneshot::channel();
    if handle.send(Command::Poll(sender)).await.is_err() {
        return Some(Refusal::SessionUnknown.answer());
    }
    // When the client cuts the request, hyper drops this future, and the session sees its end of the channel close.
    let patience = match settings.faults.has(Fault::CutsLongPolls) {
        true => settings.ping_interval * 5 / 6,
        false => Duration::MAX,
    };
    let Ok(answer) = time::timeout(patience, answer).await else {
        return Some(answer::empty(StatusCode::GATEWAY_TIMEOUT));
    };
    match answer {
        Ok(PollAnswer::Payload(payload)) => Some(answer::payload(payload)),
        Ok(PollAnswer::Overlap) => Some(answer::empty(StatusCode::BAD_REQUEST)),
        Ok(PollAnswer::Cut) => None,
        Err(_) => Some(Refusal::SessionUnknown.answer()),
    }
}

/// A POST: takes packets.
pub async fn post(handle: Handle, settings: &Settings, request: Request<Incoming>) -> Option<Answer> {
    let Some(posting) = handle.start_posting() else {
        // Two at once leave the order of their packets open.
        handle.fail();
        return Some(answer::empty(StatusCode::BAD_REQUEST));
    };
    // A client that goes away in the middle of its request ends its session.
    let unfinished = FailOnDrop(Some(&handle));
    let (head, mut body) = request.into_parts();
    if is_binary(&head.headers) {
        if settings.faults.has(Fault::HangsOnBinaryPost) {
            pending::<()>().await;
        }
        // Since v4, binary data travels as base64 in a text body.
        discard(body).await;
        return Some(answer::empty(StatusCode::BAD_REQUEST));
    }
    let limit = settings.limit(Transport::Polling);
    if body.size_hint().lower() > limit as u64 {
        discard(body).await;
        return Some(answer::empty(StatusCode::PAYLOAD_TOO_LARGE));
    }
    let (reading, patience) = match settings.faults.has(Fault::SlowPostStalls) {
        true => (Some(settings.reading.lock().await), Duration::MAX),
        false => (None, settings.ping_interval + settings.ping_timeout),
    };
    let bytes = match time::timeout(patience, collect(Limited::new(&mut body, limit))).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            discard(body).await;
            return Some(answer::empty(StatusCode::PAYLOAD_TOO_LARGE));
        }
        Ok(Err(_)) | Err(_) => return Some(answer::empty(StatusCode::BAD_REQUEST)),
    };
    drop(reading);
    unfinished.disarm();

    let faults = &settings.faults;
    let payload = match faults.has(Fault::ReadsPostsAsLatin1) {
        true => bytes.iter().copied().map(char::from).collect(),
        false => String::from_utf8_lossy(&bytes),
    };
    let mut packets = decode_payload(&payload);
    if faults.has(Fault::InvalidPostSparesSession) && packets.iter().any(Result::is_err) {
        return Some(answer::empty(StatusCode::BAD_REQUEST));
    }
    if faults.has(Fault::TruncatesPayload) {
        packets.truncate(FEW_PACKETS);
    }
    if faults.has(Fault::ReversesPayload) && packets.len() > FEW_PACKETS {
        packets.reverse();
    }
    if faults.has(Fault::ShortensBase64) {
        for packet in &mut packets {
            if let Ok(Packet::Binary(data)) = packet {
                data.truncate(data.len().saturating_sub(1));
            }
        }
    }
    let (done, dealt_with) = oneshot::channel();
    if handle.send(Command::Post(packets, done)).await.is_err() || dealt_with.await.is_err() {
        return Some(Refusal::SessionUnknown.answer());
    }
    drop(posting);
    if faults.has(Fault::PostAnswersOtherText) {
        return Some(answer::with_body(StatusCode::OK, "text/html", "OK"));
    }
    if faults.has(Fault::PostAnswersNoContent) {
        return Some(answer::empty(StatusCode::NO_CONTENT));
    }
    Some(answer::accepted())
}

async fn collect(body: Limited<&mut Incoming>) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
    Ok(body.collect().await?.to_bytes())
}

fn is_binary(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes() == b"application/octet-stream")
}

async fn discard(body: Incoming) {
    let mut body = Limited::new(body, DISCARD_AT_MOST);
    let _ = time::timeout(DISCARD_WITHIN, async { while let Some(Ok(_)) = body.frame().await {} }).await;
}

/// Ends the session unless told in time that all went well.
struct FailOnDrop<'a>(Option<&'a Handle>);

impl FailOnDrop<'_> {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for FailOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(handle) = self.0 {
            handle.fail();
        }
    }
}
