//! Broadcasts as fragments, made once whoever reads them, and kept: the newest in memory.
//!
//! # For those who build on it
//!
//! A [`PartMaker`] turns the frames of one broadcast into [`Part`]s: fragments (`moof` + `mdat`) of one track each, about
//! a third of a second long. It has no clock, no task and no I/O. A [`Window`] keeps the newest parts of a broadcast
//! and is shared by whoever reads; [`Archive::broadcast`] leads from a stream's name to it.
//!
//! - A *rendition* is a track, by its [`TrackId`](headwater_media::TrackId). What describes it is an [`Init`], numbered
//!   from 1 on; another configuration is another number, behind a discontinuity. Script data is a rendition of kind
//!   `Data`, which only readers of frames look at.
//! - A *segment* has the same number and beginning in all renditions. No segment is longer than [`TARGET_DURATION`]
//!   (rounded, as HLS counts). A rendition may have nothing in one. Numbers only grow, also from one broadcast of a name
//!   to the next.
//! - A *part* is found by rendition, segment and number there ([`Window::part`]), or by its ordinal, its place among all
//!   parts of the broadcast ([`Window::lookup`]).
//!
//! **A playlist** is written from [`Window::outline`]: segments with their parts, what is complete, discontinuities,
//! `PART-TARGET`. [`Window::reached`] waits for a part or a segment (blocking reload). Times on the wall are
//! [`Window::began`] plus media time plus [`Segment::behind`]. Durations that a playlist tells are from one segment's `at` to the next (`until`),
//! so that their sum has no drift.
//!
//! Moments that publishers mark are [`Window::cue_points`].
//!
//! **A server of bytes** sends [`Window::init`]'s bytes, or [`Kept::data`] of a part, or of all parts of
//! [`Window::segment`] one after the other.
//!
//! **A viewer** is a [`BroadcastCursor`]. **Another cursor of frames** begins at [`Window::entry`], reads parts by ordinal with [`Window::lookup`], takes their frames
//! with [`Part::frames`] and puts them in the order of the hub's log by their sequence numbers: frames below
//! [`Part::complete_to`] of the part read last are all there. [`Window::setup`] says what a decoder must know. The next
//! frame behind the newest part is in the hub's log (`Start::Sequence`), so that a cursor joins the log without a gap or
//! a repeat. [`Window::growth`] wakes it.
//!
//! **Recordings** are the same parts in a file ([`Recorder`]), by the policies of [`Recordings`]. What was written may leave
//! a window's memory and is then read from the file ([`Data::File`]).

mod archive;
mod clip;
mod config;
mod cue_point;
mod cursor;
mod disk_use;
mod lock;
mod numbers;
mod part;
mod parts;
mod recording;
mod recordings;
mod spool;
mod utc;
mod window;

pub use archive::{Archive, ArchiveConfig};
pub use clip::{CLIP_BYTES_MAX, clip};
pub use config::Config;
pub use cue_point::CuePoint;
pub use cursor::{BroadcastCursor, Moment};
pub use lock::DirectoryLock;
pub use part::{Init, Part, PartSample};
pub use parts::{Made, PartMaker, PartsConfig, TARGET_DURATION};
pub use recording::{
    AppConfig, Happened, Outcome, Record, RecordFormat, Recorder, RecordingsConfig, Removed, Repaired,
    Written, remove_emptied, repair_all, retain,
};
pub use recordings::{Progress, RECORDINGS_APP, Recordings};
pub use spool::Spool;
pub use window::{Data, Entry, Growth, InAll, Kept, Lookup, Outline, Reach, Segment, Window, WindowConfig};
