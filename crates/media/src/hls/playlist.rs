//! A media playlist: the segments of one rendition (RFC 8216, 4.3.3).

use std::fmt;

use super::date_range::DateRange;
use super::quoted::quoted;
use crate::{DateTime, Timestamp};

/// What may still happen to a playlist (4.3.3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaylistType {
    /// Nothing: it is complete.
    Vod,
    /// Segments are appended, none goes.
    Event,
}

/// One segment (4.3.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Where it is, relative to the playlist.
    pub uri: String,
    /// When it begins.
    pub start: Timestamp,
    /// When it ends: where the next begins, but before a gap.
    pub end: Timestamp,
    /// Its initialisation segment, if it needs one.
    pub map: Option<String>,
    /// How often something breaks before it: codec, configuration, or time. More than once where the rendition has
    /// nothing between two breaks: all renditions count the same.
    pub discontinuities: u32,
    /// When it was broadcast.
    pub program_date_time: Option<DateTime>,
    /// Which bytes of what lies there, from an offset on; all if not said.
    pub range: Option<ByteRange>,
    /// Whether there is nothing there: the rendition has no frames at that time (RFC 8216bis, 4.4.4.7).
    pub gap: bool,
    /// Its parts, as long as they are listed (RFC 8216bis, 4.4.4.9).
    pub parts: Vec<Part>,
}

/// Bytes of a resource (4.3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// Where they begin.
    pub offset: u64,
    /// How many.
    pub len: u64,
}

/// A part of a segment (RFC 8216bis, 4.4.4.9).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Where it is, relative to the playlist.
    pub uri: String,
    /// When it begins.
    pub start: Timestamp,
    /// When it ends.
    pub end: Timestamp,
    /// Whether it begins with a key frame.
    pub independent: bool,
}

/// A media playlist; `Display` writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaPlaylist {
    /// What may still happen to it; nothing of a sliding window.
    pub kind: Option<PlaylistType>,
    /// The number of the first segment listed, or skipped.
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
    /// Segments at the front that are not written, since the client has them (RFC 8216bis, 4.4.5.2).
    pub skipped: u64,
    /// In their order, without those that are skipped.
    pub segments: Vec<Segment>,
    /// What is said of moments within it.
    pub date_ranges: Vec<DateRange>,
    /// What makes it a playlist of low latency.
    pub low_latency: Option<LowLatency>,
    /// Whether no segment will follow.
    pub ended: bool,
}

/// What a playlist of low latency has besides (RFC 8216bis).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LowLatency {
    /// No part lasts longer, in milliseconds (4.4.3.7).
    pub part_target_ms: u64,
    /// The segment that is not complete yet: its parts, and what stands before its first. Its `uri` is not written.
    pub open: Option<Segment>,
    /// The part that comes next; it is answered when it is there (4.4.5.3).
    pub preload_hint: Option<String>,
    /// Where the other renditions stand (4.4.5.4).
    pub reports: Vec<RenditionReport>,
}

/// Where another rendition stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenditionReport {
    /// Its media playlist, relative to this one.
    pub uri: String,
    /// Its newest segment, complete or not.
    pub last_msn: u64,
    /// The newest part of that.
    pub last_part: u64,
}

impl MediaPlaylist {
    /// Seconds that no segment exceeds when it is rounded (4.3.3.1).
    fn target_duration(&self) -> u64 {
        let longest =
            self.segments.iter().map(|segment| lasts(segment.start, segment.end).0).max().unwrap_or(0);
        self.target_duration_s.max((longest + 500_000) / 1_000_000).max(1)
    }

