//! What a client's commands do to the session: who may say what when, and what is answered at once.
//!
//! Requests that somebody must decide become events; everything else is answered here.

use headwater_media::MediaKind;
use headwater_media::amf::Value;

use super::{
    Base, PauseRequest, Pending, Phase, ReceiveRequest, Role, SeekRequest, ServerEvent, ServerSession,
    StreamLengthRequest, Use,
};
use crate::chunk::MessageStreamId;
use crate::command::{
    Command, ConnectRequest, Play2Request, PlayRejection, PlayRequest, PublishKind, PublishRejection,
    PublishRequest, Status, code,
};
use crate::url::{PathFault, StreamPath};
use crate::{Error, Fault};

impl ServerSession {
    pub(super) fn take_command(
        &mut self,
        stream: MessageStreamId,
        command: &Command,
        at: u64,
    ) -> Result<(), Error> {
        match (&self.phase, command.name.as_str()) {
            (Phase::AwaitConnect, "connect") => return self.connect(command),
            (_, "connect") => {
                return Err(Error::Peer { at, fault: Fault::ConnectTwice });
            }
            (Phase::Connected, _) => {}
            (_, name) => {
                let command = name.chars().take(40).collect();
                return Err(Error::Peer { at, fault: Fault::BeforeConnect { command } });
            }
        }
        match command.name.as_str() {
            "createStream" => return self.create_stream(command, at),
            "deleteStream" => self.delete_stream(command),
            "publish" | "play" | "play2" => return self.begin(stream, command, at),
            "closeStream" => {
                if let Some(stream) = self.meant(stream) {
                    self.stop(stream);
                }
            }
            "pause" | "pauseRaw" | "seek" | "receiveAudio" | "receiveVideo" => self.steer(stream, command),
            "FCPublish" | "FCUnpublish" | "FCSubscribe" | "FCUnsubscribe" => self.announce_name(command),
            "getStreamLength" => self.stream_length(command),
            // FMLE waits for these (quirk 26); Haivision asks `_checkbw` before `createStream` (quirk 40).
            "releaseStream" | "_checkbw" | "checkBandwidth" | "getPing" | "getIdent" | "setClientID"
            | "startTransmit" | "stopTransmit" => self.answer(command),
            "_result" | "_error" | "onStatus" | "close" | "receiveVideoFPS" => {}
            name => {
                if command.transaction != 0.0 {
                    let error = Command::call_failed(name, command.transaction);
                    self.link.send_command(MessageStreamId::CONNECTION, &error);
                }
            }
        }
        Ok(())
    }

    fn connect(&mut self, command: &Command) -> Result<(), Error> {
        let request = ConnectRequest::read(command);
        self.base = Base { tc_url: request.tc_url.as_str().into(), app: request.app.as_str().into() };
        self.phase = Phase::Asked { transaction: command.transaction };
        self.events.push_back(ServerEvent::Connect(Pending::new(request)));
        Ok(())
    }

    /// The first is 1: gortmplib takes no other.
    fn create_stream(&mut self, command: &Command, at: u64) -> Result<(), Error> {
        let limit = self.config.limits.message_streams;
        if self.streams.len() >= limit {
            let (value, wanted) = (limit as u64, limit as u64 + 1);
            return Err(Error::Limit { at, name: "message_streams", value, wanted });
        }
        let free = (1..).map(MessageStreamId).find(|id| !self.streams.contains_key(id));
        let Some(stream) = free else { return Ok(()) };
        self.streams.insert(stream, Use::Idle);
        let result = Command::new("_result", command.transaction).with(f64::from(stream.0));
        self.link.send_command(MessageStreamId::CONNECTION, &result);
        Ok(())
    }

    /// A stream that is not there is no fault: it is gone, as wanted.
    fn delete_stream(&mut self, command: &Command) {
        let id = command.argument(0).as_number().unwrap_or(0.0);
        let stream = MessageStreamId(id as u32);
        self.stop(stream);
        self.streams.remove(&stream);
    }

    /// `publish`, `play` and `play2`. On a stream in use they end that use first (Flash, quirk 23), unless a player
    /// asks for more behind what it plays.
    fn begin(&mut self, stream: MessageStreamId, command: &Command, at: u64) -> Result<(), Error> {
        let Some(stream) = self.meant(stream) else {
            let fault = Fault::StreamMissing { command: command.name.clone(), stream };
            return Err(Error::Peer { at, fault });
        };
        let name = match command.name.as_str() {
            "play2" => command.argument(0).as_object().and_then(|options| options.get("streamName")),
            _ => Some(command.argument(0)),
        };
        // `publish(false)` and `play(false)` mean "stop". No name at all is an empty one (GoPro, quirk 35).
        let name = match name {
            Some(Value::Boolean(_)) => {
                self.stop(stream);
                return Ok(());
            }
            name => {
                name.and_then(Value::as_text).map(|name| name.to_str_lossy().into_owned()).unwrap_or_default()
            }
        };
        match self.base.resolve(&name) {
            Ok(path) => self.ask(stream, path, command),
            Err(fault) => {
                self.stop(stream);
                self.refuse(stream, fault, command);
            }
        }
        Ok(())
    }

    fn ask(&mut self, stream: MessageStreamId, path: StreamPath, command: &Command) {
        let plays = self.role(stream) == Some(Role::Player);
        let (role, event) = match command.name.as_str() {
            "publish" => {
                let request = PublishRequest { stream, path, kind: PublishKind::read(command) };
                (Role::Publisher, ServerEvent::Publish(Pending::new(request)))
            }
            "play2" => {
                let request = Play2Request::read(stream, path, command);
                if plays && !request.play.reset {
                    return self.events.push_back(ServerEvent::Play2(Pending::new(request)));
                }
                (Role::Player, ServerEvent::Play(Pending::new(request.into_beginning())))
            }
            _ => {
                let request = PlayRequest::read(stream, path, command);
                if plays && !request.reset {
                    return self.events.push_back(ServerEvent::PlayLater(request));
                }
                (Role::Player, ServerEvent::Play(Pending::new(request)))
            }
        };
        self.stop(stream);
        self.streams.insert(stream, Use::Asked { role });
        self.events.push_back(event);
    }

