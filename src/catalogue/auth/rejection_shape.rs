//! A refusal is a CONNECT_ERROR whose payload is an object with a text `message`: `44{"message":"…"}`.
//!
//! Clients build the `connect_error` event from it, and tell a refusal by it from a lost network: after a refusal they
//! wait to be called again, after a closed connection they try once more and once more. So closing the connection
//! instead is a failure. `data` beside the message is lawful.
//!
//! The message goes to whoever asks. A stack trace, a path of a file or a secret in it is a finding at the level SHOULD.

use serde_json::Value;

use super::{Attempt, REFUSAL, Tried, none_silent, try_all, unless_it_ends_others};
use crate::{
    catalogue::{
        Check, Effort, Isolation, Need, Wait, cite,
        disclosure::{indiscretion, texts},
    },
    fault::Fault,
    probe::{Answer, Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "auth.rejection-shape",
    title: "A refusal is a CONNECT_ERROR with a message that tells no secrets",
    level: Level::Must,
    row: Row::C4,
    cites: &[cite::SIO_CONNECT, cite::SIO_MIDDLEWARE_ERRORS, cite::CWE_209],
    needs: &[Need::Refusals],
    requires: &["auth.rejection-in-time"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Clients do not learn that they were refused: `connect_error` has no message to show, or does not come at \
              all, and they go on trying for ever. Or strangers learn how the server is built.",
    fix: "Refuse with `next(new Error('unauthorized'))`, a fixed text, in `io.use()`: not with \
          `socket.disconnect(true)`, not by throwing, and not with the text of what the library threw.",
    effort: Effort::Minutes,
    faults: &[Fault::RejectsWithString, Fault::RejectsWithStackTrace, Fault::ClosesOnRejection],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    match judge(probe).await {
        Err(stop @ Stop::Broken(_)) => Err(unless_it_ends_others(probe, stop).await),
        verdict => verdict,
    }
}

async fn judge(probe: &Probe) -> Verdict {
    let plain = try_all(probe, &[Attempt::without_payload(), Attempt::forged(probe)?]).await?;
    none_silent(&plain)?;
    if let Some(closed) = plain.iter().find(|one| one.is_closed()) {
        let finding = fail("A refused CONNECT closes the connection instead of being answered")
            .sent(closed.sent())
            .received(&closed.answer)
            .expected(REFUSAL);
        return Err(unless_it_ends_others(probe, Stop::Fail(finding)).await);
    }
    // Only the answers to these are looked at: `auth.malformed-token` and `auth.wrong-type-token` judge the rest.
    let mut odd = Attempt::malformed(probe);
    odd.extend(Attempt::wrong_types(probe));
    let mut refused = plain;
    refused.extend(try_all(probe, &odd).await?);
    let shut: Vec<Tried> = refused.extract_if(.., |one| one.is_shut()).collect();
    refused.retain(|one| matches!(one.answer, Answer::Refused(_)));
    if !shut.is_empty() {
        probe.note("refused at the handshake, by HTTP");
    } else if refused.is_empty() {
        return Err(Stop::Broken("nothing was refused (see auth.missing-token, auth.forged-signature)".into()));
    }
    for one in &refused {
        has_message(one)?;
    }
    for one in refused.iter().chain(&shut) {
        tells_nothing(probe, one)?;
    }
    Ok(())
}

fn payload(tried: &Tried) -> Option<&Value> {
    match &tried.answer {
        Answer::Refused(packet) => packet.data.as_ref(),
        _ => None,
    }
}

fn has_message(tried: &Tried) -> Verdict {
    let wrong = match payload(tried) {
        None => "no payload",
        Some(Value::Object(fields)) => match fields.get("message") {
            Some(Value::String(_)) => return Ok(()),
            Some(_) => "a message that is no text",
            None => "no message",
        },
        Some(_) => "a payload that is no object",
    };
    fail(say!("A refusal has {wrong}", wrong)).sent(tried.sent()).received(&tried.answer).expected(REFUSAL).stop()
}

fn tells_nothing(probe: &Probe, tried: &Tried) -> Verdict {
    let page;
    let texts = match &tried.answer {
        Answer::Shut(response) => {
            page = response.text();
            vec![page.as_str()]
        }
        _ => texts(payload(tried).unwrap_or(&Value::Null)),
    };
    let Some(what) = texts.iter().find_map(|text| indiscretion(probe, text)) else { return Ok(()) };
    fail(say!("A refusal holds {what}", what))
        .at(Level::Should)
        .sent(tried.sent())
        .received(&tried.answer)
        .expected("a text that says no more than that the client was refused")
        .stop()
}
