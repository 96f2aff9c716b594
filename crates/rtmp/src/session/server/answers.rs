//! The server's answers to requests: each is one whole sequence of replies, in the order that the field's clients
//! need.
//!
//! An answer consumes its request, so that nothing is answered twice. It is of no effect where nobody waits for it
//! any more (the session was closed, the player has stopped meanwhile) and on a session that did not ask.

use std::borrow::Cow;

use headwater_media::MediaKind;
use headwater_media::amf::{Value, amf0};

use super::event::{PauseRequest, Pending, ReceiveRequest, SeekRejection, SeekRequest, StreamLengthRequest};
use super::{Phase, Role, ServerSession, Use};
use crate::chunk::MessageStreamId;
use crate::command::{
    Command, ConnectRejection, ConnectRequest, Play2Request, PlayRejection, PlayRequest, PublishRejection,
    PublishRequest, Status, code, connect,
};
use crate::message::UserControl;

impl Pending<ConnectRequest> {
    /// Lets the client in.
    ///
    /// Set Chunk Size stands before `_result`, because OBS misread a `_result` cut at 128 bytes when the
    /// new size followed it (quirk 9). FFmpeg mirrors the size when it publishes.
    pub fn accept(self, session: &mut ServerSession) {
        let Phase::Asked { transaction } = session.phase else { return };
        let window = session.config.window_ack_size;
        session.link.send_window_ack_size(window);
        session.link.send_peer_bandwidth(window);
        session.link.send_user_control(UserControl::StreamBegin(MessageStreamId::CONNECTION));
        session.link.send_chunk_size(session.config.chunk_size);
        let result =
            connect::success(transaction, &session.config.server_version, &session.config.capabilities);
        session.link.send_command(MessageStreamId::CONNECTION, &result);
        session.link.set_limits(session.config.limits.before_publish());
        session.phase = Phase::Connected;
    }

    /// Turns the client away: `_error`, and the session is closed.
    pub fn reject(
        self,
        session: &mut ServerSession,
        reason: ConnectRejection,
        description: impl Into<Cow<'static, str>>,
    ) {
        let Phase::Asked { transaction } = session.phase else { return };
        let error = connect::rejection(transaction, reason, description);
        session.link.send_command(MessageStreamId::CONNECTION, &error);
        session.phase = Phase::Closed;
    }
}

impl Pending<PublishRequest> {
    /// Lets the publisher begin: Stream Begin, `NetStream.Publish.Start`. From here on OBS hears nothing
    /// more (quirk 8), so nothing that matters is sent to a publisher.
    pub fn accept(self, session: &mut ServerSession) {
        let PublishRequest { stream, path, .. } = self.request;
        if !session.take_asked(stream, Role::Publisher) {
            return;
        }
        let name = path.name;
        session.link.send_user_control(UserControl::StreamBegin(stream));
        let status = Status::new(code::PUBLISH_START, format!("{name} is now published.")).details(&name);
        session.link.send_status(stream, &status);
        session.streams.insert(stream, Use::Publishing { name });
        session.link.set_limits(session.config.limits.after_connect());
        session.has_published = true;
    }

    /// Turns the publisher away. Close once the output is written: not every encoder leaves by itself.
    pub fn reject(
        self,
        session: &mut ServerSession,
        reason: PublishRejection,
        description: impl Into<Cow<'static, str>>,
    ) {
        if session.take_asked(self.stream, Role::Publisher) {
            let status = Status::error(reason.code(), description).details(&self.path.name);
            session.link.send_status(self.stream, &status);
        }
    }
}

impl Pending<PlayRequest> {
    /// Lets the player begin: Set Chunk Size, (Stream Is Recorded,) Stream Begin, `NetStream.Play.Reset`,
    /// `NetStream.Play.Start`, `|RtmpSampleAccess`. The caller sends metadata, configurations and media
    /// next, on this stream and in [`ServerSession::chunk_size`].
    ///
    /// No other status may come before these: GStreamer takes the first for the verdict.
    pub fn accept(self, session: &mut ServerSession, recorded: bool) {
        let PlayRequest { stream, path, .. } = self.request;
        if !session.take_asked(stream, Role::Player) {
            return;
        }
        let name = path.name;
        // A publisher on the same connection has stopped listening; the size is in force anyway.
        if !session.streams.values().any(|state| matches!(state, Use::Publishing { .. })) {
            session.link.send_chunk_size(session.config.chunk_size);
        }
        session.begin_stream(stream, recorded);
        let reset = Status::new(code::PLAY_RESET, format!("Playing and resetting {name}.")).details(&name);
        session.link.send_status(stream, &reset);
        session.send_play_start(stream, &name);
        let access = [Value::string("|RtmpSampleAccess"), Value::Boolean(true), Value::Boolean(true)];
        session.link.put_media(stream, MediaKind::Data, 0, &[amf0::encode_all(&access)]);
        session.streams.insert(stream, Use::Playing { name, recorded });
    }

