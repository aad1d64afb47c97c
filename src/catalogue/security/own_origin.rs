//! A page of the deployment's own origin is let in, on every transport.
//!
//! Browsers send the page's `Origin` with every POST, with every WebSocket, and with GETs that go to another origin. The page
//! is one of the target's own origin, or of the one that the contract declares (`origin`): an app that lets in its public
//! origin alone is lawful, and needs that key where it is tested elsewhere. A client with that `Origin` must get as far as
//! one without any, up to the answer to its CONNECT; a look counts only where the one without gets further, several times
//! over. Where neither gets in, it is not the origin, and another check says why.

use crate::{
    catalogue::{Check, Effort, Isolation, Wait, cite},
    fault::Fault,
    message::{Joint, Message, ToArg, list},
    probe::{Entry, Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
    wire::Transport,
};

pub const CHECK: Check = Check {
    id: "security.own-origin",
    title: "Pages of the deployment's own origin are let in",
    level: Level::Must,
    row: Row::D,
    cites: &[cite::FETCH_ORIGIN, cite::RFC6455_10_2, cite::SIO_ALLOW_REQUEST],
    needs: &[],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Browsers cannot connect there: they send the page's origin with every POST and every WebSocket. Tools \
              that send no Origin do not notice.",
    fix: "Name the origin of your own pages where origins are checked: `allowRequest`, `cors.origin`, \
          `cors_allowed_origins`, a WebSocket hook's `upgrade`. A server that compares Origin with Host needs the request's \
          own Host, with its port, from the proxy: in nginx, `proxy_set_header Host $http_host`. If the app lets in its \
          public origin alone and is tested elsewhere, declare that origin: `origin = \"https://app.example.com\"` \
          (--origin).",
    effort: Effort::Minutes,
    faults: &[Fault::RefusesOwnOrigin],
    run: |probe| Box::pin(run(probe)),
};

/// What python-engineio says of an origin; unless told otherwise, it lets in those whose host is the request's Host.
const COMPARES_WITH_HOST: &str = "is not an accepted origin";

async fn run(probe: &Probe) -> Verdict {
    let user = probe.user("own-origin");
    let payload = probe.payload(probe.credentials(&user).await?);
    let own = probe.contract().origin.clone();
    let origin = own.clone().unwrap_or_else(|| probe.target().origin.origin().ascii_serialization());
    let look = async |transport: Transport| {
        let endpoint = probe.endpoint(transport.name()).for_page(probe.own_page());
        let namespace = &probe.contract().namespace;
        let entry = Entry::try_at(&endpoint, transport, namespace, payload.clone()).await;
        if entry == Entry::Connected {
            return (transport, entry, None);
        }
        let kept_out = Entry::kept_out(&endpoint, probe.contract(), transport, payload.clone()).await;
        (transport, entry, kept_out)
    };
    let looks = futures::future::join_all(probe.transports().into_iter().map(look)).await;
    let refused: Vec<_> = looks.iter().filter_map(|(on, _, kept_out)| Some((on, kept_out.as_ref()?))).collect();
    if let Some((_, (with, _))) = refused.first() {
        let mut received: Vec<Message> = refused
            .iter()
            .map(|(on, (with, without))| {
                say!("{on}: {with}; without Origin {without}", on, with = said(with), without = said(without))
            })
            .collect();
        if own.is_none()
            && matches!(with, Entry::Shut(how) | Entry::Refused(how) if how.text().contains(COMPARES_WITH_HOST))
        {
            received.push(
                "the likely cause: Origin is compared with Host, which a proxy on the way does not pass on as it came"
                    .into(),
            );
        }
        let names = list(refused.iter().map(|(on, _)| on.to_arg()), Joint::And);
        return fail(say!("A page of the deployment's own origin is kept out on {names}", names))
            .sent(say!("a handshake and a CONNECT with Origin: {origin}, as browsers say it", origin))
            .received(Message::list(received, Joint::Semicolon))
            .expected("the same with that Origin as without any")
            .stop();
    }
    for (transport, entry, _) in &looks {
        match entry {
            Entry::Connected => {}
            Entry::Refused(_) if payload.is_none() => probe.note(say!(
                "{transport}: the session opens with the own Origin; a CONNECT without a token is refused with it as \
                 without",
                transport
            )),
            entry => {
                return Err(Stop::Broken(say!(
                    "{transport}: {entry}, with the own Origin as without (see transport.{name}-handshake, \
                     auth.valid-token)",
                    transport,
                    entry = said(entry),
                    name = transport.name()
                )));
            }
        }
    }
    Ok(())
}

fn said(entry: &Entry) -> Message {
    match entry {
        Entry::Shut(how) => say!("no answer to a CONNECT ({how})", how),
        Entry::Refused(packet) => say!("CONNECT is refused ({packet})", packet),
        Entry::Connected => said!("connected").into(),
    }
}
