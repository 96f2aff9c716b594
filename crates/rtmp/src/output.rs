//! The bytes that a session wants sent, as shared pieces.
//!
//! Small things (headers, commands) are gathered in one buffer of their own; large payloads stay where
//! they are and are only referred to. [`Output`] is a [`Buf`], so that one vectored write
//! (`write_all_buf`, `write_vectored`) sends everything. It never blocks and never drops a byte: whoever
//! writes it out bounds it.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Payloads up to this many bytes are copied next to their header: one more piece in a vectored write
/// costs more than the copy.
const COPY_BYTES_MAX: usize = 256;

/// Bytes to send, in order. Read it through [`Buf`].
#[derive(Debug, Default)]
pub struct Output {
    pieces: VecDeque<Bytes>,
    tail: BytesMut,
    pieces_bytes: usize,
}

impl Output {
    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    /// Takes everything as one contiguous buffer: for tests and for tunnels.
    pub fn drain(&mut self) -> Bytes {
        let bytes = self.copy_to_bytes(self.remaining());
        self.let_go();
        bytes
    }

    /// Appends a copy of `bytes`.
    pub fn put(&mut self, bytes: &[u8]) {
        self.tail.put_slice(bytes);
    }

    /// Appends `bytes`; anything large is shared and not copied.
    pub fn put_shared(&mut self, bytes: Bytes) {
        if bytes.len() <= COPY_BYTES_MAX {
            return self.put(&bytes);
        }
        if !self.tail.is_empty() {
            let tail = self.tail.split().freeze();
            self.pieces_bytes = self.pieces_bytes.saturating_add(tail.len());
            self.pieces.push_back(tail);
        }
        self.pieces_bytes = self.pieces_bytes.saturating_add(bytes.len());
        self.pieces.push_back(bytes);
    }

    /// An idle connection keeps no buffer: ten thousand of them are idle most of the time.
    fn let_go(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }
}

impl Buf for Output {
    fn remaining(&self) -> usize {
        self.pieces_bytes.saturating_add(self.tail.len())
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.front().map_or(&self.tail, |piece| piece)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let all = self.pieces.iter().map(|piece| &piece[..]).chain([&self.tail[..]]);
        let mut filled = 0;
        for (slot, piece) in slices.iter_mut().zip(all.filter(|piece| !piece.is_empty())) {
            *slot = IoSlice::new(piece);
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(front) = self.pieces.front_mut() {
            let step = count.min(front.len());
            front.advance(step);
            self.pieces_bytes -= step;
            count -= step;
            if !front.is_empty() {
                return;
            }
            self.pieces.pop_front();
        }
        self.tail.advance(count);
        self.let_go();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_payloads_are_shared_and_order_is_kept() {
        let payload = Bytes::from(vec![7u8; 1000]);
        let mut output = Output::default();
        output.put(b"head");
        output.put_shared(payload.clone());
        output.put_shared(Bytes::from_static(b"small"));
        assert_eq!(output.remaining(), 1009);

        let mut slices = [IoSlice::new(&[]); 8];
        assert_eq!(output.chunks_vectored(&mut slices), 3);
        assert_eq!(slices[1].as_ptr(), payload.as_ptr());

        output.advance(2);
        assert_eq!(output.chunk(), b"ad");
        output.advance(1002);
        assert_eq!(output.chunk(), b"small");
        assert_eq!(&output.drain()[..], b"small");
        assert!(output.is_empty());
    }

    #[test]
    fn a_drained_output_keeps_no_buffer() {
        let mut output = Output::default();
        output.put(&[0; 5000]);
        output.advance(5000);
        assert_eq!(output.tail.capacity(), 0);
    }
}
