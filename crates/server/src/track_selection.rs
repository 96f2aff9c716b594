//! What a viewer asks for in the query of a stream's address, at whichever door it comes in.
//!
//! `video=1` and `audio=2` choose a track by its number, `tracks=all` wants all of them, and `fourcc=off`
//! wants H.265 and AV1 under the numbers 12 and 13, for players from before Enhanced RTMP.

use headwater_media::flv::{Dialect, Numbering, TrackChoice};

/// What a viewer asks for beyond the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct TrackSelection {
    video: Option<u8>,
    audio: Option<u8>,
    all_tracks: bool,
    unofficial: bool,
}

impl TrackSelection {
    /// Reads names and values of a query; what is no wish, or no number, is left to others.
    pub(crate) fn read<'a>(query: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut selection = Self::default();
        for (key, value) in query {
            match (key, value) {
                ("video", number) => selection.video = number.parse().ok(),
                ("audio", number) => selection.audio = number.parse().ok(),
                ("tracks", "all") => selection.all_tracks = true,
                ("fourcc", "off") => selection.unofficial = true,
                _ => {}
            }
        }
        selection
    }

    /// The dialect of a viewer that takes `offered` and has these selection.
    pub(crate) fn apply(self, offered: Dialect) -> Dialect {
        let chooses = self.video.is_some() || self.audio.is_some();
        let one = TrackChoice::One { video: self.video.unwrap_or(0), audio: self.audio.unwrap_or(0) };
        Dialect {
            tracks: match (chooses, self.all_tracks) {
                (true, _) => one,
                (false, true) => TrackChoice::All,
                (false, false) => offered.tracks,
            },
            numbering: if self.unofficial { Numbering::Unofficial } else { offered.numbering },
            ..offered
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect(query: &[(&str, &str)], offered: Dialect) -> Dialect {
        TrackSelection::read(query.iter().copied()).apply(offered)
    }

    #[test]
    fn without_wishes_a_viewer_gets_what_it_takes() {
        assert_eq!(dialect(&[("key", "k"), ("video", "x"), ("tracks", "2")], Dialect::FULL), Dialect::FULL);
        assert_eq!(dialect(&[], Dialect::PLAIN), Dialect::PLAIN);
    }

    #[test]
    fn a_track_can_be_chosen_by_number() {
        let chosen = dialect(&[("audio", "2"), ("tracks", "all")], Dialect::FULL);
        assert_eq!(chosen.tracks, TrackChoice::One { video: 0, audio: 2 });
        assert_eq!(dialect(&[("tracks", "all")], Dialect::PLAIN).tracks, TrackChoice::All);
    }

    #[test]
    fn the_older_numbers_are_for_those_who_ask() {
        assert_eq!(dialect(&[("fourcc", "off")], Dialect::PLAIN).numbering, Numbering::Unofficial);
    }
}
