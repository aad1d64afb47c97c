//! Shell commands of the user's own, and what they and this process get from the system: variables, files.

use std::{env, ffi::OsString, process::Stdio, sync::OnceLock};

use tokio::process::Command;

/// Which hosts are reached without a proxy. HTTP libraries obey both.
const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// Every name, and every address.
const EVERYWHERE: &str = "*,0.0.0.0/0,::/0";

/// As many files as a run or a server opens.
#[cfg(unix)]
const MOST_FILES: u64 = 16_384;

/// What they were when the program was started.
static GIVEN: OnceLock<[Option<OsString>; 2]> = OnceLock::new();

/// Has this process reach every host without a proxy, whatever the environment says: a proxy is no part of the deployment that
/// is looked at, and must not read its tokens. Our own clients are told so; the stock `rust_socketio` client can only be told
/// by the environment. Commands of the user's get the environment as it was.
///
/// # Safety
/// No other thread may run yet, as for [`env::set_var`].
#[expect(unsafe_code, reason = "that client obeys nothing else")]
pub unsafe fn without_proxies() {
    GIVEN.get_or_init(|| NO_PROXY.map(env::var_os));
    for name in NO_PROXY {
        // SAFETY: the caller's promise.
        unsafe { env::set_var(name, EVERYWHERE) };
    }
}

/// Lets this process open as many files as a run or a server needs: either has hundreds of connections. Where that is not
/// allowed, what fails for want of them says so.
pub fn open_many_files() {
    #[cfg(unix)]
    let _ = rlimit::increase_nofile_limit(MOST_FILES);
}

/// A shell that runs this command, without input. What it says on standard error goes to the user's own.
pub fn command(text: &str) -> Command {
    let (shell, option) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let mut command = Command::new(shell);
    command.args([option, text]).stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
    for (name, given) in NO_PROXY.iter().zip(GIVEN.get().into_iter().flatten()) {
        match given {
            Some(given) => command.env(name, given),
            None => command.env_remove(name),
        };
    }
    command
}
