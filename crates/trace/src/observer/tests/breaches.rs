//! For each rule, a conversation that breaks it.

use headwater_media::amf::{Object, Value};

use super::script::{AAC_CONFIG, AAC_FRAME, AVC_CONFIG, INTER, KEY, Script};
use crate::Rule;
use headwater_rtmp::capture::Side::{Client, Server};
use headwater_rtmp::command::Command;

type Breach = (Rule, Script);

pub(super) fn all() -> Vec<Breach> {
    [handshake(), chunks(), control(), commands(), calls(), statuses(), data(), times(), tags(), codecs()]
        .concat()
}

/// A script and something said after it.
fn after(mut script: Script, more: impl FnOnce(&mut Script)) -> Script {
    more(&mut script);
    script
}

fn hello(c0: u8, s1: &[u8], s2: &[u8], c2: &[u8]) -> Script {
    after(Script::default(), |script| {
        script.raw(Client, &[&[c0][..], &Script::c1()].concat());
        script.raw(Server, &[&[3][..], s1, s2].concat());
        script.raw(Client, c2);
    })
}

fn handshake() -> Vec<Breach> {
    let (c1, s1) = (Script::c1(), Script::s1());
    let with_version = |mut block: Vec<u8>| {
        block[4] = 4;
        block
    };
    let other = |block: &[u8]| block.iter().map(|byte| !byte).collect::<Vec<_>>();
    let c2_early = after(Script::default(), |script| {
        script.raw(Client, &[&[3][..], &c1, &s1].concat());
        script.raw(Server, &[&[3][..], &s1, &c1].concat());
    });
    let chunks_early = after(Script::default(), |script| {
        script.raw(Client, &[&[3][..], &c1].concat());
        script.raw(Server, &[&[3][..], &s1].concat());
        script.raw(Client, &s1);
        script.connects();
        script.raw(Server, &c1);
    });
    vec![
        (Rule::Version, hello(2, &s1, &c1, &s1)),
        (Rule::S1Version, hello(3, &with_version(s1.clone()), &c1, &s1)),
        (Rule::S2Echo, hello(3, &s1, &other(&c1), &s1)),
        (Rule::C2Echo, hello(3, &s1, &c1, &other(&s1))),
        (Rule::S1Copy, hello(3, &c1, &c1, &c1)),
        (Rule::C2Early, c2_early),
        (Rule::ChunksEarly, chunks_early),
    ]
}

fn chunks() -> Vec<Breach> {
    let started = || Script::starts("publish");
    // Type 0, 300 bytes of audio with an extended time; then a continuation without it.
    let mut long = vec![9, 0xFF, 0xFF, 0xFF, 0, 1, 0, 8, 1, 0, 0, 0, 1, 0, 0, 0];
    long.extend([0xAF; 128]);
    long.push(0xC9);
    long.extend([0xAF; 128]);
    let audio_at = |time: u8| [8, 0, 0, time, 0, 0, 1, 8, 1, 0, 0, 0, 0x2F];
    vec![
        (
            Rule::Type3Starts,
            after(started(), |script| {
                script.raw(Client, &audio_at(0));
                script.raw(Client, &[0xC8, 0x2F]);
            }),
        ),
        (
            Rule::Type3AfterType0,
            after(started(), |script| {
                script.raw(Client, &audio_at(26));
                script.raw(Client, &[0xC8, 0x2F]);
            }),
        ),
        (
            Rule::FreshType1,
            after(started(), |script| {
                script.raw(Client, &[0x40 | 20, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 9]);
            }),
        ),
        (Rule::ExtendedTimestamp, after(started(), |script| script.raw(Client, &long))),
        (
            Rule::MessageRestarted,
            after(started(), |script| {
                script.raw(Client, &[&[8, 0, 0, 0, 0, 1, 0, 8, 1, 0, 0, 0][..], &[0x2F; 128]].concat());
                script.raw(Client, &audio_at(0));
            }),
        ),
        (Rule::Untracked, after(started(), |script| script.raw(Client, &[0x80 | 30, 0, 0, 0]))),
        (Rule::UnknownType, after(started(), |script| script.message(Client, 3, 0, 77, 0, b"x"))),
    ]
}

