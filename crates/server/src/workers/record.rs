//! Who keeps broadcasts: a reader of each live stream, which makes parts of its frames and fills its window.
//!
//! It holds nobody up: a reader only reads what the log holds. What the log has let go of before it came is lost, and
//! that is said. Where the app's policy has it recorded, the same parts go on to files (`writing`).

pub(crate) mod upkeep;
mod writing;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use headwater_archive::{Archive, Made, PartMaker, Window, Written};
use headwater_hub::{Awaited, Batch, Change, Heard, Hub, Reader, Reading, Start, State, StreamName};
use headwater_media::flv::LeftOut;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::writing::{Teller, Writing};
use crate::events::{Event, Events};
use crate::metrics::Metrics;
use crate::stop::Stop;
use crate::uptime::Uptime;

/// How often windows are looked for whose time is over.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// What keeping broadcasts takes.
#[derive(Clone, Debug)]
pub(crate) struct Keeper {
    pub(crate) hub: Arc<Hub>,
    pub(crate) archive: Arc<Archive>,
    pub(crate) uptime: Uptime,
    pub(crate) events: Arc<Events>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Keeper {
    /// Keeps every broadcast until the program stops, and the last of them to their ends.
    pub(crate) async fn run(self, mut stop: Stop) {
        let mut announcements = self.hub.announcements();
        let mut kept = JoinSet::new();
        let mut numbers = HashMap::new();
        let mut sweeps = tokio::time::interval(SWEEP_EVERY);
        sweeps.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        self.take_up(&mut kept, &mut numbers);
        loop {
            tokio::select! {
                heard = announcements.next() => match heard {
                    Some(Heard::Announcement(told)) => {
                        if let Change::Began(_) = told.change {
                            self.keep(&told.name, &mut kept, &mut numbers);
                        }
                    }
                    Some(Heard::Missed(_)) => self.take_up(&mut kept, &mut numbers),
                    None => break,
                },
                Some(done) = kept.join_next_with_id() => {
                    let id = done.map_or_else(|error| error.id(), |(id, ())| id);
                    numbers.retain(|_, task| *task != id);
                }
                () = stop.requested() => break,
                _ = sweeps.tick() => self.archive.sweep(self.uptime.now()),
            }
        }
        // The hub ends them.
        while kept.join_next().await.is_some() {}
    }

    /// Keeps all broadcasts that are not kept yet.
    fn take_up(&self, kept: &mut JoinSet<()>, numbers: &mut HashMap<u64, tokio::task::Id>) {
        for stream in self.hub.list(self.uptime.now()) {
            if stream.state != State::Waiting {
                self.keep(&stream.name, kept, numbers);
            }
        }
    }

    fn keep(&self, name: &StreamName, kept: &mut JoinSet<()>, numbers: &mut HashMap<u64, tokio::task::Id>) {
        let reader = match self.hub.reader(name, Start::OldestKeyframe) {
            Ok(reader) => reader,
            // It has ended meanwhile.
            Err(headwater_hub::ReaderError::NoStream(_)) => return,
            Err(error) => {
                return self
                    .events
                    .emit(Event::NotKept { stream: name.to_string(), text: error.to_string() });
            }
        };
        let broadcast = reader.broadcast();
        numbers
            .entry(broadcast)
            .or_insert_with(|| kept.spawn(Broadcast::new(self.clone(), reader.into_awaited()).keep()).id());
    }
}

/// One broadcast that is kept.
struct Broadcast {
    keeper: Keeper,
    reader: Awaited<Reader>,
    /// From the first frame on.
    kept: Option<(Arc<Window>, PartMaker)>,
    /// Where it may be recorded.
    writing: Option<Writing>,
    wishes: watch::Receiver<u64>,
    /// What was asked for last.
    wish: Option<bool>,
    /// What has been told of what has no place in MP4.
    told: LeftOut,
}

impl Broadcast {
    fn new(keeper: Keeper, reader: Awaited<Reader>) -> Self {
        let wishes = keeper.archive.recordings().wishes();
        Self { keeper, reader, kept: None, writing: None, wishes, wish: None, told: LeftOut::default() }
    }

