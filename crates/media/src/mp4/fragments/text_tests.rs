//! Text that lies in fragments, in each of its forms.

use bytes::{BufMut, Bytes, BytesMut};

use super::super::Scan;
use super::super::boxes::{children, put_box, put_full};
use super::tests::{init, put_fragment};
use crate::index::{Index, TextTrack};

/// Entries of text: their kind, and what stands behind their head.
const TIMED: (&[u8; 4], &[u8]) = (b"tx3g", &[0; 30]);
const WEB_VTT: (&[u8; 4], &[u8]) = (b"wvtt", b"\0\0\0\x0EvttCWEBVTT");
const TTML: (&[u8; 4], &[u8]) = (b"stpp", b"http://www.w3.org/ns/ttml\0\0\0");
const TTML_OF_PICTURES: (&[u8; 4], &[u8]) = (b"stpp", b"http://www.w3.org/ns/ttml\0\0image/png\0");

fn put_numbers(out: &mut BytesMut, numbers: &[u32]) {
    numbers.iter().for_each(|&number| out.put_u32(number));
}

/// An initialisation segment of sound and a track of text, number 2, with a thousand ticks a second. An edit leaves
/// out so much at its start.
fn with_text((kind, entry): (&[u8; 4], &[u8]), cut_ms: u32) -> BytesMut {
    let sound = init(1024, 10);
    let moov = children(&sound).find_kind(b"moov").unwrap();
    let mut out = BytesMut::new();
    put_box(&mut out, b"ftyp", |out| out.put_slice(children(&sound).find_kind(b"ftyp").unwrap()));
    put_box(&mut out, b"moov", |out| {
        for (kind, body) in children(moov).filter(|(kind, _)| kind.0 != *b"mvex") {
            put_box(out, &kind.0, |out| out.put_slice(body));
        }
        put_box(out, b"trak", |out| {
            put_full(out, b"tkhd", 0, 7, |out| put_numbers(out, &[0, 0, 2, 0, 0]));
            put_box(out, b"edts", |out| {
                put_full(out, b"elst", 0, 0, |out| put_numbers(out, &[1, 0, cut_ms, 0x1_0000]));
            });
            put_box(out, b"mdia", |out| {
                // The language is `ger`.
                put_full(out, b"mdhd", 0, 0, |out| put_numbers(out, &[0, 0, 1000, 0, 0x1CB2_0000]));
                put_full(out, b"hdlr", 0, 0, |out| out.put_slice(b"\0\0\0\0text"));
                put_box(out, b"minf", |out| {
                    put_box(out, b"stbl", |out| {
                        put_full(out, b"stsd", 0, 0, |out| {
                            out.put_u32(1);
                            put_box(out, kind, |out| {
                                out.put_slice(&[0, 0, 0, 0, 0, 0, 0, 1]);
                                out.put_slice(entry);
                            });
                        });
                        put_full(out, b"stsz", 0, 0, |out| put_numbers(out, &[0, 0]));
                        for table in [b"stts", b"stsc", b"stco"] {
                            put_full(out, table, 0, 0, |out| put_numbers(out, &[0]));
                        }
                    });
                });
            });
        });
        put_box(out, b"mvex", |out| {
            put_full(out, b"trex", 0, 0, |out| put_numbers(out, &[1, 1, 1024, 10, 0]));
            put_full(out, b"trex", 0, 0, |out| put_numbers(out, &[2, 1, 0, 0, 0]));
        });
    });
    // A second of sound or so.
    put_fragment(&mut out, (0x2_0000, &[1]), Some(0), (0x1, &[3, 76]));
    out
}

/// A fragment of the text: when its samples begin, then how long each lasts and what it is.
fn put_texts(out: &mut BytesMut, at_ms: u32, samples: &[(u32, &[u8])]) {
    let head = 8 + 8 + 16 + 16 + (20 + 8 * samples.len()) as u32;
    put_box(out, b"moof", |out| {
        put_box(out, b"traf", |out| {
            put_full(out, b"tfhd", 0, 0x2_0000, |out| put_numbers(out, &[2]));
            put_full(out, b"tfdt", 0, 0, |out| put_numbers(out, &[at_ms]));
            put_full(out, b"trun", 0, 0x301, |out| {
                put_numbers(out, &[samples.len() as u32, head + 8]);
                samples.iter().for_each(|(lasts, text)| put_numbers(out, &[*lasts, text.len() as u32]));
            });
        });
    });
    put_box(out, b"mdat", |out| samples.iter().for_each(|(_, text)| out.put_slice(text)));
}

fn scan(file: &[u8]) -> Index {
    let mut scan = Scan::new(file.len() as u64);
    while let Some(range) = scan.wants() {
        scan.supply(&file[range.start as usize..range.end as usize]).unwrap();
    }
    scan.finish().unwrap()
}

