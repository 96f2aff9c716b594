//! What a client asks for, and what becomes of it.

use std::collections::VecDeque;
use std::sync::Arc;

use headwater_hub::{Cursor, InvalidName, PublisherInfo, StreamName};
use headwater_rtmp::MessageStreamId;
use headwater_rtmp::command::{PlayRejection, PlayRequest, PublishKind, PublishRejection, PublishRequest};
use headwater_rtmp::session::{Pending, Role, ServerEvent};
use headwater_rtmp::url::StreamPath;
use headwater_vod::RefusalKind;

use super::connection::Connection;
use super::end::{End, sentence};
use super::playing::PlayingStream;
use super::publishing::Publishing;
use super::queued::from;
use crate::access::{AccessRequest, Action, Decision};
use crate::events::Event;
use crate::fanout::{Format, Viewer};
use crate::sources::{self, From};
use crate::track_selection::TrackSelection;

/// What is kept of a client's name for itself.
const AGENT_LETTERS_MAX: usize = 100;

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
                request.accept(&mut self.conversation.session);
                Ok(())
            }
            ServerEvent::Publish(request) => self.publish(request).await,
            ServerEvent::Play(request) => self.play(request).await,
            ServerEvent::Refused { fault, .. } => Err(End::LetGo("bad_name", fault.to_string())),
            ServerEvent::PlayLater(request) => self.play_later(&request),
            ServerEvent::Play2(request) => self.play2(request).await,
            ServerEvent::StreamLength(request) => {
                let seconds = self.stream_length(&request.path).await;
                request.accept(&mut self.conversation.session, seconds);
                Ok(())
            }
            ServerEvent::BufferLength { stream, ms } => {
                self.set_buffer(stream, ms);
                Ok(())
            }
            ServerEvent::Pause(request) => {
                if let Some(playing) = of_stream(&self.playing, request.stream) {
                    playing.pause(&mut self.conversation, request);
                }
                Ok(())
            }
            ServerEvent::Seek(request) => {
                if let Some(playing) = of_stream(&self.playing, request.stream) {
                    playing.seek(&mut self.conversation, request);
                }
                Ok(())
            }
            ServerEvent::Receive(request) => {
                if let Some(playing) = of_stream(&self.playing, request.stream) {
                    playing.receive(&mut self.conversation, request);
                }
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

    /// A secret with a slash that the client has cut there is put together again, whatever it is called: its end is no
    /// stream's name.
    fn put_together(&self, event: &mut ServerEvent) {
        let path = match event {
            ServerEvent::Publish(request) => &mut request.path,
            ServerEvent::Play(request) => &mut request.path,
            ServerEvent::PlayLater(request) => &mut request.path,
            ServerEvent::Play2(request) => &mut request.play.path,
            ServerEvent::StreamLength(request) => &mut request.path,
            _ => return,
        };
        let is_cut = |uncut: &StreamPath| self.shared.access.is_secret_in(uncut.query.iter());
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
                let (peer, name) = (self.peer.address, publishing.name().to_string());
                let agent = self.agent.clone();
                self.emit(Event::PublishBegan { door: "rtmp", peer, stream: name, agent });
                self.publishing.push(publishing);
                request.accept(&mut self.conversation.session);
                return Ok(());
            }
            Err(refusal) => refusal,
        };
        let path = self.conceal(&mut request.path);
        request.reject(&mut self.conversation.session, reason, text.clone());
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
        if let Some(text) = sources::taken_name(&name) {
            return Err((PublishRejection::BadName, text));
        }
        let max = self.shared.config.publishers_per_address_max;
        let place = self.shared.publishers.take(self.peer.address.ip(), max).map_err(|()| {
            let text = format!(
                "{max} streams are published from your address already (limit publishers_per_address_max)."
            );
            (PublishRejection::Denied, text)
        })?;
        let info =
            PublisherInfo { address: self.peer.to_string(), agent: self.agent.clone(), protocol: "rtmp" };
        let publisher = self
            .shared
            .sources
            .hub
            .publish(&name, info, self.shared.sources.uptime.now())
            .map_err(|error| (PublishRejection::BadName, sentence(&error)))?;
        if request.kind != PublishKind::Live {
            // Where the policy is against it, the stream is live and no more: encoders ask for it without a reason.
            let _ = self.shared.sources.archive.recordings().ask(&name, true);
        }
        let events = Arc::clone(&self.shared.events);
        Ok(Publishing::new(request.stream, self.peer, (publisher, place), events))
    }

    async fn play(&mut self, mut request: Pending<PlayRequest>) -> Result<(), End> {
        let stream = request.stream;
        let (name, cursor) = match self.open(&request.path, from(request.start)).await {
            Ok(opened) => opened,
            Err((reason, text)) => {
                let path = self.conceal(&mut request.path);
                request.reject(&mut self.conversation.session, reason, text.clone());
                return Err(End::LetGo("play_refused", format!("play {path:?} refused: {text}")));
            }
        };
        let (peer, agent) = (self.peer.address, self.agent.clone());
        self.emit(Event::PlayBegan { door: "rtmp", peer, stream: name.clone(), agent });
        let dialect = TrackSelection::read(request.path.query.iter()).apply(self.capabilities.dialect());
        let (duration_ms, data_first) = (request.duration_ms, request.data_at_once);
        request.accept(&mut self.conversation.session, cursor.length().is_some());
        self.conversation.say();
        let chunk_size = self.conversation.session.chunk_size() as usize;
        let format = Format::Rtmp { stream, chunk_size };
        let mut playback = self.shared.sources.playback(cursor);
        self.prepare(&mut playback, stream, duration_ms, data_first);
        let viewer = Arc::new(Viewer::new(Arc::clone(&self.conversation.wire), playback, format, dialect));
        self.stop_playing(stream);
        let counted = self.shared.metrics.viewing("rtmp", &name);
        self.playing.push(PlayingStream {
            stream,
            name,
            watch: Viewer::watch(&viewer),
            viewer,
            playlist: VecDeque::new(),
            _counted: counted,
        });
        Ok(())
    }

    /// A cursor on what a client calls by this path, and its name for the log; or why there is none.
    pub(super) async fn open(
        &self,
        path: &StreamPath,
        from: From,
    ) -> Result<(String, Box<dyn Cursor>), (PlayRejection, String)> {
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
        let access = &self.shared.access;
        if !key.is_some_and(|key| access.is_secret(key)) && access.is_secret_in(path.query.iter()) {
            return Decision::misnamed();
        }
        access.authorize(AccessRequest { action, peer, name, key, session: None }).await
    }

    async fn stream_length(&self, path: &StreamPath) -> Option<f64> {
        let name = stream_name(path).ok()?;
        if self.ask(Action::Play, &name, path).await != Decision::Allow {
            return None;
        }
        let film = self.shared.sources.library.open(&path.app, &asked_name(path)).await.ok()?;
        Some(film.index().duration().as_seconds())
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
    }
}

/// The one of these that plays on `stream`.
fn of_stream(playing: &[PlayingStream], stream: MessageStreamId) -> Option<&PlayingStream> {
    playing.iter().find(|playing| playing.stream == stream)
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
