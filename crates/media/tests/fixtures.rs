//! The files of `testdata/` read as ffprobe read them, written again, and cut anywhere.
//!
//! The expected lists (`*.packets`) were printed by ffprobe, so they are another reader's word.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests may")]

use std::fs;
use std::path::PathBuf;

use bytes::{Bytes, BytesMut};
use headwater_media::codec::aac::AudioSpecificConfig;
use headwater_media::codec::h264::AvcConfig;
use headwater_media::flv::demux::FileEnd;
use headwater_media::flv::{self, MediaItem};
use headwater_media::index::{Index, Sample, TextSample};
use headwater_media::mp4::{self, Scan};
use headwater_media::{Codec, Frame, MediaKind, Timestamp, Track, TrackId};
use proptest::prelude::*;

fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// One line of a `.packets` file; times in ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Packet {
    track: TrackId,
    pts: i64,
    dts: i64,
    size: usize,
    key: bool,
    adler32: u32,
}

/// The streams (track and timescale) and packets that ffprobe printed for a file.
fn expected(name: &str) -> (Vec<(TrackId, u32)>, Vec<Packet>) {
    let text = String::from_utf8(fixture(&format!("{name}.packets"))).unwrap();
    let mut streams: Vec<(TrackId, u32)> = Vec::new();
    let mut packets = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let fields: Vec<&str> = line.trim_start_matches("stream ").split(',').collect();
        if line.starts_with("stream") {
            let kind = match fields[1] {
                "h264" | "hevc" | "vvc" | "av1" | "vp9" => MediaKind::Video,
                "aac" | "mp3" | "opus" | "flac" | "ac3" | "eac3" => MediaKind::Audio,
                _ => MediaKind::Data,
            };
            let index = streams.iter().filter(|(track, _)| track.kind == kind).count() as u8;
            streams.push((TrackId { kind, index }, fields[2].trim_start_matches("1/").parse().unwrap()));
        } else {
            packets.push(Packet {
                track: streams[fields[0].parse::<usize>().unwrap()].0,
                pts: fields[1].parse().unwrap(),
                dts: fields[2].parse().unwrap(),
                size: fields[3].parse().unwrap(),
                key: fields[4].starts_with('K'),
                adler32: u32::from_str_radix(fields[5].trim_start_matches("adler32:"), 16).unwrap(),
            });
        }
    }
    (streams, packets)
}

fn adler32(bytes: &[u8]) -> u32 {
    let (a, b) = bytes.iter().fold((1u32, 0u32), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % 65521;
        (a, (b + a) % 65521)
    });
    b << 16 | a
}

fn packet(frame: &Frame, timescale: u32) -> Packet {
    Packet {
        track: frame.track,
        pts: frame.pts.to_ticks(timescale),
        dts: frame.dts.to_ticks(timescale),
        size: frame.payload.len(),
        key: frame.key,
        adler32: adler32(&frame.payload),
    }
}

fn demux_flv(file: &[u8], cuts: impl Iterator<Item = usize>) -> Vec<MediaItem> {
    let mut demuxer = flv::Demuxer::default();
    let mut items = Vec::new();
    let mut rest = file;
    for cut in cuts {
        let (head, tail) = rest.split_at(cut.min(rest.len()));
        demuxer.feed(head);
        while let Some(item) = demuxer.next_item().unwrap() {
            items.push(item);
        }
        rest = tail;
    }
    demuxer.feed(rest);
    while let Some(item) = demuxer.next_item().unwrap() {
        items.push(item);
    }
    assert_eq!(demuxer.end(), FileEnd::Clean);
    items
}

fn frames(items: &[MediaItem]) -> Vec<Frame> {
    let media = |item: &MediaItem| match item {
        MediaItem::Frame(frame) if frame.track.kind != MediaKind::Data => Some(frame.clone()),
        _ => None,
    };
    items.iter().filter_map(media).collect()
}

fn tracks(items: &[MediaItem]) -> Vec<Track> {
    let track = |item: &MediaItem| match item {
        MediaItem::Track(track) => Some(track.clone()),
        MediaItem::Frame(_) => None,
    };
    items.iter().filter_map(track).collect()
}

