//! Two hundred messages sent in a burst arrive in order, none lost and none doubled: over polling, over WebSocket, and
//! while a session moves from the one to the other.
//!
//! The messages are CONNECTs to namespaces that do not exist, which the protocol has answered without any token, and in
//! the order in which they came. During the upgrade, some are sent before it, some by a POST while it is under way, and
//! the rest over WebSocket. A last message tells that nothing is still to come. Answers out of order are a finding of lesser
//! weight: each is from a namespace of its own, and a server that looks namespaces up may lawfully take longer for one.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::Instant;

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    message::Message,
    probe::{Probe, Stop, Verdict, confirmed, fail, in_order},
    verdict::{Level, Row},
    wire::{EnginePacket, Session, SocketPacket, Transport, WireError},
};

pub const CHECK: Check = Check {
    id: "engine.order",
    title: "A burst of messages arrives in order, none lost, none doubled",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::EIO_POLLING, cite::EIO_WEBSOCKET, cite::EIO_UPGRADE],
    needs: &[Need::FixedNamespaces],
    requires: &["transport.upgrade", "engine.payload-batching"],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Heavy],
    wait: Wait::None,
    meaning: "Under load messages overtake each other, vanish or come twice: a document that is edited by several people \
              ends up different for each of them.",
    fix: "Hand each request to the engine in the order in which it came, and wait for nothing in between: no `await` before \
          `engine.handleRequest(…)` or `engine.onWebSocket(…)`, no queue that several workers empty, and no middleware that \
          drops packets beyond a rate (answer such clients by a disconnect instead). python-engineio takes no POST of more \
          than 16 packets: raise `engineio.payload.Payload.max_decode_packets`.",
    effort: Effort::Hours,
    faults: &[Fault::LosesBursts, Fault::RepeatsMessageAfterUpgrade, Fault::ReversesPayload],
    run: |probe| Box::pin(run(probe)),
};

/// Messages of one burst.
const COUNT: usize = 200;
/// What is awaited, as a timeout names it.
const AWAITED: &str = "answer to a message of the burst";
/// Where the burst is parted around an upgrade: before it, while it is under way, after it.
const PARTS: [usize; 2] = [60, 130];

async fn run(probe: &Probe) -> Verdict {
    let transports = probe.transports();
    let both = transports.len() > 1;
    let plain = transports.into_iter().map(|transport| confirmed(probe, move || over(probe, transport)));
    let upgrade = async { if both { confirmed(probe, || across_upgrade(probe)).await } else { Ok(()) } };
    let (plain, upgrade) = tokio::join!(in_order(plain), upgrade);
    plain.and(upgrade)
}

async fn over(probe: &Probe, transport: Transport) -> Verdict {
    let burst = Burst::new(probe, say!("over {transport}", transport));
    let endpoint = probe.endpoint(transport.name());
    let opened = Session::open(&endpoint, transport).await;
    let session = opened.map_err(|error| Stop::Broken(say!("no {transport} session: {error}", transport, error)))?;
    (0..COUNT).for_each(|number| session.send(burst.message(number)));
    burst.judge(probe, session).await
}

async fn across_upgrade(probe: &Probe) -> Verdict {
    let mut burst = Burst::new(probe, "across an upgrade to WebSocket".into());
    let messages: Vec<EnginePacket> = (0..COUNT).map(|number| burst.message(number)).collect();
    let [first, second] = PARTS;
    let upgraded = probe.upgraded_during("upgrade", &messages[..first], &messages[first..second]).await;
    let upgraded = match upgraded {
        Ok(upgraded) => upgraded,
        Err(Stop::Skip(why)) => {
            probe.note(say!("not judged across an upgrade: {why}", why));
            return Ok(());
        }
        Err(stop) => return Err(stop),
    };
    upgraded.early.into_iter().for_each(|packet| burst.hear(packet));
    let session = Session::over_websocket(upgraded.socket, upgraded.handshake);
    messages[second..].iter().for_each(|message| session.send(message.clone()));
    burst.judge(probe, session).await
}

/// How long a session lives for sure that neither answers a heartbeat in time nor is connected.
fn unharmed(probe: &Probe) -> Duration {
    let handshake = probe.target().handshake();
    let heartbeat = handshake.ping_interval() + handshake.ping_timeout();
    heartbeat.min(probe.contract().choices.connect_timeout.mul_f64(0.9))
}

/// One burst, and which of its messages were answered, in the order of the answers.
struct Burst {
    name: String,
    way: Message,
    heard: Vec<usize>,
    begun: Instant,
}

impl Burst {
    fn new(probe: &Probe, way: Message) -> Burst {
        Burst { name: probe.nonce("burst"), way, heard: Vec::new(), begun: Instant::now() }
    }

    fn message(&self, number: usize) -> EnginePacket {
        EnginePacket::Message(SocketPacket::connect(&format!("/{}-{number}", self.name), None).encode())
    }

