//! The REST trigger refuses a call without credentials.
//!
//! Where the contract declares credentials (`rest.credentials`), the call is made without them, and must not succeed.
//! Where it declares none, a call that succeeds shows that anybody can make one.

use bytes::Bytes;

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    contract::Vars,
    fault::Fault,
    probe::{Probe, Stop, Verdict, fail, to_the_point},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "rest.unauthenticated",
    title: "The REST trigger refuses a call without credentials",
    level: Level::Should,
    row: Row::D,
    cites: &[cite::CWE_306],
    needs: &[Need::Rest],
    requires: &["rest.response"],
    isolation: Isolation::Notifications,
    effects: &[Effect::Broadcasts],
    wait: Wait::None,
    meaning: "Anybody can notify all users, with any text, as often as they like.",
    fix: "Ask who calls before emitting: `const token = getHeader(event, 'authorization')?.replace('Bearer ', ''); if \
          (!isValid(token)) throw createError({ statusCode: 401 })`; and tell siospec how to call: `[rest] credentials = { \
          Authorization = \"Bearer {{token}}\" }`.",
    effort: Effort::Hours,
    faults: &[Fault::RestOpenToAll],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let rest = probe.rest()?;
    let (message, vars) = super::message(probe)?;
    let mut rendered = Vars::new().message(&message);
    if rest.needs_token() {
        // Empty where it is a credential, which is left out; a token elsewhere in the call is none.
        rendered = rendered.token(probe.valid_token(&probe.user("caller")).await?);
    }
    let call = rest.render_as_stranger(&rendered);
    let body = call.body.as_ref().map(|body| Bytes::from(body.to_string()));
    let answer = probe.send_call(probe.endpoint("REST"), &call, body).await;
    let response = answer.map_err(|error| Stop::Broken(say!("the REST trigger gave no answer: {error}", error)))?;
    if !response.is_success() {
        let response = to_the_point("a call without credentials", response)?;
        probe.note(say!("a call without credentials is answered HTTP {status}", status = response.status));
        return probe.served_at_all().await.map(drop);
    }
    let reason = if rest.credentials.is_empty() {
        "Anybody can notify all users: the REST trigger asks for no credentials"
    } else {
        "The REST trigger takes a call without the declared credentials"
    };
    fail(reason)
        .sent(say!("{call}, without credentials", call = super::on_wire(rest, &vars)))
        .received(response)
        .expected(said!("HTTP 401 or 403"))
        .stop()
}
