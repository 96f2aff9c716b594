//! The client against scripted servers.

use headwater_media::MediaKind;
use headwater_media::amf::{Object, Value, amf0};

use super::kit::Dialogue;
use crate::command::{Command, PlayStart, PublishKind, Status, code};
use crate::message::{UserControl, type_id};
use crate::session::{ClientEvent, ClientSession, PlayOptions};
use crate::{Error, Fault, MessageStreamId};

const ONE: MessageStreamId = MessageStreamId(1);

fn created() -> ClientEvent {
    ClientEvent::StreamCreated { stream: ONE }
}

fn publishing() -> Dialogue<ClientSession> {
    let mut server = Dialogue::let_in();
    server.session.publish("cam", PublishKind::Live).unwrap();
    server.says(0, Command::new("_result", 4.0).with(1.0));
    assert_eq!(server.event(), created());
    server.says_status(1, &Status::new(code::PUBLISH_START, "go"));
    assert_eq!(server.event(), ClientEvent::PublishStarted { stream: ONE });
    server.heard_lines();
    server
}

fn playing() -> Dialogue<ClientSession> {
    let mut server = Dialogue::let_in();
    server.session.play("cam", PlayOptions::default()).unwrap();
    server.says(0, Command::new("_result", 2.0).with(1.0));
    server.says_status(1, &Status::new(code::PLAY_RESET, ""));
    server.says_status(1, &Status::new(code::PLAY_START, ""));
    let events = server.events();
    assert_eq!((&events[0], events.last()), (&created(), Some(&ClientEvent::PlayStarted { stream: ONE })));
    server.heard_lines();
    server
}

#[test]
fn a_client_connects_like_ffmpeg() {
    let mut server = Dialogue::with_client("rtmp://h/live/cam?key=1");
    let lines = server.heard_lines();
    assert_eq!(lines[0], "SetChunkSize(60000)");
    assert!(lines[1].starts_with("0: connect(1) {app: \"live\", type: \"nonprivate\","), "{}", lines[1]);
    assert!(lines[1].contains("tcUrl: \"rtmp://h/live\""));
    let information = Object::new().with("code", code::CONNECT_SUCCESS);
    server.says(
        0,
        Command::new("_result", 1.0).object(Object::new().with("fmsVer", "FMS/1")).with(information),
    );
    let ClientEvent::Connected { properties, information } = server.event() else { panic!() };
    assert_eq!(properties.get("fmsVer"), Some(&Value::string("FMS/1")));
    assert_eq!(information.get("code"), Some(&Value::string(code::CONNECT_SUCCESS)));
}

#[test]
fn a_client_publishes() {
    let mut server = Dialogue::let_in();
    server.session.publish("cam?key=1", PublishKind::Record).unwrap();
    server.hears(&[
        "0: releaseStream(2) null \"cam?key=1\"",
        "0: FCPublish(3) null \"cam?key=1\"",
        "0: createStream(4) null",
    ]);
    // FFmpeg's listener knows neither of the first two.
    server.says(0, Command::call_failed("releaseStream", 2.0));
    server.says(0, Command::result(3.0));
    server.says(0, Command::new("_result", 4.0).with(1.0));
    assert_eq!(server.event(), created());
    server.hears(&["1: publish(5) null \"cam?key=1\" \"record\""]);
    assert!(matches!(
        server.session.send_media(ONE, MediaKind::Audio, 0, &[]),
        Err(Error::Misuse("the stream does not publish"))
    ));
    // gortmplib sends the transaction of `publish`; nginx-rtmp sends 0.
    let status = Status::new(code::PUBLISH_START, "go").to_object();
    server.says(1, Command::new("onStatus", 5.0).with(status));
    assert_eq!(server.event(), ClientEvent::PublishStarted { stream: ONE });

    let metadata = amf0::encode_all(&[Value::string("onMetaData"), Value::Null]);
    server.session.send_metadata(ONE, 0, metadata).unwrap();
    server.session.send_media(ONE, MediaKind::Video, 0, &[b"ab"[..].into(), b"cd"[..].into()]).unwrap();
    server.hears(&["1: data onMetaData", "1: Video 4 bytes"]);
    server.session.delete_stream(ONE);
    server.session.delete_stream(ONE);
    server.hears(&["0: FCUnpublish(6) null \"cam?key=1\"", "0: deleteStream(0) null 1"]);
}

