//! A broadcast's parts on their way into files: a bounded queue, and a task that writes what is in it on a thread that may
//! wait for the disk. A disk that is too slow loses parts, which is said; nobody waits for it.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use headwater_archive::{Archive, Happened, Kept, Recorder, Spool, Written};
use headwater_hub::StreamName;
use headwater_media::mp4::TrackFragments;
use headwater_vod::blocking;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};

use crate::events::{Event, Events};
use crate::metrics::{Guard, Metrics};

/// Parts that wait for the disk: two minutes of pictures and sound.
const WAITING_MAX: usize = 1_024;
/// And their bytes: what two seconds of 250 Mbit/s are.
const WAITING_BYTES_MAX: usize = 64 << 20;
/// How long parts of a window alone are gathered before they are written.
const GATHER: Duration = Duration::from_secs(1);
/// Parts that are written at once.
const AT_ONCE_MAX: usize = 64;

/// The way to the files of one broadcast.
pub(super) struct Writing {
    queue: mpsc::Sender<Written>,
    /// Bytes that wait.
    waiting: Arc<AtomicUsize>,
    task: JoinHandle<()>,
    /// Parts that were left out because too many waited.
    left_out: u64,
    /// What comes is of these.
    tracks: Option<Written>,
    /// Whether it is to be written.
    is_wanted: bool,
    /// What was asked for while the queue was full: an end, a beginning, or both in this order.
    pending: VecDeque<Written>,
    teller: Teller,
}

impl Writing {
    /// `recorder` where the broadcast may be recorded, `spool` where older parts of its window leave memory.
    pub(super) fn begin(recorder: Option<Recorder>, spool: Option<Spool>, teller: Teller) -> Self {
        let (queue, parts) = mpsc::channel(WAITING_MAX);
        let waiting = Arc::new(AtomicUsize::new(0));
        let is_wanted = recorder.as_ref().is_some_and(Recorder::is_on);
        let files = Files { recorder, spool };
        let task = tokio::spawn(write(parts, Arc::clone(&waiting), files, teller.clone()));
        let pending = VecDeque::new();
        Self { queue, waiting, task, left_out: 0, tracks: None, is_wanted, pending, teller }
    }

    /// What comes is of these tracks.
    pub(super) fn tracks(&mut self, tracks: Arc<[TrackFragments]>) {
        self.try_deliver();
        let tracks = Written::Tracks(tracks);
        // Without them nothing that comes can be written.
        if self.left_out == 0 && self.queue.try_send(tracks.clone()).is_err() {
            self.left_out = 1;
        }
        self.tracks = Some(tracks);
    }

    /// Takes a part, unless too much waits. After such a gap the recording goes on in another file, from a key frame on.
    pub(super) fn part(&mut self, kept: &Arc<Kept>) {
        if !self.try_deliver() {
            // Nothing goes before what was asked for.
            self.left_out += u64::from(self.is_wanted);
            return;
        }
        let has_room = self.waiting.load(Ordering::Relaxed) < WAITING_BYTES_MAX;
        if !self.is_wanted {
            // For the window alone: what finds no room stays in memory, and goes from there.
            if has_room && self.queue.try_send(Written::Part(Arc::clone(kept))).is_ok() {
                self.waiting.fetch_add(kept.part().len as usize, Ordering::Relaxed);
            }
            return;
        }
        if self.left_out > 0 {
            // Half of the queue is empty again.
            if self.queue.capacity() < WAITING_MAX / 2 || !has_room {
                self.left_out += 1;
                return;
            }
            self.go_on();
        }
        if !has_room || self.queue.try_send(Written::Part(Arc::clone(kept))).is_err() {
            self.left_out = 1;
            return;
        }
        self.waiting.fetch_add(kept.part().len as usize, Ordering::Relaxed);
    }

    /// Somebody wants it to begin, or to end.
    pub(super) fn wish(&mut self, wanted: bool) {
        self.is_wanted = wanted;
        if !wanted {
            // It takes back whatever nobody has heard of yet.
            self.pending.clear();
            self.pending.push_back(Written::End);
        } else if !matches!(self.pending.back(), Some(Written::Begin)) {
            self.pending.push_back(Written::Begin);
        }
        self.try_deliver();
    }

    /// Waits for room for what was asked for, if there was none; for ever if nothing waits.
    pub(super) async fn deliver(&mut self) {
        if self.pending.is_empty() {
            return std::future::pending().await;
        }
        match self.queue.reserve().await {
            Ok(place) => {
                if let Some(order) = self.pending.pop_front() {
                    place.send(order);
                }
            }
            // Nobody writes any more.
            Err(_) => self.pending.clear(),
        }
    }

