//! Flash clients: object encoding 3, and shared objects.

use bytes::Bytes;
use headwater_media::MediaKind;
use headwater_media::amf::{Object, Value, amf0, amf3};

use super::kit::Dialogue;
use crate::MessageStreamId;
use crate::command::Command;
use crate::message::{DataScope, SharedObject, SharedObjectEvent, type_id};
use crate::session::{PauseRequest, Role, SeekRequest, ServerConfig, ServerEvent, ServerSession};

const ONE: MessageStreamId = MessageStreamId(1);

/// A command as Flash writes it with object encoding 3: name, transaction and null in AMF0, each argument
/// in AMF3 behind its mark.
fn in_amf3(name: &str, transaction: f64, arguments: &[Value]) -> Vec<u8> {
    let mut payload = vec![0];
    payload.extend_from_slice(&Command::new(name, transaction).encode());
    for argument in arguments {
        payload.push(0x11);
        amf3::encode(argument, &mut payload);
    }
    payload
}

/// Flash asks for object encoding 3 and is told 0.
fn connected() -> Dialogue<ServerSession> {
    let mut flash = Dialogue::with_server(ServerConfig::default());
    let object = Object::new()
        .with("app", "live")
        .with("flashVer", "WIN 32,0,0,465")
        .with("swfUrl", "http://h/player.swf")
        .with("tcUrl", "rtmp://h/live")
        .with("objectEncoding", 3.0);
    flash.says(0, Command::new("connect", 1.0).object(object));
    let ServerEvent::Connect(request) = flash.event() else { panic!() };
    assert_eq!(request.object_encoding, 3.0);
    request.accept(&mut flash.session);
    flash
}

#[test]
fn who_asks_for_amf3_is_told_that_we_speak_amf0() {
    let mut flash = Dialogue::with_server(ServerConfig::default());
    let object = Object::new().with("app", "live").with("objectEncoding", 3.0);
    flash.says(0, Command::new("connect", 1.0).object(object));
    flash.accepts();
    let bytes = flash.session.output().drain();
    let encoding = [b"\0\x0eobjectEncoding", &amf0::encode_all(&[Value::Number(0.0)])[..]].concat();
    assert!(bytes.windows(encoding.len()).any(|window| window == encoding));
}

#[test]
fn flash_publishes_in_amf3_all_the_same() {
    // Flash (quirk 22): what it says in AMF3 is understood, what it hears is AMF0.
    let mut flash = connected();
    flash.heard_lines();
    flash.sends(0, type_id::COMMAND_AMF3, 0, &in_amf3("createStream", 2.0, &[]));
    flash.hears(&["0: _result(2) null 1"]);
    flash.sends(1, type_id::COMMAND_AMF3, 0, &in_amf3("publish", 3.0, &["cam".into(), "record".into()]));
    let ServerEvent::Publish(request) = flash.event() else { panic!() };
    assert_eq!((request.stream, request.path.to_string()), (ONE, "live/cam".into()));
    request.accept(&mut flash.session);
    flash.hears(&["StreamBegin(1)", "1: onStatus Status NetStream.Publish.Start"]);

    let metadata = Value::Object(Object::new().with("width", 320.0));
    let names = amf0::encode_all(&["@setDataFrame".into(), "onMetaData".into()]);
    let body = [b"\0", &names[..], b"\x11", &amf3::encode_all(std::slice::from_ref(&metadata))].concat();
    flash.sends(1, type_id::DATA_AMF3, 0, &body);
    flash.sends(1, type_id::VIDEO, 40, b"\x12x");
    let payload = amf0::encode_all(&["onMetaData".into(), metadata]);
    let scope = DataScope::Kept;
    let body = Bytes::from_static(b"\x12x");
    assert_eq!(
        flash.events(),
        [
            ServerEvent::Data { stream: ONE, timestamp: 0, scope, payload },
            ServerEvent::Media { stream: ONE, kind: MediaKind::Video, timestamp: 40, body }
        ]
    );
    flash.sends(0, type_id::COMMAND_AMF3, 0, &in_amf3("deleteStream", 0.0, &[1.0.into()]));
    assert_eq!(flash.events(), [ServerEvent::Stopped { stream: ONE, role: Role::Publisher }]);
}

#[test]
fn flash_plays_in_amf3_all_the_same() {
    let mut flash = connected();
    flash.heard_lines();
    // Without the zero in front, as some senders have it.
    flash.sends(0, type_id::COMMAND_AMF3, 0, &in_amf3("createStream", 2.0, &[])[1..]);
    flash.hears(&["0: _result(2) null 1"]);
    flash.sends(1, type_id::COMMAND_AMF3, 0, &in_amf3("play", 0.0, &["film".into(), 5000.0.into()]));
    let ServerEvent::Play(request) = flash.event() else { panic!() };
    assert_eq!(request.path.name, "film");
    request.accept(&mut flash.session, true);
    flash.heard_lines();
    flash.sends(1, type_id::COMMAND_AMF3, 0, &in_amf3("pause", 0.0, &[true.into(), 1500.0.into()]));
    let ServerEvent::Pause(request) = flash.event() else { panic!() };
    assert_eq!(*request, PauseRequest { stream: ONE, pause: true, position_ms: 1500 });
    flash.sends(1, type_id::COMMAND_AMF3, 0, &in_amf3("seek", 0.0, &[300_000.0.into()]));
    let ServerEvent::Seek(request) = flash.event() else { panic!() };
    assert_eq!(*request, SeekRequest { stream: ONE, position_ms: 300_000 });
    // A call with an object that only its own class can read.
    let mut call = in_amf3("service.method", 9.0, &[]);
    call.extend_from_slice(b"\x11\x0a\x07\x03DSC\x01");
    flash.sends(0, type_id::COMMAND_AMF3, 0, &call);
    flash.hears(&["0: _error(9) null NetConnection.Call.Failed"]);
}

#[test]
fn a_shared_object_is_granted_and_stays_empty() {
    let mut flash = connected();
    flash.heard_lines();
    let object =
        |type_id, events| SharedObject { type_id, name: "chat".into(), version: 1, persistence: 0, events };
    for type_id in [type_id::SHARED_OBJECT, type_id::SHARED_OBJECT_AMF3] {
        let change = SharedObjectEvent::RequestChange { key: "a".into(), value: 1.0.into() };
        for (says, hears) in [
            (SharedObjectEvent::Use, "UseSuccess, Clear"),
            (change, "Success { key: \"a\" }"),
            (SharedObjectEvent::Use, "UseSuccess, Clear"),
        ] {
            flash.sends(0, type_id, 0, &object(type_id, vec![says]).encode());
            assert_eq!(flash.events(), []);
            let heard = flash.heard_lines();
            assert!(heard.len() == 1 && heard[0].contains(&format!("events: [{hears}]")), "{heard:?}");
        }
        flash.sends(0, type_id, 0, &object(type_id, vec![SharedObjectEvent::Release]).encode());
        flash.sends(0, type_id, 0, b"nonsense");
        flash.hears(&[]);
    }
    // The connection lives on.
    flash.says(0, Command::new("createStream", 2.0));
    flash.hears(&["0: _result(2) null 1"]);
}

#[test]
fn a_shared_object_before_connect_is_not_heard() {
    let mut flash = Dialogue::with_server(ServerConfig::default());
    flash.sends(0, type_id::SHARED_OBJECT, 0, b"\0\x01s\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0");
    flash.hears(&[]);
}
