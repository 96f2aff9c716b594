//! The server's answers and announcements: each function is one whole sequence of replies, in the order
//! that the field's clients need.

use std::borrow::Cow;

use bytes::Bytes;
use headwater_media::MediaKind;
use headwater_media::amf::{Value, amf0};

use super::{Following, Phase, Role, SeekRejection, ServerSession, StreamLengthRequest, Use};
use crate::Error;
use crate::chunk::MessageStreamId;
use crate::command::{Command, ConnectRejection, PlayRejection, PublishRejection, Status, code, connect};
use crate::message::UserControl;

/// Answers, each the whole sequence in one place.
impl ServerSession {
    /// Lets the client in.
    ///
    /// Set Chunk Size stands before `_result`, because OBS misread a `_result` cut at 128 bytes when the
    /// new size followed it (quirk 9). FFmpeg mirrors the size when it publishes.
    ///
    /// # Errors
    /// [`Error::Misuse`] when no `connect` awaits its answer.
    pub fn accept_connect(&mut self) -> Result<(), Error> {
        let transaction = self.asked_connect()?;
        let window = self.config.window_ack_size;
        self.link.send_window_ack_size(window);
        self.link.send_peer_bandwidth(window);
        self.link.send_user_control(UserControl::StreamBegin(MessageStreamId::CONNECTION));
        self.link.send_chunk_size(self.config.chunk_size);
        let result = connect::success(transaction, &self.config.server_version, &self.config.capabilities);
        self.link.send_command(MessageStreamId::CONNECTION, &result);
        self.link.set_limits(self.config.limits.before_publish());
        self.phase = Phase::Connected;
        Ok(())
    }

    /// Turns the client away: `_error`, and the session is closed.
    ///
    /// # Errors
    /// [`Error::Misuse`] when no `connect` awaits its answer.
    pub fn reject_connect(
        &mut self,
        reason: ConnectRejection,
        description: impl Into<Cow<'static, str>>,
    ) -> Result<(), Error> {
        let transaction = self.asked_connect()?;
        let error = connect::rejection(transaction, reason, description);
        self.link.send_command(MessageStreamId::CONNECTION, &error);
        self.phase = Phase::Closed;
        Ok(())
    }

    /// Lets the publisher begin: Stream Begin, `NetStream.Publish.Start`. From here on OBS hears nothing
    /// more (quirk 8), so nothing that matters is sent to a publisher.
    ///
    /// # Errors
    /// [`Error::Misuse`] when no `publish` of that stream awaits its answer.
    pub fn accept_publish(&mut self, stream: MessageStreamId) -> Result<(), Error> {
        let name = self.take_asked(stream, Role::Publisher)?;
        self.link.send_user_control(UserControl::StreamBegin(stream));
        let status = Status::new(code::PUBLISH_START, format!("{name} is now published.")).details(&name);
        self.link.send_status(stream, &status);
        self.streams.insert(stream, Use::Publishing { name });
        self.link.set_limits(self.config.limits.after_connect());
        self.has_published = true;
        Ok(())
    }

    /// Turns the publisher away. Close once the output is written: not every encoder leaves by itself.
    ///
    /// # Errors
    /// [`Error::Misuse`] when no `publish` of that stream awaits its answer.
    pub fn reject_publish(
        &mut self,
        stream: MessageStreamId,
        reason: PublishRejection,
        description: impl Into<Cow<'static, str>>,
    ) -> Result<(), Error> {
        let name = self.take_asked(stream, Role::Publisher)?;
        self.link.send_status(stream, &Status::error(reason.code(), description).details(&name));
        Ok(())
    }

    /// Throws a publisher out that was let in. What it still sends is dropped, up to
    /// [`crate::session::Limits::stray_media_bytes`]; OBS leaves only when the socket is closed.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the stream does not publish.
    pub fn end_publish(
        &mut self,
        stream: MessageStreamId,
        reason: PublishRejection,
        description: impl Into<Cow<'static, str>>,
    ) -> Result<(), Error> {
        match self.streams.get_mut(&stream) {
            Some(state @ Use::Publishing { .. }) => *state = Use::Idle,
            _ => return Err(Error::Misuse("the stream does not publish")),
        }
        self.link.send_status(stream, &Status::error(reason.code(), description));
        Ok(())
    }

