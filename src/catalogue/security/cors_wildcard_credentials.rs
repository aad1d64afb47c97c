//! No answer lets all origins in (`*`) and cookies as well.
//!
//! Browsers ignore the two together, so cookies do not work either way. But whoever wrote both wanted every page to act
//! with the user's cookies, and the next step, echoing the origin, makes that true. A polling handshake and a preflight
//! are sent with an origin that nobody knows.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict, fail},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "security.cors-wildcard-credentials",
    title: "Allow-Origin `*` is not combined with credentials",
    level: Level::Must,
    row: Row::D,
    cites: &[cite::FETCH_CREDENTIALS, cite::SIO_CORS, cite::CWE_942],
    needs: &[Need::Polling],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Pages of another origin that send cookies get nothing at all: browsers refuse such an answer. And the server \
              shows that it means to trust every page with them.",
    fix: "Name the origins: `cors: { origin: ['https://app.example.com'], credentials: true }`, or leave `credentials` out. \
          A client of the same origin needs no `cors` at all.",
    effort: Effort::Minutes,
    faults: &[Fault::CorsWildcardCredentials],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let origin = super::stranger(probe);
    let asked = super::ask_from(probe, &origin).await?;
    for (what, answer) in &asked {
        if super::allowed_origin(answer).as_deref() == Some("*") && super::allows_credentials(answer) {
            return fail("All origins are let in, and their cookies as well")
                .sent(say!("{what}, with Origin: {origin}", what, origin))
                .received(super::shown(answer))
                .expected("one origin by its name, or no Access-Control-Allow-Credentials")
                .stop();
        }
    }
    super::judged(probe, &asked[0].1).await
}
