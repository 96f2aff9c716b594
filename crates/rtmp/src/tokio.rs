//! Drives a session over any tokio stream: a socket, TLS, a pipe in memory.
//!
//! [`Connection`] is the same for both sides: over a [`ClientSession`] it is a client, over a
//! [`ServerSession`] a server. The twins `tokio/client.rs` and `tokio/server.rs` hold how each begins.
//!
//! These are the only files of the crate that do I/O and read a clock. They do no TLS, make no randomness
//! and start no task.

mod client;
mod server;

use std::fmt::Debug;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use crate::command::Status;
use crate::session::{ClientEvent, ClientSession, ServerEvent, ServerSession, TimedOut};
use crate::{Error, Output};
pub use client::{DIAL_MAX, connect, connect_over};

/// Bytes asked of the stream in one read.
const READ_BYTES: usize = 64 << 10;

/// Bytes read ahead while we write.
const READ_AHEAD_BYTES_MAX: usize = 1 << 20;

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
        /// What was tried: `reach`, `read from`, `write to`, `close`.
        what: &'static str,
        /// The peer.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The peer was waited for in vain: for the TCP connection, or for as long as [`crate::session::Timeouts`] says.
    #[error("cannot {what} {address}: no progress for {} seconds", waited.as_secs())]
    TimedOut {
        /// What was tried.
        what: &'static str,
        /// The peer.
        address: String,
        /// How long.
        waited: Duration,
    },
    /// The URL asks for TLS, which the caller must bring.
    #[error("{0} needs TLS: open the TLS stream first and use Connection::new")]
    NeedsTls(String),
    /// The server turned us away or threw us out.
    #[error("the server refused: {} ({})", .0.description, .0.code)]
    Refused(Status),
    /// The server left, without a word.
    #[error("{0} closed the connection")]
    Closed(String),
}

/// A session as a [`Connection`] drives it: [`ClientSession`] or [`ServerSession`], and no other.
pub trait Session: Debug + sealed::Sealed {
    /// What it tells.
    type Event;
    #[doc(hidden)]
    fn read(&mut self, input: &mut BytesMut) -> Result<Option<Self::Event>, Error>;
    #[doc(hidden)]
    fn output(&mut self) -> &mut Output;
    #[doc(hidden)]
    fn is_closed(&self) -> bool;
    /// Whether it takes nothing more until its caller has answered.
    #[doc(hidden)]
    fn awaits_answer(&self) -> bool;
    #[doc(hidden)]
    fn heard(&mut self, now: Duration);
    #[doc(hidden)]
    fn sent(&mut self, now: Duration, written: u64, more_wait: bool);
    #[doc(hidden)]
    fn next_deadline(&self) -> Option<Duration>;
    #[doc(hidden)]
    fn check(&mut self, now: Duration) -> Result<(), TimedOut>;
}

mod sealed {
    /// Keeps [`super::Session`] to the two of this crate.
    pub trait Sealed {}
    impl Sealed for crate::session::ClientSession {}
    impl Sealed for crate::session::ServerSession {}
}

impl Session for ClientSession {
    type Event = ClientEvent;
    fn read(&mut self, input: &mut BytesMut) -> Result<Option<ClientEvent>, Error> {
        self.read(input)
    }
    fn output(&mut self) -> &mut Output {
        self.output()
    }
    fn is_closed(&self) -> bool {
        self.is_closed()
    }
    fn awaits_answer(&self) -> bool {
        false
    }
    fn heard(&mut self, now: Duration) {
        self.heard(now);
    }
    fn sent(&mut self, now: Duration, written: u64, more_wait: bool) {
        self.sent(now, written, more_wait);
    }
    fn next_deadline(&self) -> Option<Duration> {
        self.next_deadline()
    }
    fn check(&mut self, now: Duration) -> Result<(), TimedOut> {
        self.check(now)
    }
}

impl Session for ServerSession {
    type Event = ServerEvent;
    fn read(&mut self, input: &mut BytesMut) -> Result<Option<ServerEvent>, Error> {
        self.read(input)
    }
    fn output(&mut self) -> &mut Output {
        self.output()
    }
    fn is_closed(&self) -> bool {
        self.is_closed()
    }
    fn awaits_answer(&self) -> bool {
        self.awaits_answer()
    }
    fn heard(&mut self, now: Duration) {
        self.heard(now);
    }
    fn sent(&mut self, now: Duration, written: u64, more_wait: bool) {
        self.sent(now, written, more_wait);
    }
    fn next_deadline(&self) -> Option<Duration> {
        self.next_deadline()
    }
    fn check(&mut self, now: Duration) -> Result<(), TimedOut> {
        self.check(now)
    }
}

