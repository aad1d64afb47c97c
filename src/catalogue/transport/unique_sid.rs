//! Session ids are unique and cannot be guessed: twenty handshakes give twenty ids, each long enough, and not counted up.
//!
//! The id is all that a polling request carries: whoever guesses it reads and writes in that session. The protocol does
//! not say how long it is. So beside what all twenty have in common at either end (a node's name, a time stamp), eleven
//! characters must remain, 64 bits in base64. Fewer than twenty characters in all, which is what engine.io has, are a
//! finding of the level SHOULD: some libraries make do with sixteen.

use crate::{
    catalogue::{Check, Effort, Isolation, Wait, cite},
    mock::Fault,
    probe::{Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
    wire::{Session, Transport},
};

pub const CHECK: Check = Check {
    id: "transport.unique-sid",
    title: "Session ids are unique and cannot be guessed",
    level: Level::Must,
    row: Row::D,
    cites: &[cite::EIO_HANDSHAKE, cite::OWASP_SESSION],
    needs: &[],
    requires: &[],
    isolation: Isolation::SideBySide,
    wait: Wait::None,
    meaning: "A stranger who guesses a session's id reads its messages and sends in its name, without any token.",
    fix: "Leave `generateId` alone, or make the id of at least 15 random bytes: `randomBytes(15).toString('base64url')`.",
    effort: Effort::Minutes,
    faults: &[Fault::SequentialSid, Fault::ShortSid],
    run: |probe| Box::pin(run(probe)),
};

const HANDSHAKES: usize = 20;
/// What engine.io has: 15 random bytes in base64.
const MIN_LENGTH: usize = 20;
/// Characters of each id, beside what all twenty have in common at either end, that are enough: 64 bits in base64. A
/// shared beginning or end by itself (a node's name, a time stamp) is lawful.
const MIN_RANDOM: usize = 11;

async fn run(probe: &Probe) -> Verdict {
    let transport = if probe.target().usable(Transport::Polling) { Transport::Polling } else { Transport::WebSocket };
    let handshakes = (1..=HANDSHAKES).map(|number| async move {
        let endpoint = probe.endpoint(&number.to_string());
        let opened = match transport {
            Transport::Polling => Session::polling_handshake(&endpoint).await.map(|(handshake, _)| handshake),
            Transport::WebSocket => Session::websocket_handshake(&endpoint).await.map(|(_, handshake)| handshake),
        };
        opened.map(|handshake| handshake.sid).map_err(|error| Stop::Broken(format!("handshake {number}: {error}")))
    });
    let sids = futures::future::try_join_all(handshakes).await?;

    let finding = |reason: &str| {
        fail(reason)
            .sent(format!("{HANDSHAKES} handshakes"))
            .received(format!("{}, …", sids[..5].join(", ")))
            .expected(format!("{HANDSHAKES} different ids of {MIN_LENGTH} or more random characters"))
    };
    let mut sorted = sids.clone();
    sorted.sort_unstable();
    sorted.dedup();
    if sorted.len() < sids.len() {
        return finding("Two sessions got the same id").stop();
    }
    let reversed: Vec<String> = sids.iter().map(|sid| sid.chars().rev().collect()).collect();
    let common = common_prefix(&sids) + common_prefix(&reversed);
    let shortest = sids.iter().map(|sid| sid.chars().count()).min().unwrap_or_default();
    if shortest.saturating_sub(common) < MIN_RANDOM {
        return finding(if common == 0 {
            "Session ids are short enough to be guessed"
        } else {
            "Session ids are nearly alike: little of them is random"
        })
        .stop();
    }
    if shortest < MIN_LENGTH {
        return finding(&format!("Session ids have only {shortest} characters")).at(Level::Should).stop();
    }
    Ok(())
}

fn common_prefix(texts: &[String]) -> usize {
    let first: Vec<char> = texts[0].chars().collect();
    texts[1..]
        .iter()
        .map(|text| text.chars().zip(&first).take_while(|(a, b)| a == *b).count())
        .min()
        .unwrap_or_default()
}
