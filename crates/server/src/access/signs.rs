//! Signs that a proxy on this machine hides who connects, and the one warning about it.
//!
//! Behind such a proxy every peer seems to be on this machine, and all doors are open. The server cannot know; but a
//! crowd of RTMP clients from a loopback address, or a forwarding header on a request from there, is seldom anything
//! else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// So many RTMP clients at once from this machine are a crowd.
const CROWD: usize = 16;

/// What has been seen.
#[derive(Debug, Default)]
pub(super) struct Signs {
    told: AtomicBool,
    clients: AtomicUsize,
}

/// An RTMP client from this machine, counted while this lives.
#[derive(Debug)]
pub(crate) struct LocalClient(Arc<Signs>);

impl Signs {
    /// Counts an RTMP client from this machine.
    pub(super) fn count(self: &Arc<Self>) -> LocalClient {
        let clients = self.clients.fetch_add(1, Ordering::Relaxed) + 1;
        if clients >= CROWD {
            self.tell(&format!("{clients} RTMP clients at once come from this machine itself"));
        }
        LocalClient(Arc::clone(self))
    }

    /// A request came from this machine with a header that proxies add.
    pub(super) fn saw_header(&self, header: &str) {
        self.tell(&format!(
            "a request from this machine itself carries the header {header}, as proxies add it"
        ));
    }

    /// Warns, the first time.
    fn tell(&self, sign: &str) {
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "{sign}. If a proxy on this machine hides who connects, strangers may publish and open the console: \
                 set trust_local = false in [access], or let the proxy send a PROXY header ([proxy] trusted). This \
                 is said once"
            );
        }
    }
}

impl Drop for LocalClient {
    fn drop(&mut self) {
        self.0.clients.fetch_sub(1, Ordering::Relaxed);
    }
}
