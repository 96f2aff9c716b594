//! HLS: playlists written, and a film cut into segments (RFC 8216, and its successor draft-pantos-hls-rfc8216bis).
//!
//! [`Presentation`] says where a film is cut and makes initialisation segments and the heads of segments from the
//! [`Index`](crate::index::Index) alone; the payloads stay in the film's file. [`MediaPlaylist`] and
//! [`MasterPlaylist`] know nothing of films: what they hold, they write.
//!
//! Every track is a rendition of its own (CMAF, one track per file): a player that changes the language or the
//! picture's size loads nothing twice, and a segment needs no interleaving. hls.js, FFmpeg, mpv and
//! VLC take it; Safari was not tried.

mod announced;
mod date_range;
mod master;
mod playlist;
mod presentation;
mod quoted;
mod segment_starts;
mod segmented_track;

pub use announced::Announced;
pub use date_range::DateRange;
pub use master::{IFrameVariant, MasterPlaylist, Rendition, RenditionKind, Variant};
pub use playlist::{ByteRange, LowLatency, MediaPlaylist, Part, PlaylistType, RenditionReport, Segment};
pub use presentation::{Presentation, SEGMENT_TARGET};
pub use segment_starts::SEGMENT_MAX;
pub use segmented_track::{KEY_FRAMES_APART, MediaSegment, SegmentedTrack};
