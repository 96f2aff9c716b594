//! What a server's answers and statuses do to the session. Twin of `server/commands.rs`.

use bytes::Bytes;
use headwater_media::amf::{Value, amf0};

use super::requests::play_command;
use super::{Asked, ClientEvent, ClientSession, Phase, Purpose, Use};
use crate::chunk::MessageStreamId;
use crate::command::{Command, Level, Status, code};
use crate::login;
use crate::message::DataScope;
use crate::url::RtmpUrl;
use crate::{Error, Fault};

impl ClientSession {
    pub(super) fn take_command(
        &mut self,
        stream: MessageStreamId,
        command: &Command,
        at: u64,
    ) -> Result<(), Error> {
        match command.name.as_str() {
            "_result" | "_error" => self.take_answer(stream, command, at)?,
            "onStatus" => {
                let status = Status::from_value(command.argument(0));
                if status.code == code::CONNECT_RECONNECT_REQUEST {
                    self.take_reconnect_request(command.argument(0), status);
                } else {
                    self.take_status(stream, status);
                }
            }
            "close" => {
                self.events.push_back(ClientEvent::Closed);
                self.phase = Phase::Closed;
            }
            // Bandwidth probes of Flash Media Server; `onBWDone` wants none.
            "_onbwcheck" => self.answer(&Command::result(command.transaction)),
            "ping" => self.answer(&Command::new("pong", command.transaction)),
            "onBWDone" | "_onbwdone" | "onFCPublish" | "onFCUnpublish" | "onFCSubscribe"
            | "onFCUnsubscribe" => {}
            name if command.transaction != 0.0 => {
                self.answer(&Command::call_failed(name, command.transaction));
            }
            _ => {}
        }
        Ok(())
    }

    fn take_answer(&mut self, stream: MessageStreamId, command: &Command, at: u64) -> Result<(), Error> {
        let is_error = command.name == "_error";
        let asked = self.asked.remove(&(command.transaction as u32));
        match asked {
            Some(Asked::Connect) if is_error => self.turned_away(Status::from_value(command.argument(0))),
            Some(Asked::Connect) => {
                self.phase = Phase::Connected;
                let object = |value: &Value| value.as_object().cloned().unwrap_or_default();
                let properties = object(&command.object);
                let information = object(command.argument(0));
                self.events.push_back(ClientEvent::Connected { properties, information });
            }
            Some(Asked::CreateStream(_)) if is_error => {
                // A connection without a stream is of no use.
                self.phase = Phase::Closed;
                let status = Status::from_value(command.argument(0));
                self.events.push_back(ClientEvent::Rejected { stream, status });
            }
            Some(Asked::CreateStream(purpose)) => self.begin(purpose, command, at)?,
            Some(Asked::StreamLength) => {
                let seconds = command.argument(0).as_number().filter(|seconds| *seconds > 0.0);
                self.events.push_back(ClientEvent::StreamLength { seconds });
            }
            // A `_result` to publish or play is no verdict: the status is.
            Some(Asked::Courtesy) | None => {}
        }
        Ok(())
    }

    /// The server does not let us in; perhaps it does after a login.
    fn turned_away(&mut self, status: Status) {
        self.phase = Phase::Closed;
        let credentials = self.url.credentials.as_ref();
        let login = credentials.and_then(|credentials| {
            login::next_query(credentials, &self.url.login, &status.description, &self.nonce)
        });
        self.events.push_back(match login {
            Some(login) => ClientEvent::LoginAsked { url: RtmpUrl { login, ..self.url.clone() } },
            None => ClientEvent::Rejected { stream: MessageStreamId::CONNECTION, status },
        });
    }

    /// The stream is there: says what it is for.
    fn begin(&mut self, purpose: Purpose, command: &Command, at: u64) -> Result<(), Error> {
        let id = command.argument(0).as_number().unwrap_or(0.0) as u32;
        let stream = MessageStreamId(id);
        if stream == MessageStreamId::CONNECTION || self.streams.contains_key(&stream) {
            return Err(Error::Peer { at, fault: Fault::NoNewStream { id } });
        }
        match purpose {
            Purpose::Publish { name, kind } => {
                let command = Command::new("publish", self.running()).with(name.as_str()).with(kind.word());
                self.link.send_command(stream, &command);
                self.streams.insert(stream, Use::AskedToPublish { name });
            }
            Purpose::Play { name, options } => {
                let command = play_command(self.running(), &name, options);
                self.link.send_command(stream, &command);
                self.set_buffer_length(stream, options.buffer_ms);
                self.streams.insert(stream, Use::AskedToPlay);
            }
        }
        self.events.push_back(ClientEvent::StreamCreated { stream });
        Ok(())
    }

