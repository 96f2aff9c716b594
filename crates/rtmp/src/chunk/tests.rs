//! The chunk stream: literal bytes with a name for each, round trips, cuts anywhere, any bytes at all.

use bytes::{Buf, Bytes, BytesMut};
use proptest::prelude::*;

use super::*;
use crate::{Error, Fault, Output};

const LIMITS: DecoderLimits =
    DecoderLimits { message_bytes: 0xFF_FFFF, partial_bytes: 32 << 20, chunk_streams: 64 };

/// Chunks as a peer writes them, in any legal form.
#[derive(Default)]
struct Wire(Vec<u8>);

impl Wire {
    fn basic(mut self, fmt: u8, id: u32) -> Self {
        match id {
            2..=63 => self.0.push(fmt << 6 | id as u8),
            64..=319 => self.0.extend([fmt << 6, (id - 64) as u8]),
            id => self.0.extend([fmt << 6 | 1, (id - 64) as u8, ((id - 64) >> 8) as u8]),
        }
        self
    }

    fn u24(mut self, number: u32) -> Self {
        self.0.extend(&number.to_be_bytes()[1..]);
        self
    }

    fn u32(mut self, number: u32) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    fn fmt0(self, id: u32, time: u32, length: u32, type_id: u8, stream: u32) -> Self {
        self.basic(0, id).u24(time).u24(length).raw(&[type_id]).raw(&stream.to_le_bytes())
    }

    fn fmt1(self, id: u32, delta: u32, length: u32, type_id: u8) -> Self {
        self.basic(1, id).u24(delta).u24(length).raw(&[type_id])
    }

    fn fmt2(self, id: u32, delta: u32) -> Self {
        self.basic(2, id).u24(delta)
    }

    fn fmt3(self, id: u32) -> Self {
        self.basic(3, id)
    }
}

fn decode_with(mut decoder: Decoder, bytes: &[u8], cut: usize) -> Result<Vec<RawMessage>, Error> {
    let mut messages = Vec::new();
    let mut input = BytesMut::new();
    for piece in bytes.chunks(cut.max(1)) {
        input.extend_from_slice(piece);
        while let Some(message) = decoder.read(&mut input)? {
            if message.type_id == 1 && message.payload.len() >= 4 {
                decoder.set_chunk_size(message.payload.clone().get_u32())?;
            }
            messages.push(message);
        }
    }
    Ok(messages)
}

fn decode(wire: Wire) -> Result<Vec<RawMessage>, Error> {
    let whole = decode_with(Decoder::new(LIMITS, 0), &wire.0, usize::MAX);
    assert_eq!(whole, decode_with(Decoder::new(LIMITS, 0), &wire.0, 1), "the cuts matter");
    whole
}

/// (timestamp, payload) of every message.
#[track_caller]
fn check(wire: Wire, expect: &[(u32, &[u8])]) {
    let messages = decode(wire).unwrap();
    let seen: Vec<(u32, &[u8])> = messages.iter().map(|m| (m.timestamp, &m.payload[..])).collect();
    assert_eq!(seen, expect);
}

#[test]
fn every_header_form_inherits_what_it_leaves_out() {
    let wire = Wire::default()
        .fmt0(4, 1000, 1, 8, 1)
        .raw(b"a")
        .fmt1(4, 20, 2, 9)
        .raw(b"bb")
        .fmt2(4, 30)
        .raw(b"cc")
        .fmt3(4)
        .raw(b"dd");
    let messages = decode(wire).unwrap();
    let seen: Vec<_> =
        messages.iter().map(|m| (m.timestamp, m.type_id, m.stream.0, &m.payload[..])).collect();
    assert_eq!(
        seen,
        [(1000, 8, 1, &b"a"[..]), (1020, 9, 1, b"bb"), (1050, 9, 1, b"cc"), (1080, 9, 1, b"dd")]
    );
}

