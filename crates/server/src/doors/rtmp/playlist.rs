//! What follows what: playlists, `play2`, and the end of films.

use std::sync::Arc;
use std::time::Duration;

use headwater_hub::{Cursor, End as PlaybackEnd, Playback};
use headwater_media::Timestamp;
use headwater_rtmp::MessageStreamId;
use headwater_rtmp::command::{Play2Request, PlayRequest, PlayStart, Status, Transition, code};
use headwater_rtmp::session::{Following, Pending};

use super::connection::Connection;
use super::end::End;
use super::playing::PlayingStream;
use super::queued::{Queued, from, player_time};
use crate::events::Event;
use crate::fanout::Viewer;

/// What waits for its turn on one stream, at most.
const PLAYLIST_MAX: usize = 64;
/// Streams whose buffer lengths are remembered, at most.
const BUFFERS_MAX: usize = 32;

impl Connection {
    /// A player wants more behind what it plays.
    pub(super) fn play_later(&mut self, request: &PlayRequest) -> Result<(), End> {
        self.queue(request.stream, Queued::new(request))
    }

    /// A player wants something else in place of what it plays, or behind it.
    pub(super) async fn play2(&mut self, pending: Pending<Play2Request>) -> Result<(), End> {
        let request = pending.clone();
        let stream = request.play.stream;
        pending.accept(&mut self.conversation.session);
        self.conversation.say();
        let is_current = |playing: &PlayingStream| {
            request.old_name.is_empty() || playing.name.ends_with(&request.old_name)
        };
        match request.transition {
            Transition::Append | Transition::AppendAndWait => self.play_later(&request.play),
            Transition::Stop => {
                let Some(playing) = self.playing_mut(stream) else { return Ok(()) };
                playing.playlist.clear();
                playing.viewer.with(Playback::end_here);
                self.conversation.wire.bell.notify_one();
                Ok(())
            }
            Transition::Swap if !self.playing_mut(stream).is_some_and(|playing| is_current(playing)) => {
                let Some(playing) = self.playing_mut(stream) else { return Ok(()) };
                let mut queued = playing.playlist.iter_mut();
                if let Some(old) = queued.find(|queued| queued.path.name == request.old_name) {
                    *old = Queued::new(&request.play);
                }
                Ok(())
            }
            Transition::Swap | Transition::Resume => {
                let start = request.offset_ms.map_or(request.play.start, |ms| PlayStart::Recorded { ms });
                let next = Queued { from: from(start), ..Queued::new(&request.play) };
                self.take_over(stream, next);
                Ok(())
            }
            _ => self.switch(&request).await,
        }
    }

    /// Another rate of the same film: opened now, it takes over at its next key frame.
    async fn switch(&mut self, request: &Play2Request) -> Result<(), End> {
        let stream = request.play.stream;
        if self.playing(stream).is_none() {
            return Ok(());
        }
        let opened = self.open(&request.play.path, from(PlayStart::LiveOrRecorded)).await;
        match opened.map_err(|(_, text)| text).and_then(|opened| self.change_over(request, opened)) {
            Ok(opened) => {
                let following = Following::Transition;
                let next = Queued { following, opened: Some(opened), ..Queued::new(&request.play) };
                self.put_first(stream, next);
            }
            Err(text) => {
                self.conversation.session.send_status(stream, &Status::warning(code::PLAY_FAILED, text));
            }
        }
        self.conversation.say();
        Ok(())
    }

    /// What plays ends where `next` takes over; that is where `next` stands then. Or why it cannot.
    fn change_over(
        &self,
        request: &Play2Request,
        (name, mut next): (String, Box<dyn Cursor>),
    ) -> Result<(String, Box<dyn Cursor>), String> {
        let cannot = || "Only from one film to another can be switched.".to_owned();
        let playing = self.playing(request.play.stream).ok_or_else(cannot)?;
        playing.viewer.with(|playback| {
            if playback.duration().is_none() || next.length().is_none() {
                return Err(cannot());
            }
            let at = playback.position().max(request.offset_ms.map_or(Timestamp::ZERO, player_time));
            let none = || format!("{name} has no key frame behind this place.");
            let start = next.next_start(at).ok_or_else(none)?;
            next.seek(start);
            next.rest();
            playback.play_until(start);
            Ok(())
        })?;
        Ok((name, next))
    }

    /// What plays ends here, and this follows.
    fn take_over(&mut self, stream: MessageStreamId, next: Queued) {
        self.put_first(stream, next);
        if let Some(playing) = self.playing(stream) {
            playing.viewer.with(Playback::end_here);
            self.conversation.wire.bell.notify_one();
        }
    }

    /// In front of the playlist; of two that want to take over, the later one does.
    fn put_first(&mut self, stream: MessageStreamId, next: Queued) {
        let Some(playing) = self.playing_mut(stream) else { return };
        playing.playlist.retain(|queued| queued.following != Following::Transition);
        playing.playlist.truncate(PLAYLIST_MAX - 1);
        playing.playlist.push_front(next);
    }

