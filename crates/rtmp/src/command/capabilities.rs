//! What peers tell each other of Enhanced RTMP: in `connect` and in its `_result` (Enhanced RTMP v2,
//! "Enhancing NetConnection connect Command").

use headwater_media::Codec;
use headwater_media::amf::{Object, Value};
use headwater_media::flv::{CodecSet, Dialect, TrackChoice};

/// Bits of a FourCC's entry in an info map.
const CAN_DECODE: u32 = 1;
const CAN_ENCODE: u32 = 2;
const CAN_FORWARD: u32 = 4;
/// Bits of `capsEx`.
const RECONNECT: u32 = 1;
const MULTITRACK: u32 = 2;
const MOD_EX: u32 = 4;
const TIMESTAMP_NANO_OFFSET: u32 = 8;
/// Bits of `videoFunction`.
const CLIENT_SEEK: u32 = 1;
const CLIENT_HDR: u32 = 2;
const CLIENT_METADATA: u32 = 4;
/// FourCCs of video, as they go into the video map; all others go into the audio map.
const VIDEO: [[u8; 4]; 6] = [*b"avc1", *b"hvc1", *b"vvc1", *b"av01", *b"vp08", *b"vp09"];

/// What a peer can do beyond RTMP 1.0. The default: it has said nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// CodecSet that it takes; `None` if it names none by FourCC, as most players do that take them all the
    /// same.
    pub codecs: Option<CodecSet>,
    /// It comes again when it is asked to (`NetConnection.Connect.ReconnectRequest`).
    pub reconnect: bool,
    /// It takes several tracks of a kind.
    pub multitrack: bool,
    /// It takes packets with ModEx in front.
    pub mod_ex: bool,
    /// It takes nanoseconds in ModEx.
    pub nanos: bool,
    /// It takes metadata packets (colours of HDR) and channel layouts.
    pub extras: bool,
}

impl Capabilities {
    /// Everything: what this implementation takes and passes on.
    pub const FULL: Self = Self {
        codecs: Some(CodecSet::ALL),
        reconnect: true,
        multitrack: true,
        mod_ex: true,
        nanos: true,
        extras: true,
    };

    /// What a peer says in the object of its `connect`, or in the properties of its `_result`.
    ///
    /// A codec that it only encodes is none that it takes. `*` stands for all codecs.
    #[must_use]
    pub fn read(object: &Object) -> Self {
        let bits = |key| object.get(key).and_then(Value::as_number).map_or(0, |number| number as u32);
        let caps = bits("capsEx");
        Self {
            codecs: codecs(object),
            reconnect: caps & RECONNECT != 0,
            multitrack: caps & MULTITRACK != 0,
            mod_ex: caps & MOD_EX != 0,
            nanos: caps & MOD_EX != 0 && caps & TIMESTAMP_NANO_OFFSET != 0,
            extras: bits("videoFunction") & (CLIENT_HDR | CLIENT_METADATA) != 0,
        }
    }

    /// What a client adds to the object of its `connect`; `videoFunction` in any case.
    #[must_use]
    pub fn in_connect(&self, object: Object) -> Object {
        let video_function = CLIENT_SEEK | if self.extras { CLIENT_HDR | CLIENT_METADATA } else { 0 };
        let object = object.with("videoFunction", f64::from(video_function));
        let Some(codecs) = self.codecs else { return object };
        let list = codecs.four_ccs().map(|four_cc| Value::string(&name(four_cc))).collect();
        self.maps(object.with("fourCcList", Value::StrictArray(list)), CAN_DECODE | CAN_ENCODE)
    }

    /// What a server adds to the properties of its `_result`: it decodes nothing, it passes on.
    #[must_use]
    pub fn in_result(&self, properties: Object) -> Object {
        self.maps(properties, CAN_FORWARD)
    }

