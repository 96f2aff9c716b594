//! The server against scripted clients.

use headwater_media::MediaKind;
use headwater_media::amf::{Object, Value};

use super::kit::{Dialogue, accept, connect};
use crate::command::{
    Capabilities, Command, ConnectRejection, PlayRejection, PlayStart, PublishRejection, Transition,
};
use crate::message::{UserControl, type_id};
use crate::rule::Rule;
use crate::session::{
    Following, Limits, PauseRequest, Pending, ReceiveRequest, Role, SeekRejection, SeekRequest, ServerConfig,
    ServerEvent, ServerSession,
};
use crate::url::PathFault;
use crate::{Error, MessageStreamId};

const ONE: MessageStreamId = MessageStreamId(1);
const TWO: MessageStreamId = MessageStreamId(2);

fn stopped(stream: MessageStreamId, role: Role) -> ServerEvent {
    ServerEvent::Stopped { stream, role }
}

fn two(events: Vec<ServerEvent>) -> [ServerEvent; 2] {
    events.try_into().unwrap()
}

impl Dialogue<ServerSession> {
    #[track_caller]
    fn seeks(&mut self) -> Pending<SeekRequest> {
        let ServerEvent::Seek(request) = self.event() else { panic!() };
        request
    }
}

#[test]
fn connect_is_answered_with_the_chunk_size_before_the_result() {
    // OBS misread a `_result` cut at 128 bytes (quirk 9).
    let mut client = Dialogue::with_server(ServerConfig::default());
    client.says(0, connect("live"));
    let ServerEvent::Connect(request) = client.event() else { panic!() };
    assert_eq!((request.app.as_str(), request.tc_url.as_str()), ("live", "rtmp://h/live"));
    client.hears(&[]);
    request.accept(&mut client.session);
    client.hears(&[
        "WindowAckSize(2500000)",
        "SetPeerBandwidth(2500000)",
        "StreamBegin(0)",
        "SetChunkSize(60000)",
        "0: _result(1) {fmsVer: \"FMS/3,5,3,888\", capabilities: 31, mode: 1} NetConnection.Connect.Success",
    ]);
}

#[test]
fn connect_is_rejected_with_an_error() {
    let mut client = Dialogue::with_server(ServerConfig::default());
    client.says(0, connect("nowhere"));
    let ServerEvent::Connect(request) = client.event() else { panic!() };
    request.reject(&mut client.session, ConnectRejection::InvalidApp, "There is no app \"nowhere\".");
    client.hears(&["0: _error(1) null NetConnection.Connect.InvalidApp"]);
    assert!(client.session.is_closed());
    client.says(0, Command::new("createStream", 2.0));
    client.hears(&[]);
}

#[test]
fn nothing_is_heard_before_the_answer() {
    let mut client = Dialogue::with_server(ServerConfig::default());
    client.says(0, connect("live"));
    client.says(0, Command::new("createStream", 2.0));
    let ServerEvent::Connect(request) = client.event() else { panic!() };
    assert!(client.session.awaits_answer());
    client.hears(&[]);
    request.accept(&mut client.session);
    assert_eq!(client.events(), []);
    assert_eq!(client.heard_lines().last().unwrap(), "0: _result(2) null 1");
}

#[test]
fn obs_sets_its_chunk_size_before_connect() {
    let mut client = Dialogue::with_server(ServerConfig::default());
    client.sends(0, type_id::SET_CHUNK_SIZE, 0, &4096u32.to_be_bytes());
    let long = "x".repeat(2000);
    client.says(0, connect(&long));
    assert!(matches!(client.event(), ServerEvent::Connect(request) if request.app == long));
}

#[test]
fn everything_else_before_connect_is_the_clients_fault() {
    for name in ["createStream", "publish", "play"] {
        let mut client = Dialogue::with_server(ServerConfig::default());
        client.says(0, Command::new(name, 1.0).with("cam"));
        let text = format!("the peer broke the protocol at byte 3073: it sends `{name}` before `connect`");
        let error = client.error();
        assert_eq!((error.to_string(), error.rule()), (text, Some(Rule::BeforeConnect)));
    }
    let mut client = Dialogue::with_server(ServerConfig::default());
    client.sends(1, type_id::VIDEO, 0, b"x");
    assert!(client.error().to_string().contains("media before `connect`"));
}

