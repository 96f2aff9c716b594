//! A [`Plan`] on its way to the client: ranges of files by the kernel where the connection can, else read in
//! bounded pieces.

use std::fs::File;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::HttpBody;
use bytes::{Bytes, BytesMut};
use headwater_vod::blocking;
use http_body::SizeHint;
use prometheus_client::metrics::counter::Counter;

#[cfg(target_os = "linux")]
use super::disk;
use super::disk::Patience;
use super::plan::{Piece, Plan};
use crate::doors::http::sendfile::{RANGE_LEN_MAX, Ranges};

/// Bytes in memory per connection where a file is read, at most.
const READ_LEN_MAX: u64 = 256 << 10;
/// From this length on a range is worth system calls of its own; shorter ones are read and leave with what is around
/// them.
const KERNEL_LEN_MIN: u64 = 32 << 10;

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
    next: Pin<Box<dyn Future<Output = Step> + Send>>,
}

/// A piece, and what makes the next one.
type Step = Option<(io::Result<Bytes>, Sender)>;

impl PlanBody {
    pub(super) fn new(plan: Plan, path: SendPath) -> Self {
        let left = plan.len();
        Self { left, next: Box::pin(step(Sender { plan, path })) }
    }
}

struct Sender {
    plan: Plan,
    path: SendPath,
}

async fn step(mut sender: Sender) -> Step {
    let bytes = match sender.kernel() {
        Some(kernel) => sender.hand_over(&kernel).await,
        None => sender.read().await,
    };
    Some((bytes, sender))
}

impl Sender {
    /// Who sends what comes next, if the kernel does: long ranges of files.
    fn kernel(&mut self) -> Option<Arc<Ranges>> {
        match self.plan.front()? {
            Piece::Range { blob, len, .. } if *len >= KERNEL_LEN_MIN && blob.as_file().is_some() => {
                self.path.kernel.clone()
            }
            _ => None,
        }
    }

    async fn hand_over(&mut self, kernel: &Ranges) -> io::Result<Bytes> {
        let Some(Piece::Range { blob, offset, len }) = self.plan.take_front(RANGE_LEN_MAX as u64) else {
            return Ok(Bytes::new());
        };
        let Some(file) = blob.as_file() else {
            return gather(vec![Piece::Range { blob, offset, len }]).await;
        };
        warmed(file, offset, len).await?;
        Ok(kernel.hand_over(file, offset, len))
    }

    /// Reads what comes next into one piece, up to what the kernel sends.
    async fn read(&mut self) -> io::Result<Bytes> {
        let mut pieces = Vec::new();
        let mut len = 0;
        while len < READ_LEN_MAX && self.kernel().is_none() {
            let Some(piece) = self.plan.take_front(READ_LEN_MAX - len) else { break };
            len += piece.len();
            pieces.push(piece);
        }
        if let [Piece::Bytes(bytes)] = pieces.as_slice() {
            return Ok(bytes.clone());
        }
        self.path.copied.inc_by(len);
        gather(pieces).await
    }
}

/// Several pieces, read into one: at once if all of it is in memory.
async fn gather(pieces: Vec<Piece>) -> io::Result<Bytes> {
    match gather_now(&pieces, Patience::None) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            blocking(move || gather_now(&pieces, Patience::Disk)).await
        }
        gathered => gathered,
    }
}

fn gather_now(pieces: &[Piece], patience: Patience) -> io::Result<Bytes> {
    let mut out = BytesMut::with_capacity(pieces.iter().map(|piece| piece.len() as usize).sum());
    pieces.iter().try_for_each(|piece| piece.read_into(patience, &mut out))?;
    Ok(out.freeze())
}

/// Waits until a range can be sent without waiting for the disk.
async fn warmed(file: &Arc<File>, offset: u64, len: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if !disk::is_cached(file, offset, len) {
        return disk::warm(file, offset, len).await;
    }
    let _ = (file, offset, len);
    Ok(())
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
        self.next.as_mut().poll(context).map(|stepped| {
            let Some((bytes, sender)) = stepped else {
                self.left = 0;
                return Some(Err(io::Error::other("the body is shorter than was said")));
            };
            match bytes {
                Ok(bytes) => {
                    self.left = self.left.saturating_sub(bytes.len() as u64);
                    self.next = Box::pin(step(sender));
                    Some(Ok(http_body::Frame::data(bytes)))
                }
                Err(error) => {
                    self.left = 0;
                    Some(Err(error))
                }
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
