//! The `siospec` program: a thin shell around the library.

use std::process::ExitCode;

use siospec::shell;

#[expect(unsafe_code, reason = "the environment is set before there is another thread")]
fn main() -> ExitCode {
    // SAFETY: the runtime, and with it every other thread, comes after this.
    unsafe { shell::without_proxies() };
    shell::open_many_files();
    run()
}

#[tokio::main]
async fn run() -> ExitCode {
    siospec::cli::main().await
}
