//! Films put together in memory: what their frames say, and what tables claim of them.

use bytes::Bytes;

use super::*;
use crate::changes::CHANGES_MAX;
use crate::codec::av1::Av1Config;
use crate::codec::h264::AvcConfig;
use crate::codec::h265::HevcConfig;
use crate::flv::Indexer;
use crate::index::IndexedTrack;
use crate::{Codec, Orientation, SampleEntry, Timestamp, Track, TrackId};

const SPS: &[u8] = &[
    0x67, 0x4D, 0x40, 0x1F, 0xA6, 0x11, 0x02, 0x80, 0xBF, 0xE5, 0xC0, 0x44, 0, 0, 3, 0, 4, 0, 0, 3, 0, 0xC8,
    0x3C, 0x60, 0xC8, 0x46,
];
const PPS: &[u8] = &[0x68, 0xE8, 0x43, 0x32, 0xC8];
/// A slice of an IDR picture, one of type P, one of type I, and a recovery point.
const IDR: &[u8] = &[0x65, 0x88, 0x84];
const P: &[u8] = &[0x41, 0x9A, 0x20];
const I: &[u8] = &[0x41, 0x88, 0x84];
const RECOVERY: &[u8] = &[0x06, 0x06, 0x01, 0xC4, 0x80];

/// NAL units with lengths of four bytes.
fn picture(units: &[&[u8]]) -> Vec<u8> {
    units.iter().flat_map(|unit| [&(unit.len() as u32).to_be_bytes(), *unit].concat()).collect()
}

/// A film of one track whose frames lie one behind the other, and its bytes.
fn film(track: Track, frames: &[(Vec<u8>, bool)]) -> (Index, Vec<u8>) {
    let (mut index, mut file) = (Index::default(), Vec::new());
    index.tracks.push(IndexedTrack {
        track,
        entry: SampleEntry { size: Some((2000, 1000)), ..SampleEntry::NONE },
        number: 7,
        orientation: Orientation::UPRIGHT,
        timescale: 1000,
        end: Timestamp::from_ms(40 * frames.len() as i64),
        renews_gradually: false,
        leads_in_whole: false,
        last_lasts: Timestamp::from_ms(40),
        language: None,
    });
    for (number, (payload, key)) in frames.iter().enumerate() {
        let at = Timestamp::from_ms(40 * number as i64);
        index.samples.push(Sample {
            offset: file.len() as u64,
            dts: at,
            pts: at,
            size: payload.len() as u32,
            track: 0,
            key: *key,
            decode_only: false,
            needs_repair: false,
        });
        file.extend_from_slice(payload);
    }
    (index, file)
}

/// The index with what its first frames say, and how many bytes were read for it.
fn completed((index, file): (Index, Vec<u8>)) -> (Result<Index, Error>, u64) {
    let mut frames = FirstFrames::new(index);
    let mut read = 0;
    while let Some(range) = frames.wants() {
        read += range.end - range.start;
        frames.supply(&file[range.start as usize..range.end as usize]);
    }
    (frames.finish(), read)
}

fn video(codec: Codec, config: &[u8]) -> Track {
    Track::new(TrackId::VIDEO, codec, Bytes::copy_from_slice(config))
}

fn size(index: &Index) -> (Option<u32>, Option<u32>) {
    let details = index.tracks()[0].described().details();
    (details.width, details.height)
}

fn keys(index: &Index) -> Vec<usize> {
    (0..index.samples().len()).filter(|&number| index.samples()[number].key).collect()
}

/// A record of H.264 with lengths of four bytes and these sets.
fn avc(sps: &[&[u8]], pps: &[&[u8]]) -> Vec<u8> {
    let sets = |sets: &[&[u8]]| sets.iter().map(|set| Bytes::copy_from_slice(set)).collect();
    let config = AvcConfig {
        profile: 77,
        compatibility: 64,
        level: 31,
        length_size: 4,
        sps: sets(sps),
        pps: sets(pps),
        extension: Bytes::new(),
    };
    config.to_bytes().to_vec()
}

