//! A master playlist: which renditions there are (RFC 8216, 4.3.4).

use std::fmt;

use super::quoted::quoted;

/// What a rendition holds (4.3.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenditionKind {
    /// Sound.
    Audio,
    /// Text on the picture.
    Subtitles,
}

/// An alternative that is chosen beside the picture: `EXT-X-MEDIA`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendition {
    /// What it holds.
    pub kind: RenditionKind,
    /// Its group, by which variants name it.
    pub group: String,
    /// What people are shown; unlike those of the others of its group.
    pub name: String,
    /// BCP 47, as in `en`.
    pub language: Option<String>,
    /// Whether it plays unless another is chosen.
    pub default: bool,
    /// Channels of sound.
    pub channels: Option<u8>,
    /// Its media playlist.
    pub uri: String,
}

/// A choice of picture, with or without sound: `EXT-X-STREAM-INF`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variant {
    /// Its media playlist.
    pub uri: String,
    /// Most bits per second of any segment, with the rendition of its groups that has most.
    pub bandwidth: u64,
    /// Bits per second over all.
    pub average_bandwidth: u64,
    /// RFC 6381, of the picture and of the sound.
    pub codecs: Vec<String>,
    /// Width and height in pixels.
    pub resolution: Option<(u32, u32)>,
    /// Pictures per second.
    pub frame_rate: Option<f64>,
    /// Group of sounds.
    pub audio: Option<String>,
    /// Group of subtitles.
    pub subtitles: Option<String>,
}

/// A playlist of key frames, for pictures while one scrubs: `EXT-X-I-FRAME-STREAM-INF` (4.3.4.3).
#[derive(Clone, Debug, PartialEq)]
pub struct IFrameVariant {
    /// Its media playlist.
    pub uri: String,
    /// Most bits per second of any segment.
    pub bandwidth: u64,
    /// Bits per second over all.
    pub average_bandwidth: u64,
    /// RFC 6381.
    pub codecs: Vec<String>,
    /// Width and height in pixels.
    pub resolution: Option<(u32, u32)>,
}

/// A master playlist; `Display` writes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MasterPlaylist {
    /// Whether every segment of every rendition can be decoded without another.
    pub independent_segments: bool,
    /// Sounds and subtitles.
    pub renditions: Vec<Rendition>,
    /// At least one; the first is what players start with.
    pub variants: Vec<Variant>,
    /// Key frames of the variants.
    pub i_frames: Vec<IFrameVariant>,
}

impl fmt::Display for MasterPlaylist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "#EXTM3U\n#EXT-X-VERSION:7")?;
        if self.independent_segments {
            writeln!(f, "#EXT-X-INDEPENDENT-SEGMENTS")?;
        }
        self.renditions.iter().try_for_each(|rendition| rendition.write(f))?;
        self.variants.iter().try_for_each(|variant| variant.write(f))?;
        self.i_frames.iter().try_for_each(|variant| variant.write(f))
    }
}

impl Rendition {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            RenditionKind::Audio => "AUDIO",
            RenditionKind::Subtitles => "SUBTITLES",
        };
        let (group, name) = (quoted(&self.group), quoted(&self.name));
        write!(f, "#EXT-X-MEDIA:TYPE={kind},GROUP-ID={group},NAME={name}")?;
        if let Some(language) = &self.language {
            write!(f, ",LANGUAGE={}", quoted(language))?;
        }
        write!(f, ",DEFAULT={}", if self.default { "YES" } else { "NO" })?;
        // What no one has chosen may be chosen by language.
        write!(f, ",AUTOSELECT=YES")?;
        if let Some(channels) = self.channels {
            write!(f, ",CHANNELS=\"{channels}\"")?;
        }
        writeln!(f, ",URI={}", quoted(&self.uri))
    }
}

impl Variant {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bandwidth, average_bandwidth, .. } = self;
        write!(f, "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},AVERAGE-BANDWIDTH={average_bandwidth}")?;
        write_picture(f, &self.codecs, self.resolution)?;
        if let Some(rate) = self.frame_rate {
            write!(f, ",FRAME-RATE={rate:.3}")?;
        }
        if let Some(group) = &self.audio {
            write!(f, ",AUDIO={}", quoted(group))?;
        }
        if let Some(group) = &self.subtitles {
            write!(f, ",SUBTITLES={}", quoted(group))?;
        }
        writeln!(f, "\n{}", self.uri)
    }
}

impl IFrameVariant {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bandwidth, average_bandwidth, .. } = self;
        write!(f, "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={bandwidth},AVERAGE-BANDWIDTH={average_bandwidth}")?;
        write_picture(f, &self.codecs, self.resolution)?;
        writeln!(f, ",URI={}", quoted(&self.uri))
    }
}

fn write_picture(
    f: &mut fmt::Formatter<'_>,
    codecs: &[String],
    resolution: Option<(u32, u32)>,
) -> fmt::Result {
    if !codecs.is_empty() {
        write!(f, ",CODECS={}", quoted(&codecs.join(",")))?;
    }
    if let Some((width, height)) = resolution {
        write!(f, ",RESOLUTION={width}x{height}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attribute_is_written() {
        let codecs = vec!["avc1.64001F".to_owned(), "mp4a.40.2".to_owned()];
        let master = MasterPlaylist {
            independent_segments: true,
            renditions: vec![Rendition {
                kind: RenditionKind::Audio,
                group: "sound".to_owned(),
                name: "a \"b\"\nc".to_owned(),
                language: Some("en".to_owned()),
                default: true,
                channels: Some(2),
                uri: "audio-0.m3u8".to_owned(),
            }],
            variants: vec![Variant {
                uri: "video-0.m3u8".to_owned(),
                bandwidth: 2_000_000,
                average_bandwidth: 1_500_000,
                codecs,
                resolution: Some((1280, 720)),
                frame_rate: Some(30_000.0 / 1001.0),
                audio: Some("sound".to_owned()),
                subtitles: None,
            }],
            i_frames: vec![IFrameVariant {
                uri: "keys.m3u8".to_owned(),
                bandwidth: 5,
                average_bandwidth: 4,
                codecs: vec!["avc1.64001F".to_owned()],
                resolution: None,
            }],
        };
        let expected = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n\
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"a bc\",LANGUAGE=\"en\",DEFAULT=YES,\
            AUTOSELECT=YES,CHANNELS=\"2\",URI=\"audio-0.m3u8\"\n\
            #EXT-X-STREAM-INF:BANDWIDTH=2000000,AVERAGE-BANDWIDTH=1500000,CODECS=\"avc1.64001F,mp4a.40.2\",\
            RESOLUTION=1280x720,FRAME-RATE=29.970,AUDIO=\"sound\"\nvideo-0.m3u8\n\
            #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=5,AVERAGE-BANDWIDTH=4,CODECS=\"avc1.64001F\",URI=\"keys.m3u8\"\n";
        assert_eq!(master.to_string(), expected);
    }
}
