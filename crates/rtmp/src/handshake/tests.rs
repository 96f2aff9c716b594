//! Both sides against each other and against literal blocks of the field's clients.

use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::rule::Rule;

const NONCE: Nonce = Nonce([7; 32]);

fn noise() -> Block {
    Nonce([9; 32]).block(0)
}

fn c0_c1(c1: &Block) -> BytesMut {
    let mut bytes = BytesMut::from(&[3u8][..]);
    bytes.extend_from_slice(c1);
    bytes
}

/// What a server says to this C1, and how it takes it.
fn greet(c1: &Block) -> (Block, Block, Form) {
    let mut server = ServerHandshake::new(NONCE, 1234);
    let (mut input, mut output) = (c0_c1(c1), Output::default());
    assert_eq!(server.read(&mut input, &mut output), Ok(None));
    let answer = output.drain();
    assert_eq!((answer.len(), answer[0]), (1 + 2 * BLOCK_BYTES, 3));
    input.extend_from_slice(&[0x55; BLOCK_BYTES]);
    let form = server.read(&mut input, &mut output).unwrap().expect("any C2 will do");
    let block = |at: usize| answer[at..at + BLOCK_BYTES].try_into().unwrap();
    (block(1), block(1 + BLOCK_BYTES), form)
}

#[test]
fn zeros_ask_for_the_simple_form() {
    // OBS and everybody who only publishes.
    let (s1, s2, form) = greet(&[0; BLOCK_BYTES]);
    assert_eq!((form, s2), (Form::Simple, [0; BLOCK_BYTES]));
    assert_eq!((&s1[..4], &s1[4..8]), (&1234u32.to_be_bytes()[..], &[0; 4][..]));
}

#[test]
fn a_version_without_digest_falls_back() {
    // "WIN 9,0,115,0" encoder (quirk 27). FFmpeg's players take a version in S1 for a promise of a digest
    // (quirk 2).
    let mut c1 = noise();
    c1[4..8].copy_from_slice(&[9, 0, 115, 0]);
    let (s1, s2, form) = greet(&c1);
    assert_eq!((form, &s1[4..8]), (Form::Simple, &[0; 4][..]));
    assert_eq!(s2, c1);
}

#[test]
fn a_digest_in_either_schema_is_answered_in_kind() {
    for schema in [Schema::KeyFirst, Schema::DigestFirst] {
        let mut c1 = noise();
        c1[4..8].copy_from_slice(&[9, 0, 0x7C, 2]);
        digest::sign(&mut c1, schema, digest::CLIENT_KEY);
        let (s1, s2, form) = greet(&c1);
        assert_eq!(form, Form::Digest(schema));
        assert_eq!(s1[4..8], SERVER_VERSION);
        assert_eq!(server_digest(&s1).unwrap().0, schema);

        let (_, c1_digest) = client_digest(&c1).unwrap();
        assert_eq!(digest::answer(s2, &c1_digest, digest::SERVER_KEY_FULL), s2, "the signature of S2");
    }
}

#[test]
fn the_keys_have_their_published_lengths() {
    let lengths = [digest::CLIENT_KEY, digest::CLIENT_KEY_FULL, digest::SERVER_KEY, digest::SERVER_KEY_FULL]
        .map(<[u8]>::len);
    assert_eq!(lengths, [30, 62, 36, 68]);
}

#[test]
fn hmac_is_that_of_rfc_4231() {
    let tag = hmac_sha256(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
    let expect = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    let hex: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, expect);
}

#[test]
fn a_digest_is_always_inside_its_block() {
    for fill in 0..=255 {
        assert!((776..=1503).contains(&digest::position(&[fill; BLOCK_BYTES], Schema::KeyFirst)));
        assert!((12..=739).contains(&digest::position(&[fill; BLOCK_BYTES], Schema::DigestFirst)));
    }
}

#[test]
fn the_first_byte_tells_who_is_at_the_wrong_door() {
    let fault = |first: u8| {
        let mut input = BytesMut::from(&[first][..]);
        let error = ServerHandshake::new(NONCE, 0).read(&mut input, &mut Output::default()).unwrap_err();
        assert_eq!(error.rule(), Some(Rule::Version));
        error.to_string()
    };
    assert!(fault(0x16).contains("TLS"), "quirk 68");
    assert!(fault(b'G').contains("HTTP"), "quirk 68");
    for rtmpe in [6, 8, 9] {
        assert!(fault(rtmpe).contains("RTMPE"));
    }
    assert!(fault(0xFF).contains("0xff"));

    let mut answer = BytesMut::from(&b"HTTP/1.1 400"[..]);
    let mut client = ClientHandshake::start(NONCE, 0, true, &mut Output::default());
    assert!(client.read(&mut answer, &mut Output::default()).unwrap_err().to_string().contains("HTTP"));
}

#[test]
fn reserved_versions_are_answered_with_3() {
    for version in [0, 2, 4, 5, 7, 10, 0x1F] {
        let (mut input, mut output) = (c0_c1(&[0; BLOCK_BYTES]), Output::default());
        input[0] = version;
        assert_eq!(ServerHandshake::new(NONCE, 0).read(&mut input, &mut output), Ok(None));
        assert_eq!(output.drain()[0], 3);
    }
}

#[test]
fn nginx_sends_our_own_block_back() {
    // Its simple form answers C1 with C1; that is no digest of a server.
    let mut output = Output::default();
    let mut client = ClientHandshake::start(NONCE, 0, true, &mut output);
    let c0_c1 = output.drain();
    let mut input = BytesMut::from(&c0_c1[..]);
    input.extend_from_slice(&c0_c1[1..]);
    input.extend_from_slice(b"chunks");
    assert_eq!(client.read(&mut input, &mut output), Ok(Some(Form::Simple)));
    assert_eq!((output.drain(), &input[..]), (c0_c1.slice(1..), &b"chunks"[..]));
}

proptest! {
    #[test]
    fn both_sides_meet_however_the_bytes_are_cut(seed: [u8; 32], digest: bool, cut in 1usize..2000) {
        let (mut up, mut down) = (Output::default(), Output::default());
        let mut client = ClientHandshake::start(Nonce(seed), 5, digest, &mut up);
        let mut server = ServerHandshake::new(NONCE, 6);
        let (mut at_server, mut at_client) = (BytesMut::new(), BytesMut::new());
        let (mut server_form, mut client_form) = (None, None);
        for _ in 0..2 {
            for piece in up.drain().chunks(cut) {
                at_server.extend_from_slice(piece);
                let form = server.read(&mut at_server, &mut down).unwrap();
                server_form = server_form.or(form);
            }
            for piece in down.drain().chunks(cut) {
                at_client.extend_from_slice(piece);
                let form = client.read(&mut at_client, &mut up).unwrap();
                client_form = client_form.or(form);
            }
        }
        let expect = if digest { Form::Digest(Schema::DigestFirst) } else { Form::Simple };
        prop_assert_eq!((server_form, client_form), (Some(expect), Some(expect)));
        prop_assert_eq!((server.position(), client.position()), (3073, 3073));
    }

    #[test]
    fn any_bytes_end_somewhere(bytes in prop::collection::vec(any::<u8>(), 0..4000), version in 0u8..8) {
        let mut input = BytesMut::from(&bytes[..]);
        if let Some(first) = input.first_mut() {
            *first = version;
        }
        let _ = ServerHandshake::new(NONCE, 0).read(&mut input.clone(), &mut Output::default());
        let mut client = ClientHandshake::start(NONCE, 0, true, &mut Output::default());
        let _ = client.read(&mut input, &mut Output::default());
    }
}
