//! What encoders say before they publish and when they stop, and what they wait for.

use headwater_media::MediaKind;
use headwater_media::amf::Object;

use super::kit::Dialogue;
use crate::MessageStreamId;
use crate::command::{Command, PublishKind};
use crate::message::{DataScope, type_id};
use crate::session::{Role, ServerEvent};

const ONE: MessageStreamId = MessageStreamId(1);

#[test]
fn an_encoder_publishes() {
    // FFmpeg and OBS: everything after `connect` in one go (quirk 26: FMLE waits for each answer).
    let mut client = Dialogue::connected();
    client.says(0, Command::new("releaseStream", 2.0).with("cam"));
    client.says(0, Command::new("FCPublish", 3.0).with("cam"));
    client.says(0, Command::new("createStream", 4.0));
    client.hears(&[
        "0: _result(2) null undefined",
        "0: onFCPublish(0) null NetStream.Publish.Start",
        "0: _result(3) null undefined",
        "0: _result(4) null 1",
    ]);
    client.says(1, Command::new("publish", 5.0).with("cam?key=x").with("live"));
    let ServerEvent::Publish(request) = client.event() else { panic!() };
    assert_eq!(
        (request.stream, request.path.to_string(), request.kind),
        (ONE, "live/cam".into(), PublishKind::Live)
    );
    assert_eq!(request.path.query.get("key"), Some("x"));
    request.accept(&mut client.session);
    client.hears(&["StreamBegin(1)", "1: onStatus Status NetStream.Publish.Start"]);

    client.sends(1, type_id::DATA, 0, b"\x02\x00\x0D@setDataFrame\x02\x00\x0AonMetaData\x05");
    client.sends(1, type_id::AUDIO, 0, b"");
    client.sends(1, type_id::VIDEO, 40, &[7; 300]);
    let metadata = ServerEvent::Data {
        stream: ONE,
        timestamp: 0,
        scope: DataScope::Kept,
        payload: b"\x02\x00\x0AonMetaData\x05"[..].into(),
    };
    let media = |kind, timestamp, body: &[u8]| ServerEvent::Media {
        stream: ONE,
        kind,
        timestamp,
        body: body.to_vec().into(),
    };
    assert_eq!(
        client.events(),
        [metadata, media(MediaKind::Audio, 0, b""), media(MediaKind::Video, 40, &[7; 300])]
    );

    client.says(0, Command::new("FCUnpublish", 6.0).with("cam"));
    client.says(0, Command::new("deleteStream", 7.0).with(1.0));
    assert_eq!(client.events(), [ServerEvent::Stopped { stream: ONE, role: Role::Publisher }]);
    client.hears(&[
        "0: onFCUnpublish(0) null NetStream.Unpublish.Success",
        "0: _result(6) null undefined",
        "1: onStatus Status NetStream.Unpublish.Success",
    ]);
}

#[test]
fn gopro_publishes_without_a_name() {
    // Hero 12, with `rtmp://host/app` (quirk 35).
    let mut client = Dialogue::with_streams(1);
    client.says(1, Command::new("publish", 5.0).with("").with("live"));
    let ServerEvent::Publish(request) = client.event() else { panic!() };
    assert_eq!((request.path.app.as_str(), request.path.name.as_str()), ("live", ""));
}

#[test]
fn haivision_checks_the_bandwidth_first() {
    // Haivision (quirk 40): `_checkbw` before, FCPublish after createStream.
    let mut client = Dialogue::connected();
    client.says(0, Command::new("_checkbw", 2.0));
    client.says(0, Command::new("createStream", 3.0));
    client.says(0, Command::new("FCPublish", 4.0).with("cam"));
    client.hears(&[
        "0: _result(2) null undefined",
        "0: _result(3) null 1",
        "0: onFCPublish(0) null NetStream.Publish.Start",
        "0: _result(4) null undefined",
    ]);
}

#[test]
fn who_announces_a_name_is_called_back_without_it() {
    // As the server-side scripts of Flash Media Server did it (quirk 26); a call without a transaction has no answer.
    for (says, hears, code, text) in [
        ("FCPublish", "onFCPublish", "NetStream.Publish.Start", "Go on and publish it."),
        ("FCUnpublish", "onFCUnpublish", "NetStream.Unpublish.Success", "It is no longer published."),
        ("FCSubscribe", "onFCSubscribe", "NetStream.Play.Start", "Go on and play it."),
        ("FCUnsubscribe", "onFCUnsubscribe", "NetStream.Play.Stop", "It is no longer played."),
    ] {
        let mut client = Dialogue::connected();
        client.says(0, Command::new(says, 0.0).with("cam?key=of-somebody"));
        let [command] = client.heard_commands().try_into().unwrap();
        let about = Object::new().with("level", "status").with("code", code).with("description", text);
        assert_eq!(command, Command::new(hears, 0.0).with(about));
    }
}

#[test]
fn ffmpeg_timecode_garbage_is_dropped() {
    // Its time codes are no AMF (quirk 5).
    let mut client = Dialogue::publishing();
    client.sends(1, type_id::DATA, 0, &[0, 0, 1, 44]);
    client.hears(&[]);
}