#[test]
fn a_second_connect_is_refused() {
    let mut client = Dialogue::connected();
    client.says(0, connect("live"));
    let error = client.error();
    assert!(error.to_string().contains("second `connect`"));
    assert_eq!(error.rule(), Some(Rule::ConnectTwice));
}

#[test]
fn a_publisher_is_turned_away_by_name() {
    let mut client = Dialogue::with_streams(1);
    client.says(1, Command::new("publish", 5.0).with("cam").with("live"));
    let ServerEvent::Publish(request) = client.event() else { panic!() };
    request.reject(&mut client.session, PublishRejection::BadName, "The name is taken.");
    client.hears(&["1: onStatus Error NetStream.Publish.BadName"]);
    assert_eq!(client.session.role(ONE), None);
}

#[test]
fn a_name_that_leads_out_is_refused_by_the_session() {
    let mut client = Dialogue::with_streams(1);
    client.says(1, Command::new("publish", 5.0).with("../etc"));
    client.says(1, Command::new("play", 6.0).with("a\0b"));
    assert_eq!(
        client.events(),
        [
            ServerEvent::Refused { stream: ONE, fault: PathFault::Dots },
            ServerEvent::Refused { stream: ONE, fault: PathFault::ControlCharacter }
        ]
    );
    client.hears(&[
        "1: onStatus Error NetStream.Publish.BadName",
        "1: onStatus Error NetStream.Play.StreamNotFound",
    ]);
}

#[test]
fn stream_commands_on_stream_0_mean_the_only_stream() {
    let mut client = Dialogue::with_streams(1);
    client.says(0, Command::new("publish", 5.0).with("cam").with("live"));
    let ServerEvent::Publish(request) = client.event() else { panic!() };
    assert_eq!(request.stream, ONE);
    request.accept(&mut client.session);
    client.sends(0, type_id::AUDIO, 0, b"x");
    assert!(matches!(client.event(), ServerEvent::Media { stream: ONE, .. }));
    client.says(77, Command::new("closeStream", 0.0));
    assert_eq!(client.events(), [stopped(ONE, Role::Publisher)]);

    let mut client = Dialogue::with_streams(2);
    client.says(0, Command::new("publish", 5.0).with("cam"));
    assert!(client.error().to_string().contains("message stream 0, which it never created"));
}

#[test]
fn flash_republishes_on_one_connection() {
    // Flash (quirk 23), and FMLE's several streams (quirk 26).
    let mut client = Dialogue::publishing();
    client.says(1, Command::new("closeStream", 0.0));
    client.says(1, Command::new("publish", 0.0).with("cam").with("live"));
    let [ServerEvent::Stopped { .. }, request @ ServerEvent::Publish(_)] = two(client.events()) else {
        panic!()
    };
    accept(&mut client.session, request);
    // Without a close in between.
    client.says(1, Command::new("publish", 0.0).with("other").with("live"));
    let [ServerEvent::Stopped { .. }, request @ ServerEvent::Publish(_)] = two(client.events()) else {
        panic!()
    };
    accept(&mut client.session, request);
    client.says(1, Command::new("publish", 0.0).with(false));
    assert_eq!(client.events(), [stopped(ONE, Role::Publisher)]);
}

