//! Figures for operators, in the OpenMetrics text format. The hub's counters are read when somebody asks,
//! so counting costs the media nothing.

use std::sync::atomic::{AtomicI64, AtomicU64};

use headwater_hub::Snapshot;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::watched::{Presence, Watched};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Door {
    door: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refusal {
    door: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Way {
    by: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StreamLabel {
    stream: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StreamDoor {
    stream: String,
    door: String,
}

/// What the program counts about itself.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    viewers: Family<Door, Gauge>,
    watched: Watched,
    connections: Family<Door, Counter>,
    http2: Gauge<i64, AtomicI64>,
    refused: Family<Refusal, Counter>,
    file_bytes: Family<Way, Counter>,
    movable: Gauge<i64, AtomicI64>,
    pictures: Family<Outcome, Counter>,
    uploads: Gauge<i64, AtomicI64>,
    uploaded: Counter,
    window_lost: Counter,
    recordings: Gauge<i64, AtomicI64>,
    recorded: Counter,
    recordings_failed: Counter,
    recording_lost: Counter,
}

/// What is read from others when somebody asks for the figures.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Held {
    /// Streams that made room for others.
    pub(crate) gave_way: u64,
    /// Films in memory, and the bytes of their indices.
    pub(crate) films: (usize, usize),
    /// Windows of live streams, and the bytes of them in memory.
    pub(crate) windows: (usize, usize, u64),
    /// Bytes of all recordings, as they were counted last.
    pub(crate) recordings_bytes: u64,
}

/// A viewer with a connection, counted as long as this lives, and for how long.
#[derive(Debug)]
pub(crate) struct Viewing {
    _counted: Guard,
    _there: Presence,
}

/// Something that is counted as long as this lives.
#[derive(Debug)]
pub(crate) struct Guard(Gauge<i64, AtomicI64>);

impl Guard {
    fn new(gauge: Gauge<i64, AtomicI64>) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// Counts a viewer of a door while the guard lives.
    pub(crate) fn viewer(&self, door: &'static str) -> Guard {
        Guard::new(self.viewers.get_or_create(&Door { door }).clone())
    }

    /// Counts a viewer of a stream, and how long it is there, while it lives.
    pub(crate) fn viewing(&self, door: &'static str, stream: &str) -> Viewing {
        Viewing { _counted: self.viewer(door), _there: self.watched.begin(door, stream) }
    }

    /// How long viewers were there.
    pub(crate) const fn watched(&self) -> &Watched {
        &self.watched
    }

    /// Counts a client that comes again elsewhere when it is asked to, while the guard lives.
    pub(crate) fn count_movable(&self) -> Guard {
        Guard::new(self.movable.clone())
    }

    /// How many such clients there are.
    pub(crate) fn movable(&self) -> i64 {
        self.movable.get()
    }

    /// Counts an accepted connection.
    pub(crate) fn connected(&self, door: &'static str) {
        self.connections.get_or_create(&Door { door }).inc();
    }

    /// Counts a connection that speaks HTTP/2 while the guard lives.
    pub(crate) fn http2(&self) -> Guard {
        Guard::new(self.http2.clone())
    }

    /// Counts a peer that was refused or let go, by a reason from a small set.
    pub(crate) fn refused(&self, door: &'static str, reason: &'static str) {
        let label = Refusal { door, reason };
        self.refused.get_or_create(&label).inc();
    }

    /// Bytes of files sent over HTTP: by `kernel` without a copy, or by `copy`.
    pub(crate) fn file_bytes(&self, by: &'static str) -> Counter {
        self.file_bytes.get_or_create(&Way { by }).clone()
    }

    /// Counts a picture of a film that was asked for, by what became of it, from a small set.
    pub(crate) fn picture(&self, outcome: &'static str) {
        self.pictures.get_or_create(&Outcome { outcome }).inc();
    }

    /// Counts a request that brings bytes of a film while the guard lives.
    pub(crate) fn uploading(&self) -> Guard {
        Guard::new(self.uploads.clone())
    }

    /// Counts bytes of films that were brought.
    pub(crate) fn uploaded(&self, bytes: u64) {
        self.uploaded.inc_by(bytes);
    }

    /// Counts frames that a window has lost.
    pub(crate) fn lost_to_window(&self, frames: u64) {
        self.window_lost.inc_by(frames);
    }

    /// Counts a file that is being recorded while the guard lives.
    pub(crate) fn recording(&self) -> Guard {
        Guard::new(self.recordings.clone())
    }

    /// Counts the bytes of a recording that is complete.
    pub(crate) fn recorded(&self, bytes: u64) {
        self.recorded.inc_by(bytes);
    }

    /// Counts a recording that could not go on.
    pub(crate) fn recording_failed(&self) {
        self.recordings_failed.inc();
    }

    /// Counts parts that are missing in recordings.
    pub(crate) fn lost_to_recording(&self, parts: u64) {
        self.recording_lost.inc_by(parts);
    }

    /// Everything as text.
    pub(crate) fn encode(&self, streams: &[Snapshot], held: Held) -> String {
        let mut registry = Registry::with_prefix("headwater");
        registry.register("viewers", "Viewers connected", self.viewers.clone());
        let watched = Family::<Door, Counter<f64, AtomicU64>>::default();
        for (door, time) in self.watched.of_doors() {
            watched.get_or_create(&Door { door }).inc_by(time.as_secs_f64());
        }
        registry.register("watched_seconds", "Time that viewers were there", watched);
        registry.register("connections", "Connections accepted", self.connections.clone());
        registry.register("http2_connections", "Connections that speak HTTP/2", self.http2.clone());
        registry.register("refused", "Peers refused or let go, by reason", self.refused.clone());
        let help = "Bytes of files sent over HTTP, by the kernel or by a copy of them";
        registry.register("file_bytes", help, self.file_bytes.clone());
        let help = "Clients that come again elsewhere when they are asked to";
        registry.register("movable_clients", help, self.movable.clone());
        let help = "Pictures of films asked for, by what became of it";
        registry.register("pictures", help, self.pictures.clone());
        registry.register("uploads", "Requests that bring bytes of a film", self.uploads.clone());
        registry.register("uploaded_bytes", "Bytes of films that were brought", self.uploaded.clone());
        let streams_gave_way = Counter::<u64>::default();
        streams_gave_way.inc_by(held.gave_way);
        let help = "Streams without publisher and viewers that made room for others";
        registry.register("streams_gave_way", help, streams_gave_way);
        let gauge = |value: usize| {
            let gauge = Gauge::<i64, AtomicI64>::default();
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            gauge
        };
        registry.register("films", "Films that are kept open", gauge(held.films.0));
        registry.register("film_index_bytes", "Memory of their indices", gauge(held.films.1));
        self.register_recordings(&mut registry, held.recordings_bytes);
        registry.register("windows", "Windows of live streams", gauge(held.windows.0));
        registry.register("window_bytes", "Memory of them", gauge(held.windows.1));
        let disk = usize::try_from(held.windows.2).unwrap_or(usize::MAX);
        registry.register("window_disk_bytes", "What they have on the disk", gauge(disk));
        registry.register("window_lost_frames", "Frames that windows have lost", self.window_lost.clone());
        let gauges = StreamFigures::default();
        streams.iter().for_each(|stream| gauges.take(stream, &self.watched));
        gauges.register(&mut registry);
        let mut text = String::new();
        // Writing into a string does not fail.
        let _ = encode(&mut text, &registry);
        text
    }
}

impl Metrics {
    fn register_recordings(&self, registry: &mut Registry, bytes: u64) {
        registry.register("recordings", "Files that are being recorded", self.recordings.clone());
        registry.register("recorded_bytes", "Bytes of recordings that are complete", self.recorded.clone());
        let help = "Recordings that could not go on";
        registry.register("recordings_failed", help, self.recordings_failed.clone());
        registry.register("recording_lost_parts", "Parts missing in recordings", self.recording_lost.clone());
        let disk = Gauge::<i64, AtomicI64>::default();
        disk.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        registry.register("recordings_disk_bytes", "Disk that recordings take", disk);
    }
}

/// Per-stream figures, made anew for each answer so that ended streams leave no series behind.
#[derive(Default)]
struct StreamFigures {
    viewers: Family<StreamLabel, Gauge>,
    watched: Family<StreamDoor, Counter<f64, AtomicU64>>,
    bytes_in: Family<StreamLabel, Counter>,
    frames_in: Family<StreamLabel, Counter>,
    frames_skipped: Family<StreamLabel, Counter>,
    timestamps_mended: Family<StreamLabel, Counter>,
    messages_left_out: Family<StreamLabel, Counter>,
    log_bytes: Family<StreamLabel, Gauge>,
}

impl StreamFigures {
    fn take(&self, stream: &Snapshot, watched: &Watched) {
        let path = stream.name.path();
        for (door, time) in watched.of_stream(path) {
            let label = StreamDoor { stream: path.to_owned(), door: door.to_owned() };
            self.watched.get_or_create(&label).inc_by(time.as_secs_f64());
        }
        let label = StreamLabel { stream: stream.name.path().to_owned() };
        let gauge = |family: &Family<StreamLabel, Gauge>, value: usize| {
            family.get_or_create(&label).set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        let counter = |family: &Family<StreamLabel, Counter>, value: u64| {
            family.get_or_create(&label).inc_by(value);
        };
        gauge(&self.viewers, stream.viewers);
        gauge(&self.log_bytes, stream.log_bytes);
        counter(&self.bytes_in, stream.bytes_in);
        counter(&self.frames_in, stream.frames_in);
        counter(&self.frames_skipped, stream.frames_skipped);
        counter(&self.timestamps_mended, stream.repaired.jumps + stream.repaired.clamped);
        counter(&self.messages_left_out, stream.messages_left_out);
    }

    fn register(self, registry: &mut Registry) {
        registry.register("stream_viewers", "Cursors open on the stream", self.viewers);
        registry.register("stream_watched_seconds", "Time that its viewers were there", self.watched);
        registry.register("stream_log_bytes", "Payload bytes in the stream's log", self.log_bytes);
        registry.register("stream_in_bytes", "Payload bytes received", self.bytes_in);
        registry.register("stream_in_frames", "Frames received", self.frames_in);
        registry.register(
            "stream_skipped_frames",
            "Frames that slow viewers were moved past",
            self.frames_skipped,
        );
        registry.register(
            "stream_mended_timestamps",
            "Jumps closed and steps back clamped",
            self.timestamps_mended,
        );
        registry.register(
            "stream_left_out_messages",
            "Messages of publishers that could not be used",
            self.messages_left_out,
        );
    }
}
