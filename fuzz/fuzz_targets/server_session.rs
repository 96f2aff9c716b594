//! Any messages and any bytes at a server that accepts everything: no panic, and how the bytes are cut
//! never changes the events.
#![no_main]

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use headwater_media::amf::Object;
use headwater_rtmp::chunk::{RawMessage, encode};
use headwater_rtmp::command::Command;
use headwater_rtmp::handshake::Nonce;
use headwater_rtmp::message::type_id;
use headwater_rtmp::session::{ServerConfig, ServerEvent, ServerSession};
use headwater_rtmp::{ChunkStreamId, Error, MessageStreamId, Output};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 16] = [
    "createStream",
    "deleteStream",
    "closeStream",
    "publish",
    "play",
    "play2",
    "pause",
    "seek",
    "receiveVideo",
    "FCPublish",
    "FCUnpublish",
    "getStreamLength",
    "releaseStream",
    "connect",
    "_checkbw",
    "other.call",
];

/// C0 C1 C2 and `connect`, a message for each piece of the fuzzer's, then its bytes as they are.
fn conversation(pieces: &[(u8, u8, Vec<u8>)], tail: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 3073];
    bytes[0] = 3;
    let mut output = Output::default();
    let object = Object::new().with("app", "live").with("tcUrl", "rtmp://h/live");
    put(&mut output, 0, type_id::COMMAND, Command::new("connect", 1.0).object(object).encode());
    for (kind, stream, payload) in pieces {
        let stream = u32::from(stream % 4);
        match usize::from(*kind) {
            kind @ 0..=127 => {
                // A known name before the fuzzer's arguments.
                let mut command =
                    Command::new(NAMES[kind % NAMES.len()], f64::from(stream)).encode().to_vec();
                command.extend_from_slice(payload);
                put(&mut output, stream, type_id::COMMAND, command.into());
            }
            kind => {
                // Set Chunk Size would need a sender that obeys it.
                let type_id = (kind % 24) as u8;
                let type_id = if type_id == type_id::SET_CHUNK_SIZE { type_id::AUDIO } else { type_id };
                put(&mut output, stream, type_id, payload.clone().into());
            }
        }
    }
    bytes.extend_from_slice(&output.drain());
    bytes.extend_from_slice(tail);
    bytes
}

fn put(output: &mut Output, stream: u32, type_id: u8, payload: Bytes) {
    let (chunk_stream, stream) = (ChunkStreamId::COMMAND, MessageStreamId(stream));
    encode(output, &RawMessage { chunk_stream, stream, timestamp: 0, type_id, payload, at: 0 }, 128);
}

/// What is heard, requests as they read.
fn run(bytes: &[u8], cut: usize) -> (Vec<String>, Option<Error>) {
    let mut session = ServerSession::new(Arc::new(ServerConfig::default()), Nonce([1; 32]), Duration::ZERO);
    let (mut input, mut events) = (BytesMut::new(), Vec::new());
    for piece in bytes.chunks(cut) {
        input.extend_from_slice(piece);
        loop {
            match session.read(&mut input) {
                Ok(Some(event)) => {
                    events.push(format!("{event:?}"));
                    answer(&mut session, event);
                }
                Ok(None) => break,
                Err(error) => return (events, Some(error)),
            }
        }
        session.output().drain();
    }
    (events, None)
}

fn answer(session: &mut ServerSession, event: ServerEvent) {
    match event {
        ServerEvent::Connect(request) => request.accept(session),
        ServerEvent::Publish(request) => request.accept(session),
        ServerEvent::Play(request) => {
            let is_recorded = request.reset;
            request.accept(session, is_recorded);
        }
        ServerEvent::Play2(request) => request.accept(session),
        ServerEvent::Pause(request) => request.accept(session),
        ServerEvent::Seek(request) if request.position_ms == 0 => {
            // The stream may have been stopped by a later part of the same message's events.
            let ended = session.end_play(request.stream);
            assert!(matches!(ended, Ok(()) | Err(Error::Misuse(_))));
        }
        ServerEvent::Seek(request) => request.accept(session),
        ServerEvent::Receive(request) => request.accept(session, 0),
        ServerEvent::StreamLength(request) => request.accept(session, None),
        _ => {}
    }
}

fuzz_target!(|input: (u8, Vec<(u8, u8, Vec<u8>)>, &[u8])| {
    let (cut, pieces, tail) = input;
    let bytes = conversation(&pieces, tail);
    assert_eq!(run(&bytes, usize::from(cut).max(1)), run(&bytes, usize::MAX));
});
