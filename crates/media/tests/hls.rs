//! Films cut for HLS: the segments of every fixture, read again, are the film, access unit by access unit.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests may")]

use bytes::{BufMut, Bytes, BytesMut};
use headwater_media::cut::Piece;
use headwater_media::first_frames::FirstFrames;
use headwater_media::flv::Indexer;
use headwater_media::hls::{
    KEY_FRAMES_APART, MediaSegment, Presentation, SEGMENT_MAX, SEGMENT_TARGET, SegmentedTrack,
};
use headwater_media::index::{Index, Sample};
use headwater_media::mp4::{Sample as Written, Scan, TrackFragments};
use headwater_media::{Codec, Error, Frame, MediaKind, Timestamp, Track, TrackId};

const FILMS: [&str; 15] = [
    "ac3.flv",
    "audio.flv",
    "av1.flv",
    "bframes.mp4",
    "demo.flv",
    "faststart.mp4",
    "film.f4v",
    "fragmented.mp4",
    "hevc.flv",
    "keyframes.flv",
    "mp3.flv",
    "mp3.mp4",
    "multitrack.flv",
    "video.flv",
    "vp9.flv",
];

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/../../testdata/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn index(file: &[u8]) -> Index {
    let mut frames = FirstFrames::new(indexed(file));
    while let Some(range) = frames.wants() {
        frames.supply(&file[range.start as usize..range.end as usize]);
    }
    frames.finish().unwrap()
}

fn indexed(file: &[u8]) -> Index {
    if file.starts_with(b"FLV") {
        let mut indexer = Indexer::new(1 << 24);
        indexer.feed(file);
        return indexer.finish().unwrap();
    }
    let mut scan = Scan::new(file.len() as u64);
    while let Some(range) = scan.wants() {
        scan.supply(&file[range.start as usize..range.end as usize]).unwrap();
    }
    scan.finish().unwrap()
}

fn bytes_of(file: &[u8], sample: &Sample) -> Bytes {
    Bytes::copy_from_slice(&file[sample.offset as usize..sample.offset as usize + sample.size as usize])
}

fn frames(index: &Index, file: &[u8], track: usize) -> Vec<Frame> {
    let own = index.samples().iter().filter(|sample| usize::from(sample.track) == track);
    own.map(|sample| index.frame(sample, bytes_of(file, sample)).unwrap()).collect()
}

/// A film with its presentation.
struct Film {
    file: Vec<u8>,
    index: Index,
    presentation: Presentation,
}

impl Film {
    fn new(name: &str, target: Timestamp) -> Self {
        let file = fixture(name);
        let index = index(&file);
        let presentation =
            Presentation::new(&index, target).unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { file, index, presentation }
    }

    fn segment(&self, line: &SegmentedTrack, number: usize, cut: &MediaSegment) -> Vec<u8> {
        let (head, pieces) = self.presentation.segment(&self.index, line, number, cut).unwrap();
        let mut out = head.to_vec();
        for piece in pieces {
            match piece {
                Piece::Bytes(bytes) => out.extend_from_slice(&bytes),
                Piece::File { offset, len } => {
                    out.extend_from_slice(&self.file[offset as usize..(offset + len) as usize]);
                }
                Piece::Repaired(sample) => {
                    let bytes = bytes_of(&self.file, &sample);
                    out.extend_from_slice(&self.index.frame(&sample, bytes).unwrap().payload);
                }
            }
        }
        out
    }

    fn init(&self, line: &SegmentedTrack) -> Vec<u8> {
        let era = line.segments[0].era;
        self.presentation.init(&self.index, line, era).unwrap().to_vec()
    }
}

/// A tick of 44.1 kHz, the coarsest timescale of these films.
const TOLERANCE_NS: i64 = 22_700;

fn assert_close(is: Timestamp, should: Timestamp, what: &str) {
    assert!((is - should).as_nanos().abs() <= TOLERANCE_NS, "{what}: {is} is not {should}");
}

