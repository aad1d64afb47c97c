//! A binary packet that announces no attachment at all closes the connection (CVE-2026-69185).
//!
//! A server that counts up to the number announced passes zero, and then keeps whatever comes without end. To take the
//! packet for an event without attachments is harmless: where the connection stays open, a CONNECT to an unknown namespace
//! tells whether the server still listens, or waits for attachments. No attachments are sent here.

use crate::{
    catalogue::{
        Check, Effect, Effort, Isolation, Need, Wait, cite, listed,
        socket::{END, packet},
    },
    fault::Fault,
    message::Message,
    probe::{Life, Probe, Stop, Verdict, fail, in_order},
    verdict::{Level, Row},
    wire::{Transport, WireError},
};

pub const CHECK: Check = Check {
    id: "security.zero-attachments",
    title: "The server does not wait after a binary event with zero attachments",
    level: Level::Should,
    row: Row::D,
    cites: &[cite::CVE_2026_69185, cite::SIO_ENCODING],
    needs: &[Need::Connect],
    requires: &["auth.valid-token", "socket.unknown-event", "socket.unknown-namespace"],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Malformed],
    wait: Wait::None,
    meaning: "One user can fill the server's memory, until it dies for all.",
    fix: "Update: `npm update socket.io socket.io-parser` (socket.io-parser 4.2.7 or newer refuses the packet), and see by \
          `npm ls socket.io-parser` that no older one is left.",
    effort: Effort::Minutes,
    faults: &[Fault::WaitsForZeroAttachments],
    run: |probe| Box::pin(run(probe)),
};

/// A server that waits: over which transport, and what came of the CONNECT.
struct Waiting {
    transport: Transport,
    received: Message,
}

async fn run(probe: &Probe) -> Verdict {
    // Of a name that nobody handles.
    let text = packet(probe, "50-", "[\"siospec-zero\",7]");
    let transports = probe.transports();
    let tries = in_order(transports.into_iter().map(|transport| waits(probe, &text, transport))).await?;
    let waiting: Vec<Waiting> = tries.into_iter().flatten().collect();
    let Some(first) = waiting.first() else { return Ok(()) };
    let transports = listed(waiting.iter().map(|one| &one.transport));
    fail(say!(
        "After a binary event with zero attachments, the server waits for attachments ({transports})",
        transports
    ))
    .sent(say!("{text} over {transport}; later a CONNECT to an unknown namespace", text, transport = first.transport))
    .received(say!("the connection stays open; after the CONNECT, {received}", received = first.received))
    .expected(END)
    .stop()
}

async fn waits(probe: &Probe, text: &str, transport: Transport) -> Result<Option<Waiting>, Stop> {
    let mut client = probe.client(&format!("a ({transport})"), transport).await?;
    client.send_raw(text);
    if client.wait_end(probe.deadline()).await? != Life::Open {
        probe.takes_events(transport).await?;
        return Ok(None);
    }
    match client.question(None).await {
        Ok(_) => {
            probe.note("lawful choice: a binary event with zero attachments is taken for an event without any");
            Ok(None)
        }
        Err(WireError::Timeout { .. }) => Ok(Some(Waiting { transport, received: "no answer".into() })),
        Err(error) => Ok(Some(Waiting { transport, received: client.ended_by(error)?.message() })),
    }
}
