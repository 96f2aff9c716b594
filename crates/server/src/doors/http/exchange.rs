//! The exchanges of an HTTP/2 connection: its requests, each with its answer, side by side.
//!
//! They share a socket, so what a peer does not take of one answer does not show there: it opens no window for it, and
//! takes the others. Each answer is watched by itself, and given up by itself.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::rt::Executor;
use parking_lot::Mutex;
use tokio::task::{JoinHandle, JoinSet};

use super::asked::Asked;
use super::stall::StallLimit;

/// What is given of an answer at once, in bytes: no more of it waits for the peer's window here.
const PIECE_BYTES_MAX: usize = 32 << 10;

/// A request and its answer.
pub(super) struct Exchange {
    pub(super) asked: Asked,
    pub(super) stall_limit: Arc<StallLimit>,
    given: Mutex<Given>,
}

/// What the peer was given last.
#[derive(Clone, Copy, Debug)]
enum Given {
    /// It has taken everything, or the answer is still to come.
    Nothing,
    /// A piece, which waits to be taken since then.
    Piece(Instant),
    /// A live stream, which knows by itself whether it is taken.
    Stream,
}

impl Exchange {
    pub(super) fn new(stall_limit: StallLimit) -> Self {
        let given = Mutex::new(Given::Nothing);
        Self { asked: Asked::default(), stall_limit: Arc::new(stall_limit), given }
    }

    /// The answer is a live stream.
    pub(super) fn streams(&self) {
        *self.given.lock() = Given::Stream;
    }

    fn give(&self, given: Given) {
        let mut before = self.given.lock();
        if !matches!(*before, Given::Stream) {
            *before = given;
        }
    }

    /// Whether the peer takes no more of the answer.
    fn is_stalled(&self) -> bool {
        let (limit, _) = self.stall_limit.limit();
        matches!(*self.given.lock(), Given::Piece(since) if since.elapsed() >= limit)
    }
}

/// All exchanges of a connection. hyper has their tasks spawned here.
#[derive(Clone, Default)]
pub(super) struct Exchanges(Arc<Mutex<Open>>);

#[derive(Default)]
struct Open {
    /// Tasks at once, at most.
    max: usize,
    /// The one whose task comes next.
    next: Option<Arc<Exchange>>,
    tasks: Vec<(Arc<Exchange>, JoinHandle<()>)>,
    /// Live streams that are answers.
    streams: JoinSet<()>,
}

/// How a connection's exchanges stand.
pub(super) struct Standing {
    /// Those that were given up just now.
    pub(super) given_up: Vec<Arc<Exchange>>,
    /// None is under way.
    pub(super) is_idle: bool,
    /// Some film is sent.
    pub(super) sends_film: bool,
}

impl Exchanges {
    /// For a connection that may have so many requests under way.
    pub(super) fn new(requests_max: u32) -> Self {
        // A request that the peer takes back is over for it at once, and its task a moment later.
        let max = 2 * requests_max as usize;
        Self(Arc::new(Mutex::new(Open { max, ..Open::default() })))
    }

    /// A request has come: hyper asks for its answer first, and has its task spawned then.
    pub(super) fn begin(&self, exchange: Arc<Exchange>) {
        self.0.lock().next = Some(exchange);
    }

    /// Runs a live stream beside its answer.
    pub(super) fn run(&self, stream: impl Future<Output = ()> + Send + 'static) {
        let mut open = self.0.lock();
        while open.streams.try_join_next().is_some() {}
        open.streams.spawn(stream);
    }

    /// Gives up an answer, whatever of it waits.
    pub(super) fn give_up(&self, exchange: &Arc<Exchange>) {
        for (_, task) in self.0.lock().tasks.iter().filter(|(open, _)| Arc::ptr_eq(open, exchange)) {
            task.abort();
        }
    }

    /// Looks after them: gives up those that are not taken.
    pub(super) fn look(&self) -> Standing {
        let mut open = self.0.lock();
        open.tasks.retain(|(_, task)| !task.is_finished());
        let stalled = open.tasks.iter().filter(|(exchange, _)| exchange.is_stalled());
        let given_up = stalled
            .map(|(exchange, task)| {
                task.abort();
                exchange.give(Given::Nothing);
                Arc::clone(exchange)
            })
            .collect();
        let sends_film = open.tasks.iter().any(|(exchange, _)| exchange.stall_limit.is_for_film());
        Standing { given_up, is_idle: open.tasks.is_empty(), sends_film }
    }