    /// Whether nothing waits that was asked for.
    fn try_deliver(&mut self) -> bool {
        while let Some(order) = self.pending.front() {
            match self.queue.try_send(order.clone()) {
                Err(mpsc::error::TrySendError::Full(_)) => return false,
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => drop(self.pending.pop_front()),
            }
        }
        true
    }

    fn go_on(&mut self) {
        let orders = [Some(Written::Gap), self.tracks.clone()];
        // There is room for hundreds.
        orders.into_iter().flatten().for_each(|order| drop(self.queue.try_send(order)));
        self.teller.tell(Happened::Lost(std::mem::take(&mut self.left_out)));
    }

    /// Everything that waits is written, and the file completed.
    pub(super) async fn end(mut self) {
        while !self.pending.is_empty() {
            self.deliver().await;
        }
        if self.left_out > 0 {
            self.teller.tell(Happened::Lost(self.left_out));
        }
        drop(self.queue);
        // A panic of the task was told where it happened.
        let _ = self.task.await;
        self.teller.archive.recordings().set_awaits_disk(&self.teller.stream, false);
    }
}

/// What writes a broadcast's parts, on a thread that may wait.
struct Files {
    recorder: Option<Recorder>,
    spool: Option<Spool>,
}

impl Files {
    /// Writes; what has happened comes back, and why the window's disk failed, if it did.
    fn write(&mut self, all: Vec<Written>) -> (Vec<Happened>, Option<String>) {
        let parts: Vec<Arc<Kept>> = all
            .iter()
            .filter_map(|written| match written {
                Written::Part(kept) => Some(Arc::clone(kept)),
                _ => None,
            })
            .collect();
        let happened = self.recorder.as_mut().map(|recorder| recorder.write(all)).unwrap_or_default();
        let Some(spool) = &mut self.spool else { return (happened, None) };
        let failed = parts.iter().find_map(|kept| spool.write(kept).err());
        let text = failed
            .map(|error| format!("older parts stay in memory, in {}: {error}", spool.directory().display()));
        (happened, text)
    }

    fn records(&self) -> bool {
        self.recorder.as_ref().is_some_and(Recorder::is_on)
    }

    /// The broadcast is over.
    fn finish(self) -> Vec<Happened> {
        self.recorder.map(Recorder::finish).unwrap_or_default()
    }
}

async fn write(
    mut parts: mpsc::Receiver<Written>,
    waiting: Arc<AtomicUsize>,
    mut files: Files,
    mut teller: Teller,
) {
    loop {
        let mut all = Vec::with_capacity(AT_ONCE_MAX);
        let is_over = parts.recv_many(&mut all, AT_ONCE_MAX).await == 0;
        if !files.records() {
            // Nobody waits for it: fewer ways to the disk.
            let more = async {
                while all.len() < AT_ONCE_MAX && parts.recv_many(&mut all, AT_ONCE_MAX).await > 0 {}
            };
            let _ = tokio::time::timeout(GATHER, more).await;
        }
        let len = all.iter().map(|written| match written {
            Written::Part(kept) => kept.part().len as usize,
            _ => 0,
        });
        let len: usize = len.sum();
        if is_over {
            let ended = blocking(move || Ok::<_, JoinError>(files.finish())).await;
            ended.unwrap_or_default().into_iter().for_each(|happened| teller.tell(happened));
            return;
        }
        let done = blocking(move || {
            let happened = files.write(all);
            Ok::<_, JoinError>((files, happened))
        });
        let (back, (happened, failed)) = match done.await {
            Ok(done) => done,
            Err(error) => return teller.tell_panic(&error),
        };
        files = back;
        waiting.fetch_sub(len, Ordering::Relaxed);
        happened.into_iter().for_each(|happened| teller.tell(happened));
        if let Some(text) = failed {
            teller.events.emit(Event::WindowInMemory { stream: teller.stream.to_string(), text });
        }
    }
}

/// Tells what happens to the files of one stream.
#[derive(Debug)]
pub(super) struct Teller {
    pub(super) stream: StreamName,
    pub(super) archive: Arc<Archive>,
    pub(super) events: Arc<Events>,
    pub(super) metrics: Arc<Metrics>,
    /// While a file grows.
    pub(super) growing: Option<Guard>,
}

impl Clone for Teller {
    fn clone(&self) -> Self {
        let Self { stream, archive, events, metrics, .. } = self;
        Self {
            stream: stream.clone(),
            archive: Arc::clone(archive),
            events: Arc::clone(events),
            metrics: Arc::clone(metrics),
            growing: None,
        }
    }
}

