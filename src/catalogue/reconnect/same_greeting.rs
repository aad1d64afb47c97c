//! What the server sends by itself on a connect does not become more with every reconnect.
//!
//! One user connects six times, and beside that six different users connect once each; every connection but the last of
//! both is cut. Then the events that came unasked are counted by name: those up to the fence that follows the CONNECT
//! reply, and on the last two connections those of one quiet window more, for servers that look something up before they
//! greet. A greeting has piled up when the user's last connection got more than its first and no fewer than any before,
//! and also more than the stranger that connected at the same time.
//!
//! Any number of greetings is lawful, none included; so are broadcasts that other clients cause. Declared events that
//! checks cause (the pong, the room message, the notification) do not count, and a difference must show in three
//! comparisons, each with new users, before it is one.

use std::collections::BTreeMap;

use super::RECONNECTS;
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Client, Probe, Stop, User, Verdict, fail},
    verdict::{Copied, Level, Row},
    wire::Transport,
};

pub const CHECK: Check = Check {
    id: "reconnect.same-greeting",
    title: "The server's greeting does not multiply with reconnects",
    level: Level::Must,
    row: Row::C9,
    cites: &[cite::SIO_LISTENING, cite::CHECKLIST],
    needs: &[Need::Connect],
    requires: &["socket.connect-reply-once"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "What the page is told on connecting (its state, who is online, what was missed) arrives once more after \
              each loss of the network, and shows up as often.",
    fix: "Register `io.on('connection', …)` once, when the server is made, behind `if (!globalThis.io)`: never inside \
          another handler, a request or a middleware.",
    effort: Effort::Minutes,
    faults: &[Fault::GreetingsPileUp],
    run: |probe| Box::pin(run(probe)),
};

/// How often a difference must show.
const COMPARISONS: usize = 3;

/// Events by name and number.
type Greeting = BTreeMap<String, usize>;

async fn run(probe: &Probe) -> Verdict {
    let transport = probe.transport();
    let mut piled = compare(probe, transport).await?;
    for _ in 1..COMPARISONS {
        if piled.is_empty() {
            return Ok(());
        }
        let again = compare(probe, transport).await?;
        piled.retain(|event, _| again.contains_key(event));
    }
    let Some((event, counts)) = piled.pop_first() else { return Ok(()) };
    let numbers = counts.clone();
    let counts: Vec<String> = counts.iter().map(ToString::to_string).collect();
    fail(say!("With each reconnect of a user, more `{event}` events greet it", event))
        .sent(say!(
            "CONNECT as one user, {reconnects} times, each connection dropped before the next",
            reconnects = RECONNECTS + 1
        ))
        .received(say!(
            "× `{event}`: {counts} from the first connection to the last",
            event,
            counts = counts.join(", ")
        ))
        .expected("as many on the last connection as on the first, or as another user gets")
        .copies(Copied::Greeting, numbers)
        .stop()
}

/// The events that became more for a user that reconnects, with their numbers connection by connection.
async fn compare(probe: &Probe, transport: Transport) -> Result<BTreeMap<String, Vec<usize>>, Stop> {
    if probe.tokens().users().len() > 0 {
        // What piles up for one of these may have piled up for the others before.
        return Err(Stop::Skip(
            "needs users who never connected before, and the contract declares who there is ([[users]])".into(),
        ));
    }
    let user = probe.user("user");
    let same = vec![user; RECONNECTS + 1];
    let different: Vec<User> = (0..=RECONNECTS).map(|number| probe.user(&format!("stranger{number}"))).collect();
    let (greetings, strangers) = tokio::try_join!(
        greetings(probe, "user", &same, transport),
        greetings(probe, "stranger", &different, transport),
    )?;
    let stranger = strangers.last().expect("there are several connections");
    let last = greetings.last().expect("there are several connections");
    let mut piled = BTreeMap::new();
    for (event, &count) in last {
        let counts: Vec<usize> = greetings.iter().map(|seen| seen.get(event).copied().unwrap_or_default()).collect();
        // What piles up gains one with each reconnect. A greeting that only a known user gets does not, and neither do
        // broadcasts that others' connections cause, which strangers hear as well.
        let gain = RECONNECTS - 1;
        let stranger = stranger.get(event).copied().unwrap_or_default();
        if count >= counts[1] + gain && count >= stranger + gain {
            piled.insert(event.clone(), counts);
        }
    }
    Ok(piled)
}

/// Connects these users one after the other and tells how each was greeted. All connections but the last are dropped at
/// once.
async fn greetings(probe: &Probe, label: &str, users: &[User], transport: Transport) -> Result<Vec<Greeting>, Stop> {
    let mut greetings = Vec::new();
    for (index, user) in users.iter().enumerate() {
        let mut client = probe.client_of(user, label, transport).await?;
        if index + 1 == users.len() {
            // A greeting may come late.
            client.listen(probe.target().quiet_window()).await?;
        }
        client.take_notes(probe);
        greetings.push(unasked(probe, &client));
        client.drop_connection();
    }
    Ok(greetings)
}

/// What came since the connect and was not caused by any check.
fn unasked(probe: &Probe, client: &Client) -> Greeting {
    let contract = probe.contract();
    let caused = [
        contract.ping.as_ref().map(|ping| &ping.reply),
        contract.rooms.as_ref().map(|rooms| &rooms.receive.event),
        contract.rest.as_ref().map(|rest| &rest.event.event),
    ];
    let mut greeting = Greeting::new();
    for packet in client.since(0).iter().filter(|packet| packet.namespace == contract.namespace) {
        if let Some(event) = packet.event_name()
            && !caused.iter().flatten().any(|name| *name == event)
        {
            *greeting.entry(event.to_owned()).or_default() += 1;
        }
    }
    greeting
}
