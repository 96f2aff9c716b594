//! The steps of a conversation, in four phases: what a person looks for first.

use std::fmt;

/// A part of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// C0 C1 C2 against S0 S1 S2 (RTMP 1.0 §5.2).
    Handshake,
    /// `connect` and what belongs to it (RTMP 1.0 §7.2.1.1).
    Connection,
    /// `createStream` (RTMP 1.0 §7.2.1.3).
    Stream,
    /// `publish` and the media that follows (RTMP 1.0 §7.2.2.6).
    Publish,
    /// `play` and the media that follows (RTMP 1.0 §7.2.2.1).
    Play,
}

impl Phase {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Connection => "connection",
            Self::Stream => "stream",
            Self::Publish => "publish",
            Self::Play => "play",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

macro_rules! steps {
    ($( $(#[$doc:meta])* $step:ident $phase:ident $need:ident $name:literal )*) => {
        /// A step of the conversation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Step { $( $(#[$doc])* $step, )* }

        impl Step {
            /// All of them, in their order.
            pub const ALL: &[Self] = &[$( Self::$step, )*];

            /// What it belongs to.
            #[must_use]
            pub const fn phase(self) -> Phase {
                match self { $( Self::$step => Phase::$phase, )* }
            }

            /// Its name in a ladder.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$step => $name, )* }
            }

            /// Whether nothing goes on without it.
            #[must_use]
            pub const fn is_needed(self) -> bool {
                match self { $( Self::$step => steps!(@ $need), )* }
            }
        }
    };
    (@ needed) => { true };
    (@ optional) => { false };
}

steps! {
    /// C0 and C1 are here.
    C0C1 Handshake needed "C0 C1"
    /// S0 and S1 are here.
    S0S1 Handshake needed "S0 S1"
    /// S2 is here.
    S2 Handshake needed "S2"
    /// C2 is here.
    C2 Handshake needed "C2"
    /// The client asks to be let in.
    Connect Connection needed "connect"
    /// The server announces its window.
    Window Connection optional "window"
    /// The server limits the client's bandwidth.
    Bandwidth Connection optional "bandwidth"
    /// The server announces its chunk size.
    ChunkSize Connection optional "chunk size"
    /// The server lets the client in.
    Connected Connection needed "Connect.Success"
    /// The client asks for a stream.
    CreateStream Stream needed "createStream"
    /// The server gives it.
    StreamCreated Stream needed "stream id"
    /// The client asks to publish.
    Publish Publish needed "publish"
    /// The server begins the published stream.
    PublishBegin Publish optional "StreamBegin"
    /// The server lets the client publish.
    PublishStart Publish needed "Publish.Start"
    /// The client describes its stream.
    PublishMetadata Publish optional "metadata"
    /// The client sends a decoder configuration.
    PublishHeader Publish optional "headers"
    /// The client sends a frame.
    PublishMedia Publish needed "media"
    /// The client asks to play.
    Play Play needed "play"
    /// The server begins the played stream.
    PlayBegin Play optional "StreamBegin"
    /// What played before is over.
    PlayReset Play optional "Play.Reset"
    /// The server starts to play.
    PlayStart Play needed "Play.Start"
    /// The server describes the stream.
    PlayMetadata Play optional "metadata"
    /// The server sends a decoder configuration.
    PlayHeader Play optional "headers"
    /// The server sends a frame.
    PlayMedia Play needed "media"
}

/// What has become of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    /// It was seen first at this time, in nanoseconds since the conversation's first byte.
    Seen(u64),
    /// The peer refused it, at this time.
    Refused(u64),
    /// It has not come.
    Missing,
}

/// What was seen of the steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps([StepState; Step::ALL.len()]);

impl Default for Steps {
    fn default() -> Self {
        Self([StepState::Missing; Step::ALL.len()])
    }
}

impl Steps {
    pub(crate) fn state(&self, step: Step) -> StepState {
        self.0.get(step as usize).copied().unwrap_or(StepState::Missing)
    }

    pub(crate) fn has(&self, step: Step) -> bool {
        matches!(self.state(step), StepState::Seen(_))
    }

    /// Whether it is the first time.
    pub(crate) fn complete(&mut self, step: Step, at_ns: u64) -> bool {
        let is_new = !self.has(step);
        if is_new && let Some(state) = self.0.get_mut(step as usize) {
            *state = StepState::Seen(at_ns);
        }
        is_new
    }

    pub(crate) fn refuse(&mut self, step: Step, at_ns: u64) {
        if let Some(state) = self.0.get_mut(step as usize)
            && *state == StepState::Missing
        {
            *state = StepState::Refused(at_ns);
        }
    }
}
