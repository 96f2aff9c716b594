//! What the two sides have agreed on so far: the state that gives a message its meaning. Checks of control messages
//! and of commands write it, and all checks read it.

use std::collections::BTreeMap;

use headwater_media::amf::{Object, Value};
use headwater_rtmp::MessageStreamId;
use headwater_rtmp::capture::Side;

use crate::step::{Step, Steps};

/// Streams that are remembered.
const STREAMS_MAX: usize = 64;
/// Codecs that a side has announced and that are remembered.
const CODECS_MAX: usize = 64;

/// CapsExMask (Enhanced RTMP v2).
const CAPS_MULTITRACK: u32 = 2;
const CAPS_MODEX: u32 = 4;

/// The state that both sides share.
#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(crate) steps: Steps,
    pub(crate) streams: Streams,
    pub(crate) client: AnnouncedCapabilities,
    pub(crate) server: AnnouncedCapabilities,
}

impl Session {
    /// What the other side has said that it takes of what `side` sends.
    pub(crate) fn receiver_of(&self, side: Side) -> &AnnouncedCapabilities {
        match side {
            Side::Client => &self.server,
            Side::Server => &self.client,
        }
    }
}

/// The message streams.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    streams: BTreeMap<u32, Stream>,
    /// Streams of which the server has sent StreamBegin, whether they are known or not.
    begun: Vec<u32>,
}

/// One message stream.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    pub(crate) role: Role,
    /// The server has said Publish.Start or Play.Start: it may carry media.
    pub(crate) has_started: bool,
    /// The server has said Play.Reset.
    pub(crate) has_reset: bool,
    /// The player has not asked to keep what played before.
    pub(crate) wants_reset: bool,
    /// The client has deleted it. What the server has sent before it heard of that is no fault.
    pub(crate) is_deleted: bool,
}

/// What a stream is used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Role {
    /// Created only.
    #[default]
    None,
    /// The client publishes.
    Publish,
    /// The client plays.
    Play,
}

impl Streams {
    /// A stream as it is from here on.
    pub(crate) fn insert(&mut self, id: u32, stream: Stream) {
        self.streams.insert(id, stream);
    }

    /// The client has deleted a stream, known or not.
    pub(crate) fn delete(&mut self, id: u32) {
        self.insert(id, Stream { is_deleted: true, ..Stream::default() });
    }

    /// Keeps the streams few: the lowest numbers go.
    pub(crate) fn trim(&mut self) {
        while self.streams.len() > STREAMS_MAX {
            self.streams.pop_first();
        }
    }

    /// The server has sent StreamBegin.
    pub(crate) fn begin(&mut self, id: MessageStreamId) {
        if !self.has_begun(id) && self.begun.len() < STREAMS_MAX {
            self.begun.push(id.0);
        }
    }

    pub(crate) fn get(&self, id: MessageStreamId) -> Option<&Stream> {
        self.streams.get(&id.0)
    }

    pub(crate) fn get_mut(&mut self, id: MessageStreamId) -> Option<&mut Stream> {
        self.streams.get_mut(&id.0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Whether the client has asked to publish on some stream.
    pub(crate) fn wants_publish(&self) -> bool {
        self.streams.values().any(|stream| stream.role == Role::Publish)
    }

    /// Whether some stream is being published, with the server's consent.
    pub(crate) fn is_publishing(&self) -> bool {
        self.streams.values().any(|stream| stream.role == Role::Publish && stream.has_started)
    }

    /// Whether the server has sent StreamBegin for this stream.
    pub(crate) fn has_begun(&self, id: MessageStreamId) -> bool {
        self.begun.contains(&id.0)
    }

    /// The step that a StreamBegin completes.
    pub(crate) fn begin_step(&self, id: MessageStreamId) -> Option<Step> {
        match self.get(id)?.role {
            Role::None => None,
            Role::Publish => Some(Step::PublishBegin),
            Role::Play => Some(Step::PlayBegin),
        }
    }
}

/// What a side has said in `connect` or its result about Enhanced RTMP.
///
/// `headwater_rtmp::command::Capabilities` says what a peer can be sent; this keeps its words, codecs that nobody knows
/// among them.
#[derive(Debug, Default)]
pub(crate) struct AnnouncedCapabilities {
    four_ccs: Vec<String>,
    caps_ex: u32,
}

impl AnnouncedCapabilities {
    pub(crate) fn read(object: &Object) -> Self {
        let mut four_ccs = Vec::new();
        if let Some(Value::StrictArray(list)) = object.get("fourCcList") {
            four_ccs
                .extend(list.iter().filter_map(Value::as_text).map(|text| text.to_str_lossy().into_owned()));
        }
        for map in ["videoFourCcInfoMap", "audioFourCcInfoMap"] {
            if let Some(map) = object.get(map).and_then(Value::as_object) {
                four_ccs.extend(map.iter().map(|(key, _)| key.to_str_lossy().into_owned()));
            }
        }
        four_ccs.truncate(CODECS_MAX);
        let caps_ex = object.get("capsEx").and_then(Value::as_number).unwrap_or(0.0) as u32;
        Self { four_ccs, caps_ex }
    }

    /// Whether a codec was announced.
    pub(crate) fn has_codec(&self, four_cc: &[u8; 4]) -> bool {
        self.four_ccs.iter().any(|known| known == "*" || known.as_bytes() == four_cc)
    }

    pub(crate) const fn has_multitrack(&self) -> bool {
        self.caps_ex & CAPS_MULTITRACK != 0
    }

    pub(crate) const fn has_modex(&self) -> bool {
        self.caps_ex & CAPS_MODEX != 0
    }
}
