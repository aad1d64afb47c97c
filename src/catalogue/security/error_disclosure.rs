//! Answers to mistaken requests hold no stack trace, no path of a file and no version of a framework.
//!
//! Tried are an unknown session id, a handshake by PUT, an unknown transport, an unknown path below Socket.IO's, and a
//! REST call with a malformed body. Only answers of status 400 and above are read, and of an HTML page only what is shown.

use bytes::Bytes;
use reqwest::{
    Method,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde_json::Value;
use url::Url;

use crate::{
    catalogue::{
        Check, Effect, Effort, Isolation, Wait, cite,
        disclosure::{indiscretion, texts, version},
    },
    contract::Vars,
    fault::Fault,
    message::{Message, data},
    probe::{Probe, Stop, Verdict, fail, to_the_point},
    verdict::{Level, Row},
    wire::{HttpResponse, Transport, http::headers, response::BodyKind},
};

pub const CHECK: Check = Check {
    id: "security.error-disclosure",
    title: "Error answers do not tell how the server is built",
    level: Level::Should,
    row: Row::D,
    cites: &[cite::CWE_209],
    needs: &[],
    requires: &[],
    // What a route makes of a malformed body may be a notification.
    isolation: Isolation::Notifications,
    effects: &[Effect::Malformed],
    wait: Wait::None,
    meaning: "Strangers learn the application's file paths, its components and the known vulnerabilities of that \
              version.",
    fix: "Run the built server (`nuxt build`, `node .output/server/index.mjs`), not `nuxt dev`, which shows stack traces on \
          purpose. Throw `createError({ statusCode: 400, message: 'invalid body' })` with a text of your own, not the text of \
          what a library threw; in nginx `server_tokens off;`.",
    effort: Effort::Minutes,
    faults: &[Fault::ErrorsWithStackTrace, Fault::ErrorsWithVersion, Fault::RestErrorsWithPath],
    run: |probe| Box::pin(run(probe)),
};

struct Mistake {
    label: &'static str,
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<Bytes>,
}

async fn run(probe: &Probe) -> Verdict {
    let mut looked_at = 0;
    for mistake in mistakes(probe).await? {
        let Mistake { label, method, url, headers, body } = mistake;
        let sent = say!("{method} {url} ({label})", method, url, label);
        let answer = probe.endpoint(label).send(method, url, headers, body, probe.deadline()).await;
        let answer = answer.map_err(|error| Stop::Broken(say!("{label}: {error}", label, error)))?;
        if answer.status < 400 {
            continue;
        }
        looked_at += 1;
        if let Some(what) = told(probe, &answer) {
            return fail(say!("The answer to {label} holds {what}", label, what))
                .sent(sent)
                .received(&answer)
                .expected("a status, and at most a text that says what is wrong with the request")
                .stop();
        }
        if matches!(answer.status, 429 | 502..=504) {
            to_the_point(label, answer)?;
        }
    }
    if looked_at == 0 {
        return Err(Stop::Skip("no mistaken request got an error, so there is none to read".into()));
    }
    probe.served_at_all().await.map(drop)
}

async fn mistakes(probe: &Probe) -> Result<Vec<Mistake>, Stop> {
    let endpoint = probe.endpoint("");
    let get = |label, url| Mistake { label, method: Method::GET, url, headers: HeaderMap::new(), body: None };
    let handshake = endpoint.engine_url(Transport::Polling, None);
    let mut unknown_transport = handshake.clone();
    unknown_transport.set_query(Some("EIO=4&transport=siospec"));
    let path = format!("{}/{}", probe.contract().path, probe.nonce("unknown"));
    let mut mistakes = vec![
        get("an unknown session id", endpoint.engine_url(Transport::Polling, Some(&probe.nonce("sid")))),
        Mistake { method: Method::PUT, ..get("a handshake by PUT", handshake) },
        get("an unknown transport", unknown_transport),
        get("an unknown path", endpoint.url(&path)),
    ];
    if let Ok(rest) = probe.rest()
        && rest.body.is_some()
        && (!rest.needs_token() || probe.tokens().has_source())
    {
        let mut vars = Vars::new().message("siospec");
        if rest.needs_token() {
            vars = vars.token(probe.valid_token(&probe.user("caller")).await?);
        }
        let call = rest.render(&vars);
        let mut headers = headers(&call.headers).map_err(Stop::Broken)?;
        headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        mistakes.push(Mistake {
            label: "a malformed REST body",
            method: call.method,
            url: endpoint.url(&call.path),
            headers,
            body: Some(Bytes::from_static(b"{\"message\": ")),
        });
    }
    Ok(mistakes)
}

/// What the answer's body tells, as a noun phrase.
fn told(probe: &Probe, answer: &HttpResponse) -> Option<Message> {
    let body = answer.text();
    let json: Value = serde_json::from_str(&body).unwrap_or_default();
    let visible = visible(&body);
    let texts = match answer.kind() {
        BodyKind::Json => texts(&json),
        BodyKind::Html => vec![visible.as_str()],
        BodyKind::Empty | BodyKind::Other => vec![body.as_str()],
    };
    texts.into_iter().find_map(|text| {
        indiscretion(probe, text)
            .map(Message::from)
            .or_else(|| version(text).map(|version| say!("a version, {version}", version = data(version))))
    })
}

/// The text of a page without its tags, scripts and styles, whose paths are those of its own URLs.
fn visible(html: &str) -> String {
    let mut visible = String::new();
    // Byte for byte as long, and made once: a hostile page has a million tags.
    let lower = html.to_ascii_lowercase();
    let mut at = 0;
    while let Some(start) = html[at..].find('<').map(|start| at + start) {
        visible.push_str(&html[at..start]);
        visible.push(' ');
        let hidden = [("<script", "</script"), ("<style", "</style")];
        let end = match hidden.into_iter().find(|(tag, _)| lower[start..].starts_with(tag)) {
            Some((_, end)) => lower[start..].find(end),
            None => html[start..].find('>').map(|end| end + 1),
        };
        at = end.map_or(html.len(), |end| start + end);
    }
    visible + &html[at..]
}
