//! `onMetaData`: what a stream says of itself, and the key frame index that files keep in it.
//!
//! It is advice for players and never the ground of a decision: encoders write what is not true (5.9).

use bytes::Bytes;

use crate::amf::{Limits, Object, Value, amf0};
use crate::codec::aac::AudioSpecificConfig;
use crate::codec::h264::AvcConfig;
use crate::{Codec, Timestamp, Track};

const NAME: &str = "onMetaData";
const ENCODER: &str = concat!("Headwater ", env!("CARGO_PKG_VERSION"));

/// The payload of an `onMetaData` script frame that says what is known from the tracks' configurations,
/// and the duration of a film. What is not there is not mentioned: players wait for announced tracks.
#[must_use]
pub fn on_metadata(tracks: &[Track], duration: Option<Timestamp>) -> Bytes {
    let mut about = Object::new();
    if let Some(duration) = duration {
        about.insert("duration", duration.as_seconds());
    }
    for track in tracks {
        match track.codec {
            Codec::H264 => {
                about.insert("videocodecid", 7.0);
                insert_picture(&mut about, &track.config);
            }
            Codec::FlvVideo(id) => about.insert("videocodecid", f64::from(id)),
            Codec::Aac => {
                about.insert("audiocodecid", 10.0);
                insert_sound(&mut about, &track.config);
            }
            Codec::Mp3 { flv_flags } | Codec::FlvAudio(flv_flags) => {
                about.insert("audiocodecid", f64::from(flv_flags >> 4));
                about.insert("stereo", flv_flags & 1 == 1);
            }
            Codec::H265 | Codec::H266 | Codec::Av1 | Codec::Vp8 | Codec::Vp9 => {
                insert_four_cc(&mut about, "videocodecid", track.codec);
            }
            Codec::Opus | Codec::Flac | Codec::Ac3 | Codec::Eac3 => {
                insert_four_cc(&mut about, "audiocodecid", track.codec);
            }
            Codec::Script => {}
        }
    }
    about.insert("encoder", ENCODER);
    amf0::encode_all(&[Value::string(NAME), Value::EcmaArray(about)])
}

/// The values of an `onMetaData` payload; `None` if it is another message or cannot be read.
#[must_use]
pub fn parse_on_metadata(payload: &[u8]) -> Option<Object> {
    let values = amf0::decode_all_with(payload, &Limits::FILE).ok()?;
    let [name, about, ..] = values.as_slice() else { return None };
    let is_metadata = name.as_text().is_some_and(|name| *name == *NAME);
    about.as_object().filter(|_| is_metadata).cloned()
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

/// Enhanced RTMP: the FourCC as a number.
fn insert_four_cc(about: &mut Object, key: &'static str, codec: Codec) {
    if let Some(four_cc) = codec.four_cc() {
        about.insert(key, f64::from(u32::from_be_bytes(four_cc)));
    }
}

fn insert_picture(about: &mut Object, record: &Bytes) {
    let Ok(picture) = AvcConfig::parse(record).and_then(|config| config.picture()) else { return };
    about.insert("width", f64::from(picture.width));
    about.insert("height", f64::from(picture.height));
    if let Some(rate) = picture.frames_per_second() {
        about.insert("framerate", rate);
    }
}

fn insert_sound(about: &mut Object, config: &[u8]) {
    let Ok(config) = AudioSpecificConfig::parse(config) else { return };
    about.insert("audiosamplerate", f64::from(config.output_rate()));
    about.insert("audiosamplesize", 16.0);
    if let Some(channels) = config.channels() {
        about.insert("audiochannels", f64::from(channels));
        about.insert("stereo", channels == 2);
    }
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
    fn other_messages_are_not_metadata() {
        assert_eq!(parse_on_metadata(&amf0::encode_all(&[Value::string("onCuePoint"), Value::Null])), None);
        assert_eq!(parse_on_metadata(&[2, 0]), None);
    }
}