    /// The tags that hold for the playlist as a whole. `EXT-X-START` is none of them: where a live playlist lacks it, players
    /// begin as far behind the live edge as `HOLD-BACK` or `PART-HOLD-BACK` says, and one value cannot be right for both.
    fn write_head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = if self.low_latency.is_some() { 9 } else { 7 };
        let target = self.target_duration();
        writeln!(f, "#EXTM3U\n#EXT-X-VERSION:{version}\n#EXT-X-TARGETDURATION:{target}")?;
        if let Some(LowLatency { part_target_ms, .. }) = self.low_latency {
            let (part_hold_back, hold_back, skip) = (Millis(3 * part_target_ms), 3 * target, 6 * target);
            writeln!(
                f,
                "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={part_hold_back},\
                 HOLD-BACK={hold_back}.0,CAN-SKIP-UNTIL={skip}.0\n\
                 #EXT-X-PART-INF:PART-TARGET={}",
                Millis(part_target_ms)
            )?;
        }
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
        if self.skipped > 0 {
            writeln!(f, "#EXT-X-SKIP:SKIPPED-SEGMENTS={}", self.skipped)?;
        }
        Ok(())
    }

    /// The segment that is not complete, and what comes behind it.
    fn write_edge(
        &self,
        f: &mut fmt::Formatter<'_>,
        edge: &LowLatency,
        map: &mut Option<String>,
    ) -> fmt::Result {
        if let Some(open) = &edge.open {
            open.write_parts(f, map)?;
        }
        if let Some(uri) = &edge.preload_hint {
            writeln!(f, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI={}", quoted(uri))?;
        }
        for RenditionReport { uri, last_msn, last_part } in &edge.reports {
            let uri = quoted(uri);
            writeln!(f, "#EXT-X-RENDITION-REPORT:URI={uri},LAST-MSN={last_msn},LAST-PART={last_part}")?;
        }
        Ok(())
    }
}

impl Segment {
    fn write(&self, f: &mut fmt::Formatter<'_>, map: &mut Option<String>) -> fmt::Result {
        self.write_parts(f, map)?;
        if self.gap {
            writeln!(f, "#EXT-X-GAP")?;
        }
        writeln!(f, "#EXTINF:{},", lasts(self.start, self.end))?;
        if let Some(ByteRange { offset, len }) = self.range {
            writeln!(f, "#EXT-X-BYTERANGE:{len}@{offset}")?;
        }
        writeln!(f, "{}", self.uri)
    }

    /// All that stands before its `EXTINF`. `map` is the initialisation segment that holds so far.
    fn write_parts(&self, f: &mut fmt::Formatter<'_>, map: &mut Option<String>) -> fmt::Result {
        for _ in 0..self.discontinuities {
            writeln!(f, "#EXT-X-DISCONTINUITY")?;
        }
        if let Some(time) = &self.program_date_time {
            writeln!(f, "#EXT-X-PROGRAM-DATE-TIME:{time}")?;
        }
        if let Some(own) = self.map.as_ref().filter(|own| map.as_ref() != Some(*own)) {
            writeln!(f, "#EXT-X-MAP:URI={}", quoted(own))?;
            *map = Some(own.clone());
        }
        for part in &self.parts {
            let independent = if part.independent { ",INDEPENDENT=YES" } else { "" };
            let (duration, uri) = (lasts(part.start, part.end), quoted(&part.uri));
            writeln!(f, "#EXT-X-PART:DURATION={duration},URI={uri}{independent}")?;
        }
        Ok(())
    }
}

impl fmt::Display for MediaPlaylist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_head(f)?;
        self.date_ranges.iter().try_for_each(|range| writeln!(f, "{range}"))?;
        let mut map: Option<String> = None;
        for segment in &self.segments {
            segment.write(f, &mut map)?;
        }
        if let Some(edge) = &self.low_latency {
            self.write_edge(f, edge, &mut map)?;
        }
        if self.ended {
            writeln!(f, "#EXT-X-ENDLIST")?;
        }
        Ok(())
    }
}

/// From one time to another. Both are rounded before one is taken from the other, so that sums are exact.
fn lasts(start: Timestamp, end: Timestamp) -> Micros {
    let micros = |at: Timestamp| at.as_nanos().saturating_add(500).div_euclid(1000);
    Micros(u64::try_from(micros(end) - micros(start)).unwrap_or(0))
}

