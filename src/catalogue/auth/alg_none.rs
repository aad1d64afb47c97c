//! An unsigned token is refused, however its header spells `none`: `none`, `None`, `NONE`, `nOnE`.
//!
//! JSON Web Tokens may declare that they are not signed. A server that takes the algorithm from the token's header
//! believes them; one that only forbids `none` in lower case is no better off.

use super::{Attempt, expect_refusal};
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "auth.alg-none",
    title: "An unsigned token (alg: none) is refused",
    level: Level::Must,
    row: Row::C4,
    cites: &[cite::RFC8725_3_1, cite::RFC8725_3_2, cite::RFC7519_6],
    needs: &[Need::Refusals],
    requires: &["auth.rejection-in-time"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Anybody can connect as any user: anyone can write an unsigned token.",
    fix: "Name the algorithm yourself, do not take it from the token: `jwt.verify(token, secret, { algorithms: \
          ['HS256'] })`.",
    effort: Effort::Minutes,
    faults: &[Fault::AcceptsUnsignedToken],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    expect_refusal(probe, &Attempt::unsigned(probe)).await
}
