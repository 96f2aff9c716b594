//! What a client asks for, and what becomes of it.

use std::sync::Arc;

use headwater_hub::{InvalidName, PublisherInfo, StreamName};
use headwater_media::{MediaKind, Timestamp};
use headwater_rtmp::command::{PlayRejection, PlayRequest, PlayStart, PublishRejection, PublishRequest};
use headwater_rtmp::session::{Role, ServerEvent};
use headwater_rtmp::url::StreamPath;
use headwater_rtmp::{Error, MessageStreamId};

use super::connection::{Connection, End, PlayingStream};
use super::publishing::Publishing;
use super::viewer::Viewer;
use crate::source::{self, From};
use crate::wishes::Wishes;

/// What is kept of a client's name for itself.
const AGENT_LETTERS_MAX: usize = 100;

/// The session refuses a call only when this program's account of the streams differs from its own.
fn misuse(error: Error) -> End {
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
            ServerEvent::StreamLength(request) => {
                self.session.answer_stream_length(&request, None);
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
            ServerEvent::Pause { stream, pause, .. } => self.pause(stream, pause),
            ServerEvent::Seek { stream, .. } => {
                self.session.reject_seek(stream, "A live stream cannot be sought in.").map_err(misuse)
            }
            ServerEvent::Receive { stream, kind, on } => {
                self.receive(stream, kind, on);
                Ok(())
            }
            ServerEvent::Stopped { stream, role } => {
                self.stopped(stream, role);
                Ok(())
            }
            // Buffer lengths pace files, pongs come from whom we have not asked, and what a later
            // version of the session may tell does not concern this one.
            _ => Ok(()),
        }
    }

    fn publish(&mut self, request: &PublishRequest) -> Result<(), End> {
        let stream = request.stream;
        let (reason, text) = match self.admit_publisher(request) {
            Ok(publishing) => {
                tracing::info!(peer = %self.peer, stream = %publishing.name(), agent = self.agent, "publishing");
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
        Ok(Publishing::new(request.stream, self.peer, publisher))
    }

    async fn play(&mut self, request: &PlayRequest) -> Result<(), End> {
        let shared = Arc::clone(&self.shared);
        let opened = match stream_name(&request.path) {
            Ok(name) => {
                let asked = if request.path.name.is_empty() { &request.path.app } else { &request.path.name };
                let cursor = source::open(&shared.sources, &name, asked, from(request)).await;
                cursor.map(|cursor| (name, cursor)).map_err(|refusal| refusal.to_string())
            }
            Err(error) => Err(sentence(&error)),
        };
        let (name, cursor) = match opened {
            Ok(opened) => opened,
            Err(text) => {
                self.session
                    .reject_play(request.stream, PlayRejection::StreamNotFound, text.clone())
                    .map_err(misuse)?;
                return Err(End::LetGo(
                    "play_refused",
                    format!("play {:?} refused: {text}", request.path.to_string()),
                ));
            }
        };
        let name = name.to_string();
        tracing::info!(peer = %self.peer, stream = name, agent = self.agent, "playing");
        self.session.accept_play(request.stream, false).map_err(misuse)?;
        self.say();
        let chunk_size = self.session.chunk_size() as usize;
        let start = shared.sources.viewing.start;
        let takes = Wishes::read(request.path.query.iter()).apply(self.capabilities.dialect());
        let form = (request.stream, chunk_size);
        let viewer = Arc::new(Viewer::new(Arc::clone(&self.wire), cursor, start, takes, form));
        self.stop_playing(request.stream);
        self.playing.push(PlayingStream {
            stream: request.stream,
            name,
            _watch: Viewer::watch(&viewer),
            viewer,
            since: shared.sources.uptime.now(),
            _counted: shared.metrics.viewer("rtmp"),
        });
        Ok(())
    }

    /// A paused viewer gets nothing more before it is told so, and is told that it goes on before it gets
    /// more.
    fn pause(&mut self, stream: MessageStreamId, pause: bool) -> Result<(), End> {
        let viewer = self.viewer(stream);
        if let (Some(viewer), true) = (&viewer, pause) {
            viewer.pause(true);
        }
        self.session.confirm_pause(stream, pause).map_err(misuse)?;
        self.say();
        if let (Some(viewer), false) = (&viewer, pause) {
            viewer.pause(false);
        }
        Ok(())
    }

    fn receive(&self, stream: MessageStreamId, kind: MediaKind, on: bool) {
        let Some(viewer) = self.viewer(stream) else { return };
        match kind {
            MediaKind::Audio => viewer.receive_audio(on),
            MediaKind::Video => viewer.receive_video(on),
            MediaKind::Data => {}
        }
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

    fn viewer(&self, stream: MessageStreamId) -> Option<Arc<Viewer>> {
        self.playing
            .iter()
            .find(|playing| playing.stream == stream)
            .map(|playing| Arc::clone(&playing.viewer))
    }
}

/// Where a client wants to begin.
fn from(request: &PlayRequest) -> From {
    match request.start {
        PlayStart::LiveOrRecorded => From::Any,
        PlayStart::Live => From::Live,
        PlayStart::Recorded { ms } => From::Film(Timestamp::from_ms(i64::try_from(ms).unwrap_or(i64::MAX))),
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
