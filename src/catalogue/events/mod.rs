//! Events of the application.

mod immediate_emit;
mod latency;
mod malformed_payload;
mod ping_pong;
mod ping_pong_private;
mod prototype_keys;

use tokio::time::Instant;

use super::checks;
use crate::{
    contract::Vars,
    message::Message,
    probe::{Client, Life, Probe, Stop, Verdict, fail, on_wire},
    verdict::Copied,
    wire::{SocketPacket, Transport},
};

checks![ping_pong, ping_pong_private, immediate_emit, malformed_payload, prototype_keys, latency];

/// Sends `rounds` pings, one after the other's pong, and finds exactly as many pongs behind the fence that follows.
pub(super) async fn expect_one_pong_each(probe: &Probe, client: &mut Client, rounds: usize) -> Verdict {
    let ping = probe.ping()?;
    let sent = on_wire(&probe.contract().namespace, &ping.emit, &Vars::new());
    let expected = say!("one `{reply}` to each", reply = ping.reply);
    let from = client.mark();
    for round in 1..=rounds {
        let mark = client.mark();
        client.emit(&ping.emit, &Vars::new());
        if client.wait_event(mark, &ping.reply).await?.is_none() {
            // A hint at handlers that are registered late, for which one short look is enough.
            client.emit(&ping.emit, &Vars::new());
            let until = Instant::now() + probe.target().quiet_window();
            let is_pong = |packet: &SocketPacket| packet.event_name() == Some(&ping.reply);
            let received = match client.wait("pong", mark, until, is_pong).await {
                Ok(_) => say!(
                    "no `{reply}` in time, but one to a `{event}` sent after that: are handlers registered late, \
                     after an `await`?",
                    reply = ping.reply,
                    event = ping.emit.event
                ),
                Err(_) => say!("no `{reply}` in time", reply = ping.reply),
            };
            return fail(say!(
                "{event} number {round} is not answered over {transport}",
                event = ping.emit.event,
                round,
                transport = client.transport()
            ))
            .sent(&sent)
            .received(received)
            .expected(&expected)
            .stop();
        }
    }
    client.fence().await?;
    client.take_notes(probe);
    let pongs = client.events_since(from, &ping.reply).len();
    if pongs == rounds {
        return Ok(());
    }
    fail(say!(
        "{pongs} × `{reply}` came back for {rounds} × `{event}` over {transport}",
        pongs,
        reply = ping.reply,
        rounds,
        event = ping.emit.event,
        transport = client.transport()
    ))
    .sent(say!("{sent} ({rounds} times)", sent, rounds))
    .received(say!("{pongs} × `{reply}`", pongs, reply = ping.reply))
    .expected(&expected)
    .copies(Copied::Pong, if pongs.is_multiple_of(rounds) { vec![pongs / rounds] } else { Vec::new() })
    .stop()
}

/// A client that sent nothing keeps its connection, whatever another one `sent`. Where it does not, that is the `harm`.
async fn expect_unharmed(probe: &Probe, peer: &mut Client, harm: impl Into<Message>, sent: &Message) -> Verdict {
    if let Life::Closed(how) = peer.life().await? {
        return fail(harm)
            .sent(sent)
            .received(say!(
                "at a client that sent nothing, over {transport}: the connection is closed ({how})",
                transport = peer.transport(),
                how
            ))
            .expected("the other client's connection goes on")
            .doubtful()
            .harms_others()
            .stop();
    }
    peer.take_notes(probe);
    Ok(())
}

/// How many pongs one ping gets on a new connection of a new user.
async fn pongs(probe: &Probe, transport: Transport) -> Result<usize, Stop> {
    let ping = probe.ping()?;
    let mut client = probe.client("next", transport).await?;
    let from = client.mark();
    client.emit(&ping.emit, &Vars::new());
    client.wait_event(from, &ping.reply).await?;
    client.fence().await?;
    Ok(client.events_since(from, &ping.reply).len())
}
