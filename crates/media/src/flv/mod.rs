//! FLV: tag bodies (shared with RTMP), what a publisher sends made regular, files in and out.
//!
//! A tag body is byte for byte the payload of an RTMP message of type 8, 9 or 18, so [`tag`] and
//! [`Normalizer`] serve both.

mod contents;
pub mod demux;
mod dialect;
pub(crate) mod film;
pub mod growing;
mod head;
mod indexer;
mod intake;
mod keyframe_gate;
mod metadata;
mod mux;
pub(crate) mod normalizer;
pub(crate) mod repair;
#[cfg(test)]
mod round_trip;
pub mod tag;
mod timeline;
#[cfg(test)]
mod wire_vectors;

pub use contents::Contents;
pub use demux::{Demuxer, Tag, TagReader};
pub use dialect::{CodecSet, Dialect, Numbering, TrackChoice, UnacceptedCodec};
pub use head::{AnnouncedTracks, TagHead, config_bodies, frame_head};
pub use indexer::Indexer;
pub use intake::{Intake, LeftOut};
pub use keyframe_gate::KeyframeGate;
pub use metadata::{
    film_metadata, is_on_metadata, keyframe_index, live_metadata, named_kinds, on_metadata, parse_on_metadata,
};
pub use mux::{
    FILE_HEADER_LEN, Muxer, TAG_HEAD_LEN, TagKind, file_header, parse_tag_head, previous_tag_size, tag_head,
};
pub use normalizer::{MediaItem, MediaItems, Normalizer, Patience, Repaired};
pub use tag::{CodedFrame, TagBody, TagParts, decode_audio, decode_video};
