//! FLV files cut anywhere, damaged, and with the habits of other writers.

use proptest::prelude::*;

use super::*;
use crate::flv::{file_header, previous_tag_size, tag_head};

/// A video tag with a body of its own, and the size behind it.
fn tag(kind: TagKind, timestamp_ms: u32, body: &[u8]) -> Vec<u8> {
    [&tag_head(kind, body.len(), timestamp_ms)[..], body, &previous_tag_size(body.len())].concat()
}

fn file(parts: &[&[u8]]) -> Vec<u8> {
    [&file_header(true, true)[..], &parts.concat()].concat()
}

fn read(bytes: &[u8]) -> (Vec<Tag>, TagReader) {
    let mut reader = TagReader::default();
    reader.feed(bytes);
    let mut tags = Vec::new();
    while let Some(tag) = reader.next_tag().unwrap() {
        tags.push(tag);
    }
    (tags, reader)
}

#[test]
fn tags_keep_their_time_and_place() {
    let bytes = file(&[&tag(TagKind::Audio, 0xFEDC_BA98, &[1, 2]), &tag(TagKind::Script, 7, &[])]);
    let (tags, reader) = read(&bytes);
    assert_eq!(tags.len(), 2);
    assert_eq!((tags[0].kind, tags[0].timestamp_ms, tags[0].position), (TagKind::Audio, 0xFEDC_BA98, 13));
    assert_eq!((tags[0].body.as_ref(), tags[1].body.as_ref()), (&[1u8, 2][..], &[][..]));
    assert_eq!(tags[1].position, 13 + 17);
    assert_eq!((reader.end(), *reader.irregular()), (FileEnd::Clean, Irregularities::default()));
}

#[test]
fn previous_tag_sizes_are_never_believed() {
    let one = tag(TagKind::Video, 0, &[0x17, 2, 0, 0, 0]);
    for (size, wrong) in [(16u32, 0), (15, 0), (5, 0), (999, 1)] {
        let mut lying = one.clone();
        lying.splice(16.., size.to_be_bytes());
        let (tags, reader) = read(&file(&[&lying, &one]));
        assert_eq!((tags.len(), reader.irregular().wrong_sizes), (2, wrong), "{size}");
    }
    let mut summed = one.clone();
    summed.splice(16.., 32u32.to_be_bytes());
    let (tags, reader) = read(&file(&[&one, &summed, &one]));
    assert_eq!((tags.len(), reader.irregular().wrong_sizes), (3, 0));
}

#[test]
fn headers_of_any_length_and_in_the_middle_are_passed_over() {
    let one = tag(TagKind::Video, 0, &[9]);
    let mut long = b"FLV\x01\x05\x00\x00\x00\x0D".to_vec();
    long.extend([1, 2, 3, 4, 0, 0, 0, 0]);
    let joined = [long, one.clone(), file(&[&one])].concat();
    assert_eq!(read(&joined).0.len(), 2);
}

#[test]
fn lost_tags_are_searched_for() {
    let one = tag(TagKind::Video, 40, &[0x27, 1, 0, 0, 0, 0, 0, 0, 1, 0x41]);
    let (tags, reader) = read(&file(&[&one, &[0xEE; 100], &one, &one]));
    assert_eq!((tags.len(), reader.irregular().skipped_bytes), (3, 100));
    let unknown = [&[11u8, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7][..], &previous_tag_size(1)].concat();
    let (tags, reader) = read(&file(&[&one, &unknown, &one]));
    assert_eq!((tags.len(), reader.irregular().unknown_tags, reader.irregular().skipped_bytes), (2, 1, 0));
}

