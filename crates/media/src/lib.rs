//! What media bytes mean: frames, tracks, codecs, AMF, FLV, MP4 and HLS.
//!
//! This crate turns bytes into meaning and back. It does no I/O, reads no clock and runs no task:
//! bytes and time are arguments. It depends on no other crate of the house.
//!
//! What is passed on everywhere is the [`Frame`]: one access unit of one track, its payload in the
//! length-prefixed form that FLV and MP4 share, so that RTMP → FLV → MP4 never rewrites it.
//!
//! A file imports only from below: time, errors and what a [`container`] is known by; codecs; track and frame; AMF; FLV tags and MP4 boxes; the
//! [`index`] of a film; its [`first_frames`]; what reads and writes whole films; [`cut`] and [`hls`].

pub mod amf;
mod bits;
mod changes;
pub mod codec;
mod color_info;
pub mod container;
pub mod cut;
mod date_time;
mod error;
pub mod first_frames;
pub mod flv;
mod frame;
pub mod hls;
pub mod index;
pub mod mp4;
mod orientation;
mod parameter_sets;
mod picture_start;
mod piece;
pub mod plain_text;
mod presented;
pub mod regularity;
mod sample_entry;
mod sound_grid;
mod time;
mod track;
pub mod ttml;

pub use color_info::ColorInfo;
pub use date_time::DateTime;
pub use error::Error;
pub use frame::Frame;
pub use orientation::Orientation;
pub use sample_entry::{DescribedTrack, SampleEntry};
pub use time::Timestamp;
pub use track::{Codec, MediaKind, Track, TrackDetails, TrackId};