fn control() -> Vec<Breach> {
    let size =
        |size: u32| after(Script::after_handshake(), |script| script.control(Client, 1, &size.to_be_bytes()));
    vec![
        (
            Rule::ControlChunkStream,
            after(Script::after_handshake(), |script| {
                script.message(Client, 4, 0, 5, 0, &[0, 0, 255, 255]);
            }),
        ),
        (
            Rule::ControlMessageStream,
            after(Script::after_handshake(), |script| {
                script.message(Client, 2, 1, 5, 0, &[0, 0, 255, 255]);
            }),
        ),
        (Rule::ControlShort, after(Script::after_handshake(), |script| script.control(Server, 5, &[1]))),
        (Rule::ChunkSizeSmall, size(64)),
        (Rule::ChunkSizeLarge, size(128 << 20)),
        (Rule::ChunkSizeBit, size(1 << 31 | 4096)),
        (
            Rule::ChunkSizeLate,
            after(Script::connected(), |script| {
                script.call(Server, 0, "onBWDone", 0.0, &["x".repeat(200).as_str().into()]);
                script.control(Server, 1, &4096_u32.to_be_bytes());
            }),
        ),
        (
            Rule::ChunkSizeToPublisher,
            after(Script::starts("publish"), |script| {
                script.control(Server, 1, &4096_u32.to_be_bytes());
            }),
        ),
        (Rule::WindowZero, after(Script::after_handshake(), |script| script.control(Server, 5, &[0; 4]))),
        (
            Rule::WindowMissing,
            after(Script::after_handshake(), |script| {
                script.connects();
                script.accepts_connect(1.0);
            }),
        ),
        (
            Rule::AcknowledgementMissing,
            after(Script::described("play"), |script| {
                for _ in 0..120 {
                    script.media(Server, 1, 8, 0, &[0x2F; 60_000]);
                }
            }),
        ),
        (
            Rule::PingUnanswered,
            after(Script::connected(), |script| {
                script.control(Server, 4, &[0, 6, 0, 0, 0, 1]);
                script.waits(2_000_000_000);
                script.call(Client, 0, "x", 0.0, &[]);
            }),
        ),
        (
            Rule::UnknownControl,
            after(Script::connected(), |script| {
                script.control(Server, 4, &[0, 9, 0, 0, 0, 1]);
            }),
        ),
    ]
}

fn commands() -> Vec<Breach> {
    let connect =
        |command: Command| after(Script::after_handshake(), |script| script.command(Client, 3, 0, &command));
    let full = || Object::new().with("app", "a").with("tcUrl", "rtmp://h/a");
    vec![
        (
            Rule::AmfBroken,
            after(Script::after_handshake(), |script| {
                script.message(Client, 3, 0, 20, 0, b"\xFFnothing");
            }),
        ),
        (
            Rule::CommandObject,
            after(Script::connected(), |script| {
                script.message(Client, 3, 0, 20, 0, b"\x02\0\x01x\0\0\0\0\0\0\0\0\0");
            }),
        ),
        (
            Rule::BeforeConnect,
            after(Script::after_handshake(), |script| {
                script.call(Client, 0, "createStream", 2.0, &[]);
            }),
        ),
        (Rule::ConnectTwice, after(Script::connected(), Script::connects)),
        (Rule::ConnectTransaction, connect(Command::new("connect", 7.0).object(full()))),
        (Rule::ConnectApp, connect(Command::new("connect", 1.0).object(Object::new().with("tcUrl", "x")))),
        (Rule::ConnectAddress, connect(Command::new("connect", 1.0).object(Object::new().with("app", "x")))),
        (
            Rule::ConnectResult,
            after(Script::after_handshake(), |script| {
                script.connects();
                script.call(Server, 0, "_result", 1.0, &[]);
            }),
        ),
    ]
}

