//! A passive observer of an RTMP conversation, and how what it sees is shown.
//!
//! An [`Observer`] takes the bytes of both sides and says what they mean ([`Event`]), where they deviate from the rules
//! ([`Rule`]) and how it went ([`Verdict`]). A [`Transcript`] draws what an observer says, as text, as JSON and as a
//! page. Where the bytes come from (a client, a proxy, a recording) and where the lines go is the caller's business: no
//! file, socket or clock is here.
//!
//! ```
//! use headwater_rtmp::capture::Side;
//! use headwater_trace::{Detail, Format, Paint, Transcript};
//!
//! let format = Format::Text { width: 100, paint: Paint { is_on: false } };
//! let mut transcript = Transcript::new(format, Detail::default(), None);
//! let lines = transcript.feed(Side::Client, 0, b"GET / HTTP/1.1\r\n");
//! assert!(lines.contains("HTTP, not RTMP"));
//! let report = transcript.finish();
//! assert!(!report.verdict.is_good(false));
//! ```

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
mod show;
mod step;
mod tag;
mod verdict;

pub use event::{Answered, DecodedMessage, Echo, Event, EventKind, Handshake, Lost};
pub use figures::TrackFigures;
pub use findings::Tally;
pub use headwater_rtmp::rule::{Deviation, Rule, Severity};
pub use observer::{Observer, PARTIAL_BYTES_MAX};
pub use show::{Detail, Format, Paint, Report, Transcript, WIDTH_MIN};
pub use step::{Phase, Step, StepState};
pub use tag::{Packet, Tag};
pub use verdict::{Failure, Outcome, Verdict};
