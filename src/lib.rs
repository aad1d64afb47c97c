//! siospec: the conformance suite for Socket.IO deployments.
//!
//! As a library it has two entry points: [`mock::ReferenceServer`], a correct Socket.IO deployment for tests, which can be told
//! to be wrong (feature `mock`); and [`runner::Runner`], which checks a deployment and gives a [`verdict::RunReport`] (feature
//! `run`). The folder `examples` has a program for each. What is hidden here may change at any time.

// First: its macros are known to what comes after it.
#[cfg(feature = "run")]
#[macro_use]
pub mod message;

#[cfg(feature = "run")]
pub mod catalogue;
#[cfg(feature = "run")]
#[doc(hidden)]
pub mod causes;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "run")]
pub mod contract;
#[doc(hidden)]
pub mod fault;
#[cfg(feature = "run")]
#[doc(hidden)]
pub mod gate;
#[cfg(feature = "run")]
#[doc(hidden)]
pub mod lag;
#[cfg(feature = "run")]
pub mod lang;
#[cfg(feature = "mock")]
pub mod mock;
#[cfg(feature = "run")]
#[doc(hidden)]
pub mod probe;
#[cfg(feature = "run")]
#[doc(hidden)]
pub mod redact;
#[cfg(feature = "run")]
pub mod report;
#[cfg(feature = "run")]
pub mod runner;
#[cfg(feature = "run")]
#[doc(hidden)]
pub mod secret;
#[cfg(feature = "run")]
#[doc(hidden)]
pub mod shell;
#[cfg(feature = "run")]
pub mod verdict;
#[cfg(feature = "run")]
#[doc(hidden)]
pub mod wire;
