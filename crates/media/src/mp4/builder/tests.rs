//! Files as no muxer at hand writes them, put together box by box.

use bytes::{BufMut, BytesMut};

use super::super::boxes::{put_box, put_full};
use super::super::{BoxHeader, Scan};
use super::*;
use crate::codec::h264::AvcConfig;
use crate::index::Sample;
use crate::{Codec, DescribedTrack};

mod expensive;

fn from_moov(moov: &[u8], file_len: u64) -> Result<Index, Error> {
    IndexBuilder::from_moov(moov, file_len)?.finish()
}

const RECORD: &[u8] = &[
    1, 77, 64, 31, 0xFF, 0xE1, 0, 26, 0x67, 0x4D, 0x40, 0x1F, 0xA6, 0x11, 0x02, 0x80, 0xBF, 0xE5, 0xC0, 0x44,
    0, 0, 3, 0, 4, 0, 0, 3, 0, 0xC8, 0x3C, 0x60, 0xC8, 0x46, 1, 0, 5, 0x68, 0xE8, 0x43, 0x32, 0xC8,
];
const FILE_LEN: u64 = 1000;

type Write = fn(&mut BytesMut);

/// A track of 90,000 ticks per second whose tables are all given.
struct Film {
    handler: &'static [u8; 4],
    entry: Write,
    edits: Write,
    sizes: Write,
    tables: Write,
    matrix: [u32; 9],
}

impl Film {
    /// Four pictures of 10 bytes at byte 100, 3000 ticks apart, the first a key frame.
    const PLAIN: Self = Self {
        handler: b"vide",
        entry: avc_entry,
        edits: |_| {},
        sizes: four_of_ten,
        tables: plain_tables,
        matrix: [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000],
    };

    fn moov(&self) -> Vec<u8> {
        let mut out = BytesMut::new();
        put_full(&mut out, b"mvhd", 0, 0, |out| put_numbers(out, &[0, 0, 1000, 0]));
        self.put_track(&mut out, 1);
        out.to_vec()
    }

    fn put_track(&self, out: &mut BytesMut, number: u32) {
        put_box(out, b"trak", |out| {
            put_full(out, b"tkhd", 0, 7, |out| {
                put_numbers(out, &[0, 0, number, 0, 0, 0, 0, 0, 0]);
                put_numbers(out, &self.matrix);
            });
            (self.edits)(out);
            put_box(out, b"mdia", |out| {
                put_full(out, b"mdhd", 0, 0, |out| put_numbers(out, &[0, 0, 90_000, 12_000]));
                put_full(out, b"hdlr", 0, 0, |out| {
                    out.put_u32(0);
                    out.put_slice(self.handler);
                });
                put_box(out, b"minf", |out| {
                    put_box(out, b"stbl", |out| {
                        put_full(out, b"stsd", 0, 0, |out| {
                            out.put_u32(1);
                            (self.entry)(out);
                        });
                        (self.sizes)(out);
                        (self.tables)(out);
                    });
                });
            });
        });
    }

    fn index(&self) -> Index {
        from_moov(&self.moov(), FILE_LEN).unwrap()
    }
}

fn put_numbers(out: &mut BytesMut, numbers: &[u32]) {
    numbers.iter().for_each(|&number| out.put_u32(number));
}

fn avc_entry(out: &mut BytesMut) {
    put_box(out, b"avc1", |out| {
        out.put_slice(&[0; 78]);
        put_box(out, b"avcC", |out| out.put_slice(RECORD));
    });
}

fn four_of_ten(out: &mut BytesMut) {
    put_full(out, b"stsz", 0, 0, |out| put_numbers(out, &[10, 4]));
}

fn plain_tables(out: &mut BytesMut) {
    put_full(out, b"stts", 0, 0, |out| put_numbers(out, &[1, 4, 3000]));
    put_full(out, b"stss", 0, 0, |out| put_numbers(out, &[1, 1]));
    put_full(out, b"stsc", 0, 0, |out| put_numbers(out, &[1, 1, 4, 1]));
    put_full(out, b"stco", 0, 0, |out| put_numbers(out, &[1, 100]));
}