fn calls() -> Vec<Breach> {
    let answered = |arguments: &[Value]| {
        after(Script::connected(), |script| {
            script.call(Client, 0, "createStream", 2.0, &[]);
            script.call(Server, 0, "_result", 2.0, arguments);
        })
    };
    vec![
        (
            Rule::ResultUnknown,
            after(Script::connected(), |script| {
                script.call(Server, 0, "_result", 9.0, &[]);
            }),
        ),
        (
            Rule::ResultMissing,
            after(Script::connected(), |script| {
                script.call(Client, 0, "createStream", 2.0, &[]);
                script.waits(2_000_000_000);
                script.ends(Client);
            }),
        ),
        (
            Rule::ResultUnwanted,
            after(Script::asks("publish"), |script| {
                script.call(Server, 0, "_result", 3.0, &[]);
            }),
        ),
        (Rule::CreateStreamShape, answered(&["one".into()])),
        (Rule::FirstStream, answered(&[2.0.into()])),
        (
            Rule::CommandStream,
            after(Script::with_stream(), |script| {
                script.call(Client, 0, "publish", 3.0, &["x".into()]);
            }),
        ),
        (
            Rule::NameEmpty,
            after(Script::with_stream(), |script| {
                script.call(Client, 1, "publish", 3.0, &["".into()]);
            }),
        ),
        (
            Rule::PublishKind,
            after(Script::with_stream(), |script| {
                script.call(Client, 1, "publish", 3.0, &["x".into(), "forever".into()]);
            }),
        ),
        (
            Rule::Amf3Unannounced,
            after(Script::connected(), |script| {
                let call = [&[0][..], &Command::new("x", 0.0).encode()].concat();
                script.message(Client, 3, 0, 17, 0, &call);
            }),
        ),
    ]
}

fn statuses() -> Vec<Breach> {
    let said = |object: Option<Value>, transaction: f64, stream: u32| {
        after(Script::asks("publish"), |script| {
            script.call(Server, stream, "onStatus", transaction, object.as_slice());
        })
    };
    let start = || Object::new().with("level", "status").with("code", "NetStream.Publish.Start");
    let long = "x".repeat(300);
    vec![
        (Rule::StatusShape, said(None, 0.0, 1)),
        (Rule::StatusTransaction, said(Some(start().into()), 3.0, 1)),
        (Rule::StatusStream, said(Some(start().into()), 0.0, 0)),
        (Rule::StatusLong, said(Some(start().with("description", &*long).into()), 0.0, 1)),
        (
            Rule::StatusFirst,
            after(Script::asks("play"), |script| {
                script.status(1, "status", "NetStream.Data.Start", "");
            }),
        ),
        (
            Rule::PlayReset,
            after(Script::asks("play"), |script| {
                script.status(1, "status", "NetStream.Play.Start", "");
            }),
        ),
        (
            Rule::StreamBegin,
            after(Script::with_stream(), |script| {
                script.call(Client, 1, "publish", 3.0, &["x".into()]);
                script.status(1, "status", "NetStream.Publish.Start", "");
            }),
        ),
        (
            Rule::UnpublishNotify,
            after(Script::starts("play"), |script| {
                script.status(1, "status", "NetStream.Play.UnpublishNotify", "");
            }),
        ),
    ]
}

