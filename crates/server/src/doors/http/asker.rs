//! What a request carries of its connection.

use std::sync::Arc;

use super::config::Config;
use super::sendfile::Ranges;
use super::stall::StallLimit;
use crate::access::Peer;

/// Who asks, and how the answer can be sent: the one extension that a request is given here.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub(super) peer: Peer,
    /// The connection is inside TLS.
    pub(super) is_in_tls: bool,
    /// That of the connection.
    pub(super) config: Arc<Config>,
    /// To be told by whoever answers that a film is sent.
    pub(super) stall_limit: Arc<StallLimit>,
    /// Where the kernel sends files from, if it does so on this connection.
    pub(super) ranges: Option<Arc<Ranges>>,
}

#[cfg(test)]
impl Asker {
    /// Of a connection as it is configured if nobody says otherwise.
    pub(super) fn of(peer: Peer) -> Self {
        let config = Arc::<Config>::default();
        let stall_limit = Arc::new(StallLimit::of(&config));
        Self { peer, is_in_tls: false, config, stall_limit, ranges: None }
    }
}