/// `esds` for an object type, with AAC-LC 44.1 kHz stereo as its configuration; one-byte lengths.
fn put_esds(out: &mut BytesMut, object_type: u8) {
    put_full(out, b"esds", 0, 0, |out| {
        out.put_slice(&[3, 22, 0, 1, 0, 4, 17, object_type, 0x15]);
        out.put_slice(&[0; 11]);
        out.put_slice(&[5, 2, 0x12, 0x10]);
    });
}

fn put_audio_head(out: &mut BytesMut, version: u16) {
    out.put_slice(&[0; 8]);
    out.put_u16(version);
    out.put_slice(&[0; 6]);
    out.put_slice(&[0, 2, 0, 16, 0, 0, 0, 0]);
    out.put_u32(44_100 << 16);
}

fn ticks(index: &Index) -> Vec<(i64, i64)> {
    let in_ticks = |sample: &Sample| (sample.dts.to_ticks(90_000), sample.pts.to_ticks(90_000));
    index.samples().iter().map(in_ticks).collect()
}

#[test]
fn a_plain_track() {
    let index = Film::PLAIN.index();
    assert_eq!(index.tracks().len(), 1);
    assert_eq!(index.tracks()[0].track.config.as_ref(), RECORD);
    assert_eq!(ticks(&index), [(0, 0), (3000, 3000), (6000, 6000), (9000, 9000)]);
    let places: Vec<(u64, u32, bool)> = index.samples().iter().map(|s| (s.offset, s.size, s.key)).collect();
    assert_eq!(places, [(100, 10, true), (110, 10, false), (120, 10, false), (130, 10, false)]);
    assert_eq!((index.skipped(), index.notes()), (&[][..], &[][..]));
}

#[test]
fn compact_sizes_wide_offsets_and_runs_of_chunks() {
    let film = Film {
        // Fields of four bits: 3, 5, 0 (an empty sample takes time, but is no frame), 7.
        sizes: |out| {
            put_full(out, b"stz2", 0, 0, |out| {
                put_numbers(out, &[4, 4]);
                out.put_slice(&[0x35, 0x07]);
            });
        },
        tables: |out| {
            put_full(out, b"stts", 0, 0, |out| put_numbers(out, &[2, 1, 1000, 2, 3000]));
            put_full(out, b"stsc", 0, 0, |out| put_numbers(out, &[2, 1, 1, 1, 3, 2, 1]));
            put_full(out, b"co64", 0, 0, |out| {
                out.put_u32(3);
                [100, 200, 300].iter().for_each(|&offset| out.put_u64(offset));
            });
        },
        ..Film::PLAIN
    };
    let index = film.index();
    let places: Vec<(u64, u32)> = index.samples().iter().map(|sample| (sample.offset, sample.size)).collect();
    assert_eq!(places, [(100, 3), (200, 5), (300, 7)]);
    // The table of durations ends early and goes on with its last value.
    assert_eq!(ticks(&index), [(0, 0), (1000, 1000), (7000, 7000)]);
    assert!(index.samples().iter().all(|sample| sample.key), "without stss all are key frames");
}

#[test]
fn composition_offsets_are_signed_in_either_version() {
    let film = Film {
        tables: |out| {
            plain_tables(out);
            put_full(out, b"ctts", 0, 0, |out| put_numbers(out, &[2, 1, 6000, 3, -3000i32 as u32]));
        },
        ..Film::PLAIN
    };
    assert_eq!(ticks(&film.index()), [(-3000, 6000), (0, 0), (3000, 3000), (6000, 6000)]);
}

