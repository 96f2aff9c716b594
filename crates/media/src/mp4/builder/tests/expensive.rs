//! Films made to be expensive: a few bytes that call for millions of samples, edits, tracks or remarks.

use super::*;
use crate::changes::CHANGES_MAX;

/// Tables whose every sample is `size` bytes at byte 100, one to a chunk.
fn put_samples_at_one_place(out: &mut BytesMut, count: u32, size: u32) {
    put_full(out, b"stsz", 0, 0, |out| put_numbers(out, &[size, count]));
    put_full(out, b"stts", 0, 0, |out| put_numbers(out, &[1, count, 3000]));
    put_full(out, b"stss", 0, 0, |out| put_numbers(out, &[1, 1]));
    put_full(out, b"stsc", 0, 0, |out| put_numbers(out, &[1, 1, 1, 1]));
    put_full(out, b"stco", 0, 0, |out| {
        out.put_u32(count);
        (0..count).for_each(|_| out.put_u32(100));
    });
}

fn one_note(index: &Index) -> &str {
    let [note] = index.notes() else { panic!("{:?}", index.notes()) };
    note
}

#[test]
fn samples_that_share_their_bytes_are_taken_so_often_and_no_more() {
    // 800 bytes of a file of 1000: twenty samples are sixteen times the file.
    let film = Film { sizes: |_| {}, tables: |out| put_samples_at_one_place(out, 20, 800), ..Film::PLAIN };
    let index = film.index();
    assert_eq!((index.samples().len(), index.notes().len()), (20, 0));
    let film = Film { sizes: |_| {}, tables: |out| put_samples_at_one_place(out, 21, 800), ..Film::PLAIN };
    let index = film.index();
    assert_eq!(index.samples().len(), 20);
    assert!(one_note(&index).contains("more samples than its bytes can hold"), "{}", one_note(&index));
}

#[test]
fn tables_that_announce_millions_of_samples_cost_what_their_bytes_justify() {
    // Ten million of one byte each: all that may be announced. 1000 lie in the file, more are not counted.
    let film = Film {
        sizes: |out| put_full(out, b"stsz", 0, 0, |out| put_numbers(out, &[1, 10_000_000])),
        tables: |out| {
            put_full(out, b"stts", 0, 0, |out| put_numbers(out, &[1, u32::MAX, 3000]));
            put_full(out, b"ctts", 0, 0, |out| put_numbers(out, &[2, u32::MAX, 3000, 0, 0]));
            put_full(out, b"stsc", 0, 0, |out| put_numbers(out, &[1, 1, u32::MAX, 1]));
            put_full(out, b"stco", 0, 0, |out| put_numbers(out, &[1, 600]));
        },
        ..Film::PLAIN
    };
    let index = film.index();
    assert_eq!(index.samples().len(), 400);
    assert_eq!(index.notes().len(), 2, "{:?}", index.notes());
}

/// The least that a record of two can say.
fn put_alternating_descriptions(out: &mut BytesMut, chunks: u32) {
    put_full(out, b"stsz", 0, 0, |out| put_numbers(out, &[1, chunks]));
    put_full(out, b"stts", 0, 0, |out| put_numbers(out, &[1, chunks, 3000]));
    put_full(out, b"stsc", 0, 0, |out| {
        out.put_u32(chunks);
        (1..=chunks).for_each(|chunk| put_numbers(out, &[chunk, 1, 1 + (chunk + 1) % 2]));
    });
    put_full(out, b"stco", 0, 0, |out| {
        out.put_u32(chunks);
        (0..chunks).for_each(|chunk| out.put_u32(100 + chunk));
    });
}

