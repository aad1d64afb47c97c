//! What the deployment says of itself in the headers of its answers: `Server`, `X-Powered-By` and their like.
//!
//! A name alone is noted. A version is a finding, for information: it saves an attacker the guessing.

use crate::{
    catalogue::{Check, Effort, Isolation, Wait, cite},
    fault::Fault,
    message::data,
    probe::{Probe, Stop, Verdict, fail, to_the_point},
    verdict::{Level, Row},
    wire::Transport,
};

pub const CHECK: Check = Check {
    id: "security.server-header",
    title: "No header tells the version of the server's software",
    level: Level::May,
    row: Row::D,
    cites: &[cite::RFC9110_10_2_4],
    needs: &[],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Attackers who scan for servers with a known vulnerability find this one by its header.",
    fix: "In nginx `server_tokens off;`, in Apache `ServerTokens Prod`, in Express `app.disable('x-powered-by')`; in Nuxt \
          the header holds no version.",
    effort: Effort::Minutes,
    faults: &[Fault::NamesItsVersion],
    run: |probe| Box::pin(run(probe)),
};

const HEADERS: [&str; 5] = ["server", "x-powered-by", "x-aspnet-version", "x-aspnetmvc-version", "x-generator"];

async fn run(probe: &Probe) -> Verdict {
    let endpoint = probe.endpoint("a");
    // Without a transport, nothing is opened, and every server has an answer.
    let mut handshake = endpoint.engine_url(Transport::Polling, None);
    handshake.set_query(Some("EIO=4"));
    let page = probe.contract().page.as_ref().map(|path| endpoint.url(path));
    for url in page.into_iter().chain([handshake]) {
        let answer = endpoint
            .get(url.clone())
            .await
            .map_err(|error| Stop::Broken(say!("GET {path}: {error}", path = data(url.path()), error)))?;
        for name in HEADERS {
            let value = answer.header(name);
            if value.is_empty() {
                continue;
            }
            if tells_version(value) {
                return fail("A header tells the version of the server's software")
                    .sent(format!("GET {url}"))
                    .received(format!("HTTP {}, {name}: {value}", answer.status))
                    .expected("a name without a version, or no such header")
                    .stop();
            }
            probe.note(say!("the server names itself: {name}: {value}", name, value = data(value)));
        }
        to_the_point(format!("GET {}", url.path()), answer)?;
    }
    probe.served_at_all().await.map(drop)
}

/// Whether a word of the value is a number (`nginx/1.27`, `PHP 8`), and not merely has one in its name (`AmazonS3`).
fn tells_version(value: &str) -> bool {
    value.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').any(|word| {
        let number = word.strip_prefix(['v', 'V']).unwrap_or(word);
        number.starts_with(|c: char| c.is_ascii_digit())
    })
}
