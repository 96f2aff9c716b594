//! What a client asks for, and what becomes of it.

use std::collections::VecDeque;
use std::sync::Arc;

use headwater_hub::{InvalidName, PublisherInfo, StreamName};
use headwater_media::{MediaKind, Timestamp};
use headwater_rtmp::command::{PlayRejection, PlayRequest, PlayStart, PublishRejection, PublishRequest};
use headwater_rtmp::session::{Role, SeekRejection, ServerEvent};
use headwater_rtmp::url::StreamPath;
use headwater_rtmp::{Error, MessageStreamId};

use super::connection::{Connection, End, PlayingStream};
use super::publishing::Publishing;
use super::viewer::Viewer;
use crate::events::Event;
use crate::sources::{self, Cursor, From};
use crate::track_selection::TrackSelection;
use headwater_vod::Refusal;

/// What is kept of a client's name for itself.
const AGENT_LETTERS_MAX: usize = 100;

/// The session refuses a call only when this program's account of the streams differs from its own.
pub(super) fn misuse(error: Error) -> End {
    End::LetGo("internal", format!("internal error: {error}"))
}

impl Connection {
    /// Acts on one event.
    pub(super) async fn handle(&mut self, event: ServerEvent) -> Result<(), End> {
        match event {
            ServerEvent::Connect(request) => {
                self.agent = request.flash_ver.chars().take(AGENT_LETTERS_MAX).collect();
                self.capabilities = request.capabilities;
                self._movable = request.capabilities.reconnect.then(|| self.shared.metrics.count_movable());
                self.session.accept_connect().map_err(misuse)
            }
            ServerEvent::Publish(request) => self.publish(&request),
            ServerEvent::Play(request) => self.play(&request).await,
            ServerEvent::Refused { fault, .. } => Err(End::LetGo("bad_name", fault.to_string())),
            ServerEvent::PlayLater(request) => self.play_later(&request),
            ServerEvent::Play2(request) => self.play2(&request).await,
            ServerEvent::StreamLength(request) => {
                let seconds = self.stream_length(&request.path).await;
                self.session.answer_stream_length(&request, seconds);
                Ok(())
            }
            ServerEvent::BufferLength { stream, ms } => {
                self.set_buffer(stream, ms);
                Ok(())
            }
            ServerEvent::Media { stream, kind, timestamp, body } => {
                let now = self.shared.sources.uptime.now();
                match self.publishing(stream) {
                    Some(publishing) => publishing.take(kind, timestamp, body, now),
                    None => Ok(()),
                }
            }
            ServerEvent::Data { stream, timestamp, scope, payload } => {
                let now = self.shared.sources.uptime.now();
                if let Some(publishing) = self.publishing(stream) {
                    publishing.take_data(timestamp, scope, payload, now);
                }
                Ok(())
            }
            ServerEvent::Pause { stream, pause, position_ms } => self.pause(stream, pause, position_ms),
            ServerEvent::Seek { stream, position_ms } => self.seek(stream, position_ms),
            ServerEvent::Receive { stream, kind, on } => self.receive(stream, kind, on),
            ServerEvent::Stopped { stream, role } => {
                self.stopped(stream, role);
                Ok(())
            }
            // Pongs come from whom we have not asked, and what a later version of the session may tell does
            // not concern this one.
            _ => Ok(()),
        }
    }

    fn publish(&mut self, request: &PublishRequest) -> Result<(), End> {
        let stream = request.stream;
        let (reason, text) = match self.admit_publisher(request) {
            Ok(publishing) => {
                let (peer, name) = (self.peer, publishing.name().to_string());
                let agent = self.agent.clone();
                self.emit(Event::PublishBegan { door: "rtmp", peer, stream: name, agent });
                self.publishing.push(publishing);
                return self.session.accept_publish(stream).map_err(misuse);
            }
            Err(refusal) => refusal,
        };
        self.session.reject_publish(stream, reason, text.clone()).map_err(misuse)?;
        // Encoders of DJI believe they are live after a refusal: only hanging up tells them.
        Err(End::LetGo("publish_refused", format!("publish {:?} refused: {text}", request.path.to_string())))
    }

