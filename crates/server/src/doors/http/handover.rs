//! How a connection leaves hyper: an answer that is a stream is written by the lanes, straight to the socket.
//!
//! A handler answers with a head and a [`Streaming`] beside it. Once hyper has sent everything that came before on the
//! connection, its work is taken apart: the socket, and what was read of it, go to [`super::streaming`]. An HTTP/2
//! connection goes on: there [`super::http2`] makes a body of the stream.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::http::response::Parts;
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use pin_project_lite::pin_project;

use super::streaming::Streaming;

/// A stream as part of a response, on its way to the connection.
#[derive(Clone)]
struct Attached(Arc<Mutex<Option<Streaming>>>);

/// A response whose body is a stream: `head` is sent before it.
pub(super) fn stream(head: impl IntoResponse, streaming: Streaming) -> Response {
    let mut response = head.into_response();
    response.extensions_mut().insert(Attached(Arc::new(Mutex::new(Some(streaming)))));
    response
}

/// Takes the stream out of a response that has one.
pub(super) fn detach(response: &mut Response) -> Option<Streaming> {
    let attached = response.extensions_mut().remove::<Attached>()?;
    attached.0.lock().take()
}

/// Where a connection finds the stream that it is to go over to.
#[derive(Default)]
pub(super) struct Handover {
    streaming: Mutex<Option<(Parts, Streaming)>>,
    /// The socket has not taken everything that came before.
    is_blocked: AtomicBool,
}

impl Handover {
    /// The head and the stream, once it is their turn.
    pub(super) fn take(&self) -> Option<(Parts, Streaming)> {
        self.streaming.lock().take_if(|_| !self.is_blocked.load(Ordering::Acquire))
    }

    /// Takes note of how a write or a flush went.
    pub(super) fn note<T>(&self, written: Poll<T>) -> Poll<T> {
        self.is_blocked.store(written.is_pending(), Ordering::Release);
        written
    }
}

pin_project! {
    /// A handler's answer; one that is a stream goes to the connection and never to hyper.
    pub(super) struct Answering<F> {
        #[pin]
        answering: F,
        handover: Arc<Handover>,
        is_handed_over: bool,
    }
}

impl<F> Answering<F> {
    pub(super) fn new(answering: F, handover: Arc<Handover>) -> Self {
        Self { answering, handover, is_handed_over: false }
    }
}

impl<F, E> Future for Answering<F>
where
    F: Future<Output = Result<Response, E>>,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if *this.is_handed_over {
            return Poll::Pending;
        }
        let mut response = ready!(this.answering.poll(context))?;
        match detach(&mut response) {
            None => Poll::Ready(Ok(response)),
            Some(streaming) => {
                *this.handover.streaming.lock() = Some((response.into_parts().0, streaming));
                *this.is_handed_over = true;
                Poll::Pending
            }
        }
    }
}
