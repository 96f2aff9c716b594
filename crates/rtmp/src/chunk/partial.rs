//! A message whose bytes have not all come.

/// What has come of a message, and where it began.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) at: u64,
    pub(super) payload: Vec<u8>,
}

impl Partial {
    /// Nothing of the message that begins there.
    pub(super) const fn new(at: u64) -> Self {
        Self { at, payload: Vec::new() }
    }

    /// Takes bytes of a message of `length`. Memory follows what has come, and is never more than the message needs.
    pub(super) fn take(&mut self, bytes: &[u8], length: usize) {
        let received = self.payload.len() + bytes.len();
        if self.payload.capacity() < received {
            let room = received.saturating_mul(2).min(length).max(received);
            self.payload.reserve_exact(room - self.payload.len());
        }
        self.payload.extend_from_slice(bytes);
    }
}
