//! A connection is served no longer than its token is valid.
//!
//! The token is looked at when a client connects, and most servers never look again: a page that stays open keeps its
//! connection for days. That is a choice of the deployment, and told rather than judged. A client connects with a token
//! of two seconds; a second after its end, either the connection is closed, or a `ping` gets no `pong`.

use std::time::Duration;

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    contract::Vars,
    fault::Fault,
    probe::{Answer, Client, Life, Probe, Stop, Verdict, fail, on_wire},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "auth.expiry-during-session",
    title: "A connection ends with its token",
    level: Level::May,
    row: Row::C4,
    cites: &[cite::RFC7519_4_1_4, cite::CWE_613],
    needs: &[Need::SigningKey, Need::Refusals, Need::Ping],
    requires: &["auth.valid-token", "auth.expired", "events.ping-pong"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "A user who was dismissed or has logged out elsewhere goes on reading for as long as the page stays open.",
    fix: "Close the connection when the token runs out, in `io.on('connection')`: `const timer = setTimeout(() => \
          socket.disconnect(true), exp * 1000 - Date.now()); socket.on('disconnect', () => clearTimeout(timer))`. \
          Clients come back with a fresh token.",
    effort: Effort::Hours,
    faults: &[Fault::OutlivesToken],
    run: |probe| Box::pin(run(probe)),
};

/// How long the token is valid. Where connecting takes longer than that, longer ones are tried.
const LIVES: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];
/// How much later than the token the connection may end.
const GRACE: Duration = Duration::from_secs(1);

async fn run(probe: &Probe) -> Verdict {
    for life in LIVES {
        let Some(mut client) = connected(probe, life).await? else { continue };
        if let Life::Closed(how) = client.wait_end(life + GRACE).await? {
            probe.note(say!("the connection was closed when its token ran out ({how})", how));
            return probe.takes_events(probe.transport()).await;
        }
        return expect_no_service(probe, client, life).await;
    }
    Err(Stop::Skip(say!(
        "a token that is valid for {time} is refused: do the clocks of siospec's machine and of the target's agree?",
        time = LIVES[LIVES.len() - 1]
    )))
}

/// A client that is connected by a token that is valid for so long. None where it was refused.
async fn connected(probe: &Probe, life: Duration) -> Result<Option<Client>, Stop> {
    let mut client = probe.open("a", probe.transport()).await?;
    let token = probe.tokens().short_lived(&probe.user("a").name, life)?;
    let answer = client.connect(Some(probe.tokens().connect_payload(token.into()))).await?;
    Ok(matches!(answer, Answer::Connected(_)).then_some(client))
}

async fn expect_no_service(probe: &Probe, mut client: Client, life: Duration) -> Verdict {
    let ping = probe.ping()?;
    let from = client.mark();
    client.emit(&ping.emit, &Vars::new());
    // An end of the connection now is as good an answer as silence.
    let Ok(Some(pong)) = client.wait_event(from, &ping.reply).await else {
        return probe.takes_events(probe.transport()).await;
    };
    fail("The server still serves a connection whose token has run out")
        .sent(say!(
            "CONNECT with a token that is valid for {time}; {grace} after its end {ping}",
            time = life,
            grace = GRACE,
            ping = on_wire(&probe.contract().namespace, &ping.emit, &Vars::new())
        ))
        .received(format!("4{}", pong.encode()))
        .expected("the end of the connection, or no answer")
        .stop()
}
