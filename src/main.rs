//! The `siospec` program: a thin shell around the library.

use std::process::ExitCode;

#[expect(unsafe_code, reason = "the environment is set before there is another thread")]
fn main() -> ExitCode {
    // SAFETY: the runtime, and with it every other thread, comes after this.
    unsafe { siospec::shell::without_proxies() };
    // A run, and still more a server, has hundreds of connections. Where it may not be raised, what fails says why.
    #[cfg(unix)]
    let _ = rlimit::increase_nofile_limit(MOST_FILES);
    run()
}

#[cfg(unix)]
/// As many files as a run or a server opens.
const MOST_FILES: u64 = 16_384;

#[tokio::main]
async fn run() -> ExitCode {
    siospec::cli::main().await
}
