//! siospec's own tests, a module for each part of the crate.

mod catalogue;
mod cli;
mod container;
mod contract;
mod docs;
mod harness;
mod matrix;
mod native_tls;
mod node;
mod nuxt;
mod recon;
mod redact;
mod report;
mod runner;
mod target;
mod tokens;
