//! What gortmplib (the library of MediaMTX) sends and expects of each codec, by its source and tests of November 2026
//! (`writer.go`, `reader.go`, `pkg/message`): bodies by the byte, read, and written as it reads them.

use bytes::Bytes;

use super::{Dialect, MediaItem, Normalizer, config_bodies};
use crate::{Codec, MediaKind, Track, TrackId};

/// The STREAMINFO of 48,000 Hz stereo in 16 bits.
const STREAM_INFO: [u8; 34] = {
    let mut info = [0; 34];
    (info[0], info[2], info[10], info[11], info[12], info[13]) = (0x10, 0x10, 0x0B, 0xB8, 0x02, 0xF0);
    info
};

/// The dialect of one that names its codecs, as gortmplib does, and takes several tracks.
const ITS_DIALECT: Dialect = Dialect { bare_flac: true, ..Dialect::FULL };

fn read(kind: MediaKind, bodies: &[Vec<u8>]) -> Vec<MediaItem> {
    let mut normalizer = Normalizer::new();
    let push = |(number, body): (usize, &Vec<u8>)| {
        let (time, body) = (number as u32 * 20, Bytes::from(body.clone()));
        let items = match kind {
            MediaKind::Video => normalizer.push_video(time, body),
            _ => normalizer.push_audio(time, body),
        };
        items.unwrap().collect::<Vec<_>>()
    };
    bodies.iter().enumerate().flat_map(push).collect()
}

fn track(items: &[MediaItem]) -> &Track {
    let [MediaItem::Track(track), MediaItem::Frame(_)] = items else { panic!("{items:?}") };
    track
}

#[test]
fn flac_is_sent_and_read_as_streaminfo_alone() {
    let sent = [[b"\x90fLaC", &STREAM_INFO[..]].concat(), b"\x91fLaC\xFF\xF8".to_vec()];
    let items = read(MediaKind::Audio, &sent);
    let track = track(&items);
    assert_eq!(config_bodies(track, &ITS_DIALECT), [&sent[0][..]], "all it takes");
    let specified = [b"\x90fLaCfLaC\x80\0\0\x22", &STREAM_INFO[..]].concat();
    assert_eq!(config_bodies(track, &Dialect::PLAIN), [&specified[..]], "who says nothing");
    let (details, parsed) = (track.details(), read(MediaKind::Audio, &[specified, sent[1].clone()]));
    assert_eq!((details.sample_rate, details.channels), (Some(48_000), Some(2)));
    assert_eq!(super::wire_vectors::track(&parsed), track, "both forms are the same track");
}

#[test]
fn ac3_is_announced_by_an_empty_start() {
    for (four_cc, codec) in [(b"ac-3", Codec::Ac3), (b"ec-3", Codec::Eac3)] {
        let start = [b"\x90", &four_cc[..]].concat();
        let frame = [b"\x91", &four_cc[..], &[0x0B, 0x77, 0xFE, 0x95, 0x14, 0x40, 0x43]].concat();
        let items = read(MediaKind::Audio, &[start.clone(), frame]);
        assert_eq!(track(&items), &Track::new(TrackId::AUDIO, codec, Bytes::new()));
        for dialect in [ITS_DIALECT, Dialect::PLAIN] {
            assert_eq!(config_bodies(track(&items), &dialect), [&start[..]]);
        }
        let third = Track::new(TrackId { kind: MediaKind::Audio, index: 2 }, codec, Bytes::new());
        assert_eq!(config_bodies(&third, &ITS_DIALECT), [[b"\x95\0", &four_cc[..], &[2]].concat()]);
    }
}

#[test]
fn opus_comes_with_its_header_and_mp3_with_none() {
    let start = b"\x90OpusOpusHead\x01\x02\0\0\x80\xBB\0\0\0\0\0".to_vec();
    let items = read(MediaKind::Audio, &[start.clone(), b"\x91Opus\xFC\x01".to_vec()]);
    let [MediaItem::Track(opus), MediaItem::Frame(_)] = &items[..] else { panic!("{items:?}") };
    assert_eq!(config_bodies(opus, &ITS_DIALECT), [&start[..]]);
    let mp3 = read(MediaKind::Audio, &[b"\x95\x01.mp3\x01\xFF\xFB\x90\x64".to_vec()]);
    let mp3 = track(&mp3);
    assert_eq!((mp3.id.index, mp3.codec), (1, Codec::Mp3 { flv_flags: 0x2F }));
    assert_eq!(
        config_bodies(mp3, &ITS_DIALECT),
        [&b""[..]; 0],
        "the one codec that it takes without a start"
    );
}

#[test]
fn vp9_comes_with_a_made_up_record_in_its_box() {
    let record = [1, 0, 0, 0, 0, 0x28, 0x82, 2, 2, 2, 0, 0];
    let sent = [[b"\x90vp09", &record[..]].concat(), b"\x93vp09\x82\x49".to_vec()];
    let items = read(MediaKind::Video, &sent);
    assert_eq!(track(&items).config.as_ref(), record);
    assert_eq!(config_bodies(track(&items), &ITS_DIALECT), [&sent[0][..]]);
}

#[test]
fn av1_comes_with_a_made_up_record_and_delimiters() {
    let made_up = b"\x81\x08\x0C\0\x0A\x0B\0\0\0\x42\xAB\xBF\xC3\x70\x0B\xE0\x01";
    let header = b"\x0A\x0B\0\0\0\x42\xAB\xBE\xC3\x53\x2B\xE4\x01";
    let sent = [
        [b"\x90av01", &made_up[..]].concat(),
        [b"\x93av01\x12\0", &header[..], &[0x32, 1, 0x10]].concat(),
        [b"\x93av01\x12\0", &[0x32, 1, 0x30][..]].concat(),
    ];
    let items = read(MediaKind::Video, &sent);
    let [MediaItem::Track(av1), MediaItem::Frame(key), MediaItem::Frame(inter)] = &items[..] else {
        panic!("{items:?}")
    };
    assert_eq!(&av1.config[4..], header, "announced once, as the encoder has it");
    assert!(key.key && !inter.key && inter.payload.as_ref() == [0x32, 1, 0x30]);
}