#[test]
fn edit_lists_delay_and_shift() {
    let lists: [Write; 2] = [
        |out| {
            put_box(out, b"edts", |out| {
                put_full(out, b"elst", 0, 0, |out| {
                    put_numbers(out, &[2, 500, u32::MAX, 0x1_0000, 4000, 1800, 0x1_0000]);
                });
            });
        },
        |out| {
            put_box(out, b"edts", |out| {
                put_full(out, b"elst", 1, 0, |out| {
                    put_numbers(out, &[2, 0, 500, u32::MAX, u32::MAX, 0x1_0000]);
                    put_numbers(out, &[0, 4000, 0, 1800, 0x1_0000]);
                });
            });
        },
    ];
    for edits in lists {
        let index = Film { edits, ..Film::PLAIN }.index();
        // From tick 1800 on; half a second of nothing before is no part of the film.
        assert_eq!(ticks(&index), [(-1800, 0), (1200, 1200), (4200, 4200), (7200, 7200)]);
        assert_eq!(index.clock(), Timestamp::from_ms(500));
        assert_eq!(index.duration().to_ticks(90_000), 12_000 - 1800);
        assert_eq!(index.notes(), [""; 0]);
    }
    // Beside another track it is.
    let mut moov = BytesMut::from(Film::PLAIN.moov().as_slice());
    Film { edits: lists[0], ..Film::PLAIN }.put_track(&mut moov, 2);
    let index = from_moov(&moov, FILE_LEN).unwrap();
    let second = index.samples().iter().find(|sample| sample.track == 1).unwrap();
    assert_eq!((second.pts, index.clock()), (Timestamp::from_ms(500), Timestamp::ZERO));
    assert_eq!(index.duration().to_ticks(90_000), 45_000 + 12_000 - 1800);
}

#[test]
fn an_edit_list_that_shows_nothing_of_a_track_or_cannot_be_read_is_said() {
    let beyond: Write = |out| {
        put_box(out, b"edts", |out| {
            put_full(out, b"elst", 0, 0, |out| put_numbers(out, &[1, 1000, 900_000, 0x1_0000]));
        });
    };
    let mut moov = BytesMut::from(Film::PLAIN.moov().as_slice());
    Film { edits: beyond, ..Film::PLAIN }.put_track(&mut moov, 2);
    let index = from_moov(&moov, FILE_LEN).unwrap();
    assert_eq!(index.notes(), ["track 2: its edit list shows nothing of it"]);
    assert_eq!((index.samples().len(), index.duration().to_ticks(90_000)), (4, 12_000));
    let torn: Write = |out| {
        put_box(out, b"edts", |out| {
            put_full(out, b"elst", 0, 0, |out| put_numbers(out, &[2, 1000, 0, 0x1_0000]));
        });
    };
    let index = Film { edits: torn, ..Film::PLAIN }.index();
    assert_eq!(index.notes(), ["track 1: its edit list cannot be read and is not followed"]);
    assert_eq!(ticks(&index)[0], (0, 0));
}

#[test]
fn times_near_the_limits_are_bounded() {
    let huge: Write = |out| {
        put_full(out, b"stts", 0, 0, |out| put_numbers(out, &[2, 2, 3000, 2, 0x7FFF_FFFF]));
        put_full(out, b"stss", 0, 0, |out| put_numbers(out, &[1, 1]));
        put_full(out, b"stsc", 0, 0, |out| put_numbers(out, &[1, 1, 4, 1]));
        put_full(out, b"stco", 0, 0, |out| put_numbers(out, &[1, 100]));
    };
    let mut moov = Film { tables: huge, ..Film::PLAIN }.moov();
    // One tick per second: 68 years each.
    let mdhd = moov.windows(4).position(|kind| kind == b"mdhd").unwrap();
    moov[mdhd + 16..mdhd + 20].copy_from_slice(&1u32.to_be_bytes());
    let index = from_moov(&moov, FILE_LEN).unwrap();
    let seconds: Vec<i64> = index.samples().iter().map(|sample| sample.pts.to_ticks(1)).collect();
    assert_eq!(seconds, [0, 3000, 6000]);
    assert_eq!(index.notes(), ["1 frames lie more than a year from the first one and are left out"]);
    assert!(index.duration() < Timestamp::from_ms(6_010_001), "{}", index.duration());
}

