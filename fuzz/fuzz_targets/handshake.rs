//! Any bytes as either side's handshake: no panic, and how they are cut changes nothing.
#![no_main]

use bytes::BytesMut;
use headwater_rtmp::Output;
use headwater_rtmp::handshake::{ClientHandshake, Nonce, ServerHandshake};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (version, cut, noise) = input;
    // A block that is long enough, filled with what the fuzzer has.
    let mut bytes = vec![version];
    bytes.extend(noise.iter().chain(std::iter::repeat(&0)).take(1536));
    bytes.extend_from_slice(noise);
    let cut = usize::from(cut).max(1);

    let server = |cut: usize| {
        let (mut handshake, mut output) = (ServerHandshake::new(Nonce([1; 32]), 0), Output::default());
        let mut input = BytesMut::new();
        for piece in bytes.chunks(cut) {
            input.extend_from_slice(piece);
            match handshake.read(&mut input, &mut output) {
                Ok(None) => {}
                other => return (other, output.drain()),
            }
        }
        (Ok(None), output.drain())
    };
    assert_eq!(server(cut), server(usize::MAX));

    let mut output = Output::default();
    let mut client = ClientHandshake::start(Nonce([1; 32]), 0, true, &mut output);
    let _ = client.read(&mut BytesMut::from(&bytes[..]), &mut output);
});