fn scan(file: &[u8]) -> Index {
    let mut scan = Scan::new(file.len() as u64);
    while let Some(range) = scan.wants() {
        scan.supply(&file[range.start as usize..range.end as usize]).unwrap();
    }
    scan.finish().unwrap()
}

/// The frames at the times that the file's own clock gave them.
fn mp4_frames(index: &Index, file: &[u8]) -> Vec<Frame> {
    let read = |sample: &Sample| {
        let start = sample.offset as usize;
        let payload = Bytes::copy_from_slice(&file[start..start + sample.size as usize]);
        index.frame(sample, payload).unwrap()
    };
    let on_its_clock =
        |frame: Frame| Frame { dts: frame.dts + index.clock(), pts: frame.pts + index.clock(), ..frame };
    index.samples().iter().map(read).map(on_its_clock).collect()
}

const FLV: [&str; 5] = ["demo.flv", "keyframes.flv", "audio.flv", "video.flv", "mp3.flv"];
const ENHANCED: [&str; 6] = ["hevc.flv", "av1.flv", "vp9.flv", "vvc.flv", "multitrack.flv", "ac3.flv"];
const MP4: [&str; 5] = ["bframes.mp4", "faststart.mp4", "film.f4v", "fragmented.mp4", "mp3.mp4"];

#[test]
fn flv_files_are_read_as_ffprobe_reads_them() {
    for name in FLV {
        let items = demux_flv(&fixture(name), std::iter::empty());
        let found: Vec<Packet> = frames(&items).iter().map(|frame| packet(frame, 1000)).collect();
        let (streams, packets) = expected(name);
        assert_eq!(found, packets, "{name}");
        assert_eq!(tracks(&items).len(), streams.len(), "{name}");
    }
}

#[test]
fn enhanced_flv_files_are_read_as_ffmpeg_reads_them() {
    for name in ENHANCED {
        let mut frames = frames(&demux_flv(&fixture(name), std::iter::empty()));
        for frame in frames.iter_mut().filter(|frame| frame.codec == Codec::Av1) {
            // ffmpeg leaves the temporal delimiter where its encoder put it.
            frame.payload = [&[0x12, 0], frame.payload.as_ref()].concat().into();
        }
        let (streams, packets) = expected(name);
        for (track, timescale) in streams {
            let of_track = frames.iter().filter(|frame| frame.track == track);
            let found: Vec<Packet> = of_track.map(|frame| packet(frame, timescale)).collect();
            let wanted: Vec<Packet> =
                packets.iter().filter(|packet| packet.track == track).cloned().collect();
            assert_eq!(found, wanted, "{name} {track:?}");
        }
        assert_eq!(frames.len(), packets.len(), "{name}");
    }
}

#[test]
fn what_enhanced_files_say_of_their_tracks() {
    let last_word = |name: &str| -> Vec<Track> {
        let mut demuxer = flv::Demuxer::default();
        demuxer.feed(&fixture(name));
        while demuxer.next_item().unwrap().is_some() {}
        demuxer.normalizer().tracks().cloned().collect()
    };
    let codecs = |name: &str| last_word(name).iter().map(|track| track.codec).collect::<Vec<_>>();
    assert_eq!(codecs("hevc.flv"), [Codec::H265, Codec::Aac]);
    assert_eq!(codecs("av1.flv"), [Codec::Av1, Codec::Opus]);
    assert_eq!(codecs("vp9.flv"), [Codec::Vp9, Codec::Flac]);
    assert_eq!(codecs("vvc.flv"), [Codec::H266]);
    let mp3 = Codec::Mp3 { flv_flags: 0x2F };
    assert_eq!(codecs("multitrack.flv"), [Codec::H264, Codec::H265, Codec::Aac, Codec::Opus, mp3]);
    assert_eq!(codecs("ac3.flv"), [Codec::Ac3, Codec::Eac3]);
    let hevc = &last_word("hevc.flv")[0];
    let says = |word: &str| hevc.extra.windows(word.len()).any(|window| window == word.as_bytes());
    assert!(says("colorInfo") && says("transferCharacteristics"));
    let [surround, stereo] = &last_word("ac3.flv")[..] else { panic!("two tracks") };
    assert_eq!(surround.extra.as_ref(), [1, 6, 0, 0, 6, 0xF], "native order, six channels, two at the sides");
    assert_eq!(stereo.extra.as_ref(), [1, 2, 0, 0, 0, 3]);
}

