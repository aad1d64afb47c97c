//! probe
pub mod tokens;