#[test]
fn quicktime_sound_in_every_version_and_in_wave() {
    let entries: [Write; 4] = [
        |out| {
            put_audio_head(out, 0);
            put_esds(out, 0x40);
        },
        |out| {
            put_audio_head(out, 1);
            out.put_slice(&[0; 16]);
            put_box(out, b"wave", |out| put_esds(out, 0x40));
        },
        |out| {
            put_audio_head(out, 2);
            out.put_slice(&[0; 36]);
            put_esds(out, 0x67);
            // QuickTime ends a list of boxes with four zeros.
            out.put_u32(0);
        },
        |out| {
            put_audio_head(out, 0);
            put_esds(out, 0x6B);
        },
    ];
    let wanted = [Codec::Aac, Codec::Aac, Codec::Aac, Codec::Mp3 { flv_flags: 0x2F }];
    for (body, codec) in entries.into_iter().zip(wanted) {
        let mut moov = BytesMut::new();
        let film = Film { handler: b"soun", ..Film::PLAIN };
        let mut entry = BytesMut::new();
        put_box(&mut entry, b"mp4a", body);
        let plain = film.moov();
        // The entry is spliced in where the picture's stands, with all sizes around it made anew.
        let at = plain.windows(4).position(|window| window == b"avc1").unwrap() - 4;
        let old = u32::from_be_bytes(plain[at..at + 4].try_into().unwrap()) as usize;
        moov.put_slice(&plain[..at]);
        moov.put_slice(&entry);
        moov.put_slice(&plain[at + old..]);
        let grown = entry.len() as i64 - old as i64;
        for kind in [b"trak", b"mdia", b"minf", b"stbl", b"stsd"] {
            let place = moov.windows(4).position(|window| window == kind).unwrap() - 4;
            let size = u32::from_be_bytes(moov[place..place + 4].try_into().unwrap());
            let size = (i64::from(size) + grown) as u32;
            moov[place..place + 4].copy_from_slice(&size.to_be_bytes());
        }
        let index = from_moov(&moov, FILE_LEN).unwrap();
        assert_eq!(index.tracks()[0].track.codec, codec);
        let config: &[u8] = if codec == Codec::Aac { &[0x12, 0x10] } else { &[] };
        assert_eq!(index.tracks()[0].track.config.as_ref(), config);
        assert!(index.samples().iter().all(|sample| sample.key), "sound can start anywhere");
    }
}

#[test]
fn what_cannot_be_played_is_said_and_does_not_cost_the_rest() {
    let encrypted: Write = |out| put_box(out, b"encv", |out| out.put_slice(&[0; 78]));
    let alone = from_moov(&Film { entry: encrypted, ..Film::PLAIN }.moov(), FILE_LEN);
    let message = alone.unwrap_err().to_string();
    assert_eq!(message, "MP4 file: it has no track that can be played; track 1 (encv): it is encrypted");
    let mut moov = BytesMut::from(Film::PLAIN.moov().as_slice());
    Film { entry: encrypted, ..Film::PLAIN }.put_track(&mut moov, 2);
    Film { handler: b"text", ..Film::PLAIN }.put_track(&mut moov, 3);
    Film { tables: |_| {}, ..Film::PLAIN }.put_track(&mut moov, 4);
    (0..MAX_TRACKS as u32).for_each(|number| Film::PLAIN.put_track(&mut moov, 5 + number));
    let index = from_moov(&moov, FILE_LEN).unwrap();
    let ids: Vec<u8> = index.tracks().iter().map(|track| track.track.id.index).collect();
    assert_eq!(ids, (0..MAX_TRACKS as u8).collect::<Vec<_>>());
    let reasons: Vec<&str> = index.skipped().iter().map(|track| track.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "it is encrypted",
            "it holds neither pictures nor sound",
            "MP4 track: it has no stts box",
            "only the first 16 video tracks are played",
        ]
    );
}

