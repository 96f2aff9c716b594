//! Fragments (`moof`): samples described where they lie (ISO 14496-12, 8.8).

use super::boxes::{Fields, children};
use super::sample_table_reader::RawSample;
use crate::Error;

const NOT_SYNC: u32 = 0x0001_0000;

/// A track that fragments add samples to.
pub(super) trait FragmentedTrack {
    /// Its `track_ID`.
    fn number(&self) -> u32;
    /// What its samples are like unless a fragment says otherwise.
    fn defaults(&self) -> SampleDefaults;
    /// Where the next fragment without a time of its own goes on.
    fn next_dts(&mut self) -> &mut i64;
}

/// What a sample is like unless something nearer to it says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SampleDefaults {
    pub(super) duration: u32,
    pub(super) size: u32,
    pub(super) flags: u32,
    /// The number of the sample description.
    pub(super) description: u32,
}

impl SampleDefaults {
    /// The track number and defaults of `trex`.
    pub(super) fn parse_trex(trex: &[u8]) -> Result<(u32, Self), Error> {
        let (_, _, mut fields) = Fields::full(trex, "trex")?;
        let number = fields.u32()?;
        let description = fields.u32()?;
        let (duration, size, flags) = (fields.u32()?, fields.u32()?, fields.u32()?);
        Ok((number, Self { duration, size, flags, description }))
    }
}

/// Reads a `moof` that starts at `position`; `visit` gets the track, its number in `tracks` and each
/// sample, and says whether to go on.
pub(super) fn read_moof<T: FragmentedTrack>(
    moof: &[u8],
    position: u64,
    tracks: &mut [T],
    mut visit: impl FnMut(&mut T, u8, RawSample) -> bool,
) -> Result<(), Error> {
    // Without a base of its own, a track's data follows that of the one before it.
    let mut end_of_data = position;
    for (_, traf) in children(moof).filter(|(kind, _)| kind.0 == *b"traf") {
        let head = TrackHead::parse(traf, position, end_of_data, tracks)?;
        let Some(number) = head.track else { continue };
        let Some(track) = tracks.get_mut(usize::from(number)) else { continue };
        if let Some(tfdt) = children(traf).find_kind(b"tfdt") {
            let (version, _, mut fields) = Fields::full(tfdt, "tfdt")?;
            *track.next_dts() = i64::try_from(fields.sized(version == 1)?).unwrap_or(i64::MAX);
        }
        let mut at = head.base;
        for (_, trun) in children(traf).filter(|(kind, _)| kind.0 == *b"trun") {
            let run = Run::parse(trun, &head, at)?;
            at = run.walk(track, |track, sample| visit(track, number, sample))?;
        }
        end_of_data = at;
    }
    Ok(())
}

/// What `tfhd` says.
struct TrackHead {
    /// The place in the list of tracks; `None` for tracks that are not played.
    track: Option<u8>,
    base: u64,
    defaults: SampleDefaults,
}

impl TrackHead {
    fn parse<T: FragmentedTrack>(
        traf: &[u8],
        moof: u64,
        end_of_data: u64,
        tracks: &[T],
    ) -> Result<Self, Error> {
        let tfhd = super::boxes::required(traf, b"tfhd")?;
        let (_, flags, mut fields) = Fields::full(tfhd, "tfhd")?;
        let number = fields.u32()?;
        let track = tracks.iter().position(|track| track.number() == number);
        let mut defaults =
            track.and_then(|at| tracks.get(at)).map(FragmentedTrack::defaults).unwrap_or_default();
        let base = if flags & 0x1 != 0 {
            fields.u64()?
        } else if flags & 0x2_0000 != 0 {
            moof
        } else {
            end_of_data
        };
        for (bit, field) in [
            (0x2, &mut defaults.description),
            (0x8, &mut defaults.duration),
            (0x10, &mut defaults.size),
            (0x20, &mut defaults.flags),
        ] {
            if flags & bit != 0 {
                *field = fields.u32()?;
            }
        }
        Ok(Self { track: track.and_then(|at| u8::try_from(at).ok()), base, defaults })
    }
}

/// One `trun`.
struct Run<'a> {
    version: u8,
    flags: u32,
    count: u32,
    offset: u64,
    first_flags: Option<u32>,
    defaults: SampleDefaults,
    fields: Fields<'a>,
}

impl<'a> Run<'a> {
    fn parse(trun: &'a [u8], head: &TrackHead, at: u64) -> Result<Self, Error> {
        let (version, flags, mut fields) = Fields::full(trun, "trun")?;
        let count = fields.u32()?;
        let offset = if flags & 0x1 != 0 {
            head.base
                .checked_add_signed(i64::from(fields.u32()? as i32))
                .ok_or_else(|| Error::malformed("trun", "its data offset leaves the file"))?
        } else {
            at
        };
        let first_flags = if flags & 0x4 != 0 { Some(fields.u32()?) } else { None };
        Ok(Self { version, flags, count, offset, first_flags, defaults: head.defaults, fields })
    }

    /// Calls `visit` for each sample; the end of the data comes back.
    fn walk<T: FragmentedTrack>(
        mut self,
        track: &mut T,
        mut visit: impl FnMut(&mut T, RawSample) -> bool,
    ) -> Result<u64, Error> {
        for index in 0..self.count {
            let duration = self.field(0x100, self.defaults.duration)?;
            let size = self.field(0x200, self.defaults.size)?;
            let mut flags = self.field(0x400, self.defaults.flags)?;
            if let Some(first) = self.first_flags.filter(|_| index == 0) {
                flags = first;
            }
            let composition = self.field(0x800, 0)?;
            // Version 0 is formally unsigned; as in ctts, everybody who goes below zero means it.
            let composition = if self.version == 0 && composition < 0x8000_0000 {
                i64::from(composition)
            } else {
                i64::from(composition as i32)
            };
            let sample = RawSample {
                offset: self.offset,
                size,
                dts: *track.next_dts(),
                composition,
                duration,
                key: flags & NOT_SYNC == 0,
                description: self.defaults.description.max(1),
            };
            if size > 0 && !visit(track, sample) {
                break;
            }
            // A run of empty samples costs no bytes: it must not cost unbounded time either.
            if size == 0 && self.flags & 0xF00 == 0 {
                break;
            }
            *track.next_dts() = track.next_dts().saturating_add(i64::from(duration));
            self.offset = self.offset.saturating_add(u64::from(size));
        }
        Ok(self.offset)
    }

    fn field(&mut self, bit: u32, default: u32) -> Result<u32, Error> {
        if self.flags & bit != 0 { self.fields.u32() } else { Ok(default) }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod text_tests;