/// A session and the stream that it runs over.
#[derive(Debug)]
pub struct Connection<S, T = ClientSession> {
    stream: S,
    session: T,
    input: BytesMut,
    /// For errors.
    peer: String,
    /// Where the session's time begins.
    epoch: Instant,
    /// Bytes that the stream has taken.
    written: u64,
    /// The session has been asked for events since the last read and had none left.
    is_drained: bool,
    has_ended: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin, T: Session> Connection<S, T> {
    fn over(stream: S, session: T, peer: String) -> Self {
        let (input, epoch) = (BytesMut::new(), Instant::now());
        Self { stream, session, input, peer, epoch, written: 0, is_drained: false, has_ended: false }
    }

    /// The session, to ask, to answer and to send. What it puts out leaves with the next
    /// [`Connection::flush`] or [`Connection::next_event`].
    pub fn session(&mut self) -> &mut T {
        // Whoever holds it may give the answer that the session has been waiting for.
        self.is_drained = false;
        &mut self.session
    }

    /// The peer, as errors name it.
    #[must_use]
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// The next event; `None` when the peer has closed the connection, or the session is closed. Sends
    /// what is to be sent first.
    ///
    /// Safe to cancel between bytes: nothing that was read is lost, and nothing is sent twice.
    ///
    /// # Errors
    /// The conversation's or the stream's, [`ConnectionError::TimedOut`]; [`Error::Misuse`] when a server's request has not been answered.
    pub async fn next_event(&mut self) -> Result<Option<T::Event>, ConnectionError> {
        loop {
            if let Some(event) = self.poll_event()? {
                return Ok(Some(event));
            }
            if self.session.awaits_answer() {
                return Err(Error::Misuse("a request awaits its answer; nothing is read before it").into());
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
    pub fn poll_event(&mut self) -> Result<Option<T::Event>, ConnectionError> {
        if self.is_drained {
            return Ok(None);
        }
        let event = self.session.read(&mut self.input)?;
        self.is_drained = event.is_none();
        Ok(event)
    }

    /// Waits until the peer has sent something (true) or closed (false). Then
    /// [`Connection::poll_event`] until it has no more. For the `select!` of who mostly sends; no time
    /// limit: who waits for something else as well wakes by that.
    ///
    /// # Errors
    /// The stream's.
    pub async fn readable(&mut self) -> Result<bool, ConnectionError> {
        let read = self.read_some().await;
        self.took(read)
    }

    /// Writes everything out that the session wants sent. What the peer sends meanwhile is read and
    /// kept, up to a limit: two sides that only write wait for each other for ever.
    ///
    /// # Errors
    /// The stream's, [`ConnectionError::TimedOut`].
    pub async fn flush(&mut self) -> Result<(), ConnectionError> {
        while !self.session.output().is_empty() {
            // Each write that makes progress starts the time anew: a slow line is not a dead one.
            self.session.sent(self.epoch.elapsed(), self.written, true);
            let Some(step) = until(self.deadline(), self.write_or_read()).await else {
                self.check()?;
                continue;
            };
            match self.settle("write to", step)? {
                Progress::Wrote(count) => self.written += count as u64,
                Progress::Read(count) => {
                    self.took(Ok(count))?;
                }
            }
        }
        self.push_out("write to", false).await
    }

    /// Says goodbye: writes everything out and closes the sending half.
    ///
    /// # Errors
    /// The stream's, [`ConnectionError::TimedOut`].
    pub async fn shutdown(mut self) -> Result<(), ConnectionError> {
        self.flush().await?;
        self.push_out("close", true).await
    }

    /// What the stream itself holds back goes out; `close`: and its sending half is closed.
    async fn push_out(&mut self, what: &'static str, close: bool) -> Result<(), ConnectionError> {
        self.session.sent(self.epoch.elapsed(), self.written, true);
        loop {
            let deadline = self.deadline();
            let stream = &mut self.stream;
            let done = match close {
                true => until(deadline, stream.shutdown()).await,
                false => until(deadline, stream.flush()).await,
            };
            match done {
                Some(done) => {
                    self.session.sent(self.epoch.elapsed(), self.written, false);
                    return self.settle(what, done);
                }
                None => self.check()?,
            }
        }
    }

    async fn write_or_read(&mut self) -> io::Result<Progress> {
        let Self { stream, session, input, has_ended, .. } = self;
        poll_fn(|context| {
            if let Poll::Ready(written) = pin!(stream.write_buf(session.output())).poll(context) {
                return Poll::Ready(match written {
                    Ok(0) => Err(io::ErrorKind::WriteZero.into()),
                    written => written.map(Progress::Wrote),
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
        loop {
            match until(self.deadline(), self.read_some()).await {
                Some(read) => return self.took(read),
                None => self.check()?,
            }
        }
    }

    async fn read_some(&mut self) -> io::Result<usize> {
        self.input.reserve(READ_BYTES);
        self.stream.read_buf(&mut self.input).await
    }

    fn took(&mut self, read: io::Result<usize>) -> Result<bool, ConnectionError> {
        let count = self.settle("read from", read)?;
        self.session.heard(self.epoch.elapsed());
        self.is_drained &= count == 0;
        self.has_ended |= count == 0;
        Ok(count > 0)
    }

    fn deadline(&self) -> Option<Instant> {
        self.session.next_deadline().and_then(|deadline| self.epoch.checked_add(deadline))
    }

    fn check(&mut self) -> Result<(), ConnectionError> {
        let (what, waited) = match self.session.check(self.epoch.elapsed()) {
            Ok(()) => return Ok(()),
            Err(TimedOut::Setup(waited) | TimedOut::Read(waited)) => ("read from", waited),
            Err(TimedOut::Write(waited)) => ("write to", waited),
        };
        Err(ConnectionError::TimedOut { what, address: self.peer.clone(), waited })
    }

    fn settle<R>(&self, what: &'static str, outcome: io::Result<R>) -> Result<R, ConnectionError> {
        outcome.map_err(|source| ConnectionError::Io { what, address: self.peer.clone(), source })
    }
}

/// `None`: the deadline has come first.
async fn until<R>(deadline: Option<Instant>, work: impl Future<Output = R>) -> Option<R> {
    match deadline {
        Some(deadline) => timeout_at(deadline, work).await.ok(),
        None => Some(work.await),
    }
}

enum Progress {
    Wrote(usize),
    Read(usize),
}

#[cfg(test)]
mod tests;
