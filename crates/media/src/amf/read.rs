//! What the readers of AMF0 and AMF3 share: a cursor that cannot leave the body, the counting of values
//! against [`Limits`], and the table of values that a reference may name. It knows no marker.

use super::{Error, Limits, Text, Value};

#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    limits: Limits,
    values: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], limits: &Limits) -> Self {
        Self { bytes, at: 0, limits: *limits, values: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.remaining() == 0
    }

    pub(super) fn values(&self) -> usize {
        self.values
    }

    /// Admits a value at this depth, before any of it is read.
    pub(super) fn enter(&mut self, depth: usize) -> Result<(), Error> {
        self.charge(1)?;
        if depth >= self.limits.depth_max {
            return Err(Error::TooDeep { limit: self.limits.depth_max, at: self.at });
        }
        Ok(())
    }

    fn charge(&mut self, values: usize) -> Result<(), Error> {
        self.values = self.values.saturating_add(values);
        if self.values > self.limits.values_max {
            return Err(Error::TooMany { limit: self.limits.values_max, at: self.at });
        }
        Ok(())
    }

    /// Believes a count only if so many items of this size can still follow.
    pub(super) fn check_count(&self, count: usize, item_bytes_min: usize) -> Result<(), Error> {
        if count > self.remaining() / item_bytes_min {
            return Err(Error::CutOff(self.at));
        }
        Ok(())
    }

    pub(super) fn text(&mut self, length: usize) -> Result<Text, Error> {
        if length > self.limits.string_bytes_max {
            return Err(Error::TooLong { length, limit: self.limits.string_bytes_max, at: self.at });
        }
        Ok(Text::from_bytes(self.take(length)?))
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn u8(&mut self) -> Result<u8, Error> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Error> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn f64(&mut self) -> Result<f64, Error> {
        self.array().map(f64::from_be_bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let at = self.at;
        self.take(N)?.try_into().map_err(|_| Error::CutOff(at))
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..count).ok_or(Error::CutOff(self.at))?;
        self.at += count;
        Ok(taken)
    }
}

/// The complex values of a message in the order of their first bytes.
///
/// A value that is still open, or was too much to keep, has a place but nothing in it: what refers to it
/// reads as Undefined. So a cycle ends where it closes.
#[derive(Debug, Default)]
pub(super) struct References {
    kept: Vec<Option<(Value, usize)>>,
    kept_values: usize,
}

/// The place of a value that is being read.
#[derive(Debug)]
pub(super) struct Place {
    index: usize,
    values_before: usize,
}

impl References {
    pub(super) fn open(&mut self, reader: &Reader<'_>) -> Place {
        self.kept.push(None);
        Place { index: self.kept.len() - 1, values_before: reader.values }
    }

    /// Keeps a complete value. An inner value is kept again within each outer one, hence the budget.
    pub(super) fn close(&mut self, place: &Place, value: &Value, reader: &Reader<'_>) {
        let values = reader.values() - place.values_before + 1;
        if self.kept_values + values <= reader.limits.values_max {
            self.kept_values += values;
            self.kept[place.index] = Some((value.clone(), values));
        }
    }

    /// A copy of a value; each value within it counts again, so references cannot multiply without end.
    pub(super) fn resolve(
        &self,
        index: usize,
        depth: usize,
        reader: &mut Reader<'_>,
    ) -> Result<Value, Error> {
        let Some(Some((value, values))) = self.kept.get(index) else { return Ok(Value::Undefined) };
        reader.charge(*values)?;
        if depth + value.height() > reader.limits.depth_max {
            return Err(Error::TooDeep { limit: reader.limits.depth_max, at: reader.at });
        }
        Ok(value.clone())
    }
}
