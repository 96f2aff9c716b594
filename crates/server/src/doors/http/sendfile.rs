//! Ranges of files that the kernel sends by itself: between a response's body above hyper and the socket below.
//!
//! hyper takes bodies as bytes in memory. A body that wants a range of a file sent without a copy puts the range
//! into its connection's [`Ranges`] and gives hyper *placeholder* bytes, as many. hyper queues them without a look at
//! them, because the socket below takes vectored writes; the socket knows them by their address and has the kernel
//! send the range in their place. Placeholders never reach the wire: without a range for them the connection ends.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::net::listener::Stream;

/// What one call of [`Ranges::hand_over`] takes, at most, in bytes.
pub(super) const RANGE_LEN_MAX: usize = 1 << 20;

/// What stands in for file ranges: address space that nobody touches, so it costs no memory.
static PLACEHOLDER: LazyLock<&'static [u8]> = LazyLock::new(|| Box::leak(vec![0; RANGE_LEN_MAX].into()));

/// Whether bytes stand in for a range of a file.
pub(super) fn is_placeholder(bytes: &[u8]) -> bool {
    !bytes.is_empty() && PLACEHOLDER.as_ptr_range().contains(&bytes.as_ptr())
}

/// The ranges of one connection that placeholders are on their way for, in their order.
#[derive(Debug)]
pub(super) struct Ranges {
    queue: Mutex<VecDeque<Queued>>,
    sent: Counter,
}

#[derive(Debug)]
struct Queued {
    file: Arc<File>,
    offset: u64,
    len: usize,
}

impl Ranges {
    /// For a connection whose socket takes files from the kernel: plain TCP on Linux. `sent` counts the bytes.
    pub(super) fn of(stream: &Stream, sent: Counter) -> Option<Arc<Self>> {
        let can = cfg!(target_os = "linux") && matches!(stream, Stream::Tcp(_));
        can.then(|| Arc::new(Self { queue: Mutex::default(), sent }))
    }

    /// Queues ranges of a file, at most [`RANGE_LEN_MAX`] bytes of them; the placeholders for what was taken must be the next
    /// bytes that go to the connection.
    pub(super) fn hand_over(&self, file: &Arc<File>, ranges: &[Range<u64>]) -> Bytes {
        let mut taken = 0;
        let mut queue = self.queue.lock();
        for range in ranges {
            let len = range.end.saturating_sub(range.start).min((RANGE_LEN_MAX - taken) as u64) as usize;
            if len > 0 {
                queue.push_back(Queued { file: Arc::clone(file), offset: range.start, len });
                taken += len;
            }
        }
        Bytes::from_static(PLACEHOLDER.get(..taken).unwrap_or_default())
    }

    /// Writes slices that begin with, or lead up to, placeholders: as many bytes as the socket takes of the first
    /// of the two.
    ///
    /// # Errors
    /// Those of the socket and of the file; `UnexpectedEof` if the file has become shorter.
    pub(super) fn poll_write(
        &self,
        context: &mut Context<'_>,
        socket: &TcpStream,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let led_up = slices.iter().position(|slice| is_placeholder(slice)).unwrap_or(slices.len());
        let (real, placeholders) = slices.split_at(led_up);
        let real_len: usize = real.iter().map(|slice| slice.len()).sum();
        let owed =
            placeholders.iter().take_while(|slice| is_placeholder(slice)).map(|slice| slice.len()).sum();
        loop {
            ready!(socket.poll_write_ready(context))?;
            let written = socket.try_io(Interest::WRITABLE, || match real_len {
                0 => self.send(socket, owed),
                _ => kernel::write_and_more(socket, real),
            });
            match written {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    /// Sends of the queued ranges as much as the socket takes, `most` bytes at most.
    fn send(&self, socket: &TcpStream, most: usize) -> io::Result<usize> {
        let mut queue = self.queue.lock();
        let mut sent = 0;
        while sent < most {
            let Some(range) = queue.front_mut() else {
                return Err(io::Error::other("there are more placeholders than ranges of files"));
            };
            match kernel::send_file(socket, &range.file, range.offset, range.len.min(most - sent)) {
                Ok(0) if sent == 0 => {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the file has become shorter while it was sent",
                    ));
                }
                Err(error) if sent == 0 => return Err(error),
                // What is wrong is found again by the next call.
                Ok(0) | Err(_) => break,
                Ok(count) => {
                    sent += count;
                    range.offset += count as u64;
                    range.len -= count;
                }
            }
            if range.len == 0 {
                queue.pop_front();
            }
        }
        self.sent.inc_by(sent as u64);
        Ok(sent)
    }
}

#[cfg(target_os = "linux")]
mod kernel {
    use super::{File, IoSlice, TcpStream, io};
    use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};

    /// Sends bytes of a file that may be in memory or not.
    pub(super) fn send_file(socket: &TcpStream, file: &File, offset: u64, len: usize) -> io::Result<usize> {
        let mut offset = offset;
        Ok(rustix::io::retry_on_intr(|| rustix::fs::sendfile(socket, file, Some(&mut offset), len))?)
    }

    /// Writes, and lets the kernel wait for what follows: heads share a packet with the first bytes of the file.
    pub(super) fn write_and_more(socket: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
        let mut control = SendAncillaryBuffer::default();
        Ok(rustix::io::retry_on_intr(|| sendmsg(socket, slices, &mut control, flags))?)
    }
}

#[cfg(not(target_os = "linux"))]
mod kernel {
    use super::{File, IoSlice, TcpStream, io};

    pub(super) fn send_file(_: &TcpStream, _: &File, _: u64, _: usize) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn write_and_more(socket: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        socket.try_write_vectored(slices)
    }
}
