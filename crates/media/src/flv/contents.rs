//! What is in an FLV file that is written from its start to its end: its tracks, how long it is, and where its key frames are.
//! What is kept of it is bounded, however long the file becomes.

use bytes::Bytes;

use super::demux::Tag;
use super::metadata::{insert_keyframes, on_metadata_of, parse_on_metadata};
use super::mux::TagKind;
use super::tag::{CodedFrame, TagBody, decode_audio, decode_video};
use crate::amf::Object;
use crate::{DescribedTrack, Frame, MediaKind, SampleEntry, Timestamp, Track, TrackId};

/// Key frames whose places are kept: of more, some are left out at even distances. What a description of 64 KiB holds.
const KEYFRAMES_MAX: usize = 3_400;

/// What is in a file. All times are the file's own: it begins at 0.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    tracks: Vec<Described>,
    /// Times and places of key frames. The first place is that of the configurations before the first key frame: some
    /// players (mpegts.js) take the first entry for just that and pass over it.
    keyframes: Vec<(Timestamp, u64)>,
    /// Between two of them, at least.
    apart: Timestamp,
    /// Where configurations stand that no key frame has followed yet.
    announced_at: Option<u64>,
    /// The time of the last tag.
    last: Timestamp,
}

#[derive(Clone, Debug)]
struct Described {
    track: Track,
    entry: SampleEntry,
    /// When the last frame is decoded, and how long it lasts as far as the one before it tells.
    last: Option<Timestamp>,
    lasts: Timestamp,
    /// When the last frame is shown.
    shown: Timestamp,
}

impl Contents {
    /// A configuration of a track stands at byte `at`, or the track has none and begins there.
    fn announce(&mut self, track: &Track, at: u64) {
        // What it was at first is what the description says.
        if !self.knows(track.id) {
            let (entry, track, at_zero) = (SampleEntry::NONE, track.clone(), Timestamp::ZERO);
            self.tracks.push(Described { track, entry, last: None, lasts: at_zero, shown: at_zero });
        }
        if track.id.kind == MediaKind::Video {
            self.announced_at.get_or_insert(at);
        }
    }

