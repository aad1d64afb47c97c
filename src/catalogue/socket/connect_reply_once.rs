//! One CONNECT is answered exactly once.
//!
//! Two answers come from two servers on one engine: the server plugin ran twice, as after a reload, and nothing
//! removed the first one. From then on every event is handled twice.
//!
//! Two CONNECTs to namespaces that do not exist follow as fences before the answers are counted; these, too, must be
//! answered once each, so that a second server is seen even where its middleware takes longer.

use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Answer, Client, Probe, Stop, Verdict, fail},
    verdict::{Copied, Level, Row},
    wire::{SocketPacket, socket::Kind},
};

pub const CHECK: Check = Check {
    id: "socket.connect-reply-once",
    title: "One CONNECT is answered exactly once",
    level: Level::Must,
    row: Row::C9,
    cites: &[cite::CHECKLIST, cite::SIO_CONNECT],
    needs: &[Need::Connect],
    requires: &["auth.valid-token", "socket.connect"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Two servers answer every client: what a user does happens twice.",
    fix: "Make one server per process: `if (!globalThis.io) globalThis.io = new Server(…)` in `server/plugins/`, or \
          close the old one when Nitro reloads: `nitroApp.hooks.hook('close', () => io.close())`.",
    effort: Effort::Minutes,
    faults: &[Fault::DoubleConnectReply],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    for transport in probe.transports() {
        let mut client = probe.open(&format!("a ({transport})"), transport).await?;
        match client.connect(probe.credentials(&probe.user("a")).await?).await? {
            Answer::Connected(_) => {}
            answer => {
                return Err(Stop::Broken(say!("over {transport}: {answer} (see socket.connect)", transport, answer)));
            }
        }
        client.fence().await?;
        client.fence().await?;
        client.take_notes(probe);
        if let Some((first, second)) = answered_twice(&client) {
            let replies = [first, second].iter().filter(|packet| packet.kind == Kind::Connect).count();
            return fail(say!(
                "One CONNECT to {namespace} is answered twice over {transport}",
                namespace = first.namespace,
                transport
            ))
            .sent(say!("CONNECT to {namespace}, once", namespace = first.namespace))
            .received(say!("4{packet}, and then 4{second}", packet = first.encode(), second = second.encode()))
            .expected("one answer")
            .copies(Copied::ConnectReply, [replies])
            .stop();
        }
    }
    Ok(())
}

fn answered_twice(client: &Client) -> Option<(&SocketPacket, &SocketPacket)> {
    let answers: Vec<_> =
        client.since(0).iter().filter(|packet| matches!(packet.kind, Kind::Connect | Kind::ConnectError)).collect();
    answers.iter().enumerate().find_map(|(index, first)| {
        let second = answers[index + 1..].iter().find(|second| second.namespace == first.namespace)?;
        Some((*first, *second))
    })
}
