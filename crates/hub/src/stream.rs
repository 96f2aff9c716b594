//! One named live stream: at most one publisher, any number of cursors, and a life across reconnects.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use headwater_media::flv::{named_kinds, parse_on_metadata};
use headwater_media::{Frame, MediaKind};
use parking_lot::Mutex;
use tokio::sync::broadcast::Sender;

use crate::announce::{Announcement, Announcer, Change, EndReason};
use crate::batch::Batch;
use crate::health::{Ailment, Health};
use crate::left_out::{self, LeftOut};
use crate::log::{Log, LogConfig};
use crate::name::StreamName;
use crate::presence::Presence;
use crate::setup::PartContent;
use crate::snapshot::{PublisherInfo, Snapshot, State};
use crate::timeline::{RepairedTimestamps, Timeline};
use crate::wake::{Audiences, Lane};

/// Frames that one read returns, at most.
const BATCH_FRAMES_MAX: usize = 256;
/// Payload bytes that one read returns, at most (one larger frame comes alone).
const BATCH_BYTES_MAX: usize = 512 << 10;

/// Streams made so far.
static STREAMS: AtomicU64 = AtomicU64::new(0);

#[derive(Debug)]
pub(crate) struct Stream {
    /// Unique in the life of the program.
    pub(crate) number: u64,
    pub(crate) name: StreamName,
    pub(crate) inner: Mutex<Inner>,
    pub(crate) audiences: Audiences,
    pub(crate) viewers: AtomicUsize,
    pub(crate) readers: AtomicUsize,
    pub(crate) frames_skipped: AtomicU64,
    pub(crate) frames_lost: AtomicU64,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) log: Log,
    pub(crate) state: State,
    timeline: Timeline,
    publisher: Option<Seated>,
    publishers_seen: u64,
    began: Duration,
    /// When the first sweep found that its publisher had left: who goes knows no time.
    left: Option<Duration>,
    bytes_in: u64,
    frames_in: u64,
    messages_left_out: u64,
    rate: Rate,
    announcer: Announcer,
    /// Whether it has been announced that viewers wait.
    is_wanted: bool,
}

#[derive(Debug)]
struct Seated {
    number: u64,
    info: PublisherInfo,
    last_heard: Duration,
    presence: Presence,
    /// Whether its first keyframe has come.
    decodable: bool,
    health: Health,
    left_out: Vec<LeftOut>,
}

impl Stream {
    pub(crate) fn new(
        name: StreamName,
        config: LogConfig,
        lanes: &Arc<[Lane]>,
        announcements: &Sender<Announcement>,
        now: Duration,
    ) -> Self {
        let number = STREAMS.fetch_add(1, Ordering::Relaxed);
        let inner = Inner {
            log: Log::new(config),
            state: State::Waiting,
            timeline: Timeline::default(),
            publisher: None,
            publishers_seen: 0,
            began: now,
            left: None,
            bytes_in: 0,
            frames_in: 0,
            messages_left_out: 0,
            rate: Rate::default(),
            announcer: Announcer::new(announcements, name.clone(), number),
            is_wanted: false,
        };
        Self {
            number,
            name,
            inner: Mutex::new(inner),
            audiences: Audiences::new(lanes),
            viewers: AtomicUsize::new(0),
            readers: AtomicUsize::new(0),
            frames_skipped: AtomicU64::new(0),
            frames_lost: AtomicU64::new(0),
        }
    }

    /// Seats a publisher and returns the number that it is known by from here on. `silence_max`: how long
    /// the present one may have been silent and still keeps its seat; `None` = it always keeps it. On
    /// refusal returns how long it has been silent.
    pub(crate) fn seat(
        &self,
        info: PublisherInfo,
        silence_max: Option<Duration>,
        now: Duration,
    ) -> Result<u64, Duration> {
        let mut inner = self.inner.lock();
        if let Some(present) = &inner.publisher {
            let silence = now.saturating_sub(present.last_heard);
            if silence_max.is_none_or(|max| silence < max) {
                return Err(silence);
            }
        }
        let change = if inner.state == State::Waiting {
            inner.began = now;
            Change::Began(info.clone())
        } else {
            Change::PublisherCame(info.clone())
        };
        inner.publishers_seen += 1;
        let number = inner.publishers_seen;
        inner.publisher = Some(Seated {
            number,
            info,
            last_heard: now,
            presence: Presence::new(number > 1),
            decodable: false,
            health: Health::default(),
            left_out: Vec::new(),
        });
        inner.state = State::Live;
        inner.timeline.restart();
        inner.is_wanted = false;
        inner.announcer.announce(change);
        Ok(number)
    }