#[test]
fn samples_beyond_the_end_or_of_another_description_are_left_out_with_a_note() {
    let index = from_moov(&Film::PLAIN.moov(), 125).unwrap();
    assert_eq!(index.samples().len(), 2);
    assert_eq!(index.notes(), ["track 1: 2 samples lie beyond the end of the file and are left out"]);
    let film = Film {
        tables: |out| {
            put_full(out, b"stts", 0, 0, |out| put_numbers(out, &[1, 4, 3000]));
            put_full(out, b"stsc", 0, 0, |out| put_numbers(out, &[2, 1, 1, 1, 2, 2, 2]));
            put_full(out, b"stco", 0, 0, |out| put_numbers(out, &[2, 100, 110]));
        },
        ..Film::PLAIN
    };
    let index = film.index();
    assert_eq!(index.samples().len(), 1);
    assert_eq!(
        index.notes(),
        [
            "track 1: 1 samples lie in no chunk and are left out",
            "track 1: 2 samples are left out: there is no sample description 2"
        ]
    );
}

/// Samples 1 and 4 have the first description, 2 the second, 3 the third.
fn four_chunks(out: &mut BytesMut) {
    put_full(out, b"stts", 0, 0, |out| put_numbers(out, &[1, 4, 3000]));
    put_full(out, b"stsc", 0, 0, |out| put_numbers(out, &[4, 1, 1, 1, 2, 1, 2, 3, 1, 3, 4, 1, 1]));
    put_full(out, b"stco", 0, 0, |out| put_numbers(out, &[4, 100, 110, 120, 130]));
}

/// One of H.264 whose record says another profile.
fn other_avc_entry(out: &mut BytesMut) {
    put_box(out, b"avc1", |out| {
        out.put_slice(&[0; 78]);
        put_box(out, b"avcC", |out| {
            out.put_slice(&[1, 66]);
            out.put_slice(&RECORD[2..]);
        });
    });
}

#[test]
fn another_sample_description_is_a_change_of_configuration() {
    let film = Film {
        entry: |out| {
            avc_entry(out);
            other_avc_entry(out);
            put_box(out, b"encv", |out| out.put_slice(&[0; 78]));
        },
        tables: four_chunks,
        ..Film::PLAIN
    };
    let index = film.index();
    assert_eq!(ticks(&index), [(0, 0), (3000, 3000), (9000, 9000)]);
    let profile = |described: &DescribedTrack<'_>| AvcConfig::parse(&described.track.config).unwrap().profile;
    let profiles: Vec<u8> =
        (0..3).flat_map(|number| index.described_at(number)).map(|described| profile(&described)).collect();
    assert_eq!(profiles, [77, 66, 77]);
    assert_eq!(index.notes(), ["track 1: 1 samples are left out: of its codec encv, it is encrypted"]);
    // The first may be of no use: then the track begins with the second.
    let film = Film {
        entry: |out| {
            put_box(out, b"encv", |out| out.put_slice(&[0; 78]));
            other_avc_entry(out);
            avc_entry(out);
        },
        tables: four_chunks,
        ..Film::PLAIN
    };
    let index = film.index();
    assert_eq!(ticks(&index), [(0, 0), (3000, 3000)]);
    let profiles: Vec<u8> =
        (0..2).flat_map(|number| index.described_at(number)).map(|described| profile(&described)).collect();
    assert_eq!(profiles, [66, 77]);
    // Twice the same is no change.
    let film = Film { entry: |out| (0..3).for_each(|_| avc_entry(out)), tables: four_chunks, ..Film::PLAIN };
    assert_eq!(film.index().next_change(0), None);
    assert_eq!(film.index().samples().len(), 4);
}

