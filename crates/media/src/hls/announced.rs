//! What a master playlist says of a rendition, whatever its track becomes within it.

use crate::{Codec, TrackDetails};

/// What holds for a rendition whose track takes one configuration after the other (RFC 8216bis, 4.4.6.2).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Announced {
    /// `CODECS`: each that occurs, once, in the order in which they come; RFC 6381.
    pub codecs: Vec<String>,
    /// `RESOLUTION`: the largest, in pixels.
    pub resolution: Option<(u32, u32)>,
    /// `FRAME-RATE`: the highest.
    pub frame_rate: Option<f64>,
    /// `CHANNELS`: the most.
    pub channels: Option<u8>,
}

impl Announced {
    /// Adds what the track is in one of its configurations.
    pub fn add(&mut self, codec: Codec, details: TrackDetails) {
        let TrackDetails { codec_string, width, height, frame_rate, channels, .. } = details;
        // The name in MP4, which is what HLS asks for.
        let name = if codec == Codec::Flac { Some("fLaC".to_owned()) } else { codec_string };
        self.codecs.extend(name.filter(|name| !self.codecs.contains(name)));
        let area = |(width, height): &(u32, u32)| u64::from(*width) * u64::from(*height);
        self.resolution = self.resolution.into_iter().chain(width.zip(height)).max_by_key(area);
        self.frame_rate = self.frame_rate.into_iter().chain(frame_rate).reduce(f64::max);
        self.channels = self.channels.max(channels);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_a_track_becomes_is_announced() {
        let mut announced = Announced::default();
        let picture = |name: &str, width, height, frame_rate| TrackDetails {
            codec_string: Some(name.to_owned()),
            width: Some(width),
            height: Some(height),
            frame_rate,
            ..TrackDetails::default()
        };
        announced.add(Codec::H264, picture("avc1.64001F", 1280, 720, Some(25.0)));
        announced.add(Codec::H265, picture("hvc1.1.6.L93.B0", 720, 1281, Some(50.0)));
        announced.add(Codec::H264, picture("avc1.64001F", 640, 360, None));
        assert_eq!(announced.codecs, ["avc1.64001F", "hvc1.1.6.L93.B0"]);
        assert_eq!((announced.resolution, announced.frame_rate), (Some((720, 1281)), Some(50.0)));
        let mut announced = Announced::default();
        for (codec, channels) in [(Codec::Flac, Some(2)), (Codec::Aac, Some(6)), (Codec::Aac, None)] {
            let codec_string = Some("mp4a.40.2".to_owned());
            announced.add(codec, TrackDetails { codec_string, channels, ..TrackDetails::default() });
        }
        assert_eq!(
            (announced.codecs, announced.channels),
            (vec!["fLaC".into(), "mp4a.40.2".into()], Some(6))
        );
    }
}
