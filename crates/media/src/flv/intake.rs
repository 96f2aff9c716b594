//! A [`Normalizer`] for who records and shows: what cannot be used is left out and counted, and the rest goes on.
//!
//! One damaged message in hours of a stream is no reason to end a recording. The caller tells people what was
//! left out ([`Intake::left_out`]).

use std::borrow::Cow;

use bytes::Bytes;

use super::normalizer::{MediaItem, MediaItems, Normalizer};
use crate::amf::{self, amf0};
use crate::{Error, MediaKind};

/// Reasons that are told apart, at most: a sender can invent FourCCs without end. All others are counted together.
const REASONS_MAX: usize = 16;
const OTHER_REASONS: &str = "other reasons";

/// Takes tag bodies or messages and leaves out what cannot be used.
#[derive(Clone, Debug, Default)]
pub struct Intake {
    normalizer: Normalizer,
    refused: LeftOut,
}

impl Intake {
    /// What the body of one tag or message amounts to; nothing if it cannot be used.
    pub fn take(&mut self, kind: MediaKind, timestamp_ms: u32, body: Bytes) -> MediaItems {
        let taken = match kind {
            MediaKind::Audio => self.normalizer.push_audio(timestamp_ms, body),
            MediaKind::Video => self.normalizer.push_video(timestamp_ms, body),
            MediaKind::Data => self.take_data(timestamp_ms, body),
        };
        taken.unwrap_or_else(|error| {
            self.refused.add(error.to_string(), 1);
            MediaItems::default()
        })
    }

    /// What was held back because it might not have been whole: to be asked for at the end.
    pub fn flush(&mut self) -> MediaItems {
        self.normalizer.flush()
    }

    /// A name with values behind it that nobody can read would make a file that nobody can read.
    fn take_data(&mut self, timestamp_ms: u32, body: Bytes) -> Result<MediaItems, Error> {
        let items = self.normalizer.push_data(timestamp_ms, body);
        for item in items.clone() {
            if let MediaItem::Frame(frame) = item {
                readable(&frame.payload)
                    .map_err(|error| Error::malformed("script data", error.to_string()))?;
            }
        }
        Ok(items)
    }

    /// Messages left out so far. Cheap: to be asked behind every message.
    #[must_use]
    pub fn left_out_count(&self) -> u64 {
        self.refused.total() + self.dropped().iter().map(|(_, count)| count).sum::<u64>()
    }

    /// What was left out so far, and why.
    #[must_use]
    pub fn left_out(&self) -> LeftOut {
        let mut all = self.refused.clone();
        self.dropped().into_iter().for_each(|(reason, count)| all.add(reason, count));
        all
    }

    /// What is known of the tracks, and what was repaired.
    #[must_use]
    pub const fn normalizer(&self) -> &Normalizer {
        &self.normalizer
    }

    /// What the normalizer drops without an error.
    fn dropped(&self) -> [(&'static str, u64); 4] {
        let repaired = self.normalizer.repaired();
        [
            ("pictures whose NAL units run past their end", repaired.damaged),
            (
                "frames that nothing has told how to decode: no configuration came before them",
                repaired.unannounced,
            ),
            ("parts of messages with several tracks", repaired.partly_used),
            ("script data without a name", repaired.bad_data),
        ]
    }
}

/// How much was left out, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    reasons: Vec<(Cow<'static, str>, u64)>,
}

impl LeftOut {
    /// Counts so many messages; none is no reason.
    pub fn add(&mut self, reason: impl Into<Cow<'static, str>>, count: u64) {
        if count == 0 {
            return;
        }
        let mut reason = reason.into();
        if self.reasons.len() >= REASONS_MAX && !self.reasons.iter().any(|(known, _)| *known == reason) {
            reason = OTHER_REASONS.into();
        }
        match self.reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, counted)) => *counted += count,
            None => self.reasons.push((reason, count)),
        }
    }

    /// Counts what was left out elsewhere as well.
    pub fn merge(&mut self, other: &Self) {
        other.reasons.iter().for_each(|(reason, count)| self.add(reason.clone(), *count));
    }

    /// All that was left out.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.reasons.iter().map(|(_, count)| count).sum()
    }

    /// Each reason, a sentence's beginning without a position, and how often; in the order of their first time.
    pub fn reasons(&self) -> impl ExactSizeIterator<Item = (&str, u64)> {
        self.reasons.iter().map(|(reason, count)| (reason.as_ref(), *count))
    }
}

/// Reads all values; a reader of the file will do the same.
fn readable(payload: &[u8]) -> Result<(), amf::Error> {
    let mut decoder = amf0::Decoder::new(payload, &amf::Limits::FILE);
    while decoder.next_value()?.is_some() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Codec, TrackId};

    const AAC: &[u8] = &[0xAF, 0, 0x12, 0x10];
    const SOUND: &[u8] = &[0xAF, 1, 0x21, 0x10];

    fn take(intake: &mut Intake, kind: MediaKind, body: &[u8]) -> Vec<MediaItem> {
        intake.take(kind, 0, Bytes::copy_from_slice(body)).collect()
    }

    #[test]
    fn what_cannot_be_used_is_left_out_and_the_rest_goes_on() {
        let mut intake = Intake::default();
        assert_eq!(take(&mut intake, MediaKind::Audio, AAC).len(), 1);
        for (kind, bad) in [
            (MediaKind::Video, &[0x17, 0, 0, 0, 0, 1, 0x42][..]),
            (MediaKind::Audio, &[0xAF, 0, 0x12]),
            (MediaKind::Audio, &[0xCF, 1, 2, 3]),
            (MediaKind::Video, b"\x91zzzz\0\0\0"),
            (MediaKind::Video, b"\x91zzzz\0\0\0"),
            // Nothing has told how to decode it.
            (MediaKind::Video, &[0x27, 1, 0, 0, 0, 0, 0, 0, 1, 0x41]),
            // `onCuePoint` and a string that is cut off.
            (MediaKind::Data, b"\x02\x00\x0AonCuePoint\x02\x00\x09ab"),
            (MediaKind::Data, &[9, 9, 9, 9]),
        ] {
            assert_eq!(take(&mut intake, kind, bad), [], "{bad:?}");
        }
        let sound = take(&mut intake, MediaKind::Audio, SOUND);
        assert!(matches!(&sound[..], [MediaItem::Frame(frame)] if frame.codec == Codec::Aac), "{sound:?}");
        let left_out = intake.left_out();
        let texts: Vec<_> = left_out.reasons().collect();
        assert_eq!((left_out.total(), intake.left_out_count(), texts.len()), (8, 8, 7), "{texts:?}");
        let zzzz = texts.iter().find(|(reason, _)| reason.contains("zzzz"));
        assert_eq!(zzzz.map(|(_, count)| *count), Some(2), "{texts:?}");
        assert_eq!(intake.normalizer().tracks().map(|track| track.id).collect::<Vec<_>>(), [TrackId::AUDIO]);
    }

    #[test]
    fn invented_codecs_cost_no_memory() {
        let mut intake = Intake::default();
        for number in 0..1000_u32 {
            let body = [&[0x91][..], &number.to_be_bytes(), &[0, 0, 0]].concat();
            take(&mut intake, MediaKind::Video, &body);
        }
        let left_out = intake.left_out();
        assert_eq!((left_out.total(), left_out.reasons().len()), (1000, REASONS_MAX + 1));
        assert_eq!(left_out.reasons().last(), Some((OTHER_REASONS, 1000 - REASONS_MAX as u64)));
    }
}
