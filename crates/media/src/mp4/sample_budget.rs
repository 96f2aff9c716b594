//! How many samples a file may have: as many as its bytes justify.
//!
//! Tables of a few bytes can call for millions of samples, all of them at the same place. Each costs memory, and time when
//! it is looked at, copied and sent. Real files name each of their bytes once, or a few times where muxers share what is
//! the same (pictures that stand still, silence).

/// Bytes of samples that are taken for each byte of the file, at most.
pub(super) const SHARED_MAX: u64 = 16;
/// A shorter sample is reckoned as one of so many bytes, which is what it takes in an index. Files of silence alone have
/// frames of 3 bytes, and up to 4 in a table for each.
pub(super) const SAMPLE_BYTES_MIN: u64 = 32;

/// What is left of it while a file is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct SampleBudget {
    left: u64,
    is_overdrawn: bool,
}

impl SampleBudget {
    /// For a file of that length.
    pub(super) const fn of_file(file_len: u64) -> Self {
        Self { left: file_len.saturating_mul(SHARED_MAX), is_overdrawn: false }
    }

    /// The file has become longer by so many bytes.
    pub(super) const fn grow(&mut self, by: u64) {
        self.left = self.left.saturating_add(by.saturating_mul(SHARED_MAX));
    }

    /// Whether a sample of `size` bytes is to be taken, which takes it from what is left.
    pub(super) fn take(&mut self, size: u32) -> bool {
        match self.left.checked_sub(u64::from(size).max(SAMPLE_BYTES_MIN)) {
            Some(left) => self.left = left,
            None => self.is_overdrawn = true,
        }
        !self.is_overdrawn
    }

    /// Whether there was a sample that was not to be taken any more.
    pub(super) const fn is_overdrawn(&self) -> bool {
        self.is_overdrawn
    }

    /// The most samples that a file of that length may have.
    pub(super) fn samples_max(file_len: u64) -> usize {
        usize::try_from(file_len.saturating_mul(SHARED_MAX) / SAMPLE_BYTES_MIN).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_used_so_often_and_no_more() {
        let mut budget = SampleBudget::of_file(1000);
        assert!((0..16).all(|_| budget.take(1000)));
        assert!(!budget.is_overdrawn());
        assert!(!budget.take(1));
        budget.grow(2);
        assert!(!budget.take(1), "what was left out stays out until it is read again");
        let mut budget = SampleBudget::of_file(1000);
        assert_eq!((0..1000).filter(|_| budget.take(1)).count(), SampleBudget::samples_max(1000));
    }
}