    fn hear(&mut self, packet: EnginePacket) {
        if let EnginePacket::Message(text) = packet
            && let Ok(packet) = SocketPacket::decode(&text)
            && let Some(number) = packet.namespace.trim_start_matches('/').strip_prefix(&format!("{}-", self.name))
            && let Ok(number) = number.parse()
        {
            self.heard.push(number);
        }
    }

    /// Listens until `count` answers are there. Each of them may take a deadline of its own.
    async fn listen(&mut self, probe: &Probe, session: &mut Session, count: usize) -> Result<(), WireError> {
        let mut until = probe.in_time();
        while self.heard.len() < count {
            let before = self.heard.len();
            let packet = session.next(AWAITED, until).await.map_err(|error| probe.noted(error))?;
            self.hear(packet);
            if self.heard.len() > before {
                until = Instant::now() + probe.deadline();
            }
        }
        Ok(())
    }

    async fn judge(mut self, probe: &Probe, mut session: Session) -> Verdict {
        let mut end = self.listen(probe, &mut session, COUNT).await;
        if end.is_ok() {
            // What is doubled comes before the answer to this.
            session.send(self.message(COUNT));
            let all = self.heard.len() + 1;
            end = self.listen(probe, &mut session, all).await;
            while end.is_ok() && self.heard.last() != Some(&COUNT) && self.heard.len() < 3 * COUNT {
                let more = self.heard.len() + 1;
                end = self.listen(probe, &mut session, more).await;
            }
        }
        match &end {
            // Not an answer that stays away, but a request that this machine or the network was too slow for.
            Err(error @ WireError::Timeout { what, .. }) if *what != AWAITED => {
                return Err(Stop::Broken(say!("the burst {way}: {error}", way = self.way, error)));
            }
            Err(WireError::Timeout { .. }) if !self.heard.is_empty() => {}
            Err(WireError::Timeout { .. }) => {
                // Lost, if a single one is answered.
                session.send(self.message(COUNT));
                if self.listen(probe, &mut session, 1).await.is_err() {
                    return Err(Stop::Broken(
                        "a CONNECT to an unknown namespace is not answered (see socket.unknown-namespace)".into(),
                    ));
                }
            }
            Err(WireError::Status { response, .. }) if matches!(response.status, 429 | 503) => {
                return Err(Stop::Broken(say!(
                    "the burst {way} is cut short: {response} (see deploy.poll-rate)",
                    way = self.way,
                    response
                )));
            }
            Err(error) if self.begun.elapsed() >= unharmed(probe) => {
                return Err(Stop::Broken(say!(
                    "the burst {way} takes so long that its session may have ended for other reasons: {error}",
                    way = self.way,
                    error
                )));
            }
            _ => {}
        }
        self.heard.retain(|number| *number < COUNT);
        let has_ended = end.as_ref().is_err_and(|error| !matches!(error, WireError::Timeout { .. }));
        let Some((level, reason, received)) = self.fault(end.err()) else { return Ok(()) };
        let missing = self.missing();
        let finding = fail(reason)
            .at(level)
            .sent(say!("{count} messages in a burst: 40/<name>-0 to 40/<name>-{last}", count = COUNT, last = COUNT - 1))
            .received(received)
            .expected("44/<name>-…,{\"message\":…} to each, once, in the same order");
        let finding = if missing > 0 { finding.extent(missing, COUNT) } else { finding };
        if has_ended { finding.doubtful() } else { finding }.stop()
    }

    /// How many messages have no answer.
    fn missing(&self) -> usize {
        COUNT - self.heard.iter().collect::<BTreeSet<_>>().len()
    }

    /// What is wrong with the answers: how much that matters, the reason, and what was received.
    fn fault(&self, end: Option<WireError>) -> Option<(Level, Message, Message)> {
        let mut sorted = self.heard.clone();
        sorted.sort_unstable();
        let doubled = sorted.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
        sorted.dedup();
        let missing = self.missing();
        let way = &self.way;
        if let Some(doubled) = doubled {
            return Some((
                Level::Must,
                say!("A message of a burst {way} arrives twice", way),
                say!("two answers to message {doubled}", doubled),
            ));
        }
        if missing > 0 {
            let first = (0..COUNT).find(|number| sorted.binary_search(number).is_err()).unwrap_or_default();
            let answers = say!("{count} answer" | "{count} answers", count = sorted.len());
            let received = say!("{answers}; message {first} is the first without an answer", answers, first);
            let reason = say!("{missing} of {count} messages of a burst {way} are lost", missing, count = COUNT, way);
            return Some((
                Level::Must,
                reason,
                match end {
                    Some(error) => say!("{received} ({error})", received, error),
                    None => received,
                },
            ));
        }
        let overtaken = self.heard.windows(2).find(|pair| pair[0] > pair[1])?;
        let [before, after] = [overtaken[0], overtaken[1]];
        let reason = say!("Messages of a burst {way} arrive out of order", way);
        Some((
            Level::Should,
            reason,
            say!("the answer to message {before} before the one to message {after}", before, after),
        ))
    }
}
