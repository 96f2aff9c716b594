//! What happens around a stream: publishers that follow, return or clash, a server that stops, tiny chunks.

use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_media::MediaKind;
use headwater_rtmp::MessageStreamId;
use headwater_rtmp::command::PublishKind;
use headwater_rtmp::handshake::Nonce;
use headwater_rtmp::session::{ClientConfig, ClientEvent, ClientSession};
use headwater_rtmp::tokio::Connection;
use tokio::net::TcpStream;

use crate::flv_tags;
use crate::harness::{Server, headwater};
use crate::program::{Program, needs};
use crate::recording::{Recording, Unit, Wanted, assert_received, compare, whole};
use crate::sources;

const NAME: &str = "life";
const LIMIT_S: u64 = 30;

fn play(server: &Server) -> Program {
    let mut command = headwater();
    command.args(["play", &server.flv(NAME), "-o"]).arg(server.file("received.flv"));
    server.run("play", command)
}

#[test]
fn a_viewer_stays_when_another_configuration_follows() {
    needs!("ffmpeg", "ffprobe");
    let (first, second) = (sources::plain(), sources::small());
    let server = Server::start();
    let mut viewer = play(&server);
    server.wait_viewers(NAME, 1);
    server.publish(&first, NAME).succeed(LIMIT_S);
    server.publish(&second, NAME).succeed(LIMIT_S);
    viewer.wait(LIMIT_S);
    let received = server.file("received.flv");
    let (first, second) = (Recording::read(&first), Recording::read(&second));
    let (before, after) = Recording::read(&received).split_at(&second);
    compare(&first, &before, whole(&first)).unwrap();
    compare(&second, &after, whole(&second)).unwrap();
    let (_, tags) = flv_tags::read(&received);
    assert!(tags.windows(2).all(|pair| pair[0].1 <= pair[1].1), "the timestamps go back");
    for kind in [8, 9] {
        let track: Vec<_> = tags.iter().filter(|tag| tag.0 == kind).collect();
        let configs: Vec<_> = (0..track.len()).filter(|&index| flv_tags::is_config(track[index])).collect();
        let frames = if kind == 9 { before.video.len() } else { before.audio.len() };
        assert_eq!(
            configs[..2],
            [0, frames + 1],
            "tag kind {kind}: a configuration before each part's frames"
        );
        assert_ne!(track[configs[0]].2, track[configs[1]].2);
        // From then on it is said again before keyframes, for who begins to read there.
        assert!(configs[1..].iter().all(|&index| track[index].2 == track[configs[1]].2));
    }
}

#[test]
fn a_viewer_stays_when_the_publisher_reconnects() {
    needs!("ffmpeg", "ffprobe");
    let source = sources::plain();
    let server = Server::start();
    let mut viewer = play(&server);
    server.wait_viewers(NAME, 1);
    let publisher = server.publish(&source, NAME);
    server.wait_live(NAME);
    thread::sleep(Duration::from_secs(2));
    // Killed: the server sees a socket that closes, without a farewell.
    drop(publisher);
    server.publish(&source, NAME).succeed(LIMIT_S);
    viewer.wait(LIMIT_S);
    let all = Recording::read(&server.file("received.flv"));
    assert!(all.video.windows(2).all(|pair| pair[0].dts_ms <= pair[1].dts_ms), "the timestamps go back");
    let source = Recording::read(&source);
    let returns = all.video.iter().rposition(|unit| unit.hash == source.video[0].hash).unwrap();
    assert!(returns > 20, "the first publisher's {returns} frames are too few");
    let part = |video| Recording { video, audio: Vec::new() };
    let pictures = part(source.video);
    let some = Wanted { units_min: 20, from_start: true, to_end: false };
    compare(&pictures, &part(all.video[..returns].to_vec()), some).unwrap();
    compare(&pictures, &part(all.video[returns..].to_vec()), whole(&pictures)).unwrap();
}

#[test]
fn a_second_publisher_is_told_why_it_may_not() {
    needs!("ffmpeg", "ffprobe");
    let source = sources::plain();
    let server = Server::start();
    let mut viewer = play(&server);
    server.wait_viewers(NAME, 1);
    let mut publisher = server.publish(&source, NAME);
    server.wait_live(NAME);
    let options = format!("-re -i {} -c copy -f flv", sources::small().display());
    let mut second = server.ffmpeg("second", &options, server.rtmp(NAME));
    assert!(!second.wait(LIMIT_S).success());
    let said = second.log();
    assert!(said.contains("live/life") && said.contains("already"), "ffmpeg printed: {said}");
    publisher.succeed(LIMIT_S);
    viewer.wait(LIMIT_S);
    assert_received(&source, &server.file("received.flv"), whole);
}

