//! The index of a film against the reading of all of it: the same frames, wherever they lie, also of files that
//! grow, end in the middle, have to be mended or change in the middle.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests may")]

use bytes::Bytes;
use headwater_media::codec::aac::{AdtsHeader, AudioSpecificConfig};
use headwater_media::first_frames::FirstFrames;
use headwater_media::flv::{
    self, Indexer, MediaItem, TagKind, TagReader, file_header, previous_tag_size, tag_head,
};
use headwater_media::index::{Index, Sample};
use headwater_media::mp4::Scan;
use headwater_media::{Frame, MediaKind, Timestamp, Track};
use proptest::prelude::*;

const FLV: [&str; 11] = [
    "demo.flv",
    "keyframes.flv",
    "audio.flv",
    "video.flv",
    "mp3.flv",
    "hevc.flv",
    "av1.flv",
    "vp9.flv",
    "vvc.flv",
    "multitrack.flv",
    "ac3.flv",
];

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/../../testdata/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn index(file: &[u8]) -> Index {
    let mut indexer = Indexer::new(1 << 24);
    indexer.feed(file);
    indexer.finish().unwrap()
}

fn scan(file: &[u8]) -> Index {
    let mut scan = Scan::new(file.len() as u64);
    supply(&mut scan, file);
    scan.finish().unwrap()
}

fn supply(scan: &mut Scan, file: &[u8]) {
    while let Some(range) = scan.wants() {
        scan.supply(&file[range.start as usize..range.end as usize]).unwrap();
    }
}

/// What a reader makes of the file with the index alone.
fn frames(index: &Index, file: &[u8]) -> Vec<Frame> {
    let read = |sample: &Sample| {
        let start = sample.offset as usize;
        let bytes = Bytes::copy_from_slice(&file[start..start + sample.size as usize]);
        let frame = index.frame(sample, bytes).unwrap();
        assert_eq!(frame.payload.len(), index.payload_len(sample) as usize);
        frame
    };
    index.samples().iter().map(read).collect()
}

fn next(demuxer: &mut flv::Demuxer) -> Option<MediaItem> {
    let item = demuxer.next_item().unwrap();
    if item.is_none() && demuxer.finish() { demuxer.next_item().unwrap() } else { item }
}

/// All of the file from its start: frames in decoding order, and the tracks as they are announced.
fn demux(file: &[u8]) -> (Vec<Frame>, Vec<Track>) {
    let mut demuxer = flv::Demuxer::default();
    demuxer.feed(file);
    let (mut frames, mut tracks) = (Vec::new(), Vec::new());
    while let Some(item) = next(&mut demuxer) {
        match item {
            MediaItem::Track(track) => tracks.push(track),
            MediaItem::Frame(frame) if flv::is_on_metadata(&frame.payload) => {}
            MediaItem::Frame(frame) => frames.push(frame),
        }
    }
    frames.sort_by_key(|frame| frame.dts);
    (frames, tracks)
}

/// That an index leads to these frames at the times that the file's own clock gave them; sound may be put back on the grid
/// of its samples.
fn assert_same(index: &Index, file: &[u8], expected: &[Frame], what: &str) {
    let found = frames(index, file);
    assert_eq!(found.len(), expected.len(), "{what}");
    for track in index.tracks().iter().map(|indexed| indexed.track.id) {
        let of_track = |frames: &[Frame]| -> Vec<Frame> {
            frames.iter().filter(|frame| frame.track == track).cloned().collect()
        };
        let (found, expected) = (of_track(&found), of_track(expected));
        assert_eq!(found.len(), expected.len(), "{what}, {track:?}");
        let tolerance_ns = if track.kind == MediaKind::Audio { 2_000_000 } else { 0 };
        for (number, (is, was)) in found.iter().zip(&expected).enumerate() {
            let what = format!("{what}, {track:?}, frame {number}");
            assert!(
                is.payload == was.payload && (is.key, is.codec) == (was.key, was.codec),
                "{what}: another"
            );
            for (is, was) in [(is.dts, was.dts), (is.pts, was.pts)] {
                let off = (is + index.clock() - was).as_nanos().abs();
                assert!(off <= tolerance_ns, "{what}: {is} + {} is not {was}", index.clock());
            }
        }
    }
}

