//! Every bad token gets an answer within the deadline.
//!
//! A middleware that neither calls `next()` nor throws leaves the client waiting: for ever, as far as it can tell. It
//! happens where an `async` middleware throws and nothing catches that: with the first token that the library does not
//! like; or, where an uncaught error ends the process, the whole server goes down, which is a failure here, too. What the
//! answer is does not matter: that a bad token is refused, and how, is judged by the other checks, all of which rest on
//! this one.

use super::{Attempt, Tried, expect_life, name_all, none_cut, sort, try_each, unless_it_ends_others};
use crate::{
    catalogue::{Check, Effort, Isolation, Wait, cite},
    fault::Fault,
    probe::{Probe, Stop, Verdict, confirmed, fail},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "auth.rejection-in-time",
    title: "Every bad token gets an answer in time",
    level: Level::Must,
    row: Row::C4,
    cites: &[cite::SIO_CONNECT, cite::SIO_MIDDLEWARES],
    needs: &[],
    requires: &[],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "A user whose token has run out sees a page that loads for ever, instead of the login; or one bad \
              token takes the server down for everybody.",
    fix: "Call `next()` exactly once on every way through `io.use()`. In an async middleware, put `try { … next() } \
          catch { next(new Error('unauthorized')) }` around everything that may throw.",
    effort: Effort::Hours,
    faults: &[Fault::HangsOnRejection],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    match confirmed(probe, || exchange(probe)).await {
        Err(stop @ Stop::Broken(_)) => Err(unless_it_ends_others(probe, stop).await),
        verdict => verdict,
    }
}

async fn exchange(probe: &Probe) -> Verdict {
    let mut attempts = Attempt::missing();
    attempts.push(Attempt::empty(probe));
    attempts.extend(Attempt::malformed(probe));
    attempts.extend(Attempt::wrong_types(probe));
    attempts.push(Attempt::forged(probe)?);
    attempts.extend(Attempt::unsigned(probe).into_iter().take(1));
    if probe.tokens().can_mint() {
        attempts.push(Attempt::expired(probe)?);
    }
    let (tried, lost) = sort(try_each(probe, &attempts).await)?;
    let unanswered: Vec<&Tried> = tried.iter().filter(|one| one.is_silence()).collect();
    if let Some(first) = unanswered.first() {
        let which = if unanswered.len() == tried.len() { "any bad token".into() } else { name_all(&unanswered) };
        return fail(say!("CONNECT gets no answer: the middleware hangs with {which}", which))
            .sent(first.sent())
            .received(&first.answer)
            .expected(say!("44{\"message\":…} (or 40) within {time}", time = probe.deadline()))
            .doubtful()
            .stop();
    }
    let Some(stop) = none_cut(&tried).err().or(lost) else { return Ok(()) };
    match expect_life(probe, &attempts).await {
        Ok(_) => Err(stop),
        Err(dead) => Err(unless_it_ends_others(probe, dead).await),
    }
}
