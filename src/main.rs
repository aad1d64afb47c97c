//! The `siospec` program: a thin shell around the library.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    siospec::cli::main().await
}
