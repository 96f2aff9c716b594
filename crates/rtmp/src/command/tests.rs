//! Commands from literal values, and what the field's clients make of them.

use bytes::Bytes;
use headwater_media::amf::{Object, Value, amf0};
use proptest::prelude::*;

use super::*;
use crate::Error;
use crate::chunk::MessageStreamId;
use crate::rule::Rule;
use crate::url::StreamPath;

#[test]
fn a_command_there_and_back() {
    let command =
        Command::new("connect", 1.0).object(Object::new().with("app", "live")).with("extra").with(3.0);
    assert_eq!(Command::decode(&command.encode(), 0), Ok(command));
}

#[test]
fn a_command_may_be_short_and_its_end_garbage() {
    let name_only = Command::decode(b"\x02\x00\x05hello", 0).unwrap();
    assert_eq!((name_only.transaction, name_only.object), (0.0, Value::Null));
    let mut garbage = Command::new("FCPublish", 3.0).encode().to_vec();
    garbage.extend([0xEE, 1, 2, 3]);
    assert_eq!(Command::decode(&garbage, 0), Ok(Command::new("FCPublish", 3.0)));
    for no_command in [&b""[..], b"\x05", b"\xEE", b"\x02\x00\xFFx"] {
        assert!(
            matches!(Command::decode(no_command, 77), Err(error @ Error::Peer { at: 77, .. }) if error.rule() == Some(Rule::AmfBroken))
        );
    }
}

#[test]
fn the_null_before_the_arguments_may_be_missing() {
    let bare = amf0::encode_all(&["FCPublish".into(), 3.0.into(), "cam".into()]);
    assert_eq!(Command::decode(&bare, 0), Ok(Command::new("FCPublish", 3.0).with("cam")));
    let bare = amf0::encode_all(&["deleteStream".into(), 0.0.into(), 1.0.into()]);
    assert_eq!(Command::decode(&bare, 0), Ok(Command::new("deleteStream", 0.0).with(1.0)));
    let undefined = amf0::encode_all(&["FCPublish".into(), 3.0.into(), Value::Undefined, "cam".into()]);
    assert_eq!(Command::decode(&undefined, 0).unwrap().text(0).as_deref(), Some("cam"));
    assert_eq!(
        Command::decode(&amf0::encode_all(&["createStream".into(), 2.0.into()]), 0).unwrap().transaction,
        2.0
    );
}

#[test]
fn an_object_that_only_flash_can_read_costs_the_rest_of_the_command() {
    let mut call = Command::new("service.method", 3.0).encode().to_vec();
    call.extend_from_slice(b"\x11\x0a\x07\x03X\x01\x02\x03");
    assert_eq!(Command::decode(&call, 0), Ok(Command::new("service.method", 3.0)));
}

#[test]
fn connect_reads_what_cameras_write() {
    // Cameras (quirk 70): the key in small letters, the value in quotes. librtmp's `conn=` (quirk 71):
    // arguments after the object.
    let object = Object::new().with("app", "live").with("tcurl", "'rtmp://h/live'");
    let request = ConnectRequest::read(&Command::new("connect", 1.0).object(object).with("arg"));
    assert_eq!((request.app.as_str(), request.tc_url.as_str()), ("live", "rtmp://h/live"));
    assert_eq!(request.arguments, [Value::string("arg")]);
    let nothing = ConnectRequest::read(&Command::new("connect", 1.0));
    assert_eq!((nothing.app.as_str(), nothing.object_encoding), ("", 0.0));
}

#[test]
fn where_players_want_to_begin() {
    for (number, start) in [
        (-2.0, PlayStart::LiveOrRecorded),
        (-2000.0, PlayStart::LiveOrRecorded),
        (-1.0, PlayStart::Live),
        (-1000.0, PlayStart::Live),
        (0.0, PlayStart::Recorded { ms: 0 }),
        (93_500.0, PlayStart::Recorded { ms: 93_500 }),
        (f64::NAN, PlayStart::LiveOrRecorded),
        (f64::INFINITY, PlayStart::Recorded { ms: u64::MAX }),
    ] {
        assert_eq!(PlayStart::read(&Value::Number(number)), start, "{number}");
    }
    assert_eq!(PlayStart::read(&Value::Undefined), PlayStart::LiveOrRecorded);
}

#[test]
fn the_arguments_of_play() {
    let path = || StreamPath::resolve("", "vod", "film").unwrap();
    let play = Command::new("play", 0.0).with("film").with(1000.0).with(5000.0).with(0.0);
    let request = PlayRequest::read(MessageStreamId(1), path(), &play);
    assert_eq!((request.duration_ms, request.reset), (Some(5000), false), "reset may be a number");
    let short = PlayRequest::read(MessageStreamId(1), path(), &Command::new("play", 0.0).with("film"));
    assert_eq!((short.duration_ms, short.reset), (None, true));
}

#[test]
fn publish_kinds_in_any_letters() {
    let kind = |word: &str| PublishKind::read(&Command::new("publish", 0.0).with("x").with(word));
    assert_eq!(kind("LIVE"), PublishKind::Live);
    assert_eq!(kind("Record"), PublishKind::Record);
    assert_eq!(kind("appendWithGap"), PublishKind::Append);
    assert_eq!(kind("?"), PublishKind::Live);
    assert_eq!(PublishKind::read(&Command::new("publish", 0.0).with("x")), PublishKind::Live);
}

#[test]
fn a_status_there_and_back() {
    let status = Status::error(code::PUBLISH_BAD_NAME, "taken").details("cam");
    assert_eq!(Status::from_value(&status.to_object().into()), status);
    assert_eq!(Status::from_value(&Value::Null).level, Level::Status);
}

proptest! {
    #[test]
    fn any_bytes_are_a_command_or_none(bytes in prop::collection::vec(any::<u8>(), 0..300), name: bool) {
        let head = if name { Command::new("connect", 1.0).encode() } else { Bytes::new() };
        let _ = Command::decode(&[&head[..], &bytes].concat(), 0);
    }
}
