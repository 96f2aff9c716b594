//! The rules that a conversation is held against: each with its weight, its words and its source.
//!
//! A rule is either the specification's or what a client in use needs. Which peer broke it, and how, is a
//! [`Deviation`].

use std::fmt;

use crate::capture::Side;

/// How much a deviation matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// A client or server in use fails with it.
    Error,
    /// The specification is broken, or some peers stumble.
    Warning,
    /// Unusual; worth knowing when something else is wrong.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// A rule that was broken, at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// The rule.
    pub rule: Rule,
    /// Who broke it.
    pub side: Side,
    /// What was seen in its place; may be empty. Holds the peer's own text: escape it before it is shown.
    pub detail: String,
}

macro_rules! rules {
    ($( $rule:ident $id:literal $severity:ident $text:literal $source:literal )*) => {
        /// A rule. Its name for programs is [`Rule::id`]; the names stay as they are.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $( #[doc = concat!($text, " (", $source, ")")] $rule, )*
        }

        impl Rule {
            /// All of them, in the order of a conversation.
            pub const ALL: &[Self] = &[$( Self::$rule, )*];

            /// Its name for programs.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $( Self::$rule => $id, )* }
            }

            /// How much it matters when it is broken.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $( Self::$rule => Severity::$severity, )* }
            }

            /// The rule in words: how it should be, and whom it hurts otherwise.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $( Self::$rule => $text, )* }
            }

            /// The section that states it, or the program that needs it.
            #[must_use]
            pub const fn source(self) -> &'static str {
                match self { $( Self::$rule => $source, )* }
            }
        }
    };
}

