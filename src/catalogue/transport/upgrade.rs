//! A session that began on polling moves to WebSocket: `2probe` is answered with `3probe`, the pending poll is released,
//! `5` completes, and messages flow afterwards with none lost.
//!
//! The messages are CONNECTs to namespaces that do not exist, which the protocol has answered without any token: one
//! while the transport is still being probed, then more on the WebSocket. A poll that is pending may be released by `6`
//! or by a message; both are lawful.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    message::word,
    probe::{Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
    wire::{EnginePacket, Frame, Polling, Session, SocketPacket, Transport, Upgrade, WebSocket, WireError, YOUNG},
};

pub const CHECK: Check = Check {
    id: "transport.upgrade",
    title: "A polling session upgrades to WebSocket and loses no message",
    level: Level::Must,
    row: Row::C8,
    cites: &[cite::EIO_UPGRADE],
    needs: &[Need::Polling, Need::WebSocket],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "This is how clients connect by default: they hang for seconds, fall back to polling, or lose the first \
              messages after the switch.",
    fix: "Polling requests and upgrades must reach the same engine in the same process: bind one `Engine` to both \
          Nitro's router and the crossws `websocket` hook, and let no proxy send the two to different instances.",
    effort: Effort::Hours,
    faults: &[Fault::ProbeUnanswered, Fault::PollNotReleased, Fault::UpgradeLosesMessage],
    run: |probe| Box::pin(run(probe)),
};

/// Messages exchanged on the WebSocket after the upgrade.
const AFTER: usize = 3;

/// How many sessions more must be found by their upgrades where one was not: enough for a balancer that goes by turns to show.
const LATER: usize = 4;

async fn run(probe: &Probe) -> Verdict {
    let is_unknown = AtomicBool::new(false);
    let first = exchange(probe, Duration::ZERO, &is_unknown).await;
    if !is_unknown.load(Ordering::Relaxed) || !are_known_later(probe).await? {
        return first;
    }
    exchange(probe, YOUNG, &is_unknown).await
}

