//! Peers that greet well and then send bad messages: bombs, lies, masses, wrong order.

use std::time::Duration;

use bytes::Bytes;
use headwater_media::amf::{Object, Value, amf0};
use headwater_rtmp::chunk::{continuation_head, message_head};
use headwater_rtmp::command::Command;
use headwater_rtmp::message::type_id;
use headwater_rtmp::{ChunkStreamId, MessageStreamId};

use crate::bench::{Bench, QUICK};
use crate::healthy::config_body;
use crate::peer::{self, Peer, connect};

/// A wrong message is answered at once; the farewell may take a moment.
const AT_ONCE: Duration = Duration::from_secs(4);
/// `setup_timeout_ms` of the quick configuration, with its tick and farewell.
const SOON: Duration = Duration::from_millis(5500);

/// A `connect` whose command object is `object`, byte by byte.
fn connect_with(object: &[u8]) -> Bytes {
    let mut payload = amf0::encode_all(&[Value::string("connect"), Value::Number(1.0)]).to_vec();
    payload.extend_from_slice(object);
    payload.into()
}

/// `depth` AMF0 objects within each other, never closed.
fn nested(depth: usize) -> Vec<u8> {
    b"\x03\x00\x01a".repeat(depth)
}

/// Set Chunk Size, as a message of its own.
fn set_chunk_size(size: u32) -> Bytes {
    peer::message(0, type_id::SET_CHUNK_SIZE, size.to_be_bytes().to_vec().into())
}

/// The header of a message of `length` bytes on a chunk stream.
fn head(chunk_stream: u32, length: u32, type_id: u8) -> Vec<u8> {
    let id = ChunkStreamId::new(chunk_stream).unwrap();
    message_head(id, 0, length, type_id, MessageStreamId(1)).as_ref().to_vec()
}

#[test]
fn nested_values_in_connect_are_refused() {
    let bench = Bench::start(QUICK);
    // 15,000 levels stay below the length that a message may have before connect; 200,000 do not.
    for (depth, reason) in [(10_000, "depth_max"), (15_000, "depth_max"), (200_000, "message_bytes")] {
        let mut peer = bench.peer();
        peer.handshake().message(0, type_id::COMMAND, connect_with(&nested(depth)));
        bench.must_let_go(&mut peer, AT_ONCE, reason);
    }
    bench.finish(8);
}

#[test]
fn nested_values_in_metadata_harm_nobody() {
    let bench = Bench::start(QUICK);
    for depth in [10_000, 200_000] {
        let mut payload =
            amf0::encode_all(&[Value::string("@setDataFrame"), Value::string("onMetaData")]).to_vec();
        payload.extend_from_slice(&nested(depth));
        let mut peer = bench.peer();
        peer.publish(&format!("bomb-{depth}")).message(1, type_id::DATA, payload.into());
        let mut viewer = bench.peer();
        viewer.create_stream().command(1, &Command::new("play", 3.0).with(format!("bomb-{depth}").as_str()));
        viewer.must_hear(b"NetStream.Play.Start");
        bench.api_must_answer();
        // What would break a weaker reader goes to no viewer.
        peer.message(1, type_id::VIDEO, config_body());
        peer.message(1, type_id::VIDEO, vec![0x17, 1, 0, 0, 0, 0, 0, 0, 2, 0x65, 0x88].into());
        viewer.must_hear(&[0x65, 0x88]);
        bench.must_note(peer.address(), "depth_max");
    }
    bench.finish(16);
}

#[test]
fn lying_lengths_are_refused_before_memory_is_taken() {
    let bench = Bench::start(QUICK);
    let cases: [(&[u8], &str); 6] = [
        (b"\x03\x00\x03app\x02\xFF\xFFlive", "cut off"), // a string of 65,535 bytes
        (b"\x03\x00\x03app\x0C\xFF\xFF\xFF\xFFlive", "string_bytes_max"), // a long string of 4 GiB
        (b"\x0A\xFF\xFF\xFF\xFF", "cut off"),            // an array of 2^32 − 1 values
        (b"\x03\x00\x01a\x0A\xFF\xFF\xFF\xFF\x05", "cut off"), // the same within an object
        (b"\x08\xFF\xFF\xFF\xFF\x00\x01a", "cut off"),   // an associative array of as many
        (b"\x03\x00\x03app\x02\x00\x04live\x00\x05", "cut off"), // cut off within a key
    ];
    for (object, reason) in cases {
        let mut peer = bench.peer();
        peer.handshake().message(0, type_id::COMMAND, connect_with(object));
        bench.must_let_go(&mut peer, AT_ONCE, reason);
    }
    bench.finish(8);
}

