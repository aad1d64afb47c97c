//! Behind `https`, certificate and host name are valid, WebSocket works (`wss`), and who comes by plain http gets no page
//! but a redirect to https.
//!
//! That the certificate is trusted and names the host was seen when the run began: otherwise none of it would have taken
//! place. Plain http is asked for at port 80 where https is at 443, and else at the same port. Nobody answering there is
//! lawful, and so is an error. The request carries nothing of the contract, since anybody may read it.

use url::Url;

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
    wire::{HttpResponse, WireError, response::BodyKind},
};

pub const CHECK: Check = Check {
    id: "deploy.tls",
    title: "TLS is valid, WebSocket works over it, and nothing is served over plain http",
    level: Level::Must,
    row: Row::D,
    cites: &[cite::RFC9110_4_2_2, cite::RFC9525_6, cite::RFC6455_4],
    needs: &[Need::Https, Need::WebSocket],
    requires: &["transport.websocket-handshake"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Whoever types the address without `https://` gets a page that anybody on the way can read and change, the \
              user's token included.",
    fix: "Answer port 80 with a redirect and nothing else: in nginx `return 308 https://$host$request_uri;`; in Caddy that \
          is the default. `Strict-Transport-Security` keeps browsers from asking again.",
    effort: Effort::Days,
    faults: &[Fault::ServesPlainHttp],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    probe.note("certificate and host name are valid, and a WebSocket opens over TLS: the run began with both");
    let plain = plain(&probe.target().origin)?;
    let port = plain.port_or_known_default().unwrap_or_default();
    let answer = match probe.endpoint("plain http").get_as_stranger(plain.clone()).await {
        Ok(answer) => answer,
        Err(
            error
            @ (WireError::Connect(_) | WireError::Closed(_) | WireError::Malformed(_) | WireError::Timeout { .. }),
        ) => {
            probe.note(say!("nothing is served by plain http at port {port}: {error}", port, error));
            return Ok(());
        }
        Err(error) => return Err(Stop::Broken(say!("GET {plain}: {error}", plain, error))),
    };
    let finding = |reason: &'static str| {
        fail(reason)
            .sent(format!("GET {plain}"))
            .received(&answer)
            .expected("a redirect to https, an error, or no answer")
    };
    if answer.is_redirect() {
        return match plain.join(answer.header("location")) {
            Ok(to) if to.scheme() == "https" => Ok(()),
            _ => finding("Plain http redirects, but not to https").stop(),
        };
    }
    if answer.is_success() && answer.kind() == BodyKind::Html {
        return finding("The page is served by plain http as well").stop();
    }
    if answer.is_success() && !answer.body.is_empty() {
        return finding("Plain http is served as well").stop();
    }
    note_refusal(probe, &answer);
    Ok(())
}

fn note_refusal(probe: &Probe, answer: &HttpResponse) {
    probe.note(say!(
        "plain http is answered {answer}; a redirect to https would bring users where they want to go",
        answer
    ));
}

/// Where the page would be by plain http.
fn plain(origin: &Url) -> Result<Url, Stop> {
    let port = origin.port().map(|port| format!(":{port}")).unwrap_or_default();
    let plain = Url::parse(&format!("http://{}{port}/", origin.host_str().unwrap_or_default()));
    plain.map_err(|error| Stop::Broken(say!("{origin}: {error}", origin, error)))
}