#[test]
fn every_chunk_stream_id_in_every_form() {
    for id in [2, 63, 64, 319, 320, 65_599] {
        let messages = decode(Wire::default().fmt0(id, 0, 1, 9, 1).raw(b"x")).unwrap();
        assert_eq!(messages[0].chunk_stream.get(), id);
    }
    // 64..=319 may come in the three-byte form ("WIN 9,0,115,0" encoder, quirk 27, sends csid 64).
    let long_form = Wire::default().raw(&[0x01, 0, 0]).u24(7).u24(1).raw(&[8, 1, 0, 0, 0, b'x']);
    let messages = decode(long_form).unwrap();
    assert_eq!((messages[0].chunk_stream.get(), messages[0].timestamp), (64, 7));
}

#[test]
fn flash_media_encoder_starts_a_message_with_fmt_3_after_fmt_0() {
    // FMLE (quirk 21), a trace that SRS documents: 26, then 0xC4, means 52.
    check(
        Wire::default().fmt0(4, 26, 1, 8, 1).raw(b"a").fmt3(4).raw(b"b").fmt3(4).raw(b"c"),
        &[(26, b"a"), (52, b"b"), (78, b"c")],
    );
}

#[test]
fn nginx_and_old_librtmp_mean_the_same_time_by_fmt_3() {
    // Quirks 19 and 74: taken by the letter, this would leap by ten hours.
    check(
        Wire::default().fmt0(4, 9_000_000, 1, 8, 1).raw(b"a").fmt3(4).raw(b"b").fmt1(4, 23, 1, 8).raw(b"c"),
        &[(9_000_000, b"a"), (9_000_000, b"b"), (9_000_023, b"c")],
    );
}

#[test]
fn librtmp_writes_a_step_back_as_a_wrapped_delta() {
    // librtmp (quirk 18): 40 ms back.
    check(
        Wire::default()
            .fmt0(4, 1000, 1, 8, 1)
            .raw(b"a")
            .fmt1(4, 0xFF_FFFF, 1, 8)
            .u32(40u32.wrapping_neg())
            .raw(b"b"),
        &[(1000, b"a"), (960, b"b")],
    );
}

#[test]
fn librtmp_opens_the_control_stream_with_fmt_1() {
    // librtmp (quirk 20).
    check(Wire::default().fmt1(2, 5, 4, 3).u32(77), &[(5, &[0, 0, 0, 77])]);
}

#[test]
fn a_chunk_that_inherits_from_nothing_is_the_peers_fault() {
    for (fmt, wire) in [(2, Wire::default().fmt2(5, 1)), (3, Wire::default().fmt3(5))] {
        let error = decode(wire.raw(b"x")).unwrap_err();
        let text = format!(
            "the peer broke the protocol at byte 0: chunk stream 5 opens with a type {fmt} header, which \
             inherits from nothing"
        );
        assert_eq!(error.to_string(), text);
        let fault = Fault::ChunkFromNothing { chunk_stream: 5, fmt };
        assert_eq!(error, Error::Peer { at: 0, fault });
    }
}

#[test]
fn extended_timestamps_at_the_edge() {
    check(Wire::default().fmt0(4, 0xFF_FFFE, 1, 9, 1).raw(b"a"), &[(0xFF_FFFE, b"a")]);
    for time in [0xFF_FFFF, 0x100_0000, u32::MAX] {
        check(Wire::default().fmt0(4, 0xFF_FFFF, 1, 9, 1).u32(time).raw(b"a"), &[(time, b"a")]);
    }
    check(
        Wire::default().fmt0(4, 0xFF_FFFF, 1, 9, 1).u32(u32::MAX).raw(b"a").fmt1(4, 3, 1, 9).raw(b"b"),
        &[(u32::MAX, b"a"), (2, b"b")],
    );
}

#[test]
fn ffmpeg_repeats_the_extended_timestamp_in_every_chunk() {
    let (head, middle, tail) = ([1; 128], [2; 128], [3; 5]);
    let wire = Wire::default()
        .fmt0(6, 0xFF_FFFF, 261, 9, 1)
        .u32(20_000_000)
        .raw(&head)
        .fmt3(6)
        .u32(20_000_000)
        .raw(&middle)
        .fmt3(6)
        .u32(20_000_000)
        .raw(&tail);
    check(wire, &[(20_000_000, &[&head[..], &middle, &tail].concat())]);
}

