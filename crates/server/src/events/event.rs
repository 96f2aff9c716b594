//! What can happen: plain data, the same for the log, the metrics and whoever listens.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::path::PathBuf;

use headwater_media::flv::Repaired;
use serde::{Serialize, Serializer};

/// Something that happened. Streams are named `<app>/<name>`; `door` is the protocol, `reason` a word from a small
/// set, as in the metric `headwater_refused`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// A publisher has taken its seat. `agent` is what it calls itself.
    PublishBegan { door: &'static str, peer: SocketAddr, stream: String, agent: String },
    /// A publisher has left. `unusable` counts the messages that were left out, `repaired` those that were repaired.
    PublishEnded {
        door: &'static str,
        peer: SocketAddr,
        stream: String,
        unusable: u64,
        #[serde(serialize_with = "counts")]
        repaired: Repaired,
    },
    /// The first message of a publisher that cannot be used for this reason; `timestamp` is RTMP's, in milliseconds.
    MessageLeftOut { door: &'static str, peer: SocketAddr, stream: String, timestamp: u32, text: String },
    /// A viewer is served.
    PlayBegan { door: &'static str, peer: SocketAddr, stream: String, agent: String },
    /// A viewer goes on with the next stream of its playlist.
    PlayMovedOn { door: &'static str, peer: SocketAddr, stream: String },
    /// A stream of a playlist cannot be played.
    PlayLeftOut { door: &'static str, peer: SocketAddr, text: String },
    /// A viewer has left. `skipped` counts the frames that it was moved past because it was too slow.
    PlayEnded { door: &'static str, peer: SocketAddr, stream: String, skipped: u64 },
    /// A viewer vanished, or said what it may not.
    PlayBroke { door: &'static str, peer: SocketAddr, stream: String, text: String },
    /// A connection was ended from here; `place` is where in the conversation it stood.
    LetGo { door: &'static str, reason: &'static str, peer: SocketAddr, place: String, text: String },
    /// A connection was ended before its door had it. `listener` is `rtmp`, `rtmps` and so on.
    NotAdmitted { listener: &'static str, reason: &'static str, peer: SocketAddr, text: String },
    /// A listener takes nobody more in, for its `connections_max` or the `open_files` of the process: `count` connections were closed since this was last told, the
    /// latest that of `peer`. Told at most once in a second; the metric counts each of them when it happens.
    ListenerFull { listener: &'static str, reason: &'static str, peer: SocketAddr, count: u64 },
    /// A request was refused, and its client told why.
    RequestRefused { door: &'static str, reason: &'static str, text: String },
    /// Something of a live stream is not kept in its window, and so cannot be rewound to or had over HLS.
    NotKept { stream: String, text: String },
    /// Older parts of a stream's window cannot be written to the disk: it is as long as memory allows.
    WindowInMemory { stream: String, text: String },
    /// The server was too busy to keep all of a live stream: its window has a gap.
    WindowGap { stream: String, frames: u64, duration_ms: i64 },
    /// A file of a recording has begun; `file` is its path below the directory of recordings.
    RecordingBegan { stream: String, file: String },
    /// A file of a recording is complete: a film like any other.
    RecordingEnded { stream: String, file: String, bytes: u64, duration_ms: i64 },
    /// A recording cannot be written; the live stream goes on, and so does the recording in another file, later.
    RecordingFailed { stream: String, file: String, text: String },
    /// So little room is left on the disk that a recording stands still until there is more.
    RecordingOutOfRoom { stream: String, free_bytes: u64 },
    /// Parts of a recording are missing: a disk that failed, was full or too slow.
    RecordingGap { stream: String, parts: u64 },
    /// A recording that a crash had left unfinished was completed at the start; a clip or an upload was removed.
    RecordingRepaired { file: String, text: String },
    /// One could not be.
    RecordingLeft { file: String, text: String },
    /// A recording was removed because the app's policy does not keep it.
    RecordingRemoved { file: String, bytes: u64 },
    /// A span of a broadcast was made a film; `file` is its path below the directory of recordings.
    ClipMade { stream: String, file: String, bytes: u64 },
    /// A film has another name.
    FilmRenamed { app: String, name: String, to: String },
    /// An operator has ended a broadcast over HTTP.
    StreamStopped { stream: String },
    /// A film was brought over HTTP and is whole.
    UploadFinished { app: String, name: String, bytes: u64 },
    /// A film was removed over HTTP.
    FilmRemoved { app: String, name: String },
    /// The certificate's files were read again and are used from now on.
    CertificateChanged { file: PathBuf },
    /// The certificate's files have changed and cannot be used.
    CertificateKept { text: String },
    /// The configuration was read again: these keys hold from now on, those from the next start on.
    ConfigurationChanged { changed: Vec<String>, at_restart: Vec<String> },
    /// The configuration cannot be read again; the one in force stays.
    ConfigurationKept { text: String },
    /// The program stops.
    Stopping,
}

impl Event {
    /// The sentence for an operator, beside the event's fields.
    pub(crate) fn sentence(&self) -> Cow<'static, str> {
        let sentence = match self {
            Self::PublishBegan { .. } => "publishing",
            Self::PublishEnded { .. } => "stopped publishing",
            Self::PlayBegan { .. } => "playing",
            Self::PlayMovedOn { .. } => "playing next",
            Self::PlayEnded { .. } => "stopped playing",
            Self::ListenerFull { reason: "open_files", .. } => {
                "closed: the system gives no more open files for connections (ulimit -n, LimitNOFILE)"
            }
            Self::ListenerFull { .. } => "closed: the limit connections_max is reached",
            Self::WindowGap { .. } => "its window has a gap: the server was too busy to keep all",
            Self::RecordingBegan { .. } => "recording",
            Self::RecordingEnded { .. } => "recorded",
            Self::RecordingOutOfRoom { .. } => {
                "the recording stands still: less room is left on the disk than [recordings] free_min_bytes"
            }
            Self::RecordingGap { .. } => "parts of the recording are missing",
            Self::RecordingRemoved { .. } => "removed the recording, which its app's policy does not keep",
            Self::ClipMade { .. } => "made a clip",
            Self::FilmRenamed { .. } => "renamed",
            Self::StreamStopped { .. } => "ended by an operator",
            Self::UploadFinished { .. } => "uploaded",
            Self::FilmRemoved { .. } => "removed",
            Self::CertificateChanged { .. } => "took the new certificate",
            Self::Stopping => "stopping: publishers and viewers are told",
            Self::RecordingFailed { text, .. } => return format!("cannot be recorded: {text}").into(),
            Self::RecordingRepaired { text, .. } | Self::RecordingLeft { text, .. } => {
                return format!("a file was left unfinished: {text}").into();
            }
            Self::WindowInMemory { text, .. } => {
                return format!("its window is in memory alone: {text}").into();
            }
            Self::NotKept { text, .. } => return format!("not kept in its window: {text}").into(),
            Self::MessageLeftOut { text, .. } => return format!("left out: {text}").into(),
            Self::PlayLeftOut { text, .. } => return format!("left out of the playlist: {text}").into(),
            Self::PlayBroke { text, .. } => {
                return format!("stopped watching: {text}").into();
            }
            Self::LetGo { text, .. } | Self::NotAdmitted { text, .. } => {
                return format!("let go: {text}").into();
            }
            Self::RequestRefused { text, .. } => return format!("refused: {text}").into(),
            Self::CertificateKept { text } => {
                return format!("the certificate in force stays: {text}").into();
            }
            Self::ConfigurationChanged { changed, at_restart } => return changes(changed, at_restart).into(),
            Self::ConfigurationKept { text } => {
                return format!("the configuration in force stays: {text}").into();
            }
        };
        sentence.into()
    }

    /// Door (or listener) and reason, if the event is a refusal to be counted as one.
    pub(crate) const fn refusal(&self) -> Option<(&'static str, &'static str)> {
        match *self {
            Self::LetGo { door, reason, .. }
            | Self::RequestRefused { door, reason, .. }
            | Self::NotAdmitted { listener: door, reason, .. } => Some((door, reason)),
            _ => None,
        }
    }
}

fn changes(changed: &[String], at_restart: &[String]) -> String {
    let mut text = match changed {
        [] => {
            "the configuration was read again: nothing has changed that can while the server runs".to_owned()
        }
        keys => format!("the configuration was read again: changed {}", keys.join(", ")),
    };
    if !at_restart.is_empty() {
        text += &format!("; only a restart changes {}", at_restart.join(", "));
    }
    text
}

fn counts<S: Serializer>(repaired: &Repaired, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(repairs(repaired).map(|(name, _, count)| (name, count)))
}

/// What was repaired, in words; nothing where nothing was.
pub(super) fn repaired_in_words(repaired: &Repaired) -> Option<String> {
    let counted = repairs(repaired).into_iter().filter(|(_, _, count)| *count > 0);
    let words: Vec<_> = counted.map(|(_, what, count)| format!("{count} {what}")).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// Every count: its name for programs, what it counts, and how many.
fn repairs(repaired: &Repaired) -> [(&'static str, &'static str, u64); 19] {
    [
        ("empty", "empty messages", repaired.empty),
        ("repeated_configs", "configurations sent again", repaired.repeated_configs),
        ("synthesised_configs", "configurations made of frames", repaired.synthesised_configs),
        ("guessed_configs", "configurations guessed", repaired.guessed_configs),
        ("key_flags", "wrong key frame flags", repaired.key_flags),
        ("annex_b", "messages with start codes", repaired.annex_b),
        ("other_lengths", "messages with other NAL lengths", repaired.other_lengths),
        ("joined_messages", "messages joined to a picture", repaired.joined_messages),
        ("idle_units", "NAL units that say nothing", repaired.idle_units),
        ("adts", "ADTS headers taken off", repaired.adts),
        ("several_frames", "messages with several frames", repaired.several_frames),
        ("padded", "messages with zeros at their end", repaired.padded),
        ("timeless", "messages without a composition time", repaired.timeless),
        ("damaged", "damaged messages", repaired.damaged),
        ("unannounced", "frames before their configuration", repaired.unannounced),
        ("partly_used", "messages used in part", repaired.partly_used),
        ("bad_data", "data messages without a name", repaired.bad_data),
        ("clamped_timestamps", "timestamps moved forward", repaired.clamped_timestamps),
        ("restarted_clocks", "clocks that started over", repaired.restarted_clocks),
    ]
}