impl Teller {
    fn tell(&mut self, happened: Happened) {
        let stream = self.stream.to_string();
        let archive = Arc::clone(&self.archive);
        let recordings = archive.recordings();
        let named = |path: &Path| recordings.below(path);
        let event = match happened {
            Happened::Began(path) => {
                self.growing = Some(self.metrics.recording());
                recordings.set_file(&self.stream, Some(&path));
                Event::RecordingBegan { stream, file: named(&path) }
            }
            Happened::Ended { path, bytes, duration } => {
                self.close(bytes);
                Event::RecordingEnded { stream, file: named(&path), bytes, duration_ms: duration.as_ms() }
            }
            Happened::Failed { path, text } => {
                self.close(0);
                recordings.set_awaits_disk(&self.stream, true);
                self.metrics.recording_failed();
                Event::RecordingFailed { stream, file: named(&path), text }
            }
            Happened::OutOfRoom { free, .. } => {
                recordings.set_awaits_disk(&self.stream, true);
                self.metrics.recording_failed();
                Event::RecordingOutOfRoom { stream, free_bytes: free }
            }
            Happened::Lost(parts) => {
                self.metrics.lost_to_recording(parts);
                Event::RecordingGap { stream, parts }
            }
        };
        self.events.emit(event);
    }

    /// Nothing of this broadcast is written any more; the file that grew is completed at the next start.
    fn tell_panic(&mut self, error: &JoinError) {
        let recordings = self.archive.recordings();
        let growing = recordings.growing().into_iter().find(|(stream, _)| *stream == self.stream);
        let path =
            recordings.root().join(growing.map_or_else(|| self.stream.app().to_owned(), |(_, file)| file));
        let text = format!(
            "its writer failed ({error}), nothing more of this broadcast is written; what was written is completed at the next start"
        );
        self.tell(Happened::Failed { path, text });
    }

    fn close(&mut self, bytes: u64) {
        self.growing = None;
        self.archive.recordings().set_file(&self.stream, None);
        self.metrics.recorded(bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use headwater_archive::{AppConfig, ArchiveConfig, Record, Recordings};

    use super::*;

    fn teller() -> Teller {
        let metrics = Arc::new(Metrics::default());
        let app = AppConfig { record: Record::OnDemand, ..AppConfig::default() };
        let apps = BTreeMap::from([("live".to_owned(), app)]);
        let recordings = Recordings::new("/nowhere".into(), Default::default(), apps);
        Teller {
            stream: StreamName::parse("live/a").unwrap(),
            archive: Arc::new(Archive::new(ArchiveConfig::default(), recordings, None)),
            events: Arc::new(Events::new(Arc::clone(&metrics))),
            metrics,
            growing: None,
        }
    }

    /// Whose queue is full, as with a disk that does nothing.
    fn full() -> (Writing, mpsc::Receiver<Written>) {
        let (queue, parts) = mpsc::channel(WAITING_MAX);
        (0..WAITING_MAX).for_each(|_| queue.try_send(Written::Tracks(Arc::default())).unwrap());
        let (waiting, task, pending) = (Arc::default(), tokio::spawn(async {}), VecDeque::new());
        let (is_wanted, teller) = (true, teller());
        (Writing { queue, waiting, task, left_out: 0, tracks: None, is_wanted, pending, teller }, parts)
    }

    #[tokio::test]
    async fn an_end_that_finds_no_room_comes_as_soon_as_there_is_some() {
        let (mut writing, mut parts) = full();
        for wanted in [false, true, false] {
            writing.wish(wanted);
        }
        parts.recv().await.unwrap();
        writing.deliver().await;
        assert!(writing.pending.is_empty());
        let last = (0..WAITING_MAX).map(|_| parts.try_recv().unwrap()).last();
        assert!(matches!(last, Some(Written::End)) && parts.try_recv().is_err(), "{last:?}");

        // And at the end of the broadcast at the latest.
        let (mut writing, mut parts) = full();
        writing.wish(false);
        let end = tokio::spawn(writing.end());
        let mut last = None;
        while let Some(written) = parts.recv().await {
            last = Some(written);
        }
        assert!(matches!(last, Some(Written::End)), "{last:?}");
        end.await.unwrap();
    }

    #[tokio::test]
    async fn a_writer_that_fails_is_told_and_its_file_grows_no_more() {
        let mut teller = teller();
        let mut heard = teller.events.listen();
        let path = Path::new("/nowhere/live/a/x.mp4");
        teller.tell(Happened::Began(path.to_owned()));
        assert_eq!(teller.archive.recordings().growing().len(), 1);
        let error = tokio::spawn(async { panic!("as a fault of ours") }).await.unwrap_err();
        teller.tell_panic(&error);
        assert!(teller.archive.recordings().growing().is_empty() && teller.growing.is_none());
        heard.next().await.unwrap();
        let said = format!("{:?}", heard.next().await);
        assert!(said.contains("RecordingFailed") && said.contains("live/a/x.mp4"), "{said}");
    }
}