    fn refuse(&mut self, stream: MessageStreamId, fault: PathFault, command: &Command) {
        let code = match command.name.as_str() {
            "publish" => PublishRejection::BadName.code(),
            _ => PlayRejection::StreamNotFound.code(),
        };
        self.link.send_status(stream, &Status::error(code, fault.to_string()));
        self.events.push_back(ServerEvent::Refused { stream, fault });
    }

    /// What a player says while it plays; heard from nobody else.
    fn steer(&mut self, stream: MessageStreamId, command: &Command) {
        let Some(stream) = self.meant(stream).filter(|stream| self.role(*stream) == Some(Role::Player))
        else {
            return;
        };
        let milliseconds = |number| command.argument(number).as_number().unwrap_or(0.0).max(0.0) as u64;
        let on = command.argument(0).as_bool().unwrap_or(true);
        self.events.push_back(match command.name.as_str() {
            "seek" => {
                // Casts of floats go to the nearest that there is.
                let position_ms = command.argument(0).as_number().unwrap_or(0.0) as i64;
                ServerEvent::Seek(Pending::new(SeekRequest { stream, position_ms }))
            }
            "receiveAudio" | "receiveVideo" => {
                let is_audio = command.name == "receiveAudio";
                let kind = if is_audio { MediaKind::Audio } else { MediaKind::Video };
                ServerEvent::Receive(Pending::new(ReceiveRequest { stream, kind, on }))
            }
            _ => {
                let position_ms = milliseconds(1);
                ServerEvent::Pause(Pending::new(PauseRequest { stream, pause: on, position_ms }))
            }
        });
    }

    fn stream_length(&mut self, command: &Command) {
        let name = command.text(0).unwrap_or_default();
        match self.base.resolve(&name) {
            Ok(path) => {
                let request = StreamLengthRequest { path, transaction: command.transaction };
                self.events.push_back(ServerEvent::StreamLength(Pending::new(request)));
            }
            Err(_) => self.answer(command),
        }
    }

    /// What Flash Media Server did for clients that announce a name before they use it, and say that they are done
    /// with it: it called them back and then answered. FMLE, Livestream Studio and appliances wait for the call (quirk
    /// 26); librtmp closes at `onFCUnsubscribe`, which it has asked for. The name is not said again: it may hold a key,
    /// and whether it may be used is not decided yet.
    fn announce_name(&mut self, command: &Command) {
        let name = command.text(0).unwrap_or_default();
        let (call, code, text) = match command.name.as_str() {
            "FCPublish" => ("onFCPublish", code::PUBLISH_START, "Go on and publish it."),
            "FCUnpublish" => ("onFCUnpublish", code::UNPUBLISH_SUCCESS, "It is no longer published."),
            "FCSubscribe" => ("onFCSubscribe", code::PLAY_START, "Go on and play it."),
            _ => ("onFCUnsubscribe", code::PLAY_STOP, "It is no longer played."),
        };
        let call = Command::new(call, 0.0).with(Status::new(code, text).to_object());
        self.link.send_command(MessageStreamId::CONNECTION, &call);
        self.answer(command);
        if command.name == "FCUnpublish" {
            self.unpublish_named(&name);
        }
    }

    /// `FCUnpublish` carries a name and no stream.
    fn unpublish_named(&mut self, name: &str) {
        let wanted = self.base.resolve(name).map(|path| path.name);
        let publishing = |state: &Use| match state {
            Use::Publishing { name } => Some(name.clone()),
            _ => None,
        };
        let all: Vec<_> =
            self.streams.iter().filter_map(|(&id, state)| Some((id, publishing(state)?))).collect();
        let meant = match all.as_slice() {
            [(only, _)] => Some(*only),
            all => all.iter().find(|(_, name)| wanted.as_ref() == Ok(name)).map(|(id, _)| *id),
        };
        if let Some(stream) = meant {
            self.stop(stream);
            let name = wanted.unwrap_or_default();
            let text = format!("{name} is now unpublished.");
            self.link.send_status(stream, &Status::new(code::UNPUBLISH_SUCCESS, text).details(&name));
        }
    }

    /// Ends what the stream is used for; the stream stays. Of no effect on an idle one, so that
    /// FCUnpublish, closeStream and deleteStream in a row are one stop.
    fn stop(&mut self, stream: MessageStreamId) {
        let Some(state) = self.streams.get_mut(&stream) else { return };
        let role = state.role();
        *state = Use::Idle;
        if let Some(role) = role {
            self.deadlines.stopped();
            self.events.push_back(ServerEvent::Stopped { stream, role });
        }
    }

    /// The stream that a command is about: the one that it came on, or else the only one there is. Some
    /// clients send stream commands on the connection's stream 0.
    fn meant(&self, stream: MessageStreamId) -> Option<MessageStreamId> {
        if self.streams.contains_key(&stream) {
            return Some(stream);
        }
        let mut all = self.streams.keys();
        let only = all.next().copied();
        if all.next().is_some() { None } else { only }
    }

    fn answer(&mut self, command: &Command) {
        if command.transaction != 0.0 {
            let result = Command::result(command.transaction);
            self.link.send_command(MessageStreamId::CONNECTION, &result);
        }
    }
}
