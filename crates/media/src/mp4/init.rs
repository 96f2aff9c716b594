//! The initialisation segment: `ftyp`, and a `moov` with empty sample tables.

use bytes::{BufMut, Bytes, BytesMut};

use super::boxes::{put_box, put_full};
use super::continuation;
use super::description::Description;
use super::output_track::OutputTrack;
use crate::{MediaKind, Orientation};

/// Ticks per second of the movie itself; the tracks have their own.
const MOVIE_TIMESCALE: u32 = 1000;
/// `und`.
const UNDETERMINED_LANGUAGE: u16 = 0x55C4;

/// Of tracks with their numbers, which need not be in a row. What is another description of a track that was before
/// continues it.
pub(super) fn segment<'a>(tracks: impl Iterator<Item = (u32, &'a OutputTrack)> + Clone) -> Bytes {
    let mut out = BytesMut::with_capacity(2048);
    put_box(&mut out, b"ftyp", |out| out.put_slice(b"isom\0\0\x02\0isomiso5iso6cmfcmp42"));
    put_box(&mut out, b"moov", |out| {
        put_full(out, b"mvhd", 0, 0, |out| {
            out.put_slice(&[0; 8]);
            out.put_u32(MOVIE_TIMESCALE);
            out.put_u32(0);
            out.put_u32(0x1_0000);
            out.put_u16(0x100);
            out.put_slice(&[0; 10]);
            put_matrix(out, Orientation::UPRIGHT);
            out.put_slice(&[0; 24]);
            out.put_u32(tracks.clone().map(|(number, _)| number).max().unwrap_or(0) + 1);
        });
        for (place, (number, output)) in tracks.clone().enumerate() {
            let mut before = tracks.clone().take(place);
            let continued = before.find(|(_, other)| other.track.id == output.track.id);
            put_track(out, number, output, continued.map(|(number, _)| number));
        }
        put_box(out, b"mvex", |out| {
            for (number, _) in tracks {
                put_full(out, b"trex", 0, 0, |out| {
                    // Track, description 1, no default duration, size or flags.
                    for field in [number, 1, 0, 0, 0] {
                        out.put_u32(field);
                    }
                });
            }
        });
    });
    out.freeze()
}

fn put_track(out: &mut BytesMut, number: u32, output: &OutputTrack, continued: Option<u32>) {
    let description = &output.description;
    let is_video = output.track.id.kind == MediaKind::Video;
    let (width, height) = description.shown_size();
    put_box(out, b"trak", |out| {
        const ENABLED_IN_MOVIE: u32 = 3;
        put_full(out, b"tkhd", 0, ENABLED_IN_MOVIE, |out| {
            out.put_slice(&[0; 8]);
            out.put_u32(number);
            out.put_slice(&[0; 16]);
            out.put_slice(&[0; 4]);
            out.put_u16(if is_video { 0 } else { 0x100 });
            out.put_u16(0);
            put_matrix(out, output.orientation);
            out.put_u32(width.min(0xFFFF) << 16);
            out.put_u32(height.min(0xFFFF) << 16);
        });
        continuation::put(out, continued);
        put_box(out, b"mdia", |out| {
            put_full(out, b"mdhd", 0, 0, |out| {
                out.put_slice(&[0; 8]);
                out.put_u32(output.timescale);
                out.put_u32(0);
                out.put_u16(language(output.language.as_deref()));
                out.put_u16(0);
            });
            put_full(out, b"hdlr", 0, 0, |out| {
                out.put_u32(0);
                put_handler(out, output.track.id.kind);
            });
            put_media_information(out, output.track.id.kind, std::slice::from_ref(description), |out| {
                for table in [b"stts", b"stsc", b"stco"] {
                    put_full(out, table, 0, 0, |out| out.put_u32(0));
                }
                put_full(out, b"stsz", 0, 0, |out| out.put_u64(0));
            });
        });
    });
}

/// What of `hdlr` says what a track is.
pub(super) fn put_handler(out: &mut BytesMut, kind: MediaKind) {
    let (handler, name): (&[u8; 4], &[u8]) = match kind {
        MediaKind::Video => (b"vide", b"video\0"),
        MediaKind::Audio => (b"soun", b"sound\0"),
        MediaKind::Data => (b"meta", b"script data\0"),
    };
    out.put_slice(handler);
    out.put_slice(&[0; 12]);
    out.put_slice(name);
}

/// `minf`; `tables` writes the sample tables.
pub(super) fn put_media_information(
    out: &mut BytesMut,
    kind: MediaKind,
    descriptions: &[Description],
    tables: impl FnOnce(&mut BytesMut),
) {
    put_box(out, b"minf", |out| {
        match kind {
            MediaKind::Video => put_full(out, b"vmhd", 0, 1, |out| out.put_slice(&[0; 8])),
            MediaKind::Audio => put_full(out, b"smhd", 0, 0, |out| out.put_slice(&[0; 4])),
            MediaKind::Data => put_full(out, b"nmhd", 0, 0, |_| {}),
        }
        put_box(out, b"dinf", |out| {
            put_full(out, b"dref", 0, 0, |out| {
                out.put_u32(1);
                put_full(out, b"url ", 0, 1, |_| {});
            });
        });
        put_box(out, b"stbl", |out| {
            put_full(out, b"stsd", 0, 0, |out| {
                out.put_u32(descriptions.len() as u32);
                descriptions.iter().for_each(|description| description.put(out));
            });
            tables(out);
        });
    });
}

pub(super) fn put_matrix(out: &mut BytesMut, orientation: Orientation) {
    orientation.fields().iter().for_each(|&field| out.put_i32(field));
}

/// Three letters of five bits.
pub(super) fn language(letters: Option<&str>) -> u16 {
    let Some([a @ b'a'..=b'z', b @ b'a'..=b'z', c @ b'a'..=b'z']) = letters.map(str::as_bytes) else {
        return UNDETERMINED_LANGUAGE;
    };
    [a, b, c].into_iter().fold(0, |packed, letter| packed << 5 | u16::from(letter - 0x60))
}