#[test]
fn a_hundred_promises_of_sixteen_megabytes_cost_what_was_sent() {
    let bench = Bench::start(QUICK);
    let mut peers: Vec<Peer> = Vec::new();
    for _ in 0..100 {
        let mut peer = bench.peer();
        peer.create_stream();
        peer.send(&set_chunk_size(0x7FFF_FFFF)).send(&head(6, 16_000_000, type_id::VIDEO)).send(&[0; 65_536]);
        peers.push(peer);
    }
    std::thread::sleep(Duration::from_millis(300));
    // 6.25 MiB were sent; what is held may be twice as much while it grows.
    bench.must_have_grown_less(20);
    for peer in &mut peers {
        peer.must_be_closed(Duration::from_secs(15));
    }
    bench.finish(24);
}

#[test]
fn before_connect_a_long_message_is_refused_by_its_header() {
    let bench = Bench::start(QUICK);
    for _ in 0..10 {
        let mut peer = bench.peer();
        peer.handshake().send(&set_chunk_size(0x7FFF_FFFF)).send(&head(3, 16_000_000, type_id::COMMAND));
        peer.send(&[0; 65_536]);
        bench.must_let_go(&mut peer, AT_ONCE, "message_bytes");
    }
    bench.finish(8);
}

#[test]
fn a_thousand_unfinished_messages_are_bounded() {
    let bench = Bench::start(QUICK);
    let part = [0; 128];
    let open = |count: u32| -> Vec<u8> {
        (64..64 + count).flat_map(|id| [&head(id, 60_000, type_id::VIDEO), &part[..]].concat()).collect()
    };
    let mut within = bench.peer();
    within.create_stream().send(&open(120));
    bench.must_let_go(&mut within, SOON, "setup_timeout_ms");
    let mut beyond = bench.peer();
    beyond.create_stream().send(&open(1000));
    bench.must_let_go(&mut beyond, AT_ONCE, "chunk_streams");

    // A part of something long: the sum of all unfinished messages is limited, the more so for guests.
    let mut guest = bench.peer();
    guest.create_stream().send(&set_chunk_size(0x7FFF_FFFF));
    guest.send(&head(64, 1 << 20, type_id::VIDEO)).send(&vec![0; 300_000]);
    bench.must_let_go(&mut guest, AT_ONCE, "partial_bytes_before_publish");
    let mut publisher = bench.peer();
    publisher.publish("parts").send(&set_chunk_size(500_000));
    let half = vec![0; 500_000];
    for id in 64..164 {
        publisher.send(&head(id, 1_000_000, type_id::VIDEO)).send(&half);
    }
    bench.must_let_go(&mut publisher, AT_ONCE, "`partial_bytes`");
    bench.finish(48);
}

#[test]
fn a_message_over_the_limit_is_refused() {
    let bench = Bench::start(&QUICK.replace("[rtmp]", "[rtmp]\nmessage_max_bytes = 100000"));
    let mut at_the_edge = bench.peer();
    at_the_edge.publish("edge").message(1, type_id::VIDEO, vec![0x27; 100_000].into());
    at_the_edge.command(0, &Command::new("_checkbw", 9.0));
    at_the_edge.must_hear(b"_result");
    let mut beyond = bench.peer();
    beyond.publish("beyond").send(&head(6, 100_001, type_id::VIDEO));
    bench.must_let_go(&mut beyond, AT_ONCE, "message_bytes");
    assert!(bench.server.complaints(beyond.address())[0].contains("live/beyond"));
    drop(at_the_edge);
    bench.finish(8);
}