    /// Reads until the broadcast is over.
    async fn keep(mut self) {
        let mut batch = Batch::default();
        loop {
            let deadline = self.kept.as_ref().and_then(|(_, maker)| maker.deadline());
            let wait = deadline.map(|deadline| deadline.saturating_sub(self.keeper.uptime.now()));
            let reading = tokio::select! {
                reading = self.reader.next(&mut batch) => reading,
                () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {
                    self.put(|maker, now| maker.due(now));
                    continue;
                }
                () = async {
                    match &mut self.writing {
                        Some(writing) => writing.deliver().await,
                        None => std::future::pending().await,
                    }
                } => continue,
                Ok(()) = self.wishes.changed() => {
                    self.take_wish();
                    continue;
                }
            };
            match reading {
                Reading::Frames => self.take(&batch),
                Reading::Lost(loss) => self.lose(&loss),
                Reading::Ended => break,
            }
        }
        self.put(|maker, _| maker.finish());
        if let Some((window, _)) = &self.kept {
            self.keeper.archive.end(window, self.keeper.uptime.now());
        }
        self.keeper.archive.recordings().forget(self.reader.reader().name());
        if let Some(writing) = self.writing.take() {
            writing.end().await;
        }
    }

    fn take(&mut self, batch: &Batch) {
        if self.kept.is_none() {
            self.begin(batch);
            self.take_said_before(batch);
        }
        self.put(|maker, now| maker.put(batch, now));
        self.tell_left_out();
    }

    /// The first frames are there.
    fn begin(&mut self, batch: &Batch) {
        let (reader, archive) = (self.reader.reader(), &self.keeper.archive);
        // The newest frame came just now.
        let newest = batch.frames.iter().map(|frame| frame.dts.as_nanos()).max().unwrap_or(0);
        let since = Duration::from_nanos(u64::try_from(newest).unwrap_or(0));
        let clock = SystemTime::now().checked_sub(since).unwrap_or(SystemTime::UNIX_EPOCH);
        self.kept = Some(archive.begin(reader.name(), reader.broadcast(), clock));
        self.wish = archive.recordings().wish(reader.name());
        let recorder = archive.recordings().recorder(reader.name(), clock);
        let window = self.kept.as_ref().map(|(window, _)| window);
        let recorder = recorder.zip(window).map(|(recorder, window)| recorder.numbered_by(window));
        let spool = self.kept.as_ref().and_then(|(window, _)| archive.spool(window));
        self.writing = (recorder.is_some() || spool.is_some()).then(|| {
            let teller = Teller {
                stream: reader.name().clone(),
                archive: Arc::clone(archive),
                events: Arc::clone(&self.keeper.events),
                metrics: Arc::clone(&self.keeper.metrics),
                growing: None,
            };
            Writing::begin(recorder, spool, teller)
        });
    }

    /// What was said before the first frame belongs to the broadcast too.
    fn take_said_before(&mut self, first: &Batch) {
        let mut said = Batch::default();
        for (sequence, frame) in self.reader.reader().said_before(first.first) {
            said.refill(sequence, &first.setup, [frame]);
            self.put(|maker, now| maker.put(&said, now));
        }
    }

    /// Puts what the maker makes where it is kept.
    fn put(&mut self, make: impl FnOnce(&mut PartMaker, Duration) -> Vec<Made>) {
        let Some((window, maker)) = &mut self.kept else { return };
        let made = make(maker, self.keeper.uptime.now());
        let Some(writing) = &mut self.writing else { return drop(window.take(made)) };
        // Tracks go between the parts before them and those behind them.
        for written in Written::through(window, made) {
            match written {
                Written::Tracks(tracks) => writing.tracks(tracks),
                Written::Part(kept) => writing.part(&kept),
                Written::Begin | Written::End | Written::Gap => {}
            }
        }
    }

    /// Somebody has asked for something, perhaps of this stream.
    fn take_wish(&mut self) {
        let wish = self.keeper.archive.recordings().wish(self.reader.reader().name());
        if let (Some(wanted), Some(writing)) = (wish.filter(|_| wish != self.wish), &mut self.writing) {
            writing.wish(wanted);
        }
        self.wish = wish;
    }