    /// Lets the player begin: Set Chunk Size, (Stream Is Recorded,) Stream Begin, `NetStream.Play.Reset`,
    /// `NetStream.Play.Start`, `|RtmpSampleAccess`. The caller sends metadata, configurations and media
    /// next, on this stream and in [`ServerSession::chunk_size`].
    ///
    /// No other status may come before these: GStreamer takes the first for the verdict.
    ///
    /// # Errors
    /// [`Error::Misuse`] when no `play` of that stream awaits its answer.
    pub fn accept_play(&mut self, stream: MessageStreamId, recorded: bool) -> Result<(), Error> {
        let name = self.take_asked(stream, Role::Player)?;
        // A publisher on the same connection has stopped listening; the size is in force anyway.
        if !self.streams.values().any(|state| matches!(state, Use::Publishing { .. })) {
            self.link.send_chunk_size(self.config.chunk_size);
        }
        self.begin_stream(stream, recorded);
        let reset = Status::new(code::PLAY_RESET, format!("Playing and resetting {name}.")).details(&name);
        self.link.send_status(stream, &reset);
        self.send_play_start(stream, &name);
        let access = [Value::string("|RtmpSampleAccess"), Value::Boolean(true), Value::Boolean(true)];
        self.link.send_media(stream, MediaKind::Data, 0, &[amf0::encode_all(&access)])?;
        self.streams.insert(stream, Use::Playing { name, recorded });
        Ok(())
    }

    /// Turns the player away; the connection may try again.
    ///
    /// # Errors
    /// [`Error::Misuse`] when no `play` of that stream awaits its answer.
    pub fn reject_play(
        &mut self,
        stream: MessageStreamId,
        reason: PlayRejection,
        description: impl Into<Cow<'static, str>>,
    ) -> Result<(), Error> {
        let name = self.take_asked(stream, Role::Player)?;
        self.link.send_status(stream, &Status::error(reason.code(), description).details(&name));
        Ok(())
    }

    /// Answers `getStreamLength`; `None` for a live stream or one that is not there (0 on the wire).
    pub fn answer_stream_length(&mut self, request: &StreamLengthRequest, seconds: Option<f64>) {
        let result = Command::new("_result", request.transaction).with(seconds.unwrap_or(0.0));
        self.link.send_command(MessageStreamId::CONNECTION, &result);
    }

    /// Confirms [`super::ServerEvent::Pause`]. Media that was on its way goes first: call it when the sending has
    /// stopped, or before it goes on.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the stream does not play.
    pub fn confirm_pause(&mut self, stream: MessageStreamId, pause: bool) -> Result<(), Error> {
        let (name, _) = self.playing(stream)?;
        if pause {
            let status = Status::new(code::PAUSE_NOTIFY, format!("{name} is paused.")).details(&name);
            self.link.send_status(stream, &status);
            self.link.send_user_control(UserControl::StreamEof(stream));
        } else {
            self.link.send_user_control(UserControl::StreamBegin(stream));
            let status = Status::new(code::UNPAUSE_NOTIFY, format!("{name} goes on.")).details(&name);
            self.link.send_status(stream, &status);
        }
        Ok(())
    }

    /// Confirms [`super::ServerEvent::Seek`]; configurations and the key frame at or before the place come next.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the stream does not play.
    pub fn confirm_seek(&mut self, stream: MessageStreamId, position_ms: u64) -> Result<(), Error> {
        let (name, recorded) = self.playing(stream)?;
        self.link.send_user_control(UserControl::StreamEof(stream));
        self.begin_stream(stream, recorded);
        let status =
            Status::new(code::SEEK_NOTIFY, format!("Seeking {position_ms} ms in {name}.")).details(&name);
        self.link.send_status(stream, &status);
        self.send_play_start(stream, &name);
        Ok(())
    }

    /// Refuses [`super::ServerEvent::Seek`]; playing goes on where it was. A warning: FFmpeg ends at errors.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the stream does not play.
    pub fn reject_seek(
        &mut self,
        stream: MessageStreamId,
        reason: SeekRejection,
        description: impl Into<Cow<'static, str>>,
    ) -> Result<(), Error> {
        let (name, _) = self.playing(stream)?;
        let code = match reason {
            SeekRejection::Failed => code::SEEK_FAILED,
            SeekRejection::InvalidTime => code::SEEK_INVALID_TIME,
        };
        let status = Status::warning(code, description).details(&name);
        self.link.send_status(stream, &status);
        Ok(())
    }

    /// Confirms that audio or video comes again after [`super::ServerEvent::Receive`]: `NetStream.Seek.Notify`,
    /// `NetStream.Play.Start`. That it does not come is not answered (RTMP 1.0 §7.2.2.4, §7.2.2.5).
    ///
    /// # Errors
    /// [`Error::Misuse`] when the stream does not play.
    pub fn confirm_receive(&mut self, stream: MessageStreamId, position_ms: u64) -> Result<(), Error> {
        let (name, _) = self.playing(stream)?;
        let status =
            Status::new(code::SEEK_NOTIFY, format!("Seeking {position_ms} ms in {name}.")).details(&name);
        self.link.send_status(stream, &status);
        self.send_play_start(stream, &name);
        Ok(())
    }

