//! An event that the application has no handler for is ignored, and the connection lives: without arguments, with some,
//! and with an acknowledgement id.
//!
//! This is what a client meets that is newer or older than its server.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Life, Probe, Verdict, confirmed, fail},
    verdict::{Level, Row},
    wire::Transport,
};

pub const CHECK: Check = Check {
    id: "socket.unknown-event",
    title: "An event without a handler is ignored",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::SIO_EVENTS, cite::SIO_LISTENING],
    needs: &[Need::Connect],
    requires: &["auth.valid-token"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Whoever has the page of the last release still open loses the connection, reconnects, and loses it again.",
    fix: "Do not disconnect in `socket.onAny(…)` or `socket.use(…)` for an unknown name: log it, and let it pass.",
    effort: Effort::Minutes,
    faults: &[Fault::ClosesOnUnknownEvent],
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
    let name = probe.nonce("unknown");
    let payloads = [format!("[\"{name}\"]"), format!("[\"{name}\",1,{{\"a\":[null]}}]"), format!("12[\"{name}\"]")];
    for rest in payloads {
        let sent = super::packet(probe, "2", &rest);
        client.send_raw(&sent);
        let life = client.life().await?;
        client.take_notes(probe);
        if let Life::Closed(_) = life {
            return fail(say!("An event without a handler ends the connection over {transport}", transport))
                .sent(sent)
                .received(life)
                .doubtful()
                .expected("a connection that goes on")
                .stop();
        }
    }
    Ok(())
}