#[test]
fn mp4_files_are_read_as_ffprobe_reads_them() {
    for name in MP4 {
        let file = fixture(name);
        let index = scan(&file);
        let frames = mp4_frames(&index, &file);
        let (streams, packets) = expected(name);
        for (track, timescale) in streams.into_iter().filter(|(track, _)| track.kind != MediaKind::Data) {
            let of_track = frames.iter().filter(|frame| frame.track == track);
            let found: Vec<Packet> = of_track.map(|frame| packet(frame, timescale)).collect();
            let wanted: Vec<Packet> =
                packets.iter().filter(|packet| packet.track == track).cloned().collect();
            assert_eq!(found, wanted, "{name} {track:?}");
        }
        assert!(index.samples().is_sorted_by_key(|sample| sample.dts), "{name}");
        assert_eq!(index.notes(), [""; 0], "{name}");
    }
}

#[test]
fn what_the_files_say_of_themselves() {
    let demo = tracks(&demux_flv(&fixture("demo.flv"), std::iter::empty()));
    let avc =
        AvcConfig::parse(&demo.iter().find(|track| track.codec == Codec::H264).unwrap().config).unwrap();
    let picture = avc.picture().unwrap();
    assert_eq!((picture.width, picture.height, picture.frame_rate), (640, 360, Some((25, 1))));
    assert_eq!((avc.codec_string().as_str(), avc.length_size), ("avc1.4D401F", 4));
    let aac = &demo.iter().find(|track| track.codec == Codec::Aac).unwrap().config;
    let aac = AudioSpecificConfig::parse(aac).unwrap();
    assert_eq!((aac.sample_rate, aac.channels(), aac.codec_string()), (48_000, Some(2), "mp4a.40.2".into()));

    let mp3 = scan(&fixture("mp3.mp4"));
    let codecs: Vec<Codec> = mp3.tracks().iter().map(|track| track.track.codec).collect();
    assert_eq!(codecs, [Codec::H264, Codec::Mp3 { flv_flags: 0x2F }]);
    assert_eq!(mp3.skipped(), []);
    let [text] = mp3.texts() else { panic!("one track of text") };
    let file = fixture("mp3.mp4");
    let payload = |sample: &TextSample| {
        Bytes::copy_from_slice(&file[sample.offset as usize..sample.offset as usize + sample.size as usize])
    };
    let payloads: Vec<Bytes> = text.samples().iter().map(payload).collect();
    assert_eq!(text.to_webvtt(&payloads), "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nA caption\n\n");
}

#[test]
fn the_demo_clip_loops_without_a_seam() {
    let frames = frames(&demux_flv(&fixture("demo.flv"), std::iter::empty()));
    let video: Vec<&Frame> = frames.iter().filter(|frame| frame.track.kind == MediaKind::Video).collect();
    assert_eq!(video.len(), 250);
    for (number, frame) in video.iter().enumerate() {
        assert_eq!(frame.dts, Timestamp::from_ms(number as i64 * 40));
        assert_eq!(frame.pts, frame.dts);
        assert_eq!(frame.key, number % 50 == 0);
    }
    let sound = frames.iter().filter(|frame| frame.track.kind == MediaKind::Audio);
    assert_eq!(sound.clone().count(), 469);
    assert_eq!(sound.clone().next().unwrap().dts, Timestamp::ZERO);
    assert_eq!(sound.last().unwrap().dts, Timestamp::from_ms(9984));
}

#[test]
fn the_same_film_in_every_container_has_the_same_payloads() {
    let payloads = |frames: Vec<Frame>, kind| -> Vec<Bytes> {
        frames.into_iter().filter(|frame| frame.track.kind == kind).map(|frame| frame.payload).collect()
    };
    for kind in [MediaKind::Video, MediaKind::Audio] {
        let flv = payloads(frames(&demux_flv(&fixture("keyframes.flv"), std::iter::empty())), kind);
        for name in ["bframes.mp4", "faststart.mp4", "film.f4v", "fragmented.mp4"] {
            let file = fixture(name);
            assert!(payloads(mp4_frames(&scan(&file), &file), kind) == flv, "{name} {kind:?}");
        }
    }
}

