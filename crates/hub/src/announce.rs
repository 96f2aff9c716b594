//! Announcements: what becomes of streams, told to whoever follows them (recorders, relays, callbacks).
//!
//! One bounded channel for the whole hub. To announce never waits: a listener that is too slow loses the
//! oldest, is told how many ([`Heard::Missed`]), and takes up the thread from [`crate::Hub::list`]. Each
//! announcement bears the number of its broadcast and its own number within it, and a snapshot says how
//! many had been made when it was taken, so it is certain which announcements it holds already:
//!
//! - of a broadcast in the list, those numbered up to [`crate::Snapshot::announced`] are old;
//! - a broadcast that the list lacks is over, unless its [`Change::Wanted`] or [`Change::Began`] is
//!   still to come.

use std::sync::Arc;

use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::broadcast::{Receiver, Sender, WeakSender};

use crate::name::StreamName;
use crate::setup::DecoderSetup;
use crate::snapshot::PublisherInfo;

/// Something has become of a stream.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// The stream.
    pub name: StreamName,
    /// Number of the broadcast, unique in the life of the program; also [`crate::Snapshot::broadcast`]. A
    /// name that is published anew after its end is another broadcast.
    pub broadcast: u64,
    /// Number of the announcement within its broadcast: 1, 2, 3 and so on.
    pub number: u64,
    /// What has become of it.
    pub change: Change,
}

/// What has become of a stream.
///
/// In the life of a broadcast `Wanted` comes first, if at all, then `Unwanted` as the last or `Began`; after
/// `Began` any of the others, and `Ended` as the last. `Began` and `Ended` come once. `Wanted` holds until
/// `Unwanted` or until a publisher is there.
#[derive(Clone, Debug)]
pub enum Change {
    /// Nobody publishes the stream and viewers wait for it: it is not there yet, or its publisher is away.
    /// Said once for the first of them.
    Wanted,
    /// No viewer waits any more. Said by the sweep: one that comes back at once has not been away. If the
    /// broadcast never began, it is over with this.
    Unwanted,
    /// The broadcast's first publisher is there.
    Began(PublisherInfo),
    /// Other tracks, decoder configurations or metadata hold from the next frame on.
    SetupChanged(Arc<DecoderSetup>),
    /// The publisher has left; it may come back within the reconnect window.
    PublisherLeft,
    /// A publisher is there again, or another one has taken the seat.
    PublisherCame(PublisherInfo),
    /// The broadcast is over for good.
    Ended(EndReason),
}

/// Why a broadcast is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// Its publisher left and did not come back within the reconnect window.
    PublisherGone,
    /// Its publisher was away, nobody watched, and another stream needed the room ([`crate::HubConfig::streams_max`]).
    GaveWay,
    /// An operator has ended it.
    Stopped,
    /// The program stops.
    Shutdown,
}

/// What a listener hears.
#[derive(Clone, Debug)]
pub enum Heard {
    /// Something has become of a stream.
    Announcement(Announcement),
    /// The listener was too slow and has missed so many: what it knows is to be compared with
    /// [`crate::Hub::list`].
    Missed(u64),
}

/// A listener's place at the hub's announcements; hears what is announced after it was made.
#[derive(Debug)]
pub struct Announcements {
    receiver: Receiver<Announcement>,
}

impl Announcements {
    pub(crate) fn new(sender: &Sender<Announcement>) -> Self {
        Self { receiver: sender.subscribe() }
    }

    /// Waits for the next announcement; `None` when the hub is gone and all has been heard. Cancel safe.
    pub async fn next(&mut self) -> Option<Heard> {
        match self.receiver.recv().await {
            Ok(announcement) => Some(Heard::Announcement(announcement)),
            Err(RecvError::Lagged(count)) => Some(Heard::Missed(count)),
            Err(RecvError::Closed) => None,
        }
    }

    /// The next announcement, if one has been made.
    pub fn try_next(&mut self) -> Option<Heard> {
        match self.receiver.try_recv() {
            Ok(announcement) => Some(Heard::Announcement(announcement)),
            Err(TryRecvError::Lagged(count)) => Some(Heard::Missed(count)),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }
}

/// One stream's voice. It does not keep the channel open: listeners learn that the hub is gone although
/// somebody still holds a stream of it.
#[derive(Debug)]
pub(crate) struct Announcer {
    sender: WeakSender<Announcement>,
    name: StreamName,
    broadcast: u64,
    announced: u64,
}

impl Announcer {
    pub(crate) fn new(sender: &Sender<Announcement>, name: StreamName, broadcast: u64) -> Self {
        Self { sender: sender.downgrade(), name, broadcast, announced: 0 }
    }

    pub(crate) fn announce(&mut self, change: Change) {
        self.announced += 1;
        let Self { name, broadcast, announced, .. } = self;
        let announcement =
            Announcement { name: name.clone(), broadcast: *broadcast, number: *announced, change };
        if let Some(sender) = self.sender.upgrade() {
            // Nobody may be listening.
            let _ = sender.send(announcement);
        }
    }

    /// How many announcements have been made of this broadcast.
    pub(crate) fn announced(&self) -> u64 {
        self.announced
    }
}
