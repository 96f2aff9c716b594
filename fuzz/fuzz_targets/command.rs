//! Any bytes as a command and as every other message: no panic, and a command that was read can be
//! written and read again.
#![no_main]

use bytes::Bytes;
use headwater_rtmp::chunk::RawMessage;
use headwater_rtmp::command::Command;
use headwater_rtmp::message::{Aggregate, Message};
use headwater_rtmp::{ChunkStreamId, MessageStreamId};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (type_id, payload) = input;
    if let Ok(command) = Command::decode(payload, 0) {
        let encoded = command.encode();
        let again = Command::decode(&encoded, 0).expect("own bytes decode");
        assert_eq!(again.encode(), encoded);
    }
    let raw = RawMessage {
        chunk_stream: ChunkStreamId::COMMAND,
        stream: MessageStreamId(1),
        timestamp: u32::MAX,
        type_id: type_id % 24,
        payload: Bytes::copy_from_slice(payload),
        at: 0,
    };
    let _ = Message::decode(&raw);
    let length: usize = Aggregate::new(raw).map(|part| part.payload.len()).sum();
    assert!(length <= payload.len());
});