    /// From the next frame on, `content` holds, if the publisher `number` has the seat.
    pub(crate) fn set(&self, number: u64, content: PartContent) {
        let mut inner = self.inner.lock();
        let Some(present) = inner.seated(number) else { return };
        let (is_told, named) = match &content {
            PartContent::Track(track) => (present.presence.announce(track), None),
            PartContent::Metadata(values) if present.presence.awaits_tracks() => {
                let about = parse_on_metadata(values).unwrap_or_default();
                (true, Some(named_kinds(&about)))
            }
            PartContent::Metadata(_) => (true, None),
        };
        let is_awaited = named.is_some_and(|kinds| inner.log.set_awaited(kinds));
        if (is_told && inner.log.set(content)) || is_awaited {
            inner.announce_setup();
        }
    }

    /// Appends a frame of the publisher `number`, if it has the seat, and rings.
    pub(crate) fn push(&self, number: u64, mut frame: Frame, now: Duration) {
        let mut inner = self.inner.lock();
        let Some(present) = inner.seated(number) else { return };
        present.last_heard = now;
        if !present.admits(&frame) {
            return present.health.is_undecodable(now);
        }
        present.health.hear(&frame, now);
        inner.bytes_in += frame.payload.len() as u64;
        inner.frames_in += 1;
        inner.timeline.place(&mut frame, now);
        inner.look_at_tracks(&frame);
        inner.log.push(frame);
        drop(inner);
        self.audiences.ring();
    }

    /// The publisher `number` goes. Returns whether it had the seat: then the stream is paused.
    pub(crate) fn leave(&self, number: u64) -> bool {
        let mut inner = self.inner.lock();
        if inner.seated(number).is_none() {
            return false;
        }
        inner.publisher = None;
        inner.left = None;
        inner.state = State::Paused;
        inner.announcer.announce(Change::PublisherLeft);
        if self.viewers.load(Ordering::Acquire) > 0 {
            inner.want();
        }
        true
    }

    /// Whether the stream is paused because the publisher `number` has left, and nobody has come since.
    pub(crate) fn waits_for(&self, number: u64) -> bool {
        let inner = self.inner.lock();
        inner.state == State::Paused && inner.publishers_seen == number
    }

    /// Whether the publisher `number` has the seat; after the end nobody has.
    pub(crate) fn has_seated(&self, number: u64) -> bool {
        self.inner.lock().seated(number).is_some()
    }

    pub(crate) fn count_repaired(&self, repaired: RepairedTimestamps) {
        let mut inner = self.inner.lock();
        inner.timeline.count(repaired);
        if let Some(present) = inner.publisher.as_mut().filter(|_| repaired.jumps > 0) {
            present.health.clock_restarted(present.last_heard);
        }
    }

    pub(crate) fn leave_out(&self, number: u64, reason: &str, messages: u64) {
        let mut inner = self.inner.lock();
        let Some(present) = inner.seated(number) else { return };
        left_out::add(&mut present.left_out, reason, messages);
        inner.messages_left_out += messages;
    }

    pub(crate) fn takes_again(&self, number: u64, reason: &str) {
        if let Some(present) = self.inner.lock().seated(number) {
            present.left_out.retain(|known| known.reason != reason);
        }
    }

    /// Ends the broadcast when its publisher has been away for longer than `window`, counted from the first sweep
    /// after it left, and the wait for one when nobody waits. Returns whether the stream has ended.
    pub(crate) fn sweep(&self, window: Duration, now: Duration) -> bool {
        let mut inner = self.inner.lock();
        let bytes_in = inner.bytes_in;
        inner.rate.tick(bytes_in, now);
        let is_unwanted = inner.is_wanted && self.viewers.load(Ordering::Acquire) == 0;
        let is_over = match inner.state {
            State::Live => false,
            State::Waiting => is_unwanted,
            State::Paused => now.saturating_sub(*inner.left.get_or_insert(now)) >= window,
            State::Ended => true,
        };
        if is_unwanted && !is_over {
            inner.is_wanted = false;
            inner.announcer.announce(Change::Unwanted);
        }
        drop(inner);
        if is_over {
            self.end(EndReason::PublisherGone);
        }
        is_over
    }

    /// Ends the broadcast, or the wait for it. Nothing is appended from here on.
    pub(crate) fn end(&self, reason: EndReason) {
        let mut inner = self.inner.lock();
        let change = match inner.state {
            State::Ended => return,
            State::Waiting => Change::Unwanted,
            State::Live | State::Paused => Change::Ended(reason),
        };
        inner.state = State::Ended;
        inner.is_wanted = false;
        inner.publisher = None;
        inner.announcer.announce(change);
        drop(inner);
        self.audiences.ring();
    }