#[test]
fn old_librtmp_leaves_the_extended_timestamp_out_of_further_chunks() {
    // librtmp of 2012 (quirk 17). Once left out, always left out, even if the payload looks like one.
    let looks_like_time = 20_000_000u32.to_be_bytes();
    let (head, middle, tail) = ([1; 128], [2; 128], [&looks_like_time[..], b"!"].concat());
    let wire = Wire::default()
        .fmt0(6, 0xFF_FFFF, 261, 9, 1)
        .u32(20_000_000)
        .raw(&head)
        .fmt3(6)
        .raw(&middle)
        .fmt3(6)
        .raw(&tail);
    check(wire, &[(20_000_000, &[&head[..], &middle, &tail].concat())]);
}

#[test]
fn a_last_chunk_shorter_than_an_extended_timestamp_does_not_stall() {
    let wire =
        Wire::default().fmt0(6, 0xFF_FFFF, 130, 9, 1).u32(20_000_000).raw(&[1; 128]).fmt3(6).raw(&[9, 9]);
    assert_eq!(decode(wire).unwrap().len(), 1);
}

#[test]
fn messages_of_different_chunk_streams_interleave() {
    let wire = Wire::default()
        .fmt0(6, 10, 200, 9, 1)
        .raw(&[6; 128])
        .fmt0(4, 11, 3, 8, 1)
        .raw(b"aud")
        .fmt3(6)
        .raw(&[6; 72]);
    check(wire, &[(11, b"aud"), (10, &[6; 200])]);
}

#[test]
fn the_chunk_size_changes_between_the_chunks_of_a_message() {
    let wire = Wire::default()
        .fmt0(6, 0, 1000, 9, 1)
        .raw(&[6; 128])
        .fmt0(2, 0, 4, 1, 0)
        .u32(4096)
        .fmt3(6)
        .raw(&[6; 872]);
    check(wire, &[(0, &4096u32.to_be_bytes()), (0, &[6; 1000])]);
}

#[test]
fn chunk_sizes_from_1_to_anything_but_0() {
    // SRS refuses less than 128, nginx-rtmp and gortmplib refuse 128 MiB (joy4, vdk: quirk 49).
    for size in [1, 2, 127, 128, 4096, 65_537, 128 << 20, 0x7FFF_FFFF] {
        let mut wire = Wire::default().fmt0(2, 0, 4, 1, 0).u32(size).fmt0(6, 0, 300, 9, 1);
        for (number, piece) in [7; 300].chunks(size as usize).enumerate() {
            wire = if number > 0 { wire.fmt3(6) } else { wire }.raw(piece);
        }
        assert_eq!(&decode(wire).unwrap()[1].payload[..], [7; 300]);
    }
    assert!(matches!(
        decode(Wire::default().fmt0(2, 0, 4, 1, 0).u32(0)),
        Err(Error::Peer { fault: Fault::ChunkSizeZero, .. })
    ));
}

#[test]
fn obs_drops_a_message_and_begins_another_in_its_middle() {
    // OBS (quirk 11): a new header is an abort, and the connection goes on.
    let wire = Wire::default().fmt0(4, 0, 300, 9, 1).raw(&[1; 128]).fmt1(4, 40, 2, 9).raw(b"ok");
    check(wire, &[(40, b"ok")]);
    let wire = Wire::default().fmt0(4, 0, 3, 9, 1).raw(b"abc").fmt2(4, 9).raw(b"def").fmt2(4, 9).raw(b"ghi");
    check(wire, &[(0, b"abc"), (9, b"def"), (18, b"ghi")]);
}

#[test]
fn an_abort_forgets_the_message_and_its_bytes() {
    let mut decoder = Decoder::new(LIMITS, 0);
    let mut input = BytesMut::from(&Wire::default().fmt0(6, 0, 300, 9, 1).raw(&[1; 128]).0[..]);
    assert_eq!(decoder.read(&mut input), Ok(None));
    assert_eq!(decoder.partial_bytes(), 128);
    decoder.abort(6);
    decoder.abort(6);
    decoder.abort(99);
    assert_eq!((decoder.partial_bytes(), decoder.aborted()), (0, 1));
    input.extend_from_slice(&Wire::default().fmt1(6, 5, 1, 9).raw(b"x").0);
    assert_eq!(decoder.read(&mut input).unwrap().unwrap().payload, "x");
}