#[test]
fn parameter_sets_among_the_pictures_become_the_configuration() {
    for record in [avc(&[], &[]), avc(&[SPS], &[]), avc(&[], &[PPS]), Vec::new()] {
        let frames = [(picture(&[&[9, 0x10], SPS, PPS, IDR]), true), (picture(&[P]), false)];
        let index = completed(film(video(Codec::H264, &record), &frames)).0.unwrap();
        let config = AvcConfig::parse(&index.tracks()[0].track.config).unwrap();
        assert_eq!((config.sps, config.pps), (vec![Bytes::from_static(SPS)], vec![Bytes::from_static(PPS)]));
        assert_eq!((config.length_size, config.profile, config.level), (4, 77, 31));
        assert_eq!(size(&index), (Some(640), Some(360)));
        assert!(index.notes().is_empty());
    }
}

/// Ten pictures without a table of key frames, every second of which is one.
#[test]
fn no_more_is_read_than_there_is_a_limit_for() {
    let frames = [(picture(&[IDR]), false), (picture(&[P]), false)];
    let frames: Vec<_> = frames.iter().cycle().take(10).cloned().collect();
    let read = |looks, bytes| {
        let (index, file) = film(video(Codec::H264, &avc(&[SPS], &[PPS])), &frames);
        let mut frames = FirstFrames::within(index, Left { looks, bytes });
        while let Some(range) = frames.wants() {
            frames.supply(&file[range.start as usize..range.end as usize]);
        }
        let index = frames.finish().unwrap();
        (keys(&index), index.notes().len())
    };
    let all = (vec![0, 2, 4, 6, 8], 1);
    assert_eq!(read(10, u64::MAX), all);
    assert_eq!(read(u64::MAX, 71), all, "of 7 bytes each");
    assert_eq!(read(9, u64::MAX), (all.0, 2));
    assert_eq!(read(4, u64::MAX), (vec![0, 2], 2));
    assert_eq!(read(u64::MAX, 28), (vec![0, 2], 2));
    assert_eq!(read(1, 1), (vec![0], 2));
    let (index, _) = film(video(Codec::H264, &[]), &frames);
    let mut nothing = FirstFrames::within(index, Left { looks: 1, bytes: 1 });
    nothing.supply(&frames[0].0);
    assert!(nothing.finish().is_err(), "nothing describes it");
}

#[test]
fn they_may_come_later_and_are_not_looked_for_without_end() {
    let empty = avc(&[], &[]);
    let mut frames = vec![(picture(&[IDR]), true), (picture(&[P]), false), (picture(&[SPS, PPS, IDR]), true)];
    let index = completed(film(video(Codec::H264, &empty), &frames)).0.unwrap();
    assert_eq!(size(&index), (Some(640), Some(360)));
    frames.truncate(2);
    frames.resize(1000, (picture(&[P]), false));
    frames.push((picture(&[IDR]), true));
    let (index, read) = completed(film(video(Codec::H264, &empty), &frames));
    let index = index.unwrap();
    assert_eq!(size(&index), (Some(2000), Some(1000)), "the entry has a size all the same");
    assert!(
        index.notes()[0].contains("neither its sample entry nor its first frames hold"),
        "{:?}",
        index.notes()
    );
    assert!(read < 1000, "{read} bytes");
    // Without even a record nobody knows how its units lie.
    let refused = completed(film(video(Codec::H264, &[]), &frames)).0.unwrap_err();
    assert!(refused.to_string().contains("neither sample entries nor first frames"), "{refused}");
}

