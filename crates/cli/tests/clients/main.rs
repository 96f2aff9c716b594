//! Real clients against the real binary: what Debian's players and publishers send and receive is compared,
//! access unit by access unit. `docs/testing.md` has the table. Without a program, its tests say SKIPPED and
//! pass; with `HEADWATER_CLIENTS=require` they fail.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod archive;
mod archive_changes;
mod archive_long;
mod bench;
mod clips;
mod described;
mod dialogues;
mod doors;
mod enhanced;
mod film_files;
mod films;
mod flash;
mod flv_recordings;
mod flv_tags;
mod harness;
mod hls;
mod http2;
mod left_out;
mod life;
mod live_hls;
mod modern;
mod program;
mod publishers;
mod publishing;
mod receivers;
mod recording;
mod recordings;
mod rewind;
mod script_data;
mod scripted;
mod slow_disk;
mod sources;
mod trace;
mod transports;
mod vod;
