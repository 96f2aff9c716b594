//! An accepted stream as hyper reads and writes it: what was read already comes first, and in the place of
//! placeholders go the ranges of files that they stand for. [`Handover`] is told how it goes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::handover::Handover;
use super::sendfile::{Ranges, is_placeholder};
use super::stall::Pausable;
use crate::net::listener::Stream;

/// A stream, what of it is in hand already, and where the kernel finds files for it.
pub(super) struct Io {
    read: Bytes,
    stream: Stream,
    ranges: Option<Arc<Ranges>>,
    handover: Arc<Handover>,
}

impl Io {
    pub(super) fn new(
        stream: Stream,
        read: Bytes,
        ranges: Option<Arc<Ranges>>,
        handover: Arc<Handover>,
    ) -> Self {
        Self { read, stream, ranges, handover }
    }

    /// The stream, and what of it is in hand.
    pub(super) fn into_parts(self) -> (Stream, Bytes) {
        (self.stream, self.read)
    }
}

impl Pausable for Io {
    fn set_pausable(&self, may_pause: bool) {
        self.stream.set_unacknowledged_bounded(!may_pause);
    }
}

/// Passes a call on to whatever the stream is.
macro_rules! each {
    ($stream:expr, $socket:ident => $call:expr) => {
        match $stream {
            Stream::Tcp($socket) => {
                let $socket = Pin::new($socket);
                $call
            }
            Stream::Tls($socket) => {
                let $socket = Pin::new(&mut **$socket);
                $call
            }
            Stream::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    };
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.has_remaining() {
            let count = self.read.len().min(buffer.remaining());
            buffer.put_slice(&self.read.split_to(count));
            return Poll::Ready(Ok(()));
        }
        each!(&mut self.stream, socket => socket.poll_read(context, buffer))
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if is_placeholder(bytes) {
            return self.poll_write_vectored(context, &[IoSlice::new(bytes)]);
        }
        let written = each!(&mut self.stream, socket => socket.poll_write(context, bytes));
        self.handover.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if slices.iter().any(|slice| is_placeholder(slice)) {
            return match (&self.stream, &self.ranges) {
                (Stream::Tcp(socket), Some(ranges)) => {
                    self.handover.note(ranges.poll_write(context, socket, slices))
                }
                _ => Poll::Ready(Err(io::Error::other("this connection takes no ranges of files"))),
            };
        }
        let written = each!(&mut self.stream, socket => socket.poll_write_vectored(context, slices));
        self.handover.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = each!(&mut self.stream, socket => socket.poll_flush(context));
        self.handover.note(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(&mut self.stream, socket => socket.poll_shutdown(context))
    }
}
