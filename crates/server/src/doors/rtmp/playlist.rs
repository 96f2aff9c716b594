//! What follows what: playlists, `play2`, and the end of films.

use std::sync::Arc;
use std::time::Duration;

use headwater_media::Timestamp;
use headwater_rtmp::MessageStreamId;
use headwater_rtmp::command::{Play2Request, PlayRequest, PlayStart, Status, Transition, code};
use headwater_rtmp::session::Following;
use headwater_rtmp::url::StreamPath;

use super::connection::{Connection, End, PlayingStream};
use super::requests::{from, misuse};
use super::viewer::Viewer;
use crate::events::Event;
use crate::sources::{Cursor, From, Reel};

/// What waits for its turn on one stream, at most.
const PLAYLIST_MAX: usize = 64;
/// Streams whose buffer lengths are remembered, at most.
const BUFFERS_MAX: usize = 32;

/// What is to be played when its turn comes.
#[derive(Debug)]
pub(super) struct Queued {
    path: StreamPath,
    from: From,
    duration_ms: Option<u64>,
    data_at_once: bool,
    following: Following,
    /// Another rate of the same film: opened already, at the place where it takes over.
    opened: Option<(String, Cursor)>,
}

impl Queued {
    fn new(request: &PlayRequest) -> Self {
        let (path, duration_ms) = (request.path.clone(), request.duration_ms);
        // What is appended is a film from its beginning on unless it says otherwise.
        Self {
            path,
            from: from(request.start),
            duration_ms,
            data_at_once: request.data_at_once,
            following: Following::Playlist,
            opened: None,
        }
    }
}

impl Connection {
    /// A player wants more behind what it plays.
    pub(super) fn play_later(&mut self, request: &PlayRequest) -> Result<(), End> {
        self.queue(request.stream, Queued::new(request))
    }

