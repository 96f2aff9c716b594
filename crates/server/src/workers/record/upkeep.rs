//! The upkeep of recordings: what a crash has left is completed at the start; what policies do not keep is removed.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use headwater_archive::{Archive, Outcome, RECORDINGS_APP, Repaired, remove_emptied, repair_all};
use headwater_vod::{Library, blocking};
use tokio::task::JoinError;

use crate::events::{Event, Events};

/// How often recordings are looked at that may have to go.
const RETAIN_EVERY: Duration = Duration::from_secs(60);

/// Completes what was left unfinished, then keeps to the policies until the task is dropped.
pub(crate) async fn run(archive: Arc<Archive>, library: Arc<Library>, events: Arc<Events>) {
    let started = SystemTime::now();
    let (at, told) = (Arc::clone(&archive), Arc::clone(&events));
    let repairs = blocking(move || {
        let recordings = at.recordings();
        repair_all(recordings.root(), started, |repaired| {
            let file = recordings.below(&repaired.path);
            if repaired.outcome == Outcome::Removed {
                remove_emptied(recordings.root(), &file);
            }
            told.emit(tell(file, &repaired));
        });
        Ok::<_, JoinError>(())
    });
    // A panic was told where it happened, and the rest goes on.
    let _ = repairs.await;
    let mut ticks = tokio::time::interval(RETAIN_EVERY);
    loop {
        ticks.tick().await;
        let (archive, watched) = (Arc::clone(&archive), Arc::clone(&library));
        let removed = blocking(move || {
            let is_spared = |name: &str| watched.is_watched(RECORDINGS_APP, name);
            Ok::<_, JoinError>(archive.recordings().retain(SystemTime::now(), is_spared))
        });
        for removed in removed.await.unwrap_or_default() {
            library.forget(RECORDINGS_APP, &removed.name);
            events.emit(Event::RecordingRemoved { file: removed.name, bytes: removed.bytes });
        }
    }
}

fn tell(file: String, repaired: &Repaired) -> Event {
    let text = match &repaired.outcome {
        Outcome::Completed { cut: 0, duration } => {
            format!("completed; it is {duration} long, and nothing of it was lost")
        }
        Outcome::Completed { cut, duration } => {
            format!("completed; it is {duration} long, and the last {cut} bytes were no whole part")
        }
        Outcome::Empty => "removed, for there was nothing in it".to_owned(),
        Outcome::Removed => {
            "removed: it is a part of a clip or an upload that the server did not finish".to_owned()
        }
        Outcome::Failed(why) => {
            return Event::RecordingLeft { file, text: format!("it stays as it is: {why}") };
        }
    };
    Event::RecordingRepaired { file, text }
}