#[test]
fn a_record_in_front_of_key_frames_is_the_configuration_and_no_part_of_them() {
    let (hevc, hevc_key) = clip(include_bytes!("../../../../testdata/hevc.flv"));
    let high = [&avc(&[SPS], &[PPS])[..], &[0xFD, 0xF8, 0xF8, 0]].concat();
    let bare_hevc =
        HevcConfig { vps: vec![], sps: vec![], pps: vec![], ..HevcConfig::parse(&hevc.config).unwrap() };
    let cases = [
        (Codec::H264, avc(&[], &[]), avc(&[SPS], &[PPS]), picture(&[IDR])),
        (Codec::H264, avc(&[], &[]), high, picture(&[IDR])),
        (Codec::H265, bare_hevc.to_bytes().to_vec(), hevc.config.to_vec(), hevc_key),
    ];
    for (codec, bare, record, key) in cases {
        let with_record = [&record[..], &key].concat();
        let inter = if codec == Codec::H264 { picture(&[P]) } else { picture(&[&[2, 1, 0xAF]]) };
        let frames =
            [(with_record.clone(), true), (inter.clone(), false), (with_record, true), (key.clone(), true)];
        let index = completed(film(video(codec, &bare), &frames)).0.unwrap();
        assert_eq!(index.tracks()[0].track.config, record, "{codec}");
        // So too where the sample entry has the whole configuration.
        let whole = completed(film(video(codec, &record), &frames)).0.unwrap();
        assert_eq!(
            (&whole.samples, &whole.tracks[0].track),
            (&index.samples, &index.tracks[0].track),
            "{codec}"
        );
        let sizes: Vec<usize> = index.samples().iter().map(|sample| sample.size as usize).collect();
        assert_eq!(sizes, [key.len(), inter.len(), key.len(), key.len()], "{codec}");
        assert_eq!(index.samples()[0].offset, record.len() as u64);
        assert_eq!(index.notes(), [""; 0]);
    }
}

/// Configuration and first picture of a clip in FLV.
fn clip(file: &[u8]) -> (Track, Vec<u8>) {
    let mut indexer = Indexer::new(1 << 24);
    indexer.feed(file);
    let index = indexer.finish().unwrap();
    let place = index.tracks().iter().position(|indexed| indexed.track.id == TrackId::VIDEO).unwrap();
    let sample = index.samples().iter().find(|sample| usize::from(sample.track) == place).unwrap();
    let payload = &file[sample.offset as usize..sample.offset as usize + sample.size as usize];
    (index.tracks()[place].track.clone(), payload.to_vec())
}

/// Of pictures of 64 x 48.
const SMALL_SPS: &[u8] = &[
    0x67, 0x42, 0xC0, 0x0A, 0xD9, 0x04, 0x7B, 1, 0x10, 0, 0, 3, 0, 0x10, 0, 0, 3, 3, 0x20, 0xF1, 0x22, 0x64,
    0x80,
];

/// The sizes of the pictures of a film, and the number of the first sample that each holds for.
fn sizes(index: &Index) -> Vec<(usize, u32)> {
    let (mut sizes, mut next) = (Vec::new(), Some(0));
    while let Some(number) = next {
        sizes.push((number, index.described_at(number)[0].details().width.unwrap()));
        next = index.next_change(number);
    }
    sizes
}

#[test]
fn parameter_sets_that_change_later_are_another_configuration() {
    let long = [&[6, 5, 200][..], &[0x11; 4000]].concat();
    let frames = [
        (picture(&[SPS, PPS, IDR]), true),
        (picture(&[P]), false),
        (picture(&[SPS, PPS, IDR]), true),
        (picture(&[&long, SMALL_SPS, PPS, IDR]), true),
        (picture(&[P]), false),
        (picture(&[IDR]), true),
        (picture(&[SMALL_SPS, IDR]), true),
        (picture(&[SPS, IDR]), true),
    ];
    for record in [avc(&[SPS], &[PPS]), Vec::new(), avc(&[SMALL_SPS], &[PPS])] {
        let index = completed(film(video(Codec::H264, &record), &frames)).0.unwrap();
        assert_eq!(sizes(&index), [(0, 640), (3, 64), (7, 640)]);
        let small = AvcConfig::parse(&index.tracks_at(3)[0].config).unwrap();
        assert_eq!((small.sps, small.pps), (vec![SMALL_SPS.into()], vec![PPS.into()]));
        assert_eq!(index.notes(), [""; 0]);
    }
    // What the file's own tables say holds from where they say it.
    let (mut index, file) = film(video(Codec::H264, &avc(&[SPS], &[PPS])), &frames);
    for (number, record) in [(3, avc(&[SPS], &[PPS])), (5, avc(&[SPS], &[PPS]))] {
        let (from, entry) = (index.samples[number].dts, SampleEntry::NONE);
        index.changes.push(crate::changes::Change { from, track: video(Codec::H264, &record), entry });
    }
    index.changes.settle(Timestamp::ZERO);
    let index = completed((index, file)).0.unwrap();
    assert_eq!(sizes(&index), [(0, 640), (3, 64), (5, 640), (6, 64), (7, 640)]);
}

