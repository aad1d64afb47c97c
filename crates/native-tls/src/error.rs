//! Why a setting, a handshake or a read failed.

use crate::stream::MidHandshakeTlsStream;
use std::{error, fmt};

pub type Result<T> = std::result::Result<T, Error>;

pub struct Error(Box<dyn error::Error + Send + Sync>);

impl Error {
    pub(crate) fn new(cause: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

impl From<rustls::Error> for Error {
    fn from(cause: rustls::Error) -> Self {
        Self::new(cause)
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.0.source()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Debug)]
pub enum HandshakeError<S> {
    Failure(Error),
    /// The stream is not blocking and has nothing to give yet: call `handshake` again later.
    WouldBlock(MidHandshakeTlsStream<S>),
}

impl<S> From<Error> for HandshakeError<S> {
    fn from(cause: Error) -> Self {
        Self::Failure(cause)
    }
}

impl<S: fmt::Debug> error::Error for HandshakeError<S> {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Failure(cause) => Some(cause),
            Self::WouldBlock(_) => None,
        }
    }
}

impl<S> fmt::Display for HandshakeError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failure(cause) => cause.fmt(f),
            Self::WouldBlock(_) => f.write_str("the TLS handshake waits for the stream"),
        }
    }
}