#[test]
fn commands_out_of_turn_are_refused() {
    let bench = Bench::start(QUICK);
    for name in ["play", "publish", "createStream", "x\r\n\x1b[31mRed"] {
        let mut peer = bench.peer();
        peer.handshake().command(1, &Command::new(name, 1.0).with("healthy"));
        bench.must_let_go(&mut peer, AT_ONCE, "before `connect`");
    }
    let mut media = bench.peer();
    media.handshake().message(1, type_id::VIDEO, vec![0x17; 100].into());
    bench.must_let_go(&mut media, AT_ONCE, "media before `connect`");
    let mut twice = bench.peer();
    twice.connect("live").command(0, &connect("live"));
    bench.must_let_go(&mut twice, AT_ONCE, "second `connect`");
    for name in ["play", "publish"] {
        let mut uncreated = bench.peer();
        uncreated.connect("live").command(7, &Command::new(name, 3.0).with("healthy"));
        bench.must_let_go(&mut uncreated, AT_ONCE, "never created");
    }
    bench.finish(8);
}

#[test]
fn streams_of_one_connection_are_counted() {
    let bench = Bench::start(QUICK);
    let mut peer = bench.peer();
    peer.connect("live");
    for number in 0..100 {
        peer.command(0, &Command::new("createStream", f64::from(number)));
    }
    bench.must_let_go(&mut peer, AT_ONCE, "message_streams");
    bench.finish(8);
}

#[test]
fn masses_of_unknown_messages_cost_nothing() {
    let bench = Bench::start(QUICK);
    let mut peer = bench.peer();
    peer.publish("masses");
    let unknown: Vec<u8> = (0..200_u8)
        .filter(|type_id| !matches!(type_id, 1..=9 | 15 | 17 | 18 | 20 | 22))
        .flat_map(|type_id| peer::message(1, type_id, vec![0xEE; 300].into()))
        .collect();
    for _ in 0..200 {
        peer.send(&unknown);
    }
    peer.command(0, &Command::new("_checkbw", 9.0));
    peer.must_hear(b"_result");
    drop(peer);
    bench.finish(8);
}

/// A peer that asks and asks and never reads an answer must not make the server keep the answers.
#[test]
fn answers_that_nobody_reads_are_not_kept() {
    let bench = Bench::start(&QUICK.replace("write_timeout_ms = 2000", "write_timeout_ms = 60000"));
    let mut peer = bench.peer();
    peer.publish("asks");
    let questions: Vec<u8> = (1..2000)
        .flat_map(|number| peer::message(0, type_id::COMMAND, question(f64::from(number))))
        .collect();
    for _ in 0..100 {
        peer.send(&questions);
    }
    bench.must_have_grown_less(16);
    bench.must_complain_once(&peer, "reads");
    drop(peer);
    bench.finish(24);
}

/// A command that is answered with an error.
fn question(transaction: f64) -> Bytes {
    Command::new("noSuchProcedureOnThisServerAtAllReally", transaction).encode()
}

#[test]
fn media_for_a_stream_that_nobody_published_is_dropped_and_bounded() {
    let bench = Bench::start(QUICK);
    let mut peer = bench.peer();
    peer.create_stream();
    let stray = peer::message(1, type_id::VIDEO, vec![0x27; 60_000].into());
    for _ in 0..40 {
        peer.send(&stray);
    }
    bench.must_let_go(&mut peer, AT_ONCE, "stray_media_bytes");
    bench.finish(8);
}

