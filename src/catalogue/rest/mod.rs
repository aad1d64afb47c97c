//! The REST trigger.

mod bad_body;
mod concurrent;
mod emit_all;
mod emit_authenticated_only;
mod emit_once;
mod response;
mod unauthenticated;
mod wrong_method;

use futures::future::{join_all, try_join_all};

use super::checks;
use crate::{
    contract::{Rest, Vars},
    probe::{Client, Probe, Stop},
};

checks![response, emit_once, emit_all, emit_authenticated_only, concurrent, bad_body, wrong_method, unauthenticated,];

/// A new message for the trigger, and the variables by which its event is known. Where the contract's call carries no
/// message, none is looked for.
pub(super) fn message(probe: &Probe) -> Result<(String, Vars), Stop> {
    let message = probe.nonce("notification");
    let vars = if probe.rest()?.carries_message() { Vars::new().message(&message) } else { Vars::new() };
    Ok((message, vars))
}

/// How a call goes over the wire, for a failure's "sent". Headers, which may hold secrets, are left out.
pub(super) fn on_wire(rest: &Rest, vars: &Vars) -> String {
    let call = rest.render(vars);
    let body = call.body.map(|body| format!(" {body}")).unwrap_or_default();
    format!("{} {}{body}", call.method, call.path)
}

/// What came of the calls of [`deliveries`].
pub(super) struct Deliveries {
    /// For each client, how often it got a notification: one, or the first other count.
    pub(super) copies: Vec<usize>,
    /// The variables of the last call.
    pub(super) vars: Vars,
}

/// Calls the trigger twice, the second time when every client has the first notification, and counts the notifications
/// at each behind the fence that follows: a second copy of the first is seen even where the server takes its time for
/// it. When a client got none in time, it stays at one call.
pub(super) async fn deliveries(probe: &Probe, clients: &mut [Client]) -> Result<Deliveries, Stop> {
    let rest = probe.rest()?;
    let begin: Vec<usize> = clients.iter().map(Client::mark).collect();
    let mut calls = Vec::new();
    let mut complete = true;
    while complete && calls.len() < 2 {
        let marks: Vec<usize> = clients.iter().map(Client::mark).collect();
        let (message, vars) = message(probe)?;
        probe.notify(&message).await?;
        let waiting =
            clients.iter_mut().zip(marks).map(|(client, mark)| client.wait_expected(mark, &rest.event, &vars));
        for arrived in join_all(waiting).await {
            complete &= arrived?.is_some();
        }
        calls.push(vars);
    }
    try_join_all(clients.iter_mut().map(Client::fence)).await?;
    let indistinct = if rest.carries_message() { 1 } else { calls.len() };
    let mut copies = Vec::new();
    for (client, from) in clients.iter_mut().zip(begin) {
        client.take_notes(probe);
        let mut counted = calls.iter().map(|vars| client.expected_since(from, &rest.event, vars).len());
        let odd = counted.find(|count| *count != indistinct).unwrap_or(indistinct);
        // Fewer events than calls: one of them was lost.
        copies.push(if odd < indistinct { 0 } else { odd.div_ceil(indistinct) });
    }
    let vars = calls.pop().unwrap_or_default();
    Ok(Deliveries { copies, vars })
}
