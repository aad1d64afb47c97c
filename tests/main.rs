//! The one test binary: siospec's own tests, or with `--target-url` the catalogue against a server.

#[macro_use]
extern crate siospec_test_attribute;

mod harness;
mod suite;

use std::process::ExitCode;

fn main() -> ExitCode {
    harness::main()
}
