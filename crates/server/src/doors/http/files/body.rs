//! A [`Plan`] on its way to the client: ranges of files by the kernel where the connection can, else read in
//! bounded pieces.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::HttpBody;
use bytes::{Bytes, BytesMut};
use headwater_vod::blocking;
use http_body::SizeHint;
use prometheus_client::metrics::counter::Counter;

use super::disk::{Patience, is_cached, warm};
use super::plan::{Piece, Plan};
use crate::doors::http::sendfile::{RANGE_LEN_MAX, Ranges};

/// Bytes in memory per connection where a file is read, at most.
const READ_LEN_MAX: u64 = 256 << 10;
/// From this length on a range is worth system calls of its own; shorter ones are read and leave with what is around
/// them.
const KERNEL_LEN_MIN: u64 = 16 << 10;
/// Bytes at hand that are as many or more leave from where they lie; fewer are copied to what is around them.
const COPIED_LEN_MAX: usize = 4 << 10;

/// How bytes of files leave.
#[derive(Clone, Debug)]
pub(super) struct SendPath {
    /// Where the kernel sends them.
    pub(super) kernel: Option<Arc<Ranges>>,
    /// Counts the bytes that are read and written.
    pub(super) copied: Counter,
}

/// The body.
pub(super) struct PlanBody {
    /// Bytes that are still to come.
    left: u64,
    state: State,
}

/// Who has the sender.
enum State {
    /// Nothing is on its way.
    Resting(Sender),
    /// The disk is waited for.
    Waiting(Reading),
    Over,
}

/// Bytes on their way, and who makes the next.
type Reading = Pin<Box<dyn Future<Output = (io::Result<Bytes>, Sender)> + Send>>;

impl PlanBody {
    pub(super) fn new(plan: Plan, path: SendPath) -> Self {
        Self { left: plan.len(), state: State::Resting(Sender { plan, path }) }
    }
}

struct Sender {
    plan: Plan,
    path: SendPath,
}

/// What comes next.
enum Next {
    /// It is in memory.
    AtHand(io::Result<Bytes>, Sender),
    Waits(Reading),
}

impl Sender {
    fn next(mut self) -> Next {
        if let Some(kernel) = self.path.kernel.clone()
            && let Some(run) = Run::take(&mut self.plan)
        {
            return self.hand_over(kernel, run);
        }
        self.read()
    }

    fn hand_over(self, kernel: Arc<Ranges>, run: Run) -> Next {
        if is_cached(&run.file, &run.ranges) {
            return Next::AtHand(Ok(kernel.hand_over(&run.file, &run.ranges)), self);
        }
        Next::Waits(Box::pin(async move {
            let warmed = warm(&run.file, &run.ranges).await;
            (warmed.map(|()| kernel.hand_over(&run.file, &run.ranges)), self)
        }))
    }

    /// Reads what comes next into one piece, up to what the kernel sends or what is in memory by itself.
    fn read(mut self) -> Next {
        let mut pieces = Vec::new();
        let mut len = 0;
        while len < READ_LEN_MAX && !self.kernel_is_next() {
            let is_long =
                matches!(self.plan.front(), Some(Piece::Bytes(bytes)) if bytes.len() >= COPIED_LEN_MAX);
            if is_long && !pieces.is_empty() {
                break;
            }
            let Some(piece) = self.plan.take_front(READ_LEN_MAX - len) else { break };
            len += piece.len();
            pieces.push(piece);
            if is_long {
                break;
            }
        }
        if let [Piece::Bytes(bytes)] = pieces.as_slice() {
            return Next::AtHand(Ok(bytes.clone()), self);
        }
        self.path.copied.inc_by(len);
        self.gather(pieces)
    }

    fn kernel_is_next(&mut self) -> bool {
        self.path.kernel.is_some() && self.plan.front().and_then(for_kernel).is_some()
    }

    /// Several pieces, read into one: at once if all of it is in memory.
    fn gather(self, pieces: Vec<Piece>) -> Next {
        match gather(&pieces, Patience::None) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Next::Waits(Box::pin(async move {
                (blocking(move || gather(&pieces, Patience::Disk)).await, self)
            })),
            gathered => Next::AtHand(gathered, self),
        }
    }
}

/// Ranges of one file, one behind the other in it, from the first byte to the last no more than [`RANGE_LEN_MAX`]. Parts of other
/// tracks may lie between them.
struct Run {
    file: Arc<File>,
    ranges: Vec<Range<u64>>,
}

impl Run {
    /// Takes the ranges off the front that the kernel is to send, if there are some.
    fn take(plan: &mut Plan) -> Option<Self> {
        let (file, start) = plan.front().and_then(for_kernel)?;
        let (file, end_max) = (Arc::clone(file), start.saturating_add(RANGE_LEN_MAX as u64));
        let mut ranges: Vec<Range<u64>> = Vec::new();
        while let Some(piece) = plan.front()
            && let Some((next, start)) = for_kernel(piece)
        {
            let is_behind = ranges.last().is_none_or(|last| last.end <= start);
            let fits = ranges.is_empty() || start.saturating_add(piece.len()) <= end_max;
            if !Arc::ptr_eq(next, &file) || !is_behind || !fits {
                break;
            }
            let len = plan.take_front(RANGE_LEN_MAX as u64)?.len();
            ranges.push(start..start.saturating_add(len));
        }
        Some(Self { file, ranges })
    }
}

/// Where a piece lies, if the kernel is to send it: the file, and where in it it begins.
fn for_kernel(piece: &Piece) -> Option<(&Arc<File>, u64)> {
    match piece {
        Piece::Range { blob, offset, len } if *len >= KERNEL_LEN_MIN => {
            let (file, start) = blob.in_file()?;
            (offset.saturating_add(*len) <= blob.size()).then_some((file, start.saturating_add(*offset)))
        }
        _ => None,
    }
}

fn gather(pieces: &[Piece], patience: Patience) -> io::Result<Bytes> {
    let mut out = BytesMut::with_capacity(pieces.iter().map(|piece| piece.len() as usize).sum());
    pieces.iter().try_for_each(|piece| piece.read_into(patience, &mut out))?;
    Ok(out.freeze())
}

impl HttpBody for PlanBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<http_body::Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let next = match std::mem::replace(&mut self.state, State::Over) {
            State::Resting(sender) => sender.next(),
            State::Waiting(reading) => Next::Waits(reading),
            State::Over => return Poll::Ready(None),
        };
        let (bytes, sender) = match next {
            Next::AtHand(bytes, sender) => (bytes, sender),
            Next::Waits(mut reading) => match reading.as_mut().poll(context) {
                Poll::Ready(read) => read,
                Poll::Pending => {
                    self.state = State::Waiting(reading);
                    return Poll::Pending;
                }
            },
        };
        // A plan that ends before its length would be asked for ever.
        let bytes = bytes.and_then(|bytes| match bytes.len() {
            0 => Err(io::Error::other("the body is shorter than was said")),
            _ => Ok(bytes),
        });
        match &bytes {
            Ok(bytes) => {
                self.left = self.left.saturating_sub(bytes.len() as u64);
                self.state = State::Resting(sender);
            }
            Err(_) => self.left = 0,
        }
        Poll::Ready(Some(bytes.map(http_body::Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
