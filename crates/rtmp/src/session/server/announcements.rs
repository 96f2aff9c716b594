//! What the server says of its own accord: to a publisher, to a player, to the client as a whole. Each function is
//! one whole sequence of messages, in the order that the field's clients need.

use std::borrow::Cow;

use bytes::Bytes;
use headwater_media::MediaKind;
use headwater_media::amf::{Value, amf0};

use super::{Following, Phase, ServerSession, Use};
use crate::Error;
use crate::chunk::MessageStreamId;
use crate::command::{Command, ConnectRejection, PublishRejection, Status, code, connect};
use crate::message::UserControl;

/// Announcements, each the whole sequence in one place.
impl ServerSession {
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

    /// Asks whether the client still listens; [`crate::session::ServerEvent::Pong`] if it does.
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

    pub(super) fn begin_stream(&mut self, stream: MessageStreamId, recorded: bool) {
        if recorded {
            self.link.send_user_control(UserControl::StreamIsRecorded(stream));
        }
        self.link.send_user_control(UserControl::StreamBegin(stream));
    }

    pub(super) fn send_play_start(&mut self, stream: MessageStreamId, name: &str) {
        let status = Status::new(code::PLAY_START, format!("Started playing {name}.")).details(name);
        self.link.send_status(stream, &status);
    }

    pub(super) fn playing(&self, stream: MessageStreamId) -> Result<(String, bool), Error> {
        match self.streams.get(&stream) {
            Some(Use::Playing { name, recorded }) => Ok((name.clone(), *recorded)),
            _ => Err(Error::Misuse("the stream does not play")),
        }
    }
}
