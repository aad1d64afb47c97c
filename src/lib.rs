//! siospec: the conformance suite for Socket.IO deployments.

pub mod catalogue;
pub mod causes;
pub mod cli;
pub mod contract;
pub mod gate;
pub mod lag;
pub mod lang;
pub mod mock;
pub mod probe;
pub mod redact;
pub mod report;
pub mod reproduce;
pub mod runner;
pub mod secret;
pub mod shell;
pub mod verdict;
pub mod wire;