/// The file with other bodies.
fn rewritten(file: &[u8], mut body_of: impl FnMut(TagKind, &[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut reader = TagReader::default();
    reader.feed(file);
    let mut out = file_header(true, true).to_vec();
    while let Some(tag) = reader.next_tag().unwrap() {
        let body = body_of(tag.kind, &tag.body);
        out.extend(tag_head(tag.kind, body.len(), tag.timestamp_ms));
        out.extend(&body);
        out.extend(previous_tag_size(body.len()));
    }
    out
}

#[test]
fn an_index_leads_to_every_frame() {
    for name in FLV {
        let file = fixture(name);
        let index = index(&file);
        assert_same(&index, &file, &demux(&file).0, name);
        assert_eq!(index.notes(), [""; 0], "{name}");
        assert!(index.samples().iter().all(|sample| !sample.needs_repair), "{name}");
        assert!(index.metadata().is_some(), "{name}");
    }
}

/// The file with other tags for each of its tags: kind, time, body.
fn retagged(
    file: &[u8],
    mut tags_of: impl FnMut(TagKind, u32, &[u8]) -> Vec<(TagKind, u32, Vec<u8>)>,
) -> Vec<u8> {
    let mut reader = TagReader::default();
    reader.feed(file);
    let mut out = file_header(true, true).to_vec();
    while let Some(tag) = reader.next_tag().unwrap() {
        for (kind, time, body) in tags_of(tag.kind, tag.timestamp_ms, &tag.body) {
            out.extend(tag_head(kind, body.len(), time));
            out.extend(&body);
            out.extend(previous_tag_size(body.len()));
        }
    }
    out
}

#[test]
fn pictures_that_lie_in_several_tags_are_one_sample() {
    /// A slice below the first one, of a picture that depends on others.
    const BELOW: &[u8] = &[0, 0, 0, 5, 0x41, 0x2C, 0xD1, 7, 7];
    let file = fixture("keyframes.flv");
    let whole = index(&file);
    let sound = std::cell::RefCell::new(Vec::new());
    // Between the slices lies the sound of before, and nothing is flagged as a key frame.
    let sliced = retagged(&file, |kind, time, body| match (kind, body) {
        (TagKind::Video, [_, 1, ..]) => {
            let unflagged = [&[0x27], &body[1..]].concat();
            let below = [&[0x27], &body[1..5], BELOW].concat();
            let mut tags = vec![(kind, time, unflagged)];
            tags.append(&mut sound.borrow_mut());
            tags.push((kind, time + 1, below));
            tags
        }
        (TagKind::Audio, [_, 1, ..]) => {
            sound.borrow_mut().push((kind, time, body.to_vec()));
            Vec::new()
        }
        _ => vec![(kind, time, body.to_vec())],
    });
    let index = index(&sliced);
    let of_video = |frames: Vec<Frame>| frames.into_iter().filter(|it| it.track.kind == MediaKind::Video);
    let expected: Vec<Frame> = of_video(frames(&whole, &file))
        .map(|frame| Frame { payload: [&frame.payload, BELOW].concat().into(), ..frame })
        .collect();
    assert!(expected.iter().filter(|frame| frame.key).count() > 1);
    let found: Vec<Frame> = of_video(frames(&index, &sliced)).collect();
    assert_eq!(found, expected);
    // Read once and in order, the first picture goes on before it is known that pictures come in pieces.
    let told = |frame: Frame| (frame.key, frame.payload);
    let in_order = of_video(demux(&sliced).0).skip(2).map(told);
    assert_eq!(found.into_iter().skip(1).map(told).collect::<Vec<_>>(), in_order.collect::<Vec<_>>());
    let samples = index.samples().iter();
    assert!(samples.clone().any(|sample| sample.needs_repair) && samples.clone().any(|it| !it.needs_repair));
    assert_eq!(index.notes(), [""; 0]);
}

#[test]
fn several_frames_of_sound_in_a_tag_are_samples_of_their_own() {
    let file = fixture("audio.flv");
    let whole = frames(&index(&file), &file);
    let config = AudioSpecificConfig::parse(&index(&file).tracks()[0].track.config).unwrap();
    let gathered = std::cell::RefCell::new((0, Vec::new(), 0));
    // Three to a tag, without a configuration.
    let rare = retagged(&file, |kind, time, body| match (kind, body) {
        (TagKind::Audio, [_, 1, frame @ ..]) => {
            let mut held = gathered.borrow_mut();
            if held.2 == 0 {
                *held = (time, vec![0xAF, 1], 0);
            }
            held.1.extend(AdtsHeader::build(&config, frame.len()).unwrap());
            held.1.extend(frame);
            held.2 += 1;
            let (time, body) = (held.0, held.1.clone());
            if held.2 < 3 {
                return Vec::new();
            }
            held.2 = 0;
            vec![(kind, time, body)]
        }
        (TagKind::Audio, _) => Vec::new(),
        _ => vec![(kind, time, body.to_vec())],
    });
    let index = index(&rare);
    assert_eq!(index.tracks()[0].track.config, config.to_bytes());
    let found = frames(&index, &rare);
    assert_eq!(found.len(), whole.len() / 3 * 3);
    for (found, expected) in found.iter().zip(&whole) {
        assert_eq!(found.payload, expected.payload);
        let apart = found.dts.as_ms() - expected.dts.as_ms();
        assert!(apart.abs() <= 1, "{apart} ms");
    }
    assert!(index.samples().iter().all(|sample| !sample.needs_repair), "they lie as they are");
}

/// What an encoder made, in MP4 whose configuration announces AAC-LC alone; and AAC-LC.
#[test]
fn he_aac_that_nobody_announces_is_what_frames_say() {
    let details = |index: Index, file: &[u8]| {
        let sound = |index: &Index| {
            index.tracks().iter().find(|it| it.track.id.kind == MediaKind::Audio).unwrap().clone()
        };
        let before = sound(&index);
        let mut frames = FirstFrames::new(index);
        while let Some(range) = frames.wants() {
            frames.supply(&file[range.start as usize..range.end as usize]);
        }
        let after = sound(&frames.finish().unwrap());
        assert_eq!((&after.track, after.end, after.timescale), (&before.track, before.end, before.timescale));
        let details = after.described().details();
        (details.codec_string.unwrap(), details.sample_rate.unwrap(), details.channels.unwrap())
    };
    for (name, codec, channels) in [
        ("he-aac.mp4", "mp4a.40.5", 2),
        ("he-aac-mono.mp4", "mp4a.40.5", 1),
        ("he-aac-v2.mp4", "mp4a.40.29", 2),
    ] {
        let file = fixture(name);
        let (lasts, frames) = (scan(&file).duration(), scan(&file).samples().len() as i64);
        assert_eq!(lasts.as_ms(), Timestamp::from_ticks(2048 * frames, 48_000).as_ms(), "{name}");
        assert_eq!(details(scan(&file), &file), (codec.to_owned(), 48_000, channels), "{name}");
    }
    // These deny it in their configuration. Without that their frames are asked.
    let open = |name| {
        let mut file = fixture(name);
        let denial = file.windows(3).position(|bytes| bytes == [0x56, 0xE5, 0]).unwrap();
        file[denial..denial + 2].fill(0);
        file
    };
    let (mp4, flv) = (open("faststart.mp4"), open("audio.flv"));
    assert_eq!(details(scan(&mp4), &mp4), ("mp4a.40.2".to_owned(), 44_100, 2));
    assert_eq!(details(index(&flv), &flv).0, "mp4a.40.2");
}

#[test]
fn sound_without_a_configuration_is_guessed_or_noted() {
    let file = fixture("demo.flv");
    let bare = retagged(&file, |kind, time, body| match (kind, body) {
        (TagKind::Audio, [_, 0, ..]) => Vec::new(),
        _ => vec![(kind, time, body.to_vec())],
    });
    let (whole, guessed) = (index(&file), index(&bare));
    let of_sound = |index: &Index| {
        index
            .tracks()
            .iter()
            .find(|it| it.track.id.kind == MediaKind::Audio)
            .map(|it| it.track.config.clone())
    };
    let frames = |index: &Index| index.samples().len();
    let of_index = |index: &Index| AudioSpecificConfig::parse(&of_sound(index).unwrap()).unwrap();
    assert_eq!(of_index(&guessed), of_index(&whole));
    assert_eq!(frames(&whole) - frames(&guessed), 48);
    // Too little to guess from.
    let short = retagged(
        &bare,
        |kind, time, body| {
            if time < 400 { vec![(kind, time, body.to_vec())] } else { Vec::new() }
        },
    );
    let notes = index(&short).notes().join("; ");
    assert!(notes.contains("frames of AAC sound are left out"), "{notes}");
}

#[test]
fn frames_that_have_to_be_mended_are_mended_at_their_places() {
    let file = fixture("keyframes.flv");
    let irregular = rewritten(&file, |kind, body| match (kind, body) {
        (TagKind::Video, [_, 1, _, _, _, units @ ..]) => {
            let mut annex_b = body[..5].to_vec();
            let mut rest = units;
            while let Some((length, tail)) = rest.split_first_chunk::<4>() {
                let (unit, tail) = tail.split_at(u32::from_be_bytes(*length) as usize);
                annex_b.extend([0, 0, 0, 1]);
                annex_b.extend(unit);
                rest = tail;
            }
            annex_b
        }
        _ => body.to_vec(),
    });
    let found = index(&irregular);
    assert!(found.samples().iter().any(|sample| sample.needs_repair));
    assert_same(&found, &irregular, &demux(&file).0, "irregular");
}

#[test]
fn a_film_may_change_in_the_middle() {
    let (first, second) = (fixture("keyframes.flv"), fixture("demo.flv"));
    let joined = [first.clone(), second.clone()].concat();
    let index = index(&joined);
    let ((all, _), (before, tracks)) = (demux(&joined), demux(&first));
    assert_same(&index, &joined, &all, "joined");
    assert_eq!(index.tracks_at(0), tracks);
    let last = index.samples().len() - 1;
    assert_eq!(index.tracks_at(last)[0].config, demux(&second).1[0].config);
    let change = index.next_change(0).unwrap();
    assert!(change.abs_diff(before.len()) < 10, "at frame {change}, not {}", before.len());
    assert_ne!(index.tracks_at(change), tracks);
    assert_eq!(index.tracks_at(change - 1), tracks);
    assert_eq!(index.next_change(last), None);
}

#[test]
fn what_is_wrong_is_said() {
    let file = fixture("demo.flv");
    let cut = &file[..file.len() / 2];
    let half = index(cut);
    assert!(half.notes()[0].starts_with("it ends inside the tag at byte "), "{:?}", half.notes());
    assert_same(&half, cut, &demux(cut).0, "half");

    let mut torn = file.clone();
    torn.splice(20_000..20_100, []);
    let torn_index = index(&torn);
    assert!(torn_index.notes().iter().any(|note| note.contains("are no tags")), "{:?}", torn_index.notes());

    for (bytes, word) in [
        (&b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00"[..], "no frame"),
        (b"RIFF....", "no FLV file"),
        (b"", "no frame"),
    ] {
        let mut indexer = Indexer::new(1 << 24);
        indexer.feed(bytes);
        let error = indexer.finish().unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn a_key_frame_is_found_for_every_time() {
    let index = index(&fixture("demo.flv"));
    for ms in 0..10_000 {
        let start = index.samples()[index.start_for(Timestamp::from_ms(ms))];
        assert_eq!(start.dts, Timestamp::from_ms(ms / 2000 * 2000), "for {ms} ms");
        assert_eq!(index.tracks()[usize::from(start.track)].track.id.kind, MediaKind::Video);
    }
    // The sound has 469 frames of 1024 samples.
    assert_eq!(index.duration().to_ticks(48_000), 469 * 1024);
}

#[test]
fn a_players_description_lists_the_key_frames() {
    let index = index(&fixture("demo.flv"));
    let about = flv::parse_on_metadata(&flv::film_metadata(&index)).unwrap();
    let listed = flv::keyframe_index(&about).unwrap();
    let times: Vec<i64> = listed.iter().map(|(at, _)| at.as_ms()).collect();
    assert_eq!(times, [0, 2000, 4000, 6000, 8000]);
    let keys =
        index.samples().iter().filter(|sample| listed.iter().any(|(_, place)| *place == sample.offset));
    assert!(keys.clone().all(|sample| sample.key) && keys.count() == 5);
    assert_eq!(about.get("duration").unwrap().as_number(), Some(10.005_333_333));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn an_flv_file_that_grows_has_the_index_of_what_is_there(cuts in prop::collection::vec(0usize..400_000, 1..6)) {
        let file = fixture("keyframes.flv");
        let mut ends: Vec<usize> = cuts.into_iter().map(|cut| cut.min(file.len())).collect();
        ends.sort_unstable();
        let mut indexer = Indexer::new(1 << 24);
        let mut at = 0;
        for end in ends {
            indexer.feed(&file[at..end]);
            at = end;
            if let Ok(partial) = indexer.clone().finish() {
                assert_same(&partial, &file[..end], &demux(&file[..end]).0, "grown");
            }
        }
        indexer.feed(&file[at..]);
        prop_assert_eq!(indexer.finish().unwrap(), index(&file));
    }

    #[test]
    fn a_fragmented_mp4_that_grows_has_the_index_of_what_is_there(cuts in prop::collection::vec(0usize..400_000, 1..6)) {
        let file = fixture("fragmented.mp4");
        let mut ends: Vec<usize> = cuts.into_iter().map(|cut| cut.min(file.len())).collect();
        ends.sort_unstable();
        // Before moov is whole there is nothing to grow.
        let mut grown: Option<Scan> = None;
        for end in ends {
            let part = &file[..end];
            match &mut grown {
                Some(scan) => prop_assert!(scan.grow(end as u64)),
                None => {
                    let mut scan = Scan::new(end as u64);
                    let mut whole = true;
                    while let Some(range) = scan.wants() {
                        whole &= scan.supply(&part[range.start as usize..range.end as usize]).is_ok();
                        if !whole { break; }
                    }
                    grown = Some(scan).filter(|scan| whole && scan.clone().grow(end as u64));
                }
            }
            if let Some(scan) = &mut grown {
                supply(scan, part);
                // As long as no sample is there, there is no index.
                let mut whole = Scan::new(end as u64);
                supply(&mut whole, part);
                prop_assert_eq!(scan.clone().finish(), whole.finish());
            }
        }
        let mut scan = match grown {
            Some(mut scan) => { prop_assert!(scan.grow(file.len() as u64)); scan }
            None => Scan::new(file.len() as u64),
        };
        supply(&mut scan, &file);
        prop_assert_eq!(scan.finish().unwrap(), self::scan(&file));
    }
}
