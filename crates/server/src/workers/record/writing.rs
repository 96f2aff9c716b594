//! A broadcast's parts on their way into files: a bounded queue, and a task that writes what is in it on a thread that may
//! wait for the disk. A disk that is too slow loses parts, which is said; nobody waits for it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use headwater_archive::{Archive, Happened, Kept, Recorder, Spool, Written};
use headwater_hub::StreamName;
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
    /// What describes what comes.
    head: Option<Written>,
    /// Whether it is to be written.
    is_wanted: bool,
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
        Self { queue, waiting, task, left_out: 0, head: None, is_wanted, teller }
    }

    /// Another head holds for what comes.
    pub(super) fn head(&mut self, file: u32, bytes: Bytes) {
        let head = Written::Head(file, bytes);
        // Without it nothing that comes can be written.
        if self.left_out == 0 && self.queue.try_send(head.clone()).is_err() {
            self.left_out = 1;
        }
        self.head = Some(head);
    }

    /// Takes a part, unless too much waits. After such a gap the recording goes on in another file, from a key frame on.
    pub(super) fn part(&mut self, kept: &Arc<Kept>) {
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
        if self.queue.try_send(if wanted { Written::Begin } else { Written::End }).is_err() {
            self.left_out = self.left_out.max(1);
        }
    }

    fn go_on(&mut self) {
        let begins = self.is_wanted.then_some(Written::Begin);
        let orders = [Some(Written::End), self.head.clone(), begins];
        // There is room for hundreds.
        orders.into_iter().flatten().for_each(|order| drop(self.queue.try_send(order)));
        self.teller.tell(Happened::Lost(std::mem::take(&mut self.left_out)));
    }

    /// Everything that waits is written, and the file completed.
    pub(super) async fn end(self) {
        drop(self.queue);
        // A panic of the task was told where it happened.
        let _ = self.task.await;
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
        let Ok((back, (happened, failed))) = done.await else { return };
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
                self.metrics.recording_failed();
                Event::RecordingFailed { stream, file: named(&path), text }
            }
            Happened::OutOfRoom { free, .. } => {
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

    fn close(&mut self, bytes: u64) {
        self.growing = None;
        self.archive.recordings().set_file(&self.stream, None);
        self.metrics.recorded(bytes);
    }
}
