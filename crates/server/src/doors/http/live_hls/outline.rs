//! A rendition of a window as a playlist.

use std::time::SystemTime;

use headwater_archive::{Outline, Part as ArchivedPart, Segment as ArchivedSegment, TARGET_DURATION, Window};
use headwater_media::hls::{ByteRange, DateRange, LowLatency, MediaPlaylist, Part, RenditionReport, Segment};
use headwater_media::{DateTime, MediaKind, Timestamp};

use super::cue_points::date_range;
use crate::doors::http::line_name::LineName;

/// Text of date ranges in one playlist, at most: each player fetches all of it three times a second.
const DATE_RANGES_BYTES_MAX: usize = 16 << 10;
/// From so far before the end on, parts are listed (RFC 8216bis, 4.4.4.9), in target durations.
const PARTS_LISTED: i64 = 3;
/// What lies farther before the end can be skipped (6.2.5.1), in target durations.
const SKIPPED_FROM: i64 = 6;

/// What is written of a rendition.
pub(super) struct Showing<'a> {
    pub(super) window: &'a Window,
    pub(super) line: LineName,
    pub(super) outline: Outline,
    /// What the addresses of fragments end in.
    pub(super) query: String,
    /// And those of the other renditions' playlists.
    pub(super) reports_query: String,
}

