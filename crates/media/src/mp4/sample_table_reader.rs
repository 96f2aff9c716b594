//! The sample tables of an ordinary track (`stbl`), walked without unrolling them.

use super::boxes::{Fields, children, pair, records, required};
use crate::Error;

/// One sample as the tables or a fragment describe it, times in the track's ticks, edits not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RawSample {
    pub(super) offset: u64,
    pub(super) size: u32,
    pub(super) dts: i64,
    pub(super) composition: i64,
    /// How long until the next one is decoded.
    pub(super) duration: u32,
    pub(super) key: bool,
    /// The number of its sample description, from 1 on.
    pub(super) description: u32,
}

/// The tables, as slices of `moov`.
#[derive(Debug)]
pub(super) struct SampleTableReader<'a> {
    sizes: Sizes<'a>,
    durations: &'a [[u8; 8]],
    compositions: &'a [[u8; 8]],
    keys: Option<&'a [[u8; 4]]>,
    chunk_runs: &'a [[u8; 12]],
    chunks: Chunks<'a>,
}

impl<'a> SampleTableReader<'a> {
    /// Finds the tables in the body of `stbl`. A fragmented file has them all, empty.
    pub(super) fn parse(stbl: &'a [u8]) -> Result<Self, Error> {
        let table = |kind, what| -> Result<Option<Fields<'a>>, Error> {
            let Some(body) = children(stbl).find_kind(kind) else { return Ok(None) };
            Fields::full(body, what).map(|(_, _, fields)| Some(fields))
        };
        let (_, _, mut durations) = Fields::full(required(stbl, b"stts")?, "stts")?;
        let (_, _, mut chunk_runs) = Fields::full(required(stbl, b"stsc")?, "stsc")?;
        let compositions = table(b"ctts", "ctts")?;
        let keys = table(b"stss", "stss")?;
        let chunks = match table(b"co64", "co64")? {
            Some(mut wide) => Chunks::Wide(records(&mut wide)?),
            None => {
                let (_, _, mut narrow) = Fields::full(required(stbl, b"stco")?, "stco")?;
                Chunks::Narrow(records(&mut narrow)?)
            }
        };
        Ok(Self {
            sizes: Sizes::parse(stbl)?,
            durations: records(&mut durations)?,
            compositions: compositions.map_or(Ok(&[][..]), |mut fields| records(&mut fields))?,
            keys: keys.map(|mut fields| records(&mut fields)).transpose()?,
            chunk_runs: records(&mut chunk_runs)?,
            chunks,
        })
    }

    /// How many samples the size table has.
    pub(super) fn count(&self) -> u32 {
        self.sizes.count()
    }

    /// Calls `visit` for each sample in decoding order, until it says not to go on. How many have a size but lie in no
    /// chunk comes back.
    pub(super) fn walk(&self, mut visit: impl FnMut(RawSample) -> bool) -> u64 {
        let count = self.count();
        let mut durations = Runs::new(self.durations);
        let mut compositions = Runs::new(self.compositions);
        let mut keys = Keys::new(self.keys);
        let mut sample = 0;
        let mut dts = 0i64;
        for (mut offset, in_chunk, description) in self.placed_chunks() {
            for _ in 0..in_chunk {
                if sample == count {
                    return 0;
                }
                let size = self.sizes.of(sample);
                sample += 1;
                // What version 0 calls unsigned is written signed by everybody (6.1).
                let composition = i64::from(compositions.next_value().unwrap_or(0) as i32);
                let duration = durations.next_or_last();
                let key = keys.contains(sample);
                if size > 0 {
                    let description = description.max(1);
                    let raw = RawSample { offset, size, dts, composition, duration, key, description };
                    if !visit(raw) {
                        return 0;
                    }
                }
                dts = dts.saturating_add(i64::from(duration));
                offset = offset.saturating_add(u64::from(size));
            }
        }
        u64::from(count - sample)
    }

    /// Every chunk: offset, number of samples, sample description.
    fn placed_chunks(&self) -> impl Iterator<Item = (u64, u32, u32)> {
        let mut runs = self.chunk_runs.iter().copied().map(triple).peekable();
        let mut current = (0, 0);
        (0..self.chunks.count()).map(move |index| {
            let number = index as u64 + 1;
            while let Some((_, per_chunk, description)) =
                runs.next_if(|&(first, _, _)| u64::from(first) <= number)
            {
                current = (per_chunk, description);
            }
            (self.chunks.offset(index), current.0, current.1)
        })
    }
}