    /// Ends all; returns when live streams have, too.
    pub(super) async fn end(&self) {
        let mut streams = {
            let mut open = self.0.lock();
            open.tasks.iter().for_each(|(_, task)| task.abort());
            std::mem::take(&mut open.streams)
        };
        while streams.join_next().await.is_some() {}
    }
}

impl<F> Executor<F> for Exchanges
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        let mut open = self.0.lock();
        let Some(exchange) = open.next.take() else { return };
        if open.tasks.len() >= open.max {
            open.tasks.retain(|(_, task)| !task.is_finished());
        }
        if open.tasks.len() < open.max {
            open.tasks.push((exchange, tokio::spawn(task)));
        }
    }
}

/// An answer's body, in pieces, of which it is known whether they are taken.
pub(super) struct Watched {
    body: Body,
    /// Of a piece that was too long.
    rest: Bytes,
    exchange: Arc<Exchange>,
}

impl Watched {
    pub(super) fn new(body: Body, exchange: Arc<Exchange>) -> Self {
        Self { body, rest: Bytes::new(), exchange }
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    /// Asked for when what was given before has been taken.
    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.exchange.give(Given::Nothing);
        if self.rest.is_empty() {
            let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(bytes))) => self.rest = bytes,
                Some(Ok(Err(trailers))) => return Poll::Ready(Some(Ok(trailers))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        let count = self.rest.len().min(PIECE_BYTES_MAX);
        let piece = self.rest.split_to(count);
        self.exchange.give(Given::Piece(Instant::now()));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (hint, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut whole = SizeHint::new();
        whole.set_lower(hint.lower() + rest);
        if let Some(upper) = hint.upper() {
            whole.set_upper(upper + rest);
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};
    use std::time::Duration;

    use super::*;

    fn exchange(limit: Duration) -> Arc<Exchange> {
        Arc::new(Exchange::new(StallLimit::new(limit, Duration::MAX)))
    }

    #[tokio::test]
    async fn an_answer_goes_in_pieces_and_nothing_of_it_is_lost() {
        let bytes: Vec<u8> = (0..PIECE_BYTES_MAX * 2 + 1).map(|at| at as u8).collect();
        let mut body = Watched::new(Body::from(bytes.clone()), exchange(Duration::MAX));
        let mut taken = Vec::new();
        while !body.is_end_stream() {
            assert_eq!(body.size_hint().exact(), Some((bytes.len() - taken.len()) as u64));
            let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await.unwrap().unwrap();
            let piece = frame.into_data().unwrap();
            assert!(piece.len() <= PIECE_BYTES_MAX);
            taken.extend_from_slice(&piece);
        }
        assert_eq!(taken, bytes);
    }

    #[tokio::test]
    async fn who_takes_no_more_of_an_answer_loses_that_one() {
        let exchanges = Exchanges::new(100);
        let (taken, stalled) = (exchange(Duration::ZERO), exchange(Duration::ZERO));
        for open in [&taken, &stalled] {
            exchanges.begin(Arc::clone(open));
            exchanges.execute(pending());
        }
        let mut body = Watched::new(Body::from("answer"), Arc::clone(&stalled));
        let piece = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        assert!(piece.is_some());
        let standing = exchanges.look();
        assert!(matches!(&standing.given_up[..], [one] if Arc::ptr_eq(one, &stalled)) && !standing.is_idle);
        while exchanges.0.lock().tasks.iter().filter(|(_, task)| task.is_finished()).count() == 0 {
            tokio::task::yield_now().await;
        }
        assert!(exchanges.look().given_up.is_empty());
        assert_eq!(exchanges.0.lock().tasks.len(), 1, "the other one goes on");
        exchanges.end().await;
    }

    #[tokio::test]
    async fn no_more_tasks_run_than_may() {
        let exchanges = Exchanges::new(1);
        for _ in 0..5 {
            exchanges.begin(exchange(Duration::MAX));
            exchanges.execute(pending());
        }
        assert_eq!(exchanges.0.lock().tasks.len(), 2);
        exchanges.end().await;
    }
}
