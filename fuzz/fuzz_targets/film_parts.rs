//! Any bytes as a film, MP4 or FLV, and what is made of its index: parts as MP4 and FLV, HLS
//! playlists. No panic, a part is as long as it says, and nothing is taken from outside the file.
#![no_main]

use headwater_media::Timestamp;
use headwater_media::cut::{Cut, CutPosition, Piece, Span};
use headwater_media::flv::{CodecSet, Dialect, Indexer, Numbering, TrackChoice};
use headwater_media::hls::{MediaPlaylist, Presentation, SEGMENT_TARGET, Segment};
use headwater_media::index::Index;
use headwater_media::mp4::Scan;
use libfuzzer_sys::fuzz_target;

const DIALECT: Dialect = Dialect {
    codecs: CodecSet::ALL,
    tracks: TrackChoice::All,
    numbering: Numbering::FourCc,
    extras: true,
    nanos: false,
    bare_flac: false,
};

fuzz_target!(|input: (u16, &[u8])| {
    let (start_ms, file) = input;
    let index = if file.starts_with(b"FLV") { flv(file) } else { mp4(file) };
    let Some(index) = index else { return };
    let at = Timestamp::from_ms(i64::from(start_ms));
    for span in [Span::default(), Span { from: Some(at), until: Some(at + at) }] {
        for cut in [Cut::mp4(&index, span), Cut::flv(&index, span, DIALECT)].into_iter().flatten() {
            assert_eq!(length(&cut, &index, file), cut.len());
        }
    }
    if let Ok(presentation) = Presentation::new(&index, SEGMENT_TARGET) {
        segments(&presentation, &index);
    }
});

fn flv(file: &[u8]) -> Option<Index> {
    let mut indexer = Indexer::new(1 << 16);
    indexer.feed(file);
    indexer.finish().ok()
}

fn mp4(file: &[u8]) -> Option<Index> {
    let mut scan = Scan::new(file.len() as u64);
    while let Some(range) = scan.wants() {
        scan.supply(&file[range.start as usize..range.end as usize]).ok()?;
    }
    scan.finish().ok()
}

/// Of all pieces together.
fn length(cut: &Cut, index: &Index, file: &[u8]) -> u64 {
    let mut place = CutPosition::default();
    std::iter::from_fn(|| cut.next(index, &mut place)).map(|piece| piece_len(&piece, index, file)).sum()
}

fn piece_len(piece: &Piece, index: &Index, file: &[u8]) -> u64 {
    match piece {
        Piece::Bytes(bytes) => bytes.len() as u64,
        Piece::File { offset, len } => {
            assert!(offset + len <= file.len() as u64, "{offset} + {len} lies outside");
            *len
        }
        Piece::Repaired(sample) => u64::from(index.payload_len(sample)),
    }
}

/// What the playlists list: times in order, and the samples of each segment inside the film.
fn segments(presentation: &Presentation, index: &Index) {
    for track in presentation.tracks() {
        let ends = track.segments.iter().skip(1).map(|next| next.start).chain([track.end]);
        let listed = track.segments.iter().zip(ends).map(|(segment, end)| Segment {
            start: segment.start,
            end,
            ..Segment::default()
        });
        let segments = listed.collect();
        let playlist = MediaPlaylist { segments, ended: true, ..MediaPlaylist::default() };
        assert!(playlist.to_string().starts_with("#EXTM3U"));
        for segment in &track.segments {
            let samples = &index.samples()[segment.first as usize..segment.behind as usize];
            assert!(samples.iter().any(|sample| usize::from(sample.track) == track.track));
        }
    }
}
