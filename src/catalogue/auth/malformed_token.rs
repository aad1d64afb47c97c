//! Texts that are no JSON Web Tokens are refused, and the server lives on: a word, two segments instead of three, a
//! segment that is not base64, 8 kB of noise.
//!
//! Libraries throw on such texts. Where nothing catches that, the connection goes down without an answer, or the whole
//! process does; so a CONNECT on a new connection must be answered afterwards. A server that closes the connection
//! whenever it refuses is judged for that by `auth.rejection-shape`, not here.

use super::{Attempt, expect_refusal_unharmed};
use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "auth.malformed-token",
    title: "Strings that are not tokens are refused, and the server keeps running",
    level: Level::Must,
    row: Row::C4,
    cites: &[cite::RFC7519_7_2, cite::CWE_248, cite::SIO_MIDDLEWARES],
    needs: &[Need::Refusals],
    requires: &["auth.rejection-in-time"],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Malformed, Effect::Endangers],
    wait: Wait::None,
    meaning: "One malformed string lets anybody in, or drops connections, possibly those of other users as well.",
    fix: "Catch what the verification throws: `try { jwt.verify(token, secret, { algorithms: ['HS256'] }) } catch { \
          return next(new Error('unauthorized')) }`, and keep any parsing of the token inside the `try`.",
    // Of the malformed texts, the one of two segments is also a token whose signature was cut off.
    effort: Effort::Minutes,
    faults: &[Fault::AcceptsMalformedToken, Fault::DropsMalformedToken, Fault::AcceptsStrippedSignature],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    expect_refusal_unharmed(probe, &Attempt::malformed(probe)).await
}
