//! A WebSocket frame that is no packet closes the connection: `abc`, a packet of unknown type, an empty frame.
//!
//! How it is closed is the server's choice: by a close frame with or without a code, a close packet, or a reset.

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Life, Probe, Verdict, fail},
    verdict::{Level, Row},
    wire::Transport,
};

pub const CHECK: Check = Check {
    id: "engine.invalid-packet-websocket",
    title: "Over WebSocket, an invalid packet closes the connection",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::EIO_PACKETS, cite::EIO_WEBSOCKET, cite::EIO_TESTS],
    needs: &[Need::WebSocket],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Malformed],
    wait: Wait::None,
    meaning: "Client and server no longer agree on what was said, and go on: messages are lost without either side \
              being told.",
    fix: "Serve WebSocket by the package `socket.io`, which closes such connections by itself. In Nuxt, bind the engine \
          to the crossws hook (`engine.prepare`, `engine.onWebSocket`) rather than pass on messages one by one.",
    effort: Effort::Hours,
    faults: &[Fault::IgnoresInvalidPackets],
    run: |probe| Box::pin(run(probe)),
};

/// What is sent, and what it is called.
const FRAMES: [(&str, &str); 3] =
    [("abc", "a packet without a type (abc)"), ("7", "a packet of unknown type (7)"), ("", "an empty frame")];

async fn run(probe: &Probe) -> Verdict {
    for (frame, what) in FRAMES {
        let mut client = probe.open_asked(what, Transport::WebSocket).await?;
        client.send_raw(frame);
        if client.wait_end(probe.unconnected_deadline()).await? == Life::Open {
            client.show_life().await;
            return fail(say!("A WebSocket stays open after {what}", what))
                .sent(what)
                .received("nothing that ends the connection")
                .expected("a close frame, or another end of the connection")
                .stop();
        }
    }
    Ok(())
}