    fn admit_publisher(&self, request: &PublishRequest) -> Result<Publishing, (PublishRejection, String)> {
        let name =
            stream_name(&request.path).map_err(|error| (PublishRejection::BadName, sentence(&error)))?;
        if !self.shared.access.may_publish(self.is_local, request.path.query.get("key")) {
            let text =
                "Publishing from another machine needs the publish key: end the stream key with ?key=KEY.";
            return Err((PublishRejection::Denied, text.to_owned()));
        }
        let info =
            PublisherInfo { address: self.peer.to_string(), agent: self.agent.clone(), protocol: "rtmp" };
        let publisher = self
            .shared
            .sources
            .hub
            .publish(&name, info, self.shared.sources.uptime.now())
            .map_err(|error| (PublishRejection::BadName, sentence(&error)))?;
        Ok(Publishing::new(request.stream, self.peer, publisher, Arc::clone(&self.shared.events)))
    }

    async fn play(&mut self, request: &PlayRequest) -> Result<(), End> {
        let shared = Arc::clone(&self.shared);
        let stream = request.stream;
        let (name, cursor) = match self.open(&request.path, from(request.start)).await {
            Ok(opened) => opened,
            Err((reason, text)) => {
                self.session.reject_play(stream, reason, text.clone()).map_err(misuse)?;
                let path = request.path.to_string();
                return Err(End::LetGo("play_refused", format!("play {path:?} refused: {text}")));
            }
        };
        let (peer, agent) = (self.peer, self.agent.clone());
        self.emit(Event::PlayBegan { door: "rtmp", peer, stream: name.clone(), agent });
        let is_film = cursor.origin().is_some();
        self.session.accept_play(stream, is_film).map_err(misuse)?;
        self.say();
        let chunk_size = self.session.chunk_size() as usize;
        let takes = TrackSelection::read(request.path.query.iter()).apply(self.capabilities.dialect());
        let start = shared.sources.viewing.get().start;
        let viewer =
            Arc::new(Viewer::new(Arc::clone(&self.wire), cursor, start, takes, (stream, chunk_size)));
        self.prepare(&viewer, stream, (request.duration_ms, request.data_at_once));
        self.stop_playing(stream);
        self.playing.push(PlayingStream {
            stream,
            name,
            watch: Viewer::watch(&viewer),
            viewer,
            since: shared.sources.uptime.now(),
            playlist: VecDeque::new(),
            is_complete: false,
            _counted: shared.metrics.viewer("rtmp"),
        });
        Ok(())
    }

    /// A cursor on what a client calls by this path, and its name for the log; or why there is none.
    pub(super) async fn open(
        &self,
        path: &StreamPath,
        from: From,
    ) -> Result<(String, Cursor), (PlayRejection, String)> {
        let name = stream_name(path).map_err(|error| (PlayRejection::StreamNotFound, sentence(&error)))?;
        match sources::open(&self.shared.sources, &name, &asked_name(path), from).await {
            Ok(cursor) => Ok((name.to_string(), cursor)),
            Err(refusal) => {
                let reason = match refusal {
                    Refusal::NoMedia(_) => PlayRejection::FileStructureInvalid,
                    _ => PlayRejection::StreamNotFound,
                };
                Err((reason, refusal.to_string()))
            }
        }
    }

    async fn stream_length(&self, path: &StreamPath) -> Option<f64> {
        let film = self.shared.sources.library.open(&path.app, &asked_name(path)).await.ok()?;
        Some(film.index().duration().as_seconds())
    }