#[test]
fn several_streams_have_their_own_lives() {
    let mut client = Dialogue::with_streams(2);
    for (stream, name) in [(1, "low"), (2, "high")] {
        client.says(stream, Command::new("publish", 0.0).with(name).with("live"));
        client.accepts();
    }
    client.sends(1, type_id::VIDEO, 0, b"l");
    client.sends(2, type_id::VIDEO, 0, b"h");
    let streams: Vec<_> = client
        .events()
        .iter()
        .map(|event| match event {
            ServerEvent::Media { stream, body, .. } => (*stream, body.clone()),
            event => panic!("{event:?}"),
        })
        .collect();
    assert_eq!(streams, [(ONE, "l".into()), (TWO, "h".into())]);
    client.says(0, Command::new("FCUnpublish", 0.0).with("high"));
    assert_eq!(client.events(), [stopped(TWO, Role::Publisher)]);
    client.says(0, Command::new("deleteStream", 0.0).with(1.0));
    assert_eq!(client.events(), [stopped(ONE, Role::Publisher)]);
    client.heard_lines();
    client.says(0, Command::new("createStream", 9.0));
    client.hears(&["0: _result(9) null 1"]);
}

#[test]
fn deleting_what_is_not_there_is_no_fault() {
    let mut client = Dialogue::publishing();
    for id in [0.0, 2.0, -1.0, f64::NAN, 1e300] {
        client.says(0, Command::new("deleteStream", 0.0).with(id));
    }
    client.hears(&[]);
    assert_eq!(client.session.role(ONE), Some(Role::Publisher));
}

#[test]
fn late_media_of_a_deleted_stream_is_dropped_up_to_a_limit() {
    // Encoders go on for a moment after `deleteStream` (quirk 72).
    let config = ServerConfig {
        limits: Limits { stray_media_bytes: 10, ..Limits::default() },
        ..ServerConfig::default()
    };
    let mut client = Dialogue::connected_with(config);
    client.sends(1, type_id::VIDEO, 0, &[0; 10]);
    client.hears(&[]);
    client.sends(1, type_id::VIDEO, 0, &[0; 1]);
    assert!(matches!(client.error(), Error::Limit { name: "stray_media_bytes", value: 10, wanted: 11, .. }));
}

#[test]
fn a_player_plays_live() {
    let mut client = Dialogue::with_streams(1);
    client.sends(
        0,
        type_id::USER_CONTROL,
        0,
        &UserControl::SetBufferLength { stream: ONE, ms: 3000 }.encode(),
    );
    client.says(0, Command::new("FCSubscribe", 5.0).with("cam"));
    client.says(1, Command::new("play", 6.0).with("cam").with(-2000.0));
    let [ServerEvent::BufferLength { stream: ONE, ms: 3000 }, ServerEvent::Play(request)] =
        two(client.events())
    else {
        panic!()
    };
    assert_eq!((request.stream, request.start, request.duration_ms), (ONE, PlayStart::LiveOrRecorded, None));
    client.hears(&["0: onFCSubscribe(0) null NetStream.Play.Start", "0: _result(5) null undefined"]);
    request.accept(&mut client.session, false);
    client.hears(&[
        "SetChunkSize(60000)",
        "StreamBegin(1)",
        "1: onStatus Status NetStream.Play.Reset",
        "1: onStatus Status NetStream.Play.Start",
        "1: data |RtmpSampleAccess",
    ]);
    client.session.send_media(ONE, MediaKind::Video, 0, &[b"head"[..].into(), b"body"[..].into()]).unwrap();
    client.hears(&["1: Video 8 bytes"]);
    client.session.notify_publisher(ONE, false).unwrap();
    client.session.notify_publisher(ONE, true).unwrap();
    client.hears(&[
        "StreamEof(1)",
        "1: onStatus Status NetStream.Play.UnpublishNotify",
        "StreamBegin(1)",
        "1: onStatus Status NetStream.Play.PublishNotify",
    ]);
    client.session.end_play(ONE).unwrap();
    client.hears(&["StreamEof(1)", "1: onStatus Status NetStream.Play.Stop"]);
    assert!(client.session.end_play(ONE).is_err());
}

#[test]
fn the_chunk_size_towards_a_publisher_never_changes() {
    // OBS hears nothing after Publish.Start (quirk 8).
    let mut client = Dialogue::with_streams(2);
    client.says(1, Command::new("publish", 0.0).with("cam").with("live"));
    client.accepts();
    client.says(2, Command::new("play", 0.0).with("cam"));
    let ServerEvent::Play(request) = client.event() else { panic!() };
    client.heard_lines();
    request.accept(&mut client.session, false);
    assert_eq!(client.heard_lines()[0], "StreamBegin(2)");
}

