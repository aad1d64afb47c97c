//! A POST that is no packet closes its session: `abc`, a packet of unknown type, an empty body.
//!
//! Whether that POST itself is answered 200, as by Node, or 400, is the server's choice. What counts is the session: it
//! is asked something afterwards, and must refuse it or say that it is closed. An empty body can be read as no packet at
//! all, so that a session which survives it is a finding of lesser weight.

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    message::Message,
    probe::{Life, Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "engine.invalid-packet-polling",
    title: "Over polling, an invalid packet closes the session",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::EIO_PACKETS, cite::EIO_TESTS],
    needs: &[Need::Polling],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Malformed],
    wait: Wait::None,
    meaning: "Client and server no longer agree on what was said, and go on: messages are lost without either side \
              being told. With a 500, anybody can fill the error log.",
    fix: "Serve polling by the package `socket.io`, which closes such sessions by itself. Where the session lives on, \
          something drops or rewrites the body before it: give the engine the original request.",
    effort: Effort::Hours,
    faults: &[Fault::IgnoresInvalidPackets, Fault::InvalidPostSparesSession],
    run: |probe| Box::pin(run(probe)),
};

/// What is sent, what it is called, and how much it matters that the session ends.
const BODIES: [(&str, &str, Option<Level>); 3] = [
    ("abc", "a packet without a type (abc)", None),
    ("7", "a packet of unknown type (7)", None),
    ("", "an empty body", Some(Level::Should)),
];

async fn run(probe: &Probe) -> Verdict {
    let mut aside = Ok(());
    for (body, what, level) in BODIES {
        super::set_aside(&mut aside, judge(probe, body, what, level).await)?;
    }
    aside
}

async fn judge(probe: &Probe, body: &str, what: &'static str, level: Option<Level>) -> Verdict {
    let polling = super::asked_session(probe, what).await?;
    let response = polling
        .post(body.to_owned())
        .await
        .map_err(|error| Stop::Broken(say!("POST of {what}: {error}", what, error)))?;
    let finding = |reason: Message| {
        let mut finding = fail(reason)
            .sent(say!("POST of {what}, then a message", what))
            .expected("200 or 400 to the POST, and the end of the session: 400 to what follows, or a close packet");
        finding.level = level;
        finding
    };
    if super::life_of(probe, &polling, None).await? == Life::Open {
        return finding(say!("A session lives on after {what}", what))
            .received(say!("{response}; the message is accepted, and answered", response))
            .stop();
    }
    if response.status >= 500 {
        return finding(say!("The POST of {what} is answered by a server error", what))
            .received(response)
            .at(Level::Should)
            .stop();
    }
    Ok(())
}