impl Showing<'_> {
    /// The media playlist; `skip` leaves out what the client has.
    pub(super) fn media(&self, skip: bool) -> MediaPlaylist {
        let complete = self.complete();
        let is_ended = self.outline.is_ended;
        let end = self.outline.end();
        let mut segments: Vec<Segment> =
            complete.iter().enumerate().map(|(at, held)| self.segment(held, self.end_of(at), end)).collect();
        let old = segments.iter().take_while(|it| end - it.end > target(SKIPPED_FROM)).count();
        let skipped = if skip && !is_ended { old } else { 0 };
        segments.drain(..skipped);
        let low_latency = (!is_ended && self.outline.has_parts()).then(|| self.edge(&segments));
        MediaPlaylist {
            media_sequence: self.outline.segments.first().map_or(0, |first| first.number),
            discontinuity_sequence: self.outline.discontinuity_sequence,
            target_duration_s: TARGET_DURATION.as_secs(),
            independent_segments: self.is_independent(),
            skipped: skipped as u64,
            segments,
            date_ranges: self.date_ranges(),
            low_latency,
            ended: is_ended,
            ..MediaPlaylist::default()
        }
    }

    /// The newest of the cue points that are kept, also where segments are left out, for a client takes it that what is not
    /// listed is gone.
    fn date_ranges(&self) -> Vec<DateRange> {
        let Some(first) = self.window.first_number() else { return Vec::new() };
        let cues = self.window.cue_points();
        let ranges = cues.iter().rev().filter_map(|cue| {
            let held = self.outline.segments.iter().find(|held| held.number == cue.segment)?;
            Some(date_range(cue, first, self.date(held, cue.at)))
        });
        let mut bytes = 0;
        let newest = ranges.take_while(|range| {
            bytes += range.to_string().len();
            bytes <= DATE_RANGES_BYTES_MAX
        });
        let mut newest: Vec<_> = newest.collect();
        newest.reverse();
        newest
    }

    /// The playlist of the key frames that segments begin with, each a range of its segment.
    pub(super) fn keys(&self) -> MediaPlaylist {
        let end = self.outline.end();
        let segments = self.complete().iter().enumerate().filter_map(|(at, held)| {
            let first = held.parts.first()?.part();
            let sample = first.samples.first().filter(|it| it.sample.key)?;
            let len = u64::from(first.payload_at) + u64::from(sample.sample.len);
            let range = Some(ByteRange { offset: 0, len });
            Some(Segment { range, parts: Vec::new(), ..self.segment(held, self.end_of(at), end) })
        });
        MediaPlaylist {
            media_sequence: self.outline.segments.first().map_or(0, |first| first.number),
            discontinuity_sequence: self.outline.discontinuity_sequence,
            target_duration_s: TARGET_DURATION.as_secs(),
            i_frames_only: true,
            segments: segments.collect(),
            ended: self.outline.is_ended,
            ..MediaPlaylist::default()
        }
    }

    /// The segments that nothing is added to: those before the first that is open.
    fn complete(&self) -> &[ArchivedSegment] {
        let segments = &self.outline.segments;
        let open = segments.iter().position(|held| !held.is_complete && !self.outline.is_ended);
        &segments[..open.unwrap_or(segments.len())]
    }

    /// When a segment ends: where the rendition goes on, so that nothing drifts, but before a break.
    fn end_of(&self, at: usize) -> Timestamp {
        let segments = &self.outline.segments;
        let Some(held) = segments.get(at) else { return Timestamp::ZERO };
        let own = own_end(held);
        match segments.get(at + 1) {
            Some(next) if !next.discontinuity && !next.parts.is_empty() && !held.parts.is_empty() => {
                own_start(next).max(own)
            }
            _ => own,
        }
    }

    fn segment(&self, held: &ArchivedSegment, until: Timestamp, end: Timestamp) -> Segment {
        let start = own_start(held);
        let lists_parts = !self.outline.is_ended && end - until < target(PARTS_LISTED);
        Segment {
            uri: format!("{}/{}.m4s{}", self.line, held.number, self.query),
            start,
            end: until,
            map: self.map(held),
            discontinuities: held.discontinuity.into(),
            program_date_time: Some(self.date(held, start)),
            gap: held.parts.is_empty(),
            parts: if lists_parts { self.parts(held) } else { Vec::new() },
            range: None,
        }
    }

    fn parts(&self, held: &ArchivedSegment) -> Vec<Part> {
        let part = |kept: &ArchivedPart| Part {
            uri: format!("{}/{}.{}.m4s{}", self.line, held.number, kept.number, self.query),
            start: kept.from(),
            end: kept.until(),
            independent: kept.independent,
        };
        held.parts.iter().map(|kept| part(kept.part())).collect()
    }

    /// What stands behind the segments that are complete.
    fn edge(&self, complete: &[Segment]) -> LowLatency {
        let open = self.outline.segments.get(self.complete().len());
        let last = self.outline.segments.last().map_or(0, |last| last.number);
        let (segment, part) = open.map_or((last + 1, 0), |held| (held.number, held.parts.len()));
        let open = open.filter(|held| !held.parts.is_empty()).map(|held| Segment {
            parts: self.parts(held),
            ..self.segment(held, own_end(held), own_end(held))
        });
        // A picture that was shown for longer than pictures usually are is a part by itself. While it is listed, the target
        // covers it.
        let listed = complete.iter().chain(&open).flat_map(|segment| &segment.parts);
        let longest = listed.map(|part| part.end - part.start).max().unwrap_or_default();
        LowLatency {
            part_target_ms: target_ms(self.outline.part_target.max(longest)),
            open,
            preload_hint: Some(format!("{}/{segment}.{part}.m4s{}", self.line, self.query)),
            reports: self.reports(),
        }
    }

    fn reports(&self) -> Vec<RenditionReport> {
        let renditions = self.window.renditions();
        let others = renditions.iter().map(|init| init.rendition).filter(|id| *id != self.line.0);
        let report = |id| {
            let reach = *self.window.reach(id)?.borrow();
            let last_part = u64::from(reach.parts).checked_sub(1)?;
            let uri = format!("{}.m3u8{}", LineName(id), self.reports_query);
            Some(RenditionReport { uri, last_msn: reach.segment, last_part })
        };
        others.filter_map(report).collect()
    }

    /// The initialisation segment; of a segment without frames, that of the next one that has some.
    fn map(&self, held: &ArchivedSegment) -> Option<String> {
        let from = self.outline.segments.iter().skip_while(|it| it.number < held.number);
        let described = from.chain(self.outline.segments.iter().rev());
        let number = described.filter_map(ArchivedSegment::init).next()?.number;
        let first = self.window.first_number()?;
        Some(format!("{}/init-{first}-{number}.mp4{}", self.line, self.query))
    }

    fn is_independent(&self) -> bool {
        let is = |held: &ArchivedSegment| held.parts.first().is_none_or(|first| first.part().independent);
        self.line.0.kind == MediaKind::Audio || self.outline.segments.iter().all(is)
    }

    fn date(&self, held: &ArchivedSegment, at: Timestamp) -> DateTime {
        let began = self.window.began().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let began = i64::try_from((began + held.behind).as_millis()).unwrap_or(0);
        DateTime::from_unix_ms(began.saturating_add(at.as_ms()))
    }
}

fn own_start(held: &ArchivedSegment) -> Timestamp {
    held.parts.first().map_or(held.at, |first| first.part().from())
}

fn own_end(held: &ArchivedSegment) -> Timestamp {
    let end = held.parts.last().map(|last| last.part().until());
    end.unwrap_or_else(|| held.until.unwrap_or(held.at))
}

/// So many target durations.
fn target(count: i64) -> Timestamp {
    Timestamp::from_ms(count * 1000 * TARGET_DURATION.as_secs() as i64)
}

