//! A pipe in memory: what is written at one end, as to a socket, is a response's body at the other. For streams that
//! share a connection with others (HTTP/2): none of them can have the socket.
//!
//! What waits in it is bounded. A peer that takes no more leaves it full, and what comes next waits in the log.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use parking_lot::Mutex;
use tokio::io::{Interest, Ready};
use tokio::sync::Notify;

/// Bytes that wait in it, at most: some frames of video, and thousands of viewers may have one each.
const WAITING_BYTES_MAX: usize = 64 << 10;

/// A pipe's two ends.
pub(crate) fn pipe() -> (PipeWriter, PipeBody) {
    let pipe = Arc::<Pipe>::default();
    (PipeWriter(Arc::clone(&pipe)), PipeBody(pipe))
}

/// The end that is written to. Dropping it before [`shut_down`](Self::shut_down) breaks the body off.
#[derive(Debug)]
pub(crate) struct PipeWriter(Arc<Pipe>);

/// The end that is read: a body. Dropping it is a peer that hangs up.
#[derive(Debug)]
pub(crate) struct PipeBody(Arc<Pipe>);

#[derive(Debug, Default)]
struct Pipe {
    state: Mutex<State>,
    /// Rung for the writer: bytes were taken, or the reader has gone.
    taken: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: BytesMut,
    /// Everything has been written.
    is_complete: bool,
    has_writer_gone: bool,
    has_reader_gone: bool,
    reader: Option<Waker>,
}

impl PipeWriter {
    /// As a socket's: readable is the reader's farewell.
    pub(crate) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        loop {
            let rung = self.0.taken.notified();
            let mut ready = Ready::EMPTY;
            {
                let state = self.0.state.lock();
                if interest.is_readable() && state.has_reader_gone {
                    ready |= Ready::READABLE;
                }
                if interest.is_writable()
                    && (state.has_reader_gone || state.waiting.len() < WAITING_BYTES_MAX)
                {
                    ready |= Ready::WRITABLE;
                }
            }
            if !ready.is_empty() {
                return Ok(ready);
            }
            rung.await;
        }
    }

    /// As a socket's: nothing is ever said, but that the reader has gone.
    pub(crate) fn try_read(&self) -> io::Result<usize> {
        if self.0.state.lock().has_reader_gone { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }

    /// As a socket's.
    pub(crate) fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.0.state.lock();
        if state.has_reader_gone {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut room = WAITING_BYTES_MAX - state.waiting.len();
        let mut taken = 0;
        for slice in slices {
            let count = slice.len().min(room);
            state.waiting.extend_from_slice(&slice[..count]);
            (taken, room) = (taken + count, room - count);
        }
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        if taken == 0 && slices.iter().any(|slice| !slice.is_empty()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(taken)
    }

    /// Nothing more is written.
    pub(crate) fn shut_down(&self) {
        self.end(|state| state.is_complete = true);
    }

    fn end(&self, end: impl FnOnce(&mut State)) {
        let mut state = self.0.state.lock();
        end(&mut state);
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        self.end(|state| state.has_writer_gone = true);
    }
}

impl Body for PipeBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let mut state = self.0.state.lock();
        if !state.waiting.is_empty() {
            let bytes = state.waiting.split().freeze();
            drop(state);
            self.0.taken.notify_one();
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if state.is_complete {
            return Poll::Ready(None);
        }
        if state.has_writer_gone {
            return Poll::Ready(Some(Err(io::ErrorKind::BrokenPipe.into())));
        }
        state.reader = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for PipeBody {
    fn drop(&mut self) {
        self.0.state.lock().has_reader_gone = true;
        self.0.taken.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn next(body: &mut PipeBody) -> Option<io::Result<Bytes>> {
        let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await;
        frame.map(|frame| frame.map(|frame| frame.into_data().unwrap()))
    }

    #[tokio::test]
    async fn what_is_written_is_read_and_no_more_waits_than_may() {
        let (writer, mut body) = pipe();
        let bytes: Vec<u8> = (0..WAITING_BYTES_MAX + 10).map(|at| at as u8).collect();
        let (one, two) = bytes.split_at(100);
        let slices = [IoSlice::new(one), IoSlice::new(two)];
        assert_eq!(writer.try_write(&slices).unwrap(), WAITING_BYTES_MAX);
        let full = writer.try_write(&[IoSlice::new(&bytes)]).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        let waits = tokio::spawn(async move {
            assert!(writer.ready(Interest::READABLE | Interest::WRITABLE).await.unwrap().is_writable());
            writer
        });
        assert_eq!(next(&mut body).await.unwrap().unwrap(), bytes[..WAITING_BYTES_MAX]);
        let writer = waits.await.unwrap();
        let reads = tokio::spawn(async move {
            assert_eq!(next(&mut body).await.unwrap().unwrap(), b"end"[..]);
            assert!(next(&mut body).await.is_none(), "it is complete");
        });
        assert_eq!(writer.try_write(&[IoSlice::new(b"end")]).unwrap(), 3);
        writer.shut_down();
        reads.await.unwrap();
        assert!(writer.ready(Interest::READABLE).await.unwrap().is_readable());
        assert_eq!(writer.try_read().unwrap(), 0, "the reader has gone");
        assert_eq!(writer.try_write(&[IoSlice::new(b"x")]).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn a_body_that_is_broken_off_says_so() {
        let (writer, mut body) = pipe();
        writer.try_write(&[IoSlice::new(b"half")]).unwrap();
        drop(writer);
        assert_eq!(next(&mut body).await.unwrap().unwrap(), b"half"[..]);
        assert!(next(&mut body).await.unwrap().is_err());
    }
}
