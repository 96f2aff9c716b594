//! In step: viewers that have used up the same layout, and have nothing else to be told, stand at one place. What comes next
//! is the same for all of them but for its times. So the first gets it by way of what it plays, and the others are
//! written to without a look at that: with thousands of them, what is known of each has left the processor's caches by
//! the time when it is written to, and to fetch it costs more than to write.

use std::sync::atomic::{AtomicU64, Ordering};

use headwater_media::Timestamp;

/// Places so far.
static PLACES: AtomicU64 = AtomicU64::new(0);

/// The end of one layout of a batch behind which there was nothing, in one form. Unique in the life of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u64);

impl Place {
    pub(super) fn new() -> Self {
        Self(PLACES.fetch_add(1, Ordering::Relaxed))
    }
}

/// Where one viewer stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// None in the middle of a layout: nobody stands there with it.
    pub(super) place: Option<Place>,
    /// Number of the frame that comes next.
    pub(super) next: u64,
    /// Time of the frame before it.
    pub(super) newest: Timestamp,
    /// Where the viewer's time begins.
    pub(super) origin_ms: i64,
}
