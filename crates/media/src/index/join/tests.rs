//! Files with a track for each description, read, written anew, and read again.

use bytes::{BufMut, Bytes, BytesMut};

use super::*;
use crate::cut::{Cut, CutPosition, Piece, Span};
use crate::mp4::{Sample as Written, Scan, TrackFragments};
use crate::{Codec, Track};

const LEN: u32 = 5;

fn sound(index: u8, config: &[u8]) -> Track {
    let codec = if config.is_empty() { Codec::Mp3 { flv_flags: 0x2F } } else { Codec::Aac };
    Track::new(TrackId { index, ..TrackId::AUDIO }, codec, Bytes::copy_from_slice(config))
}

/// 44.1 and 48 kHz.
const AAC: &[u8] = &[0x12, 0x10];
const AAC_48: &[u8] = &[0x11, 0x90];

/// A file of these tracks; its fragments are of the tracks at these places, begin at these milliseconds and have so many
/// samples. Each sample says which fragment it is of.
fn file(tracks: &[Track], fragments: &[(usize, i64, usize)]) -> Vec<u8> {
    let numbered = (1..).zip(tracks).map(|(number, track)| TrackFragments::new(number, track, &[]).unwrap());
    let tracks: Vec<_> = numbered.collect();
    let mut out = BytesMut::from(&TrackFragments::head_of(tracks.iter())[..]);
    for (number, &(place, ms, count)) in (1..).zip(fragments) {
        let track = &tracks[place];
        let duration = if track.track().codec == Codec::Aac { 1024 } else { 2351 };
        let samples = vec![Written { duration, composition: 0, key: true, len: LEN }; count];
        let dts = Timestamp::from_ms(ms).to_ticks(track.timescale());
        out.put(track.fragment_head(number, dts, &samples).unwrap());
        out.put_bytes(number as u8, count * LEN as usize);
    }
    out.to_vec()
}

fn read(file: &[u8]) -> Index {
    let mut scan = Scan::new(file.len() as u64);
    while let Some(range) = scan.wants() {
        scan.supply(&file[range.start as usize..range.end as usize]).unwrap();
    }
    scan.finish().unwrap()
}

/// The film as an MP4 that is made of it.
fn made(index: &Index, file: &[u8]) -> Vec<u8> {
    let cut = Cut::mp4(index, Span::default()).unwrap();
    let (mut out, mut place) = (Vec::new(), CutPosition::default());
    while let Some(piece) = cut.next(index, &mut place) {
        match piece {
            Piece::Bytes(bytes) => out.extend(bytes),
            Piece::File { offset, len } => out.extend(&file[offset as usize..][..len as usize]),
            Piece::Repaired(_) => panic!("nothing is to be mended"),
        }
    }
    out
}

/// Of each sample of a track: the fragment it came from, its time in ticks, and the configuration that holds.
fn told(index: &Index, file: &[u8], place: u8, timescale: u32) -> Vec<(u8, i64, Track)> {
    let own = index.samples().iter().enumerate().filter(|(_, sample)| sample.track == place);
    own.map(|(number, sample)| {
        let id = index.tracks()[usize::from(place)].track.id;
        let track = index.tracks_at(number).into_iter().find(|track| track.id == id).unwrap();
        (file[sample.offset as usize], sample.dts.to_ticks(timescale), track)
    })
    .collect()
}

#[test]
fn tracks_that_continue_each_other_are_one_at_its_times_and_so_they_are_when_written_anew() {
    let tracks = [sound(0, AAC), sound(1, AAC), sound(0, AAC_48)];
    let fragments = [(0, 0, 3), (1, 0, 40), (2, 100, 4), (2, 200, 2), (0, 400, 2)];
    let source = file(&tracks, &fragments);
    let index = read(&source);
    let again = made(&index, &source);
    // A number of ticks that both rates divide.
    let common = 7_056_000;
    assert_eq!([&index, &read(&again)].map(|index| index.tracks()[0].timescale), [common; 2]);
    let steps = |from_ms, rate: i64, count| {
        (0..count).map(move |number| {
            from_ms * i64::from(common) / 1000 + number * 1024 * (i64::from(common) / rate)
        })
    };
    let at: Vec<_> =
        [steps(0, 44_100, 3), steps(100, 48_000, 4), steps(200, 48_000, 2), steps(400, 44_100, 2)]
            .into_iter()
            .flatten()
            .collect();
    let of = [1, 1, 1, 3, 3, 3, 3, 4, 4, 5, 5];
    for (index, bytes) in [(&index, &source), (&read(&again), &again)] {
        assert!(index.notes().is_empty() && index.tracks().len() == 2, "{:?}", index.notes());
        let ids: Vec<_> = index.tracks().iter().map(|track| track.track.id.index).collect();
        assert_eq!(ids, [0, 1]);
        let joined = told(index, bytes, 0, common);
        let expected =
            |fragment| if fragment == 3 || fragment == 4 { sound(0, AAC_48) } else { sound(0, AAC) };
        for ((fragment, time, track), (from, at)) in joined.iter().zip(of.iter().zip(&at)) {
            assert_eq!((fragment, track), (from, &expected(*from)));
            assert!((time - at).abs() <= i64::from(common) / 44_100 / 2, "{fragment}: {time}, {at}");
        }
        assert_eq!((joined.len(), told(index, bytes, 1, common).len()), (of.len(), 40));
        let changes: Vec<_> = index.breaks().iter().map(|at| at.as_ms()).collect();
        assert_eq!(changes, [100, 400]);
        assert_eq!(index.duration().as_ms(), 929, "forty times 1024 samples of the other track");
    }
    assert_eq!(again.windows(4).filter(|kind| kind == b"trak").count(), 2);
    assert_eq!(
        again.windows(4).filter(|kind| kind == b"mp4a").count(),
        3,
        "one that comes back is not told twice"
    );
}

