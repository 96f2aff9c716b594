//! Live streams in memory. A stream is a log, a viewer is a cursor.
//!
//! A [`Publisher`] appends frames to its stream's log. A [`Subscriber`] holds a position in that log
//! and nothing else: a live stream has no queue per viewer, so a slow viewer costs a number, not memory. Late
//! join, the GOP cache, skipping and lag are arithmetic on the cursor. A [`Reader`] is the cursor of a
//! worker: never moved on, and told what it has lost. [`Announcements`] tell workers what becomes of streams.
//!
//! Who plays, plays a [`Cursor`], of which the subscriber is one: [`Playback`] adds what a player can ask of it.
//!
//! The hub knows no protocol, opens no socket, starts no task and reads no clock: `now` is an argument
//! (time since the program's start, monotonic). Whoever drives it calls [`Hub::sweep`] about once a
//! second and runs one task per [`Lane`].

mod announce;
mod awaited;
mod batch;
mod cursor;
mod departures;
mod groups;
mod health;
mod hub;
mod left_out;
mod log;
mod name;
mod playback;
mod position;
mod presence;
mod publisher;
mod reader;
mod setup;
mod snapshot;
mod stream;
mod subscriber;
mod timeline;
mod wake;

pub use announce::{Announcement, Announcements, Change, EndReason, Heard};
pub use awaited::Awaited;
pub use batch::Batch;
pub use cursor::{Cursor, End, Fill, Next, Range};
pub use groups::Group;
pub use health::Ailment;
pub use hub::{Hub, HubConfig, Limit, PublishError, ReaderError, Takeover};
pub use left_out::LeftOut;
pub use log::LogConfig;
pub use name::{InvalidName, StreamName};
pub use playback::{News, Playback, SeekError};
pub use position::Start;
pub use presence::SILENT_AFTER;
pub use publisher::Publisher;
pub use reader::{Loss, Reader, Reading};
pub use setup::{DecoderSetup, Part, PartContent};
pub use snapshot::{PublisherInfo, Snapshot, State};
pub use subscriber::{Shortfall, Subscriber};
pub use timeline::RepairedTimestamps;
pub use wake::{Bell, Lane, OneWatcher, Watch, Watcher};
