//! What is said on one connection: the session, and the wire that its words go to.

use std::sync::Arc;

use bytes::Buf;
use headwater_rtmp::session::ServerSession;

use crate::fanout::{Playing, Viewer, Wire};

/// A session with its way out.
pub(super) struct Conversation {
    pub(super) session: ServerSession,
    pub(super) wire: Arc<Wire>,
}

impl Conversation {
    /// Changes what a viewer plays, and says so: nothing more goes out before the player has been told.
    pub(super) fn change<T>(
        &mut self,
        viewer: &Viewer,
        change: impl FnOnce(&mut Playing, &mut ServerSession) -> T,
    ) -> T {
        let changed = viewer.hold(|playing| change(playing, &mut self.session));
        self.say();
        viewer.release();
        changed
    }

    /// Passes what the session wants to say to the wire.
    pub(super) fn say(&mut self) {
        let output = self.session.output();
        if !output.is_empty() {
            let bytes = output.copy_to_bytes(output.remaining());
            self.wire.send(bytes);
        }
    }
}
