//! Session ids are unique and cannot be guessed: twenty handshakes give twenty ids, each long enough, and not counted up.
//!
//! The id is all that a polling request carries: whoever guesses it reads and writes in that session. The protocol does
//! not say how long it is. So beside what they have in common (a node's name, a time stamp) and what is counted up, there
//! must be as much that differs from id to id as in eleven random characters of base64, 64 bits. Fewer than twenty characters in all, which is what engine.io has, are a
//! finding of the level SHOULD: some libraries make do with sixteen.

use std::collections::HashSet;

use crate::{
    catalogue::{Check, Effort, Isolation, Wait, cite},
    fault::Fault,
    message::Message,
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
    effects: &[],
    wait: Wait::None,
    meaning: "A stranger who guesses a session's id reads its messages and sends in its name, without any token.",
    fix: "Leave `generateId` alone, or make the id of at least 15 random bytes: `randomBytes(15).toString('base64url')`.",
    effort: Effort::Minutes,
    faults: &[Fault::SequentialSid, Fault::ShortSid],
    run: |probe| Box::pin(run(probe)),
};

const HANDSHAKES: usize = 20;
/// What engine.io has: 15 bytes in base64, twelve of them random and three counted up.
const MIN_LENGTH: usize = 20;
/// Bits, as [`seen_bits`] sees them, that are enough: those of eleven random characters of base64, which are 64 bits. What
/// ids have in common (a node's name, a time stamp), or what is counted up, is lawful beside them.
const MIN_RANDOM: f64 = 40.0;
/// Different characters at one place, of twenty ids, below which it is not taken for random: a counter's tens.
const FEW: usize = 5;

async fn run(probe: &Probe) -> Verdict {
    let transport = if probe.target().usable(Transport::Polling) { Transport::Polling } else { Transport::WebSocket };
    let handshakes = (1..=HANDSHAKES).map(|number| async move {
        let endpoint = probe.endpoint(&number.to_string());
        let opened = match transport {
            Transport::Polling => Session::polling_handshake(&endpoint).await.map(|(handshake, _)| handshake),
            Transport::WebSocket => Session::websocket_handshake(&endpoint).await.map(|(_, handshake)| handshake),
        };
        opened
            .map(|handshake| handshake.sid)
            .map_err(|error| Stop::Broken(say!("handshake {number}: {error}", number, error)))
    });
    let sids = futures::future::try_join_all(handshakes).await?;

    let finding = |reason: Message| {
        fail(reason)
            .sent(say!("{handshakes} handshakes", handshakes = HANDSHAKES))
            .received(format!("{}, …", sids[..5].join(", ")))
            .expected(say!(
                "{handshakes} different ids of {min_length} or more random characters",
                handshakes = HANDSHAKES,
                min_length = MIN_LENGTH
            ))
    };
    let mut sorted = sids.clone();
    sorted.sort_unstable();
    sorted.dedup();
    if sorted.len() < sids.len() {
        return finding("Two sessions got the same id".into()).stop();
    }
    let reversed: Vec<String> = sids.iter().map(|sid| sid.chars().rev().collect()).collect();
    let common = common_prefix(&sids) + common_prefix(&reversed);
    let random = seen_bits(&sids).max(seen_bits(&reversed));
    let shortest = sids.iter().map(|sid| sid.chars().count()).min().unwrap_or_default();
    if random < MIN_RANDOM {
        return finding(if common == 0 {
            "Session ids are short enough to be guessed".into()
        } else {
            "Session ids are nearly alike: little of them is random".into()
        })
        .stop();
    }
    if shortest < MIN_LENGTH {
        return finding(say!("Session ids have only {shortest} characters", shortest)).at(Level::Should).stop();
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

/// The bits that differ from id to id, by how many different characters stand at each place; a little less than there are,
/// since few ids do not show a whole alphabet.
fn seen_bits(sids: &[String]) -> f64 {
    let ids: Vec<Vec<char>> = sids.iter().map(|sid| sid.chars().collect()).collect();
    let shortest = ids.iter().map(Vec::len).min().unwrap_or_default();
    let different = (0..shortest).map(|at| ids.iter().map(|id| id[at]).collect::<HashSet<char>>().len());
    different.filter(|count| *count >= FEW).map(|count| (count as f64).log2()).sum()
}
