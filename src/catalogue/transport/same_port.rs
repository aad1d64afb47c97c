//! The page, the handshake and the declared REST route answer on one origin: one scheme, host and port.
//!
//! The REST route is asked with `OPTIONS`, which triggers nothing; that it works is for the area *rest*. Any answer but
//! a redirect to another origin shows that it is served here.

use reqwest::{Method, header::HeaderMap};
use url::Url;

use crate::{
    catalogue::{Check, Effort, Isolation, Wait, cite},
    contract::Vars,
    fault::Fault,
    message::data,
    probe::{Probe, Stop, Verdict, fail, nuxt_base},
    verdict::{Evidence, Level, Row},
    wire::{HttpResponse, response::BodyKind},
};

pub const CHECK: Check = Check {
    id: "transport.same-port",
    title: "Page, Socket.IO and REST route are served on one origin",
    level: Level::Must,
    row: Row::C6,
    cites: &[cite::CHECKLIST, cite::RFC6454_4],
    needs: &[],
    requires: &[],
    // An OPTIONS that a route without a method takes for a call would emit.
    isolation: Isolation::Notifications,
    effects: &[],
    wait: Wait::None,
    meaning: "Clients that connect to the page's own origin find no socket there; a second port needs CORS, another \
              certificate and another hole in the firewall.",
    fix: "Attach Socket.IO to Nitro's own server instead of calling `listen()` on another port, and let the client \
          call `io()` without a URL. Where the page is at another path, or on another server on purpose, say so: \
          `--base /app`, `--page /app/` or `--page false`.",
    effort: Effort::Minutes,
    faults: &[Fault::RedirectsPage, Fault::NoPage],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    match &probe.contract().page {
        Some(path) => expect_page(probe, path).await?,
        None if probe.rest().is_err() => {
            return Err(Stop::Skip(
                "the contract declares neither a page (page) nor a REST trigger (rest.enabled)".into(),
            ));
        }
        None => probe.note("the contract declares that no page is served here (page)"),
    }

    if let Ok(rest) = probe.rest() {
        let endpoint = probe.endpoint("REST");
        let url = endpoint.url(&rest.render(&Vars::new().message("siospec")).path);
        let asked = endpoint.send(Method::OPTIONS, url.clone(), HeaderMap::new(), None, probe.deadline());
        let response = asked.await.map_err(|error| Stop::Broken(say!("OPTIONS {url}: {error}", url, error)))?;
        if other_origin(&url, &response).is_some() {
            return fail("The REST route is on another origin than Socket.IO")
                .sent(format!("OPTIONS {url}"))
                .received(response)
                .expected("an answer on the same origin")
                .stop();
        }
    }
    Ok(())
}

async fn expect_page(probe: &Probe, path: &str) -> Verdict {
    let endpoint = probe.endpoint("page");
    let page = endpoint.url(path);
    let response =
        endpoint.get(page.clone()).await.map_err(|error| Stop::Broken(say!("GET {page}: {error}", page, error)))?;
    let finding =
        |reason: &'static str| fail(reason).sent(format!("GET {page}")).expected("the application's HTML page");
    if let Some(elsewhere) = other_origin(&page, &response) {
        return finding("The page is on another origin than Socket.IO")
            .received(say!("{response} ({elsewhere})", response, elsewhere))
            .stop();
    }
    if response.is_redirect() {
        probe.note(say!(
            "the page redirects to {header} on the same origin",
            header = data(response.header("location"))
        ));
    } else if !response.is_success() || response.kind() != BodyKind::Html {
        let told = nuxt_base(&response);
        let mut found = finding("There is no HTML page on Socket.IO's origin").received(response);
        let above = [told, above_socket(probe)].into_iter().flatten();
        for path in above.map(|above| format!("{above}/")) {
            if is_page(probe, &path).await {
                found = found.witness(Evidence::PageAt { path });
                break;
            }
        }
        return found.stop();
    }
    Ok(())
}

/// The path that Socket.IO's lies below, without its final slash, unless that is `/`.
fn above_socket(probe: &Probe) -> Option<String> {
    let (above, _) = probe.contract().path.trim_end_matches('/').rsplit_once('/')?;
    (!above.is_empty()).then(|| above.to_owned())
}

async fn is_page(probe: &Probe, path: &str) -> bool {
    let endpoint = probe.endpoint("elsewhere");
    let response = endpoint.get(endpoint.url(path)).await;
    response.is_ok_and(|response| response.is_success() && response.kind() == BodyKind::Html)
}

/// Where a redirect leads, if that is another scheme, host or port.
fn other_origin(from: &Url, response: &HttpResponse) -> Option<Url> {
    if !response.is_redirect() {
        return None;
    }
    let to = from.join(response.header("location")).ok()?;
    (to.origin() != from.origin()).then_some(to)
}
