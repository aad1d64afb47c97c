//! Values in the token's place that are no texts are refused, and the server lives on: `null`, `1`, `true`, `{}`, `[]`,
//! `{"toString":1}`.
//!
//! The payload is JSON of the client's choice. Code that calls `token.split('.')` or `token.startsWith('Bearer ')`
//! throws on these, and `` `${token}` `` throws on the last one; where nothing catches that, the connection goes down
//! without an answer, or the whole process does. So a CONNECT on a new connection must be answered afterwards. A server
//! that closes the connection whenever it refuses is judged for that by `auth.rejection-shape`, not here.

use super::{Attempt, expect_refusal_unharmed};
use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    contract::Carrier,
    fault::Fault,
    probe::{Probe, Stop, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "auth.wrong-type-token",
    title: "Tokens that are not strings are refused, and the server keeps running",
    level: Level::Must,
    row: Row::C4,
    cites: &[cite::SIO_CREDENTIALS, cite::CWE_248, cite::SIO_MIDDLEWARES],
    needs: &[Need::Refusals],
    requires: &["auth.rejection-in-time"],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Malformed, Effect::Endangers],
    wait: Wait::None,
    meaning: "One value of the wrong type lets anybody in, or drops connections, possibly those of other users as \
              well.",
    fix: "Look at the type first: `if (typeof token !== 'string') return next(new Error('unauthorized'))`. TypeScript \
          does not do it: `socket.handshake.auth` is `any`.",
    effort: Effort::Minutes,
    faults: &[Fault::AcceptsNonStringToken, Fault::DropsNonStringToken],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    if probe.tokens().carrier() != Carrier::Payload {
        return Err(Stop::Skip("requests carry the token (auth.carrier), and whatever they carry is a text".into()));
    }
    expect_refusal_unharmed(probe, &Attempt::wrong_types(probe)).await
}