#[test]
fn a_track_changes_its_description_so_often_and_no_more() {
    let film = |tables| Film {
        entry: |out| {
            avc_entry(out);
            other_avc_entry(out);
        },
        sizes: |_| {},
        tables,
        ..Film::PLAIN
    };
    let all = from_moov(&film(|out| put_alternating_descriptions(out, 1 + CHANGES_MAX as u32)).moov(), 2100);
    let all = all.unwrap();
    assert_eq!((all.breaks().len(), all.notes().len()), (CHANGES_MAX, 0));
    let profile = |index: &Index, number| index.described_at(number)[0].track.config[1];
    assert_eq!([0, 1, 2, 999, 1000].map(|number| profile(&all, number)), [77, 66, 77, 66, 77]);
    assert_eq!(all.next_change(999), Some(1000));
    assert_eq!(all.next_change(1000), None);
    let more = from_moov(&film(|out| put_alternating_descriptions(out, 3000)).moov(), 6000).unwrap();
    assert_eq!(more.breaks().len(), CHANGES_MAX);
    assert!(one_note(&more).contains("changes more than 1000 times"), "{}", one_note(&more));
}

#[test]
fn tracks_without_end_are_named_and_noted_so_often_and_no_more() {
    let mut moov = BytesMut::from(Film::PLAIN.moov().as_slice());
    (0..5000).for_each(|_| put_box(&mut moov, b"trak", |_| {}));
    let index = from_moov(&moov, FILE_LEN).unwrap();
    assert_eq!((index.tracks().len(), index.skipped().len()), (1, 256));
    let mut index = Index::default();
    (0..200).for_each(|number| index.note(number.to_string()));
    assert_eq!(index.notes().len(), 65);
    assert!(index.notes()[64].contains("more is wrong"));
}

#[test]
fn an_edit_list_makes_no_more_of_a_film_than_its_bytes_justify() {
    // A hundred edits, each of them all 400 samples.
    let film = Film {
        edits: |out| {
            put_box(out, b"edts", |out| {
                put_full(out, b"elst", 0, 0, |out| {
                    out.put_u32(100);
                    (0..100).for_each(|_| put_numbers(out, &[13_333, 0, 0x1_0000]));
                });
            });
        },
        sizes: |out| put_full(out, b"stsz", 0, 0, |out| put_numbers(out, &[1, 400])),
        tables: |out| {
            put_full(out, b"stts", 0, 0, |out| put_numbers(out, &[1, 400, 3000]));
            put_full(out, b"stsc", 0, 0, |out| put_numbers(out, &[1, 1, 400, 1]));
            put_full(out, b"stco", 0, 0, |out| put_numbers(out, &[1, 600]));
        },
        ..Film::PLAIN
    };
    let index = film.index();
    assert_eq!(index.samples().len(), 500);
    assert!(one_note(&index).contains("edit"), "{}", one_note(&index));
}

#[test]
fn a_sample_that_is_too_long_is_left_out() {
    let film = Film {
        sizes: |out| {
            let sizes = [0, 4, 10, (32 << 20) + 1, 32 << 20, 10];
            put_full(out, b"stsz", 0, 0, |out| put_numbers(out, &sizes));
        },
        ..Film::PLAIN
    };
    let index = from_moov(&film.moov(), 1 << 30).unwrap();
    let sizes: Vec<u32> = index.samples().iter().map(|sample| sample.size).collect();
    assert_eq!(sizes, [10, 32 << 20, 10]);
    assert_eq!(one_note(&index), "track 1: 1 samples are longer than 32 MiB and are left out");
}

#[test]
fn an_edit_that_goes_on_for_centuries_ends_within_a_year() {
    let film = Film {
        edits: |out| {
            put_box(out, b"edts", |out| {
                put_full(out, b"elst", 1, 0, |out| put_numbers(out, &[1, 0x0700_0000, 0, 0, 0, 0x1_0000]));
            });
        },
        // The last picture has a time that is beyond that.
        tables: |out| {
            put_full(out, b"stts", 0, 0, |out| put_numbers(out, &[2, 2, 3000, 2, u32::MAX]));
            put_full(out, b"stsc", 0, 0, |out| put_numbers(out, &[1, 1, 4, 1]));
            put_full(out, b"stco", 0, 0, |out| put_numbers(out, &[1, 100]));
        },
        ..Film::PLAIN
    };
    let end = film.index().duration();
    assert!(end <= presented::SPAN_MAX && end > Timestamp::ZERO, "{end:?}");
}