#[test]
fn a_server_that_is_asked_to_stop_stops_and_its_players_end() {
    needs!("ffmpeg", "ffprobe");
    let mut server = Server::start();
    let source = sources::plain();
    let mut publisher = server.publish(&source, NAME);
    server.wait_live(NAME);
    let options = format!("-i {} -c copy -f flv", server.rtmp(NAME));
    let mut player = server.ffmpeg("play", &options, server.file("received.flv"));
    server.wait_viewers(NAME, 1);
    thread::sleep(Duration::from_secs(2));
    let asked = Instant::now();
    server.program.signal("TERM");
    server.program.succeed(5);
    player.succeed(5);
    publisher.wait(5);
    println!("all over after {:?}", asked.elapsed());
    assert_received(&source, &server.file("received.flv"), |_| Wanted {
        units_min: 20,
        from_start: false,
        to_end: false,
    });
}

#[tokio::test]
async fn one_byte_chunks_carry_everything() {
    needs!("ffmpeg", "ffprobe");
    let source = sources::small();
    let server = Server::start();
    let mut viewer = play(&server);
    server.wait_viewers(NAME, 1);
    let config = Arc::new(ClientConfig { chunk_size: 1, ..ClientConfig::default() });
    let session =
        ClientSession::new(config, server.rtmp(NAME).parse().unwrap(), Nonce([7; 32]), Duration::ZERO);
    let mut connection = Connection::dial(session).await.unwrap();
    let stream = publish(&mut connection).await;
    let began = Instant::now();
    for (kind, time_ms, body) in flv_tags::read(&source).1 {
        let kind = match kind {
            8 => MediaKind::Audio,
            9 => MediaKind::Video,
            _ => continue,
        };
        let due = began + Duration::from_millis(time_ms.into());
        tokio::time::sleep_until(due.into()).await;
        connection.session().send_media(stream, kind, time_ms, &[Bytes::from(body)]).unwrap();
        connection.flush().await.unwrap();
    }
    connection.session().delete_stream(stream);
    connection.shutdown().await.unwrap();
    viewer.wait(LIMIT_S);
    assert_received(&source, &server.file("received.flv"), whole);
}

async fn publish(connection: &mut Connection<TcpStream>) -> MessageStreamId {
    loop {
        match connection.next_event().await.unwrap().expect("the server has left") {
            ClientEvent::Connected { .. } => {
                connection.session().publish(NAME, PublishKind::Live).unwrap();
            }
            ClientEvent::PublishStarted { stream } => return stream,
            ClientEvent::Rejected { status, .. } => panic!("refused: {status:?}"),
            _ => {}
        }
    }
}

#[test]
fn ffprobe_reads_what_the_stream_is() {
    needs!("ffmpeg", "ffprobe");
    let server = Server::start();
    let source = sources::plain();
    let _publisher = server.publish(&source, NAME);
    server.wait_live(NAME);
    for url in [server.rtmp(NAME), server.flv(NAME)] {
        let mut command = Command::new("ffprobe");
        command.args(["-v", "error", "-show_entries", "stream=codec_name,width,height,sample_rate", &url]);
        let mut probe = server.run("probe", command);
        probe.succeed(LIMIT_S);
        for field in ["codec_name=h264", "width=320", "height=240", "codec_name=aac", "sample_rate=44100"] {
            assert!(probe.log().contains(field), "{url}: no {field} in {}", probe.log());
        }
    }
}

/// Enhanced RTMP's reconnect request, obeyed by our publisher and our player.
#[test]
fn a_server_that_stops_hands_our_clients_over_to_another() {
    needs!("ffmpeg", "ffprobe");
    let second = Server::start();
    let first = Server::start_with(&format!(
        "[rtmp]\ndrain_ms = 8000\ndrain_to = \"{}\"\n[streams]\nreconnect_window_ms = 2500\n",
        second.rtmp("").trim_end_matches('/')
    ));
    let mut command = headwater();
    command.args(["play", &first.rtmp("camera"), "-o"]).arg(second.file("received.flv"));
    let mut player = second.run("play", command);
    first.wait_viewers("camera", 1);
    let source = sources::plain();
    let mut command = headwater();
    command.arg("publish").arg(&source).arg(first.rtmp("camera"));
    let mut publisher = second.run("publish", command);
    first.wait_live("camera");
    thread::sleep(Duration::from_secs(2));
    first.program.signal("TERM");
    second.wait_live("camera");
    publisher.succeed(30);
    player.succeed(30);
    let (sent, received) = (Recording::read(&source), Recording::read(&second.file("received.flv")));
    let hashes =
        |units: &[Unit]| units.iter().map(|unit| unit.hash.clone()).collect::<std::collections::HashSet<_>>();
    let missing = hashes(&sent.video).difference(&hashes(&received.video)).count();
    assert!(missing <= 5, "{missing} pictures were lost on the way");
    let goes_back = |units: &[Unit]| units.windows(2).any(|pair| pair[1].dts_ms < pair[0].dts_ms);
    assert!(!goes_back(&received.video) && !goes_back(&received.audio), "times go back");
    assert!(received.video[0].key);
}
