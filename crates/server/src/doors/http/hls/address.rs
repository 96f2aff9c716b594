//! What an address below a film names.

use crate::doors::http::line_name::{LineName, number};

/// A playlist, or something that a playlist names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::doors::http) enum HlsResource {
    /// `index.m3u8`.
    Master,
    /// `hls/video-0.m3u8`.
    Media(LineName),
    /// `hls/video-0-keys.m3u8`.
    Keys(LineName),
    /// `hls/video-0/init-0.mp4`.
    Init(LineName, u32),
    /// `hls/video-0/7.m4s`.
    Segment(LineName, usize),
    /// `hls/video-0/key-7.m4s`.
    Key(LineName, usize),
    /// `hls/subtitles-0.m3u8`.
    Subtitles(usize),
    /// `hls/subtitles-0.vtt`.
    SubtitleText(usize),
}

impl HlsResource {
    /// By what stands behind the film's name.
    pub(in crate::doors::http) fn parse(part: &str) -> Option<Self> {
        if part == "index.m3u8" {
            return Some(Self::Master);
        }
        let part = part.strip_prefix("hls/")?;
        if let Some((line, file)) = part.split_once('/') {
            let line = LineName::parse(line)?;
            if let Some(init) = file.strip_prefix("init-").and_then(|init| init.strip_suffix(".mp4")) {
                return Some(Self::Init(line, number(init)?));
            }
            let file = file.strip_suffix(".m4s")?;
            return match file.strip_prefix("key-") {
                Some(key) => Some(Self::Key(line, number::<u32>(key)? as usize)),
                None => Some(Self::Segment(line, number::<u32>(file)? as usize)),
            };
        }
        if let Some(rest) = part.strip_prefix("subtitles-") {
            return match rest.split_once('.')? {
                (at, "m3u8") => Some(Self::Subtitles(number::<u32>(at)? as usize)),
                (at, "vtt") => Some(Self::SubtitleText(number::<u32>(at)? as usize)),
                _ => None,
            };
        }
        let line = part.strip_suffix(".m3u8")?;
        match line.strip_suffix("-keys") {
            Some(line) => LineName::parse(line).map(Self::Keys),
            None => LineName::parse(line).map(Self::Media),
        }
    }
}

#[cfg(test)]
mod tests {
    use headwater_media::{MediaKind, TrackId};

    use super::*;

    #[test]
    fn addresses_name_one_thing_each() {
        let video = LineName(TrackId::VIDEO);
        let audio = LineName(TrackId { kind: MediaKind::Audio, index: 1 });
        for (part, wanted) in [
            ("index.m3u8", HlsResource::Master),
            ("hls/video-0.m3u8", HlsResource::Media(video)),
            ("hls/video-0-keys.m3u8", HlsResource::Keys(video)),
            ("hls/audio-1/init-0.mp4", HlsResource::Init(audio, 0)),
            ("hls/audio-1/12.m4s", HlsResource::Segment(audio, 12)),
            ("hls/video-0/key-3.m4s", HlsResource::Key(video, 3)),
            ("hls/subtitles-2.m3u8", HlsResource::Subtitles(2)),
            ("hls/subtitles-2.vtt", HlsResource::SubtitleText(2)),
        ] {
            assert_eq!(HlsResource::parse(part), Some(wanted), "{part}");
        }
        for nothing in [
            "",
            "hls/",
            "hls/video-0",
            "hls/video-00.m3u8",
            "hls/video-0/01.m4s",
            "hls/video-0/+1.m4s",
            "hls/data-0.m3u8",
            "hls/video-256.m3u8",
            "hls/video-0/1.mp4",
            "hls/video-0/x/1.m4s",
            "hls/subtitles-0",
            "hls/video-0/99999999999.m4s",
            "index.m3u",
        ] {
            assert_eq!(HlsResource::parse(nothing), None, "{nothing}");
        }
    }
}
