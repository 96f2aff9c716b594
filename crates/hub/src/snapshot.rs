//! What operators are told of a stream: where it stands, who publishes, and its figures at one moment.

use std::sync::Arc;
use std::time::Duration;

use headwater_media::Timestamp;

use crate::health::Ailment;
use crate::left_out::LeftOut;
use crate::name::StreamName;
use crate::setup::DecoderSetup;
use crate::timeline::RepairedTimestamps;

/// Where a stream stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody has published yet; viewers wait.
    Waiting,
    /// A publisher is there.
    Live,
    /// The publisher left; viewers stay until the reconnect window has passed.
    Paused,
    /// The broadcast is over; viewers get what is left of the log and then its end.
    Ended,
}

/// Who publishes, for operators and for logs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublisherInfo {
    /// Address of the peer.
    pub address: String,
    /// What the peer calls itself (`flashVer`, user agent).
    pub agent: String,
    /// The door it came through, in lower case.
    pub protocol: &'static str,
}

/// A stream in figures, at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Its name.
    pub name: StreamName,
    /// Number of the broadcast, unique in the life of the program.
    pub broadcast: u64,
    /// How many announcements had been made of this broadcast; later ones bear higher numbers.
    pub announced: u64,
    /// Where it stands.
    pub state: State,
    /// Whether viewers wait and nobody publishes, as was announced.
    pub is_wanted: bool,
    /// Time since the broadcast began; zero while waiting.
    pub uptime: Duration,
    /// Viewers' cursors that are open.
    pub viewers: usize,
    /// Readers that are open; they are no viewers.
    pub readers: usize,
    /// Payload bytes received in this broadcast.
    pub bytes_in: u64,
    /// Frames received in this broadcast.
    pub frames_in: u64,
    /// Payload bits per second over the last seconds.
    pub bitrate_bps: u64,
    /// Frames that slow viewers were moved past.
    pub frames_skipped: u64,
    /// Frames that readers have lost, in all.
    pub frames_lost: u64,
    /// The time of the newest frame, as cursors tell times; none before the first.
    pub newest: Option<Timestamp>,
    /// Payload bytes in the log.
    pub log_bytes: usize,
    /// What holds for the newest frame.
    pub setup: Arc<DecoderSetup>,
    /// What was repaired in the publishers' timestamps.
    pub repaired: RepairedTimestamps,
    /// Messages in this broadcast that could not be used.
    pub messages_left_out: u64,
    /// What of the present publisher's messages cannot be used, by why.
    pub left_out: Vec<LeftOut>,
    /// What is wrong with what the present publisher sends, the worst first.
    pub health: Vec<Ailment>,
    /// Who publishes.
    pub publisher: Option<PublisherInfo>,
}
