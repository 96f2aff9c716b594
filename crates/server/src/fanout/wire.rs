//! A connection's way out: the socket, and the few bytes that did not fit into it.
//!
//! Two write to it: the connection's task (replies) and the lanes (media, through [`super::Viewer`]). The
//! outbox's lock makes them take turns at message boundaries. What a slow peer has not taken stays in
//! the stream's log; here waits at most the rest of one frame, and replies.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use parking_lot::{Mutex, MutexGuard};
use tokio::io::Interest;
use tokio::sync::Notify;

use super::transport::Transport;

/// Slices of one vectored write.
const SLICES_MAX: usize = 256;
/// How long a peer has to take the last words and to hang up.
const FAREWELL_MAX: Duration = Duration::from_secs(2);
/// Read at once of what a peer says after the last words.
const FAREWELL_READ_BYTES: usize = 2 << 10;

/// The way out of one connection. What every write needs lies side by side.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Wire {
    blocked: AtomicBool,
    pub(crate) transport: Transport,
    outbox: Mutex<Outbox>,
    /// Rung when the connection's task has to look: blocked, failed, or a viewer's stream has ended.
    pub(crate) bell: Notify,
}

/// How far a peer has come, in steps: one that takes a few bytes now and then takes nothing.
#[derive(Debug, Default)]
pub(crate) struct Steps(u64);

impl Steps {
    /// Bytes that count as taken, of those that were `written`: what is less than `step_bytes` more than before does not.
    pub(crate) fn count(&mut self, written: u64, step_bytes: u64) -> u64 {
        if written.saturating_sub(self.0) >= step_bytes.max(1) {
            self.0 = written;
        }
        self.0
    }
}

/// What waits for the socket.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pieces: VecDeque<Bytes>,
    /// Bytes of replies that were added since nothing waited.
    replies: usize,
    failed: Option<io::ErrorKind>,
    /// Bytes that the socket has taken since the start.
    written: u64,
}

/// How a write went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Everything is out.
    Clear,
    /// The socket takes no more for now; the connection's task waits for it.
    Blocked,
}

impl Wire {
    pub(crate) fn new(transport: Transport) -> Self {
        Self { transport, outbox: Mutex::default(), blocked: AtomicBool::new(false), bell: Notify::new() }
    }

    /// Sends a reply after whatever waits already.
    pub(crate) fn send(&self, bytes: Bytes) {
        let mut outbox = self.outbox.lock();
        outbox.replies += bytes.len();
        outbox.pieces.push_back(bytes);
        if !self.is_blocked() {
            self.flush(&mut outbox);
        }
    }

    /// The outbox, to write media; `None` while the socket takes no more.
    pub(crate) fn clear_outbox(&self) -> Option<MutexGuard<'_, Outbox>> {
        if self.is_blocked() {
            return None;
        }
        let mut outbox = self.outbox.lock();
        (!self.is_blocked() && self.flush(&mut outbox) == Flow::Clear).then_some(outbox)
    }

    /// The socket takes bytes again: writes what waits.
    pub(crate) fn unblock(&self) -> Flow {
        let mut outbox = self.outbox.lock();
        self.blocked.store(false, Ordering::Release);
        self.flush(&mut outbox)
    }

    /// Whether the connection's task must wait for the socket.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Acquire)
    }

    /// Looks at what a write reads first, and orders nothing by it.
    pub(crate) fn touch(&self) -> bool {
        self.blocked.load(Ordering::Relaxed)
    }

    /// Why writing is over, if it is.
    pub(crate) fn failure(&self) -> Option<io::ErrorKind> {
        self.outbox.lock().failed
    }

    /// Whether the socket takes bytes, and bytes written so far. A full socket with an empty outbox is
    /// stalled as well: it was full at the end of a frame, and the next ones wait in the log.
    pub(crate) fn progress(&self) -> (bool, u64) {
        (!self.is_blocked(), self.outbox.lock().written)
    }

    /// Bytes of replies that the peer has not taken, at most.
    pub(crate) fn replies_waiting(&self) -> usize {
        self.outbox.lock().replies
    }

    /// One write. Returns how much the socket took; less than all means that it is full or
    /// broken, and the connection's task has been told.
    pub(crate) fn write(&self, outbox: &mut Outbox, slices: &[IoSlice<'_>]) -> usize {
        if outbox.failed.is_some() {
            return 0;
        }
        let wanted: usize = slices.iter().map(|slice| slice.len()).sum();
        let written = match self.transport.try_write(slices) {
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => {
                outbox.failed = Some(error.kind());
                outbox.pieces.clear();
                0
            }
        };
        outbox.written += written as u64;
        if written < wanted || self.transport.flush().is_err() {
            self.block();
        }
        written
    }

    /// Writes out what waits, closes the sending half and reads until the peer closes its own: a reset would
    /// take the last words away from it. At most for [`FAREWELL_MAX`]: who takes no farewell is cut off.
    pub(crate) async fn hang_up(&self) {
        let _ = tokio::time::timeout(FAREWELL_MAX, self.say_farewell()).await;
    }

    async fn say_farewell(&self) {
        while self.is_blocked() && self.failure().is_none() {
            if self.transport.ready(Interest::WRITABLE).await.is_err() {
                return;
            }
            self.unblock();
        }
        if self.transport.shut_down().is_err() {
            return;
        }
        let mut discarded = BytesMut::new();
        while self.transport.ready(Interest::READABLE).await.is_ok() {
            discarded.clear();
            match self.transport.try_read(&mut discarded, FAREWELL_READ_BYTES) {
                Ok(0) => return,
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
                _ => {}
            }
        }
    }

    fn block(&self) {
        self.blocked.store(true, Ordering::Release);
        self.bell.notify_one();
    }

    fn flush(&self, outbox: &mut Outbox) -> Flow {
        while !outbox.pieces.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let count = outbox.pieces.len().min(SLICES_MAX);
            let mut wanted = 0;
            let pieces = std::mem::take(&mut outbox.pieces);
            for (slice, piece) in slices.iter_mut().zip(&pieces) {
                wanted += piece.len();
                *slice = IoSlice::new(piece);
            }
            let written = self.write(outbox, &slices[..count]);
            if outbox.failed.is_none() {
                outbox.pieces = pieces;
                outbox.consume(written);
            }
            if written < wanted {
                return Flow::Blocked;
            }
        }
        if self.transport.flush().is_err() {
            // What the transport holds back goes first; an error that stays is met by the next write.
            self.block();
            return Flow::Blocked;
        }
        outbox.replies = 0;
        Flow::Clear
    }
}

impl Outbox {
    /// Adds the rest of a frame that the socket took only a part of.
    pub(crate) fn keep(&mut self, piece: Bytes) {
        self.pieces.push_back(piece);
    }

    /// All that waits, in one piece.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> Vec<u8> {
        self.pieces.iter().flatten().copied().collect()
    }

    fn consume(&mut self, mut count: usize) {
        while let Some(front) = self.pieces.front_mut() {
            if front.len() > count {
                front.advance(count);
                return;
            }
            count -= front.len();
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_a_few_bytes_now_and_then_takes_nothing() {
        let mut steps = Steps::default();
        let counted: Vec<_> =
            [0, 99, 100, 150, 199, 200, 1000].map(|written| steps.count(written, 100)).into();
        assert_eq!(counted, [0, 0, 100, 100, 100, 200, 1000]);
        let mut any = Steps::default();
        assert_eq!([1, 2, 2].map(|written| any.count(written, 0)), [1, 2, 2]);
    }
}
