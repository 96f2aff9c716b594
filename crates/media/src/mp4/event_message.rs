//! Script data in MP4: what a publisher says by name (`onTextData`, `onCuePoint`). While a file grows it is kept in messages
//! between the fragments (`emsg`, ISO 23009-1, 5.10.3.3), whose scheme players pass over when they do not know it; a file
//! that is complete names the same bytes as the samples of a track (`urim`, ISO 14496-12, 12.3.3.2).

use bytes::{BufMut, Bytes, BytesMut};

use super::boxes::{Fields, children, put_box, put_full};
use crate::index::{Index, IndexedTrack, SAMPLE_LEN_MAX, Sample};
use crate::presented::LONE;
use crate::{Codec, Error, Frame, Orientation, SampleEntry, Timestamp, Track, TrackId};

/// Names the messages, and the track, that hold script data: AMF0 values, handler name first.
pub const SCRIPT_SCHEME: &str = "urn:headwater:script:amf0";
/// Ticks per second of their times.
pub const SCRIPT_TIMESCALE: u32 = 1000;

/// A frame of script data as a box; its payload is at the end. `number` tells it from the others of its file.
#[must_use]
pub fn script_message(number: u32, frame: &Frame) -> Bytes {
    const DURATION_UNKNOWN: u32 = u32::MAX;
    let mut out = BytesMut::with_capacity(64 + frame.payload.len());
    put_full(&mut out, b"emsg", 1, 0, |out| {
        out.put_u32(SCRIPT_TIMESCALE);
        out.put_i64(frame.pts.to_ticks(SCRIPT_TIMESCALE).max(0));
        out.put_u32(DURATION_UNKNOWN);
        out.put_u32(number);
        out.put_slice(SCRIPT_SCHEME.as_bytes());
        // The end of the scheme, and an empty value.
        out.put_slice(&[0, 0]);
        out.put_slice(&frame.payload);
    });
    out.freeze()
}

/// Where in the body of an `emsg` script data begins, and when it is due; `None` of all other messages.
fn read_message(body: &[u8]) -> Result<Option<(usize, Timestamp)>, Error> {
    let (version, _, mut fields) = Fields::full(body, "emsg")?;
    if version != 1 {
        return Ok(None);
    }
    let timescale = fields.u32()?;
    let at = i64::try_from(fields.u64()?).unwrap_or(i64::MAX);
    fields.skip(8)?;
    let named = [SCRIPT_SCHEME.as_bytes(), &[0, 0]].concat();
    let Some(payload) = fields.rest().strip_prefix(named.as_slice()) else { return Ok(None) };
    Ok(Some((body.len() - payload.len(), Timestamp::from_ticks(at, timescale.max(1)))))
}

/// The messages of a file that is read, in its order.
#[derive(Clone, Debug, Default)]
pub(super) struct ScriptMessages {
    samples: Vec<Sample>,
}

impl ScriptMessages {
    /// Takes the body of an `emsg` that begins at byte `at` of the file.
    pub(super) fn add(&mut self, body: &[u8], at: u64) -> Result<(), Error> {
        let Some((begins, due)) = read_message(body)? else { return Ok(()) };
        let len = (body.len() - begins) as u64;
        if len == 0 || len > SAMPLE_LEN_MAX {
            return Ok(());
        }
        self.samples.push(Sample {
            offset: at + begins as u64,
            dts: due,
            pts: due,
            size: len as u32,
            track: 0,
            key: true,
            decode_only: false,
            needs_repair: false,
        });
        Ok(())
    }

    pub(super) const fn len(&self) -> usize {
        self.samples.len()
    }

    /// Forgets those behind the first so many.
    pub(super) fn truncate(&mut self, len: usize) {
        self.samples.truncate(len);
    }

    /// Adds them to the tracks and samples of a file, as a track without a picture or a sound.
    pub(super) fn put_into(&mut self, index: &mut Index) -> bool {
        let Some(place) = u8::try_from(index.tracks.len()).ok().filter(|_| !self.samples.is_empty()) else {
            return false;
        };
        let number = index.tracks.iter().map(|track| track.number).max().unwrap_or(0).saturating_add(1);
        index.tracks.push(IndexedTrack {
            track: Track::new(TrackId::DATA, Codec::Script, Bytes::new()),
            entry: SampleEntry::NONE,
            number,
            orientation: Orientation::UPRIGHT,
            timescale: SCRIPT_TIMESCALE,
            end: Timestamp::ZERO,
            renews_gradually: false,
            leads_in_whole: false,
            last_lasts: LONE,
            language: None,
        });
        index.samples.extend(self.samples.drain(..).map(|sample| Sample { track: place, ..sample }));
        true
    }
}

/// Writes the sample entry of script data.
pub(super) fn put_script_entry(out: &mut BytesMut) {
    put_box(out, b"urim", |out| {
        out.put_slice(&[0, 0, 0, 0, 0, 0, 0, 1]);
        put_full(out, b"uri ", 0, 0, |out| {
            out.put_slice(SCRIPT_SCHEME.as_bytes());
            out.put_u8(0);
        });
    });
}

/// Whether a sample entry of that kind is of script data.
pub(super) fn is_script_entry(body: &[u8]) -> Result<bool, Error> {
    let mut fields = Fields::new(body, "urim");
    fields.skip(8)?;
    let Some(uri) = children(fields.rest()).find_kind(b"uri ") else { return Ok(false) };
    let (_, _, fields) = Fields::full(uri, "uri ")?;
    let uri = fields.rest();
    Ok(uri.strip_suffix(&[0]).unwrap_or(uri) == SCRIPT_SCHEME.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written_and_others_are_passed_over() {
        let at = Timestamp::from_ms(83_040);
        let payload = Bytes::from_static(b"\x02\0\x0AonTextData\x05");
        let frame =
            Frame { track: TrackId::DATA, codec: Codec::Script, dts: at, pts: at, key: true, payload };
        let message = script_message(7, &frame);
        let body = &message[8..];
        let (begins, due) = read_message(body).unwrap().unwrap();
        assert_eq!((&body[begins..], due), (&frame.payload[..], at));
        for end in 0..begins {
            assert!(!matches!(read_message(&body[..end]), Ok(Some(_))), "cut at {end}");
        }
        let mut other = body.to_vec();
        other[30] ^= 1;
        assert_eq!(read_message(&other).unwrap(), None, "another scheme");
        other[0] = 0;
        assert_eq!(read_message(&other).unwrap(), None, "another version");
        // Of no more bytes than that, nothing is a frame.
        let mut messages = ScriptMessages::default();
        messages.add(&body[..begins], 100).unwrap();
        assert_eq!(messages.len(), 0);
        messages.add(body, 100).unwrap();
        assert_eq!(messages.samples[0].offset, 100 + begins as u64);
    }
}