fn cues(file: &[u8], text: &TextTrack) -> String {
    let place = |offset: u64| usize::try_from(offset).unwrap();
    let payloads: Vec<Bytes> = text
        .samples()
        .iter()
        .map(|sample| Bytes::copy_from_slice(&file[place(sample.offset)..][..sample.size as usize]))
        .collect();
    text.to_webvtt(&payloads)
}

const CUE: &[u8] = b"\0\0\0\x15vttc\0\0\0\x0Dpayllater";
const NO_CUE: &[u8] = b"\0\0\0\x08vtte";
const DOCUMENT: &[u8] =
    b"<tt xmlns='http://www.w3.org/ns/ttml'><body><div><p begin='1s' end='2.5s'>early</p>\
    <p begin='2s' end='7s'>later</p></div></body></tt>";

#[test]
fn text_in_fragments_of_every_form() {
    let later = "WEBVTT\n\n00:00:02.000 --> 00:00:04.000\nlater\n\n";
    let early_and_later =
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.500\nearly\n\n00:00:02.000 --> 00:00:04.000\nlater\n\n";
    let forms = [
        (TIMED, &b"\0\0"[..], &b"\0\x05later"[..], later),
        (WEB_VTT, NO_CUE, CUE, later),
        (TTML, DOCUMENT, DOCUMENT, early_and_later),
    ];
    for (entry, before, text, expected) in forms {
        let mut file = with_text(entry, 0);
        put_texts(&mut file, 0, &[(1500, before), (500, before)]);
        // What is on at the border of fragments is one cue.
        put_texts(&mut file, 2000, &[(1000, text)]);
        put_texts(&mut file, 3000, &[(1000, text)]);
        let index = scan(&file);
        let [track] = index.texts() else { panic!("{:?}", index.skipped()) };
        assert_eq!((track.number, track.language.as_deref()), (2, Some("ger")));
        assert_eq!(cues(&file, track), expected, "{:?}", entry.0);
        assert_eq!(index.samples().len(), 3, "the sound is as it was");
        assert_eq!(index.notes(), [""; 0]);
    }
}

#[test]
fn an_edit_list_moves_it_and_keeps_what_is_on_at_its_start() {
    for (entry, text) in [(TIMED, &b"\0\x05later"[..]), (WEB_VTT, CUE), (TTML, DOCUMENT)] {
        let mut file = with_text(entry, 3000);
        put_texts(&mut file, 2000, &[(2000, text), (3000, text)]);
        let index = scan(&file);
        let expected = "WEBVTT\n\n00:00:00.000 --> 00:00:04.000\nlater\n\n";
        assert_eq!(cues(&file, &index.texts()[0]), expected, "{:?}", entry.0);
    }
}

#[test]
fn a_file_that_grows_has_each_text_once() {
    let mut file = with_text(TIMED, 0);
    put_texts(&mut file, 0, &[(1000, b"\0\x03one")]);
    let begun = file.len();
    put_texts(&mut file, 1000, &[(1000, b"\0\x03two")]);
    // The end of the second fragment is not there at first.
    let cut = file.len() - 2;
    let mut growing = Scan::new(cut as u64);
    let read = |scan: &mut Scan| {
        while let Some(range) = scan.wants() {
            scan.supply(&file[range.start as usize..range.end as usize]).unwrap();
        }
        scan.clone().finish().unwrap()
    };
    let index = read(&mut growing);
    assert!(begun < cut && cues(&file, &index.texts()[0]).ends_with("one\n\n"));
    assert!(growing.grow(file.len() as u64));
    let index = read(&mut growing);
    let expected = "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\none\n\n00:00:01.000 --> 00:00:02.000\ntwo\n\n";
    assert_eq!(cues(&file, &index.texts()[0]), expected);
}

#[test]
fn what_is_no_text_is_said_and_what_never_ends_is_bounded() {
    let pictures = scan(&with_text(TTML_OF_PICTURES, 0));
    assert!(pictures.texts().is_empty());
    assert!(pictures.skipped()[0].reason.contains("pictures"), "{:?}", pictures.skipped());
    let empty = scan(&with_text(WEB_VTT, 0));
    assert_eq!(empty.skipped()[0].reason, "its text is empty");
    let mut endless = with_text(TIMED, 0);
    // Samples of a byte, as many as a run can have; most of them lie beyond the end.
    put_fragment(&mut endless, (0x2_0000 | 0x18, &[2, 1, 1]), Some(0), (0x1, &[u32::MAX, 84]));
    let index = scan(&endless);
    assert!((1..=30).contains(&index.texts()[0].samples().len()));
    let mut many = with_text(TIMED, 0);
    put_fragment(&mut many, (0x2_0000 | 0x18, &[2, 1, 1]), Some(0), (0x1, &[u32::MAX, 84]));
    many.extend_from_slice(&vec![0; 200_000]);
    let index = scan(&many);
    assert!(index.skipped()[0].reason.contains("more than 100000 texts"), "{:?}", index.skipped());
}