#[test]
fn a_client_plays() {
    let mut server = Dialogue::let_in();
    let live = PlayOptions { start: PlayStart::Live, ..PlayOptions::default() };
    server.session.play("cam", live).unwrap();
    server.hears(&["WindowAckSize(2500000)", "0: FCSubscribe(2) null \"cam\"", "0: createStream(3) null"]);
    server.says(0, Command::new("_result", 3.0).with(1.0));
    assert_eq!(server.event(), created());
    server.hears(&["1: play(4) null \"cam\" -1000", "SetBufferLength { stream: (1), ms: 3000 }"]);

    server.sends(0, type_id::USER_CONTROL, 0, &UserControl::StreamBegin(ONE).encode());
    server.says_status(1, &Status::new(code::PLAY_RESET, ""));
    server.says_status(1, &Status::new(code::PLAY_START, ""));
    server.sends(1, type_id::AUDIO, 7, b"x");
    let events = server.events();
    assert_eq!(events[0], ClientEvent::UserControl(UserControl::StreamBegin(ONE)));
    assert!(matches!(&events[1], ClientEvent::Status { status, .. } if status.code == code::PLAY_RESET));
    assert_eq!(events[2], ClientEvent::PlayStarted { stream: ONE });
    let media =
        ClientEvent::Media { stream: ONE, kind: MediaKind::Audio, timestamp: 7, body: b"x"[..].into() };
    assert_eq!(events[3], media);
}

#[test]
fn a_client_plays_a_part_of_a_film() {
    let mut server = Dialogue::let_in();
    let options = PlayOptions {
        start: PlayStart::Recorded { ms: 5000 },
        duration_ms: Some(1000),
        reset: false,
        buffer_ms: 100,
    };
    server.session.request_stream_length("film").unwrap();
    server.session.play("film", options).unwrap();
    server.says(0, Command::new("_result", 2.0).with(90.5));
    server.says(0, Command::new("_result", 3.0).with(1.0));
    assert_eq!(server.events(), [ClientEvent::StreamLength { seconds: Some(90.5) }, created()]);
    assert!(server.heard_lines().contains(&"1: play(4) null \"film\" 5000 1000 false".to_owned()));
}

#[test]
fn a_client_steers_what_it_plays() {
    let mut server = playing();
    server.session.pause(ONE, true, 1500).unwrap();
    server.session.seek(ONE, 2000).unwrap();
    server.session.receive(ONE, MediaKind::Video, false).unwrap();
    server.session.close_stream(ONE);
    server.hears(&[
        "1: pause(0) null true 1500",
        "1: seek(0) null 2000",
        "1: receiveVideo(0) null false",
        "1: closeStream(0) null",
    ]);
    assert!(server.session.seek(ONE, 1).is_err());
}

#[test]
fn verdicts_against_us() {
    let mut server = Dialogue::with_client("rtmp://h/live/cam");
    let error = Status::error(code::CONNECT_REJECTED, "[ code=403 need auth; authmod=adobe ]");
    server.says(0, Command::new("_error", 1.0).with(error.to_object()));
    assert_eq!(server.event(), ClientEvent::Rejected { stream: MessageStreamId(0), status: error });
    assert!(server.session.is_closed());

    // SRS turns a connect away with a status.
    let mut server = Dialogue::with_client("rtmp://h/live/cam");
    server.says_status(0, &Status::error(code::CONNECT_REJECTED, "no"));
    assert!(matches!(server.event(), ClientEvent::Rejected { .. }));
    assert!(server.session.is_closed());

    let mut server = Dialogue::let_in();
    server.session.publish("cam", PublishKind::Live).unwrap();
    server.says(0, Command::new("_result", 4.0).with(1.0));
    let taken = Status::error(code::PUBLISH_BAD_NAME, "taken");
    server.says_status(1, &taken);
    assert_eq!(server.events(), [created(), ClientEvent::Rejected { stream: ONE, status: taken }]);
    assert!(!server.session.is_closed());
}

