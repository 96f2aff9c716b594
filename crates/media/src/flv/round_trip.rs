//! What is written for any receiver is read back as what it was.

use bytes::Bytes;
use proptest::prelude::*;

use super::tag::{CodedFrame, TagBody, decode_audio, decode_video};
use super::{CodecSet, Dialect, Numbering, TagParts, TrackChoice, config_bodies, frame_head};
use crate::{Codec, Error, Frame, MediaKind, Timestamp, Track, TrackId};

fn dialects() -> impl Strategy<Value = Dialect> {
    let tracks = prop_oneof![
        Just(TrackChoice::All),
        (0u8..3, 0u8..3).prop_map(|(video, audio)| TrackChoice::One { video, audio }),
    ];
    let numbering = prop_oneof![Just(Numbering::FourCc), Just(Numbering::Unofficial)];
    (tracks, numbering, any::<[bool; 3]>()).prop_map(|(tracks, numbering, [extras, nanos, bare_flac])| {
        Dialect { bare_flac, codecs: CodecSet::ALL, tracks, numbering, extras, nanos }
    })
}

fn video() -> impl Strategy<Value = Codec> {
    use Codec::{Av1, H264, H265, H266, Vp8, Vp9};
    prop_oneof![
        4 => prop::sample::select(vec![H264, H265, H266, Av1, Vp8, Vp9]),
        1 => prop::sample::select(vec![1u8, 2, 3, 4, 5, 6, 8]).prop_map(Codec::FlvVideo),
    ]
}

fn audio() -> impl Strategy<Value = Codec> {
    use Codec::{Aac, Ac3, Eac3, Flac, Opus};
    prop_oneof![
        4 => prop::sample::select(vec![Aac, Opus, Flac, Ac3, Eac3]),
        1 => prop::sample::select(vec![0x22u8, 0x2F, 0xE2]).prop_map(|flv_flags| Codec::Mp3 { flv_flags }),
        1 => prop::sample::select(vec![0u8, 0x1F, 0x62, 0x72, 0x82, 0xB2]).prop_map(Codec::FlvAudio),
    ]
}

fn tracks() -> impl Strategy<Value = (TrackId, Codec)> {
    let of = |kind| (0u8..3).prop_map(move |index| TrackId { kind, index });
    prop_oneof![(of(MediaKind::Video), video()), (of(MediaKind::Audio), audio())]
}

fn read(track: TrackId, body: Bytes) -> Result<TagParts, Error> {
    if track.kind == MediaKind::Video { decode_video(body) } else { decode_audio(body) }
}

/// Where a receiver finds the track: one that stands alone has no number, nor have codecs of the Flash age.
fn found_as(track: TrackId, codec: Codec, dialect: &Dialect) -> TrackId {
    let numbered = dialect.tracks == TrackChoice::All && codec.four_cc().is_some();
    TrackId { index: if numbered { track.index } else { 0 }, ..track }
}

proptest! {
    #[test]
    fn frames_in_any_dialect(
        dialect in dialects(), (track, codec) in tracks(), key in any::<bool>(), dts_ms in 0i64..1 << 40,
        composition_ms in -0x80_0000i64..0x80_0000, nanos in 0i64..500_000,
        payload in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let key = key || track.kind == MediaKind::Audio;
        let dts = Timestamp::from_ms(dts_ms);
        let pts = dts + Timestamp::from_ms(composition_ms) + Timestamp::from_nanos(nanos);
        let frame = Frame { track, codec, dts, pts, key, payload: payload.into() };
        let Some(head) = frame_head(&frame, &dialect) else {
            prop_assert!(!dialect.admits(track, codec));
            return Ok(());
        };
        let body = Bytes::from([head.as_slice(), &frame.payload].concat());
        let unofficial_av1 = codec == Codec::Av1 && body[0] & 0x80 == 0;
        let enhanced = if track.kind == MediaKind::Video { body[0] & 0x80 != 0 } else { body[0] >> 4 == 9 };
        let timed = unofficial_av1 || matches!(codec, Codec::H264 | Codec::H265 | Codec::H266);
        let expected = CodedFrame {
            track: found_as(track, codec, &dialect),
            codec: if enhanced && matches!(codec, Codec::Mp3 { .. }) { CodedFrame::MP3_UNKNOWN } else { codec },
            key: Some(key),
            composition_ms: if timed { composition_ms as i32 } else { 0 },
            nanos: if enhanced && dialect.nanos { nanos as u32 } else { 0 },
            payload: frame.payload,
        };
        let parts: Vec<TagBody> = read(track, body).unwrap().collect();
        prop_assert_eq!(parts, [TagBody::Frame(expected)]);
    }

    #[test]
    fn tracks_in_any_dialect(
        dialect in dialects(), (id, codec) in tracks(),
        config in prop::collection::vec(any::<u8>(), 1..40), extra in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let track = Track { id, codec, config: config.into(), extra: extra.into() };
        let bodies = config_bodies(&track, &dialect);
        prop_assert!(bodies.is_empty() || dialect.admits(id, codec));
        for (body, is_extra) in bodies.into_iter().zip([false, true]) {
            let id = found_as(id, codec, &dialect);
            let parts: Vec<TagBody> = read(id, body).unwrap().collect();
            let expected = match (is_extra, codec) {
                (true, codec) => {
                    let codec = if let Codec::Mp3 { .. } = codec { CodedFrame::MP3_UNKNOWN } else { codec };
                    TagBody::Extra { track: id, codec, bytes: track.extra.clone() }
                }
                (false, Codec::Mp3 { .. }) => {
                    TagBody::Config(Track::new(id, CodedFrame::MP3_UNKNOWN, track.config.clone()))
                }
                (false, codec) => TagBody::Config(Track::new(id, codec, track.config.clone())),
            };
            prop_assert_eq!(parts, [expected]);
        }
    }
}
