//! Tokens in the CONNECT payload.

mod forged_signature;

use serde_json::Value;

use super::checks;
use crate::probe::{Answer, Probe, Stop, Verdict, fail};

checks![forged_signature];

/// Sends a CONNECT with `token` in the declared field over each transport, which must be refused.
///
/// Only acceptance is a failure here, so that each defect shows up once: what a refusal looks like is judged by
/// `auth.rejection-shape`, and silence by `auth.rejection-in-time`.
async fn expect_refusal(probe: &Probe, what: &str, token: Value) -> Verdict {
    expect_refusal_of(probe, what, Some(probe.tokens().connect_payload(token))).await
}

/// As [`expect_refusal`], for a whole CONNECT payload, or none.
async fn expect_refusal_of(probe: &Probe, what: &str, payload: Option<Value>) -> Verdict {
    for transport in probe.transports() {
        let mut client = probe.open("a", transport).await?;
        match client.connect(payload.clone()).await? {
            Answer::Refused(_) => {}
            Answer::Closed(_) => probe.note("refused by closing the connection (see auth.rejection-shape)"),
            accepted @ Answer::Connected(_) => {
                return fail(format!("CONNECT with {what} is accepted over {transport}"))
                    .sent(format!("CONNECT with {what}"))
                    .received(accepted)
                    .expected("CONNECT_ERROR: 44{\"message\":…}")
                    .stop();
            }
            silence @ Answer::Silence(_) => {
                return Err(Stop::Broken(format!("{what} over {transport}: {silence} (see auth.rejection-in-time)")));
            }
        }
    }
    Ok(())
}
