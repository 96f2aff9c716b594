//! What a client asks for, and what becomes of it.

use std::collections::VecDeque;
use std::sync::Arc;

use headwater_hub::{InvalidName, PublisherInfo, StreamName};
use headwater_media::{MediaKind, Timestamp};
use headwater_rtmp::command::{PlayRejection, PlayRequest, PlayStart, PublishRejection, PublishRequest};
use headwater_rtmp::session::{
    PauseRequest, Pending, ReceiveRequest, Role, SeekRejection, SeekRequest, ServerEvent,
};
use headwater_rtmp::url::StreamPath;
use headwater_rtmp::{Error, MessageStreamId};

use super::connection::{Connection, End, PlayingStream};
use super::publishing::Publishing;
use super::viewer::Viewer;
use crate::access::{AccessRequest, Action, Decision};
use crate::sources::{self, Cursor, From};
use crate::track_selection::TrackSelection;
use headwater_vod::RefusalKind;

/// What is kept of a client's name for itself.
const AGENT_LETTERS_MAX: usize = 100;

/// The session refuses a call only when this program's account of the streams differs from its own.
pub(super) fn misuse(error: Error) -> End {
    End::LetGo("internal", format!("internal error: {error}"))
}

impl Connection {
    /// Acts on one event.
    pub(super) async fn handle(&mut self, mut event: ServerEvent) -> Result<(), End> {
        self.put_together(&mut event);
        match event {
            ServerEvent::Connect(request) => {
                self.agent = request.flash_ver.chars().take(AGENT_LETTERS_MAX).collect();
                self.capabilities = request.capabilities;
                self._counted = self.shared.access.count_client(self.peer);
                self._movable = request.capabilities.reconnect.then(|| self.shared.metrics.count_movable());
                request.accept(&mut self.session);
                Ok(())
            }
            ServerEvent::Publish(request) => self.publish(request).await,
            ServerEvent::Play(request) => self.play(request).await,
            ServerEvent::Refused { fault, .. } => Err(End::LetGo("bad_name", fault.to_string())),
            ServerEvent::PlayLater(request) => self.play_later(&request),
            ServerEvent::Play2(request) => self.play2(request).await,
            ServerEvent::StreamLength(request) => {
                let seconds = self.stream_length(&request.path).await;
                request.accept(&mut self.session, seconds);
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
            ServerEvent::Pause(request) => {
                self.pause(request);
                Ok(())
            }
            ServerEvent::Seek(request) => {
                self.seek(request);
                Ok(())
            }
            ServerEvent::Receive(request) => {
                self.receive(request);
                Ok(())
            }
            ServerEvent::Stopped { stream, role } => {
                self.stopped(stream, role);
                Ok(())
            }
            // Pongs come from whom we have not asked, and what a later version of the session may tell does
            // not concern this one.
            _ => Ok(()),
        }
    }

    /// A key with a slash that the client has cut there is put together again: its end is no stream's name.
    fn put_together(&self, event: &mut ServerEvent) {
        let path = match event {
            ServerEvent::Publish(request) => &mut request.path,
            ServerEvent::Play(request) => &mut request.path,
            ServerEvent::PlayLater(request) => &mut request.path,
            ServerEvent::Play2(request) => &mut request.play.path,
            ServerEvent::StreamLength(request) => &mut request.path,
            _ => return,
        };
        let is_cut =
            |uncut: &StreamPath| uncut.query.get("key").is_some_and(|key| self.shared.access.is_secret(key));
        if let Some(uncut) = path.uncut.take_if(|uncut| is_cut(uncut)) {
            *path = *uncut;
        }
    }

    /// What is logged of a path that was refused, and the path as it is told: no key, and nothing that may be the end
    /// of one.
    fn conceal(&self, path: &mut StreamPath) -> String {
        if let Some(uncut) = path.uncut.take_if(|uncut| !uncut.name.is_empty()) {
            *path = *uncut;
        }
        path.name = self.shared.access.masked(&path.name).into_owned();
        self.shared.access.masked(&path.to_string()).into_owned()
    }

    async fn publish(&mut self, mut request: Pending<PublishRequest>) -> Result<(), End> {
        let (reason, text) = match self.admit_publisher(&request).await {
            Ok(publishing) => {
                tracing::info!(peer = %self.peer, stream = %publishing.name(), agent = self.agent, "publishing");
                self.publishing.push(publishing);
                request.accept(&mut self.session);
                return Ok(());
            }
            Err(refusal) => refusal,
        };
        let path = self.conceal(&mut request.path);
        request.reject(&mut self.session, reason, text.clone());
        // Encoders of DJI believe they are live after a refusal: only hanging up tells them.
        Err(End::LetGo("publish_refused", format!("publish {path:?} refused: {text}")))
    }

    async fn admit_publisher(
        &self,
        request: &PublishRequest,
    ) -> Result<Publishing, (PublishRejection, String)> {
        let name =
            stream_name(&request.path).map_err(|error| (PublishRejection::BadName, sentence(&error)))?;
        if let Decision::Refuse { text, .. } = self.ask(Action::Publish, &name, &request.path).await {
            return Err((PublishRejection::Denied, text.into_owned()));
        }
        let info =
            PublisherInfo { address: self.peer.to_string(), agent: self.agent.clone(), protocol: "rtmp" };
        let publisher = self
            .shared
            .sources
            .hub
            .publish(&name, info, self.shared.sources.uptime.now())
            .map_err(|error| (PublishRejection::BadName, sentence(&error)))?;
        Ok(Publishing::new(request.stream, self.peer, publisher))
    }

    async fn play(&mut self, mut request: Pending<PlayRequest>) -> Result<(), End> {
        let shared = Arc::clone(&self.shared);
        let stream = request.stream;
        let (name, cursor) = match self.open(&request.path, from(request.start)).await {
            Ok(opened) => opened,
            Err((reason, text)) => {
                let path = self.conceal(&mut request.path);
                request.reject(&mut self.session, reason, text.clone());
                return Err(End::LetGo("play_refused", format!("play {path:?} refused: {text}")));
            }
        };
        tracing::info!(peer = %self.peer, stream = name, agent = self.agent, "playing");
        let is_film = cursor.origin().is_some();
        let takes = TrackSelection::read(request.path.query.iter()).apply(self.capabilities.dialect());
        let (duration_ms, data_at_once) = (request.duration_ms, request.data_at_once);
        request.accept(&mut self.session, is_film);
        self.say();
        let chunk_size = self.session.chunk_size() as usize;
        let start = shared.sources.viewing.start;
        let viewer =
            Arc::new(Viewer::new(Arc::clone(&self.wire), cursor, start, takes, (stream, chunk_size)));
        self.prepare(&viewer, stream, (duration_ms, data_at_once));
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
        if let Decision::Refuse { text, .. } = self.ask(Action::Play, &name, path).await {
            return Err((PlayRejection::Failed, text.into_owned()));
        }
        match sources::open(&self.shared.sources, &name, &asked_name(path), from).await {
            Ok(cursor) => Ok((name.to_string(), cursor)),
            Err(refusal) => {
                let reason = match refusal.kind {
                    RefusalKind::NoMedia => PlayRejection::FileStructureInvalid,
                    _ => PlayRejection::StreamNotFound,
                };
                Err((reason, refusal.to_string()))
            }
        }
    }

    async fn ask(&self, action: Action, name: &StreamName, path: &StreamPath) -> Decision {
        let (peer, name, key) = (self.peer, name.path(), path.query.get("key"));
        self.shared.access.authorize(AccessRequest { action, peer, name, key }).await
    }

    async fn stream_length(&self, path: &StreamPath) -> Option<f64> {
        let name = stream_name(path).ok()?;
        if self.ask(Action::Play, &name, path).await != Decision::Allow {
            return None;
        }
        let film = self.shared.sources.library.open(&path.app, &asked_name(path)).await.ok()?;
        Some(film.index().duration().as_seconds())
    }

    /// A paused viewer gets nothing more before it is told so, and is told that it goes on before it gets
    /// more.
    fn pause(&mut self, request: Pending<PauseRequest>) {
        let PauseRequest { stream, pause, position_ms } = *request;
        let viewer = self.viewer(stream);
        if let (Some(viewer), true) = (&viewer, pause) {
            viewer.pause();
        }
        request.accept(&mut self.session);
        self.say();
        if let (Some(viewer), false) = (&viewer, pause) {
            viewer.resume(position_ms);
        }
    }

    /// Nothing of the new place comes before the player has been told of it.
    fn seek(&mut self, request: Pending<SeekRequest>) {
        let SeekRequest { stream, position_ms } = *request;
        let Some(viewer) = self.viewer(stream) else { return };
        viewer.hold();
        let can_be_sought_in = viewer.with_film(|_| ()).is_some();
        if !can_be_sought_in {
            let text = "A live stream cannot be sought in.";
            request.reject(&mut self.session, SeekRejection::Failed, text);
        } else if viewer.seek(position_ms) {
            request.accept(&mut self.session);
        } else {
            let text = format!("The film is shorter than {position_ms} ms.");
            request.reject(&mut self.session, SeekRejection::InvalidTime, text);
        }
        self.say();
        self.playing.iter_mut().filter(|playing| playing.stream == stream).for_each(|playing| {
            playing.is_complete = false;
        });
        viewer.go_on();
    }

    fn receive(&mut self, request: Pending<ReceiveRequest>) {
        let ReceiveRequest { stream, kind, on } = *request;
        let Some(viewer) = self.viewer(stream) else { return };
        viewer.hold();
        match kind {
            MediaKind::Audio => viewer.receive_audio(on),
            MediaKind::Video => viewer.receive_video(on),
            MediaKind::Data => {}
        }
        let (position_ms, _) = viewer.sent();
        request.accept(&mut self.session, u64::try_from(position_ms).unwrap_or(0));
        self.say();
        viewer.go_on();
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
