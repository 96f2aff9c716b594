//! Messages from literal bytes.

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
    // Quirk 5: four bytes that are no AMF.
    assert_eq!(decode(18, &[0, 0, 1, 44]), Message::Ignored(18));
    assert_eq!(decode(18, b"\x02\x00\x0D@setDataFrame"), Message::Ignored(18));
    assert_eq!(decode(18, b""), Message::Ignored(18));
}

#[test]
fn flash_with_amf3_puts_a_zero_in_front() {
    // Quirk 22.
    let Message::Command(command) = decode(17, b"\0\x02\x00\x04play\0\0\0\0\0\0\0\0\0\x05") else { panic!() };
    assert_eq!(command.name, "play");
    let Message::Data(data) = decode(15, b"\0\x02\x00\x01x\x05") else { panic!() };
    assert_eq!(data.handler(), b"x");
}

#[test]
fn shared_objects_and_the_unknown_are_ignored() {
    for type_id in [0, 7, 16, 19, 99, 255] {
        assert_eq!(decode(type_id, b"whatever"), Message::Ignored(type_id));
    }
}

fn tag(type_id: u8, time: u32, payload: &[u8]) -> Vec<u8> {
    let [t3, t2, t1, t0] = time.to_be_bytes();
    let size = (payload.len() as u32).to_be_bytes();
    let mut bytes = vec![type_id, size[1], size[2], size[3], t2, t1, t0, t3, 0, 0, 9];
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(&(payload.len() as u32 + 11).to_be_bytes());
    bytes
}

#[test]
fn an_aggregate_keeps_the_distances_and_its_own_stream() {
    let body = [tag(8, 5_000, b"a"), tag(9, 5_040, b"vv"), tag(8, 0x0100_0000, b"")].concat();
    let parts: Vec<_> = Aggregate::new(raw(22, &body)).collect();
    let seen: Vec<_> = parts.iter().map(|m| (m.type_id, m.timestamp, m.stream.0, &m.payload[..])).collect();
    let late = 1000 + 0x0100_0000 - 5_000;
    assert_eq!(seen, [(8, 1000, 1, &b"a"[..]), (9, 1040, 1, b"vv"), (8, late, 1, b"")]);
}

#[test]
fn an_aggregate_ends_at_the_first_short_tag() {
    let body = [tag(8, 0, b"whole"), tag(8, 0, b"cut off")].concat();
    for end in 0..body.len() {
        let count = Aggregate::new(raw(22, &body[..end])).count();
        assert_eq!(count, usize::from(end >= 16) + usize::from(end >= 16 + 4 + 18), "{end}");
    }
}