#[test]
fn a_player_pauses_and_seeks_in_a_film() {
    let mut client = Dialogue::playing();
    client.says(1, Command::new("pause", 0.0).with(true).with(1500.0));
    let ServerEvent::Pause(request) = client.event() else { panic!() };
    assert_eq!(*request, PauseRequest { stream: ONE, pause: true, position_ms: 1500 });
    request.accept(&mut client.session);
    client.hears(&["1: onStatus Status NetStream.Pause.Notify", "StreamEof(1)"]);
    client.says(1, Command::new("pauseRaw", 0.0).with(false).with(1500.0));
    let ServerEvent::Pause(request) = client.event() else { panic!() };
    assert_eq!(*request, PauseRequest { stream: ONE, pause: false, position_ms: 1500 });
    request.accept(&mut client.session);
    client.hears(&["StreamBegin(1)", "1: onStatus Status NetStream.Unpause.Notify"]);

    client.says(1, Command::new("seek", 0.0).with(60_000.0));
    let request = client.seeks();
    assert_eq!(*request, SeekRequest { stream: ONE, position_ms: 60_000 });
    request.accept(&mut client.session);
    client.hears(&[
        "StreamEof(1)",
        "StreamIsRecorded(1)",
        "StreamBegin(1)",
        "1: onStatus Status NetStream.Seek.Notify",
        "1: onStatus Status NetStream.Play.Start",
    ]);
    client.says(1, Command::new("seek", 0.0).with(60_000.0));
    client.seeks().reject(&mut client.session, SeekRejection::Failed, "This stream is live.");
    client.hears(&["1: onStatus Warning NetStream.Seek.Failed"]);

    client.says(1, Command::new("receiveVideo", 0.0).with(false));
    let ServerEvent::Receive(request) = client.event() else { panic!() };
    assert_eq!(*request, ReceiveRequest { stream: ONE, kind: MediaKind::Video, on: false });
    request.accept(&mut client.session, 1500);
    client.hears(&[]);
    client.says(1, Command::new("receiveAudio", 0.0).with(true));
    let ServerEvent::Receive(request) = client.event() else { panic!() };
    assert_eq!(*request, ReceiveRequest { stream: ONE, kind: MediaKind::Audio, on: true });
    request.accept(&mut client.session, 1500);
    client.hears(&["1: onStatus Status NetStream.Seek.Notify", "1: onStatus Status NetStream.Play.Start"]);

    client.session.complete_play(ONE, 90.5, 1000).unwrap();
    client.hears(&["1: data onPlayStatus", "StreamEof(1)", "1: onStatus Status NetStream.Play.Stop"]);
}

#[test]
fn only_players_steer() {
    let mut client = Dialogue::publishing();
    for name in ["pause", "seek", "receiveAudio"] {
        client.says(1, Command::new(name, 0.0).with(true));
    }
    client.hears(&[]);
}

#[test]
fn a_player_is_turned_away_and_tries_again() {
    let mut client = Dialogue::with_streams(1);
    client.says(1, Command::new("play", 5.0).with("cam"));
    let ServerEvent::Play(request) = client.event() else { panic!() };
    request.reject(&mut client.session, PlayRejection::StreamNotFound, "There is no such stream.");
    client.hears(&["1: onStatus Error NetStream.Play.StreamNotFound"]);
    client.says(1, Command::new("play", 5.0).with("mp4:film.mp4").with(3000.0).with(10_000.0).with(false));
    let ServerEvent::Play(request) = client.event() else { panic!() };
    assert_eq!((request.path.prefix, request.path.name.as_str()), (Some("mp4"), "film.mp4"));
    assert_eq!(
        (request.start, request.duration_ms, request.reset),
        (PlayStart::Recorded { ms: 3000 }, Some(10_000), false)
    );
}

