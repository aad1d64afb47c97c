//! CONNECT is answered by a CONNECT reply that carries the socket's id: `40{"sid":"…"}`, over polling and over WebSocket.
//!
//! The id is what `socket.id` is at the client. `pid` beside it (connection state recovery) is lawful.

use serde_json::Value;

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Answer, Probe, Verdict, fail},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "socket.connect",
    title: "CONNECT is answered with the socket's id",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::SIO_CONNECT],
    needs: &[Need::Connect],
    requires: &["auth.valid-token"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Clients never get their `connect` event, or have no `socket.id`.",
    fix: "Serve Socket.IO by the package `socket.io` 3 or newer, which sends this reply itself. Where your own code \
          handles packets, such as on `engine.on('connection')`, let `io.bind(engine)` do it instead.",
    effort: Effort::Hours,
    faults: &[Fault::ConnectReplyWithoutSid],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let credentials = probe.credentials(&probe.user("a")).await?;
    let what = if credentials.is_some() { "a valid token" } else { "no payload, as a guest" };
    for transport in probe.transports() {
        let mut client = probe.open(&format!("a ({transport})"), transport).await?;
        let answer = client.connect(credentials.clone()).await?;
        let reason = match &answer {
            Answer::Connected(packet) => match packet.data.as_ref().and_then(|data| data.get("sid")) {
                Some(Value::String(sid)) if !sid.is_empty() => continue,
                Some(Value::String(_)) => "The CONNECT reply has an empty sid",
                Some(_) => "The CONNECT reply has a sid that is no text",
                None => "The CONNECT reply has no sid",
            },
            _ => "CONNECT is not answered by a CONNECT reply",
        };
        return fail(say!("{reason} over {transport}", reason, transport))
            .sent(say!("CONNECT with {what}", what))
            .received(answer)
            .expected("40{\"sid\":\"…\"}")
            .stop();
    }
    Ok(())
}