    /// Turns the player away; the connection may try again.
    pub fn reject(
        self,
        session: &mut ServerSession,
        reason: PlayRejection,
        description: impl Into<Cow<'static, str>>,
    ) {
        if session.take_asked(self.stream, Role::Player) {
            let status = Status::error(reason.code(), description).details(&self.path.name);
            session.link.send_status(self.stream, &status);
        }
    }
}

impl Pending<Play2Request> {
    /// Takes note: `NetStream.Play.Transition`. The rest is [`ServerSession::play_next`], when it comes to that.
    pub fn accept(self, session: &mut ServerSession) {
        let (stream, name) = (self.play.stream, &self.play.path.name);
        if session.role(stream) == Some(Role::Player) {
            let text = format!("The transition to {name} has begun.");
            let status = Status::new(code::PLAY_TRANSITION, text).details(name);
            session.link.send_status(stream, &status);
        }
    }
}

impl Pending<StreamLengthRequest> {
    /// Says how long the stream is; `None` for a live one or one that is not there (0 on the wire).
    pub fn accept(self, session: &mut ServerSession, seconds: Option<f64>) {
        let result = Command::new("_result", self.transaction).with(seconds.unwrap_or(0.0));
        session.link.send_command(MessageStreamId::CONNECTION, &result);
    }
}

impl Pending<PauseRequest> {
    /// Confirms it. Media that was on its way goes first: call it when the sending has stopped, or before it
    /// goes on.
    pub fn accept(self, session: &mut ServerSession) {
        let stream = self.stream;
        let Ok((name, _)) = session.playing(stream) else { return };
        if self.pause {
            let status = Status::new(code::PAUSE_NOTIFY, format!("{name} is paused.")).details(&name);
            session.link.send_status(stream, &status);
            session.link.send_user_control(UserControl::StreamEof(stream));
        } else {
            session.link.send_user_control(UserControl::StreamBegin(stream));
            let status = Status::new(code::UNPAUSE_NOTIFY, format!("{name} goes on.")).details(&name);
            session.link.send_status(stream, &status);
        }
    }
}

impl Pending<SeekRequest> {
    /// Confirms it; configurations and the key frame at or before the place come next.
    pub fn accept(self, session: &mut ServerSession) {
        let stream = self.stream;
        let Ok((name, recorded)) = session.playing(stream) else { return };
        session.link.send_user_control(UserControl::StreamEof(stream));
        session.begin_stream(stream, recorded);
        session.send_seek_notify(stream, &name, self.position_ms);
    }

    /// Refuses it; playing goes on where it was. A warning: FFmpeg ends at errors.
    pub fn reject(
        self,
        session: &mut ServerSession,
        reason: SeekRejection,
        description: impl Into<Cow<'static, str>>,
    ) {
        let Ok((name, _)) = session.playing(self.stream) else { return };
        let code = match reason {
            SeekRejection::Failed => code::SEEK_FAILED,
            SeekRejection::InvalidTime => code::SEEK_INVALID_TIME,
        };
        session.link.send_status(self.stream, &Status::warning(code, description).details(&name));
    }
}

impl Pending<ReceiveRequest> {
    /// Confirms that audio or video comes again, from `position_ms` on: `NetStream.Seek.Notify`,
    /// `NetStream.Play.Start`. That it does not come is not answered (RTMP 1.0 §7.2.2.4, §7.2.2.5).
    pub fn accept(self, session: &mut ServerSession, position_ms: u64) {
        let Ok((name, _)) = session.playing(self.stream) else { return };
        if self.on {
            session.send_seek_notify(self.stream, &name, i64::try_from(position_ms).unwrap_or(i64::MAX));
        }
    }
}

impl ServerSession {
    fn send_seek_notify(&mut self, stream: MessageStreamId, name: &str, position_ms: i64) {
        let text = format!("Seeking {position_ms} ms in {name}.");
        self.link.send_status(stream, &Status::new(code::SEEK_NOTIFY, text).details(name));
        self.send_play_start(stream, name);
    }

    /// Whether a stream awaits an answer to this role; it is idle then.
    fn take_asked(&mut self, stream: MessageStreamId, wanted: Role) -> bool {
        match self.streams.get_mut(&stream) {
            Some(state) if *state == (Use::Asked { role: wanted }) => {
                *state = Use::Idle;
                true
            }
            _ => false,
        }
    }
}
