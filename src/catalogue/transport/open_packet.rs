//! The open packet tells clients all that they need: `sid`, `upgrades`, `pingInterval`, `pingTimeout`, `maxPayload`.
//!
//! A missing `maxPayload` is said, not failed: servers older than engine.io 6.2 do not send it, and clients then do not
//! limit their batches. A `pingInterval` of 0 is a finding: some servers round sub-second settings down to it, and
//! clients then wait for each heartbeat no longer than `pingTimeout`. More than 2^31-1 ms is more than a timer of
//! JavaScript takes: clients disconnect at once. Where the contract promises values (`choices.ping-interval`,
//! `choices.ping-timeout`, `choices.max-payload`), others are a finding: the options of `Server` are not in force. Bytes
//! that are no UTF-8 are a finding, though browsers replace them: other clients do not.

use serde_json::Value;

use crate::{
    catalogue::{Check, Effort, Isolation, Wait, cite},
    contract::Choices,
    fault::Fault,
    message::{Message, word},
    probe::{Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
    wire::Transport,
};

pub const CHECK: Check = Check {
    id: "transport.open-packet",
    title: "The open packet has every field, each of the right type",
    level: Level::Must,
    row: Row::P,
    cites: &[cite::EIO_HANDSHAKE],
    needs: &[],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Clients compute their timeouts from these fields: with a wrong one they never notice a dead server, or \
              drop a live one again and again.",
    fix: "Do not rewrite the handshake in a proxy or route handler. Give `pingInterval`, `pingTimeout` and \
          `maxHttpBufferSize` as whole numbers: `new Server({ pingInterval: 25000, pingTimeout: 20000 })`.",
    effort: Effort::Minutes,
    faults: &[
        Fault::OpenPacketMissingField,
        Fault::OpenPacketWrongType,
        Fault::OpenPacketEndlessTimeout,
        Fault::OpenPacketBadUtf8,
    ],
    run: |probe| Box::pin(run(probe)),
};

/// The most that a timer of JavaScript takes, in milliseconds (HTML, "timers": a signed number of 32 bits). The clients' fires
/// at once where `pingInterval` and `pingTimeout` together are more.
const LONGEST_TIMER: f64 = 2_147_483_647.0;

async fn run(probe: &Probe) -> Verdict {
    if probe.target().usable(Transport::Polling) {
        encoded(probe).await?;
    }
    let target = probe.target();
    for (transport, handshake) in [(Transport::Polling, &target.polling), (Transport::WebSocket, &target.websocket)] {
        let Ok(handshake) = handshake else { continue };
        let open = &handshake.raw;
        let finding = |reason: Message| {
            fail(say!("{reason} (over {transport})", reason, transport))
                .sent(say!("an Engine.IO handshake over {transport}", transport))
                .received(format!("0{}", Value::from(open.clone())))
                .expected(
                    "`upgrades`: array of strings; `pingInterval`, `pingTimeout`, `maxPayload`: positive integers",
                )
        };
        match open.get("upgrades") {
            Some(Value::Array(upgrades)) if upgrades.iter().all(Value::is_string) => {}
            Some(_) => return finding("`upgrades` is not an array of strings".into()).stop(),
            None => return finding("`upgrades` is missing".into()).stop(),
        }
        for field in ["pingInterval", "pingTimeout", "maxPayload"] {
            match open.get(field) {
                // `25000.0` is as good: JSON knows but one kind of number, and so does JavaScript.
                Some(value) if value.as_f64().is_some_and(|number| number > 0.0 && number.fract() == 0.0) => {
                    if field != "maxPayload" && value.as_f64().is_some_and(|number| number > LONGEST_TIMER) {
                        return finding(say!(
                            "`{field}` is {value}, longer than any timer of JavaScript runs",
                            field = word(field),
                            value
                        ))
                        .stop();
                    }
                }
                Some(value) => {
                    return finding(say!("`{field}` is {value}, not a positive integer", field = word(field), value))
                        .stop();
                }
                None if field == "maxPayload" => {
                    probe.note("the open packet has no maxPayload, as servers older than engine.io 6.2");
                }
                None => return finding(say!("`{field}` is missing", field = word(field))).stop(),
            }
        }
        let sum = ["pingInterval", "pingTimeout"].iter().filter_map(|field| open.get(*field)?.as_f64()).sum::<f64>();
        if sum > LONGEST_TIMER {
            return finding(
                "`pingInterval` and `pingTimeout` together are longer than any timer of JavaScript runs".into(),
            )
            .stop();
        }
        for (field, option, promised) in promised(&probe.contract().choices) {
            let Some(value) = open.get(field) else { continue };
            if value.as_f64() != Some(promised as f64) {
                return fail(say!(
                    "`{field}` is {value}, and the contract promises {promised}: the option `{option}` of `Server` is \
                     ignored (over {transport})",
                    field = word(field),
                    value,
                    promised,
                    option = word(option),
                    transport
                ))
                .sent(say!("an Engine.IO handshake over {transport}", transport))
                .received(format!("0{}", Value::from(open.clone())))
                .expected(say!("`{field}`: {promised}", field = word(field), promised))
                .stop();
            }
        }
    }
    Ok(())
}

/// The fields of which the contract promises a value, in milliseconds or bytes, and the options of `Server` that set them.
fn promised(choices: &Choices) -> impl Iterator<Item = (&'static str, &'static str, u128)> {
    let fields = [
        ("pingInterval", "pingInterval", choices.ping_interval.map(|interval| interval.as_millis())),
        ("pingTimeout", "pingTimeout", choices.ping_timeout.map(|timeout| timeout.as_millis())),
        ("maxPayload", "maxHttpBufferSize", choices.max_payload.map(u128::from)),
    ];
    fields.into_iter().filter_map(|(field, option, promised)| Some((field, option, promised?)))
}

/// The open packet is text (Engine.IO v4, "Packet encoding").
async fn encoded(probe: &Probe) -> Verdict {
    let endpoint = probe.endpoint("polling");
    let answer = endpoint.get(endpoint.engine_url(Transport::Polling, None)).await;
    let answer = answer.map_err(|error| Stop::Broken(say!("a polling handshake: {error}", error)))?;
    match std::str::from_utf8(&answer.body) {
        Err(error) if answer.body.starts_with(b"0") => fail("The open packet is no UTF-8 (over polling)")
            .sent("an Engine.IO handshake over polling")
            .received(say!(
                "{body} (byte {number} is wrong)",
                body = answer.body.escape_ascii().to_string(),
                number = error.valid_up_to()
            ))
            .expected("text in UTF-8")
            .stop(),
        _ => Ok(()),
    }
}