    /// Takes note of [`super::ServerEvent::Play2`]: `NetStream.Play.Transition`.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the stream does not play.
    pub fn accept_transition(&mut self, stream: MessageStreamId, name: &str) -> Result<(), Error> {
        self.playing(stream)?;
        let text = format!("The transition to {name} has begun.");
        let status = Status::new(code::PLAY_TRANSITION, text).details(name);
        self.link.send_status(stream, &status);
        Ok(())
    }

    /// The player's stream goes on with another: `NetStream.Play.Switch` and `NetStream.Play.Start`, or
    /// `NetStream.Play.TransitionComplete`. Configurations and a key frame come next.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the stream does not play.
    pub fn play_next(
        &mut self,
        stream: MessageStreamId,
        name: &str,
        recorded: bool,
        following: Following,
    ) -> Result<(), Error> {
        let (before, _) = self.playing(stream)?;
        match following {
            Following::Playlist => {
                let text = format!("{name} follows {before}.");
                self.send_play_status(stream, &Status::new(code::PLAY_SWITCH, text).details(name), [])?;
                self.begin_stream(stream, recorded);
                self.send_play_start(stream, name);
            }
            Following::Transition => {
                let status = Status::new(code::PLAY_TRANSITION_COMPLETE, format!("{name} is playing."));
                self.send_play_status(stream, &status.details(name), [])?;
            }
        }
        self.streams.insert(stream, Use::Playing { name: name.to_owned(), recorded });
        Ok(())
    }

    /// Everything that was asked for has been sent: `NetStream.Play.Complete`, Stream EOF,
    /// `NetStream.Play.Stop`. The player may seek, and it goes on; see [`end_play`](Self::end_play) for the end.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the stream does not play.
    pub fn complete_play(&mut self, stream: MessageStreamId, seconds: f64, bytes: u64) -> Result<(), Error> {
        let (name, _) = self.playing(stream)?;
        let status = Status::new(code::PLAY_COMPLETE, format!("{name} is complete.")).details(&name);
        self.send_play_status(stream, &status, [("duration", seconds), ("bytes", bytes as f64)])?;
        self.send_stop(stream, &name);
        Ok(())
    }

    /// Says how it stands with the player's buffer: full, so that nothing comes for a while (Stream
    /// BufferEmpty: of the server's side nothing is left), or media comes again (Stream BufferReady).
    /// librtmp asks for more at once when it hears the first (`RTMP_LF_BUFX`).
    ///
    /// # Errors
    /// [`Error::Misuse`] when the stream does not play.
    pub fn tell_buffer(&mut self, stream: MessageStreamId, is_full: bool) -> Result<(), Error> {
        self.playing(stream)?;
        let event = if is_full { UserControl::BufferEmpty } else { UserControl::BufferReady };
        self.link.send_user_control(event(stream));
        Ok(())
    }

    /// Ends a player's stream: Stream EOF, `NetStream.Play.Stop`. The connection may play something else.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the stream does not play.
    pub fn end_play(&mut self, stream: MessageStreamId) -> Result<(), Error> {
        let (name, _) = self.playing(stream)?;
        self.send_stop(stream, &name);
        self.streams.insert(stream, Use::Idle);
        Ok(())
    }

    /// Tells a player that the publisher has come or gone, while it goes on waiting. FFmpeg, VLC and
    /// librtmp leave when the publisher goes: keep silent if they are to survive its return.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the stream does not play.
    pub fn notify_publisher(&mut self, stream: MessageStreamId, is_there: bool) -> Result<(), Error> {
        let (name, _) = self.playing(stream)?;
        let status = if is_there {
            self.link.send_user_control(UserControl::StreamBegin(stream));
            Status::new(code::PLAY_PUBLISH_NOTIFY, format!("{name} is now published."))
        } else {
            self.link.send_user_control(UserControl::StreamEof(stream));
            Status::new(code::PLAY_UNPUBLISH_NOTIFY, format!("{name} is now unpublished."))
        };
        self.link.send_status(stream, &status.details(&name));
        Ok(())
    }

    /// Sends a status about a stream, whatever it is used for; on stream 0 about the connection.
    pub fn send_status(&mut self, stream: MessageStreamId, status: &Status) {
        self.link.send_status(stream, status);
    }

    /// Sends audio, video or data (handler's name first) to a player. The message is `pieces` in order;
    /// large ones are shared.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the stream does not play or the message is too long.
    pub fn send_media(
        &mut self,
        stream: MessageStreamId,
        kind: MediaKind,
        timestamp: u32,
        pieces: &[Bytes],
    ) -> Result<(), Error> {
        self.playing(stream)?;
        self.link.send_media(stream, kind, timestamp, pieces)
    }