#[test]
fn flash_switches_bit_rates_with_play2() {
    let mut client = Dialogue::playing();
    let options =
        Object::new().with("streamName", "film_high").with("transition", "switch").with("offset", 4.5);
    client.says(1, Command::new("play2", 0.0).with(options));
    let ServerEvent::Play2(request) = client.event() else { panic!() };
    assert_eq!((request.play.path.name.as_str(), request.play.reset), ("film_high", false));
    assert_eq!((request.transition, request.offset_ms), (Transition::Switch, Some(4500)));
    request.accept(&mut client.session);
    client.hears(&["1: onStatus Status NetStream.Play.Transition"]);
    client.session.play_next(ONE, "film_high", true, Following::Transition).unwrap();
    client.hears(&["1: data onPlayStatus"]);
}

#[test]
fn a_transition_where_nothing_plays_is_a_beginning() {
    let mut client = Dialogue::with_streams(1);
    let options = Object::new().with("streamName", "film").with("transition", "resume").with("offset", 4.5);
    client.says(1, Command::new("play2", 0.0).with(options));
    let ServerEvent::Play(request) = client.event() else { panic!() };
    assert_eq!((request.start, request.reset), (PlayStart::Recorded { ms: 4500 }, true));

    let mut client = Dialogue::playing();
    let options = Object::new().with("streamName", "film").with("transition", "reset");
    client.says(1, Command::new("play2", 0.0).with(options));
    let events = client.events();
    assert!(matches!(&events[..], [ServerEvent::Stopped { .. }, ServerEvent::Play(_)]), "{events:?}");
}

#[test]
fn a_playlist_grows_while_its_first_part_plays() {
    let mut client = Dialogue::playing();
    for (reset, at_once) in
        [(Value::Boolean(false), false), (Value::Number(0.0), false), (Value::Number(2.0), true)]
    {
        client.says(1, Command::new("play", 0.0).with("next").with(0.0).with(-1.0).with(reset));
        let ServerEvent::PlayLater(request) = client.event() else { panic!() };
        assert_eq!(
            (request.path.name.as_str(), request.reset, request.data_at_once),
            ("next", false, at_once)
        );
    }
    client.session.play_next(ONE, "next", true, Following::Playlist).unwrap();
    client.hears(&[
        "1: data onPlayStatus",
        "StreamIsRecorded(1)",
        "StreamBegin(1)",
        "1: onStatus Status NetStream.Play.Start",
    ]);
    client.says(1, Command::new("play", 0.0).with("other").with(0.0).with(-1.0).with(3.0));
    let events = client.events();
    let [ServerEvent::Stopped { .. }, ServerEvent::Play(request)] = &events[..] else { panic!("{events:?}") };
    assert!(request.reset && request.data_at_once);
}

#[test]
fn what_a_player_hears_while_it_plays() {
    let mut client = Dialogue::playing();
    client.session.tell_buffer(ONE, true).unwrap();
    client.session.tell_buffer(ONE, false).unwrap();
    client.says(1, Command::new("seek", 0.0).with(90_000.0));
    client.seeks().reject(&mut client.session, SeekRejection::InvalidTime, "It is shorter.");
    client.hears(&["BufferEmpty(1)", "BufferReady(1)", "1: onStatus Warning NetStream.Seek.InvalidTime"]);
    client.session.complete_play(ONE, 1.0, 1).unwrap();
    client.says(1, Command::new("seek", 0.0).with(0.0));
    assert!(
        matches!(client.events().last(), Some(ServerEvent::Seek { .. })),
        "a film that is over can be sought in"
    );
}

#[test]
fn the_length_of_a_stream_is_answered_with_its_transaction() {
    let mut client = Dialogue::connected();
    client.says(0, Command::new("getStreamLength", 3.0).with("mp4:film.mp4"));
    client.says(0, Command::new("getStreamLength", 4.0).with("cam"));
    let [ServerEvent::StreamLength(film), ServerEvent::StreamLength(cam)] = two(client.events()) else {
        panic!()
    };
    assert_eq!(film.path.name, "film.mp4");
    cam.accept(&mut client.session, None);
    film.accept(&mut client.session, Some(90.5));
    client.hears(&["0: _result(4) null 0", "0: _result(3) null 90.5"]);
}

