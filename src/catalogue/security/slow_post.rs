//! A POST whose body comes a byte a second keeps nobody else from being served.
//!
//! While the body drips, clients on every transport that were there before have an exchange after each byte, and one new
//! client opens a session; each must be answered in time. The check runs alone, because a server that it stalls is stalled
//! for every other check, and it is over after two bytes.

use std::time::Duration;

use futures::future::join_all;
use tokio::{sync::watch, task::JoinSet, time::timeout};

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite, promises::has_ended},
    fault::Fault,
    message::Message,
    probe::{Client, Probe, Stop, Verdict, confirmed, fail},
    verdict::{Level, Row},
    wire::{Session, Transport, WireError},
};

pub const CHECK: Check = Check {
    id: "security.slow-post",
    title: "A slow POST does not stop the server from serving others",
    level: Level::Should,
    row: Row::D,
    cites: &[cite::EIO_POLLING, cite::CWE_400],
    needs: &[Need::Polling],
    requires: &[],
    isolation: Isolation::Alone,
    effects: &[Effect::Heavy, Effect::Endangers],
    wait: Wait::None,
    meaning: "One stranger with a slow connection, or one who pretends to have one, stops the whole application for \
              everybody.",
    fix: "Read bodies as they come: `engine.handleRequest(event.node.req, event.node.res)` does, and nothing before it may \
          wait for the whole body while it holds what others need (a lock, one of few workers). A proxy that buffers \
          requests helps (nginx: `proxy_request_buffering on`), with a limit for the time (`client_body_timeout 10s`).",
    effort: Effort::Days,
    faults: &[Fault::SlowPostStalls],
    run: |probe| Box::pin(run(probe)),
};

/// Time between two bytes.
const PACE: Duration = Duration::from_secs(1);
/// Bytes after which others are looked at.
const BYTES: u32 = 2;
/// Bytes that the body is said to have: more than are ever sent.
const LENGTH: u32 = 600;

async fn run(probe: &Probe) -> Verdict {
    confirmed(probe, || exchange(probe)).await
}

async fn exchange(probe: &Probe) -> Verdict {
    let mut others = Vec::new();
    for transport in probe.transports() {
        let mut client = probe.open(transport.name(), transport).await?;
        client.round_trip(None).await.map_err(|error| {
            Stop::Broken(say!(
                "an exchange over {transport} before the slow POST: {error} (see socket.unknown-namespace)",
                transport,
                error
            ))
        })?;
        others.push(client);
    }
    let endpoint = probe.endpoint("slow");
    let lost = |error: WireError| Stop::Broken(say!("the session of the slow POST: {error}", error));
    let (handshake, _) = Session::polling_handshake(&endpoint).await.map_err(lost)?;
    let url = endpoint.engine_url(Transport::Polling, Some(&handshake.sid));

    let (sent, mut dripped) = watch::channel(0);
    // Ended with this set, when the check is over.
    let mut slow = JoinSet::new();
    slow.spawn(async move { endpoint.post_slowly(url, LENGTH, PACE, sent).await });
    for byte in 1..=BYTES {
        let patience = PACE + probe.deadline();
        let is_sent = timeout(patience, dripped.wait_for(|count| *count >= byte)).await.map(|sent| sent.is_ok());
        match is_sent {
            Ok(true) => {}
            // A server may refuse to wait for such a body.
            Ok(false) if byte > 1 => {
                let answer = slow.join_next().await.and_then(Result::ok);
                let answer = answer.map_or_else(
                    || "no answer".into(),
                    |answer| answer.map_or_else(|error| error.message(), |response| response.message()),
                );
                probe.note(say!("lawful choice: the slow POST is ended by the server: {answer}", answer));
                return expect_served(probe, &mut others).await;
            }
            Ok(false) | Err(_) => return Err(Stop::Broken("the slow POST could not be sent".into())),
        }
        expect_served(probe, &mut others).await?;
    }
    Ok(())
}

/// Has an exchange with each client at once, and lets a new one come.
async fn expect_served(probe: &Probe, others: &mut [Client]) -> Verdict {
    let exchanges = others.iter_mut().map(|client| async move {
        let over = client.transport();
        client.round_trip(None).await.map(drop).map_err(|error| (say!("a client over {over}", over), error))
    });
    let newcomer = async {
        let endpoint = probe.endpoint("new");
        Session::polling_handshake(&endpoint).await.map_err(|error| (Message::from("a handshake by polling"), error))
    };
    let (exchanges, newcomer) = tokio::join!(join_all(exchanges), newcomer);
    match exchanges.into_iter().chain([newcomer.map(drop)]).find_map(Result::err).map_or(Ok(()), Err) {
        Ok(()) => Ok(()),
        Err((who, error @ WireError::Timeout { .. })) => fail("While one POST is sent slowly, others are not served")
            .sent("a POST whose body comes a byte a second")
            .received(say!("{who}: {error}", who, error))
            .expected("an answer to everybody else in time")
            .harms_others()
            .stop(),
        // Their heartbeats were not served either.
        Err((who, error)) if has_ended(&error) => fail("While one POST is sent slowly, others lose their connection")
            .sent("a POST whose body comes a byte a second")
            .received(say!("{who}: {error}", who, error))
            .expected("an answer to everybody else in time")
            .doubtful()
            .harms_others()
            .stop(),
        Err((who, error)) => Err(Stop::Broken(say!("{who}, during a slow POST: {error}", who, error))),
    }
}