    /// Asks whether the client still listens; [`super::ServerEvent::Pong`] if it does.
    pub fn ping(&mut self, now_ms: u32) {
        self.link.send_user_control(UserControl::PingRequest(now_ms));
    }

    /// Asks the client to come again, at `tc_url` or where it is now (Enhanced RTMP v2, "Reconnect
    /// Request"). Go on serving for a while, then close: OBS and FFmpeg do not know it.
    pub fn request_reconnect(&mut self, tc_url: Option<&str>, description: impl Into<Cow<'static, str>>) {
        let mut information = Status::new(code::CONNECT_RECONNECT_REQUEST, description).to_object();
        if let Some(tc_url) = tc_url {
            information = information.with("tcUrl", tc_url);
        }
        let command = Command::new("onStatus", 0.0).with(information);
        self.link.send_command(MessageStreamId::CONNECTION, &command);
    }

    /// Ends every stream and the connection with a word of why, and hears no more.
    pub fn close(&mut self, description: impl Into<Cow<'static, str>>) {
        for (stream, state) in std::mem::take(&mut self.streams) {
            let status = match state {
                Use::Playing { name, .. } => {
                    self.link.send_user_control(UserControl::StreamEof(stream));
                    Status::new(code::PLAY_STOP, format!("Stopped playing {name}.")).details(&name)
                }
                Use::Publishing { name } => {
                    Status::new(code::UNPUBLISH_SUCCESS, format!("{name} is now unpublished.")).details(&name)
                }
                Use::Idle | Use::Asked { .. } => continue,
            };
            self.link.send_status(stream, &status);
        }
        match self.phase {
            Phase::Connected => {
                let status = Status::new(code::CONNECT_CLOSED, description);
                self.link.send_status(MessageStreamId::CONNECTION, &status);
            }
            Phase::Asked { transaction } => {
                let error = connect::rejection(transaction, ConnectRejection::AppShutdown, description);
                self.link.send_command(MessageStreamId::CONNECTION, &error);
            }
            Phase::Handshake(_) | Phase::AwaitConnect | Phase::Closed => {}
        }
        self.phase = Phase::Closed;
    }

    fn send_stop(&mut self, stream: MessageStreamId, name: &str) {
        self.link.send_user_control(UserControl::StreamEof(stream));
        let status = Status::new(code::PLAY_STOP, format!("Stopped playing {name}.")).details(name);
        self.link.send_status(stream, &status);
    }

    /// `onPlayStatus` is data: it keeps its place between the frames.
    fn send_play_status<const N: usize>(
        &mut self,
        stream: MessageStreamId,
        status: &Status,
        more: [(&str, f64); N],
    ) -> Result<(), Error> {
        let information =
            more.into_iter().fold(status.to_object(), |object, (key, value)| object.with(key, value));
        let values = [Value::string("onPlayStatus"), Value::Object(information)];
        self.link.send_media(stream, MediaKind::Data, 0, &[amf0::encode_all(&values)])
    }

    fn begin_stream(&mut self, stream: MessageStreamId, recorded: bool) {
        if recorded {
            self.link.send_user_control(UserControl::StreamIsRecorded(stream));
        }
        self.link.send_user_control(UserControl::StreamBegin(stream));
    }

    fn send_play_start(&mut self, stream: MessageStreamId, name: &str) {
        let status = Status::new(code::PLAY_START, format!("Started playing {name}.")).details(name);
        self.link.send_status(stream, &status);
    }

    fn asked_connect(&self) -> Result<f64, Error> {
        match self.phase {
            Phase::Asked { transaction } => Ok(transaction),
            _ => Err(Error::Misuse("no `connect` awaits its answer")),
        }
    }

    /// The stream's name, and the stream is idle again.
    fn take_asked(&mut self, stream: MessageStreamId, role: Role) -> Result<String, Error> {
        match self.streams.get_mut(&stream) {
            Some(state @ Use::Asked { .. }) => match std::mem::replace(state, Use::Idle) {
                Use::Asked { role: asked, name } if asked == role => Ok(name),
                other => {
                    *state = other;
                    Err(Error::Misuse("the stream awaits another answer"))
                }
            },
            _ => Err(Error::Misuse("no request of that stream awaits its answer")),
        }
    }

    fn playing(&self, stream: MessageStreamId) -> Result<(String, bool), Error> {
        match self.streams.get(&stream) {
            Some(Use::Playing { name, recorded }) => Ok((name.clone(), *recorded)),
            _ => Err(Error::Misuse("the stream does not play")),
        }
    }
}