#[derive(Debug)]
enum Sizes<'a> {
    Uniform {
        size: u32,
        count: u32,
    },
    Table(&'a [[u8; 4]]),
    /// `stz2`: fields of 4, 8 or 16 bits.
    Compact {
        bits: u8,
        count: u32,
        table: &'a [u8],
    },
}

impl<'a> Sizes<'a> {
    fn parse(stbl: &'a [u8]) -> Result<Self, Error> {
        if let Some(body) = children(stbl).find_kind(b"stz2") {
            let (_, _, mut fields) = Fields::full(body, "stz2")?;
            let bits = (fields.u32()? & 0xFF) as u8;
            let count = fields.u32()?;
            if !matches!(bits, 4 | 8 | 16) {
                return Err(Error::malformed("stz2", format!("its fields have {bits} bits")));
            }
            let table = fields.rest();
            let present = (table.len() as u64 * 8 / u64::from(bits)).min(u64::from(u32::MAX)) as u32;
            return Ok(Self::Compact { bits, count: count.min(present), table });
        }
        let (_, _, mut fields) = Fields::full(required(stbl, b"stsz")?, "stsz")?;
        match fields.u32()? {
            0 => Ok(Self::Table(records(&mut fields)?)),
            size => Ok(Self::Uniform { size, count: fields.u32()? }),
        }
    }

    fn count(&self) -> u32 {
        match self {
            Self::Uniform { count, .. } | Self::Compact { count, .. } => *count,
            Self::Table(table) => u32::try_from(table.len()).unwrap_or(u32::MAX),
        }
    }

    fn of(&self, index: u32) -> u32 {
        let index = index as usize;
        match self {
            Self::Uniform { size, .. } => *size,
            Self::Table(table) => table.get(index).map_or(0, |size| u32::from_be_bytes(*size)),
            Self::Compact { bits: 4, table, .. } => {
                let shift = if index.is_multiple_of(2) { 4 } else { 0 };
                table.get(index / 2).map_or(0, |&both| u32::from(both >> shift & 0xF))
            }
            Self::Compact { bits: 8, table, .. } => table.get(index).map_or(0, |&size| u32::from(size)),
            Self::Compact { table, .. } => {
                let (sizes, _) = table.as_chunks::<2>();
                sizes.get(index).map_or(0, |size| u32::from(u16::from_be_bytes(*size)))
            }
        }
    }
}

#[derive(Debug)]
enum Chunks<'a> {
    Narrow(&'a [[u8; 4]]),
    Wide(&'a [[u8; 8]]),
}

impl Chunks<'_> {
    const fn count(&self) -> usize {
        match self {
            Self::Narrow(offsets) => offsets.len(),
            Self::Wide(offsets) => offsets.len(),
        }
    }

    fn offset(&self, index: usize) -> u64 {
        match self {
            Self::Narrow(offsets) => offsets.get(index).map_or(0, |at| u64::from(u32::from_be_bytes(*at))),
            Self::Wide(offsets) => offsets.get(index).map_or(0, |at| u64::from_be_bytes(*at)),
        }
    }
}

/// A run-length table (`stts`, `ctts`): values, each to be used so many times.
struct Runs<'a> {
    records: std::slice::Iter<'a, [u8; 8]>,
    left: u32,
    value: u32,
}

impl<'a> Runs<'a> {
    fn new(records: &'a [[u8; 8]]) -> Self {
        Self { records: records.iter(), left: 0, value: 0 }
    }

    fn next_value(&mut self) -> Option<u32> {
        while self.left == 0 {
            (self.left, self.value) = pair(*self.records.next()?);
        }
        self.left -= 1;
        Some(self.value)
    }

    /// A table that is too short goes on with its last value.
    fn next_or_last(&mut self) -> u32 {
        self.next_value().unwrap_or(self.value)
    }
}

/// The sync sample table; without one every sample is a sync sample.
struct Keys<'a> {
    numbers: Option<std::iter::Peekable<std::slice::Iter<'a, [u8; 4]>>>,
}

impl<'a> Keys<'a> {
    fn new(table: Option<&'a [[u8; 4]]>) -> Self {
        Self { numbers: table.map(|table| table.iter().peekable()) }
    }

    /// To be asked for growing numbers, which count from 1.
    fn contains(&mut self, number: u32) -> bool {
        let Some(numbers) = &mut self.numbers else { return true };
        while numbers.next_if(|next| u32::from_be_bytes(**next) < number).is_some() {}
        numbers.next_if(|next| u32::from_be_bytes(**next) == number).is_some()
    }
}

const fn triple(record: [u8; 12]) -> (u32, u32, u32) {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = record;
    let (first, second) = pair([a, b, c, d, e, f, g, h]);
    (first, second, u32::from_be_bytes([i, j, k, l]))
}
