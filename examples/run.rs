//! Checks as a part of another program: those of rooms, against a server that has them wrong.
//!
//! `cargo run --example run`

use std::{error::Error, sync::Arc};

use siospec::{
    catalogue::Selection,
    lang::Lang,
    mock::{DEFAULT_JWT_SECRET, Fault, Options, ReferenceServer},
    report::Kind,
    runner::Runner,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = ReferenceServer::start(Options::default().with_fault(Fault::RoomBroadcastsToAll)).await?;

    // What the deployment promises, by the keys of siospec.toml.
    let declared = [("auth.secret", DEFAULT_JWT_SECRET)];
    let selection = Selection::new(&["rooms".to_owned()], &[])?;
    let report = Arc::new(Runner::against(server.url(), &declared, &selection).await?).run().await;

    Kind::Terminal.format(None)?.write(&report, &Lang::EN, &mut std::io::stdout())?;
    assert!(!report.results.is_empty());
    Ok(())
}
