//! A media playlist: the segments of one rendition (RFC 8216, 4.3.3).

use std::fmt;

use super::quoted::quoted;
use crate::Timestamp;

/// What may still happen to a playlist (4.3.3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaylistType {
    /// Nothing: it is complete.
    Vod,
    /// Segments are appended, none goes.
    Event,
}

/// One segment (4.3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it is, relative to the playlist.
    pub uri: String,
    /// When it begins; its end is the start of the next, or [`MediaPlaylist::end`].
    pub start: Timestamp,
    /// Its initialisation segment, if it needs one.
    pub map: Option<String>,
    /// Whether something breaks before it: codec, configuration, or time.
    pub discontinuity: bool,
}

/// A media playlist; `Display` writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaPlaylist {
    /// What may still happen to it; nothing of a sliding window.
    pub kind: Option<PlaylistType>,
    /// The number of the first segment listed.
    pub media_sequence: u64,
    /// Breaks that have left the playlist at its front.
    pub discontinuity_sequence: u64,
    /// A `TARGETDURATION` that is promised for segments to come, in seconds; it is never below what the segments
    /// listed have.
    pub target_duration_s: u64,
    /// Whether every segment can be decoded without another.
    pub independent_segments: bool,
    /// Whether each segment is a single key frame (4.3.3.6).
    pub i_frames_only: bool,
    /// In their order.
    pub segments: Vec<Segment>,
    /// The end of the last segment.
    pub end: Timestamp,
    /// Whether no segment will follow.
    pub ended: bool,
}

impl MediaPlaylist {
    /// How long each segment lasts, in microseconds. Times are rounded before they are subtracted, so the sum
    /// is exact.
    fn durations_us(&self) -> impl Iterator<Item = u64> {
        let micros = |at: Timestamp| at.as_nanos().saturating_add(500).div_euclid(1000);
        let ends = self.segments.iter().skip(1).map(|segment| segment.start).chain([self.end]);
        let pairs = self.segments.iter().zip(ends);
        pairs.map(move |(segment, end)| u64::try_from(micros(end) - micros(segment.start)).unwrap_or(0))
    }

    /// Seconds that no segment exceeds when it is rounded (4.3.3.1).
    fn target_duration(&self) -> u64 {
        let longest = self.durations_us().max().unwrap_or(0);
        self.target_duration_s.max((longest + 500_000) / 1_000_000).max(1)
    }
}

impl fmt::Display for MediaPlaylist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{}", self.target_duration())?;
        match self.kind {
            Some(PlaylistType::Vod) => writeln!(f, "#EXT-X-PLAYLIST-TYPE:VOD")?,
            Some(PlaylistType::Event) => writeln!(f, "#EXT-X-PLAYLIST-TYPE:EVENT")?,
            None => {}
        }
        writeln!(f, "#EXT-X-MEDIA-SEQUENCE:{}", self.media_sequence)?;
        if self.discontinuity_sequence > 0 {
            writeln!(f, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", self.discontinuity_sequence)?;
        }
        if self.independent_segments {
            writeln!(f, "#EXT-X-INDEPENDENT-SEGMENTS")?;
        }
        if self.i_frames_only {
            writeln!(f, "#EXT-X-I-FRAMES-ONLY")?;
        }
        let mut map: Option<&str> = None;
        for (segment, micros) in self.segments.iter().zip(self.durations_us()) {
            if segment.discontinuity {
                writeln!(f, "#EXT-X-DISCONTINUITY")?;
            }
            if let Some(own) = segment.map.as_deref().filter(|own| map != Some(own)) {
                writeln!(f, "#EXT-X-MAP:URI={}", quoted(own))?;
                map = Some(own);
            }
            writeln!(f, "#EXTINF:{}.{:06},\n{}", micros / 1_000_000, micros % 1_000_000, segment.uri)?;
        }
        if self.ended {
            writeln!(f, "#EXT-X-ENDLIST")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(uri: &str, start_ns: i64, map: &str, discontinuity: bool) -> Segment {
        let start = Timestamp::from_nanos(start_ns);
        Segment { uri: uri.to_owned(), start, map: Some(map.to_owned()), discontinuity }
    }

    #[test]
    fn a_complete_playlist() {
        let playlist = MediaPlaylist {
            kind: Some(PlaylistType::Vod),
            independent_segments: true,
            segments: vec![
                segment("0.m4s", 0, "a.mp4", false),
                segment("1.m4s", 6_006_000_400, "a.mp4", false),
                segment("2.m4s", 12_012_000_800, "b.mp4", true),
            ],
            end: Timestamp::from_ms(18_600),
            ended: true,
            ..MediaPlaylist::default()
        };
        let expected = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:7\n#EXT-X-PLAYLIST-TYPE:VOD\n\
            #EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"a.mp4\"\n\
            #EXTINF:6.006000,\n0.m4s\n#EXTINF:6.006001,\n1.m4s\n#EXT-X-DISCONTINUITY\n\
            #EXT-X-MAP:URI=\"b.mp4\"\n#EXTINF:6.587999,\n2.m4s\n#EXT-X-ENDLIST\n";
        assert_eq!(playlist.to_string(), expected);
    }

    #[test]
    fn a_window_that_slides() {
        let playlist = MediaPlaylist {
            media_sequence: 7,
            discontinuity_sequence: 2,
            target_duration_s: 6,
            segments: vec![segment("7.m4s", 0, "a.mp4", false)],
            end: Timestamp::from_ms(4000),
            ..MediaPlaylist::default()
        };
        let text = playlist.to_string();
        assert!(
            text.contains("TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-DISCONTINUITY-SEQUENCE:2\n")
        );
        assert!(!text.contains("ENDLIST") && !text.contains("PLAYLIST-TYPE"), "{text}");
    }
}
