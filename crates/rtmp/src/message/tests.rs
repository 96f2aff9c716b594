//! Messages from literal bytes.

use headwater_media::amf::{Object, Value, amf3};

use super::*;
use crate::chunk::ChunkStreamId;

fn raw(type_id: u8, payload: &[u8]) -> RawMessage {
    let payload = Bytes::copy_from_slice(payload);
    let (chunk_stream, stream) = (ChunkStreamId::CONTROL, MessageStreamId(1));
    RawMessage { chunk_stream, stream, timestamp: 1000, type_id, payload, at: 0 }
}

fn decode(type_id: u8, payload: &[u8]) -> Message {
    Message::decode(&raw(type_id, payload)).unwrap()
}

#[test]
fn control_messages_may_be_longer_and_not_shorter() {
    assert_eq!(decode(1, &[0, 0, 16, 0, 99]), Message::SetChunkSize(4096));
    for type_id in [1, 2, 3, 5, 6] {
        assert_eq!(decode(type_id, &[0, 0, 16]), Message::Ignored(type_id));
    }
    assert_eq!(decode(6, &[0, 0, 16, 0]), Message::SetPeerBandwidth(4096));
}

#[test]
fn user_control_there_and_back() {
    let stream = MessageStreamId(1);
    for event in [
        UserControl::StreamBegin(stream),
        UserControl::StreamEof(stream),
        UserControl::StreamDry(stream),
        UserControl::SetBufferLength { stream, ms: 3000 },
        UserControl::StreamIsRecorded(stream),
        UserControl::PingRequest(7),
        UserControl::PingResponse(7),
        UserControl::BufferEmpty(stream),
        UserControl::BufferReady(stream),
    ] {
        assert_eq!(decode(4, &event.encode()), Message::UserControl(event));
    }
    // SWF verification and what nobody knows.
    assert_eq!(decode(4, &[0, 26, 0]), Message::Ignored(4));
    assert_eq!(decode(4, &[0, 99, 0, 0, 0, 0]), Message::Ignored(4));
}

#[test]
fn set_data_frame_is_taken_off_without_a_copy() {
    let payload = Bytes::from_static(b"\x02\x00\x0D@setDataFrame\x02\x00\x0AonMetaData\x05");
    let data = Data::decode(payload.clone()).unwrap();
    assert_eq!((data.scope, &data.payload[..]), (DataScope::Kept, &b"\x02\x00\x0AonMetaData\x05"[..]));
    assert_eq!(data.payload.as_ptr(), payload[16..].as_ptr());
    assert_eq!(data.handler(), b"onMetaData");

    let cleared = Data::decode(Bytes::from_static(b"\x02\x00\x0F@clearDataFrame\x02\x00\x0AonMetaData"));
    assert_eq!(cleared.unwrap().scope, DataScope::Cleared);
    let passing = Data::decode(Bytes::from_static(b"\x02\x00\x0AonCuePoint\x05")).unwrap();
    assert_eq!((passing.scope, passing.handler()), (DataScope::Passing, &b"onCuePoint"[..]));
}

#[test]
fn ffmpegs_timecode_is_no_data() {
    // FFmpeg (quirk 5): four bytes that are no AMF.
    assert_eq!(decode(18, &[0, 0, 1, 44]), Message::Ignored(18));
    assert_eq!(decode(18, b"\x02\x00\x0D@setDataFrame"), Message::Ignored(18));
    assert_eq!(decode(18, b""), Message::Ignored(18));
}

#[test]
fn flash_with_amf3_puts_a_zero_in_front() {
    // Object encoding 3 (quirk 22); some senders leave the zero out.
    let play = Command::new("play", 0.0).with("cam");
    let name = b"\x02\x00\x01x";
    for zero in [&b"\0"[..], b""] {
        assert_eq!(decode(17, &[zero, &play.encode()].concat()), Message::Command(play.clone()));
        let Message::Data(data) = decode(15, &[zero, name, b"\x05"].concat()) else { panic!() };
        assert_eq!(data.handler(), b"x");
    }
}

#[test]
fn values_in_amf3_reach_viewers_in_amf0() {
    // Flash (quirk 22): `@setDataFrame`, `onMetaData` and an object behind the mark 0x11.
    let metadata = Value::EcmaArray(Object::new().with("width", 640.0).with("title", "x"));
    let names = amf0::encode_all(&["@setDataFrame".into(), "onMetaData".into()]);
    let body = [b"\0", &names[..], b"\x11", &amf3::encode_all(std::slice::from_ref(&metadata))].concat();
    let Message::Data(data) = decode(15, &body) else { panic!() };
    assert_eq!((data.scope, data.handler()), (DataScope::Kept, &b"onMetaData"[..]));
    assert_eq!(amf0::decode_all(&data.payload), Ok(vec!["onMetaData".into(), metadata]));
    // A class that only Flash can read: that message is lost, and nothing else.
    assert_eq!(decode(15, b"\0\x02\x00\x01x\x11\x0a\x07\x03X\x01"), Message::Ignored(15));
}

#[test]
fn garbage_and_the_unknown_are_ignored() {
    for type_id in [0, 7, 16, 19, 99, 255] {
        assert_eq!(decode(type_id, b"whatever"), Message::Ignored(type_id));
    }
}
