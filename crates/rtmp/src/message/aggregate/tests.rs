//! Aggregates from literal bytes, and there and back.

use proptest::prelude::*;

use super::*;

fn raw(payload: &[u8]) -> RawMessage {
    let (chunk_stream, stream) = (ChunkStreamId::CONTROL, MessageStreamId(1));
    let payload = Bytes::copy_from_slice(payload);
    RawMessage { chunk_stream, stream, timestamp: 1000, type_id: type_id::AGGREGATE, payload, at: 0 }
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
    let parts: Vec<_> = Aggregate::new(raw(&body)).collect();
    let seen: Vec<_> = parts.iter().map(|m| (m.type_id, m.timestamp, m.stream.0, &m.payload[..])).collect();
    let late = 1000 + 0x0100_0000 - 5_000;
    assert_eq!(seen, [(8, 1000, 1, &b"a"[..]), (9, 1040, 1, b"vv"), (8, late, 1, b"")]);
}

#[test]
fn an_aggregate_ends_at_the_first_short_tag() {
    let body = [tag(8, 0, b"whole"), tag(8, 0, b"cut off")].concat();
    for end in 0..body.len() {
        let mut aggregate = Aggregate::new(raw(&body[..end]));
        let count = aggregate.by_ref().count();
        assert_eq!(count, usize::from(end >= 16) + usize::from(end >= 16 + 4 + 18), "{end}");
        // A tag has ended cleanly with or without its back pointer.
        let is_whole = end == 0 || (16..=20).contains(&end) || end >= 38;
        assert_eq!(aggregate.is_cut(), !is_whole, "{end}");
    }
}

#[test]
fn the_last_back_pointer_may_be_missing_or_wrong() {
    let whole = tag(8, 0, b"whole");
    for end in [&b""[..], b"\0", b"\xff\xff\xff\xff"] {
        let body = [&whole[..whole.len() - BACK_POINTER_BYTES], end].concat();
        assert_eq!(Aggregate::new(raw(&body)).count(), 1);
    }
}

#[test]
fn what_is_written_looks_like_flv() {
    let mut writer = AggregateWriter::default();
    assert!(writer.is_empty() && writer.push(9, 0x0102_0304, b"vv"));
    let message = writer.finish(ChunkStreamId::VIDEO, MessageStreamId(3));
    assert_eq!(&message.payload[..], b"\x09\0\0\x02\x02\x03\x04\x01\0\0\0vv\0\0\0\x0d");
    assert_eq!((message.stream.0, message.timestamp, message.type_id), (3, 0x0102_0304, 22));
}

#[test]
fn an_aggregate_is_no_longer_than_a_message_can_be() {
    let mut writer = AggregateWriter::default();
    let body = vec![0; MESSAGE_BYTES_MAX as usize - 15];
    assert!(!writer.push(9, 0, &[&body[..], b"x"].concat()));
    assert!(writer.push(9, 0, &body));
    assert!(!writer.push(9, 0, b""));
    assert_eq!(writer.finish(ChunkStreamId::VIDEO, MessageStreamId(1)).payload.len(), 0xFF_FFFF);
}

proptest! {
    #[test]
    fn messages_come_back(
        messages in prop::collection::vec(
            (prop::sample::select(vec![8u8, 9, 18]), any::<u32>(), prop::collection::vec(any::<u8>(), 0..40)),
            0..10,
        ),
    ) {
        let mut writer = AggregateWriter::default();
        for (type_id, timestamp, payload) in &messages {
            prop_assert!(writer.push(*type_id, *timestamp, payload));
        }
        let whole = writer.finish(ChunkStreamId::VIDEO, MessageStreamId(1));
        let back: Vec<_> =
            Aggregate::new(whole).map(|part| (part.type_id, part.timestamp, part.payload.to_vec())).collect();
        prop_assert_eq!(back, messages);
    }
}