rules! {
    Version "version" Error
        "C0 and S0 are 3; servers in use close the connection on anything else"
        "RTMP 1.0 §5.2.2"
    S1Version "s1-version" Error
        "bytes 4 to 7 of S1 are 0 unless S1 carries a digest; FFmpeg players look for one otherwise and break off"
        "RTMP 1.0 §5.2.3; FFmpeg"
    S2Echo "s2-echo" Warning
        "S2 echoes C1, or signs its digest; strict clients compare"
        "RTMP 1.0 §5.2.4; GStreamer, librtmp"
    C2Echo "c2-echo" Note
        "C2 echoes S1, or signs its digest; servers in use do not compare"
        "RTMP 1.0 §5.2.4"
    S1Copy "s1-copy" Note
        "S1 has random bytes of its own, not those of C1"
        "RTMP 1.0 §5.2.3; nginx-rtmp copies"
    C2Early "c2-early" Warning
        "the client waits for S1 before it sends C2"
        "RTMP 1.0 §5.2.1"
    ChunksEarly "chunks-early" Warning
        "the client waits for S2, and the server for C2, before it sends messages"
        "RTMP 1.0 §5.2.1"

    ControlChunkStream "control-chunk-stream" Warning
        "protocol control and user control travel on chunk stream 2"
        "RTMP 1.0 §5.4, §6.2"
    ControlMessageStream "control-message-stream" Warning
        "protocol control and user control travel on message stream 0"
        "RTMP 1.0 §5.4, §6.2"
    ControlShort "control-short" Error
        "a control message is as long as its fields; FFmpeg breaks off otherwise"
        "RTMP 1.0 §5.4, §7.1.7; FFmpeg"
    Type3Starts "type3-starts" Note
        "a type 3 chunk that begins a message repeats the last delta; some senders mean the last time"
        "RTMP 1.0 §5.3.1.2.4; librtmp, nginx-rtmp"
    Type3AfterType0 "type3-after-type0" Warning
        "no type 3 chunk begins a message right after a type 0: receivers disagree whether its delta is that time or 0"
        "RTMP 1.0 §5.3.1.2.4; nginx-rtmp, FFmpeg"
    FreshType1 "fresh-type1" Note
        "a chunk stream begins with a type 0 chunk"
        "RTMP 1.0 §5.3.1.2.1; librtmp"
    ExtendedTimestamp "extended-timestamp" Warning
        "a type 3 chunk repeats the extended timestamp; FFmpeg loses the stream otherwise"
        "RTMP 1.0 §5.3.1.3; FFmpeg"
    MessageRestarted "message-restarted" Warning
        "a message is sent to its end, or ended with Abort, before the next one begins on its chunk stream"
        "RTMP 1.0 §5.3.1, §5.4.2"
    ChunkSizeSmall "chunk-size-small" Warning
        "the chunk size is at least 128; SRS refuses less"
        "RTMP 1.0 §5.4.1; SRS"
    ChunkSizeLarge "chunk-size-large" Warning
        "the chunk size is at most 10 MiB; nginx-rtmp and MediaMTX refuse more"
        "nginx-rtmp, gortmplib"
    ChunkSizeBit "chunk-size-bit" Error
        "the first bit of Set Chunk Size is 0; FFmpeg takes the size as negative and breaks off"
        "RTMP 1.0 §5.4.1; FFmpeg"
    ChunkSizeLate "chunk-size-late" Warning
        "Set Chunk Size comes before the first reply of more than 128 bytes; OBS has misread such replies"
        "OBS"
    ChunkSizeToPublisher "chunk-size-to-publisher" Error
        "a server keeps its chunk size after Publish.Start: OBS has stopped listening and misreads what follows"
        "OBS"
    WindowZero "window-zero" Error
        "a window is more than 0 and less than 2^31; FFmpeg breaks off otherwise"
        "RTMP 1.0 §5.4.4, §5.4.5; FFmpeg"
    WindowMissing "window-missing" Note
        "a server announces its window (Window Acknowledgement Size) when it answers connect"
        "RTMP 1.0 §7.2.1.1"
    AcknowledgementMissing "acknowledgement-missing" Warning
        "a peer acknowledges each window of bytes that it has received; some servers stop sending otherwise"
        "RTMP 1.0 §5.4.3"
    PingUnanswered "ping-unanswered" Note
        "a ping request is answered; nginx-rtmp drops a client that does not"
        "RTMP 1.0 §7.1.7; nginx-rtmp"
    UnknownControl "unknown-control" Note
        "user control events are those that are specified"
        "RTMP 1.0 §7.1.7"
    UnknownType "unknown-type" Warning
        "message types are those that are specified; Red5 takes the third unknown one for a loss of synchrony"
        "RTMP 1.0 §7.1; Red5"
    Untracked "untracked" Error
        "chunks can be told apart; what follows cannot be read"
        "RTMP 1.0 §5.3.1"

    AmfBroken "amf-broken" Error
        "a command is a row of AMF values: name, transaction, object"
        "RTMP 1.0 §7.1.1"
    CommandObject "command-object" Note
        "a command has an object or null behind its transaction"
        "RTMP 1.0 §7.2"
    BeforeConnect "before-connect" Error
        "connect is the first command; servers close the connection otherwise"
        "RTMP 1.0 §7.2.1.1"
    ConnectTwice "connect-twice" Error
        "a connection has one connect; nginx-rtmp closes at the second"
        "nginx-rtmp"
    ConnectTransaction "connect-transaction" Warning
        "connect is transaction 1"
        "RTMP 1.0 §7.2.1.1"
    ConnectApp "connect-app" Warning
        "connect names an app"
        "RTMP 1.0 §7.2.1.1"
    ConnectAddress "connect-address" Note
        "connect carries tcUrl, the address that was dialled"
        "RTMP 1.0 §7.2.1.1"
    ConnectResult "connect-result" Error
        "the result of connect has the code NetConnection.Connect.Success in its second object; GStreamer fails otherwise"
        "RTMP 1.0 §7.2.1.1; GStreamer"
    ResultUnknown "result-unknown" Error
        "a result carries the transaction of a command that waits for one; clients drop it otherwise"
        "RTMP 1.0 §7.2.1.2"
    ResultMissing "result-missing" Warning
        "a command with a transaction other than 0 is answered"
        "RTMP 1.0 §7.2.1.2"
    ResultUnwanted "result-unwanted" Warning
        "publish and play are answered by onStatus alone; MediaMTX takes a result as an error"
        "RTMP 1.0 §7.2.2; gortmplib"
    CreateStreamShape "create-stream-shape" Error
        "the result of createStream is null and the number of a new stream; FFmpeg reads nothing else"
        "RTMP 1.0 §7.2.1.3; FFmpeg"
    FirstStream "first-stream" Warning
        "the first stream is number 1; MediaMTX refuses any other, and 0 is the connection itself"
        "RTMP 1.0 §7.2.1.3; gortmplib"
    StatusShape "status-shape" Error
        "onStatus is null and an object with level and code as strings; FFmpeg breaks off otherwise"
        "RTMP 1.0 §7.2.2; FFmpeg"
    StatusTransaction "status-transaction" Note
        "onStatus has transaction 0"
        "RTMP 1.0 §7.2.2"
    StatusStream "status-stream" Error
        "onStatus comes on the stream that it is about; GStreamer hears it nowhere else"
        "RTMP 1.0 §7.2.2; GStreamer"
    StatusLong "status-long" Error
        "level, code and description are at most 255 bytes long; FFmpeg has no room for more"
        "FFmpeg"
    StatusFirst "status-first" Error
        "nothing is said on a stream before Publish.Start, Play.Reset or Play.Start; GStreamer fails at any other first word"
        "GStreamer"
    PlayReset "play-reset" Note
        "Play.Reset comes before Play.Start, unless the player asked to keep what played before"
        "RTMP 1.0 §7.2.2.1; Flash"
    StreamBegin "stream-begin" Note
        "the server sends StreamBegin before it says that a stream starts"
        "RTMP 1.0 §7.1.7"
    UnpublishNotify "unpublish-notify" Warning
        "a server keeps silent when a publisher leaves for a moment: FFmpeg and VLC end at Play.UnpublishNotify"
        "FFmpeg, VLC"
    CommandStream "command-stream" Warning
        "publish and play travel on a stream that createStream has made"
        "RTMP 1.0 §7.2.2"
    NameEmpty "name-empty" Warning
        "publish and play name a stream"
        "RTMP 1.0 §7.2.2.1, §7.2.2.6"
    PublishKind "publish-kind" Note
        "the kind of publish is live, record or append"
        "RTMP 1.0 §7.2.2.6"
    Amf3Unannounced "amf3-unannounced" Warning
        "AMF3 messages (types 15 to 17) come only from peers that agreed on objectEncoding 3"
        "RTMP 1.0 §7.2.1.1, §7.1.1"

    DataBroken "data-broken" Warning
        "a data message begins with the name of a handler"
        "RTMP 1.0 §7.1.2"
    SetDataFrame "set-data-frame" Warning
        "a server takes @setDataFrame off before it passes metadata on; players do not know it"
        "FFmpeg, librtmp"
    MetadataArray "metadata-array" Note
        "onMetaData is an ECMA array; with an object FFmpeg starts later"
        "FFmpeg"
    MetadataNumber "metadata-number" Note
        "numbers of onMetaData are finite"
        "FLV 10.1 §E.5"
    MetadataCodec "metadata-codec" Warning
        "videocodecid and audiocodecid name the codecs that are sent"
        "FLV 10.1 §E.5; Enhanced RTMP v2"
    MetadataTrack "metadata-track" Warning
        "onMetaData names only tracks that come; players wait for the others"
        "nginx-rtmp #233"
    MetadataMissing "metadata-missing" Note
        "onMetaData comes before the media"
        "FLV 10.1 §E.5"

    MediaEarly "media-early" Error
        "media waits for Publish.Start or Play.Start"
        "RTMP 1.0 §7.2.2"
    MediaStream "media-stream" Error
        "media travels on a stream that publishes or plays"
        "RTMP 1.0 §7.2.2"
    HeaderMissing "header-missing" Error
        "the decoder configuration (sequence header) comes before the frames that need it"
        "FLV 10.1 §E.4; Enhanced RTMP v2"
    HeaderBroken "header-broken" Error
        "a decoder configuration can be read: version 1 and all of its fields"
        "ISO/IEC 14496-15 §5.3.3; 14496-3 §1.6.2"
    HeaderTime "header-time" Warning
        "a decoder configuration has the time of the frames that follow; players see a gap otherwise"
        "SRS, nginx-rtmp"
    KeyFirst "key-first" Warning
        "a player's first picture is a key frame; decoders show grey until the next one"
        "FFmpeg"
    KeyFlag "key-flag" Note
        "a tag is marked as a key frame when its first picture is an IDR"
        "FLV 10.1 §E.4.3.1"
    TimeBack "time-back" Warning
        "the times of a track do not go back"
        "RTMP 1.0 §4"
    TimeGap "time-gap" Note
        "the times of a track do not leap by more than a second"
        "RTMP 1.0 §4"
    TracksApart "tracks-apart" Note
        "audio and video that come together lie within a second of one another; players must buffer the rest"
        "FLV 10.1 §E.3"
    CompositionNegative "composition-negative" Note
        "a frame is not shown before it is decoded; nginx-rtmp's HLS misreads negative composition times"
        "FLV 10.1 §E.4.3.2; nginx-rtmp"
    TagEmpty "tag-empty" Note
        "an audio or video message is not empty"
        "Enhanced RTMP v2; SRS"
    TagBroken "tag-broken" Error
        "an audio or video message has the head that its codec asks for"
        "FLV 10.1 §E.4; Enhanced RTMP v2"
    StartCode "start-code" Error
        "H.264 and HEVC frames carry lengths, not start codes (Annex B)"
        "FLV 10.1 §E.4.3.2"
    AdtsFrame "adts-frame" Error
        "AAC frames carry no ADTS header"
        "FLV 10.1 §E.4.2.2"
    AacFlags "aac-flags" Note
        "the first byte of an AAC tag is 0xAF, whatever the sound"
        "FLV 10.1 §E.4.2.1"
    FrameType "frame-type" Warning
        "a video tag's frame type is 1 to 5"
        "FLV 10.1 §E.4.3.1; early OBS 29.1"
    CodecUnofficial "codec-unofficial" Warning
        "codecs that FLV does not number travel under their FourCC (Enhanced RTMP)"
        "Enhanced RTMP v2"
    CodecUnannounced "codec-unannounced" Note
        "a FourCC codec goes only to a peer that has announced it (fourCcList or info maps of connect and its result)"
        "Enhanced RTMP v2"
    CapsUnannounced "caps-unannounced" Note
        "multitrack and ModEx go only to a peer that has announced them (capsEx)"
        "Enhanced RTMP v2"
}

#[cfg(test)]
mod tests {
    use super::Rule;

    #[test]
    fn names_are_unique_and_plain() {
        let mut names: Vec<_> = Rule::ALL.iter().map(|rule| rule.id()).collect();
        assert!(
            names
                .iter()
                .all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'))
        );
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Rule::ALL.len());
    }
}
