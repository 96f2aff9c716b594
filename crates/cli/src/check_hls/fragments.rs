//! What fragments of MP4 say of their times. Read here by hand, with nothing of what the server writes them with: a
//! fault there must not hide itself.

use super::finding::Finding;

/// What the fragments of a part or a segment hold, in ticks of their track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// The first decoding time.
    pub(super) start: u64,
    /// Where the last sample ends.
    pub(super) end: u64,
    /// Whether the first sample is marked as a sync sample.
    pub(super) starts_with_sync: bool,
    /// How many samples.
    pub(super) samples: u64,
}

/// Ticks per second of the only track of an initialisation segment.
pub(super) fn timescale(init: &[u8]) -> Option<u32> {
    let mdhd = find(init, &["moov", "trak", "mdia", "mdhd"])?;
    let at = if *mdhd.first()? == 1 { 20 } else { 12 };
    number(mdhd, at, 4).map(|scale| scale as u32).filter(|scale| *scale > 0)
}

/// What the fragments in `bytes` span; findings about fragments that do not follow each other.
pub(super) fn span(bytes: &[u8]) -> Result<(Span, Vec<Finding>), Finding> {
    let (mut whole, mut findings) = (None::<Span>, Vec::new());
    for (kind, body) in boxes(bytes) {
        if kind != *b"moof" {
            continue;
        }
        let own = fragment(body).ok_or_else(|| Finding::new("fragment", "a moof cannot be read"))?;
        if let Some(before) = whole
            && before.end != own.start
        {
            let what =
                format!("a fragment begins at tick {}, the one before ends at {}", own.start, before.end);
            findings.push(Finding::new("fragment", what));
        }
        whole = Some(match whole {
            None => own,
            Some(before) => Span { end: own.end, samples: before.samples + own.samples, ..before },
        });
    }
    let whole = whole.ok_or_else(|| Finding::new("fragment", "there is no moof in it"))?;
    Ok((whole, findings))
}

/// A `moof` of one track.
fn fragment(moof: &[u8]) -> Option<Span> {
    let traf = find(moof, &["traf"])?;
    let tfdt = find(traf, &["tfdt"])?;
    let start = if *tfdt.first()? == 1 { number(tfdt, 4, 8)? } else { number(tfdt, 4, 4)? };
    let tfhd = find(traf, &["tfhd"])?;
    let (default_duration, default_flags) = defaults(tfhd)?;
    let (mut end, mut samples, mut starts_with_sync) = (start, 0, None);
    for (_, trun) in boxes(traf).filter(|(kind, _)| kind == b"trun") {
        let flags = number(trun, 1, 3)?;
        let count = number(trun, 4, 4)?;
        let mut at = 8 + if flags & 0x1 != 0 { 4 } else { 0 };
        let first_flags = if flags & 0x4 != 0 {
            at += 4;
            number(trun, at - 4, 4)
        } else {
            None
        };
        for sample in 0..count {
            let mut field = |bit: u64| {
                if flags & bit == 0 {
                    return Some(None);
                }
                at += 4;
                number(trun, at - 4, 4).map(Some)
            };
            let duration = field(0x100)?.unwrap_or(default_duration);
            field(0x200)?;
            let own_flags = field(0x400)?;
            field(0x800)?;
            let own_flags =
                own_flags.or_else(|| first_flags.filter(|_| sample == 0)).unwrap_or(default_flags);
            starts_with_sync.get_or_insert(own_flags & 0x1_0000 == 0);
            end += duration;
            samples += 1;
        }
    }
    Some(Span { start, end, starts_with_sync: starts_with_sync?, samples })
}

/// Of `tfhd`: the duration and flags of samples that do not say theirs.
fn defaults(tfhd: &[u8]) -> Option<(u64, u64)> {
    let flags = number(tfhd, 1, 3)?;
    let mut at = 8;
    let mut field = |bit: u64, length: usize| {
        if flags & bit == 0 {
            return Some(0);
        }
        at += length;
        number(tfhd, at - length, length)
    };
    field(0x1, 8)?;
    field(0x2, 4)?;
    let duration = field(0x8, 4)?;
    field(0x10, 4)?;
    Some((duration, field(0x20, 4)?))
}

/// The body of the first box on a path.
fn find<'a>(bytes: &'a [u8], path: &[&str]) -> Option<&'a [u8]> {
    path.iter().try_fold(bytes, |inside, name| {
        boxes(inside).find(|(kind, _)| kind == name.as_bytes()).map(|(_, body)| body)
    })
}

/// Boxes one after the other, as far as they are whole.
fn boxes(bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = number(rest, 0, 4)?;
        let kind: [u8; 4] = rest.get(4..8)?.try_into().ok()?;
        let (head, length) = if length == 1 { (16, number(rest, 8, 8)?) } else { (8, length) };
        let end = usize::try_from(length).ok()?;
        let body = rest.get(head..end)?;
        rest = rest.get(end..)?;
        Some((kind, body))
    })
}

/// A number of so many bytes, big end first.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(length)?)?;
    Some(field.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use headwater_media::mp4::Muxer;
    use headwater_media::{Codec, Frame, Timestamp, Track, TrackId};

    fn frame(ms: i64, key: bool) -> Frame {
        let at = Timestamp::from_ms(ms);
        let payload = Bytes::from_static(b"sound");
        Frame { track: TrackId::AUDIO, codec: Codec::Aac, dts: at, pts: at, key, payload }
    }

    #[test]
    fn times_of_fragments_are_read() {
        let (config, extra) = (Bytes::from_static(&[0x11, 0x90]), Bytes::new());
        let track = Track { id: TrackId::AUDIO, codec: Codec::Aac, config, extra };
        let mut muxer = Muxer::new(&[track], Timestamp::ZERO).unwrap();
        assert_eq!(timescale(&muxer.init_segment().unwrap()), Some(48_000));
        let first = muxer.fragment(&[frame(0, true), frame(21, true)], None).unwrap();
        let second = muxer.fragment(&[frame(43, true)], None).unwrap();
        let both = [first.clone(), second.clone()].concat();
        let (span, findings) = span(&both).unwrap();
        assert_eq!(findings, []);
        assert_eq!(span, Span { start: 0, end: 3 * 1024, starts_with_sync: true, samples: 3 });
        let (_, findings) = super::span(&[second, first].concat()).unwrap();
        assert_eq!(findings.len(), 1);
    }

    #[test]
    fn what_is_no_fragment_is_told() {
        assert!(span(b"").is_err());
        assert!(span(b"\0\0\0\x08moof").is_err());
        assert_eq!(timescale(b"\0\0\0\x08moov"), None);
    }
}