#[test]
fn segments_read_again_are_the_film() {
    for name in FILMS {
        let film = Film::new(name, Timestamp::from_ms(700));
        for line in film.presentation.tracks() {
            let what = format!("{name}, track {}", line.track);
            let mut file = film.init(line);
            for (number, cut) in line.segments.iter().enumerate() {
                file.extend(film.segment(line, number, cut));
            }
            let again = index(&file);
            assert!(again.notes().is_empty(), "{what}: {:?}", again.notes());
            let (made, was) = (frames(&again, &file, 0), frames(&film.index, &film.file, line.track));
            assert_eq!(made.len(), was.len(), "{what}");
            let track = &again.tracks()[0].track;
            let source = &film.index.tracks()[line.track].track;
            assert_eq!(track.details().codec_string, source.details().codec_string, "{what}");
            // FFmpeg sends the record of VP9 with the head of its box.
            assert!(source.config.ends_with(&track.config), "{what}: another configuration");
            let delay = made[0].dts - (was[0].dts - film.presentation.origin());
            for (number, (made, was)) in made.iter().zip(&was).enumerate() {
                let what = format!("{what}, frame {number}");
                assert!(made.payload == was.payload && made.key == was.key, "{what}: another frame");
                assert_close(made.pts + again.clock(), was.pts - film.presentation.origin(), &what);
                assert_close(made.dts, was.dts - film.presentation.origin() + delay, &what);
            }
        }
    }
}

#[test]
fn each_segment_stands_alone_and_lasts_until_the_next() {
    for name in FILMS {
        let film = Film::new(name, Timestamp::from_ms(700));
        for line in film.presentation.tracks() {
            let init = film.init(line);
            let mut ends: Option<u64> = None;
            for (number, cut) in line.segments.iter().enumerate().rev() {
                let what = format!("{name}, track {}, segment {number}", line.track);
                let segment = film.segment(line, number, cut);
                assert_eq!(segment, film.segment(line, number, cut), "{what}: the same bytes each time");
                let about = cut.bytes.abs_diff(segment.len() as u64);
                assert!(about < 64, "{what}: {} bytes were announced, {} came", cut.bytes, segment.len());
                let file = [&init[..], &segment].concat();
                let again = index(&file);
                let made = frames(&again, &file, 0);
                assert!(line.independent, "{what}");
                assert!(made[0].key, "{what}");
                let (start, end) = fragment_times(&segment);
                assert!(ends.is_none_or(|ends| ends == end), "{what}: {end} ticks, not {ends:?}");
                ends = Some(start);
            }
        }
    }
}

/// `tfdt`, and what the durations of `trun` come to behind it, in ticks. The fields are where this crate writes them.
fn fragment_times(segment: &[u8]) -> (u64, u64) {
    let body = |kind: &[u8; 4]| {
        let at = segment.windows(4).position(|window| window == kind).unwrap();
        &segment[at + 4..]
    };
    let word = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let (tfdt, trun) = (body(b"tfdt"), body(b"trun"));
    let start = u64::from(word(tfdt, 4)) << 32 | u64::from(word(tfdt, 8));
    let count = word(trun, 4) as usize;
    let lasts: u64 = (0..count).map(|number| u64::from(word(trun, 12 + 16 * number))).sum();
    (start, start + lasts)
}

#[test]
fn key_frames_come_one_by_one() {
    for name in FILMS {
        let film = Film::new(name, SEGMENT_TARGET);
        for line in film.presentation.tracks() {
            let kind = film.index.tracks()[line.track].track.id.kind;
            assert_eq!(line.keys.is_empty(), kind == MediaKind::Audio, "{name}");
            for (number, cut) in line.keys.iter().enumerate() {
                let file = [film.init(line), film.segment(line, number, cut)].concat();
                let made = frames(&index(&file), &file, 0);
                assert!(made.len() == 1 && made[0].key, "{name}, key frame {number}");
            }
            for pair in line.keys.windows(2) {
                assert!(pair[1].start - pair[0].start >= KEY_FRAMES_APART, "{name}");
            }
        }
    }
}

