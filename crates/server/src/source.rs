//! Where a viewer's frames come from: the live log now; files when video on demand joins.
//!
//! Doors ask here and do not know which it is.

use std::time::Duration;

use headwater_hub::{Hub, LagPolicy, Limit, Start, StreamName, Subscriber};

use crate::uptime::Uptime;

/// How viewers are served.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Viewing {
    /// Where a viewer starts.
    pub(crate) start: Start,
    /// What becomes of a slow viewer.
    pub(crate) policy: LagPolicy,
    /// How long a viewer waits for a stream that is not there yet.
    pub(crate) wait: Duration,
}

/// Opens a cursor on the live stream `name`, whether it is there yet or not.
pub(crate) fn open(
    hub: &Hub,
    name: &StreamName,
    viewing: Viewing,
    uptime: Uptime,
) -> Result<Subscriber, Limit> {
    hub.subscribe(name, viewing.start, viewing.policy, uptime.now())
}

/// Whether a viewer that has waited this long for a stream has waited long enough.
pub(crate) fn waited_enough(viewing: Viewing, waited: Duration) -> bool {
    waited >= viewing.wait
}
