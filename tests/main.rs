//! The one test binary: siospec's own tests, or with `--target-url` the catalogue against a server.

#[macro_use]
extern crate siospec_test_attribute;

mod harness;
mod suite;

use std::process::ExitCode;

#[expect(unsafe_code, reason = "the environment is set before there is another thread")]
fn main() -> ExitCode {
    // SAFETY: every other thread comes after this.
    unsafe { siospec::shell::without_proxies() };
    siospec::shell::open_many_files();
    harness::main()
}
