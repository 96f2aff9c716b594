//! A socket whose writes must make progress: a peer that stops reading is let go after a bounded time.
//!
//! How long that is depends on what it is being sent. Who watches live and reads nothing has gone; who watches a film
//! may have paused it, and reads on when they are back.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::config::Config;

/// How long a peer may read nothing: of a connection, or of one answer among those that share it. Whoever answers a request says what is sent.
#[derive(Debug)]
pub(super) struct StallLimit {
    usual: Duration,
    film: Duration,
    sends_film: AtomicBool,
}

impl StallLimit {
    pub(super) fn new(usual: Duration, film: Duration) -> Self {
        Self { usual, film, sends_film: AtomicBool::new(false) }
    }

    /// As the door has it.
    pub(super) fn of(config: &Config) -> Self {
        let [usual, film] =
            [config.write_timeout_ms, config.film_write_timeout_ms].map(Duration::from_millis);
        Self::new(usual, film)
    }

    /// From now on a film is sent, or something else.
    pub(super) fn sends_film(&self, is_film: bool) {
        self.sends_film.store(is_film, Ordering::Relaxed);
    }

    /// How long it may read nothing, and the key that says so.
    pub(super) fn limit(&self) -> (Duration, &'static str) {
        if self.is_for_film() {
            (self.film, "film_write_timeout_ms")
        } else {
            (self.usual, "write_timeout_ms")
        }
    }

    /// Whether a film is sent.
    pub(super) fn is_for_film(&self) -> bool {
        self.sends_film.load(Ordering::Relaxed)
    }
}

/// A socket that can be told whether its peer may pause.
pub(super) trait Pausable {
    /// Whether the kernel waits for a peer that takes nothing: it ends a connection whose peer has closed its window
    /// for the time-out that finds vanished peers.
    fn set_pausable(&self, may_pause: bool);
}

pin_project! {
    /// Wraps a socket; a write that is pending for longer than the limit fails with `TimedOut`, and
    /// `on_stall` is told once: those who write do not all pass the error on.
    pub(super) struct Guarded<S> {
        #[pin]
        socket: S,
        stall_limit: Arc<StallLimit>,
        // What the socket was told last.
        is_pausable: bool,
        // Boxed, so that a connection that never stalls carries one word.
        stalled: Option<Pin<Box<Sleep>>>,
        on_stall: Option<OnStall>,
    }
}

/// Told that the peer is let go.
type OnStall = Box<dyn FnOnce() + Send>;

impl<S> Guarded<S> {
    pub(super) fn new(
        socket: S,
        stall_limit: Arc<StallLimit>,
        on_stall: impl FnOnce() + Send + 'static,
    ) -> Self {
        Self { socket, stall_limit, is_pausable: false, stalled: None, on_stall: Some(Box::new(on_stall)) }
    }

    /// The socket, unguarded.
    pub(super) fn into_inner(self) -> S {
        self.socket
    }
}

/// Tells the socket when what it sends has become a film, or is one no more.
fn tell<S: Pausable>(socket: &S, stall_limit: &StallLimit, is_pausable: &mut bool) {
    let is_film = stall_limit.is_for_film();
    if *is_pausable != is_film {
        *is_pausable = is_film;
        socket.set_pausable(is_film);
    }
}

/// Passes progress through and turns too long a wait into an error.
fn judge<T>(
    outcome: Poll<io::Result<T>>,
    stalled: &mut Option<Pin<Box<Sleep>>>,
    stall_limit: &StallLimit,
    on_stall: &mut Option<OnStall>,
    context: &mut Context<'_>,
) -> Poll<io::Result<T>> {
    if outcome.is_ready() {
        *stalled = None;
        return outcome;
    }
    let (limit, _) = stall_limit.limit();
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

impl<S: AsyncWrite + Pausable> AsyncWrite for Guarded<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.project();
        tell(&*this.socket, this.stall_limit, this.is_pausable);
        let outcome = this.socket.poll_write(context, bytes);
        judge(outcome, this.stalled, this.stall_limit, this.on_stall, context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        tell(&*this.socket, this.stall_limit, this.is_pausable);
        let outcome = this.socket.poll_write_vectored(context, slices);
        judge(outcome, this.stalled, this.stall_limit, this.on_stall, context)
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

    impl Pausable for tokio::io::DuplexStream {
        fn set_pausable(&self, _: bool) {}
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_slowly_stays_and_one_that_stops_goes() {
        let limit = Duration::from_secs(30);
        let (near, mut far) = tokio::io::duplex(10);
        let (tell, told) = std::sync::mpsc::channel();
        let stall_limit = Arc::new(StallLimit::new(limit, limit * 120));
        let mut guarded = Box::pin(Guarded::new(near, stall_limit, move || tell.send(()).unwrap()));
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

    #[tokio::test(start_paused = true)]
    async fn who_has_paused_a_film_is_waited_for_and_who_then_watches_live_is_not() {
        let (usual, film) = (Duration::from_secs(30), Duration::from_secs(3600));
        let (near, mut far) = tokio::io::duplex(10);
        let stall_limit = Arc::new(StallLimit::new(usual, film));
        let mut guarded = Box::pin(Guarded::new(near, Arc::clone(&stall_limit), || ()));
        stall_limit.sends_film(true);
        assert_eq!(stall_limit.limit(), (film, "film_write_timeout_ms"));
        guarded.write_all(&[0; 10]).await.unwrap();
        let reader = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(3500)).await;
            far.read_exact(&mut [0; 10]).await.unwrap();
            far
        });
        guarded.write_all(&[0; 10]).await.expect("nearly an hour is a pause");
        let _far = reader.await.unwrap();
        let paused = tokio::time::Instant::now();
        stall_limit.sends_film(false);
        assert_eq!(guarded.write_all(&[0; 10]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(paused.elapsed() < usual * 2, "{:?}", paused.elapsed());
    }
}
