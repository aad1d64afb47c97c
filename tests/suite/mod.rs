//! siospec's own tests, a module for each part of the crate.

mod alarms;
mod catalogue;
mod cli;
mod container;
mod contract;
mod docs;
mod gate;
mod harness;
mod matrix;
mod native_tls;
mod node;
mod nuxt;
mod recon;
mod redact;
mod runner;
mod target;
mod tokens;
