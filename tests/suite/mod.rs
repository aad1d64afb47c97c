//! siospec's own tests, a module for each part of the crate.

mod catalogue;
mod contract;
mod harness;
mod matrix;
mod native_tls;
mod redact;
mod tokens;