/// Whether sessions that are a moment old are known to whoever answers their upgrades: the word of them may have been on its way
/// between workers.
async fn are_known_later(probe: &Probe) -> Result<bool, Stop> {
    for number in 1..=LATER {
        let endpoint = probe.endpoint(&format!("later {number}")).taking_first_answers();
        let Ok((handshake, _)) = Session::polling_handshake(&endpoint).await else { return Ok(false) };
        sleep(YOUNG).await;
        let url = endpoint.engine_url(Transport::WebSocket, Some(&handshake.sid));
        if !matches!(WebSocket::open(&endpoint, url, Default::default()).await, Ok(Upgrade::Accepted(_))) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// One upgrade, so long after the handshake.
async fn exchange(probe: &Probe, after: Duration, is_unknown: &AtomicBool) -> Verdict {
    let endpoint = probe.endpoint("a");
    let lost = |error: WireError| Stop::Broken(say!("the session to upgrade: {error}", error));
    let (handshake, early) = Session::polling_handshake(&endpoint).await.map_err(lost)?;
    if !handshake.upgrades().contains(&"websocket") {
        return Err(Stop::Skip("the handshake offers no upgrade to websocket (see transport.upgrade-offered)".into()));
    }
    sleep(after).await;
    let polling = Polling::new(&endpoint, &handshake.sid);

    // The poll that is pending while the client probes.
    let pending = tokio::spawn({
        let polling = polling.clone();
        let patience = probe.deadline();
        async move { polling.poll(patience).await }
    });
    let url = endpoint.engine_url(Transport::WebSocket, Some(&handshake.sid));
    let finding = |reason: &'static str| fail(reason).sent("an upgrade: WebSocket with the session's sid, then 2probe");
    // The answer to a second request might come from another node.
    let upgrading = endpoint.clone().taking_first_answers();
    let mut socket = match WebSocket::open(&upgrading, url, Default::default()).await {
        Ok(Upgrade::Accepted(socket)) => socket,
        Ok(Upgrade::Refused(response)) => {
            is_unknown.store(response.misses_session(), Ordering::Relaxed);
            return finding("The WebSocket of the upgrade is refused").received(response).expected("HTTP 101").stop();
        }
        Err(error) => {
            return finding("The WebSocket of the upgrade does not open").received(error).expected("HTTP 101").stop();
        }
    };
    let sending = |error: WireError| Stop::Broken(say!("the WebSocket of the upgrade: {error}", error));
    socket.send_packet(&EnginePacket::Ping("probe".into())).await.map_err(sending)?;
    let question = probe.nonce("during");
    polling.push(&[ask(&question)]).await.map_err(lost)?;
    let mut asked = BTreeSet::from([question]);

    match socket.receive(probe.deadline()).await {
        Ok(Frame::Text(text)) if text == "3probe" => {}
        Ok(frame) => {
            return finding("The probe is not answered by 3probe").received(frame).expected(word("3probe")).stop();
        }
        Err(error) => {
            return finding("The probe is not answered").received(error).expected(word("3probe")).stop();
        }
    }
    let released = pending.await.map_err(|error| Stop::Broken(error.to_string().into()))?;
    let released = match released.map_err(|error| probe.noted(error)) {
        Ok(packets) => packets,
        Err(error) => {
            return finding("The pending poll is not released during the upgrade")
                .received(error)
                .expected("6, or a message, as the answer to the pending GET")
                .stop();
        }
    };
    socket.send_packet(&EnginePacket::Upgrade).await.map_err(sending)?;
    let by_polling: Vec<EnginePacket> = early.into_iter().chain(released).collect();
    // A heartbeat that came by polling still waits for its answer.
    for packet in &by_polling {
        if let EnginePacket::Ping(data) = packet {
            socket.send_packet(&EnginePacket::Pong(data.clone())).await.map_err(sending)?;
        }
    }
    note_answers(&mut asked, by_polling);
    let mut session = Session::over_websocket(socket, handshake);
    for round in 1..=AFTER {
        let question = probe.nonce(&format!("after{round}"));
        session.send(ask(&question));
        asked.insert(question);
    }
    let deadline = Instant::now() + probe.deadline();
    while !asked.is_empty() {
        match session.next("answer", deadline).await.map_err(|error| probe.noted(error)) {
            Ok(packet) => note_answers(&mut asked, [packet]),
            Err(_) if asked.len() > AFTER && !answers(probe).await? => {
                return Err(Stop::Broken(
                    "a CONNECT to a namespace that does not exist gets no answer, with or without an upgrade (see \
                     socket.unknown-namespace)"
                        .into(),
                ));
            }
            Err(error) => {
                let missing = asked.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                return fail(say!(
                    "{count} of {after} messages are lost across the upgrade",
                    count = asked.len(),
                    after = AFTER + 1
                ))
                .extent(asked.len(), AFTER + 1)
                .sent(say!("40/<name>, once during the upgrade and {after} times after 5", after = AFTER))
                .received(say!("no answer for {missing} ({error})", missing, error))
                .expected("an answer, 44/<name>,{\"message\":…}, to each")
                .stop();
            }
        }
    }
    Ok(())
}

/// Whether such a message is answered where nothing is upgraded.
async fn answers(probe: &Probe) -> Result<bool, Stop> {
    let mut client = probe.open("without an upgrade", Transport::Polling).await?;
    let namespace = format!("/{}", probe.nonce("without-upgrade"));
    client.send(&SocketPacket::connect(&namespace, None));
    let answer = client.wait("answer", 0, probe.in_time(), |packet| packet.namespace == namespace).await;
    Ok(answer.is_ok())
}

/// A message that every server answers: CONNECT to a namespace of this name.
fn ask(name: &str) -> EnginePacket {
    EnginePacket::Message(SocketPacket::connect(&format!("/{name}"), None).encode())
}

fn note_answers(asked: &mut BTreeSet<String>, packets: impl IntoIterator<Item = EnginePacket>) {
    for packet in packets {
        if let EnginePacket::Message(text) = packet
            && let Ok(packet) = SocketPacket::decode(&text)
        {
            asked.remove(packet.namespace.trim_start_matches('/'));
        }
    }
}