#[test]
fn what_the_entry_says_beside_the_configuration_is_kept() {
    let colr: &[u8] = b"\0\0\0\x13colrnclx\0\x09\0\x10\0\x09\x80";
    let film = Film {
        entry: |out| {
            put_box(out, b"avc1", |out| {
                out.put_slice(&[0; 24]);
                out.put_slice(&[5, 0, 2, 0xD0]);
                out.put_slice(&[0; 50]);
                put_box(out, b"avcC", |out| out.put_slice(RECORD));
                put_box(out, b"pasp", |out| put_numbers(out, &[4, 3]));
                out.put_slice(b"\0\0\0\x13colrnclx\0\x09\0\x10\0\x09\x80");
                put_box(out, b"junk", |out| out.put_slice(&[1; 100]));
            });
        },
        // A quarter turn, as a phone notes it.
        matrix: [0, 0x1_0000, 0, -0x1_0000i32 as u32, 0, 0, 720 << 16, 0, 0x4000_0000],
        ..Film::PLAIN
    };
    let index = film.index();
    let track = &index.tracks()[0];
    assert_eq!((track.entry.size, track.entry.pixel_aspect), (Some((1280, 720)), Some((4, 3))));
    assert_eq!(track.entry.boxes.as_ref(), colr);
    assert_eq!(track.orientation.degrees(), 90);
    let zeros = Film { matrix: [0; 9], ..Film::PLAIN };
    assert_eq!(zeros.index().tracks()[0].orientation, Orientation::UPRIGHT);
}

#[test]
fn an_entry_without_its_record_is_left_to_the_frames() {
    for record in [None, Some(&[][..]), Some(&[1, 77][..])] {
        let entry: Write = match record {
            None => |out| put_box(out, b"avc3", |out| out.put_slice(&[0; 78])),
            Some([]) => |out| {
                put_box(out, b"avc3", |out| {
                    out.put_slice(&[0; 78]);
                    put_box(out, b"avcC", |_| {});
                });
            },
            Some(_) => |out| {
                put_box(out, b"avc3", |out| {
                    out.put_slice(&[0; 78]);
                    put_box(out, b"avcC", |out| out.put_slice(&[1, 77]));
                });
            },
        };
        let index = Film { entry, ..Film::PLAIN }.index();
        assert_eq!(index.tracks()[0].track.codec, Codec::H264);
        assert!(index.tracks()[0].track.config.is_empty());
    }
}

#[test]
fn a_film_without_a_sample_says_why() {
    let none: Write = |out| put_full(out, b"stsz", 0, 0, |out| put_numbers(out, &[0, 0]));
    let refused = |moov: &[u8], len| from_moov(moov, len).unwrap_err().to_string();
    let empty = Film { sizes: none, ..Film::PLAIN };
    assert_eq!(refused(&empty.moov(), FILE_LEN), "MP4 file: it describes tracks and has no sample");
    let mut fragmented = BytesMut::from(empty.moov().as_slice());
    put_box(&mut fragmented, b"mvex", |_| {});
    let alone = refused(&fragmented, FILE_LEN);
    assert!(alone.contains("it is an initialisation segment alone: it has no sample"), "{alone}");
    let cut = refused(&Film::PLAIN.moov(), 100);
    assert!(cut.contains("all its samples lie beyond its end: it is incomplete"), "{cut}");
    let encrypted = Film {
        entry: |out| {
            avc_entry(out);
            put_box(out, b"encv", |out| out.put_slice(&[0; 78]));
        },
        tables: |out| {
            put_full(out, b"stts", 0, 0, |out| put_numbers(out, &[1, 4, 3000]));
            put_full(out, b"stsc", 0, 0, |out| put_numbers(out, &[1, 1, 4, 2]));
            put_full(out, b"stco", 0, 0, |out| put_numbers(out, &[1, 100]));
        },
        ..Film::PLAIN
    };
    let throughout = refused(&encrypted.moov(), FILE_LEN);
    assert!(throughout.contains("none of its samples can be played: of its codec encv, it is encrypted"));
}

