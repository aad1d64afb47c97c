//! `{path}/socket.io.js` is the client's JavaScript, or not there.
//!
//! Node's server offers the client bundle unless told otherwise (`serveClient: false`). Where the page's HTML comes
//! instead, a `<script src>` fails with a syntax error that points nowhere.

use crate::{
    catalogue::{Check, Effort, Isolation, Wait, cite},
    fault::Fault,
    probe::{Probe, Stop, Verdict, fail, to_the_point},
    verdict::{Level, Row},
    wire::response::BodyKind,
};

pub const CHECK: Check = Check {
    id: "transport.client-bundle",
    title: "The client bundle's URL gives JavaScript or 404, not a page",
    level: Level::May,
    row: Row::C2,
    cites: &[cite::SIO_SERVER_OPTIONS],
    needs: &[],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "A page that loads the client from there fails with `Unexpected token '<'`.",
    fix: "Nothing, if the client comes from npm's `socket.io-client`. Otherwise see that requests below the path reach \
          Socket.IO before the page's catch-all route.",
    effort: Effort::Minutes,
    faults: &[Fault::BundleIsPage],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let endpoint = probe.endpoint("a");
    let url = endpoint.url(&format!("{}/socket.io.js", probe.contract().path));
    let response = match endpoint.get(url.clone()).await {
        Ok(response) => response,
        Err(error) => return Err(Stop::Broken(say!("GET {url}: {error}", url, error))),
    };
    if response.is_success() && response.kind() == BodyKind::Html {
        return fail("The client bundle's URL gives a web page")
            .sent(format!("GET {url}"))
            .received(response)
            .expected("JavaScript, or a 4xx")
            .stop();
    }
    let response = to_the_point(format!("GET {url}"), response)?;
    probe.served_at_all().await?;
    probe.note(if response.is_success() {
        "the client bundle is served".into()
    } else {
        say!("lawful choice: the client bundle is not served (HTTP {status})", status = response.status)
    });
    Ok(())
}