#[test]
fn a_login_is_a_new_connection_with_the_answer_behind_the_app() {
    let asks = |server: &mut Dialogue<ClientSession>, description: &'static str| {
        let error = Status::error(code::CONNECT_REJECTED, description);
        server.says(0, Command::new("_error", 1.0).with(error.to_object()));
        let event = server.event();
        assert!(server.session.is_closed());
        event
    };
    let mut server = Dialogue::with_client("rtmp://ann:s3cret@h/live/cam");
    assert!(!server.heard_lines().concat().contains("ann"), "nobody has asked yet");
    let ClientEvent::LoginAsked { url } = asks(&mut server, "[ code=403 need auth; authmod=adobe ]") else {
        panic!()
    };
    assert_eq!(url.to_string(), "rtmp://h/live/cam");
    let mut server = Dialogue::with_url(url);
    let connect = server.heard_lines().remove(1);
    assert!(connect.contains("app: \"live?authmod=adobe&user=ann\""), "{connect}");
    assert!(connect.contains("tcUrl: \"rtmp://h/live?authmod=adobe&user=ann\""), "{connect}");
    let question = "[ authmod=adobe ] : ?reason=needauth&user=ann&salt=s&challenge=c&opaque=o";
    let ClientEvent::LoginAsked { url } = asks(&mut server, question) else { panic!() };
    let mut server = Dialogue::with_url(url);
    let connect = server.heard_lines().remove(1);
    assert!(connect.contains("&user=ann&challenge=") && connect.contains("&response="), "{connect}");
    let failed = asks(&mut server, "[ authmod=adobe ] : ?reason=authfailed&opaque=o");
    assert!(matches!(failed, ClientEvent::Rejected { .. }), "{failed:?}");
}

#[test]
fn a_server_without_a_stream_for_us_is_of_no_use() {
    let mut server = Dialogue::let_in();
    server.session.play("cam", PlayOptions::default()).unwrap();
    server.says(0, Command::call_failed("createStream", 2.0));
    assert!(matches!(server.event(), ClientEvent::Rejected { stream: MessageStreamId(0), .. }));
    assert!(server.session.is_closed());
}

#[test]
fn a_publisher_that_is_thrown_out_sends_no_more() {
    let mut server = publishing();
    server.session.send_media(ONE, MediaKind::Audio, 0, &[]).unwrap();
    server.says_status(1, &Status::error(code::PUBLISH_DENIED, "another has taken the name"));
    assert!(matches!(server.event(), ClientEvent::Rejected { stream: ONE, .. }));
    assert!(server.session.send_media(ONE, MediaKind::Audio, 0, &[]).is_err());
}

#[test]
fn a_seek_that_fails_is_no_end() {
    let mut server = playing();
    server.says_status(1, &Status::error(code::SEEK_FAILED, "live"));
    assert!(matches!(server.event(), ClientEvent::Status { .. }));
    assert!(server.session.seek(ONE, 0).is_ok());
}

#[test]
fn the_ends_of_a_stream() {
    for end in [code::PLAY_STOP, code::PLAY_UNPUBLISH_NOTIFY] {
        let mut server = playing();
        server.says_status(1, &Status::new(end, ""));
        server.says_status(1, &Status::new(end, ""));
        let events = server.events();
        assert!(matches!(&events[0], ClientEvent::EndOfStream { status, .. } if status.code == end));
        assert!(matches!(&events[1], ClientEvent::Status { .. }), "one end is enough");
    }
    let mut server = playing();
    let complete = Status::new(code::PLAY_COMPLETE, "all").to_object();
    let payload = amf0::encode_all(&[Value::string("onPlayStatus"), Value::Object(complete)]);
    server.sends(1, type_id::DATA, 0, &payload);
    assert!(matches!(server.event(), ClientEvent::EndOfStream { stream: ONE, .. }));
    // nginx-rtmp keeps the connection, and the publisher comes back.
    server.says_status(1, &Status::new(code::PLAY_START, ""));
    assert_eq!(server.event(), ClientEvent::PlayStarted { stream: ONE });
}

#[test]
fn what_servers_ask_is_answered() {
    let mut server = playing();
    server.sends(0, type_id::USER_CONTROL, 0, &UserControl::PingRequest(5).encode());
    server.says(0, Command::new("onBWDone", 0.0).with(8192.0));
    server.says(0, Command::new("_onbwcheck", 7.0));
    server.says(0, Command::new("whatever", 8.0));
    server.hears(&[
        "PingResponse(5)",
        "0: _result(7) null undefined",
        "0: _error(8) null NetConnection.Call.Failed",
    ]);
    server.says(0, Command::new("close", 0.0));
    assert_eq!(server.event(), ClientEvent::Closed);
}