#[test]
fn unknown_calls_are_answered_if_an_answer_is_wanted() {
    let mut client = Dialogue::connected();
    client.says(0, Command::new("service.method", 9.0));
    client.says(0, Command::new("service.method", 0.0));
    client.says(0, Command::new("receiveVideoFPS", 0.0));
    client.hears(&["0: _error(9) null NetConnection.Call.Failed"]);
}

#[test]
fn pings_both_ways() {
    let mut client = Dialogue::connected();
    client.sends(0, type_id::USER_CONTROL, 0, &UserControl::PingRequest(77).encode());
    client.hears(&["PingResponse(77)"]);
    client.session.ping(1234);
    client.hears(&["PingRequest(1234)"]);
    client.sends(0, type_id::USER_CONTROL, 0, &UserControl::PingResponse(1234).encode());
    assert_eq!(client.event(), ServerEvent::Pong { sent_ms: 1234 });
}

#[test]
fn bytes_are_acknowledged_every_half_window() {
    let mut client = Dialogue::publishing();
    client.sends(0, type_id::WINDOW_ACK_SIZE, 0, &100_000u32.to_be_bytes());
    let before = client.session.received_bytes();
    for _ in 0..20 {
        client.sends(1, type_id::VIDEO, 0, &[0; 6000]);
        client.events();
    }
    let lines = client.heard_lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().all(|line| line.starts_with("Acknowledgement(")));
    assert!(client.session.received_bytes() > before + 120_000);
    // A window of nothing is no order to answer every byte.
    client.sends(0, type_id::WINDOW_ACK_SIZE, 0, &[0; 4]);
    for _ in 0..10 {
        client.sends(1, type_id::AUDIO, 0, b"x");
        client.events();
    }
    assert!(client.heard_lines().len() <= 1);
}

#[test]
fn acknowledgements_are_not_needed_and_do_no_harm() {
    let mut client = Dialogue::playing();
    for received in 0..2000u32 {
        client.sends(0, type_id::ACKNOWLEDGEMENT, 0, &received.to_be_bytes());
    }
    client.hears(&[]);
    for _ in 0..400 {
        client.session.send_media(ONE, MediaKind::Video, 0, &[vec![7; 50_000].into()]).unwrap();
        client.session.output().drain();
    }
    assert_eq!(client.session.role(ONE), Some(Role::Player), "20 MB without one");
}

#[test]
fn ptz_optics_sends_control_on_any_chunk_stream() {
    // PTZOptics cameras (quirk 28): the kit sends control messages on chunk streams 4 to 7, and with a stream id.
    let mut client = Dialogue::publishing();
    client.sends(1, type_id::SET_CHUNK_SIZE, 0, &128u32.to_be_bytes());
    client.sends(1, type_id::ABORT, 0, &9u32.to_be_bytes());
    client.sends(1, type_id::VIDEO, 0, &[1; 300]);
    assert!(matches!(client.event(), ServerEvent::Media { .. }));
}

#[test]
fn an_aggregate_is_several_messages() {
    let mut client = Dialogue::publishing();
    let mut body = Vec::new();
    for (type_id, time) in [(8, 100), (20, 100), (9, 140)] {
        body.extend([type_id, 0, 0, 1, 0, 0, time, 0, 0, 0, 0, b'x', 0, 0, 0, 12]);
    }
    client.sends(1, type_id::AGGREGATE, 5000, &body);
    let times: Vec<_> = client
        .events()
        .iter()
        .map(|event| match event {
            ServerEvent::Media { timestamp, kind, .. } => (*kind, *timestamp),
            event => panic!("{event:?}"),
        })
        .collect();
    assert_eq!(times, [(MediaKind::Audio, 5000), (MediaKind::Video, 5040)]);
}

