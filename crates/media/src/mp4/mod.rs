//! MP4: files in, fragments out.
//!
//! Reading: a [`Scan`] says which bytes of the file it wants, the caller reads them, and at the end there
//! is an [`Index`](crate::index::Index) of all access units in decoding order; `mdat` is never read for it. Ordinary files
//! (`moov` anywhere), fragmented ones and F4V are the same to it. Writing: [`Muxer`] makes
//! an initialisation segment and fragments of all its tracks, [`TrackFragments`] fragments of one track each; [`growing`] puts
//! fragments into a file that can be completed.
//!
//! The boxes are read by hand and leniently: one odd track or box must not cost the others.

pub(crate) mod boxes;
mod builder;
mod continuation;
mod description;
mod edits;
mod entry;
mod event_message;
mod fragments;
pub mod growing;
mod headers;
mod init;
pub(crate) mod movie;
mod movie_track;
mod mux;
mod output_track;
mod parsed_track;
mod sample_budget;
mod sample_table_reader;
mod sample_table_writer;
mod scan;
mod text;
mod track_builder;
mod track_fragments;
mod webvtt;

pub use boxes::{BoxHeader, FourCc};
pub use builder::{MAX_MOOV_LEN, MAX_TRACKS};
pub use event_message::{SCRIPT_SCHEME, SCRIPT_TIMESCALE, script_message};
pub use mux::Muxer;
pub(crate) use output_track::FragmentSample;
pub use output_track::VIDEO_TIMESCALE;
pub use scan::Scan;
pub use track_fragments::{Placed, Sample, TrackFragments};
