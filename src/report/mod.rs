//! report

pub mod terminal;