/// Seconds with six decimals.
struct Micros(u64);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// Seconds with three decimals.
struct Millis(u64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(uri: &str, from_ns: i64, to_ns: i64, map: &str) -> Segment {
        let [start, end] = [from_ns, to_ns].map(Timestamp::from_nanos);
        Segment { uri: uri.to_owned(), start, end, map: Some(map.to_owned()), ..Segment::default() }
    }

    fn part(uri: &str, from_ms: i64, to_ms: i64, independent: bool) -> Part {
        let [start, end] = [from_ms, to_ms].map(Timestamp::from_ms);
        Part { uri: uri.to_owned(), start, end, independent }
    }

    #[test]
    fn a_complete_playlist() {
        let playlist = MediaPlaylist {
            kind: Some(PlaylistType::Vod),
            independent_segments: true,
            segments: vec![
                segment("0.m4s", 0, 6_006_000_400, "a.mp4"),
                segment("1.m4s", 6_006_000_400, 12_012_000_800, "a.mp4"),
                Segment { discontinuities: 1, ..segment("2.m4s", 12_012_000_800, 18_600_000_000, "b.mp4") },
            ],
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
            segments: vec![segment("7.m4s", 0, 4_000_000_000, "a.mp4")],
            ..MediaPlaylist::default()
        };
        let text = playlist.to_string();
        assert!(
            text.contains("TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-DISCONTINUITY-SEQUENCE:2\n")
        );
        assert!(!text.contains("ENDLIST") && !text.contains("PLAYLIST-TYPE"), "{text}");
    }

    #[test]
    fn a_playlist_of_low_latency() {
        let complete = Segment {
            program_date_time: Some(DateTime::from_unix_ms(1_795_935_600_000)),
            parts: vec![part("7.0.m4s", 0, 320, true), part("7.1.m4s", 320, 600, false)],
            ..segment("7.m4s", 0, 600_000_000, "a.mp4")
        };
        let range = Some(ByteRange { offset: 100, len: 20 });
        let gap = Segment { gap: true, range, ..segment("7a.m4s", 600_000_000, 1_600_000_000, "a.mp4") };
        // The publisher was away for a second.
        let open = Segment {
            discontinuities: 1,
            map: Some("b.mp4".to_owned()),
            parts: vec![part("8.0.m4s", 1600, 1933, true)],
            ..Segment::default()
        };
        let playlist = MediaPlaylist {
            media_sequence: 4,
            target_duration_s: 6,
            skipped: 3,
            segments: vec![complete, gap],
            low_latency: Some(LowLatency {
                part_target_ms: 335,
                open: Some(open),
                preload_hint: Some("8.1.m4s".to_owned()),
                reports: vec![RenditionReport { uri: "audio-0.m3u8".to_owned(), last_msn: 8, last_part: 1 }],
            }),
            ..MediaPlaylist::default()
        };
        let expected = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:6\n\
            #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.005,HOLD-BACK=18.0,CAN-SKIP-UNTIL=36.0\n\
            #EXT-X-PART-INF:PART-TARGET=0.335\n#EXT-X-MEDIA-SEQUENCE:4\n#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n\
            #EXT-X-PROGRAM-DATE-TIME:2026-11-29T07:00:00.000Z\n#EXT-X-MAP:URI=\"a.mp4\"\n\
            #EXT-X-PART:DURATION=0.320000,URI=\"7.0.m4s\",INDEPENDENT=YES\n\
            #EXT-X-PART:DURATION=0.280000,URI=\"7.1.m4s\"\n#EXTINF:0.600000,\n7.m4s\n\
            #EXT-X-GAP\n#EXTINF:1.000000,\n#EXT-X-BYTERANGE:20@100\n7a.m4s\n\
            #EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"b.mp4\"\n\
            #EXT-X-PART:DURATION=0.333000,URI=\"8.0.m4s\",INDEPENDENT=YES\n\
            #EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"8.1.m4s\"\n\
            #EXT-X-RENDITION-REPORT:URI=\"audio-0.m3u8\",LAST-MSN=8,LAST-PART=1\n";
        assert_eq!(playlist.to_string(), expected);
    }
}