#[test]
fn a_stream_outlives_messages_that_cannot_be_read() {
    let mut server = playing();
    server.sends(1, type_id::COMMAND, 0, b"\x02\x00\x08onSt");
    server.sends(1, type_id::COMMAND, 0, &[5]);
    let whole = [8, 0, 0, 1, 0, 0, 100, 0, 0, 0, 0, b'x', 0, 0, 0, 12];
    server.sends(
        1,
        type_id::AGGREGATE,
        5000,
        &[&whole[..], &[9, 0, 0, 40, 0, 0, 140, 0, 0, 0, 0, 1, 2]].concat(),
    );
    server.sends(0, type_id::USER_CONTROL, 0, &[0, 99, 0, 0, 0, 1]);
    server.sends(1, 77, 0, b"a type that nobody knows");
    server.sends(1, type_id::VIDEO, 5040, &[1; 300]);
    let events = server.events();
    let [
        ClientEvent::LeftOut { fault: Fault::CommandBroken(_), at },
        ClientEvent::LeftOut { fault: Fault::CommandNameless, .. },
        ClientEvent::Media { kind: MediaKind::Audio, timestamp: 5000, .. },
        ClientEvent::LeftOut { fault: Fault::AggregateCut, at: cut_at },
        ClientEvent::Media { kind: MediaKind::Video, timestamp: 5040, .. },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert!(cut_at > at, "{events:?}");
}

/// Every one, however much came at once, and also before what ends the conversation.
#[test]
fn each_cut_aggregate_is_told() {
    let mut server = playing();
    let cut = [9, 0, 0, 40, 0, 0, 140, 0, 0, 0, 0, 1, 2];
    server.sends(1, type_id::AGGREGATE, 5000, &cut);
    server.sends(1, type_id::AGGREGATE, 5000, &cut);
    server.sends(0, type_id::SET_CHUNK_SIZE, 0, &[0; 4]);
    let (events, _) = server.events_and_error();
    let is_told =
        |event: &ClientEvent| matches!(event, ClientEvent::LeftOut { fault: Fault::AggregateCut, .. });
    assert!(events.len() == 2 && events.iter().all(is_told), "{events:?}");
}

#[test]
fn before_there_is_a_stream_a_broken_command_ends_it() {
    let mut server = Dialogue::let_in();
    server.sends(0, type_id::COMMAND, 0, &[5]);
    assert!(matches!(server.error(), Error::Peer { fault: Fault::CommandNameless, .. }));
}

#[test]
fn a_stream_that_is_no_new_stream_is_the_servers_fault() {
    let mut server = Dialogue::let_in();
    server.session.publish("cam", PublishKind::Live).unwrap();
    server.says(0, Command::new("_result", 4.0));
    assert!(server.error().to_string().contains("answers `createStream` with 0"));
}

#[test]
fn too_early_is_misuse() {
    let mut server = Dialogue::with_client("rtmp://h/live/cam");
    assert!(matches!(server.session.publish("cam", PublishKind::Live), Err(Error::Misuse(_))));
    assert!(matches!(server.session.pause(ONE, true, 0), Err(Error::Misuse(_))));
}

#[test]
fn a_server_that_is_about_to_go_says_where_to_come_again() {
    let mut server = Dialogue::let_in();
    let request = |more: Object| {
        let object = more.with("level", "status").with("code", code::CONNECT_RECONNECT_REQUEST);
        Command::new("onStatus", 0.0).with(object.with("description", "An upgrade."))
    };
    server.says(0, request(Object::new().with("tcUrl", "//other:1936/live")));
    let ClientEvent::ReconnectRequested { url, status } = server.event() else { panic!() };
    assert_eq!((url.host.as_str(), url.port, &*status.description), ("other", 1936, "An upgrade."));
    server.says(0, request(Object::new().with("tcUrl", "http://nonsense")));
    let here = server.session.url().clone();
    let ClientEvent::ReconnectRequested { url, .. } = server.event() else { panic!() };
    assert_eq!(url, here, "an address that cannot be dialled is no reason not to come again");
}
