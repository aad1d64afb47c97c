//! A CONNECT without a token is refused: one without any payload (`40`), and one whose payload has no token (`40{}`).
//!
//! A middleware that verifies a token only where there is one lets in whoever leaves it out. A deployment that means to
//! let guests in declares `choices.guests`, and this check is skipped.

use super::{Attempt, expect_refusal};
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "auth.missing-token",
    title: "A CONNECT without a token is refused",
    level: Level::Must,
    row: Row::C4,
    cites: &[cite::CHECKLIST, cite::SIO_CREDENTIALS, cite::SIO_MIDDLEWARES],
    needs: &[Need::Refusals],
    requires: &["auth.rejection-in-time"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Anybody who knows the URL can connect, send events and read what the server sends to all.",
    fix: "Refuse first, in `io.use()`: `if (!socket.handshake.auth.token) return next(new Error('unauthorized'))`. A \
          check in `io.on('connection')` comes too late.",
    effort: Effort::Minutes,
    faults: &[Fault::AcceptsMissingToken, Fault::AcceptsMissingTokenOnWebsocket],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    expect_refusal(probe, &Attempt::missing()).await
}