#[test]
fn limits_before_and_after_connect() {
    let limit = |client: &mut Dialogue<_>| match client.error() {
        Error::Limit { name, value, .. } => (name, value),
        error => panic!("{error}"),
    };
    let mut client = Dialogue::with_server(ServerConfig::default());
    client.sends(0, type_id::COMMAND, 0, &vec![0; (64 << 10) + 1]);
    assert_eq!(limit(&mut client), ("message_bytes_before_connect", 64 << 10));

    let config = ServerConfig {
        limits: Limits { message_bytes: 100_000, ..Limits::default() },
        ..ServerConfig::default()
    };
    let mut client = Dialogue::connected_with(config);
    client.sends(1, type_id::VIDEO, 0, &vec![0; 100_000]);
    client.hears(&[]);
    client.sends(1, type_id::VIDEO, 0, &vec![0; 100_001]);
    assert_eq!(limit(&mut client), ("message_bytes", 100_000));

    let mut client = Dialogue::with_streams(16);
    client.says(0, Command::new("createStream", 4.0));
    assert_eq!(limit(&mut client), ("message_streams", 16));
}

#[test]
fn an_answer_that_nobody_waits_for_is_of_no_effect() {
    let asks = |mut client: Dialogue<ServerSession>| {
        client.says(1, Command::new("play", 5.0).with("cam"));
        let ServerEvent::Play(request) = client.event() else { panic!() };
        (client, request)
    };
    // Of another session.
    let (mut client, request) = asks(Dialogue::with_streams(1));
    request.accept(&mut Dialogue::with_streams(2).session, false);
    assert!(client.session.awaits_answer(), "the question still stands");
    client.hears(&[]);
    // Of a session that was closed meanwhile.
    let (mut client, request) = asks(Dialogue::with_streams(1));
    client.session.close("The server stops.");
    client.heard_lines();
    request.accept(&mut client.session, false);
    client.hears(&[]);
    assert_eq!(client.session.role(ONE), None);
    // Of a player that has stopped meanwhile.
    let mut client = Dialogue::playing();
    client.says(1, Command::new("pause", 0.0).with(true).with(1500.0));
    client.says(1, Command::new("closeStream", 0.0));
    let [ServerEvent::Pause(request), ServerEvent::Stopped { .. }] = two(client.events()) else { panic!() };
    request.accept(&mut client.session);
    client.hears(&[]);
}

#[test]
fn a_publisher_is_thrown_out() {
    let mut client = Dialogue::publishing();
    client.session.end_publish(ONE, PublishRejection::Denied, "Another has taken the name.").unwrap();
    client.hears(&["1: onStatus Error NetStream.Publish.Denied"]);
    client.sends(1, type_id::VIDEO, 0, b"still here");
    client.hears(&[]);
    assert!(client.session.end_publish(ONE, PublishRejection::Denied, "Again.").is_err());
    client.says(1, Command::new("publish", 0.0).with("cam").with("live"));
    assert!(matches!(client.event(), ServerEvent::Publish(_)));
}

#[test]
fn a_client_is_asked_to_come_again() {
    let mut client = Dialogue::playing();
    client.session.request_reconnect(Some("rtmp://other/live"), "The server goes down for an upgrade.");
    client.hears(&["0: onStatus Status NetConnection.Connect.ReconnectRequest"]);
}

#[test]
fn capabilities_stand_in_the_result() {
    let capabilities = Capabilities::FULL;
    let mut client = Dialogue::with_server(ServerConfig { capabilities, ..ServerConfig::default() });
    client.says(0, connect("live"));
    client.accepts();
    assert!(client.heard_lines().last().unwrap().contains("capsEx: 15}"));
}

#[test]
fn a_close_says_why() {
    let mut client = Dialogue::playing();
    client.session.close("The server goes down for an upgrade.");
    client.hears(&[
        "StreamEof(1)",
        "1: onStatus Status NetStream.Play.Stop",
        "0: onStatus Status NetConnection.Connect.Closed",
    ]);
    assert!(client.session.is_closed());
}
