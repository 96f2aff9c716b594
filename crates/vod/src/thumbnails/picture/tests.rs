//! Key frames of the test data: drawn, and with bits turned over.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use bytes::Bytes;
use headwater_media::index::Index;
use headwater_media::mp4::Scan;
use headwater_media::{MediaKind, Timestamp, Track};

use super::*;

fn film() -> (Index, &'static [u8]) {
    let file: &[u8] = include_bytes!("../../../../../testdata/bframes.mp4");
    let mut scan = Scan::new(file.len() as u64);
    while let Some(range) = scan.wants() {
        scan.supply(&file[range.start as usize..range.end as usize]).unwrap();
    }
    (scan.finish().unwrap(), file)
}

/// Draws a picture as it is coded.
fn draw(track: &Track, key_frame: &[u8], width: u16) -> Result<Canvas, Refusal> {
    let (track, orientation) = (track.clone(), Orientation::UPRIGHT);
    super::draw(&PictureTrack { track, pixel_aspect: None, orientation }, key_frame, width)
}

fn key_frame() -> (Track, Bytes) {
    let (index, file) = film();
    let sample = index.samples()[index.start_for(Timestamp::ZERO)];
    let track = index.tracks()[usize::from(sample.track)].track.clone();
    assert_eq!(track.id.kind, MediaKind::Video);
    let bytes = &file[sample.offset as usize..][..sample.size as usize];
    (track, Bytes::copy_from_slice(bytes))
}

#[test]
fn a_key_frame_becomes_a_jpeg() {
    let (track, frame) = key_frame();
    let canvas = draw(&track, &frame, 160).unwrap();
    assert_eq!((canvas.width, canvas.height), (160, 120));
    let (darkest, lightest) = (canvas.rgb.iter().min().unwrap(), canvas.rgb.iter().max().unwrap());
    assert!(lightest - darkest > 150, "{darkest} to {lightest}: that is no test picture");
    let jpeg = canvas.to_jpeg().unwrap();
    assert!(jpeg.starts_with(&[0xFF, 0xD8, 0xFF]) && jpeg.ends_with(&[0xFF, 0xD9]));
}

#[test]
fn what_the_file_says_of_shape_and_turn_is_heeded() {
    let (track, frame) = key_frame();
    const ONE: i32 = 1 << 16;
    let quarter = Orientation::new([0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30]);
    let coded = draw(&track, &frame, 160).unwrap();
    let film = PictureTrack { track, pixel_aspect: None, orientation: quarter };
    let upright = super::draw(&film, &frame, 120).unwrap();
    assert_eq!((upright.width, upright.height), (120, 160));
    assert_eq!(size(&film, 120).unwrap(), (120, 160));
    // The lower left corner comes to the upper left one.
    let lower_left = 3 * 160 * 119;
    assert_eq!(upright.rgb[..3], coded.rgb[lower_left..lower_left + 3]);
    let wide = PictureTrack { pixel_aspect: Some((3, 2)), orientation: Orientation::UPRIGHT, ..film };
    assert_eq!(size(&wide, 180).unwrap(), (180, 90));
    assert_eq!(super::draw(&wide, &frame, 180).unwrap().height, 90);
}

#[test]
fn other_codecs_are_refused_by_name() {
    let (track, frame) = key_frame();
    let problem = draw(&Track { codec: headwater_media::Codec::H265, ..track }, &frame, 160).unwrap_err();
    assert!(
        matches!(&problem, Refusal { kind: RefusalKind::Unsupported, text } if text.contains("H.265")),
        "{problem}"
    );
}

#[test]
fn what_is_missing_or_too_much_is_a_problem_and_no_panic() {
    let (track, frame) = key_frame();
    let without = Track { config: Bytes::new(), ..track.clone() };
    assert!(matches!(draw(&without, &frame, 160), Err(Refusal { kind: RefusalKind::Damaged, .. })));
    assert!(matches!(draw(&track, &[], 160), Err(Refusal { kind: RefusalKind::Damaged, .. })));
    let huge = vec![0; KEY_FRAME_BYTES_MAX as usize + 1];
    assert!(matches!(draw(&track, &huge, 160), Err(Refusal { kind: RefusalKind::Unsupported, .. })));
    // Nothing but slices of a few bytes, each of which begins a picture.
    let slices: Vec<u8> = [0, 0, 0, 2, 0x65, 0x88].repeat(100_000);
    let _ = draw(&track, &slices, 160);
}

/// A size that only the sequence parameter set announces takes no memory.
#[test]
fn a_picture_larger_than_any_is_refused_before_it_is_decoded() {
    let (track, frame) = key_frame();
    // Baseline, level 6.2: 4096 × 4096 macroblocks.
    let mut huge = vec![0x67, 66, 0, 62];
    let (zero, side) = ((1, 1), (4096, 25));
    huge.extend(bits(&[zero, zero, zero, zero, zero, (0, 1), side, side, (1, 1), (1, 1), (0, 2), (1, 1)]));
    let mut config = vec![1, 66, 0, 62, 0xFF, 0xE1, 0, huge.len() as u8];
    config.extend_from_slice(&huge);
    config.extend_from_slice(&[1, 0, 4, 0x68, 0xCE, 0x38, 0x80]);
    let track = Track { config: config.into(), ..track };
    let problem = draw(&track, &frame, 160).unwrap_err();
    assert!(problem.to_string().contains("65536 × 65536"), "{problem}");
}

/// Values with their numbers of bits, one after the other.
fn bits(fields: &[(u32, u32)]) -> Vec<u8> {
    let text: String =
        fields.iter().map(|&(value, width)| format!("{value:0width$b}", width = width as usize)).collect();
    let padded = format!("{text:0<length$}", length = text.len().next_multiple_of(8));
    padded
        .as_bytes()
        .chunks(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect()
}

/// Bits turned over anywhere, and cut anywhere: a picture or a problem, never the end.
#[test]
fn damaged_key_frames_never_kill() {
    let (track, frame) = key_frame();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let mut drawn = 0;
    for round in 0..300 {
        let (mut config, mut bytes) = (track.config.to_vec(), frame.to_vec());
        for _ in 0..=random(40) {
            let place = random(bytes.len());
            bytes[place] ^= 1 << random(8);
        }
        if round % 3 == 1 {
            let place = random(config.len());
            config[place] ^= 1 << random(8);
        }
        if round % 3 == 2 {
            bytes.truncate(random(bytes.len()));
        }
        drawn += usize::from(draw(&Track { config: config.into(), ..track.clone() }, &bytes, 64).is_ok());
    }
    assert!(drawn > 30, "{drawn} of 300 were drawn: the damage is so large that nothing is tested");
}
