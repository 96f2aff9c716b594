//! Any messages and any bytes at a client that publishes and plays: no panic, and how the bytes are cut
//! never changes the events.
#![no_main]

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use headwater_media::amf::Object;
use headwater_rtmp::chunk::{RawMessage, encode};
use headwater_rtmp::command::{Command, PublishKind};
use headwater_rtmp::handshake::Nonce;
use headwater_rtmp::message::type_id;
use headwater_rtmp::session::{ClientConfig, ClientEvent, ClientSession, PlayOptions};
use headwater_rtmp::{ChunkStreamId, Error, MessageStreamId, Output};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 8] =
    ["_result", "_error", "onStatus", "onBWDone", "_onbwcheck", "ping", "close", "other.call"];

/// Words of a status, so that the session acts upon some.
const CODES: [&str; 8] = [
    "NetStream.Publish.Start",
    "NetStream.Play.Start",
    "NetStream.Play.Stop",
    "NetStream.Publish.Denied",
    "NetStream.Seek.Failed",
    "NetConnection.Connect.Rejected",
    "NetConnection.Connect.ReconnectRequest",
    "NetStream.Play.UnpublishNotify",
];

const LOGIN: &str = "[ authmod=adobe ] : ?reason=needauth&salt=s&challenge=c&opaque=o";

/// S0 S1 S2 and, as a rule, the answer to `connect`; a message for each piece of the fuzzer's, then its
/// bytes as they are.
fn conversation(let_in: bool, pieces: &[(u8, u8, Vec<u8>)], tail: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 3073];
    bytes[0] = 3;
    let mut output = Output::default();
    let answer = match let_in {
        true => Command::new("_result", 1.0).object(Object::new()).with(Object::new()),
        false => Command::new("_error", 1.0).with(Object::new().with("description", LOGIN)),
    };
    put(&mut output, 0, type_id::COMMAND, answer.encode());
    for (kind, number, payload) in pieces {
        let stream = u32::from(number % 4);
        match usize::from(*kind) {
            kind @ 0..=127 => {
                let name = NAMES[kind % NAMES.len()];
                let mut command = Command::new(name, f64::from(number % 10));
                if kind & 64 != 0 {
                    let code = CODES[kind / NAMES.len() % CODES.len()];
                    let level = if number & 128 != 0 { "error" } else { "status" };
                    command = command.with(Object::new().with("code", code).with("level", level));
                } else if kind & 32 != 0 {
                    command = command.with(f64::from(number / 10));
                }
                let mut payload_all = command.encode().to_vec();
                payload_all.extend_from_slice(payload);
                put(&mut output, stream, type_id::COMMAND, payload_all.into());
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

fn run(bytes: &[u8], cut: usize) -> (Vec<ClientEvent>, Option<Error>) {
    let url = "rtmp://ann:secret@h/live/cam".parse().expect("a URL");
    let mut session = ClientSession::new(Arc::new(ClientConfig::default()), url, Nonce([1; 32]), Duration::ZERO);
    let (mut input, mut events) = (BytesMut::new(), Vec::new());
    for piece in bytes.chunks(cut) {
        input.extend_from_slice(piece);
        loop {
            match session.read(&mut input) {
                Ok(Some(event)) => {
                    act(&mut session, &event);
                    events.push(event);
                }
                Ok(None) => break,
                Err(error) => return (events, Some(error)),
            }
        }
        session.output().drain();
    }
    (events, None)
}

fn act(session: &mut ClientSession, event: &ClientEvent) {
    let done = match event {
        ClientEvent::Connected { .. } => session
            .request_stream_length("cam")
            .and_then(|()| session.publish("cam", PublishKind::Live))
            .and_then(|()| session.play("film", PlayOptions::default())),
        ClientEvent::PublishStarted { stream } => session.send_metadata(*stream, 0, Bytes::new()),
        ClientEvent::PlayStarted { stream } => session.seek(*stream, 1000),
        ClientEvent::EndOfStream { stream, .. } => {
            session.delete_stream(*stream);
            Ok(())
        }
        _ => Ok(()),
    };
    // A stream may have ended by what stands behind the event.
    assert!(matches!(done, Ok(()) | Err(Error::Misuse(_))));
}

fuzz_target!(|input: (u8, bool, Vec<(u8, u8, Vec<u8>)>, &[u8])| {
    let (cut, let_in, pieces, tail) = input;
    let bytes = conversation(let_in, &pieces, tail);
    assert_eq!(run(&bytes, usize::from(cut).max(1)), run(&bytes, usize::MAX));
});