    /// A paused viewer gets nothing more before it is told so, and is told that it goes on before it gets
    /// more.
    fn pause(&mut self, stream: MessageStreamId, pause: bool, position_ms: u64) -> Result<(), End> {
        let viewer = self.viewer(stream);
        if let (Some(viewer), true) = (&viewer, pause) {
            viewer.pause();
        }
        self.session.confirm_pause(stream, pause).map_err(misuse)?;
        self.say();
        if let (Some(viewer), false) = (&viewer, pause) {
            viewer.resume(position_ms);
        }
        Ok(())
    }

    /// Nothing of the new place comes before the player has been told of it.
    fn seek(&mut self, stream: MessageStreamId, position_ms: u64) -> Result<(), End> {
        let Some(viewer) = self.viewer(stream) else { return Ok(()) };
        viewer.hold();
        let can_be_sought_in = viewer.with_film(|_| ()).is_some();
        let told = if !can_be_sought_in {
            let text = "A live stream cannot be sought in.";
            self.session.reject_seek(stream, SeekRejection::Failed, text)
        } else if viewer.seek(position_ms) {
            self.session.confirm_seek(stream, position_ms)
        } else {
            let text = format!("The film is shorter than {position_ms} ms.");
            self.session.reject_seek(stream, SeekRejection::InvalidTime, text)
        };
        told.map_err(misuse)?;
        self.say();
        self.playing.iter_mut().filter(|playing| playing.stream == stream).for_each(|playing| {
            playing.is_complete = false;
        });
        viewer.go_on();
        Ok(())
    }

    fn receive(&mut self, stream: MessageStreamId, kind: MediaKind, on: bool) -> Result<(), End> {
        let Some(viewer) = self.viewer(stream) else { return Ok(()) };
        viewer.hold();
        match kind {
            MediaKind::Audio => viewer.receive_audio(on),
            MediaKind::Video => viewer.receive_video(on),
            MediaKind::Data => {}
        }
        if on {
            let (position_ms, _) = viewer.sent();
            let position_ms = u64::try_from(position_ms).unwrap_or(0);
            self.session.confirm_receive(stream, position_ms).map_err(misuse)?;
            self.say();
        }
        viewer.go_on();
        Ok(())
    }

    fn stopped(&mut self, stream: MessageStreamId, role: Role) {
        match role {
            Role::Publisher => {
                if let Some(at) = self.publishing.iter().position(|publishing| publishing.stream() == stream)
                {
                    self.publishing.swap_remove(at);
                }
            }
            Role::Player => self.stop_playing(stream),
        }
        // What the connection wants next it has to say in time.
        self.restart_hello();
    }

    fn publishing(&mut self, stream: MessageStreamId) -> Option<&mut Publishing> {
        self.publishing.iter_mut().find(|publishing| publishing.stream() == stream)
    }

    pub(super) fn viewer(&self, stream: MessageStreamId) -> Option<Arc<Viewer>> {
        self.playing
            .iter()
            .find(|playing| playing.stream == stream)
            .map(|playing| Arc::clone(&playing.viewer))
    }
}

/// Where a client wants to begin.
pub(super) fn from(start: PlayStart) -> From {
    match start {
        PlayStart::LiveOrRecorded => From::Any,
        PlayStart::Live => From::Live,
        PlayStart::Recorded { ms } => From::Film(Timestamp::from_ms(i64::try_from(ms).unwrap_or(i64::MAX))),
    }
}

/// What a client calls a film, with the prefix that says of which kind it is.
fn asked_name(path: &StreamPath) -> String {
    match path.prefix {
        Some(prefix) => format!("{prefix}:{}", path.name),
        None if path.name.is_empty() => path.app.clone(),
        None => path.name.clone(),
    }
}

/// The hub's name for what a client calls its stream. A client without a stream name (GoPro) publishes
/// under the app's.
fn stream_name(path: &StreamPath) -> Result<StreamName, InvalidName> {
    let name = if path.name.is_empty() { &path.app } else { &path.name };
    StreamName::new(&path.app, name)
}

/// An error as a sentence for a person at the other end.
pub(super) fn sentence(error: &impl ToString) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}
