//! Hostile and broken peers against the real binary, each beside a healthy stream.
//!
//! Every case holds the same promises (see [`bench::Bench`]): the server lives, its memory stays within a
//! bound, its descriptors come back, a bad peer is closed in time with one log line that names peer,
//! place and reason, and the healthy stream beside it misses no frame. The peers are plain sockets; they
//! share nothing with the server but the chunk encoder.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod bench;
mod capabilities;
mod crowds;
mod greetings;
mod healthy;
mod messages;
mod names;
mod peer;
mod players;
mod publishers;
mod server;
mod web;
