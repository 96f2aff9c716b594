//! A stream whose bytes go to a [`Tracer`] as they pass.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use headwater_rtmp::capture::Side;
use parking_lot::Mutex;
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::tracer::Tracer;

pin_project! {
    /// The client's end of a connection, tapped.
    pub(super) struct Tap<S> {
        #[pin]
        stream: S,
        tracer: Arc<Mutex<Option<Tracer>>>,
    }
}

impl<S> Tap<S> {
    pub(super) fn new(stream: S, tracer: Arc<Mutex<Option<Tracer>>>) -> Self {
        Self { stream, tracer }
    }
}

impl<S: AsyncRead> AsyncRead for Tap<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let tap = self.project();
        let before = buffer.filled().len();
        ready!(tap.stream.poll_read(context, buffer))?;
        if let Some(tracer) = &mut *tap.tracer.lock() {
            // No bytes: the server has closed its half.
            tracer.on_bytes(Side::Server, buffer.filled().get(before..).unwrap_or_default());
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite> AsyncWrite for Tap<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let tap = self.project();
        let count = ready!(tap.stream.poll_write(context, bytes))?;
        if let (Some(tracer), true) = (&mut *tap.tracer.lock(), count > 0) {
            tracer.on_bytes(Side::Client, bytes.get(..count).unwrap_or_default());
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tap = self.project();
        ready!(tap.stream.poll_shutdown(context))?;
        if let Some(tracer) = &mut *tap.tracer.lock() {
            tracer.on_end(Side::Client);
        }
        Poll::Ready(Ok(()))
    }
}