/// What a publisher says after the handshake, with a little of everything.
fn publisher_words(name: &str) -> Vec<u8> {
    let properties = Object::new().with("width", 320.0).with("encoder", "hostile");
    let metadata = amf0::encode_all(&[
        Value::string("@setDataFrame"),
        Value::string("onMetaData"),
        Value::Object(properties),
    ]);
    let command = |stream, command: Command| peer::message(stream, type_id::COMMAND, command.encode());
    [
        command(0, connect("live")),
        peer::message(0, type_id::WINDOW_ACK_SIZE, vec![0, 0x26, 0x25, 0xA0].into()),
        command(0, Command::new("releaseStream", 2.0).with(name)),
        command(0, Command::new("FCPublish", 3.0).with(name)),
        command(0, Command::new("createStream", 4.0)),
        command(1, Command::new("publish", 5.0).with(name).with("live")),
        peer::message(1, type_id::DATA, metadata),
        peer::message(1, type_id::VIDEO, config_body()),
        peer::message(1, type_id::AUDIO, vec![0xAF, 0, 0x12, 0x10].into()),
        peer::message(
            1,
            type_id::VIDEO,
            [&[0x17, 1, 0, 0, 40, 0, 0, 1, 44][..], &[0x65; 300]].concat().into(),
        ),
        peer::message(1, type_id::AUDIO, vec![0xAF; 200].into()),
        peer::message(
            1,
            type_id::VIDEO,
            [&[0x27, 1, 0, 0, 0, 0, 0, 0, 100][..], &[0x41; 100]].concat().into(),
        ),
        command(0, Command::new("FCUnpublish", 6.0).with(name)),
        command(0, Command::new("deleteStream", 7.0).with(1.0)),
    ]
    .concat()
}

#[test]
fn a_publisher_with_damaged_bytes_harms_nobody() {
    let bench = Bench::start(QUICK);
    let mut state = 0x1234_5678_u32;
    let mut random = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    for number in 0..1000 {
        let mut words = publisher_words(&format!("damaged-{number}"));
        for _ in 0..=random(6) {
            let at = random(words.len());
            words[at] = match random(3) {
                0 => words[at] ^ (1 << random(8)),
                1 => 0xFF,
                _ => random(256) as u8,
            };
        }
        let mut peer = bench.peer();
        peer.handshake().send(&words);
        // Mostly it leaves at once; now and then it waits for what the server does.
        if number % 20 == 0 {
            peer.read(Duration::from_millis(50));
        }
    }
    bench.api_must_answer();
    bench.finish(24);
}

#[test]
fn aggregates_of_tiny_tags_do_not_starve_others() {
    let bench = Bench::start(QUICK);
    let tags: Vec<u8> =
        [&[9, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0x27, 1][..], &[0, 0, 0, 13]].concat().repeat(60_000);
    let mut peers: Vec<Peer> = (0..3)
        .map(|number| {
            let mut peer = bench.peer();
            peer.publish(&format!("aggregates-{number}"));
            peer
        })
        .collect();
    for _ in 0..5 {
        for peer in &mut peers {
            peer.message(1, type_id::AGGREGATE, tags.clone().into());
        }
    }
    for peer in &mut peers {
        peer.command(0, &Command::new("_checkbw", 9.0)).must_hear(b"_result");
    }
    drop(peers);
    bench.finish(48);
}

#[test]
fn viewers_that_wait_for_anything_leave_room_for_publishers() {
    let bench = Bench::start(&QUICK.replace("[streams]", "[streams]\nstreams_max = 20"));
    let mut waiting: Vec<Peer> = Vec::new();
    for number in 0..30 {
        let mut peer = bench.peer();
        let name = format!("nothing-{number}");
        peer.create_stream().command(1, &Command::new("play", 3.0).with(name.as_str()));
        // 15 of the 20 may be awaited; the healthy stream is one of them.
        if number < 14 {
            peer.must_hear(b"NetStream.Play.Start");
            waiting.push(peer);
        } else {
            peer.must_hear(b"streams_max");
            bench.must_let_go(&mut peer, AT_ONCE, "streams_max");
        }
    }
    let mut publisher = bench.peer();
    publisher.publish("camera");
    drop((publisher, waiting));
    bench.finish(8);
}

#[test]
fn chunks_that_inherit_from_nothing_are_refused() {
    let bench = Bench::start(QUICK);
    let mut peer = bench.peer();
    let inherits = continuation_head(ChunkStreamId::new(50).unwrap(), None);
    peer.connect("live").send(inherits.as_ref());
    bench.must_let_go(&mut peer, AT_ONCE, "inherits from nothing");
    let mut zero = bench.peer();
    zero.connect("live").send(&set_chunk_size(0));
    bench.must_let_go(&mut zero, AT_ONCE, "chunk size of 0");
    bench.finish(8);
}
