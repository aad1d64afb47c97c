//! The reference server and its faults.

mod fault;

pub use fault::Fault;
