//! Bytes in and out, over a stream that may block or not.

use crate::{Certificate, Error, HandshakeError, Result};
use rustls::Connection;
use std::io::{self, ErrorKind, Read, Write};

#[derive(Debug)]
pub struct TlsStream<S> {
    /// Boxed for its size: a handshake that must wait is returned as an error.
    connection: Box<Connection>,
    stream: S,
    /// Records went into `stream` that it has not been told to flush.
    unflushed: bool,
}

/// Drives the handshake as far as the stream lets it.
pub(crate) fn handshake<S: Read + Write>(
    mut stream: TlsStream<S>,
) -> std::result::Result<TlsStream<S>, HandshakeError<S>> {
    match stream.handshake() {
        Ok(()) => Ok(stream),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            Err(HandshakeError::WouldBlock(MidHandshakeTlsStream(stream)))
        }
        Err(error) => Err(HandshakeError::Failure(Error::new(error))),
    }
}

impl<S> TlsStream<S> {
    pub(crate) fn new(connection: Connection, stream: S) -> Self {
        Self { connection: Box::new(connection), stream, unflushed: false }
    }

    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    pub fn peer_certificate(&self) -> Result<Option<Certificate>> {
        let chain = self.connection.peer_certificates().unwrap_or_default();
        Ok(chain.first().map(|certificate| Certificate(certificate.clone().into_owned())))
    }
}

impl<S: Read + Write> TlsStream<S> {
    /// Says goodbye to the peer, without waiting for its answer.
    pub fn shutdown(&mut self) -> io::Result<()> {
        self.connection.send_close_notify();
        self.flush()
    }

    fn handshake(&mut self) -> io::Result<()> {
        loop {
            self.send()?;
            if !self.connection.is_handshaking() {
                return Ok(());
            }
            if self.receive()? == 0 {
                return Err(io::Error::new(ErrorKind::UnexpectedEof, "the peer hung up during the TLS handshake"));
            }
        }
    }

    /// Writes the waiting records, then flushes: a handshake stalls when its last flight stays in a buffer.
    fn send(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            if self.connection.write_tls(&mut self.stream)? == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
            self.unflushed = true;
        }
        if self.unflushed {
            self.stream.flush()?;
            self.unflushed = false;
        }
        Ok(())
    }

    fn receive(&mut self) -> io::Result<usize> {
        let received = self.connection.read_tls(&mut self.stream)?;
        if let Err(error) = self.connection.process_new_packets() {
            // The peer gets the alert that names the reason if the stream takes it at once; ours goes up either way.
            let _ = self.send();
            return Err(io::Error::new(ErrorKind::InvalidData, error));
        }
        Ok(received)
    }
}

impl<S: Read + Write> Read for TlsStream<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // Also the end: without a goodbye it is UnexpectedEof, as someone may have cut the stream short.
                result => return result,
            }
            // Answers that TLS itself owes, such as a key update, must not hold up what can be read.
            match self.send() {
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
            self.receive()?;
        }
    }
}

impl<S: Read + Write> Write for TlsStream<S> {
    /// Returns once the records are made; those that the stream does not take yet follow with the next write, read or
    /// flush. While any wait, no more are made.
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.send()?;
        let taken = self.connection.writer().write(buffer)?;
        match self.send() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()?;
        self.stream.flush()
    }
}

/// A handshake that waits for its stream.
#[derive(Debug)]
pub struct MidHandshakeTlsStream<S>(TlsStream<S>);

impl<S> MidHandshakeTlsStream<S> {
    pub fn get_ref(&self) -> &S {
        self.0.get_ref()
    }

    pub fn get_mut(&mut self) -> &mut S {
        self.0.get_mut()
    }
}

impl<S: Read + Write> MidHandshakeTlsStream<S> {
    pub fn handshake(self) -> std::result::Result<TlsStream<S>, HandshakeError<S>> {
        handshake(self.0)
    }
}
