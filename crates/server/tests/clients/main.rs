//! Real clients against the real binary: what was published is what every one of them receives.
//!
//! Not judged by exit codes: each recording's access units are compared with the source's, payload by
//! payload and timestamp by timestamp (see [`recording`]). A program that is not installed skips its case
//! with the name of its package; with `HEADWATER_CLIENTS=require` it fails.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod program;
mod publishers;
mod recording;
mod server;
mod source;
mod streams;
mod viewers;
