//! Films written anew, whole and from anywhere: what is read of them is what the film has, frame by frame.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests may")]

use bytes::Bytes;
use headwater_media::cut::{Cut, CutPosition, Piece, Span};
use headwater_media::first_frames::FirstFrames;
use headwater_media::flv::{self, Dialect, Indexer, TagKind, TagReader, keyframe_index, parse_on_metadata};
use headwater_media::index::Index;
use headwater_media::mp4::Scan;
use headwater_media::{Error, Frame, MediaKind, Timestamp, TrackId};
use proptest::prelude::*;

/// Films that both containers hold.
const FILMS: [&str; 15] = [
    "demo.flv",
    "keyframes.flv",
    "audio.flv",
    "video.flv",
    "mp3.flv",
    "hevc.flv",
    "av1.flv",
    "vp9.flv",
    "ac3.flv",
    "multitrack.flv",
    "bframes.mp4",
    "faststart.mp4",
    "film.f4v",
    "fragmented.mp4",
    "mp3.mp4",
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

fn read(index: &Index, file: &[u8], piece: Piece) -> Bytes {
    match piece {
        Piece::Bytes(bytes) => bytes,
        Piece::File { offset, len } => {
            Bytes::copy_from_slice(&file[offset as usize..(offset + len) as usize])
        }
        Piece::Repaired(sample) => {
            let bytes = &file[sample.offset as usize..sample.offset as usize + sample.size as usize];
            index.frame(&sample, Bytes::copy_from_slice(bytes)).unwrap().payload
        }
    }
}

/// The file from byte `position` on.
fn made(cut: &Cut, index: &Index, file: &[u8], position: u64) -> Vec<u8> {
    let mut place = if position == 0 { CutPosition::default() } else { cut.seek(index, position) };
    let mut out = Vec::new();
    loop {
        let skip = std::mem::take(&mut place.skip) as usize;
        let Some(piece) = cut.next(index, &mut place) else { break };
        out.extend_from_slice(&read(index, file, piece)[skip..]);
    }
    assert_eq!(out.len() as u64, cut.len() - position);
    out
}

fn frames(index: &Index, file: &[u8], track: TrackId) -> Vec<Frame> {
    let read = |sample: &headwater_media::index::Sample| {
        let start = sample.offset as usize;
        index.frame(sample, Bytes::copy_from_slice(&file[start..start + sample.size as usize])).unwrap()
    };
    index.samples().iter().map(read).filter(|frame| frame.track == track).collect()
}

fn ms(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

/// That a track of a made file is a run of the film's frames, moved by the same time; the times may differ by
/// `tolerance`. Of what is decoded only, before 0, they say nothing, and what is needed from behind `until` is no later
/// than that. The run, by numbers of the track's frames.
fn assert_run(
    what: &str,
    original: &[Frame],
    made: &[Frame],
    shift: Timestamp,
    until: Timestamp,
    tolerance: Timestamp,
) -> std::ops::Range<usize> {
    let last = made.last().unwrap_or_else(|| panic!("{what}: the track is empty"));
    let end = original
        .iter()
        .rposition(|frame| frame.payload == last.payload && close(frame.dts - shift, last.dts, tolerance))
        .unwrap_or_else(|| panic!("{what}: the last frame ({:?}) is not of the film", last.pts));
    let start =
        (end + 1).checked_sub(made.len()).unwrap_or_else(|| panic!("{what}: more frames than there are"));
    for (number, (is, was)) in made.iter().zip(&original[start..]).enumerate() {
        let what = format!("{what}, frame {number}");
        assert_eq!((is.key, is.codec), (was.key, was.codec), "{what}");
        assert!(is.payload == was.payload, "{what}: other bytes");
        if is.pts < Timestamp::ZERO {
            continue;
        }
        let (pts, dts) = (was.pts.min(until) - shift, was.dts - shift);
        assert!(close(is.pts, pts, tolerance), "{what}: shown at {} not {pts}", is.pts);
        assert!(close(is.dts, dts, tolerance), "{what}: due at {} not {dts}", is.dts);
    }
    start..end + 1
}

fn close(a: Timestamp, b: Timestamp, tolerance: Timestamp) -> bool {
    (a - b).as_nanos().abs() <= tolerance.as_nanos()
}

/// Cuts a film and compares; `container` makes the file.
fn compare(name: &str, span: Span, as_mp4: bool) {
    let what = format!("{name} {span:?} as {}", if as_mp4 { "MP4" } else { "FLV" });
    let file = fixture(name);
    let film = index(&file);
    let cut = if as_mp4 { Cut::mp4(&film, span) } else { Cut::flv(&film, span, Dialect::FULL) }.unwrap();
    let bytes = made(&cut, &film, &file, 0);
    let again = index(&bytes);
    assert_eq!(again.notes(), [""; 0], "{what}");
    let media = |index: &Index| {
        let ids = index.tracks().iter().map(|indexed| indexed.track.id);
        ids.filter(|id| id.kind != MediaKind::Data).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(media(&again), media(&film), "{what}");
    let origin = match (as_mp4, span.from) {
        (true, Some(from)) => {
            let pictures = frames(&film, &file, TrackId::VIDEO);
            pictures.iter().map(|frame| frame.pts).filter(|pts| *pts <= from).max().unwrap_or(from)
        }
        (true, None) => Timestamp::ZERO,
        (false, Some(from)) => film.samples()[film.begin_at(from)].dts,
        (false, None) => film.origin(),
    };
    let shift = origin + again.clock();
    for id in media(&film) {
        let (was, is) = (frames(&film, &file, id), frames(&again, &bytes, id));
        let what = format!("{what}, {id:?}");
        // FLV counts milliseconds, and sound is on its grid again, wherever that began; MP4 has the film's own ticks,
        // rounded where it is cut between two.
        let tolerance = match (as_mp4, id.kind) {
            (true, _) => Timestamp::from_nanos(600_000),
            (false, MediaKind::Video) => ms(1),
            (false, _) => ms(2),
        };
        let run = assert_run(
            &what,
            &was,
            &is,
            shift,
            span.until.filter(|_| as_mp4).unwrap_or(Timestamp::from_nanos(i64::MAX)),
            tolerance,
        );
        let from = span.from.unwrap_or(was[0].pts).max(was[0].pts);
        let first = &was[run.start];
        assert!(!as_mp4 || first.pts <= from || run.start == 0, "{what}: it begins too late");
        if id.kind == MediaKind::Video {
            let later =
                was[run.start + 1..].iter().find(|frame| frame.key && frame.pts <= from && frame.dts <= from);
            assert!(first.key && later.is_none(), "{what}: not from the last keyframe");
        }
        let Some(until) = span.until else {
            assert_eq!(run.end, was.len(), "{what}: it ends elsewhere");
            continue;
        };
        assert!(was[run.end..].iter().all(|frame| frame.pts >= until), "{what}: it ends too early");
        let behind = was[run].iter().filter(|frame| frame.pts >= until).count();
        assert!(behind <= if id.kind == MediaKind::Video { 2 } else { 0 }, "{what}: {behind} behind its end");
    }
}

#[test]
fn a_whole_film_goes_into_the_other_container_and_into_its_own() {
    for name in FILMS {
        compare(name, Span::default(), true);
        compare(name, Span::default(), false);
    }
}

#[test]
fn a_film_from_anywhere() {
    for name in FILMS {
        let film = index(&fixture(name));
        let len = film.duration().as_ms();
        for part in 0..8 {
            let from = Some(ms(len * part / 8 + 7));
            let until = Some(ms(len * (part + 2) / 8 + 13));
            for as_mp4 in [true, false] {
                compare(name, Span { from, until: None }, as_mp4);
                compare(name, Span { from, until }, as_mp4);
                compare(name, Span { from: None, until }, as_mp4);
            }
        }
    }
}

#[test]
fn what_mp4_is_not_written_of_is_refused_in_words() {
    let film = index(&fixture("vvc.flv"));
    let error = Cut::mp4(&film, Span::default()).unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    assert!(error.to_string().contains("H.266"), "{error}");
    compare("vvc.flv", Span { from: Some(ms(500)), until: None }, false);
    // What VP9 and AC-3 are only their frames say.
    let film = indexed(&fixture("vp9.flv"));
    assert!(Cut::mp4(&film, Span::default()).unwrap_err().to_string().contains("VP9"));
}

#[test]
fn nothing_of_a_film_is_refused() {
    let film = index(&fixture("bframes.mp4"));
    let nothing = Span { from: None, until: Some(ms(-60_000)) };
    assert!(Cut::mp4(&film, nothing).is_err());
    assert!(Cut::flv(&film, nothing, Dialect::FULL).is_err());
}

#[test]
fn keyframes_are_where_the_metadata_says_and_can_be_asked_for_there() {
    for (name, from) in [("bframes.mp4", None), ("keyframes.flv", Some(ms(1100))), ("demo.flv", None)] {
        let file = fixture(name);
        let film = index(&file);
        let whole = Cut::flv(&film, Span { from, until: None }, Dialect::PLAIN).unwrap();
        let bytes = made(&whole, &film, &file, 0);
        let mut reader = TagReader::default();
        reader.feed(&bytes);
        let about = parse_on_metadata(&reader.next_tag().unwrap().unwrap().body).unwrap();
        let keyframes = keyframe_index(&about).unwrap();
        assert!(!keyframes.is_empty(), "{name}");
        let origin = from.map_or_else(|| film.origin(), |from| film.samples()[film.begin_at(from)].dts);
        // Of a whole film the times are those to ask for, which its tags are later than by what is decoded before 0.
        let lead = if from.is_none() { Timestamp::ZERO - film.origin() } else { Timestamp::ZERO };
        for (at, position) in keyframes {
            let mut reader = TagReader::default();
            reader.feed(&[&bytes[..13], &bytes[position as usize..]].concat());
            let tag = reader.next_tag().unwrap().unwrap();
            let composition = i64::from(u16::from_be_bytes([tag.body[3], tag.body[4]]));
            let shown = ms(i64::from(tag.timestamp_ms) + composition) - lead;
            assert!(tag.kind == TagKind::Video && close(shown, at, ms(1)), "{name}: {shown} for {at}");
            assert!(from.is_some() || film.samples()[film.start_for(at)].pts.as_ms() == at.as_ms(), "{name}");
            assert_eq!(tag.body[0] >> 4 & 7, 1, "{name}: no keyframe at {position}");
            let (number, exact) = whole.keyframe_at(&film, position).unwrap();
            assert!(exact && film.samples()[number].key);
            assert!(!whole.keyframe_at(&film, position + 5).unwrap().1);
            assert_eq!(whole.keyframe_at(&film, position + 5).unwrap().0, number);
            let tail = Cut::flv_tail(&film, number, origin, Dialect::PLAIN).unwrap();
            let tail = made(&tail, &film, &file, 0);
            assert!(
                tail.ends_with(&bytes[position as usize..]),
                "{name}: the tags are not those of the whole"
            );
            assert!(tail.len() < bytes.len() - position as usize + 400, "{name}: configurations only");
        }
    }
}

#[test]
fn every_keyframe_of_a_film_that_changes_stands_behind_what_holds_for_it() {
    let file = [fixture("keyframes.flv"), fixture("demo.flv")].concat();
    let film = index(&file);
    assert!(film.has_changes());
    let whole = Cut::flv(&film, Span::default(), Dialect::PLAIN).unwrap();
    let bytes = made(&whole, &film, &file, 0);
    assert_eq!(bytes.len() as u64, whole.len());
    let mut reader = TagReader::default();
    reader.feed(&bytes);
    let about = parse_on_metadata(&reader.next_tag().unwrap().unwrap().body).unwrap();
    let mut configurations = Vec::new();
    for (_, position) in keyframe_index(&about).unwrap() {
        let (number, exact) = whole.keyframe_at(&film, position).unwrap();
        assert!(exact && film.samples()[number].key);
        let mut reader = TagReader::default();
        reader.feed(&[&bytes[..13], &bytes[position as usize..]].concat());
        let [video, audio, keyframe] = [(); 3].map(|()| reader.next_tag().unwrap().unwrap());
        let holds = film.tracks_at(number);
        let config = |id| holds.iter().find(|track| track.id == id).unwrap().config.clone();
        assert_eq!((&video.body[..2], &video.body[5..]), (&[0x17, 0][..], &config(TrackId::VIDEO)[..]));
        assert_eq!((&audio.body[..2], &audio.body[2..]), (&[0xAF, 0][..], &config(TrackId::AUDIO)[..]));
        assert_eq!(keyframe.body[..2], [0x17, 1]);
        configurations.push(config(TrackId::VIDEO));
    }
    assert!(configurations.len() > 6, "{}", configurations.len());
    configurations.dedup();
    assert_eq!(configurations.len(), 2);
    // Nothing else is read of it than of the film.
    let again = index(&bytes);
    let payloads =
        |film: &Index| film.samples().iter().map(|it| (it.track, it.size, it.key)).collect::<Vec<_>>();
    assert_eq!(payloads(&again), payloads(&film));
    assert_eq!(again.next_change(0), film.next_change(0));
}

#[test]
fn what_has_to_be_mended_is_mended_on_the_way() {
    let file = fixture("keyframes.flv");
    let mut reader = TagReader::default();
    reader.feed(&file);
    let mut irregular = flv::file_header(true, true).to_vec();
    while let Some(tag) = reader.next_tag().unwrap() {
        let body = match (tag.kind, tag.body.as_ref()) {
            // Start codes in the place of lengths, which have as many bytes.
            (TagKind::Video, [head, 1, a, b, c, units @ ..]) => {
                let mut body = vec![*head, 1, *a, *b, *c];
                let mut units = units;
                while let Some((len, rest)) = units.split_first_chunk::<4>() {
                    let (unit, rest) = rest.split_at(u32::from_be_bytes(*len) as usize);
                    body.extend([&[0, 0, 0, 1], unit].concat());
                    units = rest;
                }
                body
            }
            (_, body) => body.to_vec(),
        };
        irregular.extend(flv::tag_head(tag.kind, body.len(), tag.timestamp_ms));
        irregular.extend(&body);
        irregular.extend(flv::previous_tag_size(body.len()));
    }
    let (regular, film) = (index(&file), index(&irregular));
    assert!(film.samples().iter().any(|sample| sample.needs_repair));
    for (id, as_mp4) in [(TrackId::VIDEO, true), (TrackId::AUDIO, true), (TrackId::VIDEO, false)] {
        let span = Span::default();
        let cut = if as_mp4 { Cut::mp4(&film, span) } else { Cut::flv(&film, span, Dialect::FULL) }.unwrap();
        let bytes = made(&cut, &film, &irregular, 0);
        let (was, is) = (frames(&regular, &file, id), frames(&index(&bytes), &bytes, id));
        assert!(was.iter().map(|frame| &frame.payload).eq(is.iter().map(|frame| &frame.payload)));
    }
}

/// A film in which something is said ten times a second.
fn talkative() -> Vec<u8> {
    let file = fixture("demo.flv");
    let mut reader = TagReader::default();
    reader.feed(&file);
    let (mut out, mut next) = (flv::file_header(true, true).to_vec(), 0);
    let mut put = |kind, at, body: &[u8]| {
        out.extend(flv::tag_head(kind, body.len(), at));
        out.extend(body);
        out.extend(flv::previous_tag_size(body.len()));
    };
    while let Some(tag) = reader.next_tag().unwrap() {
        while tag.timestamp_ms > next {
            put(
                TagKind::Script,
                next,
                &[b"\x02\0\x0AonTextData\x00", &f64::from(next).to_be_bytes()[..]].concat(),
            );
            next += 100;
        }
        put(tag.kind, tag.timestamp_ms, &tag.body);
    }
    out
}

#[test]
fn what_is_said_in_a_span_is_in_the_mp4_of_it_at_its_times() {
    let file = talkative();
    let film = index(&file);
    let said = frames(&film, &file, TrackId::DATA);
    assert!(said.len() > 20);
    for (from, until) in [(None, None), (Some(730), None), (None, Some(1_250)), (Some(1_010), Some(1_990))] {
        let span = Span { from: from.map(ms), until: until.map(ms) };
        let cut = Cut::mp4(&film, span).unwrap();
        let bytes = made(&cut, &film, &file, 0);
        let again = index(&bytes);
        assert_eq!(again.notes(), [""; 0]);
        let pictures = frames(&film, &file, TrackId::VIDEO);
        let shown =
            pictures.iter().map(|frame| frame.pts).filter(|pts| span.from.is_some_and(|at| *pts <= at)).max();
        let shown = shown.unwrap_or_default();
        let within = |frame: &&Frame| frame.pts >= shown && span.until.is_none_or(|until| frame.pts < until);
        let wanted: Vec<_> = said.iter().filter(within).collect();
        let kept = frames(&again, &bytes, TrackId::DATA);
        assert_eq!(kept.len(), wanted.len(), "{span:?}");
        for (kept, wanted) in kept.iter().zip(wanted) {
            assert_eq!(kept.payload, wanted.payload, "{span:?}");
            let at = wanted.pts - shown - again.clock();
            assert!(close(kept.pts, at, ms(1)), "{span:?}: {} for {at}", kept.pts);
        }
        // It makes nothing longer, and changes nothing of what is shown.
        let bare = Cut::mp4(&index(&fixture("demo.flv")), span).unwrap();
        let bare = index(&made(&bare, &index(&fixture("demo.flv")), &fixture("demo.flv"), 0));
        assert_eq!((again.duration(), again.tracks().len()), (bare.duration(), bare.tracks().len() + 1));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_part_of_a_made_file_is_that_part(
        name in prop::sample::select(FILMS.to_vec()),
        as_mp4: bool,
        places in prop::collection::vec(any::<prop::sample::Index>(), 10),
    ) {
        let file = fixture(name);
        let film = index(&file);
        let span = Span { from: Some(ms(600)), until: None };
        let cut = if as_mp4 { Cut::mp4(&film, span) } else { Cut::flv(&film, span, Dialect::FULL) }.unwrap();
        let whole = made(&cut, &film, &file, 0);
        for place in places {
            let place = place.index(whole.len());
            prop_assert!(made(&cut, &film, &file, place as u64) == whole[place..]);
        }
    }
}

/// A film whose index says that its samples are huge; nobody has to store them.
fn huge() -> Index {
    let mut file = fixture("faststart.mp4");
    let tables: Vec<usize> =
        file.windows(4).enumerate().filter(|(_, kind)| kind == b"stsz").map(|(at, _)| at).collect();
    for at in tables {
        let count = u32::from_be_bytes(file[at + 12..at + 16].try_into().unwrap()) as usize;
        for entry in file[at + 16..at + 16 + 4 * count].as_chunks_mut::<4>().0 {
            // As long as they may be.
            *entry = (32u32 << 20).to_be_bytes();
        }
    }
    let mut scan = Scan::new(1 << 40);
    while let Some(range) = scan.wants() {
        let Some(bytes) = file.get(range.start as usize..range.end as usize) else { break };
        scan.supply(bytes).unwrap();
    }
    scan.finish().unwrap()
}

#[test]
fn more_than_four_gibibytes_have_wide_offsets() {
    let film = huge();
    let cut = Cut::mp4(&film, Span::default()).unwrap();
    assert!(cut.len() > 1 << 32, "{}", cut.len());
    let Some(Piece::Bytes(head)) = cut.next(&film, &mut CutPosition::default()) else { panic!("no head") };
    assert!(head.windows(4).any(|kind| kind == b"co64") && !head.windows(4).any(|kind| kind == b"stco"));
    let mut scan = Scan::new(cut.len());
    while let Some(range) = scan.wants() {
        scan.supply(&head[range.start as usize..range.end as usize]).unwrap();
    }
    let again = scan.finish().unwrap();
    assert_eq!(again.notes(), [""; 0]);
    assert_eq!(again.samples().len(), film.samples().len());
    let end = again.samples().iter().map(|sample| sample.offset + u64::from(sample.size)).max();
    assert_eq!(end, Some(cut.len()));
    for (made, sample) in again.samples().iter().zip(film.samples()) {
        assert_eq!((made.size, made.track), (sample.size, sample.track));
        let mut place = cut.seek(&film, made.offset);
        assert_eq!(place.skip, 0);
        let Some(Piece::File { offset, len }) = cut.next(&film, &mut place) else { panic!("no range") };
        assert!(offset == sample.offset && len >= u64::from(sample.size));
    }
}
