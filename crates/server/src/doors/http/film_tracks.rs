//! What the catalogue tells of a film's tracks.

use headwater_media::index::Index;
use headwater_media::{MediaKind, TrackDetails};
use serde::Serialize;

/// A track with pictures or sound, as it is at first.
#[derive(Serialize)]
pub(super) struct Track {
    kind: &'static str,
    /// Its place among those of its kind.
    index: u8,
    pub(super) codec: String,
    codec_string: Option<String>,
    /// What else it is in the middle, where it changes: each once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    later_codecs: Vec<LaterCodec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    /// By how many degrees the pictures are turned clockwise to be shown upright.
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frame_rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample_rate: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channels: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    /// Bits per second, on average.
    bitrate: Option<u64>,
}

/// A codec, or another form of one, that a track takes in the middle.
#[derive(PartialEq, Eq, Serialize)]
struct LaterCodec {
    codec: String,
    codec_string: Option<String>,
}

/// The tracks with pictures or sound of a film.
pub(super) fn tracks_of(index: &Index) -> Vec<Track> {
    let duration = index.duration().as_seconds();
    let mut bytes = vec![0_u64; index.tracks().len()];
    for sample in index.samples() {
        if let Some(bytes) = bytes.get_mut(usize::from(sample.track)) {
            *bytes += u64::from(sample.size);
        }
    }
    let tracks = index.tracks().iter().zip(bytes).enumerate().filter_map(|(place, (indexed, bytes))| {
        let kind = match indexed.track.id.kind {
            MediaKind::Video => "video",
            MediaKind::Audio => "audio",
            MediaKind::Data => return None,
        };
        let TrackDetails { codec_string, width, height, frame_rate, sample_rate, channels, .. } =
            indexed.described().details();
        Some(Track {
            kind,
            index: indexed.track.id.index,
            codec: indexed.track.codec.to_string(),
            codec_string,
            later_codecs: later_codecs(index, place),
            width,
            height,
            rotation: Some(indexed.orientation.degrees()).filter(|&degrees| degrees > 0),
            frame_rate,
            sample_rate,
            channels,
            language: indexed.language.clone(),
            bitrate: (duration > 0.0).then(|| (bytes as f64 * 8.0 / duration) as u64),
        })
    });
    tracks.collect()
}

/// What a track at that place is besides what it is at first.
fn later_codecs(index: &Index, place: usize) -> Vec<LaterCodec> {
    let mut codecs: Vec<LaterCodec> = Vec::new();
    for described in index.configurations(place) {
        let codec_string = described.details().codec_string;
        let found = LaterCodec { codec: described.track.codec.to_string(), codec_string };
        if !codecs.contains(&found) {
            codecs.push(found);
        }
    }
    codecs.split_off(codecs.len().min(1))
}