    /// How frames are written for a player that says this. Who says nothing gets one track of each kind
    /// in any codec: ffmpeg takes H.265 by FourCC and never says so.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        Dialect {
            codecs: self.codecs.unwrap_or(CodecSet::ALL),
            tracks: if self.multitrack { TrackChoice::All } else { Dialect::PLAIN.tracks },
            extras: self.extras,
            nanos: self.nanos,
            // Who names FLAC reads both forms or the bare one; FFmpeg names nothing and reads both.
            bare_flac: self.codecs.is_some_and(|codecs| codecs.contains(Codec::Flac)),
            ..Dialect::PLAIN
        }
    }

    fn maps(&self, object: Object, ability: u32) -> Object {
        let Some(codecs) = self.codecs else { return object };
        let map = |of_video: bool| {
            let members = codecs.four_ccs().filter(move |four_cc| VIDEO.contains(four_cc) == of_video);
            members.map(|four_cc| (name(four_cc), f64::from(ability))).collect::<Object>()
        };
        let caps = [
            (self.reconnect, RECONNECT),
            (self.multitrack, MULTITRACK),
            (self.mod_ex, MOD_EX),
            (self.nanos, TIMESTAMP_NANO_OFFSET),
        ];
        let caps: u32 = caps.iter().filter(|(has, _)| *has).map(|(_, bit)| bit).sum();
        object
            .with("videoFourCcInfoMap", Value::Object(map(true)))
            .with("audioFourCcInfoMap", Value::Object(map(false)))
            .with("capsEx", f64::from(caps))
    }
}

/// The codecs of all three lists together; `None` if there is no list. What Flash took is taken anyway,
/// in its old form.
fn codecs(object: &Object) -> Option<CodecSet> {
    let list = match object.get("fourCcList") {
        Some(Value::StrictArray(list)) => Some(list.as_slice()),
        _ => None,
    };
    let map = |key| object.get(key).and_then(Value::as_object);
    let maps = [map("videoFourCcInfoMap"), map("audioFourCcInfoMap")];
    if list.is_none() && maps.iter().all(Option::is_none) {
        return None;
    }
    let listed = list.unwrap_or_default().iter().filter_map(Value::as_text);
    let mapped = maps.into_iter().flatten().flat_map(Object::iter).filter_map(|(key, value)| {
        let ability = value.as_number().map_or(0, |number| number as u32);
        (ability & (CAN_DECODE | CAN_FORWARD) != 0).then_some(key)
    });
    Some(listed.chain(mapped).fold(CodecSet::flash(), |codecs, name| match name.as_bytes() {
        [b'*', ..] => CodecSet::ALL,
        bytes => bytes.try_into().map_or(codecs, |four_cc| codecs.with(four_cc)),
    }))
}

fn name(four_cc: [u8; 4]) -> String {
    four_cc.escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_media::Codec;

    fn list(names: &[&str]) -> Value {
        Value::StrictArray(names.iter().map(|name| Value::string(name)).collect())
    }

    #[test]
    fn who_says_nothing_gets_one_track_of_any_codec() {
        let silent = Capabilities::read(&Object::new().with("app", "live").with("videoFunction", 1.0));
        assert_eq!(silent, Capabilities::default());
        assert_eq!(silent.dialect(), Dialect::PLAIN);
    }

    #[test]
    fn ffmpegs_list_names_what_is_taken_beside_the_old_codecs() {
        let said = Capabilities::read(&Object::new().with("fourCcList", list(&["hvc1", "av01"])));
        let codecs = said.dialect().codecs;
        assert!(codecs.contains(Codec::H265) && codecs.contains(Codec::Av1) && codecs.contains(Codec::H264));
        assert!(!codecs.contains(Codec::Vp9) && !codecs.contains(Codec::Opus));
        let all = Capabilities::read(&Object::new().with("fourCcList", list(&["*"])));
        assert_eq!(all.codecs, Some(CodecSet::ALL));
    }

    #[test]
    fn a_codec_that_is_only_encoded_is_not_taken() {
        let map = Object::new().with("hvc1", 2.0).with("av01", 1.0).with("vp09", 4.0);
        let said = Capabilities::read(&Object::new().with("videoFourCcInfoMap", Value::Object(map)));
        let codecs = said.codecs.unwrap();
        assert!(!codecs.contains(Codec::H265) && codecs.contains(Codec::Av1) && codecs.contains(Codec::Vp9));
    }

    #[test]
    fn what_is_said_is_understood_by_the_other_side() {
        assert_eq!(Capabilities::read(&Capabilities::FULL.in_connect(Object::new())), Capabilities::FULL);
        let server = Capabilities::read(&Capabilities::FULL.in_result(Object::new()));
        assert_eq!(server, Capabilities { extras: false, ..Capabilities::FULL });
        let silent = Capabilities::default().in_connect(Object::new());
        assert_eq!(silent, Object::new().with("videoFunction", 1.0), "what Flash's players say");
    }

    #[test]
    fn nanoseconds_need_the_packet_that_carries_them() {
        assert!(!Capabilities::read(&Object::new().with("capsEx", 8.0)).nanos);
        assert!(Capabilities::read(&Object::new().with("capsEx", 12.0)).nanos);
        assert!(!Capabilities::read(&Object::new().with("capsEx", f64::NAN)).reconnect);
    }
}