/// An index of pictures 1/25 s apart with the given key frames, by a file of one-byte samples.
fn made_of(keys: &[usize], pictures: usize) -> Index {
    let source = index(&fixture("keyframes.flv"));
    let video = source.tracks().iter().find(|track| track.track.id.kind == MediaKind::Video).unwrap();
    let mut muxer =
        headwater_media::mp4::Muxer::new(std::slice::from_ref(&video.track), Timestamp::ZERO).unwrap();
    let frame = |number: usize| {
        let at = Timestamp::from_ms(40 * number as i64);
        let payload = Bytes::from_static(&[0]);
        Frame {
            track: video.track.id,
            codec: video.track.codec,
            dts: at,
            pts: at,
            key: keys.contains(&number),
            payload,
        }
    };
    let frames: Vec<Frame> = (0..pictures).map(frame).collect();
    let mut file = muxer.init_segment().unwrap().to_vec();
    file.extend(muxer.fragment(&frames, None).unwrap());
    index(&file)
}

fn starts(index: &Index) -> (Vec<i64>, bool) {
    let presentation = Presentation::new(index, SEGMENT_TARGET).unwrap();
    let line = &presentation.tracks()[0];
    (line.segments.iter().map(|cut| cut.start.as_ms()).collect(), line.independent)
}

#[test]
fn cuts_lie_at_the_key_frames_nearest_to_the_target() {
    let every = |step: usize| (0..1000).step_by(step).collect::<Vec<_>>();
    let twos = starts(&made_of(&every(50), 500));
    assert_eq!(twos, (vec![0, 6000, 12_000, 18_000], true));
    let fours = starts(&made_of(&every(100), 500));
    assert_eq!(fours, (vec![0, 8000, 16_000], true));
    // 5 s is nearer to 6 s than 10 s is.
    let fives = starts(&made_of(&every(125), 500));
    assert_eq!(fives, (vec![0, 5000, 10_000, 15_000], true));
    let tens = starts(&made_of(&every(250), 500));
    assert_eq!(tens, (vec![0, 10_000], true));
}

#[test]
fn a_film_of_one_key_frame_is_cut_all_the_same() {
    let (starts, independent) = starts(&made_of(&[0], 2000));
    assert!(!independent, "it is not said that segments stand alone");
    for pair in starts.windows(2) {
        assert!(pair[1] - pair[0] <= SEGMENT_MAX.as_ms() + 40, "{starts:?}");
    }
    assert!(starts.len() > 2, "{starts:?}");
}

/// A film of pictures 1/25 s apart with a key frame every 2 s, and of sound: from each of these milliseconds on so many of
/// either, and each time in another configuration than before. Each sample is a fragment.
fn changing(pictures: &[(i64, usize)], sounds: &[(i64, usize)]) -> Index {
    let picture = |name| {
        let index = index(&fixture(name));
        let tracks = index.tracks().iter().map(|indexed| indexed.track.clone());
        tracks.into_iter().find(|track| track.id == TrackId::VIDEO).unwrap()
    };
    let sound = |config: &'static [u8]| Track::new(TrackId::AUDIO, Codec::Aac, Bytes::from_static(config));
    let tracks =
        [picture("keyframes.flv"), picture("bframes.mp4"), sound(&[0x12, 0x10]), sound(&[0x11, 0x90])];
    let tracks: Vec<_> =
        (1..).zip(&tracks).map(|(number, track)| TrackFragments::new(number, track, &[]).unwrap()).collect();
    let runs = |first: usize, runs: &[(i64, usize)], lasts_ns: i64| {
        let run = |(at, &(from_ms, count)): (usize, &(i64, usize))| {
            (0..count).map(move |number| {
                let time = Timestamp::from_ms(from_ms) + Timestamp::from_nanos(number as i64 * lasts_ns);
                (time, first + at % 2, number.is_multiple_of(50))
            })
        };
        runs.iter().enumerate().flat_map(run).collect::<Vec<_>>()
    };
    let mut samples = [runs(0, pictures, 40_000_000), runs(2, sounds, 20_000_000)].concat();
    samples.sort();
    let mut out = BytesMut::from(&TrackFragments::head_of(tracks.iter())[..]);
    for (number, (time, place, key)) in (1..).zip(samples) {
        let track = &tracks[place];
        let key = key || place >= 2;
        let lasts = Timestamp::from_ms(if place < 2 { 40 } else { 20 }).to_ticks(track.timescale());
        let sample = Written { duration: lasts as u32, composition: 0, key, len: 1 };
        out.put(track.fragment_head(number, time.to_ticks(track.timescale()), &[sample]).unwrap());
        out.put_u8(number as u8);
    }
    index(&out)
}

