//! Live streams in memory. A stream is a log, a viewer is a cursor.
//!
//! A [`Publisher`] appends frames to its stream's log. A [`Subscriber`] holds a position in that log
//! and nothing else: there is no queue per viewer, so a slow viewer costs a number, not memory. Late
//! join, the GOP cache, skipping and lag are arithmetic on the cursor.
//!
//! Who plays, plays a [`Cursor`], of which the subscriber is one: [`Playback`] adds what a player can ask of it.
//!
//! The hub knows no protocol, opens no socket, starts no task and reads no clock: `now` is an argument
//! (time since the program's start, monotonic). Whoever drives it calls [`Hub::sweep`] about once a
//! second and runs one task per [`Lane`].

mod cursor;
mod hub;
mod log;
mod name;
mod playback;
mod stream;
mod subscriber;
mod timeline;
mod wake;

pub use cursor::{Cursor, End, Fill, Range, Watch};
pub use hub::{Hub, HubConfig, Limit, PublishError, Takeover};
pub use log::{Batch, DecoderSetup, LogConfig, Part, PartContent};
pub use name::{InvalidName, StreamName};
pub use playback::{News, Playback, SeekError};
pub use stream::{Publisher, PublisherInfo, Snapshot, State};
pub use subscriber::{Awaited, LagPolicy, Next, Start, Subscriber};
pub use timeline::RepairedTimestamps;
pub use wake::{Bell, Lane, Watcher};
