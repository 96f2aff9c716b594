//! Any bytes as chunks: no panic, memory bounded by what came, how they are cut changes nothing, and
//! what was read can be written and read again.
#![no_main]

use bytes::BytesMut;
use headwater_rtmp::chunk::{Decoder, DecoderLimits, RawMessage, encode};
use headwater_rtmp::{Error, Output};
use libfuzzer_sys::fuzz_target;

const LIMITS: DecoderLimits =
    DecoderLimits { message_bytes: 1 << 20, partial_bytes: 2 << 20, chunk_streams: 8 };

fn decode(bytes: &[u8], cut: usize, chunk_size: u32) -> (Vec<RawMessage>, Option<Error>) {
    let mut decoder = Decoder::new(LIMITS, 0);
    decoder.set_chunk_size(chunk_size).expect("not zero");
    let (mut input, mut messages) = (BytesMut::new(), Vec::new());
    for piece in bytes.chunks(cut) {
        input.extend_from_slice(piece);
        loop {
            match decoder.read(&mut input) {
                Ok(Some(message)) => {
                    if let (1 | 2, Some(number)) = (message.type_id, message.payload.first_chunk()) {
                        let number = u32::from_be_bytes(*number);
                        match message.type_id {
                            1 if decoder.set_chunk_size(number).is_err() => return (messages, None),
                            1 => {}
                            _ => decoder.abort(number),
                        }
                    }
                    messages.push(message);
                }
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
        assert!(decoder.partial_bytes() <= bytes.len());
    }
    (messages, None)
}

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (cut, chunk_size, bytes) = input;
    let (cut, chunk_size) = (usize::from(cut).max(1), u32::from(chunk_size).max(1));
    let whole = decode(bytes, usize::MAX, chunk_size);
    assert_eq!(decode(bytes, cut, chunk_size), whole);

    let mut output = Output::default();
    let control = |message: &RawMessage| matches!(message.type_id, 1 | 2);
    let messages: Vec<_> = whole.0.into_iter().filter(|message| !control(message)).collect();
    messages.iter().for_each(|message| encode(&mut output, message, chunk_size));
    let (mut again, error) = decode(&output.drain(), usize::MAX, chunk_size);
    assert_eq!(error, None);
    for (again, message) in again.iter_mut().zip(&messages) {
        again.at = message.at;
    }
    assert_eq!(again, messages);
});