#[test]
fn key_frames_are_read_for_sets_only_if_the_first_hold_some() {
    let plain = (picture(&[IDR]), true);
    let other = (picture(&[SMALL_SPS, PPS, &[0x65; 400]]), true);
    let mut frames = vec![plain; 20];
    frames[4] = other.clone();
    let track = || video(Codec::H264, &avc(&[SPS], &[PPS]));
    let (index, read) = completed(film(track(), &frames));
    assert_eq!((sizes(&index.unwrap()), read), (vec![(0, 640)], 5 * 7));
    frames[19] = other;
    let (index, read) = completed(film(track(), &frames));
    assert_eq!((sizes(&index.unwrap()), read), (vec![(0, 640), (4, 64)], 4 * 7 + 64 + 18 * 7 + 2 * 256));
}

#[test]
fn a_track_changes_its_sets_so_often_and_no_more() {
    let both = [(picture(&[SPS, PPS, IDR]), true), (picture(&[SMALL_SPS, PPS, IDR]), true)];
    let frames: Vec<_> = both.into_iter().cycle().take(2 * CHANGES_MAX).collect();
    let index = completed(film(video(Codec::H264, &[]), &frames)).0.unwrap();
    assert_eq!(index.changes.list().len(), CHANGES_MAX);
    assert!(index.notes()[0].contains("changes more than 1000 times"), "{:?}", index.notes());
}

#[test]
fn parameter_sets_of_h265_and_sequence_headers_of_av1_change_likewise() {
    let (track, large) = clip(include_bytes!("../../../../testdata/hevc.flv"));
    let known = HevcConfig::parse(&track.config).unwrap();
    let mut smaller = known.sps[0].to_vec();
    // The last bits of it say something of colours.
    let last = smaller.len() - 2;
    smaller[last] ^= 0x10;
    let sets = |sps: &[u8]| picture(&[&known.vps[0], sps, &known.pps[0], &[19 << 1, 1, 0xAF]]);
    let frames = [(large, true), (sets(&known.sps[0]), true), (sets(&smaller), true)];
    let index = completed(film(track, &frames)).0.unwrap();
    assert_eq!(index.changes.list().len(), 1);
    assert_eq!(index.next_change(0), Some(2));
    assert_eq!(HevcConfig::parse(&index.tracks_at(2)[0].config).unwrap().sps[0], smaller);

    let (track, unit) = clip(include_bytes!("../../../../testdata/av1.flv"));
    let mut other = unit.clone();
    // The level.
    let header = crate::codec::av1::sequence_header(&unit).unwrap();
    let at = header.as_ptr() as usize - unit.as_ptr() as usize;
    other[at + 2] ^= 0x08;
    let index = completed(film(track, &[(unit.clone(), true), (unit, true), (other, true)])).0.unwrap();
    assert_eq!((index.next_change(0), index.changes.list().len()), (Some(2), 1));
}