#[test]
fn empty_messages_are_messages() {
    // Any encoder (quirk 58): an empty audio message means silence.
    check(Wire::default().fmt0(4, 5, 0, 8, 1).fmt3(4).fmt2(4, 7), &[(5, b""), (10, b""), (17, b"")]);
}

#[test]
fn the_limits_at_their_edge() {
    let limits = DecoderLimits { message_bytes: 300, partial_bytes: 256, chunk_streams: 3 };
    let run = |wire: Wire| {
        let whole = decode_with(Decoder::new(limits, 0), &wire.0, usize::MAX);
        assert_eq!(whole, decode_with(Decoder::new(limits, 0), &wire.0, 1));
        whole
    };
    let limit = |result: Result<Vec<RawMessage>, Error>| match result {
        Err(Error::Limit { name, value, .. }) => (name, value),
        other => panic!("{other:?}"),
    };
    assert!(run(Wire::default().fmt0(4, 0, 300, 9, 1)).is_ok());
    assert_eq!(limit(run(Wire::default().fmt0(4, 0, 301, 9, 1))), ("message_bytes", 300));

    let two = || Wire::default().fmt0(4, 0, 300, 9, 1).raw(&[0; 128]).fmt0(5, 0, 300, 9, 1).raw(&[0; 128]);
    assert!(run(two()).is_ok());
    assert_eq!(limit(run(two().fmt0(6, 0, 1, 8, 1).raw(b"x"))), ("partial_bytes", 256));

    let limits = DecoderLimits { partial_bytes: 1000, ..limits };
    let busy = |count: u32| {
        (4..4 + count).fold(Wire::default(), |wire, id| wire.fmt0(id, 0, 300, 9, 1).raw(&[0; 128]))
    };
    let run = |wire: Wire| decode_with(Decoder::new(limits, 0), &wire.0, 1);
    assert!(run(busy(3)).is_ok());
    assert_eq!(limit(run(busy(4))), ("chunk_streams", 3));
}

#[test]
fn a_new_chunk_stream_for_every_message() {
    // A new chunk stream for every message (quirk 69): the one that was idle longest is forgotten, not the one in use.
    let limits = DecoderLimits { chunk_streams: 3, ..LIMITS };
    let mut wire = Wire::default().fmt0(6, 0, 130, 9, 1).raw(&[6; 128]).fmt0(4, 0, 1, 8, 1).raw(b"a");
    for id in 100..200 {
        wire = wire.fmt0(id, id, 0, 8, 1).fmt2(4, 1).raw(b"a");
    }
    let bytes = wire.fmt3(6).raw(&[6; 2]).0;
    let messages = decode_with(Decoder::new(limits, 0), &bytes, usize::MAX).unwrap();
    assert_eq!(messages.len(), 202);
    assert_eq!((messages[200].timestamp, messages[201].payload.len()), (100, 130));
}

#[test]
fn a_message_that_announces_16_megabytes_takes_what_it_sends() {
    let mut decoder = Decoder::new(LIMITS, 0);
    for id in 3..60 {
        let mut input = BytesMut::from(&Wire::default().fmt0(id, 0, 0xFF_FFFF, 9, 1).raw(&[0; 128]).0[..]);
        assert_eq!(decoder.read(&mut input), Ok(None));
    }
    assert_eq!(decoder.partial_bytes(), 57 * 128);
}

#[test]
fn a_message_that_came_in_pieces_keeps_no_more_memory_than_it_is_long() {
    for (length, cut) in [(5_001_u32, 1448), (5_001, 5_020), (80_000, 16 << 10), (80_000, 1), (130, 7)] {
        let mut wire = Wire::default();
        let payload = vec![7; length as usize];
        for (number, chunk) in payload.chunks(128).enumerate() {
            wire = if number == 0 { wire.fmt0(6, 0, length, 9, 1) } else { wire.fmt3(6) };
            wire = wire.raw(chunk);
        }
        let mut messages = decode_with(Decoder::new(LIMITS, 0), &wire.0, cut).unwrap();
        let payload = Vec::from(messages.remove(0).payload);
        assert_eq!((payload.len(), payload.capacity()), (length as usize, length as usize), "cut at {cut}");
    }
}