#[test]
fn a_truncated_end_gives_every_whole_tag() {
    let one = tag(TagKind::Audio, 0, &[0xAF, 1, 0x21]);
    let bytes = file(&[&one, &one]);
    for cut in 0..bytes.len() {
        let (tags, reader) = read(&bytes[..cut]);
        let whole = usize::from(cut >= 13 + 14) + usize::from(cut >= 13 + 18 + 14);
        assert_eq!(tags.len(), whole, "cut at {cut}");
        let clean = [9..=13, 27..=31, 45..=48].iter().any(|clean| clean.contains(&cut));
        assert_eq!(reader.end() == FileEnd::Clean, clean, "cut at {cut}");
    }
}

#[test]
fn what_is_no_flv_is_refused_with_its_place() {
    let error = |bytes: &[u8], max_body| {
        let mut reader = TagReader::new(max_body);
        reader.feed(bytes);
        loop {
            match reader.next_tag() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("no error"),
                Err(error) => return error.to_string(),
            }
        }
    };
    assert_eq!(
        error(b"RIFF....", 100),
        "FLV header at byte 0: it does not start with \"FLV\"; this is no FLV file"
    );
    let one = tag(TagKind::Video, 0, &[9; 50]);
    assert_eq!(
        error(&file(&[&one]), 49),
        "FLV tag body in bytes at byte 13 is 50, more than the limit of 49"
    );
    let mut encrypted = one.clone();
    encrypted[0] |= 0x20;
    assert_eq!(
        error(&file(&[&one, &encrypted]), 100),
        "an encrypted FLV tag at byte 78 is not supported; decrypt the file with the tool that made it"
    );
}

#[test]
fn a_tag_that_cannot_be_used_is_left_out() {
    let mut demuxer = Demuxer::default();
    demuxer.feed(&file(&[&tag(TagKind::Video, 0, b"\x90dvh1\x00"), &tag(TagKind::Audio, 0, &[0x2F, 1, 2])]));
    assert!(matches!(demuxer.next_item(), Ok(Some(MediaItem::Track(_)))), "reading goes on behind the tag");
    let left_out = demuxer.left_out();
    let reasons: Vec<_> = left_out.reasons().collect();
    assert_eq!((reasons.len(), demuxer.left_out_count()), (1, 1));
    assert!(reasons[0].0.starts_with("Enhanced RTMP video dvh1 is not supported"), "{reasons:?}");
}

#[test]
fn reading_can_start_at_a_tag() {
    let mut reader = TagReader::at_tag(1000, 500);
    reader.feed(&tag(TagKind::Video, 0, &[1]));
    assert_eq!(reader.next_tag().unwrap().map(|tag| tag.position), Some(500));
}

proptest! {
    #[test]
    fn any_bytes_never_panic_and_always_end(
        bytes in prop::collection::vec(any::<u8>(), 0..400), with_header in any::<bool>(),
    ) {
        let bytes = if with_header { file(&[&bytes]) } else { bytes };
        let mut demuxer = Demuxer::new(1000);
        demuxer.feed(&bytes);
        for _ in 0..bytes.len() * 2 + 2 {
            if demuxer.next_item() == Ok(None) {
                break;
            }
        }
        let _ = demuxer.end();
    }

    #[test]
    fn what_is_written_is_read_back_however_it_is_cut(
        tags in prop::collection::vec(
            (prop::sample::select(vec![TagKind::Audio, TagKind::Video, TagKind::Script]), any::<u32>(),
             prop::collection::vec(any::<u8>(), 0..60)), 0..20),
        cut_len in 1usize..50,
    ) {
        let parts: Vec<Vec<u8>> = tags.iter().map(|(kind, time, body)| tag(*kind, *time, body)).collect();
        let bytes = file(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let mut reader = TagReader::default();
        let mut found = Vec::new();
        for piece in bytes.chunks(cut_len) {
            reader.feed(piece);
            while let Some(tag) = reader.next_tag().unwrap() {
                found.push((tag.kind, tag.timestamp_ms, tag.body.to_vec()));
            }
        }
        prop_assert_eq!(found, tags);
        prop_assert_eq!(reader.end(), FileEnd::Clean);
    }
}
