//! Publishers that vanish, freeze, come twice or come in masses.

use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_rtmp::command::Command;
use headwater_rtmp::message::type_id;
use headwater_rtmp::session::ClientEvent;

use crate::bench::{Bench, QUICK};
use crate::healthy::{Client, config_body, numbered};

#[test]
fn a_silent_publisher_is_let_go_and_its_name_is_free() {
    let bench = Bench::start(&QUICK.replace("takeover_silence_ms = 1000", "takeover = \"never\""));
    let mut frozen = bench.peer();
    frozen.publish("cam");
    let mut second = Client::connect(bench.server.rtmp, "live");
    let refusal = second.publish("cam").unwrap_err();
    assert!(refusal.contains("BadName"), "{refusal}");
    // read_timeout_ms is 3 s, a tick and a farewell come on top.
    bench.must_let_go(&mut frozen, Duration::from_secs(7), "read_timeout_ms");
    assert!(bench.server.complaints(frozen.address())[0].contains("live/cam"));
    let mut third = Client::connect(bench.server.rtmp, "live");
    third.publish("cam").unwrap();
    drop((second, third));
    bench.finish(8);
}

#[test]
fn a_drone_that_ignores_its_denial_is_closed() {
    // DJI's SDK believes that it is live whatever it is told.
    let bench = Bench::start(&QUICK.replace("takeover_silence_ms = 1000", "takeover = \"never\""));
    let mut first = bench.peer();
    first.publish("cam");
    let mut drone = bench.peer();
    drone.create_stream().command(1, &Command::new("publish", 3.0).with("cam").with("live"));
    drone.must_hear(b"NetStream.Publish.BadName");
    for _ in 0..10 {
        drone.message(1, type_id::VIDEO, Bytes::from_static(&[0x27, 1, 0, 0, 0, 0, 0, 0, 1, 0x41]));
    }
    bench.must_let_go(&mut drone, Duration::from_secs(4), "refused");
    drop(first);
    bench.finish(8);
}

/// A publisher of `live/cam` that sends one picture and falls silent, and its viewer.
fn frozen_with_a_viewer(bench: &Bench) -> (Client, Client) {
    let mut frozen = Client::connect(bench.server.rtmp, "live");
    let stream = frozen.publish("cam").unwrap();
    frozen.send_config(stream);
    frozen.send_frame(stream, 0, 0, 100).unwrap();
    let mut viewer = Client::connect(bench.server.rtmp, "live");
    viewer.play("cam").unwrap();
    (frozen, viewer)
}

#[test]
fn a_frozen_publisher_is_taken_over() {
    let bench = Bench::start(&QUICK.replace("read_timeout_ms = 3000", "read_timeout_ms = 60000"));
    let (mut frozen, mut viewer) = frozen_with_a_viewer(&bench);

    let early = Client::connect(bench.server.rtmp, "live").publish("cam");
    assert!(early.is_err_and(|refusal| refusal.contains("BadName")), "it was taken over too early");
    std::thread::sleep(Duration::from_millis(1100));
    let mut second = Client::connect(bench.server.rtmp, "live");
    let stream = second.publish("cam").expect("takeover_silence_ms is over");
    second.send_config(stream);
    second.send_frame(stream, 100, 0, 100).unwrap();

    // The viewer stays and sees the new publisher's frames.
    let deadline = Instant::now() + Duration::from_secs(3);
    let mut numbers = Vec::new();
    while !numbers.contains(&100) {
        assert!(Instant::now() < deadline, "the viewer saw {numbers:?}");
        if let Some(ClientEvent::Media { body, .. }) = viewer.next_event(Duration::from_millis(100)).unwrap()
        {
            numbers.extend(numbered(&body).map(|(number, _)| number));
        }
    }
    // The first one is told and closed.
    let deadline = Instant::now() + Duration::from_secs(4);
    while frozen.next_event(Duration::from_millis(100)).is_ok() {
        assert!(Instant::now() < deadline, "the frozen publisher is not closed");
    }
    bench.must_note(frozen.address(), "taken over");
    drop((frozen, viewer, second));
    bench.finish(8);
}

#[test]
fn viewers_of_a_frozen_publisher_stay_for_the_window_after_it_is_let_go() {
    // The window is shorter than the silence that a publisher is allowed.
    let bench = Bench::start(&QUICK.replace("takeover_silence_ms = 1000", "takeover = \"never\""));
    let (mut frozen, viewer) = frozen_with_a_viewer(&bench);
    let deadline = Instant::now() + Duration::from_secs(8);
    while frozen.next_event(Duration::from_millis(50)).is_ok() {
        assert!(Instant::now() < deadline, "the frozen publisher is not closed");
    }
    let let_go = Instant::now();
    while bench.api_must_answer().contains("live/cam") {
        assert!(let_go.elapsed() < Duration::from_secs(4), "the broadcast does not end");
        std::thread::sleep(Duration::from_millis(50));
    }
    let stayed = let_go.elapsed();
    assert!(stayed > Duration::from_millis(700), "reconnect_window_ms is 1000; it stayed {stayed:?}");
    drop((frozen, viewer));
    bench.finish(8);
}