fn data() -> Vec<Breach> {
    let described = |value: Value| after(Script::starts("play"), |script| script.metadata("play", value));
    vec![
        (
            Rule::DataBroken,
            after(Script::starts("publish"), |script| {
                script.message(Client, 5, 1, 18, 0, &[0, 0, 0, 9]);
            }),
        ),
        (
            Rule::SetDataFrame,
            after(Script::starts("play"), |script| {
                script.message(Server, 5, 1, 18, 0, b"\x02\0\x0d@setDataFrame\x02\0\x0aonMetaData\x05");
            }),
        ),
        (Rule::MetadataArray, described(Object::new().with("width", 1.0).into())),
        (Rule::MetadataNumber, described(Value::EcmaArray(Object::new().with("duration", f64::NAN)))),
        (
            Rule::MetadataCodec,
            after(Script::starts("play"), |script| {
                script.metadata("play", Value::EcmaArray(Object::new().with("videocodecid", 12.0)));
                script.media(Server, 1, 9, 0, AVC_CONFIG);
            }),
        ),
        (
            Rule::MetadataTrack,
            after(Script::configured_video_only(), |script| {
                for number in 0..60 {
                    script.media(Server, 1, 9, number * 40, if number == 0 { KEY } else { INTER });
                }
            }),
        ),
        (
            Rule::MetadataMissing,
            after(Script::starts("play"), |script| {
                script.media(Server, 1, 9, 0, AVC_CONFIG);
            }),
        ),
    ]
}

fn times() -> Vec<Breach> {
    let frames = |times: &[u32]| {
        after(Script::configured("publish"), |script| {
            times.iter().for_each(|time| script.media(Client, 1, 8, *time, AAC_FRAME));
        })
    };
    vec![
        (
            Rule::MediaEarly,
            after(Script::asks("publish"), |script| script.media(Client, 1, 8, 0, AAC_CONFIG)),
        ),
        (
            Rule::MediaStream,
            after(Script::starts("publish"), |script| {
                script.media(Client, 0, 8, 0, AAC_CONFIG);
            }),
        ),
        (
            Rule::HeaderMissing,
            after(Script::described("publish"), |script| {
                script.media(Client, 1, 9, 0, KEY);
            }),
        ),
        (Rule::HeaderTime, frames(&[36_000_000])),
        (Rule::KeyFirst, after(Script::configured("play"), |script| script.media(Server, 1, 9, 0, INTER))),
        (Rule::TimeBack, frames(&[100, 60])),
        (Rule::TimeGap, frames(&[0, 3000])),
        (Rule::TracksApart, after(frames(&[0, 900, 1800]), |script| script.media(Client, 1, 9, 0, KEY))),
    ]
}

fn tags() -> Vec<Breach> {
    let says = |type_id: u8, body: &'static [u8]| {
        after(Script::configured("publish"), |script| script.media(Client, 1, type_id, 0, body))
    };
    vec![
        (Rule::HeaderBroken, says(9, &[0x17, 0, 0, 0, 0, 2, 0, 0])),
        (Rule::KeyFlag, says(9, &[0x27, 1, 0, 0, 0, 0, 0, 0, 2, 0x65, 0x88])),
        (Rule::CompositionNegative, says(9, &[0x27, 1, 0xFF, 0xFF, 0xF0, 0, 0, 0, 2, 0x41, 0x9A])),
        (Rule::TagEmpty, says(9, &[0x17])),
        (Rule::TagBroken, says(9, &[0x17, 1, 0])),
        (Rule::StartCode, says(9, &[0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65, 0x88, 0x84])),
        (Rule::AdtsFrame, says(8, &[0xAF, 1, 0xFF, 0xF1, 0x50, 0x80])),
        (Rule::AacFlags, says(8, &[0xAE, 1, 0x21])),
        (Rule::FrameType, says(9, &[0x07, 1, 0, 0, 0, 0, 0, 0, 2, 0x41, 0x9A])),
    ]
}

fn codecs() -> Vec<Breach> {
    let says =
        |body: &'static [u8]| after(Script::starts("publish"), |script| script.media(Client, 1, 9, 0, body));
    vec![
        (Rule::CodecUnofficial, says(&[0x1C, 1, 0, 0, 0, 0, 0, 0, 2, 0x26, 1])),
        (Rule::CodecUnannounced, says(b"\x90hvc1\x01")),
        (Rule::CapsUnannounced, says(b"\x96\x00av01\x01conf")),
    ]
}