    /// Whether there is neither a picture nor sound in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tracks.iter().all(|known| known.last.is_none())
    }

    fn knows(&self, id: TrackId) -> bool {
        self.tracks.iter().any(|known| known.track.id == id)
    }

    /// A frame stands at byte `at`, at its time within the file. The payload's beginning is enough.
    fn take(&mut self, frame: &Frame, at: u64) {
        self.last = self.last.max(frame.dts);
        let leader = self.leader();
        let Some(described) = self.tracks.iter_mut().find(|known| known.track.id == frame.track) else {
            return;
        };
        match described.last {
            None => described.entry = SampleEntry::of_frame(&frame.payload),
            Some(last) => described.lasts = (frame.dts - last).max(Timestamp::ZERO),
        }
        described.last = Some(frame.dts);
        described.shown = described.shown.max(frame.pts);
        if frame.is_video_key() && leader == Some(frame.track) {
            self.take_keyframe(frame.pts, at);
        }
    }

    /// A tag of the file, in its order.
    pub fn take_tag(&mut self, tag: Tag) {
        let Tag { kind, timestamp_ms, position, body } = tag;
        let dts = Timestamp::from_ms(timestamp_ms.into());
        let parts = match kind {
            TagKind::Video => decode_video(body),
            TagKind::Audio => decode_audio(body),
            TagKind::Script => return self.last = self.last.max(dts),
        };
        for part in parts.into_iter().flatten() {
            match part {
                TagBody::Config(track) => self.announce(&track, position),
                TagBody::Frame(coded) => {
                    let CodedFrame { track, codec, key, composition_ms, payload, .. } = coded;
                    let pts = dts + Timestamp::from_ms(composition_ms.into());
                    let frame = Frame { track, codec, dts, pts, key: key == Some(true), payload };
                    if !self.knows(track) {
                        self.announce(&Track::new(track, codec, Bytes::new()), position);
                    }
                    self.take(&frame, position);
                }
                TagBody::Extra { .. } | TagBody::EndOfSequence(_) | TagBody::Empty | TagBody::Command => {}
            }
        }
    }

    /// How long it plays.
    #[must_use]
    pub fn duration(&self) -> Timestamp {
        let ends = self.tracks.iter().filter(|known| known.last.is_some());
        ends.map(|known| known.shown + known.lasts).max().unwrap_or_default()
    }

    /// Whether it has pictures.
    #[must_use]
    pub fn has_video(&self) -> bool {
        self.has(MediaKind::Video)
    }

    /// Whether it has sound.
    #[must_use]
    pub fn has_audio(&self) -> bool {
        self.has(MediaKind::Audio)
    }

    fn has(&self, kind: MediaKind) -> bool {
        self.tracks.iter().any(|known| known.track.id.kind == kind)
    }

    /// The track whose key frames are those of the file: the first with pictures.
    fn leader(&self) -> Option<TrackId> {
        let video = self.tracks.iter().map(|known| known.track.id).filter(|id| id.kind == MediaKind::Video);
        video.min()
    }

    fn take_keyframe(&mut self, time: Timestamp, at: u64) {
        let begins_at = self.announced_at.take().unwrap_or(at);
        match self.keyframes.last() {
            None if begins_at < at => self.keyframes.extend([(time, begins_at), (time, at)]),
            // Who comes to where a configuration changes reads it first.
            None => self.keyframes.push((time, begins_at)),
            Some((last, _)) if time - *last >= self.apart => self.keyframes.push((time, begins_at)),
            Some(_) => {}
        }
        if self.keyframes.len() > KEYFRAMES_MAX {
            self.thin();
        }
    }

    /// Leaves out about half of the key frames; false if none can be left out.
    pub(super) fn thin(&mut self) -> bool {
        let before = self.keyframes.len();
        let span = self.keyframes.last().map_or(Timestamp::ZERO, |(last, _)| *last - self.keyframes[0].0);
        self.apart = Timestamp::from_nanos(span.as_nanos() / (before as i64 / 2).max(1));
        let (mut kept, apart) = (None, self.apart);
        let mut number = 0;
        self.keyframes.retain(|(time, _)| {
            number += 1;
            // The first two are at one time.
            let stays = number <= 2 || kept.is_none_or(|kept| *time - kept >= apart);
            kept = if stays { Some(*time) } else { kept };
            stays
        });
        self.keyframes.len() < before
    }

    /// The same without what lies at byte `end` and behind.
    pub(super) fn up_to(&self, end: u64) -> Self {
        let mut contents = self.clone();
        contents.keyframes.retain(|(_, at)| *at < end);
        contents
    }

    /// What an `onMetaData` says of the file, whose length is `bytes`.
    pub(super) fn describe(&self, bytes: u64) -> Object {
        let tracks: Vec<_> = self
            .tracks
            .iter()
            .map(|known| DescribedTrack { track: &known.track, entry: &known.entry })
            .collect();
        let about = parse_on_metadata(&on_metadata_of(&tracks, Some(self.duration())));
        let mut about = about.unwrap_or_default();
        about.insert("filesize", bytes as f64);
        about.insert("lasttimestamp", self.last.as_ms() as f64 / 1000.0);
        about.insert("hasVideo", self.has_video());
        about.insert("hasAudio", self.has_audio());
        about.insert("hasMetadata", true);
        about.insert("canSeekToEnd", false);
        match self.keyframes.last() {
            Some((_, last)) => about.insert("lastkeyframelocation", *last as f64),
            None => about.insert("hasKeyframes", false),
        }
        insert_keyframes(&mut about, &self.keyframes);
        about
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Codec;
    use crate::amf::Value;
    use crate::flv::growing;
    use crate::flv::metadata::{keyframe_index, metadata_payload};

    const ROOM: usize = (64 << 10) + 4;
    const NOTE: &[u8] = &[7; 1_000];

    /// Key frames every two seconds, at bytes that grow by `bytes`.
    fn long(keyframes: u64, bytes: u64) -> Contents {
        let mut contents = Contents::default();
        contents.announce(&Track::new(TrackId::VIDEO, Codec::H264, Bytes::new()), 100);
        for number in 0..keyframes {
            let at = Timestamp::from_ms(2_000 * number as i64);
            let (track, codec, payload) = (TrackId::VIDEO, Codec::H264, Bytes::new());
            contents
                .take(&Frame { track, codec, dts: at, pts: at, key: true, payload }, 200 + number * bytes);
        }
        contents
    }

    fn apply(front: &mut [u8], writes: &[growing::Write]) {
        for (at, bytes) in writes {
            front[*at as usize..][..bytes.len()].copy_from_slice(bytes);
        }
    }

    fn about(front: &[u8]) -> Object {
        parse_on_metadata(&front[24..ROOM - 4]).expect("it can be read at any time")
    }

    #[test]
    fn of_very_many_key_frames_some_are_listed_at_even_distances() {
        for count in [1, 2, 3_000, 3_399, 3_400, 3_401, 50_000, 1_000_000] {
            let (contents, end) = (long(count, 1_000), 300 + count * 1_000);
            let mut front = growing::begin_file(None, &contents, ROOM, NOTE).unwrap().to_vec();
            assert!(growing::is_growing(&front) && about(&front).get("keyframes").is_none());
            for write in growing::complete(&contents, &front, NOTE.len(), end).unwrap() {
                apply(&mut front, &[write]);
                about(&front);
            }
            assert!(!growing::is_growing(&front) && front[ROOM - 4 - NOTE.len()..].starts_with(NOTE));
            let listed = keyframe_index(&about(&front)).unwrap();
            assert_eq!(listed[0], (Timestamp::ZERO, 100), "the configuration");
            assert!(listed.len() as u64 == count + 1 || listed.len() > 1_600, "{} of {count}", listed.len());
            for (time, position) in &listed[1..] {
                assert_eq!(*position, 200 + time.as_ms() as u64 / 2, "it is where its key frame is");
            }
            let apart: Vec<_> = listed[1..].windows(2).map(|pair| (pair[1].0 - pair[0].0).as_ms()).collect();
            let (min, max) = (apart.iter().min().unwrap_or(&0), apart.iter().max().unwrap_or(&0));
            assert!(*max <= 2 * min + 2_000, "{min} to {max} ms apart");
        }
    }

    #[test]
    fn what_the_publisher_says_stays_and_what_we_know_better_is_replaced() {
        let contents = long(3, 100);
        let said = |text: &str| {
            let said = Object::new().with("title", text).with("duration", 0.0).with("encoder", "a camera");
            metadata_payload(said)
        };
        let mut front = growing::begin_file(Some(&said("a goal")), &contents, ROOM, NOTE).unwrap().to_vec();
        assert_eq!(about(&front).get("title"), Some(&Value::string("a goal")));
        assert_eq!(about(&front).get("duration"), None, "what is of a file alone is not known yet");
        let writes = growing::complete(&contents, &front, NOTE.len(), 450).unwrap();
        apply(&mut front, &writes);
        let about_all = about(&front);
        assert_eq!(about_all.get("title"), Some(&Value::string("a goal")));
        assert_eq!(about_all.get("duration"), Some(&Value::Number(6.0)));
        assert_eq!(about_all.iter().filter(|(name, _)| **name == *"encoder").count(), 1);
        // Too long for the page that is written at once.
        let front = growing::begin_file(Some(&said(&"x".repeat(3_000))), &contents, ROOM, NOTE).unwrap();
        assert_eq!(about(&front).get("title"), None);
        assert!(growing::begin_file(None, &contents, 1_200, NOTE).is_err());
        assert!(growing::complete(&contents, &[0; ROOM], NOTE.len(), 450).is_err());
        assert!(growing::complete(&contents, b"FLV", NOTE.len(), 450).is_err());
    }
}