    fn lose(&mut self, loss: &headwater_hub::Loss) {
        self.put(|maker, _| maker.lost());
        self.keeper.metrics.lost_to_window(loss.frames());
        self.keeper.events.emit(Event::WindowGap {
            stream: self.reader.reader().name().to_string(),
            frames: loss.frames(),
            duration_ms: loss.duration.as_ms(),
        });
    }

    /// Tells each reason once, when it is new.
    fn tell_left_out(&mut self) {
        let Some((_, maker)) = &self.kept else { return };
        let left_out = maker.left_out();
        if left_out.total() == self.told.total() {
            return;
        }
        for (reason, _) in left_out.reasons().skip(self.told.reasons().len()) {
            let stream = self.reader.reader().name().to_string();
            self.keeper.events.emit(Event::NotKept { stream, text: reason.to_owned() });
        }
        self.told = left_out.clone();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use headwater_archive::ArchiveConfig;
    use headwater_hub::{HubConfig, PublisherInfo};
    use headwater_media::{Codec, Frame, Timestamp, Track, TrackId};

    use super::*;

    fn sound(ms: i64) -> Frame {
        let at = Timestamp::from_ms(ms);
        Frame {
            track: TrackId::AUDIO,
            codec: Codec::Aac,
            dts: at,
            pts: at,
            key: true,
            payload: vec![7; 20].into(),
        }
    }

    #[tokio::test]
    async fn every_broadcast_is_kept_from_its_first_frame_to_its_end() {
        let hub = Arc::new(Hub::new(HubConfig::default()));
        let archive =
            Arc::new(Archive::new(ArchiveConfig::default(), headwater_archive::Recordings::default(), None));
        let metrics = Arc::new(Metrics::default());
        let events = Arc::new(Events::new(Arc::clone(&metrics)));
        let uptime = Uptime::start();
        let name = StreamName::parse("live/a").unwrap();
        let publish = || hub.publish(&name, PublisherInfo::default(), uptime.now()).unwrap();
        // One that was there before its keeper.
        let mut publisher = publish();
        publisher.set_track(Track::new(TrackId::AUDIO, Codec::Aac, Bytes::from_static(&[0x12, 0x10])));
        publisher.push(sound(0), uptime.now());
        let keeper = Keeper { hub: Arc::clone(&hub), archive: Arc::clone(&archive), uptime, events, metrics };
        let mut tasks = JoinSet::new();
        let (_stopper, stop) = crate::stop::pair();
        tasks.spawn(keeper.run(stop));
        let (lanes, gathering) = (
            hub.lanes(),
            crate::live::Setting::new(crate::fanout::Gathering { min: Duration::ZERO, max: Duration::ZERO }),
        );
        tasks.spawn(crate::fanout::drive(lanes, 0, gathering.live()));
        for number in 1..200 {
            publisher.push(sound(number * 1024 * 10 / 441), uptime.now());
        }
        let window = loop {
            match archive.broadcast(&name) {
                Some(window) => break window,
                None => tokio::task::yield_now().await,
            }
        };
        let mut growth = window.growth();
        growth.wait_for(|growth| growth.parts >= 14).await.unwrap();
        assert_eq!(window.range().from, Timestamp::ZERO);
        drop(publisher);
        hub.stop(&name);
        growth.wait_for(|growth| growth.is_ended).await.unwrap();
        let outline = window.outline(TrackId::AUDIO).unwrap();
        let frames: usize =
            outline.segments.iter().flat_map(|it| it.parts.iter()).map(|it| it.part().samples.len()).sum();
        assert_eq!((frames, outline.segments.len()), (200, 3));

        let mut publisher = publish();
        publisher.set_track(Track::new(TrackId::AUDIO, Codec::Aac, Bytes::from_static(&[0x12, 0x10])));
        publisher.push(sound(0), uptime.now());
        while archive.broadcast(&name).is_none_or(|other| other.broadcast() == window.broadcast()) {
            tokio::task::yield_now().await;
        }
        let next = archive.broadcast(&name).unwrap();
        // A single frame waits until the next is overdue, and no longer.
        assert!(next.growth().wait_for(|growth| growth.parts == 1).await.is_ok());
        let first = next.outline(TrackId::AUDIO).unwrap().segments[0].number;
        assert!(first > outline.segments[2].number, "a number was given again");
    }
}
