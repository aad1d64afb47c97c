//! A binary event whose attachments do not come is not handled, and harms nothing.
//!
//! Three things are looked at. A text packet in place of the attachment closes the connection. Where the contract declares
//! an event that is acknowledged, it is not acknowledged as long as its attachment is missing. And after connections were
//! lost in the middle of binary events, the server still takes new ones.
//!
//! How long a server waits for an attachment that never comes is its own choice: Node's waits as long as the connection
//! lives.

use super::{StillOpen, binary_event, is_ack, not_closed, placeholder};
use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    contract::{Ack, Vars},
    fault::Fault,
    probe::{Life, Probe, Stop, Verdict, fail, in_order},
    verdict::{Level, Row},
    wire::{SocketPacket, Transport},
};

pub const CHECK: Check = Check {
    id: "socket.binary-truncated",
    title: "A binary event without its attachments is not handled",
    level: Level::Should,
    row: Row::P,
    cites: &[cite::SIO_ENCODING],
    needs: &[Need::Connect],
    requires: &["auth.valid-token", "socket.ack"],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Malformed, Effect::Endangers],
    wait: Wait::None,
    meaning: "Half of an upload counts as a whole one, or the next message is taken for a part of it.",
    fix: "Serve Socket.IO by an up-to-date `socket.io` (`npm update socket.io socket.io-parser`). A `parser` of one's own \
          must throw in its Decoder when text comes while attachments are missing, and emit the packet only when the \
          last of them is there.",
    effort: Effort::Minutes,
    faults: &[Fault::TakesTextForAttachment, Fault::HandlesIncompleteBinary],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let transports = probe.transports();
    let interrupted = transports.iter().map(|transport| interrupt(probe, *transport));
    let open: Vec<StillOpen> = in_order(interrupted).await?.into_iter().flatten().collect();
    not_closed(&open, "A text packet in place of an attachment")?;
    for transport in &transports {
        probe.takes_events(*transport).await?;
    }
    if let Some(ack) = &probe.contract().ack {
        let unfinished = transports.iter().map(|transport| leave_unfinished(probe, ack, *transport));
        in_order(unfinished).await?;
    } else {
        probe
            .note("whether an unfinished event is handled was not looked at: the contract declares no acknowledgement");
    }
    for transport in transports {
        lives_on(probe, transport).await?;
    }
    Ok(())
}

/// Sends a text packet where the attachment should be.
async fn interrupt(probe: &Probe, transport: Transport) -> Result<Option<StillOpen>, Stop> {
    let mut client = probe.client(&format!("interrupted ({transport})"), transport).await?;
    let namespace = &probe.contract().namespace;
    let name = probe.nonce("binary");
    let event = binary_event(namespace, &name, &[placeholder(0)], 1);
    let text = SocketPacket::event(namespace, &name, &[]);
    client.send(&event);
    client.send(&text);
    let life = client.wait_close(probe.deadline()).await?;
    let sent = say!("4{event}, then 4{text}", event = event.encode(), text = text.encode());
    Ok((life == Life::Open).then_some(StillOpen { sent, transport, waited: probe.deadline() }))
}

/// Announces an attachment, listens, and drops the connection.
async fn leave_unfinished(probe: &Probe, ack: &Ack, transport: Transport) -> Verdict {
    const ID: u64 = 31;
    let room = probe.room("room")?;
    let mut client = probe.client(&format!("unfinished ({transport})"), transport).await?;
    let namespace = &probe.contract().namespace;
    let (event, mut args) = ack.emit.render(&Vars::new().room(room).message(probe.nonce("message")));
    args.push(placeholder(0));
    let event = SocketPacket { ack_id: Some(ID), ..binary_event(namespace, &event, &args, 1) };
    let mark = client.mark();
    client.send(&event);
    // No fence can be sent here: it would stand in place of the attachment.
    client.wait_end(probe.target().quiet_window()).await?;
    let Some(answer) = client.since(mark).iter().find(|packet| is_ack(packet, namespace, ID)) else {
        client.drop_connection();
        return Ok(());
    };
    fail(say!("A binary event is handled before its attachment is there, over {transport}", transport))
        .sent(say!("4{event}, and no attachment", event = event.encode()))
        .received(format!("4{}", answer.encode()))
        .expected("nothing as long as the attachment is missing")
        .stop()
}

async fn lives_on(probe: &Probe, transport: Transport) -> Verdict {
    match probe.client(&format!("after ({transport})"), transport).await {
        Ok(_) => Ok(()),
        Err(Stop::Broken(reason)) => fail("Unfinished binary events take the server down: it takes no new client")
            .sent(say!("a binary event without its attachment; then a new client over {transport}", transport))
            .received(reason)
            .expected("a server that goes on")
            .harms_others()
            .stop(),
        Err(stop) => Err(stop),
    }
}
