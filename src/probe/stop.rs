//! How a check ends other than by a pass.

use futures::future::join_all;

use super::tokens::TokenError;
use crate::message::Message;
use crate::verdict::{Copied, Evidence, Extent, Failure, Level};

/// A check's end: `Ok` is a pass.
pub type Verdict = Result<(), Stop>;

/// Awaits all of them side by side. Of several ends the first in their order is given, whichever came first: what a check
/// says should not depend on a race.
///
/// # Errors
/// That end.
pub async fn in_order<T>(
    looks: impl IntoIterator<Item = impl Future<Output = Result<T, Stop>>>,
) -> Result<Vec<T>, Stop> {
    join_all(looks).await.into_iter().collect()
}

/// Why a check does not pass.
#[derive(Clone, Debug)]
pub enum Stop {
    /// What must hold was seen not to hold.
    Fail(Finding),
    /// A capability is missing.
    Skip(Message),
    /// siospec or the network could not do its part, or something else that is broken stands in the way.
    Broken(Message),
}

impl Stop {
    /// Says in a finding's reason when it was made: `After the reload: …`. Other ends stay as they are.
    #[must_use]
    pub fn found(mut self, when: impl Into<Message>) -> Stop {
        let when = when.into();
        if let Stop::Fail(finding) = &mut self {
            let reason = &finding.failure.reason;
            finding.failure.reason = say!("{when}: {reason}", when, reason);
        }
        self
    }
}

/// What a check found wrong. Made by [`fail`].
#[derive(Clone, Debug)]
pub struct Finding {
    /// What the report shows.
    pub failure: Failure,
    /// How much it matters, where that is less than the check's own level.
    pub level: Option<Level>,
    /// Whether slowness would look the same; see [`Finding::doubtful`].
    pub(crate) doubtful: bool,
    /// Whether others come to harm by what was sent; see [`Finding::harms_others`].
    pub harms_others: bool,
    /// What it says to whoever looks at several checks.
    pub evidence: Option<Box<Evidence>>,
}

/// Begins a finding with its reason: what is wrong, as one sentence.
#[must_use]
pub fn fail(reason: impl Into<Message>) -> Finding {
    let failure =
        Failure { reason: reason.into(), sent: "".into(), received: "".into(), expected: "".into(), extent: None };
    Finding { failure, level: None, doubtful: false, harms_others: false, evidence: None }
}

impl Finding {
    /// What siospec sent.
    #[must_use]
    pub fn sent(mut self, sent: impl Into<Message>) -> Self {
        self.failure.sent = sent.into();
        self
    }

    /// What came back.
    #[must_use]
    pub fn received(mut self, received: impl Into<Message>) -> Self {
        self.failure.received = received.into();
        self
    }

    /// What should have come back.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<Message>) -> Self {
        self.failure.expected = expected.into();
        self
    }

    /// Says how many of how many failed: what the reason has in words, for who compares it with another run's.
    #[must_use]
    pub fn extent(mut self, failed: usize, of: usize) -> Self {
        self.failure.extent = Some(Extent::share(failed, of));
        self
    }

    /// Hands over how often something came that must come once, on connections that were opened one after the other.
    #[must_use]
    pub fn copies(mut self, of: Copied, counts: impl Into<Vec<usize>>) -> Self {
        let counts = counts.into();
        if counts.iter().any(|count| *count > 1) {
            self.evidence = Some(Box::new(Evidence::Copies { of, counts }));
        }
        self
    }

    /// Hands over what was seen.
    #[must_use]
    pub fn witness(mut self, evidence: Evidence) -> Self {
        self.evidence = Some(Box::new(evidence));
        self
    }

    /// Lets it weigh less than its check.
    #[must_use]
    pub fn at(mut self, level: Level) -> Self {
        self.level = Some(level);
        self
    }

    /// Marks what slowness may have caused, such as the end of a session whose heartbeat was not answered in time. Where this
    /// machine was slow, [`confirmed`](super::confirmed) looks again before it counts; where the target was, the runner does.
    #[must_use]
    pub fn doubtful(mut self) -> Self {
        self.doubtful = true;
        self
    }

    /// Says that the target as a whole, or other clients of it, come to harm by what the check sent. Whatever runs beside the
    /// check may have done that: the runner runs it once more with nothing beside it before it counts.
    #[must_use]
    pub fn harms_others(mut self) -> Self {
        self.harms_others = true;
        self
    }

    /// The finding as a check's end.
    ///
    /// # Errors
    /// Always.
    pub fn stop<T>(self) -> Result<T, Stop> {
        Err(Stop::Fail(self))
    }
}

impl From<TokenError> for Stop {
    fn from(error: TokenError) -> Stop {
        Stop::Broken(say!("a token could not be made: {error}", error))
    }
}