    /// A player wants something else in place of what it plays, or behind it.
    pub(super) async fn play2(&mut self, request: &Play2Request) -> Result<(), End> {
        let stream = request.play.stream;
        self.session.accept_transition(stream, &request.play.path.name).map_err(misuse)?;
        self.say();
        let is_current = |playing: &PlayingStream| {
            request.old_name.is_empty() || playing.name.ends_with(&request.old_name)
        };
        match request.transition {
            Transition::Append | Transition::AppendAndWait => self.play_later(&request.play),
            Transition::Stop => {
                let Some(playing) = self.playing_mut(stream) else { return Ok(()) };
                playing.playlist.clear();
                stop_here(&playing.viewer);
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
            _ => self.switch(request).await,
        }
    }

    /// Another rate of the same film: opened now, it takes over at its next key frame.
    async fn switch(&mut self, request: &Play2Request) -> Result<(), End> {
        let stream = request.play.stream;
        let Some(viewer) = self.viewer(stream) else { return Ok(()) };
        let at = viewer.with_film(|film| film.position());
        let opened = self.open(&request.play.path, from(PlayStart::LiveOrRecorded)).await;
        let ready = opened.map_err(|(_, text)| text).and_then(|(name, cursor)| {
            let offset =
                request.offset_ms.map(|ms| Timestamp::from_ms(i64::try_from(ms).unwrap_or(i64::MAX)));
            let at = at.zip(cursor.film()).map(|(at, film)| (at.max(offset.unwrap_or(at)), film));
            match at.map(|(at, film)| (film.start_after(at), film)) {
                Some((Some(start), film)) => {
                    film.seek(start);
                    film.pause();
                    Ok((start, (name, cursor)))
                }
                Some((None, _)) => Err(format!("{name} has no key frame behind this place.")),
                None => Err("Only from one film to another can be switched.".to_owned()),
            }
        });
        match ready {
            Ok((start, opened)) => {
                viewer.with_film(|film| film.play_until(Some(start)));
                let following = Following::Transition;
                let next = Queued { following, opened: Some(opened), ..Queued::new(&request.play) };
                self.put_first(stream, next);
            }
            Err(text) => self.session.send_status(stream, &Status::warning(code::PLAY_FAILED, text)),
        }
        self.say();
        Ok(())
    }

    /// What plays ends here, and this follows.
    fn take_over(&mut self, stream: MessageStreamId, next: Queued) {
        self.put_first(stream, next);
        if let Some(viewer) = self.viewer(stream) {
            stop_here(&viewer);
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
        self.wire.bell.notify_one();
        Ok(())
    }

    /// What a stream played is over: the next of its playlist begins, or the player is told that this was all.
    pub(super) async fn play_on(&mut self, stream: MessageStreamId) -> Result<(), End> {
        while let Some(mut next) = self.playing_mut(stream).and_then(|playing| playing.playlist.pop_front()) {
            let opened = match next.opened.take() {
                Some(opened) => Ok(opened),
                None => self.open(&next.path, next.from).await,
            };
            match opened {
                Ok(opened) => return self.follow(stream, opened, &next),
                Err((reason, text)) => {
                    let left_out = Event::PlayLeftOut { door: "rtmp", peer: self.peer, text: text.clone() };
                    self.emit(left_out);
                    self.session.send_status(stream, &Status::warning(reason.code(), text));
                }
            }
        }
        self.complete(stream)
    }

    fn follow(
        &mut self,
        stream: MessageStreamId,
        (name, cursor): (String, Cursor),
        next: &Queued,
    ) -> Result<(), End> {
        self.emit(Event::PlayMovedOn { door: "rtmp", peer: self.peer, stream: name.clone() });
        let is_film = cursor.origin().is_some();
        self.session.play_next(stream, &next.path.name, is_film, next.following).map_err(misuse)?;
        self.say();
        let Some(viewer) = self.viewer(stream) else { return Ok(()) };
        viewer.hold();
        viewer.follow_with(cursor, next.following == Following::Transition);
        viewer.with_film(|film| film.resume(film.position()));
        self.prepare(&viewer, stream, (next.duration_ms, next.data_at_once));
        if let Some(playing) = self.playing_mut(stream) {
            playing.name = name;
            playing.is_complete = false;
            playing.watch = Viewer::watch(&viewer);
        }
        viewer.go_on();
        Ok(())
    }

    /// All was sent. A film stays, so that the player may go back in it; a live stream is over.
    fn complete(&mut self, stream: MessageStreamId) -> Result<(), End> {
        let Some(playing) = self.playing_mut(stream) else { return Ok(()) };
        let Some(duration) = playing.viewer.with_film(|film| film.duration()) else {
            self.stop_playing(stream);
            return self.session.end_play(stream).map_err(misuse);
        };
        if std::mem::replace(&mut playing.is_complete, true) {
            return Ok(());
        }
        if let Some(text) = playing.viewer.breakage() {
            let status = Status::warning(code::PLAY_FILE_STRUCTURE_INVALID, text);
            self.session.send_status(stream, &status);
            return self.session.complete_play(stream, duration.as_seconds(), 0).map_err(misuse);
        }
        let (_, bytes) = playing.viewer.sent();
        self.session.complete_play(stream, duration.as_seconds(), bytes).map_err(misuse)
    }

    /// What a viewer is to hold to before its first frame.
    pub(super) fn prepare(
        &self,
        viewer: &Arc<Viewer>,
        stream: MessageStreamId,
        (duration_ms, data_at_once): (Option<u64>, bool),
    ) {
        if data_at_once {
            viewer.with_film(Reel::send_data_at_once);
        }
        if let Some(duration_ms) = duration_ms {
            viewer.limit(duration_ms);
        }
        let said = |wanted| self.buffers.iter().find(|(of, _)| *of == wanted).map(|(_, ms)| *ms);
        if let Some(ms) = said(stream).or_else(|| said(MessageStreamId::CONNECTION)) {
            viewer.with_film(|film| film.set_buffer(Duration::from_millis(ms.into())));
        }
    }

    /// A player says how much it holds in its buffer; on stream 0 for all of its streams.
    pub(super) fn set_buffer(&mut self, stream: MessageStreamId, ms: u32) {
        self.buffers.retain(|(of, _)| *of != stream);
        if self.buffers.len() < BUFFERS_MAX {
            self.buffers.push((stream, ms));
        }
        let all = stream == MessageStreamId::CONNECTION;
        for playing in self.playing.iter().filter(|playing| all || playing.stream == stream) {
            playing.viewer.with_film(|film| film.set_buffer(Duration::from_millis(ms.into())));
        }
    }

    fn playing_mut(&mut self, stream: MessageStreamId) -> Option<&mut PlayingStream> {
        self.playing.iter_mut().find(|playing| playing.stream == stream)
    }
}

/// Of a film nothing more is sent than what has been.
fn stop_here(viewer: &Viewer) {
    let stop = |film: &Reel| {
        let at = film.position();
        film.play_until(Some(Timestamp::ZERO));
        // What was read ahead goes too.
        film.seek(at);
    };
    viewer.with_film(stop);
}
