//! Reading and writing of bit fields, most significant bit first, with Exp-Golomb codes.
//!
//! Reading past the end is an error, never a panic and never an invented zero.

use crate::Error;

/// Reads bits from a slice.
#[derive(Clone, Debug)]
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    position: usize,
    what: &'static str,
}

impl<'a> BitReader<'a> {
    /// Starts at the first bit of `bytes`; `what` names the structure in errors.
    pub(crate) const fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { bytes, position: 0, what }
    }

    /// One flag.
    pub(crate) fn flag(&mut self) -> Result<bool, Error> {
        let byte = *self.bytes.get(self.position / 8).ok_or_else(|| self.ended())?;
        let bit = byte >> (7 - self.position % 8) & 1;
        self.position += 1;
        Ok(bit == 1)
    }

    /// `count` bits (at most 32) as an unsigned number.
    pub(crate) fn bits(&mut self, count: u32) -> Result<u32, Error> {
        debug_assert!(count <= 32);
        let mut value = 0u32;
        for _ in 0..count {
            value = value << 1 | u32::from(self.flag()?);
        }
        Ok(value)
    }

    /// Passes over `count` bits.
    pub(crate) fn skip(&mut self, count: usize) -> Result<(), Error> {
        if count > self.left() {
            return Err(self.ended());
        }
        self.position += count;
        Ok(())
    }

    /// An unsigned Exp-Golomb code; more than 32 leading zeros are malformed.
    pub(crate) fn ue(&mut self) -> Result<u32, Error> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 32 {
                return Err(Error::malformed(self.what, "an Exp-Golomb code is longer than 32 bits"));
            }
        }
        let suffix = u64::from(self.bits(zeros)?);
        u32::try_from((1u64 << zeros) - 1 + suffix)
            .map_err(|_| Error::malformed(self.what, "an Exp-Golomb code exceeds 32 bits"))
    }

    /// An unsigned Exp-Golomb code that the format limits to `max`.
    pub(crate) fn ue_at_most(&mut self, max: u32, field: &'static str) -> Result<u32, Error> {
        let value = self.ue()?;
        if value > max {
            return Err(Error::malformed(self.what, format!("{field} is {value}, at most {max} is legal")));
        }
        Ok(value)
    }

    /// A signed Exp-Golomb code.
    pub(crate) fn se(&mut self) -> Result<i64, Error> {
        let code = i64::from(self.ue()?);
        Ok(if code % 2 == 0 { -(code / 2) } else { code / 2 + 1 })
    }

    /// Bits not yet read.
    pub(crate) const fn left(&self) -> usize {
        self.bytes.len() * 8 - self.position
    }

    fn ended(&self) -> Error {
        Error::malformed(
            self.what,
            format!("ends after {} bytes, in the middle of a field", self.bytes.len()),
        )
    }
}

/// Writes bits; the last byte is filled with zeros.
#[derive(Clone, Debug, Default)]
pub(crate) struct BitWriter {
    bytes: Vec<u8>,
    used: u32,
}

impl BitWriter {
    /// Appends the low `count` bits of `value`.
    pub(crate) fn bits(&mut self, value: u32, count: u32) {
        for shift in (0..count).rev() {
            if self.used == 0 {
                self.bytes.push(0);
            }
            let bit = (value >> shift & 1) as u8;
            if let Some(last) = self.bytes.last_mut() {
                *last |= bit << (7 - self.used);
            }
            self.used = (self.used + 1) % 8;
        }
    }

    /// The bytes written.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_golomb_codes_of_the_standard_table() {
        // 1 | 010 | 011 | 00100 | 00101: the first five codes of table 9-2.
        let bytes = [0b1010_0110, 0b0100_0010, 0b1000_0000];
        let mut reader = BitReader::new(&bytes, "test");
        let codes: Vec<u32> = (0..5).map(|_| reader.ue().unwrap()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4]);
        let mut reader = BitReader::new(&bytes, "test");
        let signed: Vec<i64> = (0..5).map(|_| reader.se().unwrap()).collect();
        assert_eq!(signed, [0, 1, -1, 2, -2]);
    }

    #[test]
    fn the_largest_code_fits_and_a_longer_one_is_refused() {
        // 32 zeros, 1, 32 bits of zero: 2^32 - 1.
        let mut bytes = [0u8; 9];
        bytes[4] = 0x80;
        assert_eq!(BitReader::new(&bytes, "test").ue(), Ok(u32::MAX));
        assert!(BitReader::new(&[0u8; 16], "test").ue().is_err());
    }

    #[test]
    fn reading_past_the_end_is_an_error() {
        let mut reader = BitReader::new(&[0xFF], "test");
        assert_eq!(reader.bits(8), Ok(0xFF));
        assert!(reader.flag().is_err());
        assert!(reader.skip(1).is_err());
    }

    #[test]
    fn written_bits_are_read_back() {
        let mut writer = BitWriter::default();
        for (value, count) in [(2, 5), (15, 4), (48_000, 24), (2, 4)] {
            writer.bits(value, count);
        }
        let bytes = writer.into_bytes();
        let mut reader = BitReader::new(&bytes, "test");
        assert_eq!(reader.bits(5), Ok(2));
        assert_eq!(reader.bits(4), Ok(15));
        assert_eq!(reader.bits(24), Ok(48_000));
        assert_eq!(reader.bits(4), Ok(2));
    }
}