#[test]
fn another_codec_is_another_track_of_what_is_written_and_one_again_to_who_reads_it() {
    let tracks = [sound(0, AAC), sound(0, &[])];
    let source = file(&tracks, &[(0, 0, 3), (1, 100, 4), (0, 300, 2), (1, 500, 1)]);
    let index = read(&source);
    let again = made(&index, &source);
    assert_eq!(again.windows(4).filter(|kind| kind == b"trak").count(), 2);
    for (index, bytes) in [(&index, &source), (&read(&again), &again)] {
        assert_eq!(index.tracks().len(), 1);
        let told = told(index, bytes, 0, 1000);
        let fragments: Vec<_> = told.iter().map(|(fragment, _, _)| *fragment).collect();
        assert_eq!(fragments, [1, 1, 1, 2, 2, 2, 2, 3, 3, 4]);
        assert!(told.iter().all(|(fragment, _, track)| (track.codec == Codec::Aac) == (fragment % 2 == 1)));
        let begin: Vec<_> = [0, 3, 7, 9].iter().map(|&at| told[at].1).collect();
        assert_eq!(begin, [0, 100, 300, 500]);
    }
}

#[test]
fn a_gap_that_fine_ticks_do_not_hold_is_kept_in_coarser_ones() {
    let tracks = [sound(0, AAC), sound(0, AAC_48)];
    let source = file(&tracks, &[(0, 0, 2), (1, 3_600_000, 2)]);
    let index = read(&source);
    assert_eq!(index.tracks()[0].timescale, 48_000);
    let again = made(&index, &source);
    let times = told(&read(&again), &again, 0, 1000);
    assert_eq!(times.iter().map(|(_, ms, _)| *ms).collect::<Vec<_>>(), [0, 23, 3_600_000, 3_600_021]);
}

#[test]
fn a_film_may_begin_in_a_track_that_continues_an_empty_one() {
    let tracks = [sound(0, AAC), sound(0, AAC_48)];
    let source = file(&tracks, &[(1, 100, 3)]);
    let index = read(&source);
    assert_eq!((index.tracks().len(), index.tracks()[0].timescale), (1, 48_000));
    let told = told(&index, &source, 0, 48_000);
    assert_eq!(told[0], (1, 0, sound(0, AAC_48)));
    assert!(told.len() == 3 && index.breaks().is_empty());
}

#[test]
fn who_says_that_it_continues_what_is_not_there_stands_alone() {
    let tracks = [sound(0, AAC), sound(0, AAC_48)];
    let mut source = file(&tracks, &[(0, 0, 3), (1, 100, 4)]);
    let at = source.windows(4).position(|kind| kind == b"hwcn").unwrap() + 4;
    for number in [0, 2, 3, u32::MAX] {
        source[at..at + 4].copy_from_slice(&number.to_be_bytes());
        let index = read(&source);
        assert_eq!((index.tracks().len(), index.samples().len()), (2, 7), "{number}");
        assert!(index.breaks().is_empty());
    }
}

#[test]
fn what_changes_more_often_than_is_followed_ends_there_and_says_so() {
    let tracks = [sound(0, AAC), sound(0, AAC_48)];
    let fragments: Vec<_> = (0..1_100).map(|turn| (turn % 2, 100 * turn as i64, 1)).collect();
    let index = read(&file(&tracks, &fragments));
    assert_eq!((index.samples().len(), index.breaks().len()), (1_001, 1_000));
    assert!(index.notes()[0].contains("changes more than 1000 times"), "{:?}", index.notes());
}
