//! `onMetaData`: what a stream says of itself, and the key frame index that files keep in it.
//!
//! It is advice for players. What it names is waited for, for a while, and otherwise it decides nothing: encoders write
//! what is not true (5.9).

use bytes::Bytes;

use crate::amf::{Limits, Object, Value, amf0};
use crate::index::{Index, Sample};
use crate::{Codec, DescribedTrack, MediaKind, Timestamp, Track};

/// Key frames that a film's description lists, at most; of more, some are left out at even distances.
pub(super) const KEYFRAMES_MAX: i64 = 10_000;
const NAME: &str = "onMetaData";
const ENCODER: &str = concat!("Headwater ", env!("CARGO_PKG_VERSION"));

/// The payload of an `onMetaData` script frame that says what is known from the tracks' configurations,
/// and the duration of a film. What is not there is not mentioned: players wait for announced tracks.
#[must_use]
pub fn on_metadata(tracks: &[Track], duration: Option<Timestamp>) -> Bytes {
    let described: Vec<_> = tracks.iter().map(DescribedTrack::bare).collect();
    on_metadata_of(&described, duration)
}

/// As [`on_metadata`], with all that describes the tracks.
pub(super) fn on_metadata_of(tracks: &[DescribedTrack<'_>], duration: Option<Timestamp>) -> Bytes {
    let mut about = Object::new();
    if let Some(duration) = duration {
        about.insert("duration", duration.as_seconds());
    }
    for kind in [MediaKind::Video, MediaKind::Audio] {
        let of_kind = || tracks.iter().filter(move |described| described.track.id.kind == kind);
        // A lone track describes the stream, whatever its number is.
        let main = of_kind().min_by_key(|described| described.track.id.index);
        if let Some(main) = main {
            describe(main, &mut about);
        }
        let mut others = Object::new();
        for other in of_kind().filter(|other| Some(other.track.id) != main.map(|main| main.track.id)) {
            let mut entry = Object::new();
            describe(other, &mut entry);
            others.insert(other.track.id.index.to_string().as_str(), entry);
        }
        let map = if kind == MediaKind::Video { "videoTrackIdInfoMap" } else { "audioTrackIdInfoMap" };
        if !others.is_empty() {
            about.insert(map, others);
        }
    }
    about.insert("encoder", ENCODER);
    metadata_payload(about)
}

/// The payload that says this.
pub(super) fn metadata_payload(about: Object) -> Bytes {
    amf0::encode_all(&[Value::string(NAME), Value::EcmaArray(about)])
}

/// The `onMetaData` of a whole film for a player over RTMP: what its tracks are at the beginning, how long it is, and
/// its key frames with the times that they are sought by and their places in the film's own file.
#[must_use]
pub fn film_metadata(index: &Index) -> Bytes {
    let tracks = index.described_at(0);
    let mut about = parse_on_metadata(&on_metadata_of(&tracks, Some(index.duration()))).unwrap_or_default();
    let apart = Timestamp::from_nanos(index.duration().as_nanos() / KEYFRAMES_MAX);
    let mut keyframes: Vec<(Timestamp, u64)> = Vec::new();
    let video = index.tracks().iter().position(|track| track.track.id.kind == MediaKind::Video);
    let of_picture = |sample: &&Sample| sample.key && Some(usize::from(sample.track)) == video;
    for sample in index.samples().iter().filter(of_picture) {
        let at = sample.pts.max(Timestamp::ZERO);
        if keyframes.last().is_none_or(|(before, _)| at - *before >= apart) {
            keyframes.push((at, sample.offset));
        }
    }
    insert_keyframes(&mut about, &keyframes);
    metadata_payload(about)
}

/// Lists key frames as players look for them; nothing where there are none.
pub(super) fn insert_keyframes(about: &mut Object, keyframes: &[(Timestamp, u64)]) {
    let Some((last, _)) = keyframes.last() else { return };
    about.insert("hasKeyframes", true);
    about.insert("lastkeyframetimestamp", last.as_seconds());
    let list = |number: fn(&(Timestamp, u64)) -> f64| {
        Value::StrictArray(keyframes.iter().map(|entry| Value::Number(number(entry))).collect())
    };
    let lists = Object::new()
        .with("times", list(|(at, _)| at.as_ms() as f64 / 1000.0))
        .with("filepositions", list(|(_, position)| *position as f64));
    about.insert("keyframes", lists);
}

/// A file's own `onMetaData` for a live stream of it: without what is true of the file alone, such as its length and
/// where its key frames are. What cannot be read stays as it is.
#[must_use]
pub fn live_metadata(payload: &Bytes) -> Bytes {
    const OF_THE_FILE: [&[u8]; 12] = [
        b"duration",
        b"filesize",
        b"datasize",
        b"videosize",
        b"audiosize",
        b"lasttimestamp",
        b"lastkeyframetimestamp",
        b"lastkeyframelocation",
        b"hasKeyframes",
        b"keyframes",
        b"canSeekToEnd",
        b"totalframes",
    ];
    let Some(about) = parse_on_metadata(payload) else { return payload.clone() };
    let mut live = Object::new();
    for (key, value) in about.iter().filter(|(key, _)| !OF_THE_FILE.contains(&key.as_bytes())) {
        live.insert(key.clone(), value.clone());
    }
    metadata_payload(live)
}

/// Whether the payload of a script frame is the stream's description.
#[must_use]
pub fn is_on_metadata(payload: &[u8]) -> bool {
    payload.starts_with(b"\x02\x00\x0aonMetaData")
}

/// The values of an `onMetaData` payload; `None` if it is another message or cannot be read.
#[must_use]
pub fn parse_on_metadata(payload: &[u8]) -> Option<Object> {
    let values = amf0::decode_all_with(payload, &Limits::FILE).ok()?;
    let [name, about, ..] = values.as_slice() else { return None };
    let is_metadata = name.as_text().is_some_and(|name| *name == *NAME);
    about.as_object().filter(|_| is_metadata).cloned()
}

/// The kinds of tracks that it names a codec for. A codec that is null, an empty text or a negative number is none.
#[must_use]
pub fn named_kinds(about: &Object) -> Vec<MediaKind> {
    let is_codec = |value: &Value| match value {
        Value::Number(number) => *number >= 0.0,
        value => value.as_text().is_some_and(|name| *name != *""),
    };
    let keys = [(MediaKind::Video, "videocodecid"), (MediaKind::Audio, "audiocodecid")];
    keys.into_iter().filter(|(_, key)| about.get(key).is_some_and(is_codec)).map(|(kind, _)| kind).collect()
}

/// Where the key frames of a file are: time, and position of the tag (see
/// [`TagReader::at_tag`](super::TagReader::at_tag)). `None` if there is no index, or it is inconsistent.
/// The positions are the writer's word: whoever jumps there must be ready to find no tag.
#[must_use]
pub fn keyframe_index(about: &Object) -> Option<Vec<(Timestamp, u64)>> {
    let index = about.get("keyframes")?.as_object()?;
    let list = |key| match index.get(key)? {
        Value::StrictArray(values) => Some(values),
        _ => None,
    };
    let (times, positions) = (list("times")?, list("filepositions")?);
    if times.len() != positions.len() {
        return None;
    }
    // Beyond 2^53 a double no longer counts single bytes; no file is that long.
    let in_range = |number: &f64| (0.0..9.0e15).contains(number);
    let entries = times.iter().zip(positions).map(|(time, position)| {
        let seconds = time.as_number().filter(in_range)?;
        let position = position.as_number().filter(in_range)?;
        Some((Timestamp::from_ms((seconds * 1000.0).round() as i64), position as u64))
    });
    let entries: Option<Vec<_>> = entries.collect();
    let forward = |pair: &[(Timestamp, u64)]| pair[0].0 <= pair[1].0 && pair[0].1 < pair[1].1;
    entries.filter(|entries| entries.windows(2).all(forward))
}

/// What is known of one track, in the words of the metadata.
fn describe(described: &DescribedTrack<'_>, about: &mut Object) {
    let DescribedTrack { track, .. } = described;
    let details = described.details();
    let is_video = track.id.kind == MediaKind::Video;
    if let Some(id) = codec_number(track.codec) {
        about.insert(if is_video { "videocodecid" } else { "audiocodecid" }, id);
    }
    let numbers = [
        ("width", details.width.map(f64::from)),
        ("height", details.height.map(f64::from)),
        ("framerate", details.frame_rate),
        ("audiosamplerate", details.sample_rate.map(f64::from)),
        ("audiosamplesize", (track.codec == Codec::Aac).then_some(16.0)),
        ("audiochannels", details.channels.map(f64::from)),
    ];
    for (key, number) in numbers {
        if let Some(number) = number {
            about.insert(key, number);
        }
    }
    if let Some(channels) = details.channels {
        about.insert("stereo", channels == 2);
    }
}

/// The number of FLV, or for codecs that it does not know the FourCC as a number (Enhanced RTMP).
fn codec_number(codec: Codec) -> Option<f64> {
    Some(match codec {
        Codec::H264 => 7.0,
        Codec::Aac => 10.0,
        Codec::FlvVideo(id) => f64::from(id),
        Codec::Mp3 { flv_flags } | Codec::FlvAudio(flv_flags) => f64::from(flv_flags >> 4),
        codec => f64::from(u32::from_be_bytes(codec.four_cc()?)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TrackId;

    #[test]
    fn only_what_is_there_is_mentioned() {
        let aac = Track::new(TrackId::AUDIO, Codec::Aac, Bytes::from_static(&[0x11, 0x90]));
        let about = parse_on_metadata(&on_metadata(&[aac], None)).unwrap();
        assert_eq!(about.get("audiocodecid"), Some(&Value::Number(10.0)));
        assert_eq!(about.get("audiosamplerate"), Some(&Value::Number(48_000.0)));
        assert_eq!(about.get("stereo"), Some(&Value::Boolean(true)));
        for absent in ["videocodecid", "width", "duration"] {
            assert_eq!(about.get(absent), None, "{absent}");
        }
    }

    #[test]
    fn further_tracks_stand_in_a_map_by_their_number() {
        let track = |kind, index, codec, config: &'static [u8]| {
            Track::new(TrackId { kind, index }, codec, Bytes::from_static(config))
        };
        let av1 = &[0x81, 0, 0x0C, 0, 0x0A, 0x0A, 0, 0, 0, 3, 0xB4, 0xFD, 0x90, 0x0B, 0xE0, 1];
        let tracks = [
            track(MediaKind::Video, 1, Codec::Av1, av1),
            track(MediaKind::Audio, 2, Codec::Opus, &[]),
            track(MediaKind::Video, 0, Codec::H264, &[]),
        ];
        let about = parse_on_metadata(&on_metadata(&tracks, None)).unwrap();
        assert_eq!(about.get("videocodecid"), Some(&Value::Number(7.0)));
        let second = about.get("videoTrackIdInfoMap").and_then(Value::as_object).unwrap();
        let second = second.get("1").and_then(Value::as_object).unwrap();
        assert_eq!(second.get("videocodecid"), Some(&Value::Number(1_635_135_537.0)));
        assert_eq!(second.get("width"), Some(&Value::Number(160.0)));
        assert_eq!(about.get("audiocodecid"), Some(&Value::Number(1_332_770_163.0)));
        assert_eq!(about.get("audioTrackIdInfoMap"), None);
    }

    #[test]
    fn an_inconsistent_index_is_none() {
        let index = |times: Vec<Value>, positions: Vec<Value>| {
            let keyframes = Object::new()
                .with("times", Value::StrictArray(times))
                .with("filepositions", Value::StrictArray(positions));
            keyframe_index(&Object::new().with("keyframes", keyframes))
        };
        let numbers = |values: &[f64]| values.iter().copied().map(Value::Number).collect::<Vec<_>>();
        assert_eq!(
            index(numbers(&[0.0, 1.5]), numbers(&[13.0, 99.0])),
            Some(vec![(Timestamp::ZERO, 13), (Timestamp::from_ms(1500), 99)])
        );
        assert_eq!(index(numbers(&[0.0]), numbers(&[13.0, 99.0])), None);
        assert_eq!(index(numbers(&[0.0, 1.0]), numbers(&[99.0, 13.0])), None);
        assert_eq!(index(numbers(&[1.0, 0.0]), numbers(&[13.0, 99.0])), None);
        assert_eq!(index(vec![Value::Null], numbers(&[13.0])), None);
        assert_eq!(index(numbers(&[f64::NAN]), numbers(&[-1.0])), None);
        assert_eq!(keyframe_index(&Object::new()), None);
    }

    #[test]
    fn tracks_are_named_by_their_codecs() {
        let about = |video: Value, audio: Value| {
            named_kinds(&Object::new().with("videocodecid", video).with("audiocodecid", audio))
        };
        let (video, audio) = (MediaKind::Video, MediaKind::Audio);
        assert_eq!(
            about(7.0.into(), Value::string("mp4a")),
            [video, audio],
            "OBS names by number, Wirecast by text"
        );
        assert_eq!(about(Value::Null, 0.0.into()), [audio], "0 is PCM");
        assert_eq!(about(Value::string(""), (-1.0).into()), []);
        assert_eq!(named_kinds(&Object::new()), []);
    }

    #[test]
    fn other_messages_are_not_metadata() {
        assert_eq!(parse_on_metadata(&amf0::encode_all(&[Value::string("onCuePoint"), Value::Null])), None);
        assert_eq!(parse_on_metadata(&[2, 0]), None);
    }
}