#[test]
fn flv_written_from_items_reads_back_as_the_same_items() {
    for name in FLV.into_iter().chain(ENHANCED) {
        let items = demux_flv(&fixture(name), std::iter::empty());
        let mut muxer = flv::Muxer::new(Timestamp::ZERO, flv::Dialect::FULL);
        let mut out = BytesMut::new();
        muxer.write_header(true, true, &mut out);
        let mut at = Timestamp::ZERO;
        for item in &items {
            match item {
                MediaItem::Track(track) => muxer.write_track(track, at, &mut out),
                MediaItem::Frame(frame) => {
                    at = frame.dts;
                    muxer.write_frame(frame, &mut out);
                }
            }
        }
        let expected = without_colours_of_numbered_tracks(items);
        assert!(demux_flv(&out, std::iter::empty()) == expected, "{name}");
    }
}

/// Such metadata cannot be written so that ffmpeg does not stumble over it.
fn without_colours_of_numbered_tracks(items: Vec<MediaItem>) -> Vec<MediaItem> {
    let mut announced: Vec<Track> = Vec::new();
    let news = |item| match item {
        MediaItem::Track(mut track) => {
            if track.id.kind == MediaKind::Video && track.id.index > 0 {
                track.extra = Bytes::new();
            }
            let is_news = announced.iter().rfind(|known| known.id == track.id) != Some(&track);
            announced.push(track.clone());
            is_news.then_some(MediaItem::Track(track))
        }
        item => Some(item),
    };
    items.into_iter().filter_map(news).collect()
}

#[test]
fn each_track_alone_reads_back_as_the_same_frames() {
    for name in ENHANCED {
        let items = demux_flv(&fixture(name), std::iter::empty());
        for index in 0..3 {
            for numbering in [flv::Numbering::FourCc, flv::Numbering::Unofficial] {
                let tracks = flv::TrackChoice::One { video: index, audio: index };
                let dialect = flv::Dialect { tracks, numbering, ..flv::Dialect::FULL };
                let mut muxer = flv::Muxer::new(Timestamp::ZERO, dialect);
                let mut out = flv::file_header(true, true)[..].into();
                let mut alone = Vec::new();
                for item in &items {
                    match item {
                        MediaItem::Track(track) => muxer.write_track(track, Timestamp::ZERO, &mut out),
                        MediaItem::Frame(frame) => muxer.write_frame(frame, &mut out),
                    }
                    if let MediaItem::Frame(frame) = item
                        && frame.track.index == index
                        && frame.track.kind != MediaKind::Data
                    {
                        alone.push(Frame { track: TrackId { index: 0, ..frame.track }, ..frame.clone() });
                    }
                }
                let found = frames(&demux_flv(&out, std::iter::empty()));
                assert!(found == alone, "{name} {index} {numbering:?}");
            }
        }
    }
}

#[test]
fn fragments_written_from_frames_read_back_as_the_same_frames() {
    for name in FLV {
        let items = demux_flv(&fixture(name), std::iter::empty());
        let (tracks, frames) = (tracks(&items), frames(&items));
        let file = fragmented(&tracks, &frames);
        let index = scan(&file);
        let again = mp4_frames(&index, &file);
        for track in &tracks {
            let of_track = |frames: &[Frame]| -> Vec<Frame> {
                // Times are rounded to ticks and back: compare what RTMP and FLV would carry.
                let in_ms = |frame: &Frame| Frame {
                    dts: Timestamp::from_ms(frame.dts.as_ms()),
                    pts: Timestamp::from_ms(frame.pts.as_ms()),
                    ..frame.clone()
                };
                frames.iter().filter(|frame| frame.track == track.id).map(in_ms).collect()
            };
            let (again, frames) = (of_track(&again), of_track(&frames));
            if track.id.kind == MediaKind::Video {
                assert!(again == frames, "{name} {:?}", track.id);
                continue;
            }
            // Sound is put back on the grid of its samples.
            assert!(again.iter().map(|frame| &frame.payload).eq(frames.iter().map(|frame| &frame.payload)));
            let off = again.iter().zip(&frames).map(|(is, was)| (is.dts.as_ms() - was.dts.as_ms()).abs());
            assert!(off.max() <= Some(1), "{name} {:?}", track.id);
            let timescale =
                index.tracks().iter().find(|indexed| indexed.track.id == track.id).unwrap().timescale;
            let own = index
                .samples()
                .iter()
                .filter(|sample| index.tracks()[usize::from(sample.track)].track.id == track.id);
            let ticks: Vec<i64> = own.map(|sample| sample.dts.to_ticks(timescale)).collect();
            let steps: std::collections::BTreeSet<i64> =
                ticks.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let expected = if timescale == 90_000 { vec![2351, 2352] } else { vec![1024] };
            assert_eq!(steps.into_iter().collect::<Vec<_>>(), expected, "{name} {:?}", track.id);
        }
        let configs: Vec<&Bytes> = index.tracks().iter().map(|indexed| &indexed.track.config).collect();
        assert!(tracks.iter().all(|track| configs.contains(&&track.config)), "{name}");
    }
}