#[test]
fn parameter_sets_of_h265_likewise() {
    let (track, frame) = clip(include_bytes!("../../../../testdata/hevc.flv"));
    let whole = HevcConfig::parse(&track.config).unwrap();
    let sets: Vec<&[u8]> = whole.vps.iter().chain(&whole.sps).chain(&whole.pps).map(AsRef::as_ref).collect();
    let in_band = [picture(&sets), frame].concat();
    let bare = HevcConfig { vps: vec![], sps: vec![], pps: vec![], ..whole.clone() };
    let said = track.details();
    for record in [bare.to_bytes(), Bytes::new()] {
        let index = completed(film(video(Codec::H265, &record), &[(in_band.clone(), true)])).0.unwrap();
        let found = HevcConfig::parse(&index.tracks()[0].track.config).unwrap();
        assert_eq!((&found.vps, &found.sps, &found.pps), (&whole.vps, &whole.sps, &whole.pps));
        assert_eq!(size(&index), (said.width, said.height));
        assert_eq!(index.tracks()[0].track.details().codec_string, said.codec_string);
    }
}

#[test]
fn the_sequence_header_of_av1_likewise() {
    let (track, frame) = clip(include_bytes!("../../../../testdata/av1.flv"));
    let whole = Av1Config::parse(&track.config).unwrap();
    assert!(crate::codec::av1::sequence_header(&frame).is_some(), "encoders repeat it in key frames");
    let bare = Av1Config { obus: Bytes::new(), ..whole };
    for record in [bare.to_bytes(), Bytes::new()] {
        let index = completed(film(video(Codec::Av1, &record), &[(frame.clone(), true)])).0.unwrap();
        assert_eq!(index.tracks()[0].track.details(), track.details());
        assert!(index.tracks()[0].track.details().width.is_some());
    }
}

#[test]
fn frames_that_describe_themselves_do() {
    let (track, frame) = clip(include_bytes!("../../../../testdata/vp9.flv"));
    for config in [track.config.as_ref(), &[]] {
        let index = completed(film(video(Codec::Vp9, config), &[(frame.clone(), true)])).0.unwrap();
        assert_eq!(size(&index), (Some(160), Some(90)));
        assert_eq!(index.tracks()[0].track.details().codec_string, track.details().codec_string);
    }
    let sorenson = (vec![0, 0, 0x84, 0x02, 0x8F], true);
    let index = completed(film(video(Codec::FlvVideo(2), &[]), &[sorenson])).0.unwrap();
    assert_eq!(size(&index), (Some(320), Some(240)));
    let mp3 = Track::new(TrackId::AUDIO, Codec::Mp3 { flv_flags: 0x2F }, Bytes::new());
    let mono = (vec![0xFF, 0xFB, 0x94, 0xC4, 0, 0], true);
    let index = completed(film(mp3.clone(), &[mono])).0.unwrap();
    let details = index.tracks()[0].described().details();
    assert_eq!((details.channels, details.sample_rate), (Some(1), Some(48_000)));
    assert_eq!(index.tracks()[0].track.codec, Codec::Mp3 { flv_flags: 0x2E });
    // Layer II is no MP3, whatever the entry calls it.
    let layer_2 = (vec![0xFF, 0xFD, 0x84, 0xC4, 0, 0], true);
    let index = completed(film(mp3, &[layer_2])).0.unwrap();
    assert!(index.notes()[0].contains("are not MP3"), "{:?}", index.notes());
}

#[test]
fn without_a_table_the_pictures_say_which_are_key_frames() {
    let mut frames = vec![(picture(&[P]), true); 100];
    for at in [0, 25, 50, 75] {
        frames[at].0 = picture(&[SPS, PPS, IDR]);
    }
    // An open group of pictures begins with a recovery point.
    frames[90].0 = picture(&[RECOVERY, I]);
    frames[91].0 = picture(&[I]);
    let (index, read) = completed(film(video(Codec::H264, &avc(&[SPS], &[PPS])), &frames));
    let index = index.unwrap();
    assert_eq!(keys(&index), [0, 25, 50, 75, 90]);
    assert!(index.notes()[0].contains("table of key frames"), "{:?}", index.notes());
    assert!(read <= 64 * 101, "{read} bytes");
    // All of them may be: then that is true.
    let all = vec![(picture(&[&[6, 5, 200], IDR]), true); 100];
    let (index, read) = completed(film(video(Codec::H264, &avc(&[SPS], &[PPS])), &all));
    assert_eq!(keys(&index.unwrap()).len(), 100);
    assert!(read <= 5 * 64, "{read} bytes of a table that is to be believed");
}

