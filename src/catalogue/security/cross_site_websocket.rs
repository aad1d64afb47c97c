//! Where cookies say who a user is, a WebSocket that a foreign page opens does not get in by them.
//!
//! Browsers send cookies along with every WebSocket, whoever's page opens it, and CORS does not apply. What can be seen
//! from outside: whether a CONNECT without a token is let in on a WebSocket that carries the contract's cookie and a
//! foreign `Origin`, and is refused without that cookie. If so, the cookie opened the door. It needs a cookie in the
//! contract (`headers`). A cookie that the server itself sets on the handshake (`cookie`, or a balancer's) says which
//! session or node it is, not who the user is, and is not looked at. Where a CONNECT gets in without the cookie too, what
//! the cookie is good for cannot be told, and the check is skipped. A `SameSite` attribute is the browser's business and
//! cannot be seen here.

use reqwest::header::{COOKIE, HeaderMap, HeaderValue};

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    contract::Carrier,
    fault::Fault,
    probe::{Answer, Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "security.cross-site-websocket",
    title: "A foreign page's WebSocket does not get in by a cookie",
    level: Level::Should,
    row: Row::D,
    cites: &[cite::RFC6455_10_2, cite::SIO_ALLOW_REQUEST, cite::CWE_1385],
    needs: &[Need::WebSocket, Need::Cookie],
    requires: &["transport.websocket-handshake", "auth.rejection-in-time"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Any page that a user visits opens a WebSocket in that user's name, reads what is sent to the user and speaks \
              for the user.",
    fix: "Take the token from the CONNECT payload (`socket.handshake.auth.token`), which a foreign page does not have; or \
          refuse foreign origins: `allowRequest: (req, callback) => callback(null, allowed.includes(req.headers.origin))`; \
          and set the cookie with `SameSite=Lax` or stricter.",
    effort: Effort::Hours,
    faults: &[Fault::CookieOpensWebsocket],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let origin = super::stranger(probe);
    let Some(with) = answer(probe, "with cookie", super::origin_header(&origin)?).await? else { return Ok(()) };
    match &with {
        Answer::Connected(_) => {}
        Answer::Refused(_) | Answer::Closed(_) | Answer::Shut(_) => {
            probe.note("a WebSocket of a foreign origin opens, and a CONNECT without a token is refused on it");
            return Ok(());
        }
        Answer::Silence(_) | Answer::Cut(_) => {
            return Err(Stop::Broken(say!("{with} (see auth.rejection-in-time)", with)));
        }
    }
    let mut headers = super::origin_header(&origin)?;
    // In place of the contract's.
    headers.insert(COOKIE, HeaderValue::from_static("siospec=nobody"));
    if let Some(Answer::Connected(_)) = answer(probe, "without cookie", headers).await? {
        return Err(Stop::Skip(
            "a CONNECT without a token gets in without the cookie as well, so what the cookie is good for cannot be told"
                .into(),
        ));
    }
    fail("A foreign page's WebSocket gets in by the user's cookie")
        .sent(say!(
            "a WebSocket with the contract's cookie and Origin: {origin}, then a CONNECT without a token",
            origin
        ))
        .received(&with)
        .expected("a refusal, of the WebSocket or of the CONNECT, as without the cookie")
        .stop()
}

/// What comes of a CONNECT without a token on a WebSocket with these headers; nothing, where none opens.
async fn answer(probe: &Probe, label: &str, headers: HeaderMap) -> Result<Option<Answer>, Stop> {
    // A foreign page's requests carry the user's cookies, and nothing else of the user's.
    let endpoint = match probe.tokens().carrier() {
        Carrier::Cookie => probe.endpoint(label),
        _ => probe.endpoint_of_nobody(label),
    };
    let Ok(session) = super::open_websocket(&endpoint, headers).await?.refused(probe).await? else { return Ok(None) };
    let mut client = probe.adopt(endpoint, *session);
    client.ask(probe).await?;
    client.connect_here(None).await.map(Some)
}
