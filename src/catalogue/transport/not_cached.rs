//! Two identical handshake requests open two sessions, and no shared cache is invited to answer the second.
//!
//! Browsers add a unique `t` to each request; other clients do not, and a cache in between does not know what it means.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    message::data,
    probe::{Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
    wire::{EnginePacket, Handshake, HttpResponse, Transport, WireError, engine},
};

pub const CHECK: Check = Check {
    id: "transport.not-cached",
    title: "Identical handshakes open different sessions",
    level: Level::Must,
    row: Row::D,
    cites: &[cite::EIO_HANDSHAKE, cite::RFC9111_3],
    needs: &[Need::Polling],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Two users share one session: each gets half of the other's messages.",
    fix: "Exclude the path from every cache: no `routeRules` with `cache`, `swr` or `isr` for `/socket.io/**`, and no \
          CDN rule that ignores the query string.",
    effort: Effort::Minutes,
    faults: &[Fault::CachedHandshake, Fault::CacheableHandshake],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let endpoint = probe.endpoint("a");
    let url = endpoint.engine_url(Transport::Polling, None);
    let broken = |error: WireError| Stop::Broken(say!("the handshake: {error}", error));
    let first = endpoint.get(url.clone()).await.map_err(broken)?;
    let second = endpoint.get(url.clone()).await.map_err(broken)?;
    match (sid(&first), sid(&second)) {
        (Some(one), Some(other)) if one == other => {
            return fail("Two handshakes by the same URL got the same session")
                .sent(say!("GET {url}, twice", url))
                .received(say!("sid {one}, twice", one))
                .expected("two different sids")
                .stop();
        }
        (Some(_), Some(_)) => {}
        _ => return Err(Stop::Broken(say!("a handshake was answered {second}", second))),
    }
    if let Some(directive) = shared_lifetime(first.header("cache-control")) {
        return fail("The handshake's answer may be kept by shared caches")
            .at(Level::Should)
            .sent(format!("GET {url}"))
            .received(say!(
                "Cache-Control: {header} ({directive})",
                header = data(first.header("cache-control")),
                directive = data(directive)
            ))
            .expected("no-store, or no Cache-Control at all")
            .stop();
    }
    Ok(())
}

fn sid(response: &HttpResponse) -> Option<String> {
    match engine::decode_payload(&response.text()).ok()?.into_iter().next()? {
        EnginePacket::Open(data) => Handshake::parse(&data).ok().map(|handshake| handshake.sid),
        _ => None,
    }
}

/// The directive by which a shared cache may answer later requests without asking.
fn shared_lifetime(cache_control: &str) -> Option<&str> {
    let directives: Vec<&str> = cache_control.split(',').map(str::trim).collect();
    let has = |name: &str| directives.iter().any(|directive| directive.eq_ignore_ascii_case(name));
    if has("no-store") || has("private") || has("no-cache") {
        return None;
    }
    let seconds = |directive: &str, name: &str| -> Option<u64> {
        let (key, value) = directive.split_once('=')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim_matches('"').parse().ok())?
    };
    // For a shared cache, `s-maxage` overrides `max-age` (RFC 9111, 5.2.2.10).
    let named = |name: &str| {
        directives.iter().find_map(|directive| seconds(directive, name).map(|lifetime| (*directive, lifetime)))
    };
    let (directive, lifetime) = named("s-maxage").or_else(|| named("max-age"))?;
    (lifetime > 0).then_some(directive)
}