#[test]
fn a_hundred_short_publishes_leave_nothing() {
    let bench = Bench::start(QUICK);
    for number in 0..100 {
        let mut client = Client::connect(bench.server.rtmp, "live");
        let stream = client.publish(&format!("short-{number}")).unwrap();
        client.send_config(stream);
        client.send_frame(stream, 0, 0, 2000).unwrap();
    }
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let streams = bench.api_must_answer();
        if streams.matches("\"path\"").count() == 1 && streams.contains("live/healthy") {
            break;
        }
        assert!(Instant::now() < deadline, "streams remain after reconnect_window_ms: {streams}");
        std::thread::sleep(Duration::from_millis(100));
    }
    bench.finish(8);
}

#[test]
fn broken_media_is_left_out_and_noted_once() {
    let bench = Bench::start(QUICK);
    let mut peer = bench.peer();
    peer.publish("broken");
    let bodies: [&[u8]; 8] = [
        &[],
        &[0x17],
        &[0x17, 0, 0, 0, 0],
        &[0x17, 0, 0, 0, 0, 1, 66, 0, 30, 255, 0xE1, 0xFF, 0xFF, 0x67],
        &[0x17, 1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0x65],
        &[0x27, 1, 0x7F, 0xFF, 0xFF, 0, 0, 0, 0],
        &[0xFF; 40],
        &[0x80; 40],
    ];
    for _ in 0..50 {
        for body in bodies {
            peer.message(1, 9, body.to_vec().into());
            peer.message(1, 8, [&[0xAF], body].concat().into());
        }
    }
    bench.api_must_answer();
    drop(peer);
    bench.finish(8);
}

/// A publisher with pictures whose sound nobody can use: `sound` is sent until the API names `reason`. The pictures
/// go on.
fn sound_must_be_told(name: &str, sound: &'static [u8], reason: &str) {
    let bench = Bench::start(QUICK);
    let mut peer = bench.peer();
    peer.publish(name);
    peer.message(1, type_id::VIDEO, config_body());
    peer.message(1, type_id::VIDEO, vec![0x17, 1, 0, 0, 0, 0, 0, 0, 2, 0x65, 0x88].into());
    let deadline = Instant::now() + Duration::from_secs(8);
    let told = loop {
        peer.message(1, type_id::AUDIO, Bytes::from_static(sound));
        let streams = bench.api_must_answer();
        if streams.contains(reason) {
            break streams;
        }
        assert!(Instant::now() < deadline, "no {reason:?} within seconds: {streams}");
        std::thread::sleep(Duration::from_millis(100));
    };
    assert!(told.contains("\"left_out\":[{\"reason\":\""), "{told}");
    bench.must_note(peer.address(), reason);
    let mut viewer = bench.peer();
    viewer.create_stream().command(1, &Command::new("play", 3.0).with(name));
    viewer.must_hear(&[0x65, 0x88]);
    let figures = bench.request("GET /metrics HTTP/1.1\r\nHost: localhost\r\n");
    let counted = format!("headwater_stream_left_out_messages_total{{stream=\"live/{name}\"}} 0\n");
    assert!(
        figures.contains("headwater_stream_left_out_messages_total") && !figures.contains(&counted),
        "{figures}"
    );
    drop((peer, viewer));
    bench.finish(8);
}

#[test]
fn an_unknown_audio_format_is_told_and_the_pictures_go_on() {
    sound_must_be_told("format-15", &[0xF2, 1, 2, 3], "FLV audio format 15 is not supported");
}

#[test]
fn an_unknown_four_cc_is_told_and_the_pictures_go_on() {
    sound_must_be_told("dts", b"\x91dtsc\x01", "Enhanced RTMP audio dtsc is not supported");
}

#[test]
fn sound_without_a_configuration_is_told_within_seconds() {
    // Its times stand still, so the configuration cannot be guessed either.
    sound_must_be_told("raw-aac", &[0xAF, 1, 0x21, 0x10, 0x04], "AAC sound without a configuration");
}

#[test]
fn a_publisher_of_nothing_that_is_known_is_told_in_the_end() {
    let bench = Bench::start(QUICK);
    let mut peer = bench.peer();
    peer.publish("nothing");
    let deadline = Instant::now() + Duration::from_secs(20);
    while bench.server.complaints(peer.address()).len() < 2 {
        assert!(Instant::now() < deadline, "{:?}", bench.server.complaints(peer.address()));
        peer.message(1, type_id::VIDEO, Bytes::from_static(b"\x90dvh1\x01"));
        std::thread::sleep(Duration::from_millis(100));
    }
    peer.must_be_closed(Duration::from_secs(4));
    let lines = bench.server.complaints(peer.address());
    assert!(lines[0].contains("left out") && lines[1].contains("let go"), "{lines:?}");
    assert!(lines.iter().all(|line| line.contains("dvh1 is not supported")), "{lines:?}");
    bench.finish(8);
}
