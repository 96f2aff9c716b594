//! A message stream that plays, and what its player does with it.

use std::collections::VecDeque;
use std::sync::Arc;

use headwater_hub::{SeekError, Watch};
use headwater_media::Timestamp;
use headwater_rtmp::MessageStreamId;
use headwater_rtmp::session::{PauseRequest, Pending, ReceiveRequest, SeekRejection, SeekRequest};

use super::conversation::Conversation;
use super::end::sentence;
use super::queued::{Queued, player_time};
use crate::fanout::Viewer;
use crate::metrics::Viewing;

/// A message stream that plays.
pub(super) struct PlayingStream {
    pub(super) stream: MessageStreamId,
    pub(super) name: String,
    pub(super) viewer: Arc<Viewer>,
    /// What follows when it is over.
    pub(super) playlist: VecDeque<Queued>,
    pub(super) watch: Watch,
    pub(super) _counted: Viewing,
}

impl PlayingStream {
    /// A paused player gets nothing more before it is told so, and is told that it goes on before it gets more.
    pub(super) fn pause(&self, conversation: &mut Conversation, request: Pending<PauseRequest>) {
        conversation.change(&self.viewer, |playing, session| {
            match request.pause {
                true => playing.playback.pause(),
                false => playing.playback.resume(player_time(request.position_ms)),
            }
            request.accept(session);
        });
    }

    /// Nothing of the new place comes before the player has been told of it.
    pub(super) fn seek(&self, conversation: &mut Conversation, request: Pending<SeekRequest>) {
        conversation.change(&self.viewer, |playing, session| {
            match playing.playback.seek(Timestamp::from_ms(request.position_ms)) {
                Ok(()) => request.accept(session),
                Err(error @ SeekError::NotSeekable) => {
                    request.reject(session, SeekRejection::Failed, sentence(&error));
                }
                Err(SeekError::BeyondEnd) => {
                    let text = format!("The film is shorter than {} ms.", request.position_ms);
                    request.reject(session, SeekRejection::InvalidTime, text);
                }
            }
        });
    }

    pub(super) fn receive(&self, conversation: &mut Conversation, request: Pending<ReceiveRequest>) {
        conversation.change(&self.viewer, |playing, session| {
            playing.receive(request.kind, request.on);
            request.accept(session, playing.sent_ms());
        });
    }
}
