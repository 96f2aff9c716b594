//! How much of a window a playlist tells of, and which part of a query the addresses in playlists bear.

use headwater_archive::{Outline, TARGET_DURATION};
use headwater_media::Timestamp;

use crate::doors::http::query::Query;

/// The live edge is so long at least. No playlist may be shorter than three target durations (RFC 8216, 6.2.2), and
/// `HOLD-BACK` is as long: with one more, what players start with stays listed while they load it.
const EDGE: Timestamp = Timestamp::from_ms(4 * 1000 * TARGET_DURATION.as_secs() as i64);
/// And has so many segments, also where they are long.
const EDGE_SEGMENTS_MIN: usize = 6;

/// What a key is handed on to: fragments are the same in both forms, and caches hold them once.
pub(super) const TO_FRAGMENTS: &[&str] = &["key"];
/// What else the addresses of media playlists bear in one another's reports.
pub(super) const TO_REPORTS: &[&str] = &["key", "dvr"];
/// And in the master playlist. A viewer's own name goes no further, so that all get the same media playlist.
pub(super) const TO_PLAYLISTS: &[&str] = &["viewer", "key", "dvr"];

/// How much of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Extent {
    /// All of it: viewers can go back.
    Window,
    /// The newest segments, as of a stream that cannot be rewound.
    Edge,
}

impl Extent {
    /// Reads it from a query: `dvr=0` is the edge alone.
    ///
    /// # Errors
    /// A sentence says what it can be.
    pub(super) fn read(query: Query<'_>) -> Result<Self, &'static str> {
        match query.value("dvr") {
            None | Some("1") => Ok(Self::Window),
            Some("0") => Ok(Self::Edge),
            Some(_) => Err("dvr is 0 (the live edge alone) or 1 (the whole window, as without it)\n"),
        }
    }

    /// Leaves out what is not told of. What is left out once never comes back: durations of complete segments are final.
    pub(super) fn cut(self, outline: &mut Outline) {
        if self == Self::Window {
            return;
        }
        let segments = &outline.segments;
        let open = segments.iter().position(|held| !held.is_complete && !outline.is_ended);
        let complete = segments.get(..open.unwrap_or(segments.len())).unwrap_or_default();
        let mut length = Timestamp::ZERO;
        let newest = complete.iter().rev().take_while(|held| {
            let is_within = length < EDGE;
            let gap = held.until.filter(|_| held.parts.is_empty()).map(|until| until - held.at);
            length = length + gap.unwrap_or_else(|| held.duration());
            is_within
        });
        let gone = complete.len().saturating_sub(newest.count().max(EDGE_SEGMENTS_MIN));
        let breaks = complete.iter().take(gone).filter(|held| held.discontinuity).count() as u64;
        outline.discontinuity_sequence += breaks;
        outline.segments.drain(..gone);
    }
}

/// The pairs of a query with these names, with its `?`: of each the first, which is the one that counts, and of `dvr` only
/// what changes something.
pub(super) fn handed_on(query: Query<'_>, names: &[&str]) -> String {
    let pairs: Vec<String> = names
        .iter()
        .filter_map(|name| Some((name, query.value(name)?)))
        .filter(|(name, value)| **name != "dvr" || *value == "0")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_everywhere_and_the_rest_to_playlists() {
        let query = Query::new("viewer=v&_HLS_msn=7&key=k&x=y&dvr=0");
        assert_eq!(handed_on(query, TO_FRAGMENTS), "?key=k");
        assert_eq!(handed_on(query, TO_REPORTS), "?key=k&dvr=0");
        assert_eq!(handed_on(query, TO_PLAYLISTS), "?viewer=v&key=k&dvr=0");
        assert_eq!(handed_on(Query::new("_HLS_msn=7&dvr=1"), TO_PLAYLISTS), "");
        // Who asks in an odd way is answered with what all get.
        assert_eq!(handed_on(Query::new("dvr=1&dvr=0&dvr=0&key=k&key=l"), TO_REPORTS), "?key=k");
    }

    #[test]
    fn the_extent_is_read_or_refused() {
        let read = |query| Extent::read(Query::new(query));
        for window in ["", "dvr", "dvr=1", "key=dvr=0"] {
            assert_eq!(read(window), Ok(Extent::Window), "{window}");
        }
        assert_eq!(read("key=k&dvr=0"), Ok(Extent::Edge));
        for wrong in ["dvr=", "dvr=2", "dvr=no", "dvr=00"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
