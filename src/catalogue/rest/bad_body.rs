//! A body that makes no sense is refused by the REST trigger with a 4xx, and nothing is emitted.
//!
//! Tried are malformed JSON, JSON of another type, an object where the message's text belongs, an empty body, and 2 MB of
//! text. A server that closes the connection on the last one refuses it as well. That nothing is emitted is judged by the
//! texts of ours in these bodies.
//!
//! The check runs alone, after all others: what a server emits of such bodies, all clients hear.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    contract::{Call, Vars, template},
    fault::Fault,
    message::{Joint, Message, excerpt},
    probe::{Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
    wire::WireError,
};

pub const CHECK: Check = Check {
    id: "rest.bad-body",
    title: "A body that makes no sense is refused by the REST trigger",
    level: Level::Should,
    row: Row::C11,
    cites: &[cite::RFC9110_15_5, cite::CWE_20],
    needs: &[Need::Connect, Need::Rest],
    requires: &["auth.valid-token", "rest.response", "rest.emit-once"],
    isolation: Isolation::Alone,
    effects: &[Effect::Broadcasts, Effect::Malformed],
    wait: Wait::None,
    meaning: "A mistake of a caller, or somebody's whim, shows on every user's page, fills the servers' memory, or looks \
              like a defect of the server in its own monitoring.",
    fix: "Look at the body before emitting: `const body = await readBody(event).catch(() => null); if (typeof \
          body?.message !== 'string' || body.message.length > 10_000) throw createError({ statusCode: 400 })`. `readBody` \
          has no limit of its own.",
    effort: Effort::Minutes,
    faults: &[Fault::RestAcceptsAnyBody, Fault::RestCrashesOnBadBody],
    run: |probe| Box::pin(run(probe)),
};

/// Bytes of the large body.
const LARGE: usize = 2_000_000;

async fn run(probe: &Probe) -> Verdict {
    let rest = probe.rest()?;
    let mark = probe.nonce("bad");
    let call = probe.call(&mark).await?;
    let Some(bodies) = bodies(&call, rest.body.as_ref(), &mark) else {
        return Err(Stop::Skip("the declared REST call has no body (rest.body)".into()));
    };
    let mut listener = probe.client("listener", probe.transport()).await?;
    let mut wrong: Vec<(bool, Message)> = Vec::new();
    for (what, body) in bodies {
        match probe.send_call(probe.endpoint("REST"), &call, Some(Bytes::from(body))).await {
            Ok(response) if response.status == 429 => {
                return Err(Stop::Skip("the REST trigger limits how often it is called (HTTP 429)".into()));
            }
            Ok(response) if (400..500).contains(&response.status) => {}
            Ok(response) => wrong.push((response.is_success(), say!("{what}: {response}", what, response))),
            // Without reading to its end what is too large anyway.
            Err(WireError::Closed(how)) if what == "2 MB" => {
                probe.note(say!("2 MB are refused by closing the connection ({how})", how));
            }
            Err(error) => {
                return Err(Stop::Broken(say!("{what}: the REST trigger gave no answer: {error}", what, error)));
            }
        }
    }
    listener.fence().await?;
    listener.take_notes(probe);
    let heard = listener.since(0).iter().find(|packet| packet.encode().contains(&mark)).map(|packet| packet.encode());
    let reason = match &wrong[..] {
        [] if heard.is_none() => return Ok(()),
        [] => "The REST trigger refuses a body that makes no sense, and emits it all the same",
        wrong if wrong.iter().any(|(is_success, _)| *is_success) => {
            "The REST trigger accepts a body that makes no sense"
        }
        _ => "The REST trigger does not answer a body that makes no sense with a 4xx",
    };
    let mut received: Vec<Message> = wrong.into_iter().map(|(_, answer)| answer).collect();
    received.extend(heard.map(|packet| say!("at a connected client: 4{packet}", packet = excerpt(&packet, 120))));
    fail(reason)
        .sent(say!("{method} {path} with bodies that make no sense", method = call.method, path = call.path))
        .received(Message::list(received, Joint::Semicolon))
        .expected("HTTP 4xx, and nothing emitted")
        .stop()
}

/// Bodies that make no sense, each with what it is. None where the call has no body.
fn bodies(call: &Call, declared: Option<&Value>, mark: &str) -> Option<Vec<(&'static str, String)>> {
    let (body, declared) = (call.body.as_ref()?, declared?);
    let complete = body.to_string();
    let is_enclosed = complete.starts_with(['{', '[', '"']);
    let malformed = if is_enclosed { complete[..complete.len() - 1].to_owned() } else { "{".to_owned() };
    let other_type = if body.is_array() { json!({ "siospec": mark }) } else { json!([mark]) };
    let mut bodies = vec![(said!("malformed JSON"), malformed), ("JSON of another type", other_type.to_string())];
    let mistyped = replace_message(declared, &json!({ "siospec": mark }));
    if mistyped != *declared {
        bodies.push(("an object in place of the message", mistyped.to_string()));
    }
    bodies.push(("an empty body", String::new()));
    let large = format!("{mark}{}", "x".repeat(LARGE));
    let mut large_body = replace_message(declared, &json!(large));
    if large_body == *declared {
        match large_body.as_object_mut() {
            Some(fields) => drop(fields.insert("siospec".to_owned(), json!(large))),
            None => large_body = json!(large),
        }
    }
    bodies.push(("2 MB", large_body.to_string()));
    Some(bodies)
}

/// The declared body with another value where its message stands.
fn replace_message(declared: &Value, with: &Value) -> Value {
    match declared {
        Value::String(text) if template::names(text).contains(&template::MESSAGE) => with.clone(),
        Value::Array(items) => items.iter().map(|item| replace_message(item, with)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, field)| (name.clone(), replace_message(field, with))).collect()
        }
        other => template::render(other, &Vars::new()),
    }
}
