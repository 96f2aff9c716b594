//! FLV files made to be expensive: a few bytes in each tag that call for much.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests may")]

use headwater_media::flv::{Indexer, TagKind, file_header, previous_tag_size, tag_head};
use headwater_media::index::Index;

fn put_tag(out: &mut Vec<u8>, at_ms: u32, body: &[u8]) {
    out.extend(tag_head(TagKind::Video, body.len(), at_ms));
    out.extend(body);
    out.extend(previous_tag_size(body.len()));
}

/// A track of H.264 with one picture under each of so many configurations, no two neighbours the same.
fn changing(times: u32) -> Vec<u8> {
    const RECORD: &[u8] = &[
        1, 77, 64, 31, 0xFF, 0xE1, 0, 26, 0x67, 0x4D, 0x40, 0x1F, 0xA6, 0x11, 0x02, 0x80, 0xBF, 0xE5, 0xC0,
        0x44, 0, 0, 3, 0, 4, 0, 0, 3, 0, 0xC8, 0x3C, 0x60, 0xC8, 0x46, 1, 0, 5, 0x68, 0xE8, 0x43, 0x32, 0xC8,
    ];
    let mut file = file_header(false, true).to_vec();
    for number in 0..times {
        let mut record = RECORD.to_vec();
        // The level.
        record[3] = 31 + (number % 2) as u8;
        record[11] = record[3];
        put_tag(&mut file, number * 40, &[&[0x17, 0, 0, 0, 0][..], &record].concat());
        put_tag(&mut file, number * 40, &[0x17, 1, 0, 0, 0, 0, 0, 0, 3, 0x65, 0x88, 0x84]);
    }
    file
}

fn index(file: &[u8]) -> Index {
    let mut indexer = Indexer::new(1 << 16);
    indexer.feed(file);
    indexer.finish().unwrap()
}

/// How often other configurations hold, asked sample by sample.
fn changes(index: &Index) -> usize {
    std::iter::successors(Some(0), |&at| index.next_change(at)).count() - 1
}

#[test]
fn a_track_changes_its_configuration_so_often_and_no_more() {
    let all = index(&changing(1001));
    assert_eq!((all.samples().len(), changes(&all)), (1001, 1000));
    assert_eq!(all.notes(), [""; 0]);
    let level = |number| all.tracks_at(number)[0].config[3];
    assert_eq!([0, 1, 2, 999, 1000].map(level), [31, 32, 31, 32, 31]);
    let more = index(&changing(3000));
    assert_eq!((more.samples().len(), changes(&more)), (3000, 1000));
    assert!(
        matches!(more.notes(), [note] if note.contains("changes more than 1000 times")),
        "{:?}",
        more.notes()
    );
}
