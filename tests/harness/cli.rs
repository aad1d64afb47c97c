//! The command line: libtest's options and ours.

use clap::Parser;
use url::Url;

#[derive(Parser)]
#[command(name = "conformance", about = "siospec's tests, or the catalogue against a server")]
pub struct CommandLine {
    /// Run the catalogue against this server instead of siospec's own tests.
    #[arg(long, value_name = "URL", env = "SIOSPEC_TARGET_URL")]
    pub target_url: Option<Url>,

    #[command(flatten)]
    pub libtest: libtest_mimic::Arguments,
}
