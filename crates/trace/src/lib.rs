//! An onlooker at an RTMP conversation, and how what it sees is shown.
//!
//! An [`Observer`] takes the bytes of both sides and says what they mean and where they deviate from the rules. What it
//! says becomes rows ([`show::rows`]), which are drawn as text ([`show::text`]), as a page ([`show::page`]) or as JSON
//! ([`show::json`]). Where the bytes come from (a client, a proxy, a recording) is the caller's business.

mod commands;
mod control;
mod conversation;
mod event;
mod figures;
mod findings;
mod handshake;
mod media;
mod metadata;
mod observer;
mod payload;
mod session;
pub mod show;
mod step;
mod tag;
mod verdict;

pub use event::{Answered, DecodedMessage, Echo, Event, EventKind, Handshake, Lost};
pub use figures::TrackFigures;
pub use findings::Tally;
pub use headwater_rtmp::rule::{Deviation, Rule, Severity};
pub use observer::{Observer, PARTIAL_BYTES_MAX};
pub use step::{Phase, Step, StepState};
pub use tag::{Packet, Tag};
pub use verdict::{Failure, Outcome, Verdict};