/// Of each segment of the first track with pictures or with sound: when it begins in milliseconds, how often the film has
/// broken before it, and in which of its configurations it is.
fn told(presentation: &Presentation, kind: MediaKind, index: &Index) -> Vec<(i64, u32, u32)> {
    let is_it = |line: &&SegmentedTrack| index.tracks()[line.track].track.id.kind == kind;
    let line = presentation.tracks().iter().find(is_it).unwrap();
    line.segments.iter().map(|cut| (cut.start.as_ms(), cut.era, cut.configuration)).collect()
}

#[test]
fn all_tracks_break_together_where_publishers_follow_each_other() {
    // The second one's sound begins 20 ms before its picture, the third one's 100 ms behind it; the fourth one's picture is
    // alone for two seconds.
    let pictures = [(0, 150), (7000, 150), (14_000, 150), (20_000, 100)];
    let sounds = [(0, 301), (6980, 300), (14_100, 290), (22_000, 100)];
    let index = changing(&pictures, &sounds);
    assert_eq!((index.tracks().len(), index.notes()), (2, &[][..]));
    let presentation = Presentation::new(&index, SEGMENT_TARGET).unwrap();
    assert!(presentation.tracks().iter().all(|line| line.independent), "each begins with a key frame");
    let expected = vec![(0, 0, 0), (7000, 1, 1), (14_000, 2, 2), (20_000, 3, 3)];
    assert_eq!(told(&presentation, MediaKind::Video, &index), expected);
    let expected = vec![(0, 0, 0), (6980, 1, 1), (14_100, 2, 2), (22_000, 3, 3)];
    assert_eq!(told(&presentation, MediaKind::Audio, &index), expected);
}

#[test]
fn sound_that_changes_alone_is_described_anew_and_breaks_nothing() {
    // Behind 3.3 s in the middle of a group, and 36 ms behind a cut.
    let index = changing(&[(0, 500)], &[(0, 165), (3300, 437), (12_036, 398)]);
    let presentation = Presentation::new(&index, SEGMENT_TARGET).unwrap();
    assert!(presentation.tracks().iter().all(|line| line.independent));
    let expected = vec![(0, 0, 0), (6000, 0, 0), (12_000, 0, 0), (18_000, 0, 0)];
    assert_eq!(told(&presentation, MediaKind::Video, &index), expected);
    let expected = vec![(0, 0, 0), (3300, 0, 1), (6000, 0, 1), (12_036, 0, 2), (18_016, 0, 2)];
    assert_eq!(told(&presentation, MediaKind::Audio, &index), expected);
}

#[test]
fn a_track_that_has_nothing_between_two_breaks_counts_both() {
    let pictures = [(0, 100), (4000, 100), (8000, 100)];
    let index = changing(&pictures, &[(0, 150), (8000, 150)]);
    let presentation = Presentation::new(&index, SEGMENT_TARGET).unwrap();
    let eras =
        |kind| told(&presentation, kind, &index).into_iter().map(|(_, era, _)| era).collect::<Vec<_>>();
    assert_eq!((eras(MediaKind::Video), eras(MediaKind::Audio)), (vec![0, 1, 2], vec![0, 2]));
    // And one that begins behind the first begins there.
    let index = changing(&pictures, &[(4500, 150), (8000, 150)]);
    let presentation = Presentation::new(&index, SEGMENT_TARGET).unwrap();
    assert_eq!(told(&presentation, MediaKind::Audio, &index), [(0, 1, 0), (8000, 2, 1)]);
}

#[test]
fn what_hls_does_not_carry_is_refused_in_words() {
    let vvc = Presentation::new(&index(&fixture("vvc.flv")), SEGMENT_TARGET);
    match vvc {
        Err(error @ Error::Unsupported { .. }) => assert!(error.to_string().contains("H.266"), "{error}"),
        Ok(presentation) => {
            assert!(presentation.left_out()[0].contains("H.266"), "{:?}", presentation.left_out());
            assert!(presentation.tracks().iter().all(|line| line.keys.is_empty()), "only sound is left");
        }
        Err(error) => panic!("{error}"),
    }
}
