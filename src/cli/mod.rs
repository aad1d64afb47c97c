//! The command line.

use std::sync::Arc;

use url::Url;

use crate::{
    contract::{Contract, Layers},
    redact::Redactor,
    runner::{DEFAULT_JOBS, Plan, Runner, Selection},
    verdict::ExitCode,
};

/// `siospec run URL [ids…]`, with the contract from the environment: a stand-in until the real command line is there.
pub async fn main() -> ExitCode {
    let mut args = std::env::args().skip(2);
    let origin = Url::parse(&args.next().expect("a URL")).expect("a URL");
    let contract = Contract::load(Layers::from_env()).unwrap_or_else(|error| panic!("{error}"));
    let checks = Selection::new(&args.collect::<Vec<_>>(), &[]).unwrap_or_else(|error| panic!("{error}")).checks();
    let plan = Plan { origin, reference: false, contract, checks, jobs: DEFAULT_JOBS, flags: Vec::new() };
    match Runner::new(plan, Redactor::new()).await {
        Err(untestable) => {
            eprintln!("{untestable}");
            ExitCode::Untestable
        }
        Ok(runner) => {
            let report = Arc::new(runner).run().await;
            println!("{}", serde_json::to_string_pretty(&report).expect("report data is JSON"));
            println!("{:?}", report.counts());
            report.exit_code()
        }
    }
}