#[test]
fn intra_refresh_begins_at_each_recovery_point_with_a_table_and_without() {
    // Pictures come out right three frames later.
    const LATER: &[u8] = &[0x06, 0x06, 0x01, 0x24, 0x80];
    const GRADUAL_HEVC: &[u8] = &[39 << 1, 1, 6, 1, 0x14, 0x80];
    let avc = || video(Codec::H264, &avc(&[SPS], &[PPS]));
    let (hevc, _) = clip(include_bytes!("../../../../testdata/hevc.flv"));
    let (hevc_idr, hevc_p): (&[u8], &[u8]) = (&[19 << 1, 1, 0xAF], &[1 << 1, 1, 0xAF]);
    for (track, idr, p, recovery) in [(avc(), IDR, P, LATER), (hevc, hevc_idr, hevc_p, GRADUAL_HEVC)] {
        for claimed in [&[0, 20, 40, 60][..], &[0], &[], &[7, 33]] {
            let mut frames = vec![(picture(&[p]), false); 80];
            frames[0].0 = picture(&[idr]);
            for at in [20, 40, 60] {
                frames[at].0 = picture(&[recovery, p]);
            }
            claimed.iter().for_each(|&at| frames[at].1 = true);
            let index = completed(film(track.clone(), &frames)).0.unwrap();
            let expected = [0, 20, 40, 60];
            assert_eq!(keys(&index), expected, "{} {claimed:?}", track.codec);
            assert!(index.tracks()[0].renews_gradually);
            // Players begin at each of them, but of one alone no picture can be made.
            let late = Timestamp::from_ms(1700);
            assert_eq!(index.start_for(late), expected.iter().copied().rfind(|at| *at <= 42).unwrap());
            assert_eq!(index.picture_for(late), 0);
        }
    }
}

#[test]
fn a_table_that_names_a_single_key_frame_is_read_for_others() {
    let made = |keys_are: &[usize], claimed: usize| {
        let mut frames = vec![(picture(&[P]), false); 60];
        keys_are.iter().for_each(|&at| frames[at].0 = picture(&[IDR]));
        frames[claimed].1 = true;
        let (index, read) = completed(film(video(Codec::H264, &avc(&[SPS], &[PPS])), &frames));
        let index = index.unwrap();
        (keys(&index), index.notes().len(), read)
    };
    let (found, notes, read) = made(&[0, 20, 40], 0);
    assert_eq!((found, notes), (vec![0, 20, 40], 1));
    assert!(read <= 61 * 64, "{read} bytes");
    assert_eq!(made(&[0], 0).0, [0]);
    assert_eq!(made(&[0], 0).1, 0, "what is true needs no remark");
    assert_eq!(made(&[0, 7], 7).0, [0, 7]);
    // Of a codec whose pictures do not say it the table is believed.
    let mut frames = vec![(vec![0x22; 20], false); 60];
    frames[7].1 = true;
    let (index, read) = completed(film(video(Codec::FlvVideo(3), &[]), &frames));
    assert_eq!(keys(&index.unwrap()), [7]);
    assert!(read <= 17 * 64, "{read} bytes");
}

