//! Streams whose publisher has left, those away the longest first: who gives way when there is no room for another.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::stream::Stream;

/// Every publisher that has left and may come back. Who has come back, or is over, is forgotten by the next sweep.
#[derive(Debug, Default)]
pub(crate) struct Departures(Mutex<VecDeque<Departure>>);

/// A publisher that has left its stream. The stream's frames are not kept for this.
#[derive(Debug)]
struct Departure {
    stream: Weak<Stream>,
    publisher: u64,
}

impl Departure {
    /// The stream, if it still waits for this publisher.
    fn waiting(&self) -> Option<Arc<Stream>> {
        self.stream.upgrade().filter(|stream| stream.waits_for(self.publisher))
    }
}

impl Departures {
    /// The publisher of this number has just left.
    pub(crate) fn note(&self, stream: &Arc<Stream>, publisher: u64) {
        self.0.lock().push_back(Departure { stream: Arc::downgrade(stream), publisher });
    }

    /// Takes out the stream that has waited the longest and that nobody watches. Nobody may join one meanwhile.
    pub(crate) fn take_unwatched(&self) -> Option<Arc<Stream>> {
        let mut departures = self.0.lock();
        let mut at = 0;
        while let Some(departure) = departures.get(at) {
            match departure.waiting() {
                Some(stream) if stream.viewers.load(Ordering::Acquire) > 0 => at += 1,
                waiting => {
                    departures.remove(at);
                    if waiting.is_some() {
                        return waiting;
                    }
                }
            }
        }
        None
    }

    /// Forgets who has come back and what is over.
    pub(crate) fn sweep(&self) {
        self.0.lock().retain(|departure| departure.waiting().is_some());
    }
}