#[test]
fn a_head_is_what_the_specification_draws() {
    let id = ChunkStreamId::VIDEO;
    let head = message_head(id, 0x01_0203, 0x04_0506, 9, MessageStreamId(1));
    assert_eq!(head.as_ref(), [6, 1, 2, 3, 4, 5, 6, 9, 1, 0, 0, 0]);
    let head = message_head(id, 0x1000_0000, 1, 9, MessageStreamId(1));
    assert_eq!(head.as_ref(), [6, 0xFF, 0xFF, 0xFF, 0, 0, 1, 9, 1, 0, 0, 0, 0x10, 0, 0, 0]);
    assert_eq!(continuation_head(id, None).as_ref(), [0xC6]);
    assert_eq!(continuation_head(id, extended(0xFF_FFFF)).as_ref(), [0xC6, 0, 0xFF, 0xFF, 0xFF]);
    let widest = message_head(ChunkStreamId::new(65_599).unwrap(), u32::MAX, 1, 9, MessageStreamId(1));
    assert_eq!(widest.as_ref().len(), 18);
}

#[test]
fn large_payloads_are_not_copied() {
    let payload = Bytes::from(vec![1; 100_000]);
    let mut output = Output::default();
    encode(&mut output, &message(6, 0, payload.clone()), 60_000);
    let mut slices = [std::io::IoSlice::new(&[]); 8];
    assert_eq!(output.chunks_vectored(&mut slices), 4);
    assert_eq!(slices[1].as_ptr(), payload.as_ptr());
}

fn message(id: u32, timestamp: u32, payload: Bytes) -> RawMessage {
    let chunk_stream = ChunkStreamId::new(id).unwrap();
    RawMessage { chunk_stream, stream: MessageStreamId(1), timestamp, type_id: 9, payload, at: 0 }
}

fn any_message() -> impl Strategy<Value = RawMessage> {
    let id = prop::sample::select(vec![2u32, 3, 63, 64, 319, 320, 65_599]);
    let time = prop_oneof![
        any::<u32>(),
        prop::sample::select(vec![0, 0xFF_FFFE, 0xFF_FFFF, 0x100_0000, u32::MAX - 1, u32::MAX])
    ];
    let payload = prop::collection::vec(any::<u8>(), 0..700);
    (id, time, payload).prop_map(|(id, time, payload)| message(id, time, payload.into()))
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(
        messages in prop::collection::vec(any_message(), 1..8),
        size in prop::sample::select(vec![1u32, 2, 127, 128, 4096, 0x7FFF_FFFF]),
        cut in 1usize..400,
    ) {
        let mut output = Output::default();
        let mut length = 0;
        for message in &messages {
            encode(&mut output, message, size);
            length += wire_length(message.chunk_stream, message.timestamp, message.payload.len(), size);
        }
        let bytes = output.drain();
        prop_assert_eq!(bytes.len(), length);
        let mut decoder = Decoder::new(LIMITS, 0);
        decoder.set_chunk_size(size).unwrap();
        let mut seen = decode_with(decoder, &bytes, cut).unwrap();
        seen.iter_mut().for_each(|message| message.at = 0);
        prop_assert_eq!(seen, messages);
    }

    #[test]
    fn any_bytes_are_read_alike_however_they_are_cut(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0u8..8, 0xC0u8..0xC8], 0..600),
        cut in 1usize..40,
    ) {
        let limits = DecoderLimits { message_bytes: 4000, partial_bytes: 5000, chunk_streams: 8 };
        let whole = decode_with(Decoder::new(limits, 0), &bytes, usize::MAX);
        prop_assert_eq!(decode_with(Decoder::new(limits, 0), &bytes, cut), whole);
    }
}
