//! What is said on one connection: the session, and the wire that its words go to.

use std::sync::Arc;

use bytes::Buf;
use headwater_rtmp::session::ServerSession;

use super::wire::Wire;

/// A session with its way out.
pub(super) struct Conversation {
    pub(super) session: ServerSession,
    pub(super) wire: Arc<Wire>,
}

impl Conversation {
    /// Passes what the session wants to say to the wire.
    pub(super) fn say(&mut self) {
        let output = self.session.output();
        if !output.is_empty() {
            let bytes = output.copy_to_bytes(output.remaining());
            self.wire.send(bytes);
        }
    }
}
