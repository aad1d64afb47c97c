//! The REST trigger answers 2xx, with the JSON that the contract declares.
//!
//! Nitro answers a path that no route takes with the application's page and status 200, so that a status alone proves
//! nothing: the body is read. It may hold more fields than are declared. What the call makes the server emit is for the
//! other checks of this area.

use serde_json::Value;

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    message::Message,
    probe::{Probe, Verdict, fail},
    verdict::{Level, Row},
    wire::response::BodyKind,
};

pub const CHECK: Check = Check {
    id: "rest.response",
    title: "The REST trigger answers as declared",
    level: Level::Must,
    row: Row::C11,
    cites: &[cite::CHECKLIST, cite::SIO_NUXT],
    needs: &[Need::Rest],
    requires: &[],
    isolation: Isolation::Notifications,
    effects: &[Effect::Broadcasts],
    wait: Wait::None,
    meaning: "Whoever calls the route takes a page for success, or a success for a failure.",
    fix: "Put the route where Nitro finds it, such as `server/api/notify.post.ts`, and let its handler end with \
          `return { success: true }` once it has emitted.",
    effort: Effort::Minutes,
    faults: &[Fault::RestAnswersPage, Fault::RestAnswersFailure],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let rest = probe.rest()?;
    let (message, vars) = super::message(probe)?;
    let response = probe.trigger(&message).await?;
    let finding = |reason: Message| {
        fail(reason)
            .sent(super::on_wire(rest, &vars))
            .received(&response)
            .expected(say!("HTTP 2xx, and JSON that matches {as_value}", as_value = rest.response.as_value()))
    };
    if response.kind() == BodyKind::Html {
        return finding("Where the REST trigger should be, there is an HTML page".into()).stop();
    }
    if response.is_redirect() {
        return finding("The REST trigger redirects instead of answering".into()).stop();
    }
    if matches!(response.status, 401 | 403) && rest.credentials.is_empty() {
        let reason = "The REST trigger refuses a call without credentials, and the contract declares none";
        return finding(reason.into())
            .expected("HTTP 2xx; a route that wants to know its caller needs `rest.credentials` in the contract")
            .stop();
    }
    if !response.is_success() {
        return finding(say!("The REST trigger answers with status {status}", status = response.status)).stop();
    }
    let Ok(body) = serde_json::from_str::<Value>(&response.text()) else {
        return finding("The REST trigger's answer is not JSON".into()).stop();
    };
    if let Err(mismatch) = rest.response.check(&body, &vars) {
        return finding(say!("The REST trigger's answer is not the declared one: {mismatch}", mismatch)).stop();
    }
    if !response.media_type().contains("json") {
        let media_type = response.media_type();
        let media_type = if media_type.is_empty() { "no content type".into() } else { Message::data(media_type) };
        probe.note(say!("the REST trigger's JSON comes with {media_type} instead of application/json", media_type));
    }
    Ok(())
}
