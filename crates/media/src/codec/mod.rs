//! What the configuration records and headers of each codec say.
//!
//! Parsers of records and headers only: nothing here decodes a picture or a sound. Every parser takes
//! bytes of unknown origin and never panics on them.

pub mod aac;
pub mod ac3;
pub mod av1;
pub mod colours;
pub mod flac;
pub mod flash;
pub mod h264;
pub mod h265;
pub mod h266;
pub mod mp3;
pub mod nal;
pub mod nal_search;
pub mod opus;
pub mod sbr;
pub mod vp9;
mod vui;