    fn take_reconnect_request(&mut self, information: &Value, status: Status) {
        let tc_url = information.as_object().and_then(|object| object.get("tcUrl")).and_then(Value::as_text);
        let tc_url = tc_url.map(|text| text.to_str_lossy());
        let url = self.url.moved(tc_url.as_deref()).unwrap_or_else(|_| self.url.clone());
        self.events.push_back(ClientEvent::ReconnectRequested { url, status });
    }

    /// A number for a command whose answer does not matter.
    fn running(&mut self) -> f64 {
        self.transaction = self.transaction.wrapping_add(1).max(1);
        self.transaction.into()
    }

    /// Some servers send the status of the only stream on the connection's stream 0.
    fn take_status(&mut self, stream: MessageStreamId, status: Status) {
        let stream = if self.streams.contains_key(&stream) { stream } else { self.only_stream(stream) };
        let Some(state) = self.streams.get_mut(&stream) else {
            let is_final = status.level == Level::Error;
            if is_final {
                // SRS turns a `connect` away like this.
                self.phase = Phase::Closed;
            }
            self.events.push_back(match is_final {
                true => ClientEvent::Rejected { stream, status },
                false => ClientEvent::Status { stream, status },
            });
            return;
        };
        let event = match (&*status.code, &state) {
            (code::SEEK_FAILED | code::SEEK_INVALID_TIME, _) => ClientEvent::Status { stream, status },
            _ if status.level == Level::Error => {
                *state = Use::Over;
                ClientEvent::Rejected { stream, status }
            }
            (code::PUBLISH_START, Use::AskedToPublish { name }) => {
                *state = Use::Publishing { name: name.clone() };
                ClientEvent::PublishStarted { stream }
            }
            (code::PLAY_START | code::PLAY_PUBLISH_NOTIFY, Use::AskedToPlay | Use::Over) => {
                *state = Use::Playing;
                ClientEvent::PlayStarted { stream }
            }
            (code::PLAY_STOP | code::PLAY_UNPUBLISH_NOTIFY, Use::Playing) => {
                *state = Use::Over;
                ClientEvent::EndOfStream { stream, status }
            }
            _ => ClientEvent::Status { stream, status },
        };
        self.events.push_back(event);
    }

    fn only_stream(&self, stream: MessageStreamId) -> MessageStreamId {
        match (stream, self.streams.len(), self.streams.keys().next()) {
            (MessageStreamId::CONNECTION, 1, Some(&only)) => only,
            _ => stream,
        }
    }

    /// `onPlayStatus` is a status in the clothes of data.
    pub(super) fn take_data(
        &mut self,
        stream: MessageStreamId,
        timestamp: u32,
        scope: DataScope,
        payload: Bytes,
    ) {
        let status = play_status(&payload);
        if let (Some(status), Some(state)) = (status, self.streams.get_mut(&stream)) {
            match (&*status.code, &state) {
                (code::PLAY_COMPLETE, Use::Playing) => {
                    *state = Use::Over;
                    self.events.push_back(ClientEvent::EndOfStream { stream, status });
                }
                (code::PLAY_COMPLETE, _) => {}
                _ => self.events.push_back(ClientEvent::Status { stream, status }),
            }
            return;
        }
        self.events.push_back(ClientEvent::Data { stream, timestamp, scope, payload });
    }

    fn answer(&mut self, command: &Command) {
        self.link.send_command(MessageStreamId::CONNECTION, command);
    }
}

fn play_status(payload: &[u8]) -> Option<Status> {
    // Looked at before it is decoded: this passes for every data message.
    if !payload.starts_with(b"\x02\x00\x0ConPlayStatus") {
        return None;
    }
    let values = amf0::decode_all(payload).ok()?;
    values.iter().find(|value| value.as_object().is_some()).map(Status::from_value)
}