/// Whole milliseconds that no part exceeds.
fn target_ms(target: Timestamp) -> u64 {
    u64::try_from(target.as_nanos()).unwrap_or(0).div_ceil(1_000_000)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use headwater_archive::{InAll, PartMaker, PartsConfig, WindowConfig};
    use headwater_hub::{Batch, DecoderSetup, PartContent, StreamName};
    use headwater_media::{Codec, Frame, Track, TrackId};

    use super::*;
    use crate::doors::http::live_hls::extent::Extent;
    use crate::doors::http::live_hls::rendered::{Playlists, Wanted};
    use crate::doors::http::query::Query;

    /// A publisher that comes and goes: what it sends is put into a window as it comes.
    struct Publisher {
        maker: PartMaker,
        window: Arc<Window>,
        setup: Arc<DecoderSetup>,
        sequence: u64,
        /// Media time and the time on the wall, in milliseconds.
        media: i64,
        wall: i64,
    }

    impl Publisher {
        fn new() -> Self {
            let name = StreamName::parse("live/cam").unwrap();
            let config = WindowConfig { length: Timestamp::from_ms(60_000), ..WindowConfig::default() };
            let window = Window::new(name, 1, SystemTime::UNIX_EPOCH, config, 7, InAll::default());
            let tracks = [
                Track::new(TrackId::VIDEO, Codec::H264, Bytes::from_static(AVC)),
                Track::new(TrackId::AUDIO, Codec::Aac, Bytes::from_static(&[0x11, 0x90])),
            ];
            let set = |setup: DecoderSetup, track: Track| setup.with(PartContent::Track(track), 0);
            let setup = Arc::new(tracks.into_iter().fold(DecoderSetup::default(), set));
            let maker = PartMaker::new(PartsConfig::default(), 500);
            Self { maker, window: Arc::new(window), setup, sequence: 0, media: 0, wall: 0 }
        }

        fn put(&mut self, id: TrackId, codec: Codec, ms: i64, key: bool) {
            let at = Timestamp::from_ms(ms);
            let payload = Bytes::from_static(b"0123456789");
            let mut batch = Batch::default();
            let frame = Frame { track: id, codec, dts: at, pts: at, key, payload };
            batch.refill(self.sequence, &self.setup, [frame]);
            self.sequence += 1;
            let now = Duration::from_millis(self.wall as u64);
            while let Some(due) = self.maker.deadline().filter(|due| *due <= now) {
                self.window.take(self.maker.due(due));
            }
            self.window.take(self.maker.put(&batch, now));
        }

        /// Says something at the place that it has come to.
        fn say(&mut self, payload: &'static [u8]) {
            let frame = Frame {
                track: TrackId::DATA,
                codec: Codec::Script,
                dts: Timestamp::from_ms(self.media),
                pts: Timestamp::from_ms(self.media),
                key: true,
                payload: Bytes::from_static(payload),
            };
            let mut batch = Batch::default();
            batch.refill(self.sequence, &self.setup, [frame]);
            self.sequence += 1;
            self.window.take(self.maker.put(&batch, Duration::from_millis(self.wall as u64)));
        }

        /// Sends for so many pictures, from a key frame on; is then away for so long.
        fn broadcast(&mut self, pictures: i64, group: i64, away_ms: i64) {
            for number in 0..pictures {
                let at = self.media + number * 40;
                self.put(TrackId::VIDEO, Codec::H264, at, number % group == 0);
                self.put(TrackId::AUDIO, Codec::Aac, at, true);
                self.put(TrackId::AUDIO, Codec::Aac, at + 21, true);
                self.wall += 40;
            }
            // The hub closes the gap.
            self.media += pictures * 40 + 40;
            self.wall += away_ms;
        }

        fn playlist(&self, id: TrackId) -> MediaPlaylist {
            self.showing(id, Extent::Window)
        }

        fn showing(&self, id: TrackId, extent: Extent) -> MediaPlaylist {
            let mut outline = self.window.outline(id).unwrap();
            extent.cut(&mut outline);
            let [query, reports_query] = [String::new(), String::new()];
            Showing { window: &self.window, line: LineName(id), outline, query, reports_query }.media(false)
        }
    }

    /// 640x360.
    const AVC: &[u8] = &[
        1, 77, 64, 31, 0xFF, 0xE1, 0, 26, 0x67, 0x4D, 0x40, 0x1F, 0xA6, 0x11, 0x02, 0x80, 0xBF, 0xE5, 0xC0,
        0x44, 0, 0, 3, 0, 4, 0, 0, 3, 0, 0xC8, 0x3C, 0x60, 0xC8, 0x46, 1, 0, 5, 0x68, 0xE8, 0x43, 0x32, 0xC8,
    ];

    /// Of each segment that was ever listed: how many breaks lie before it, and what was said of it.
    type Listed = BTreeMap<u64, (u64, Segment)>;

    /// A segment is what it was, at the number and behind the breaks that it had; nothing is too long, nothing goes back.
    fn check(playlist: &MediaPlaylist, listed: &mut Listed) {
        let mut breaks = playlist.discontinuity_sequence;
        for (number, segment) in (playlist.media_sequence..).zip(&playlist.segments) {
            breaks += u64::from(segment.discontinuities);
            let lasts = segment.end - segment.start;
            assert!(lasts <= Timestamp::from_ms(6_499), "{number} lasts {lasts}");
            for part in &segment.parts {
                assert!(part.end - part.start <= Timestamp::from_ms(335), "{}", part.uri);
            }
            // Parts are not listed for ever.
            let said = Segment { parts: Vec::new(), ..segment.clone() };
            let before = listed.entry(number).or_insert_with(|| (breaks, said.clone()));
            assert_eq!(*before, (breaks, said), "segment {number}");
        }
        let newest = playlist.media_sequence + playlist.segments.len() as u64;
        assert!(listed.last_key_value().is_none_or(|(last, _)| *last < newest), "the newest was gone again");
        for pair in playlist.segments.windows(2) {
            let [first, second] = pair else { continue };
            assert!(second.start >= first.end && second.program_date_time >= first.program_date_time);
            let jumps = second.start - first.end > Timestamp::from_ms(60);
            assert!(!jumps || second.discontinuities > 0, "{} follows nothing", second.uri);
        }
    }

    #[test]
    fn a_picture_that_stands_is_within_the_target_while_it_is_listed() {
        let mut publisher = Publisher::new();
        publisher.broadcast(100, 50, 0);
        // The sound goes on, and no picture comes.
        for _ in 0..22 {
            publisher.put(TrackId::AUDIO, Codec::Aac, publisher.media, true);
            publisher.put(TrackId::AUDIO, Codec::Aac, publisher.media + 21, true);
            (publisher.media, publisher.wall) = (publisher.media + 40, publisher.wall + 40);
        }
        let mut targets = Vec::new();
        for _ in 0..30 {
            publisher.broadcast(25, 50, 0);
            publisher.media -= 40;
            let playlist = publisher.playlist(TrackId::VIDEO);
            let low_latency = playlist.low_latency.as_ref().unwrap();
            let open = low_latency.open.iter();
            let parts = playlist.segments.iter().chain(open).flat_map(|segment| &segment.parts);
            let longest = parts.map(|part| part.end - part.start).max().unwrap();
            assert!(longest <= Timestamp::from_ms(low_latency.part_target_ms as i64), "{longest}");
            targets.push(low_latency.part_target_ms);
        }
        assert!(targets[0] > 335, "{targets:?}");
        assert_eq!(targets.last(), Some(&335), "{targets:?}");
    }

    /// A text is made once for all who ask; while there is no picture, the window moves on under it.
    #[test]
    fn what_has_left_the_window_leaves_the_playlist_of_a_silent_track() {
        let mut publisher = Publisher::new();
        let playlists = Playlists::default();
        let wanted =
            Wanted { line: LineName(TrackId::VIDEO), extent: Extent::Window, skip: false, keys: false };
        let text = |publisher: &Publisher| playlists.text(&publisher.window, wanted, Query::new("")).unwrap();
        publisher.broadcast(500, 50, 0);
        assert!(text(&publisher).text().contains("\n#EXT-X-MEDIA-SEQUENCE:500\n"));
        for _ in 0..1_500 {
            publisher.put(TrackId::AUDIO, Codec::Aac, publisher.media, true);
            publisher.put(TrackId::AUDIO, Codec::Aac, publisher.media + 21, true);
            (publisher.media, publisher.wall) = (publisher.media + 40, publisher.wall + 40);
            let oldest = publisher.window.kept_numbers().start;
            let sequence = format!("\n#EXT-X-MEDIA-SEQUENCE:{oldest}\n");
            assert!(text(&publisher).text().contains(&sequence), "{}", text(&publisher).text());
        }
        assert!(publisher.window.kept_numbers().start > 505);
    }

    #[test]
    fn a_thousand_reconnects_leave_every_segment_what_it_was() {
        let mut publisher = Publisher::new();
        let (mut video, mut audio) = (Listed::new(), Listed::new());
        let mut edge_begins = 0;
        for turn in 0..1_000_i64 {
            // Short and long stays and absences, groups of all lengths.
            let pictures = 3 + turn * 37 % 190;
            let group = 5 + turn * 11 % 170;
            publisher.broadcast(pictures, group, turn * turn * 13 % 9_000);
            check(&publisher.playlist(TrackId::VIDEO), &mut video);
            check(&publisher.playlist(TrackId::AUDIO), &mut audio);
            // The live edge alone says the same of what it has, and has enough.
            let edge = publisher.showing(TrackId::VIDEO, Extent::Edge);
            check(&edge, &mut video);
            let all = publisher.playlist(TrackId::VIDEO).segments.len();
            let length =
                edge.segments.iter().map(|segment| (segment.end - segment.start).as_ms()).sum::<i64>();
            let has_enough = length >= 24_000 && edge.segments.len() >= 6;
            assert!(
                has_enough || edge.segments.len() == all,
                "{length} ms, {} of {all}",
                edge.segments.len()
            );
            let most =
                24_000 + edge.segments.iter().take(1).map(|it| (it.end - it.start).as_ms()).sum::<i64>();
            assert!(length < most + 1_000 || edge.segments.len() == 6, "{length} ms");
            assert!(edge.media_sequence >= edge_begins, "the edge goes back");
            edge_begins = edge.media_sequence;
        }
        assert!(video.len() > 1_000 && audio.len() > 1_000);
        for (number, (breaks, segment)) in &video {
            let Some((others, other)) = audio.get(number) else { continue };
            assert_eq!(
                (breaks, segment.discontinuities),
                (others, other.discontinuities),
                "segment {number}"
            );
        }
    }

    #[test]
    fn cue_points_are_date_ranges_as_long_as_they_are_kept() {
        const CUE: &[u8] = b"\x02\0\x0AonCuePoint\x08\0\0\0\x02\0\x04name\x02\0\x06a \"g\"\n\0\x04time\0\x40\x14\0\0\0\0\0\0\0\0\x09";
        let mut publisher = Publisher::new();
        publisher.broadcast(125, 50, 0);
        publisher.say(CUE);
        publisher.say(b"\x02\0\x0AonTextData\x05");
        publisher.say(b"\x02\0\x0AonCuePoint");
        publisher.broadcast(50, 50, 0);
        for id in [TrackId::VIDEO, TrackId::AUDIO] {
            let playlist = publisher.playlist(id);
            let [range, bare] = &playlist.date_ranges[..] else { panic!("{:?}", playlist.date_ranges) };
            assert_eq!(
                range.to_string(),
                "#EXT-X-DATERANGE:ID=\"cue-500-375\",CLASS=\"onCuePoint\",START-DATE=\"1970-01-01T00:00:05.040Z\",\
                 X-HEADWATER-CUE=\"%7B%22name%22%3A%22a%20%5C%22g%5C%22%5Cn%22%2C%22time%22%3A5%7D\""
            );
            assert!(bare.attributes.is_empty() && playlist.to_string().contains(&format!("\n{range}\n")));
        }
        publisher.broadcast(2_500, 50, 0);
        assert!(publisher.playlist(TrackId::VIDEO).date_ranges.is_empty(), "they go with their segment");
        for _ in 0..200 {
            publisher.say(b"\x02\0\x0AonCuePoint\x05");
        }
        assert_eq!(publisher.playlist(TrackId::VIDEO).date_ranges.len(), 128);
        // What grows when it is written as text is bounded as text, the newest first.
        const CONTROL: &[u8] = b"\x02\0\x0AonCuePoint\x02\0\x40\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01";
        for _ in 0..200 {
            publisher.say(CONTROL);
        }
        publisher.say(CUE);
        let ranges = publisher.playlist(TrackId::VIDEO).date_ranges;
        let text: usize = ranges.iter().map(|range| range.to_string().len()).sum();
        assert!(text <= DATE_RANGES_BYTES_MAX && ranges.len() > 10, "{text} bytes, {} ranges", ranges.len());
        assert!(ranges.last().unwrap().to_string().contains("name"), "the newest is there");
    }

    #[test]
    fn a_window_that_is_over_ends_and_has_no_edge() {
        let mut publisher = Publisher::new();
        publisher.broadcast(130, 50, 0);
        let live = publisher.playlist(TrackId::VIDEO);
        let edge = live.low_latency.unwrap();
        assert!(edge.preload_hint.is_some() && edge.reports.len() == 1 && !live.ended);
        publisher.window.take(publisher.maker.finish());
        publisher.window.end();
        let over = publisher.playlist(TrackId::VIDEO);
        assert!(over.ended && over.low_latency.is_none() && over.segments.len() == 3);
        assert_eq!(over.segments[2].end, Timestamp::from_ms(5_200));
    }
}
