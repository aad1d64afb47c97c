//! A run from the least that has to be said.

use url::Url;

use super::{DEFAULT_JOBS, Plan, Runner, target};
use crate::{
    catalogue::{Check, Selection},
    contract::{self, Contract, Layers},
    probe::Untestable,
    redact::Redactor,
};

/// Why a run cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The target is no URL, or one that says more than where the deployment is.
    #[error("{0}")]
    Url(String),
    /// What is declared is wrong.
    #[error(transparent)]
    Contract(#[from] contract::Error),
    /// No check could say anything sensible about the target.
    #[error("{0}")]
    Target(Untestable),
}

impl Plan {
    /// These checks against the target there, with nothing else said.
    pub fn new(origin: Url, contract: Contract, checks: Vec<&'static Check>) -> Plan {
        Plan {
            origin,
            reference: false,
            contract,
            checks,
            unjudged: Vec::new(),
            jobs: DEFAULT_JOBS,
            max_wait: None,
            rate: None,
            flags: Vec::new(),
        }
    }
}

impl Runner {
    /// Looks at the deployment at `url`, which keeps these promises (keys of `siospec.toml` and their values), and makes ready to
    /// check it. `run` does so.
    ///
    /// # Errors
    /// [`SetupError`] says what is wrong: the URL, a promise, or the target.
    pub async fn against(
        url: &str,
        declared: &[(&'static str, &str)],
        selection: &Selection,
    ) -> Result<Runner, SetupError> {
        let target = target::parse(url).map_err(SetupError::Url)?;
        let flags = declared.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        let contract = Contract::load(Layers { file: None, env: std::iter::empty(), flags })?;
        target.fits(&contract).map_err(SetupError::Url)?;
        let plan = Plan::new(target.origin, contract, selection.checks());
        Runner::new(plan, Redactor::new()).await.map_err(SetupError::Target)
    }
}
