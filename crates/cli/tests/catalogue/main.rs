//! The catalogue of films against the real binary: pictures compared with what ffmpeg decodes, uploads cut and
//! resumed, names that lead elsewhere. Without ffmpeg, its tests say SKIPPED and pass; with
//! `HEADWATER_CLIENTS=require` they fail.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod films;
mod pictures;
mod server;
mod uploads;
