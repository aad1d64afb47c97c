//! The command line: libtest's options, ours, and those of the contract.

use clap::{CommandFactory, FromArgMatches, Parser};
use siospec::{
    contract,
    runner::{self, reproduce},
};

use super::target::{self, Target};

#[derive(Parser)]
#[command(name = "conformance", about = "siospec's tests, or the catalogue against a server")]
pub struct CommandLine {
    /// Run the catalogue against this server instead of siospec's own tests.
    #[arg(long, value_name = "URL", env = "SIOSPEC_TARGET_URL")]
    target_url: Option<String>,

    /// Accept that MUST checks are not judged for lack of a token.
    #[arg(long, env = "SIOSPEC_ALLOW_INCOMPLETE")]
    pub allow_incomplete: bool,

    #[command(flatten)]
    pub libtest: libtest_mimic::Arguments,

    #[clap(skip)]
    contract: Vec<(&'static str, String)>,
}

impl CommandLine {
    /// Reads the process's arguments; ends the process on a wrong one, as clap does.
    pub fn read() -> CommandLine {
        let matches = CommandLine::command().args(contract::clap_args()).get_matches();
        let mut line = CommandLine::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        line.contract = contract::flags_from(&matches);
        line
    }

    /// The target, where one is given.
    ///
    /// # Errors
    /// What is wrong with the contract.
    pub fn target(&self) -> Result<Option<Target>, String> {
        let Some(url) = &self.target_url else { return Ok(None) };
        let target = runner::target::parse(url)?;
        let contract = target::load_contract(self.contract.clone())?;
        target.fits(&contract)?;
        Ok(Some(Target { url: target.origin, contract, flags: reproduce::flags(&self.contract) }))
    }
}