    fn queue(&mut self, stream: MessageStreamId, next: Queued) -> Result<(), End> {
        let Some(playing) = self.playing_mut(stream) else { return Ok(()) };
        if playing.playlist.len() >= PLAYLIST_MAX {
            let text = format!("its playlist is longer than {PLAYLIST_MAX}");
            return Err(End::LetGo("limit", text));
        }
        playing.playlist.push_back(next);
        // What plays may be over already.
        self.conversation.wire.bell.notify_one();
        Ok(())
    }

    /// What a stream played is over: the next of its playlist begins, or the player is told that this was all. `end`
    /// is why, if it has not been told yet.
    pub(super) async fn play_on(
        &mut self,
        stream: MessageStreamId,
        end: Option<PlaybackEnd>,
    ) -> Result<(), End> {
        while let Some(mut next) = self.playing_mut(stream).and_then(|playing| playing.playlist.pop_front()) {
            let opened = match next.opened.take() {
                Some(opened) => Ok(opened),
                None => self.open(&next.path, next.from).await,
            };
            match opened {
                Ok(opened) => return self.follow(stream, opened, &next),
                Err((reason, text)) => {
                    let peer = self.peer.address;
                    self.emit(Event::PlayLeftOut { door: "rtmp", peer, text: text.clone() });
                    self.conversation.session.send_status(stream, &Status::warning(reason.code(), text));
                }
            }
        }
        end.map_or(Ok(()), |end| self.complete(stream, end))
    }

    fn follow(
        &mut self,
        stream: MessageStreamId,
        (name, cursor): (String, Box<dyn Cursor>),
        next: &Queued,
    ) -> Result<(), End> {
        self.emit(Event::PlayMovedOn { door: "rtmp", peer: self.peer.address, stream: name.clone() });
        let Some(playing) = self.playing(stream) else { return Ok(()) };
        let viewer = Arc::clone(&playing.viewer);
        let (is_recorded, buffer) = (cursor.length().is_some(), self.buffer(stream));
        let now = self.shared.sources.uptime.now();
        let told = self.conversation.change(&viewer, |playing, session| {
            playing.playback.follow(cursor, next.following == Following::Transition, now);
            prepare(&mut playing.playback, next.duration_ms, next.data_first, buffer);
            session.play_next(stream, &next.path.name, is_recorded, next.following)
        });
        if let Some(playing) = self.playing_mut(stream) {
            playing.name = name;
            playing.watch = Viewer::watch(&viewer);
        }
        told.map_err(End::misuse)
    }

    /// All was sent. What has a length stays, so that the player may go back; what is live is over.
    fn complete(&mut self, stream: MessageStreamId, end: PlaybackEnd) -> Result<(), End> {
        let Some(playing) = self.playing(stream) else { return Ok(()) };
        let (duration, (_, bytes)) = playing.viewer.with(|playback| (playback.duration(), playback.sent()));
        let Some(duration) = duration else {
            self.stop_playing(stream);
            return self.conversation.session.end_play(stream).map_err(End::misuse);
        };
        let session = &mut self.conversation.session;
        let bytes = if let PlaybackEnd::Broken(text) = end {
            session.send_status(stream, &Status::warning(code::PLAY_FILE_STRUCTURE_INVALID, text));
            0
        } else {
            bytes
        };
        session.complete_play(stream, duration.as_seconds(), bytes).map_err(End::misuse)
    }

    /// What a viewer is to hold to before its first frame.
    pub(super) fn prepare(
        &self,
        playback: &mut Playback,
        stream: MessageStreamId,
        duration_ms: Option<u64>,
        data_first: bool,
    ) {
        prepare(playback, duration_ms, data_first, self.buffer(stream));
    }

    /// How much the player of a stream has said that it holds.
    fn buffer(&self, stream: MessageStreamId) -> Option<Duration> {
        let said = |wanted| self.buffers.iter().find(|(of, _)| *of == wanted).map(|(_, ms)| *ms);
        let ms = said(stream).or_else(|| said(MessageStreamId::CONNECTION))?;
        Some(Duration::from_millis(ms.into()))
    }

    /// A player says how much it holds in its buffer; on stream 0 for all of its streams.
    pub(super) fn set_buffer(&mut self, stream: MessageStreamId, ms: u32) {
        self.buffers.retain(|(of, _)| *of != stream);
        if self.buffers.len() < BUFFERS_MAX {
            self.buffers.push((stream, ms));
        }
        let all = stream == MessageStreamId::CONNECTION;
        for playing in self.playing.iter().filter(|playing| all || playing.stream == stream) {
            playing.viewer.with(|playback| playback.set_buffer(Duration::from_millis(ms.into())));
        }
    }

    fn playing_mut(&mut self, stream: MessageStreamId) -> Option<&mut PlayingStream> {
        self.playing.iter_mut().find(|playing| playing.stream == stream)
    }
}

fn prepare(playback: &mut Playback, duration_ms: Option<u64>, data_first: bool, buffer: Option<Duration>) {
    if data_first {
        playback.send_data_first();
    }
    if let Some(duration_ms) = duration_ms {
        playback.limit(player_time(duration_ms));
    }
    if let Some(buffer) = buffer {
        playback.set_buffer(buffer);
    }
}