/// One fragment per group of pictures, as the recorder does it.
fn fragmented(tracks: &[Track], frames: &[Frame]) -> Vec<u8> {
    let mut muxer = mp4::Muxer::new(tracks, frames[0].dts).unwrap();
    let mut file = muxer.init_segment().unwrap().to_vec();
    let mut group: Vec<Frame> = Vec::new();
    for frame in frames {
        if frame.is_video_key() && !group.is_empty() {
            file.extend(muxer.fragment(&group, Some(frame.dts)).unwrap());
            group.clear();
        }
        group.push(frame.clone());
    }
    file.extend(muxer.fragment(&group, None).unwrap());
    file
}

#[test]
fn another_mp4_library_reads_the_fragments() {
    use mp4_atom::{Any, Codec as Entry, DecodeMaybe};
    let items = demux_flv(&fixture("keyframes.flv"), std::iter::empty());
    let (tracks, frames) = (tracks(&items), frames(&items));
    let file = fragmented(&tracks, &frames);
    let mut rest = &file[..];
    let mut samples = 0;
    let mut kinds = Vec::new();
    while let Some(atom) = Any::decode_maybe(&mut rest).unwrap() {
        match atom {
            Any::Ftyp(_) => kinds.push("ftyp"),
            Any::Moov(moov) => {
                kinds.push("moov");
                let entries: Vec<&Entry> =
                    moov.trak.iter().flat_map(|trak| &trak.mdia.minf.stbl.stsd.codecs).collect();
                let [Entry::Avc1(avc), Entry::Mp4a(aac)] = entries[..] else { panic!("{entries:?}") };
                assert_eq!((avc.visual.width, avc.visual.height), (160, 120));
                assert_eq!(aac.audio.channel_count, 2);
            }
            Any::Moof(moof) => {
                kinds.push("moof");
                let runs = moof.traf.iter().flat_map(|traf| &traf.trun);
                samples += runs.map(|run| run.samples.len()).sum::<usize>();
            }
            Any::Mdat(_) => kinds.push("mdat"),
            other => panic!("unexpected box {other:?}"),
        }
    }
    assert_eq!(kinds, ["ftyp", "moov", "moof", "mdat", "moof", "mdat"]);
    assert_eq!(samples, frames.len());
}

