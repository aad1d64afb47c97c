//! siospec's own tests, a module for each part of the crate.

mod cli;
mod harness;
mod native_tls;
