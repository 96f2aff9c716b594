//! What an edit list has cut away and decoders still need: pictures from a key frame on to the first that is shown.
//!
//! Where nobody said which pictures are key frames, an edit list keeps all from the track's first one on (`mp4/edits`).
//! When the pictures themselves have said it, what stands before the key frame is left out here.

use crate::index::{Index, Sample};

/// No codec shows a picture before one that is decoded so many earlier.
const REORDERED_MAX: usize = 64;

/// Shortens the lead-ins of a track that were kept whole.
pub(super) fn shorten(index: &mut Index, place: usize) {
    let Some(indexed) = index.tracks.get_mut(place).filter(|indexed| indexed.leads_in_whole) else { return };
    indexed.leads_in_whole = false;
    let numbered = index.samples.iter().enumerate();
    let own: Vec<(usize, &Sample)> =
        numbered.filter(|(_, sample)| usize::from(sample.track) == place).collect();
    let mut left_out: Vec<usize> = Vec::new();
    let mut behind = own.as_slice();
    for run in own.chunk_by(|(_, before), (_, next)| before.decode_only == next.decode_only) {
        behind = behind.get(run.len()..).unwrap_or_default();
        let unneeded = unneeded(run, behind);
        left_out.extend(run.iter().take(unneeded).map(|(number, _)| *number));
    }
    let mut numbers = 0..;
    index.samples.retain(|_| numbers.next().is_none_or(|number| left_out.binary_search(&number).is_err()));
}

/// How many samples, one after the other and all of them shown or none, are not needed by what is behind them.
fn unneeded(run: &[(usize, &Sample)], behind: &[(usize, &Sample)]) -> usize {
    let (Some((_, last)), Some((_, begins))) = (run.last(), behind.first()) else { return 0 };
    // Pictures that others refer to and that an edit ends before come later than those.
    let is_lead_in = last.decode_only && last.pts <= begins.dts;
    if !is_lead_in {
        return 0;
    }
    // Those that an open group leads in with need the group before.
    let mut next = behind.iter().take(REORDERED_MAX).filter(|(_, sample)| !sample.decode_only);
    let leads_in_nothing = begins.key && next.all(|(_, sample)| sample.pts >= begins.pts);
    let key = run.iter().rposition(|(_, sample)| sample.key).unwrap_or(0);
    if leads_in_nothing { run.len() } else { key }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::IndexedTrack;
    use crate::{Codec, Orientation, SampleEntry, Timestamp, Track, TrackId};

    /// A track of samples with these times in ticks of a millisecond: decoding, showing (nothing if it is only decoded)
    /// and whether it is a key frame. Which of them are left comes back.
    fn left(samples: &[(i64, Option<i64>, bool)]) -> Vec<u64> {
        let mut index = Index::default();
        index.tracks.push(IndexedTrack {
            track: Track::new(TrackId::VIDEO, Codec::H264, bytes::Bytes::new()),
            entry: SampleEntry::NONE,
            number: 1,
            orientation: Orientation::UPRIGHT,
            timescale: 1000,
            end: Timestamp::from_ms(1000),
            renews_gradually: false,
            leads_in_whole: true,
            last_lasts: Timestamp::from_ms(40),
            language: None,
        });
        for (number, (dts, pts, key)) in samples.iter().enumerate() {
            index.samples.push(Sample {
                offset: number as u64,
                dts: Timestamp::from_ms(*dts),
                pts: Timestamp::from_ms(pts.unwrap_or(*dts)),
                size: 1,
                track: 0,
                key: *key,
                decode_only: pts.is_none(),
                needs_repair: false,
            });
        }
        shorten(&mut index, 0);
        assert!(!index.tracks[0].leads_in_whole);
        index.samples.iter().map(|sample| sample.offset).collect()
    }

    #[test]
    fn a_lead_in_begins_with_the_last_key_frame() {
        let lead = |keys: &[i64]| (0..6).map(|at| (at - 6, None, keys.contains(&at))).collect::<Vec<_>>();
        let shown = [(0, Some(0), false), (40, Some(40), false)];
        assert_eq!(left(&[&lead(&[0, 4])[..], &shown].concat()), [4, 5, 6, 7]);
        assert_eq!(left(&[&lead(&[0])[..], &shown].concat()), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(left(&[&lead(&[])[..], &shown].concat()), [0, 1, 2, 3, 4, 5, 6, 7], "who knows");
        let key = [(0, Some(0), true), (40, Some(40), false)];
        assert_eq!(left(&[&lead(&[0, 4])[..], &key].concat()), [6, 7]);
        // A picture behind it is shown before it.
        let open = [(0, Some(80), true), (40, Some(40), false)];
        assert_eq!(left(&[&lead(&[0, 4])[..], &open].concat()), [4, 5, 6, 7]);
    }

    #[test]
    fn each_edit_has_its_own_and_what_others_refer_to_stays() {
        let samples = [
            (-2, None, true),
            (-1, None, true),
            (0, Some(0), false),
            (40, Some(40), false),
            (78, None, true),
            (79, None, true),
            (80, Some(80), false),
        ];
        assert_eq!(left(&samples[..3]), [1, 2]);
        assert_eq!(left(&samples), [1, 2, 3, 5, 6]);
        // It is decoded before a picture that refers to it, and an edit ends before it would be shown.
        let mut referred = samples[..3].to_vec();
        referred.extend([(100, None, true), (80, Some(60), false)]);
        assert_eq!(left(&referred), [1, 2, 3, 4]);
        assert_eq!(left(&[]), [0; 0]);
        assert_eq!(left(&samples[..2]), [0, 1], "nothing is shown");
    }
}
