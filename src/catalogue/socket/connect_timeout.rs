//! A session on which no CONNECT is ever sent is closed by the server, after 45 seconds by default.
//!
//! Its heartbeats are answered, so that nothing but the missing CONNECT is a reason to close it. Where the server waits for
//! another time, `choices.connect-timeout` says so; the deadline of one answer is tolerated beyond it.
//!
//! A client beside it that is connected must live on: a server that loses all its connections closes nothing in particular.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    catalogue::{Check, Effort, Isolation, Wait, cite},
    fault::Fault,
    probe::{Life, Probe, Stop, Verdict, fail, in_order},
    verdict::{Level, Row},
    wire::{Heartbeats, Transport},
};

pub const CHECK: Check = Check {
    id: "socket.connect-timeout",
    title: "A session without a CONNECT is closed",
    level: Level::Should,
    row: Row::P,
    cites: &[cite::SIO_CONNECT, cite::SIO_CONNECT_TIMEOUT],
    needs: &[],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::ConnectTimeout,
    meaning: "Strangers without any token hold as many connections as they like for as long as they like, until the server \
              has none left for its users.",
    fix: "Leave the server's `connectTimeout` at its default (45 s). A library that has none (python-socketio) needs a timer \
          of one's own, or a proxy that bounds connections by address.",
    effort: Effort::Minutes,
    faults: &[Fault::NoConnectTimeout],
    run: |probe| Box::pin(run(probe)),
};

/// A server that waits for a CONNECT at all waits so long.
const AT_LEAST: Duration = Duration::from_secs(1);

async fn run(probe: &Probe) -> Verdict {
    let limit = probe.contract().choices.connect_timeout;
    in_order(probe.transports().into_iter().map(|transport| expect_end(probe, transport, limit))).await.map(drop)
}

async fn expect_end(probe: &Probe, transport: Transport, limit: Duration) -> Verdict {
    let (mut client, mut witness) = tokio::try_join!(
        probe.open(transport.name(), transport),
        probe.steady("witness", transport, Heartbeats::Answered)
    )?;
    // A question on it might be the CONNECT that the server waits for, where any namespace can be connected to.
    client.vouch(probe.served(transport).await?);
    let (begun, within) = (Instant::now(), limit + probe.deadline());
    if let Life::Closed(how) = client.wait_end(within).await? {
        if witness.is_connected {
            // What ends every session at that age ends the other one in the next moment.
            if let Life::Closed(how) = witness.client.wait_end(probe.target().quiet_window()).await? {
                return Err(Stop::Broken(say!(
                    "a connected client over {transport} lost its connection as well: {how}",
                    transport,
                    how
                )));
            }
            return match witness.client.life().await? {
                Life::Open => Ok(()),
                Life::Closed(how) => Err(Stop::Broken(say!(
                    "a connected client over {transport} lost its connection as well: {how}",
                    transport,
                    how
                ))),
            };
        }
        // A server that is gone, or goes down, closes connections as well.
        probe.serves_still(transport).await?;
        return if begun.elapsed() >= limit.mul_f64(0.5).min(AT_LEAST) {
            Ok(())
        } else {
            Err(Stop::Broken(say!("the session over {transport} ended long before its time: {how}", transport, how)))
        };
    }
    client.show_life().await;
    fail(say!("A session over {transport} on which nobody connects stays open", transport))
        .sent("a handshake, and pongs, but no CONNECT (40)")
        .received(say!("the session still open after {time}", time = within))
        .expected(say!("its end after {time} (choices.connect-timeout)", time = limit))
        .stop()
}
