//! What an address below a live stream names.

use crate::doors::http::line_name::{LineName, number};

/// A playlist of a live stream, or something that a playlist names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::doors::http) enum LiveResource {
    /// `index.m3u8`.
    Master,
    /// `hls/video-0.m3u8`.
    Media(LineName),
    /// `hls/video-0-keys.m3u8`.
    Keys(LineName),
    /// `hls/video-0/init-1700-2.mp4`: the second description of its rendition in the broadcast whose first segment bears
    /// the number 1700.
    Init(LineName, u64, u32),
    /// `hls/video-0/1712.m4s`.
    Segment(LineName, u64),
    /// `hls/video-0/1712.3.m4s`.
    Part(LineName, u64, u32),
}

impl LiveResource {
    /// Takes a decoded path apart: the stream's name, and what of it.
    pub(in crate::doors::http) fn parse(path: &str) -> Option<(&str, Self)> {
        if let Some(name) = path.strip_suffix("/index.m3u8") {
            return Some((name, Self::Master));
        }
        let (name, rest) = path.rsplit_once("/hls/")?;
        Some((name, Self::below(rest)?))
    }

    /// By what stands behind `hls/`.
    fn below(rest: &str) -> Option<Self> {
        let Some((line, file)) = rest.split_once('/') else {
            let line = rest.strip_suffix(".m3u8")?;
            return match line.strip_suffix("-keys") {
                Some(line) => LineName::parse(line).map(Self::Keys),
                None => LineName::parse(line).map(Self::Media),
            };
        };
        let line = LineName::parse(line)?;
        if let Some(init) = file.strip_prefix("init-").and_then(|file| file.strip_suffix(".mp4")) {
            let (first, number_of_init) = init.split_once('-')?;
            return Some(Self::Init(line, number(first)?, number(number_of_init)?));
        }
        let file = file.strip_suffix(".m4s")?;
        match file.split_once('.') {
            Some((segment, part)) => Some(Self::Part(line, number(segment)?, number(part)?)),
            None => Some(Self::Segment(line, number(file)?)),
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
        for (path, wanted) in [
            ("live/a/index.m3u8", ("live/a", LiveResource::Master)),
            ("live/a/b/hls/video-0.m3u8", ("live/a/b", LiveResource::Media(video))),
            ("live/a/hls/video-0-keys.m3u8", ("live/a", LiveResource::Keys(video))),
            ("live/a/hls/audio-1/init-17-2.mp4", ("live/a", LiveResource::Init(audio, 17, 2))),
            ("live/a/hls/audio-1/17.m4s", ("live/a", LiveResource::Segment(audio, 17))),
            ("live/a/hls/audio-1/17.0.m4s", ("live/a", LiveResource::Part(audio, 17, 0))),
            ("live/a/hls/hls/video-0/3.m4s", ("live/a/hls", LiveResource::Segment(video, 3))),
        ] {
            assert_eq!(LiveResource::parse(path), Some(wanted), "{path}");
        }
        for nothing in [
            "live/a",
            "index.m3u8",
            "live/a/hls/",
            "live/a/hls/video-0",
            "live/a/hls/video-0/01.m4s",
            "live/a/hls/video-0/+1.m4s",
            "live/a/hls/video-0/1.2.3.m4s",
            "live/a/hls/video-0/1.4294967296.m4s",
            "live/a/hls/video-0/99999999999999999999.m4s",
            "live/a/hls/video-0/init-1.mp4",
            "live/a/hls/video-0/x/1.m4s",
            "live/a/hls/data-0.m3u8",
        ] {
            assert_eq!(LiveResource::parse(nothing), None, "{nothing}");
        }
    }
}