#[test]
fn a_table_that_names_others_is_not_believed() {
    let made = |claimed: &[usize]| {
        let mut frames = vec![(picture(&[P]), false); 60];
        for at in [0, 20, 40] {
            frames[at].0 = picture(&[IDR]);
        }
        claimed.iter().for_each(|&at| frames[at].1 = true);
        keys(&completed(film(video(Codec::H264, &avc(&[SPS], &[PPS])), &frames)).0.unwrap())
    };
    assert_eq!(made(&[0, 20, 40]), [0, 20, 40]);
    assert_eq!(made(&[0, 20]), [0, 20], "not all must be named");
    assert_eq!(made(&[0, 21, 41]), [0, 20, 40], "counted from 0");
    assert_eq!(made(&[]), [0, 20, 40]);
    let no_key = vec![(picture(&[P]), true); 5];
    let index = completed(film(video(Codec::H264, &avc(&[SPS], &[PPS])), &no_key)).0.unwrap();
    assert_eq!(keys(&index), [0], "players have to begin somewhere");
}

#[test]
fn a_picture_may_come_behind_much_else() {
    let sei = [&[6, 5, 0xFF][..], &[0x55; 5000]].concat();
    let mut frames = vec![(picture(&[&sei, P]), true); 4];
    frames[0].0 = picture(&[&sei, IDR]);
    let index = completed(film(video(Codec::H264, &avc(&[SPS], &[PPS])), &frames)).0.unwrap();
    assert_eq!(keys(&index), [0]);
}

/// Codec, configuration, a key frame, and one that is none.
type Pictures = (Codec, &'static [u8], Vec<u8>, Vec<u8>);

#[test]
fn key_frames_of_the_other_codecs() {
    let hevc = |kind: u8| [&[0, 0, 0, 3, 35 << 1, 1, 0x50][..], &[0, 0, 0, 3, kind << 1, 1, 0xAF]].concat();
    let (vp9_key, vp9_inter) = (
        vec![0x82, 0x49, 0x83, 0x42, 0, 9, 0xF0, 5, 0x96, 2, 0x38, 0x24, 0x1C, 0x18, 0x42, 0],
        vec![0x86; 16],
    );
    let vp8_key = vec![0xD0, 0x4A, 0, 0x9D, 1, 0x2A, 0xB0, 0, 0x90, 0x40];
    let h266 = |kind: u8| vec![0, 0, 0, 3, 0, kind << 3 | 1, 0xAF];
    let cases: [Pictures; 7] = [
        (Codec::H265, &[], hevc(21), hevc(1)),
        (Codec::H266, &[0xFF], h266(8), h266(0)),
        (Codec::Av1, &[], vec![0x12, 0, 0x32, 2, 0x10, 0], vec![0x12, 0, 0x32, 2, 0x30, 0]),
        (Codec::Av1, &[], vec![0x1A, 2, 0x10, 0], vec![0x1A, 2, 0x80, 0]),
        (Codec::Av1, &[], vec![0x0A, 1, 0x18, 0x32, 1, 0x70], vec![0x32, 2, 0x30, 0]),
        (Codec::Vp9, &[], vp9_key, vp9_inter),
        (Codec::Vp8, &[], vp8_key, vec![0xD1; 10]),
    ];
    for (codec, config, key, inter) in cases {
        let track = video(codec, config);
        assert_eq!(start(&track, &key), Some(PictureStart::Key), "{codec} {key:02x?}");
        assert_eq!(start(&track, &inter), Some(PictureStart::Dependent), "{codec} {inter:02x?}");
        assert_eq!(start(&track, &[]), None, "{codec}");
    }
    assert_eq!(start(&video(Codec::FlvVideo(4), &[]), &[0; 40]), None, "believed");
}

#[test]
fn any_bytes_are_read_to_an_end() {
    let mut noise = 1u32;
    let mut byte = || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 24) as u8
    };
    for codec in
        [Codec::H264, Codec::H265, Codec::H266, Codec::Av1, Codec::Vp8, Codec::Vp9, Codec::FlvVideo(4)]
    {
        for length in [1, 3, 40, 200] {
            let frames: Vec<_> = (0..30).map(|_| ((0..length).map(|_| byte()).collect(), true)).collect();
            let (index, read) = completed(film(video(codec, &[]), &frames));
            assert!(read <= 4 * 30 * length, "{codec}: {read} bytes");
            if let Ok(index) = index {
                assert_eq!(index.samples().len(), 30);
            }
        }
    }
}
