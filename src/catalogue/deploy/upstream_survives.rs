//! An upgrade on a path that nobody serves does not keep everybody else out.
//!
//! Node ends such a connection after a second, without an answer. A proxy takes that for a server that failed: nginx, with
//! `max_fails=1` and `fail_timeout=10s` as it comes, sends nobody there for ten seconds, and answers 502 where no other server
//! is left. Anybody can do that, again and again. A few such upgrades are sent at once, so that each of several servers gets
//! one; afterwards a session that was open must go on, and a new one must be served. The check runs alone, and ends when the
//! target serves again.

use futures::future::join_all;

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    message::Message,
    probe::{Life, Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
    wire::{Transport, WebSocket},
};

pub const CHECK: Check = Check {
    id: "deploy.upstream-survives",
    title: "An upgrade on an unknown path does not affect other clients",
    level: Level::Should,
    row: Row::D,
    cites: &[cite::NGINX_UPSTREAM, cite::SIO_SERVER_OPTIONS],
    needs: &[Need::Connect],
    requires: &[],
    isolation: Isolation::Last,
    effects: &[Effect::Endangers],
    wait: Wait::None,
    meaning: "One request with a mistyped path, by anybody, and all users get HTTP 502 for ten seconds; those who were \
              connected by polling lose their sessions.",
    fix: "Have the server answer it: in Nitro, a crossws `upgrade` hook that throws a 404 `Response` unless the request's path \
          is Socket.IO's; on plain Node, `server.on('upgrade', (request, socket) => { if \
          (!request.url.startsWith('/socket.io/')) socket.end('HTTP/1.1 404 Not Found\\r\\n\\r\\n') })`. Or have the proxy not \
          count it: in nginx, `server … max_fails=0`, and `Upgrade` passed on in `location /socket.io/` alone.",
    effort: Effort::Minutes,
    faults: &[Fault::ForeignUpgradeTakesNodeOut],
    run: |probe| Box::pin(run(probe)),
};

/// How many upgrades are sent, so that each of several servers gets one.
const UPGRADES: usize = 4;

async fn run(probe: &Probe) -> Verdict {
    let gone = |why: Message| Stop::Broken(say!("even valid requests got no answer before: {why}", why));
    probe.until_it_answers().await.map_err(gone)?;
    // A WebSocket that is open stays so, whatever the proxy thinks of its server.
    let transport = if probe.target().usable(Transport::Polling) { Transport::Polling } else { Transport::WebSocket };
    let mut open = probe.client("open", transport).await?;
    let upgrades = (1..=UPGRADES).map(|number| {
        let endpoint = probe.endpoint(&format!("foreign {number}"));
        let url = endpoint.engine_url_at(&format!("/{}", probe.nonce("nowhere")), Transport::WebSocket, None);
        async move { drop(WebSocket::open(&endpoint, url, Default::default()).await) }
    });
    join_all(upgrades).await;
    let now = probe.answers_now().await;
    let life = open.life().await;
    let finding = |reason: &'static str, got: Message| {
        fail(reason)
            .sent(say!(
                "{upgrades} × GET /siospec-nowhere-…/?EIO=4&transport=websocket with Upgrade: websocket",
                upgrades = UPGRADES
            ))
            .received(got)
            .expected("everybody else is served as before")
            .stop()
    };
    let Err(why) = now else {
        return match life? {
            Life::Open => Ok(()),
            Life::Closed(how) => finding(
                "An upgrade on an unknown path ends the sessions of others",
                say!("on a session that was open before: {how}", how),
            ),
        };
    };
    let back = match probe.until_it_answers().await {
        Ok(waited) => say!("it is served again after {time}", time = waited),
        Err(_) => "it does not come back".into(),
    };
    finding(
        "After an upgrade on an unknown path, no new session is served",
        say!("a new session: {why}; {back}", why, back),
    )
}
