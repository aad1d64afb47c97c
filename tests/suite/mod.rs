//! siospec's own tests, a module for each part of the crate.

mod harness;
mod native_tls;
