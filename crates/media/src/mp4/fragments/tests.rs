//! Fragments as other muxers write them: defaults on every level, bases of every kind.

use bytes::{Bytes, BytesMut};

use super::super::boxes::{BoxHeader, children};
use super::super::boxes::{put_box, put_full};
use super::super::{Muxer, Scan};
use crate::index::{Index, Sample};
use crate::{Codec, Timestamp, Track, TrackId};

/// An initialisation segment for AAC at 44.1 kHz with these defaults in `trex`: duration, size.
pub(super) fn init(duration: u32, size: u32) -> BytesMut {
    let track = Track::new(TrackId::AUDIO, Codec::Aac, Bytes::from_static(&[0x12, 0x10]));
    let segment = Muxer::new(&[track], Timestamp::ZERO).unwrap().init_segment().unwrap();
    let mut init = BytesMut::from(segment.as_ref());
    let trex = init.windows(4).position(|window| window == b"trex").unwrap();
    init[trex + 16..trex + 20].copy_from_slice(&duration.to_be_bytes());
    init[trex + 20..trex + 24].copy_from_slice(&size.to_be_bytes());
    init
}

/// A fragment with these fields behind the flags of `tfhd` and `trun`, and 30 bytes of data.
pub(super) fn put_fragment(out: &mut BytesMut, tfhd: (u32, &[u32]), tfdt: Option<u32>, trun: (u32, &[u32])) {
    let numbers = |out: &mut BytesMut, numbers: &[u32]| {
        numbers.iter().for_each(|number| out.extend_from_slice(&number.to_be_bytes()));
    };
    put_box(out, b"moof", |out| {
        put_box(out, b"traf", |out| {
            put_full(out, b"tfhd", 0, tfhd.0, |out| numbers(out, tfhd.1));
            if let Some(time) = tfdt {
                put_full(out, b"tfdt", 0, 0, |out| numbers(out, &[time]));
            }
            put_full(out, b"trun", 0, trun.0, |out| numbers(out, trun.1));
        });
    });
    put_box(out, b"mdat", |out| out.extend_from_slice(&[7; 30]));
}

fn scan(file: &[u8]) -> Index {
    let mut scan = Scan::new(file.len() as u64);
    while let Some(range) = scan.wants() {
        scan.supply(&file[range.start as usize..range.end as usize]).unwrap();
    }
    scan.finish().unwrap()
}

/// Offset, size and decoding time in ticks of every sample.
fn samples(index: &Index) -> Vec<(u64, u32, i64)> {
    let plain = |sample: &Sample| (sample.offset, sample.size, sample.dts.to_ticks(44_100));
    index.samples().iter().map(plain).collect()
}

#[test]
fn defaults_come_from_the_nearest_level_and_times_go_on() {
    let mut file = init(1024, 10);
    let first = file.len() as u64;
    // Everything from trex; data at an offset from the start of moof.
    put_fragment(&mut file, (0x2_0000, &[1]), Some(5000), (0x1, &[3, 76]));
    let second = file.len() as u64;
    // Duration and size from tfhd, position from a base of its own, no tfdt: it goes on.
    let base = second + 72;
    let tfhd = [1, 0, base as u32, 2048, 15];
    put_fragment(&mut file, (0x1 | 0x8 | 0x10, &tfhd), None, (0, &[2]));
    let third = file.len() as u64;
    // Each sample has its own duration and size.
    put_fragment(&mut file, (0x2_0000, &[1]), None, (0x1 | 0x100 | 0x200, &[2, 76, 512, 12, 256, 18]));
    let index = scan(&file);
    assert_eq!(
        samples(&index),
        [
            (first + 76, 10, 0),
            (first + 86, 10, 1024),
            (first + 96, 10, 2048),
            (base, 15, 3072),
            (base + 15, 15, 5120),
            (third + 76, 12, 7168),
            (third + 88, 18, 7680),
        ]
    );
    assert_eq!(index.clock().to_ticks(44_100), 5000, "a late start is the film's first moment");
    assert_eq!(index.duration().to_ticks(44_100), 7680 + 256);
    assert_eq!(index.notes(), [""; 0]);
}

#[test]
fn a_damaged_or_unfinished_fragment_costs_only_itself() {
    let mut file = init(1024, 10);
    put_fragment(&mut file, (0x2_0000, &[1]), Some(0), (0x1, &[3, 76]));
    let whole = file.len();
    // A run that announces more samples than it describes.
    put_fragment(&mut file, (0x2_0000, &[1]), Some(3072), (0x1 | 0x200, &[9, 80, 30]));
    put_fragment(&mut file, (0x2_0000, &[1]), Some(6144), (0x1, &[3, 76]));
    let index = scan(&file);
    assert_eq!(index.samples().len(), 3 + 1 + 3);
    let note = format!("the fragment at byte {whole} is left out: trun: it ends in the middle of a field");
    assert_eq!(index.notes(), [note]);
    // A recording that was cut off in its last moof, and in its last mdat.
    let second = BoxHeader::parse(&file[whole..]).unwrap().and_then(|header| header.len).unwrap() as usize;
    assert_eq!(scan(&file[..whole + second - 3]).samples().len(), 3);
    let cut = scan(&file[..file.len() - 15]);
    assert_eq!(cut.samples().len(), 3 + 1 + 1);
    assert!(
        cut.notes().iter().any(|note| note.contains("2 samples lie beyond the end")),
        "{:?}",
        cut.notes()
    );
}

#[test]
fn a_run_without_bytes_or_end_is_bounded() {
    let mut file = init(0, 0);
    put_fragment(&mut file, (0x2_0000, &[1]), Some(0), (0x1, &[u32::MAX, 76]));
    let mut empty = Scan::new(file.len() as u64);
    while let Some(range) = empty.wants() {
        empty.supply(&file[range.start as usize..range.end as usize]).unwrap();
    }
    let refused = empty.finish().unwrap_err().to_string();
    assert!(refused.contains("its fragments hold no sample"), "{refused}");
    let mut file = init(1, 1);
    put_fragment(&mut file, (0x2_0000, &[1]), Some(0), (0x1, &[u32::MAX, 76]));
    let index = scan(&file);
    assert_eq!(index.samples().len(), 30);
    assert!(
        index.notes().iter().any(|note| note.contains("more samples than its bytes can hold")),
        "{:?}",
        index.notes()
    );
}

#[test]
fn the_fixture_helper_writes_what_it_says() {
    let mut file = BytesMut::new();
    put_fragment(&mut file, (0x2_0000, &[1]), Some(0), (0x1, &[3, 76]));
    let kinds: Vec<String> = children(&file).map(|(kind, _)| kind.to_string()).collect();
    assert_eq!(kinds, ["moof", "mdat"]);
    // 8 moof + 8 traf + 16 tfhd + 16 tfdt + 20 trun, then the head of mdat.
    assert_eq!(file.len(), 68 + 8 + 30);
}
