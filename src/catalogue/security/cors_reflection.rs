//! A foreign origin is not echoed together with leave to send cookies.
//!
//! Tried are an origin that nobody knows; `null`, which any page can have by a sandboxed frame; and names that begin or
//! end as the deployment's own or a declared one does, which let in who compares carelessly. To be echoed without
//! credentials is the same as `*`, and is noted.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict, fail},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "security.cors-reflection",
    title: "A foreign origin is not echoed together with credentials",
    level: Level::Must,
    row: Row::D,
    cites: &[cite::FETCH_CREDENTIALS, cite::SIO_CORS, cite::CWE_942],
    needs: &[Need::Polling],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Any page that a user visits speaks to the server with that user's cookies, and reads the answers.",
    fix: "Compare with a list of whole origins: `cors: { origin: ['https://app.example.com'], credentials: true }`; not \
          `origin: true`, not a function that lets everybody pass, not a regular expression without `^` and `$`, not `null`.",
    effort: Effort::Minutes,
    faults: &[Fault::CorsReflectsOrigin],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    for origin in super::foreign_origins(probe) {
        let asked = super::ask_from(probe, &origin).await?;
        for (what, answer) in &asked {
            let allowed = super::allowed_origin(answer);
            if allowed.as_deref() == Some(&origin) && super::allows_credentials(answer) {
                return fail("A foreign origin is let in with its user's cookies")
                    .sent(say!("{what}, with Origin: {origin}", what, origin))
                    .received(super::shown(answer))
                    .expected("no Access-Control-Allow-Origin with that origin")
                    .stop();
            }
            if let Some(allowed) = allowed.filter(|allowed| *allowed == origin || allowed == "*") {
                probe.note(say!(
                    "pages of any origin may read answers ({allowed} for {origin}), without cookies",
                    allowed,
                    origin
                ));
            }
        }
        super::judged(probe, &asked[0].1).await?;
    }
    Ok(())
}
