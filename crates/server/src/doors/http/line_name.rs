//! How the addresses of playlists name a rendition and count, of films and of live streams alike.

use std::fmt;
use std::str::FromStr;

use headwater_media::{MediaKind, TrackId};

/// `video-0`, `audio-1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct LineName(pub(super) TrackId);

impl LineName {
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (kind, index) = name.split_once('-')?;
        let kind = match kind {
            "video" => MediaKind::Video,
            "audio" => MediaKind::Audio,
            _ => return None,
        };
        Some(Self(TrackId { kind, index: number(index)? }))
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self.0.kind {
            MediaKind::Audio => "audio/mp4",
            _ => "video/mp4",
        }
    }
}

impl fmt::Display for LineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.0.kind == MediaKind::Audio { "audio" } else { "video" };
        write!(f, "{kind}-{}", self.0.index)
    }
}

/// Digits as this program writes them: one address for one thing.
pub(super) fn number<T: FromStr + ToString>(digits: &str) -> Option<T> {
    let number: T = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}
