//! The reference server for a test of one's own: on a free port, gone when it is dropped, and wrong in one way on request.
//!
//! `cargo run --example reference_server`. As a dependency, `default-features = false, features = ["mock"]` is enough for it.

use siospec::mock::{Fault, Options, ReferenceServer};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let right = ReferenceServer::start(Options::default()).await?;
    println!("a correct Socket.IO deployment: {}", right.url());

    let wrong = ReferenceServer::start(Options::default().with_fault(Fault::DoublePong)).await?;
    println!("one that answers each ping twice: {}", wrong.url());

    // Orderly, with every session closed; a drop stops it as well.
    right.stop().await;
    Ok(())
}
