//! A GET on the REST trigger does not emit.
//!
//! Whatever follows a link sends a GET: crawlers, previews of chats, an image on a foreign page. What the GET is answered
//! with does not matter. It carries no text of ours that an event could be known by, so an event without any such text
//! counts when there is one after each of three GETs.

use http::Method;

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    contract::Call,
    fault::Fault,
    probe::{Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "rest.wrong-method",
    title: "A GET on the REST trigger does not emit",
    level: Level::Should,
    row: Row::C11,
    cites: &[cite::RFC9110_9_2_1, cite::CHECKLIST],
    needs: &[Need::Connect, Need::Rest],
    requires: &["auth.valid-token", "rest.response", "rest.emit-once"],
    isolation: Isolation::Notifications,
    effects: &[Effect::Broadcasts],
    wait: Wait::None,
    meaning: "A link in a mail, or an image on a foreign page, notifies every user as soon as somebody looks at it.",
    fix: "Name the file by its method, `server/api/notify.post.ts`, so that Nitro answers other methods itself.",
    effort: Effort::Minutes,
    faults: &[Fault::RestEmitsOnGet],
    run: |probe| Box::pin(run(probe)),
};

const TIMES: usize = 3;

async fn run(probe: &Probe) -> Verdict {
    let rest = probe.rest()?;
    if rest.method == Method::GET {
        return Err(Stop::Skip("the declared REST trigger is a GET (rest.method)".into()));
    }
    let name = &rest.event.event;
    let mark = probe.nonce("get");
    let call = Call { method: Method::GET, ..probe.call(&mark).await? };
    let mut listener = probe.client("listener", probe.transport()).await?;
    let mut heard = None;
    for _ in 0..TIMES {
        let from = listener.mark();
        let answer = probe.send_call(probe.endpoint("REST"), &call, None).await;
        let response =
            answer.map_err(|error| Stop::Broken(say!("no answer to GET {path}: {error}", path = call.path, error)))?;
        listener.listen(probe.target().quiet_window()).await?;
        listener.fence().await?;
        listener.take_notes(probe);
        // Other checks' events hold texts of theirs.
        let is_ours = |text: &str| text.contains(&mark) || !text.contains("siospec-");
        let events = listener.events_since(from, name).into_iter().map(|event| event.encode());
        let Some(event) = events.into_iter().find(|text| is_ours(text)) else { return Ok(()) };
        heard = Some((response, event));
    }
    let Some((response, event)) = heard else { return Ok(()) };
    fail("A GET on the REST trigger emits")
        .sent(say!("GET {path} ({times} times)", path = call.path, times = TIMES))
        .received(say!("{response}; and each time, at a connected client: 4{event}", response, event))
        .expected(say!("no `{name}`, whatever the answer", name))
        .stop()
}
