//! Drives a [`ClientSession`] over any tokio stream: a socket, TLS, a pipe in memory.
//!
//! The one file of the crate that does I/O and reads a clock. It does no TLS, resolves no name by itself
//! and never dials again.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::Error;
use crate::session::{ClientEvent, ClientSession};
use crate::url::Scheme;

/// Bytes asked of the stream in one read.
const READ_BYTES: usize = 64 << 10;

/// Bytes read ahead while we write.
const READ_AHEAD_BYTES_MAX: usize = 1 << 20;

/// How long a connection waits for its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the TCP connection.
    pub dial: Duration,
    /// For the next byte, while we wait for one. A player of a live stream that pauses may want more.
    pub read: Duration,
    /// For the server to take what we send.
    pub write: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { dial: Duration::from_secs(10), read: Duration::from_secs(30), write: Duration::from_secs(10) }
    }
}

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The conversation failed.
    #[error(transparent)]
    Rtmp(#[from] Error),
    /// The stream failed.
    #[error("cannot {what} {address}")]
    Io {
        /// What was tried: `reach`, `read from`, `write to`.
        what: &'static str,
        /// The server.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The server was silent for too long.
    #[error("cannot {what} {address}: no progress for {} seconds", waited.as_secs())]
    TimedOut {
        /// What was tried.
        what: &'static str,
        /// The server.
        address: String,
        /// How long.
        waited: Duration,
    },
    /// The URL asks for TLS, which the caller must bring.
    #[error("{0} needs TLS: open the TLS stream first and use Connection::new")]
    NeedsTls(String),
}

/// A client session and the stream that it runs over.
#[derive(Debug)]
pub struct Connection<S> {
    stream: S,
    session: ClientSession,
    input: BytesMut,
    timeouts: Timeouts,
    /// The session has been asked for events since the last read and had none left.
    is_drained: bool,
    has_ended: bool,
}

impl Connection<TcpStream> {
    /// Opens a TCP connection to where the session wants to go.
    ///
    /// # Errors
    /// [`ConnectionError::NeedsTls`] for `rtmps`, else what the network says.
    pub async fn dial(session: ClientSession, timeouts: Timeouts) -> Result<Self, ConnectionError> {
        let url = session.url();
        if url.scheme == Scheme::Rtmps {
            return Err(ConnectionError::NeedsTls(url.to_string()));
        }
        let dial = TcpStream::connect((url.host.as_str(), url.port));
        let connected = timeout(timeouts.dial, dial).await;
        let stream = settle(connected, "reach", &session, timeouts.dial)?;
        // Media comes in whole messages already; waiting for more only adds delay.
        let _ = stream.set_nodelay(true);
        Ok(Self::new(stream, session, timeouts))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Over a stream that is already open.
    #[must_use]
    pub fn new(stream: S, session: ClientSession, timeouts: Timeouts) -> Self {
        let input = BytesMut::new();
        Self { stream, session, input, timeouts, is_drained: false, has_ended: false }
    }

    /// The session, to ask and to send. What it puts out leaves with the next [`Connection::flush`] or
    /// [`Connection::next_event`].
    pub fn session(&mut self) -> &mut ClientSession {
        &mut self.session
    }

    /// The next event; `None` when the server has closed the connection. Sends what is to be sent first.
    ///
    /// Safe to cancel between bytes: nothing that was read is lost, and nothing is sent twice.
    ///
    /// # Errors
    /// The conversation's or the stream's.
    pub async fn next_event(&mut self) -> Result<Option<ClientEvent>, ConnectionError> {
        loop {
            if let Some(event) = self.poll_event()? {
                return Ok(Some(event));
            }
            self.flush().await?;
            if !self.is_drained {
                continue;
            }
            if self.has_ended || self.session.is_closed() || !self.fill().await? {
                return Ok(None);
            }
        }
    }

    /// An event that is here already, without waiting. A publisher looks here between its messages.
    ///
    /// # Errors
    /// The conversation's.
    pub fn poll_event(&mut self) -> Result<Option<ClientEvent>, ConnectionError> {
        if self.is_drained {
            return Ok(None);
        }
        let event = self.session.read(&mut self.input)?;
        self.is_drained = event.is_none();
        Ok(event)
    }

    /// Waits until the server has sent something (true) or closed (false). Then
    /// [`Connection::poll_event`] until it has no more. For a publisher's `select!`; no time limit: a
    /// server may rightly be silent towards a publisher.
    ///
    /// # Errors
    /// The stream's.
    pub async fn readable(&mut self) -> Result<bool, ConnectionError> {
        let read = self.read_some().await;
        self.took(read)
    }

    /// Writes everything out that the session wants sent. What the server sends meanwhile is read and
    /// kept, up to a limit: two sides that only write wait for each other for ever.
    ///
    /// # Errors
    /// The stream's.
    pub async fn flush(&mut self) -> Result<(), ConnectionError> {
        let waited = self.timeouts.write;
        while !self.session.output().is_empty() {
            // Each step that makes progress starts the time anew: a slow line is not a dead one.
            let step = timeout(waited, self.write_or_read()).await;
            match settle(step, "write to", &self.session, waited)? {
                Progress::Wrote => {}
                Progress::Read(count) => {
                    self.took(Ok(count))?;
                }
            }
        }
        let flushed = timeout(waited, self.stream.flush()).await;
        settle(flushed, "write to", &self.session, waited)
    }

    /// Says goodbye: writes everything out and closes the sending half.
    ///
    /// # Errors
    /// The stream's.
    pub async fn shutdown(mut self) -> Result<(), ConnectionError> {
        self.flush().await?;
        let closed = timeout(self.timeouts.write, self.stream.shutdown()).await;
        settle(closed, "close", &self.session, self.timeouts.write)
    }

    async fn write_or_read(&mut self) -> io::Result<Progress> {
        let Self { stream, session, input, has_ended, .. } = self;
        poll_fn(|context| {
            if let Poll::Ready(written) = pin!(stream.write_buf(session.output())).poll(context) {
                return Poll::Ready(match written {
                    Ok(0) => Err(io::ErrorKind::WriteZero.into()),
                    written => written.map(|_| Progress::Wrote),
                });
            }
            if !*has_ended && input.len() < READ_AHEAD_BYTES_MAX {
                input.reserve(READ_BYTES);
                return pin!(stream.read_buf(input)).poll(context).map_ok(Progress::Read);
            }
            Poll::Pending
        })
        .await
    }

    async fn fill(&mut self) -> Result<bool, ConnectionError> {
        let waited = self.timeouts.read;
        let read = timeout(waited, self.read_some()).await;
        let read = settle(read, "read from", &self.session, waited);
        match read {
            Ok(count) => self.took(Ok(count)),
            Err(error) => Err(error),
        }
    }

    async fn read_some(&mut self) -> io::Result<usize> {
        self.input.reserve(READ_BYTES);
        self.stream.read_buf(&mut self.input).await
    }

    fn took(&mut self, read: io::Result<usize>) -> Result<bool, ConnectionError> {
        let count = settle(Ok(read), "read from", &self.session, self.timeouts.read)?;
        self.is_drained &= count == 0;
        self.has_ended |= count == 0;
        Ok(count > 0)
    }
}

enum Progress {
    Wrote,
    Read(usize),
}

type Timed<T> = Result<io::Result<T>, tokio::time::error::Elapsed>;

fn settle<T>(
    outcome: Timed<T>,
    what: &'static str,
    session: &ClientSession,
    waited: Duration,
) -> Result<T, ConnectionError> {
    let url = session.url();
    let address = || format!("{}:{}", url.host, url.port);
    match outcome {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(source)) => Err(ConnectionError::Io { what, address: address(), source }),
        Err(_) => Err(ConnectionError::TimedOut { what, address: address(), waited }),
    }
}

#[cfg(test)]
mod tests;
