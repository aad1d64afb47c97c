//! Thirty polls in a row meet no limit of a rate: none is answered 429, nor 503 as nginx does it by default.
//!
//! Each poll is released by the answer to a CONNECT to a namespace that does not exist, so that a busy chat is what it
//! looks like. A client on polling sends two requests for each exchange; limits made for pages are too low for that.

use tokio::time::Instant;

use crate::{
    catalogue::{Check, Isolation, Need, Wait, cite},
    mock::Fault,
    probe::{Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
    wire::{EnginePacket, Polling, Session, SocketPacket, WireError},
};

pub const CHECK: Check = Check {
    id: "deploy.poll-rate",
    title: "Thirty polls in a row meet no rate limit",
    level: Level::Should,
    row: Row::D,
    cites: &[cite::EIO_POLLING, cite::RFC6585_4],
    needs: &[Need::Polling],
    requires: &[],
    isolation: Isolation::SideBySide,
    wait: Wait::None,
    meaning: "Users on polling are thrown out just when much is going on, and everybody behind one company's address at \
              once.",
    fix: "Leave the Socket.IO path out of the limit that the proxy or a Nitro middleware has for pages and API routes \
          (nginx: no `limit_req` in `location /socket.io/`), or bound connections instead of requests.",
    faults: &[Fault::LimitsPolls],
    run: |probe| Box::pin(run(probe)),
};

/// Polls that are sent.
const POLLS: usize = 30;

async fn run(probe: &Probe) -> Verdict {
    let endpoint = probe.endpoint("a");
    let limited = |polls: usize, error: WireError| match &error {
        WireError::Status { method, response } if matches!(response.status, 429 | 503) => {
            fail(format!("Polling meets a rate limit after {polls} polls"))
                .sent(format!("up to {POLLS} polls, one after the other, and as many POSTs"))
                .received(format!("{method} was answered {response}"))
                .expected("HTTP 200 to each")
                .stop()
        }
        _ => Err(Stop::Broken(format!("the session to poll, after {polls} polls: {error}"))),
    };
    let (handshake, _) = match Session::polling_handshake(&endpoint).await {
        Ok(opened) => opened,
        Err(error) => return limited(0, error),
    };
    let polling = Polling::new(&endpoint, &handshake.sid);
    let mut polls = 0;
    while polls < POLLS {
        let question = format!("/{}", probe.nonce("poll"));
        let connect = EnginePacket::Message(SocketPacket::connect(&question, None).encode());
        if let Err(error) = polling.push(&[connect]).await {
            return limited(polls, error);
        }
        let until = probe.in_time();
        let mut is_answered = false;
        while !is_answered {
            let packets = match polling.poll(until.saturating_duration_since(Instant::now())).await {
                Ok(packets) => packets,
                Err(WireError::Timeout { .. }) => {
                    return Err(Stop::Broken(
                        "a CONNECT to an unknown namespace is not answered (see socket.unknown-namespace)".into(),
                    ));
                }
                Err(error) => return limited(polls, error),
            };
            polls += 1;
            for packet in packets {
                match packet {
                    EnginePacket::Ping(data) => {
                        if let Err(error) = polling.push(&[EnginePacket::Pong(data)]).await {
                            return limited(polls, error);
                        }
                    }
                    EnginePacket::Message(text) => {
                        is_answered |= SocketPacket::decode(&text).is_ok_and(|packet| packet.namespace == question);
                    }
                    _ => {}
                }
            }
        }
    }
    Ok(())
}