#[test]
fn a_track_may_join_an_mp4_that_is_being_written() {
    let items = demux_flv(&fixture("keyframes.flv"), std::iter::empty());
    let (tracks, frames) = (tracks(&items), frames(&items));
    let of = |kind, late: bool| -> Vec<Frame> {
        let half = Timestamp::from_ms(1000);
        let wanted = |frame: &&Frame| frame.track.kind == kind && (frame.dts >= half) == late;
        frames.iter().filter(wanted).cloned().collect()
    };
    let mut muxer = mp4::Muxer::starting_at(frames[0].dts);
    muxer.add_track(&tracks[0], &[]).unwrap();
    let head_len = muxer.init_segment().unwrap().len() + 2000;
    let mut file = muxer.init_segment_within(head_len).unwrap().to_vec();
    assert_eq!(file.len(), head_len);
    assert!(muxer.init_segment_within(20).unwrap_err().to_string().contains("more than the limit of 20"));
    file.extend(muxer.fragment(&of(MediaKind::Video, false), None).unwrap());
    assert!(!muxer.has(TrackId::AUDIO));
    muxer.add_track(&tracks[1], &[]).unwrap();
    assert!(muxer.has(TrackId::AUDIO));
    file.splice(..head_len, muxer.init_segment_within(head_len).unwrap());
    let rest = [of(MediaKind::Video, true), of(MediaKind::Audio, true)].concat();
    file.extend(muxer.fragment(&rest, None).unwrap());
    let index = scan(&file);
    let of_track = |place: usize| {
        let own = index.samples().iter().filter(move |sample| usize::from(sample.track) == place);
        (own.clone().count(), own.map(|sample| sample.dts).min().unwrap())
    };
    let codecs: Vec<Codec> = index.tracks().iter().map(|indexed| indexed.track.codec).collect();
    assert_eq!(codecs, [Codec::H264, Codec::Aac]);
    let ((pictures, begin), (sounds, late)) = (of_track(0), of_track(1));
    let sent = of(MediaKind::Audio, true);
    let all = of(MediaKind::Video, false).len() + of(MediaKind::Video, true).len();
    assert_eq!((pictures, sounds), (all, sent.len()));
    // The sound begins as long after the first picture as it was sent.
    assert_eq!((late - begin).as_ms(), (sent[0].dts - frames[0].dts).as_ms());
}

#[test]
fn the_key_frame_index_leads_to_the_key_frames() {
    let file = fixture("keyframes.flv");
    let items = demux_flv(&file, std::iter::empty());
    let Some(MediaItem::Frame(script)) = items.first() else { panic!("no script data in front") };
    let about = flv::parse_on_metadata(&script.payload).unwrap();
    let index = flv::keyframe_index(&about).unwrap();
    // ffmpeg lists the first picture twice: as the configuration, and as the frame.
    let mut found = Vec::new();
    for (time, position) in index {
        let mut reader = flv::TagReader::at_tag(1 << 20, position);
        reader.feed(&file[position as usize..]);
        let tag = reader.next_tag().unwrap().unwrap();
        assert_eq!((tag.kind, tag.timestamp_ms), (flv::TagKind::Video, time.as_ms() as u32));
        for part in flv::decode_video(tag.body).unwrap() {
            if let flv::TagBody::Frame(coded) = part {
                assert_eq!(coded.key, Some(true));
                found.push(time);
            }
        }
    }
    let keys = frames(&items).into_iter().filter(Frame::is_video_key).map(|frame| frame.dts);
    assert_eq!(found, keys.collect::<Vec<_>>());
}

#[test]
fn seeking_finds_the_key_frame_before() {
    let index = scan(&fixture("bframes.mp4"));
    let start = |ms| index.samples()[index.start_for(Timestamp::from_ms(ms))];
    assert_eq!(start(0).pts, Timestamp::ZERO);
    assert_eq!(start(999).pts, Timestamp::ZERO);
    assert_eq!(start(1000).pts, Timestamp::from_ms(1000));
    assert_eq!(start(500_000).pts, Timestamp::from_ms(1000));
    assert_eq!(start(-500).pts, Timestamp::ZERO);
    assert!(start(1500).key);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn how_flv_is_cut_never_changes_the_items(cuts in prop::collection::vec(1usize..5000, 0..60)) {
        let file = fixture("keyframes.flv");
        let whole = demux_flv(&file, std::iter::empty());
        prop_assert!(demux_flv(&file, cuts.into_iter()) == whole);
        prop_assert!(demux_flv(&file[..], std::iter::repeat_n(1, file.len())) == whole);
    }

    #[test]
    fn a_damaged_mp4_never_panics(
        name in prop::sample::select(MP4.to_vec()),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        len in any::<prop::sample::Index>(),
    ) {
        let mut file = fixture(name);
        for (at, value) in damage {
            let at = at.index(file.len());
            file[at] = value;
        }
        file.truncate(len.index(file.len() * 2));
        let mut scan = Scan::new(file.len() as u64);
        while let Some(range) = scan.wants() {
            prop_assert!(range.end <= file.len() as u64);
            if scan.supply(&file[range.start as usize..range.end as usize]).is_err() {
                return Ok(());
            }
        }
        if let Ok(index) = scan.finish() {
            for sample in index.samples() {
                prop_assert!(sample.offset + u64::from(sample.size) <= file.len() as u64);
            }
        }
    }
}