#[test]
fn bombs_are_refused_before_memory_is_taken() {
    let bomb: Write = |out| put_full(out, b"stsz", 0, 0, |out| put_numbers(out, &[1, 0xFFFF_FFFF]));
    let error = from_moov(&Film { sizes: bomb, ..Film::PLAIN }.moov(), FILE_LEN).unwrap_err();
    assert!(matches!(error, Error::Limit { found: 0xFFFF_FFFF, limit: MAX_SAMPLES, .. }), "{error}");
    let lying: Write = |out| put_full(out, b"stsz", 0, 0, |out| put_numbers(out, &[0, 0xFFFF_FFFF, 10]));
    assert_eq!(Film { sizes: lying, ..Film::PLAIN }.index().samples().len(), 1);
    let mut scan = Scan::new(1 << 40);
    let mut head = (1u32 << 31).to_be_bytes().to_vec();
    head.extend(b"moov\0\0\0\0\0\0\0\0");
    let error = scan.supply(&head).unwrap_err().to_string();
    assert!(error.contains("at byte 0 is 2147483640, more than the limit of 262144000"), "{error}");
}

#[test]
fn a_scan_reads_heads_and_moov_only() {
    let moov = Film::PLAIN.moov();
    let mut file = BytesMut::new();
    put_box(&mut file, b"ftyp", |out| out.put_slice(b"isom\0\0\0\0"));
    // A 64-bit size.
    file.put_u32(1);
    file.put_slice(b"mdat");
    file.put_u64(16 + 400);
    file.put_slice(&[0; 400]);
    // The last box goes on to the end.
    file.put_u32(0);
    file.put_slice(b"moov");
    file.put_slice(&moov);
    let mut scan = Scan::new(file.len() as u64);
    let mut read = 0;
    while let Some(range) = scan.wants() {
        read += range.end - range.start;
        scan.supply(&file[range.start as usize..range.end as usize]).unwrap();
    }
    assert_eq!(read, 3 * BoxHeader::MAX_LEN as u64 + moov.len() as u64);
    assert_eq!(scan.finish().unwrap().samples().len(), 4);
}

#[test]
fn what_is_no_mp4_is_refused_with_its_place() {
    let error = |file: &[u8]| {
        let mut scan = Scan::new(file.len() as u64);
        while let Some(range) = scan.wants() {
            if let Err(error) = scan.supply(&file[range.start as usize..range.end as usize]) {
                return error.to_string();
            }
        }
        scan.finish().unwrap_err().to_string()
    };
    assert!(error(b"").contains("too short"));
    assert!(error(b"RIFF\x10\0\0\0WAVEfmt ").contains("this is no MP4 file"));
    let unfinished = error(b"\0\0\0\x0Cftypisom\0\0\0\0mdat\0\0\0\0");
    assert!(unfinished.contains("no moov box: the program that wrote it did not finish"), "{unfinished}");
    let segment = error(b"\0\0\0\x0Cstypmsdh\0\0\0\x08moof\0\0\0\x08mdat");
    assert!(segment.contains("it is a media segment without its initialisation segment"), "{segment}");
    let picture = error(b"\0\0\0\x10ftypheic\0\0\0\0\0\0\0\x08mdat");
    assert!(picture.contains("it is a still picture (HEIC, AVIF)"), "{picture}");
    let cut = error(b"\0\0\0\x0Cftypisom\0\0\x01\0moov\0\0\0\0\0\0\0\0");
    assert!(cut.contains("at byte 12: its moov box ends beyond the end of the file"), "{cut}");
    assert!(error(b"\0\0\0\x0Cftypisom\0\0\0\x07free\0\0\0\0\0\0\0\0").contains("at byte 12"));
}
