//! The client's requests and its media. Twin of `server/answers.rs`.

use bytes::Bytes;
use headwater_media::MediaKind;
use headwater_media::amf::{Object, Value, amf0};

use super::{Asked, ClientSession, Phase, Play2Options, PlayOptions, Purpose, Use};
use crate::Error;
use crate::chunk::MessageStreamId;
use crate::command::{Command, PlayStart, PublishKind};
use crate::message::UserControl;

/// Requests, and what is sent.
impl ClientSession {
    /// Creates a stream and publishes on it under `name`, which may carry a query. The verdict comes as
    /// [`super::ClientEvent::PublishStarted`] or [`super::ClientEvent::Rejected`].
    ///
    /// # Errors
    /// [`Error::Misuse`] before [`super::ClientEvent::Connected`].
    pub fn publish(&mut self, name: &str, kind: PublishKind) -> Result<(), Error> {
        self.must_be_connected()?;
        for courtesy in ["releaseStream", "FCPublish"] {
            self.send_courtesy(courtesy, name);
        }
        self.create_stream(Purpose::Publish { name: name.to_owned(), kind });
        Ok(())
    }

    /// Creates a stream and plays `name` on it, which may carry a query. The verdict comes as
    /// [`super::ClientEvent::PlayStarted`] or [`super::ClientEvent::Rejected`].
    ///
    /// # Errors
    /// [`Error::Misuse`] before [`super::ClientEvent::Connected`].
    pub fn play(&mut self, name: &str, options: PlayOptions) -> Result<(), Error> {
        self.must_be_connected()?;
        self.link.send_window_ack_size(self.config.window_ack_size);
        if options.start == PlayStart::Live {
            // Flash Media Server and its edges open a live stream only when asked so.
            self.send_courtesy("FCSubscribe", name);
        }
        self.create_stream(Purpose::Play { name: name.to_owned(), options });
        Ok(())
    }

    /// Sends audio or video (the FLV tag's body), or data (handler's name first). The message is
    /// `pieces` in order; large ones are shared, not copied.
    ///
    /// # Errors
    /// [`Error::Misuse`] unless the stream publishes, or when the message is longer than 16,777,215
    /// bytes.
    pub fn send_media(
        &mut self,
        stream: MessageStreamId,
        kind: MediaKind,
        timestamp: u32,
        pieces: &[Bytes],
    ) -> Result<(), Error> {
        if !matches!(self.streams.get(&stream), Some(Use::Publishing { .. })) {
            return Err(Error::Misuse("the stream does not publish"));
        }
        self.link.send_media(stream, kind, timestamp, pieces)
    }

    /// Sends data that the server keeps for later viewers (`@setDataFrame`): `payload` is the handler's
    /// name and the values, AMF0, as in an FLV script tag.
    ///
    /// # Errors
    /// As [`ClientSession::send_media`].
    pub fn send_metadata(
        &mut self,
        stream: MessageStreamId,
        timestamp: u32,
        payload: Bytes,
    ) -> Result<(), Error> {
        let set = amf0::encode_all(&[Value::string("@setDataFrame")]);
        self.send_media(stream, MediaKind::Data, timestamp, &[set, payload])
    }

    /// Asks for a stream's length in seconds; [`super::ClientEvent::StreamLength`] answers. Best before
    /// [`ClientSession::play`].
    ///
    /// # Errors
    /// [`Error::Misuse`] before [`super::ClientEvent::Connected`].
    pub fn request_stream_length(&mut self, name: &str) -> Result<(), Error> {
        self.must_be_connected()?;
        let transaction = self.ask(Asked::StreamLength);
        let command = Command::new("getStreamLength", transaction).with(name);
        self.link.send_command(MessageStreamId::CONNECTION, &command);
        Ok(())
    }

    /// Pauses, or goes on, at `position_ms`; [`super::ClientEvent::Status`] confirms.
    ///
    /// # Errors
    /// [`Error::Misuse`] unless the stream plays.
    pub fn pause(&mut self, stream: MessageStreamId, pause: bool, position_ms: u64) -> Result<(), Error> {
        self.steer(stream, &Command::new("pause", 0.0).with(pause).with(position_ms as f64))
    }

    /// Goes to `position_ms`; [`super::ClientEvent::Status`] confirms. Below 0 it is before the place where playing began.
    ///
    /// # Errors
    /// [`Error::Misuse`] unless the stream plays.
    pub fn seek(&mut self, stream: MessageStreamId, position_ms: i64) -> Result<(), Error> {
        self.steer(stream, &Command::new("seek", 0.0).with(position_ms as f64))
    }

