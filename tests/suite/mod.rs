//! siospec's own tests, a module for each part of the crate.

mod alarms;
mod blind;
mod catalogue;
mod causes;
mod cli;
mod client;
mod container;
mod contract;
mod deployment;
mod docs;
mod gate;
mod harness;
mod implementations;
mod lang;
mod matrix;
mod native_tls;
mod npm;
mod nuxt;
mod protocol;
mod recon;
mod redact;
mod report;
mod runner;
mod target;
mod tokens;
mod workflows;
