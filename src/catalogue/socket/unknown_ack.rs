//! An acknowledgement that nobody waits for is ignored, and the connection lives.
//!
//! Such acknowledgements are lawful and common: the server waited with `timeout()`, gave up, and then the client's answer
//! came after all.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Life, Probe, Verdict, confirmed, fail},
    verdict::{Level, Row},
    wire::Transport,
};

pub const CHECK: Check = Check {
    id: "socket.unknown-ack",
    title: "An acknowledgement that nobody waits for is ignored",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::SIO_ACK],
    needs: &[Need::Connect],
    requires: &["auth.valid-token"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "A slow client loses its connection for having answered too late.",
    fix: "Serve Socket.IO by the package `socket.io`, which ignores what it does not wait for. With a server of one's \
          own: when no callback is kept for the id, drop the packet and go on.",
    effort: Effort::Hours,
    faults: &[Fault::ClosesOnUnknownAck],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    for transport in probe.transports() {
        confirmed(probe, || over(probe, transport)).await?;
    }
    Ok(())
}

async fn over(probe: &Probe, transport: Transport) -> Verdict {
    let mut client = probe.client(&format!("a ({transport})"), transport).await?;
    for rest in ["999[]", "998[\"siospec\",1]"] {
        let sent = super::packet(probe, "3", rest);
        client.send_raw(&sent);
        let life = client.life().await?;
        client.take_notes(probe);
        if let Life::Closed(_) = life {
            return fail(say!(
                "An acknowledgement that nobody waits for ends the connection over {transport}",
                transport
            ))
            .sent(sent)
            .received(life)
            .doubtful()
            .expected("a connection that goes on")
            .stop();
        }
    }
    Ok(())
}
