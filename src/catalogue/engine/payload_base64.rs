//! Binary data survives polling, where it travels as base64 in a packet that begins with `b`.
//!
//! An event goes out with an attachment of all 256 bytes in the message's place, and with others of lengths that need
//! each kind of base64 padding; the attachment in the answer must hold the same bytes. Where none comes back, the same is
//! tried over WebSocket: an application that returns no binary data over either is not judged.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    message::data,
    probe::{Echoed, Probe, Stop, Verdict, bytes_as_text, confirmed, fail},
    verdict::{Level, Row},
    wire::Transport,
};

pub const CHECK: Check = Check {
    id: "engine.payload-base64",
    title: "Binary data survives polling",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::EIO_POLLING],
    needs: &[Need::Connect, Need::Echo, Need::Polling],
    requires: &["auth.valid-token"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Files and pictures arrive broken, or end the connection, for users whose network lets only polling through, \
              and for everybody in the first moments of a connection.",
    fix: "Hand the request's body to the engine unread: no body parser, and no filter of the proxy, may change it \
          (a `+` of the base64 text that is taken for a blank is the usual way to break it).",
    effort: Effort::Hours,
    faults: &[Fault::ShortensBase64],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    confirmed(probe, || samples_return(probe)).await
}

async fn samples_return(probe: &Probe) -> Verdict {
    // Both letters beyond digits and letters that base64 has, and each of its paddings.
    let all: Vec<u8> = (0..=255).collect();
    let samples = [&all[..], &all[250..251], &all[250..252], &all[250..253], &[0xfb, 0xff, 0xbf]];
    let mut echo = probe.echo(Transport::Polling).await?;
    for sample in samples {
        let (how, received, has_ended) = match echo.binary(sample).await? {
            Echoed::Unchanged => continue,
            Echoed::Changed(found) => ("comes back changed", found, false),
            Echoed::Closed(how) => ("ends the connection", how, true),
            Echoed::Nothing => ("does not come back", "no answer in time".into(), false),
            Echoed::Refused(told) => ("does not come back", told, false),
        };
        expect_other_transport(probe, sample, how).await?;
        let finding = fail(say!("Binary data {how} over polling", how))
            .sent(say!("{event} with {sample}", event = data(echo.event()), sample = bytes_as_text(sample)))
            .received(received)
            .expected("the same bytes, as they come back over WebSocket");
        return if has_ended { finding.doubtful() } else { finding }.stop();
    }
    Ok(())
}

/// Goes on only where the same comes back over WebSocket: then it is not the application that is in its way.
async fn expect_other_transport(probe: &Probe, sample: &[u8], how: &'static str) -> Result<(), Stop> {
    let advice = "declare an event that returns whatever it is sent (ack.event, ack.reply)";
    if !probe.target().usable(Transport::WebSocket) {
        return Err(Stop::Skip(say!(
            "binary data {how} over polling, and without WebSocket nobody can tell whether the application returns \
             any: {advice}",
            how,
            advice
        )));
    }
    match probe.echo(Transport::WebSocket).await?.binary(sample).await? {
        Echoed::Unchanged => Ok(()),
        Echoed::Closed(end) => Err(Stop::Broken(say!(
            "binary data ends the connection over WebSocket, too: {end} (see socket.binary-event)",
            end
        ))),
        Echoed::Changed(_) | Echoed::Nothing | Echoed::Refused(_) => {
            Err(Stop::Skip(say!("the application returns no binary data over either transport: {advice}", advice)))
        }
    }
}