    /// Switches audio or video off or on; [`MediaKind::Data`] cannot be switched.
    ///
    /// # Errors
    /// [`Error::Misuse`] unless the stream plays.
    pub fn receive(&mut self, stream: MessageStreamId, kind: MediaKind, on: bool) -> Result<(), Error> {
        let name = match kind {
            MediaKind::Audio => "receiveAudio",
            MediaKind::Video => "receiveVideo",
            MediaKind::Data => return Err(Error::Misuse("data cannot be switched off")),
        };
        self.steer(stream, &Command::new(name, 0.0).with(on))
    }

    /// Asks for `name` behind what `stream` plays (`play` without `reset`). When its turn comes,
    /// [`super::ClientEvent::Status`] says `NetStream.Play.Switch`.
    ///
    /// # Errors
    /// [`Error::Misuse`] unless the stream plays.
    pub fn play_later(
        &mut self,
        stream: MessageStreamId,
        name: &str,
        options: PlayOptions,
    ) -> Result<(), Error> {
        let command = play_command(0.0, name, PlayOptions { reset: false, ..options });
        self.steer(stream, &command)
    }

    /// Asks for `name` in place of what `stream` plays, or behind it (`play2`).
    /// [`super::ClientEvent::Status`] says `NetStream.Play.Transition`, and `NetStream.Play.TransitionComplete` when the first
    /// frame of it comes.
    ///
    /// # Errors
    /// [`Error::Misuse`] unless the stream plays.
    pub fn play2(
        &mut self,
        stream: MessageStreamId,
        name: &str,
        options: &Play2Options,
    ) -> Result<(), Error> {
        let Play2Options { transition, old_name, start, duration_ms, offset_ms } = options;
        let mut object = Object::new()
            .with("streamName", name)
            .with("oldStreamName", old_name.as_str())
            .with("start", start.number())
            .with("len", duration_ms.map_or(-1.0, |ms| ms as f64))
            .with("transition", transition.word());
        if let Some(offset_ms) = offset_ms {
            // In seconds, unlike everything else on the wire.
            object = object.with("offset", *offset_ms as f64 / 1000.0);
        }
        self.steer(stream, &Command::new("play2", 0.0).with(object))
    }

    /// Announces how much we hold in our buffer.
    pub fn set_buffer_length(&mut self, stream: MessageStreamId, ms: u32) {
        self.link.send_user_control(UserControl::SetBufferLength { stream, ms });
    }

    /// Stops publishing or playing; the stream stays with the server and is not used again.
    pub fn close_stream(&mut self, stream: MessageStreamId) {
        if self.streams.remove(&stream).is_some() {
            self.link.send_command(stream, &Command::new("closeStream", 0.0));
        }
    }

    /// Stops publishing or playing, and gives the stream back. Call it before leaving: a server that
    /// waits for a vanished publisher holds its name.
    pub fn delete_stream(&mut self, stream: MessageStreamId) {
        match self.streams.remove(&stream) {
            None => return,
            Some(Use::Publishing { name } | Use::AskedToPublish { name }) => {
                self.send_courtesy("FCUnpublish", &name);
            }
            Some(_) => {}
        }
        let command = Command::new("deleteStream", 0.0).with(f64::from(stream.0));
        self.link.send_command(MessageStreamId::CONNECTION, &command);
    }

    fn must_be_connected(&self) -> Result<(), Error> {
        match self.phase {
            Phase::Connected => Ok(()),
            _ => Err(Error::Misuse("the session is not connected")),
        }
    }

    fn send_courtesy(&mut self, command: &str, name: &str) {
        let transaction = self.ask(Asked::Courtesy);
        self.link.send_command(MessageStreamId::CONNECTION, &Command::new(command, transaction).with(name));
    }

    fn create_stream(&mut self, purpose: Purpose) {
        let transaction = self.ask(Asked::CreateStream(purpose));
        self.link.send_command(MessageStreamId::CONNECTION, &Command::new("createStream", transaction));
    }

    fn steer(&mut self, stream: MessageStreamId, command: &Command) -> Result<(), Error> {
        // A film that has come to its end can be sought in.
        if !matches!(self.streams.get(&stream), Some(Use::Playing | Use::Over)) {
            return Err(Error::Misuse("the stream does not play"));
        }
        self.link.send_command(stream, command);
        Ok(())
    }
}

/// `play` with as few arguments as say it: some servers know no more.
pub(super) fn play_command(transaction: f64, name: &str, options: PlayOptions) -> Command {
    let command = Command::new("play", transaction).with(name).with(options.start.number());
    if options.duration_ms.is_none() && options.reset {
        return command;
    }
    let duration = options.duration_ms.map_or(-1.0, |ms| ms as f64);
    command.with(duration).with(options.reset)
}
