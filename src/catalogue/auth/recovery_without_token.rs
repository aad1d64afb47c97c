//! A client that comes back to a lost connection by its `pid` shows its token again.
//!
//! Where connection state recovery is on, socket.io skips the middlewares for those who come back, unless told not to:
//! the secret `pid` is all that is asked. So a user whose token has been withdrawn is let in again. That is the default,
//! and told rather than judged. A client connects, its connection drops, and it comes back without a token; then it comes
//! back with one, to see that there was something to come back to.

use tokio::time::sleep;

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite, reconnect::recovery},
    fault::Fault,
    probe::{Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "auth.recovery-without-token",
    title: "Connection state recovery asks for the token again",
    level: Level::May,
    row: Row::C4,
    cites: &[cite::SIO_RECOVERY, cite::CWE_613],
    needs: &[Need::Token, Need::Refusals, Need::Ping],
    requires: &["auth.valid-token", "auth.missing-token", "events.ping-pong", "reconnect.recovery"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Within two minutes of a lost connection, a user whose token has run out or was withdrawn gets back in, and \
              gets what was sent meanwhile.",
    fix: "Let the middlewares run for those who come back, too: `new Server({ connectionStateRecovery: { skipMiddlewares: \
          false } })`.",
    effort: Effort::Minutes,
    faults: &[Fault::RecoversWithoutToken],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    let transport = probe.transport();
    let user = probe.user("user");
    let mut client = probe.client_of(&user, "before", transport).await?;
    // Nothing tells when the server has noticed the loss, and only after that there is something to come back to.
    let mut pause = probe.target().quiet_window();
    loop {
        let known = recovery::ids(probe, &mut client).await?;
        client.drop_connection();
        sleep(pause).await;
        let mut stranger = probe.open("without a token", transport).await?;
        let answer = stranger.connect(Some(known.payload(None))).await?;
        if known.is_recovered(&answer) {
            return fail("A client without a token recovers a lost connection by its pid")
                .sent("CONNECT with the `pid` and the last offset of a lost connection, and no token")
                .received(answer)
                .expected("CONNECT_ERROR: 44{\"message\":…}")
                .stop();
        }
        drop(stranger);
        client = probe.open("with the token", transport).await?;
        let answer = client.connect(Some(known.payload(probe.credentials(&user).await?))).await?;
        if known.is_recovered(&answer) {
            return Ok(());
        }
        pause *= 2;
        if pause > probe.deadline() {
            return Err(Stop::Broken(
                "a client with its token does not get back either (see reconnect.recovery)".into(),
            ));
        }
    }
}