    pub(crate) fn state(&self) -> State {
        self.inner.lock().state
    }

    /// Fills `batch` with the frames from `sequence` on, unless it holds just these already: cursors side
    /// by side share it.
    pub(crate) fn fill(&self, inner: &Inner, sequence: u64, batch: &mut Batch) {
        let log = &inner.log;
        if !batch.is_current(self.number, sequence, log.head()) {
            log.read(sequence, BATCH_FRAMES_MAX, BATCH_BYTES_MAX, batch);
            batch.filled_from(self.number, log.head());
        }
        batch.look_behind(log.head(), inner.state != State::Ended);
    }

    pub(crate) fn snapshot(&self, now: Duration) -> Snapshot {
        let inner = self.inner.lock();
        let waiting = inner.state == State::Waiting;
        Snapshot {
            name: self.name.clone(),
            broadcast: self.number,
            announced: inner.announcer.announced(),
            state: inner.state,
            is_wanted: inner.is_wanted,
            uptime: if waiting { Duration::ZERO } else { now.saturating_sub(inner.began) },
            viewers: self.viewers.load(Ordering::Relaxed),
            bytes_in: inner.bytes_in,
            frames_in: inner.frames_in,
            bitrate_bps: inner.rate.bits_per_second,
            readers: self.readers.load(Ordering::Relaxed),
            frames_skipped: self.frames_skipped.load(Ordering::Relaxed),
            frames_lost: self.frames_lost.load(Ordering::Relaxed),
            newest: inner.log.newest_time(),
            log_bytes: inner.log.bytes(),
            setup: Arc::clone(inner.log.setup()),
            repaired: inner.timeline.repaired(),
            messages_left_out: inner.messages_left_out,
            left_out: inner.publisher.as_ref().map_or_else(Vec::new, |present| present.left_out.clone()),
            health: inner.publisher.as_ref().map_or_else(Vec::new, |present| present.ailments(now)),
            publisher: inner.publisher.as_ref().map(|present| present.info.clone()),
        }
    }
}

impl Inner {
    /// A viewer is there: if it is the first to wait, that is announced.
    pub(crate) fn want(&mut self) {
        if matches!(self.state, State::Waiting | State::Paused) && !self.is_wanted {
            self.is_wanted = true;
            self.announcer.announce(Change::Wanted);
        }
    }

    fn announce_setup(&mut self) {
        let setup = Arc::clone(self.log.setup());
        self.announcer.announce(Change::SetupChanged(setup));
    }

    fn seated(&mut self, number: u64) -> Option<&mut Seated> {
        self.publisher.as_mut().filter(|present| present.number == number)
    }

    /// Before a frame of the publisher is appended: tracks that have fallen silent go, and one that was silent and
    /// comes back is told of again.
    fn look_at_tracks(&mut self, frame: &Frame) {
        let Self { publisher: Some(present), log, .. } = self else { return };
        let is_back = present.presence.hear(frame).is_some_and(|track| log.set(PartContent::Track(track)));
        let changed = present.presence.look();
        let is_gone = changed.gone && log.forget_tracks(|id| present.presence.is_there(id));
        let is_given_up = changed.given_up && log.set_awaited(Vec::new());
        if is_back || is_gone || is_given_up {
            self.announce_setup();
        }
    }
}

impl Seated {
    fn ailments(&self, now: Duration) -> Vec<Ailment> {
        self.health.ailments(self.presence.silent(), now)
    }

    fn admits(&mut self, frame: &Frame) -> bool {
        self.decodable |= frame.is_video_key();
        self.decodable || frame.track.kind != MediaKind::Video
    }
}

/// Bits per second, smoothed over the sweeps.
#[derive(Debug, Default)]
struct Rate {
    bits_per_second: u64,
    bytes_then: u64,
    then: Duration,
}

impl Rate {
    fn tick(&mut self, bytes: u64, now: Duration) {
        let elapsed = now.saturating_sub(self.then).as_millis();
        if elapsed < 900 {
            return;
        }
        let bits = u128::from(bytes.saturating_sub(self.bytes_then)) * 8_000 / elapsed;
        let bits = u64::try_from(bits).unwrap_or(u64::MAX);
        let first = self.bits_per_second == 0;
        self.bits_per_second = if first { bits } else { (self.bits_per_second.saturating_mul(2) + bits) / 3 };
        self.bytes_then = bytes;
        self.then = now;
    }
}
