//! Single fields of the heads of a movie and its tracks: `mvhd`, `tkhd`, `mdhd`, `hdlr` (ISO 14496-12, 8.2 to 8.4).

use super::boxes::{Fields, FourCc};
use crate::{Error, Orientation};

/// Timescale of `mvhd` or `mdhd`. How long they say that the film is, is often not true, and its samples say it.
pub(super) fn timescale(body: &[u8]) -> Result<u32, Error> {
    let (version, _, mut fields) = Fields::full(body, "mdhd")?;
    fields.skip(if version == 1 { 16 } else { 8 })?;
    let timescale = fields.u32()?;
    if timescale == 0 {
        return Err(Error::malformed("mdhd", "its timescale is 0"));
    }
    Ok(timescale)
}

/// The language of `mdhd`: three letters of five bits each; none where it says "undetermined".
pub(super) fn language(mdhd: &[u8]) -> Result<Option<String>, Error> {
    let (version, _, mut fields) = Fields::full(mdhd, "mdhd")?;
    fields.skip(if version == 1 { 28 } else { 16 })?;
    let packed = fields.u16()?;
    let letter = |shift: u16| char::from(0x60 + (packed >> shift & 0x1F) as u8);
    let code: String = [letter(10), letter(5), letter(0)].into_iter().collect();
    let is_code = code.bytes().all(|letter| letter.is_ascii_lowercase()) && code != "und";
    Ok(is_code.then_some(code))
}

/// The number of a track, by `tkhd`.
pub(super) fn track_number(tkhd: &[u8]) -> Result<u32, Error> {
    let (version, _, mut fields) = Fields::full(tkhd, "tkhd")?;
    fields.skip(if version == 1 { 16 } else { 8 })?;
    fields.u32()
}

/// How pictures are turned, by `tkhd`.
pub(super) fn matrix(tkhd: &[u8]) -> Result<Orientation, Error> {
    let (version, _, mut fields) = Fields::full(tkhd, "tkhd")?;
    // Times, track, duration, layer, group and volume.
    fields.skip(if version == 1 { 48 } else { 36 })?;
    read_matrix(fields)
}

/// And by `mvhd`, of the movie as a whole.
pub(super) fn movie_matrix(mvhd: &[u8]) -> Result<Orientation, Error> {
    let (version, _, mut fields) = Fields::full(mvhd, "mvhd")?;
    // Times, timescale, duration, rate and volume.
    fields.skip(if version == 1 { 44 } else { 32 })?;
    read_matrix(fields)
}

fn read_matrix(mut fields: Fields<'_>) -> Result<Orientation, Error> {
    let mut matrix = [0; 9];
    for field in &mut matrix {
        *field = fields.u32()? as i32;
    }
    // All zeros is what some programs write for nothing.
    Ok(if matrix == [0; 9] { Orientation::UPRIGHT } else { Orientation::new(matrix) })
}

/// What a track holds, by `hdlr`.
pub(super) fn handler_type(hdlr: &[u8]) -> Result<FourCc, Error> {
    let (_, _, mut fields) = Fields::full(hdlr, "hdlr")?;
    fields.skip(4)?;
    fields.array().map(FourCc)
}
