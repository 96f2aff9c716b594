//! A socket whose writes must make progress: a peer that stops reading is let go after a bounded time.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

pin_project! {
    /// Wraps a socket; a write that is pending for longer than the limit fails with `TimedOut`, and
    /// `on_stall` is told once: those who write do not all pass the error on.
    pub(super) struct Guarded<S> {
        #[pin]
        socket: S,
        limit: Duration,
        // Boxed, so that a connection that never stalls carries one word.
        stalled: Option<Pin<Box<Sleep>>>,
        on_stall: Option<OnStall>,
    }
}

/// Told that the peer is let go.
type OnStall = Box<dyn FnOnce() + Send>;

impl<S> Guarded<S> {
    pub(super) fn new(socket: S, limit: Duration, on_stall: impl FnOnce() + Send + 'static) -> Self {
        Self { socket, limit, stalled: None, on_stall: Some(Box::new(on_stall)) }
    }

    /// The socket, unguarded.
    pub(super) fn into_inner(self) -> S {
        self.socket
    }
}

/// Passes progress through and turns too long a wait into an error.
fn judge<T>(
    outcome: Poll<io::Result<T>>,
    stalled: &mut Option<Pin<Box<Sleep>>>,
    limit: Duration,
    on_stall: &mut Option<OnStall>,
    context: &mut Context<'_>,
) -> Poll<io::Result<T>> {
    if outcome.is_ready() {
        *stalled = None;
        return outcome;
    }
    let sleep = stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
    ready!(sleep.as_mut().poll(context));
    if let Some(tell) = on_stall.take() {
        tell();
    }
    Poll::Ready(Err(io::Error::new(
        io::ErrorKind::TimedOut,
        format!("the peer has read nothing for {limit:?}"),
    )))
}

impl<S: AsyncRead> AsyncRead for Guarded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.project().socket.poll_read(context, buffer)
    }
}

impl<S: AsyncWrite> AsyncWrite for Guarded<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.project();
        let outcome = this.socket.poll_write(context, bytes);
        judge(outcome, this.stalled, *this.limit, this.on_stall, context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        let outcome = this.socket.poll_write_vectored(context, slices);
        judge(outcome, this.stalled, *this.limit, this.on_stall, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().socket.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().socket.poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_slowly_stays_and_one_that_stops_goes() {
        let limit = Duration::from_secs(30);
        let (near, mut far) = tokio::io::duplex(10);
        let (tell, told) = std::sync::mpsc::channel();
        let mut guarded = Box::pin(Guarded::new(near, limit, move || tell.send(()).unwrap()));
        let reader = tokio::spawn(async move {
            let mut bytes = [0; 10];
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_secs(29)).await;
                far.read_exact(&mut bytes).await.unwrap();
            }
            tokio::time::sleep(Duration::from_secs(300)).await;
        });
        for _ in 0..4 {
            guarded.write_all(&[0; 10]).await.expect("within the limit");
        }
        assert!(told.try_recv().is_err(), "nobody has stalled yet");
        for _ in 0..2 {
            let error = guarded.write_all(&[0; 10]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
        assert_eq!(told.try_iter().count(), 1);
        reader.abort();
    }
}
