//! Live streams over HLS: watched for a while by `headwater check-hls`, which knows the rules, compared access unit by
//! access unit by ffmpeg, and asked for what there is not.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::films::{self, Recipe};
use crate::harness::{Server, headwater};
use crate::program::{Program, needs};
use crate::recording::{Recording, compare, whole};

const LIMIT_S: u64 = 60;

/// Pictures at no round rate with B-frames, a key frame a second, and sound by FLV's milliseconds.
fn source(name: &'static str, size: &str, seconds: u32) -> Recipe {
    let inputs = format!(
        "-f lavfi -i testsrc2=size={size}:rate=30000/1001:duration={seconds} \
         -f lavfi -i anoisesrc=r=44100:d={seconds}:seed=7:a=0.3"
    );
    let coders = "-c:v libx264 -preset veryfast -g 30 -keyint_min 30 -sc_threshold 0 -bf 2 -pix_fmt yuv420p \
        -c:a aac -b:a 64k";
    Recipe(name, format!("{inputs} {coders}"))
}

/// `headwater check-hls` for so many seconds.
fn watch(server: &Server, name: &str, seconds: u32) -> Program {
    let mut check = headwater();
    check.args(["check-hls", &playlist(server, name), "--json", "--duration", &seconds.to_string()]);
    server.run(&format!("check-{name}"), check)
}

fn playlist(server: &Server, name: &str) -> String {
    format!("http://{}/live/{name}/index.m3u8", server.http_address())
}

/// What it has found, and its report.
#[track_caller]
fn report(watching: &mut Program) -> Value {
    let status = watching.wait(LIMIT_S);
    let log = watching.log();
    let json = log.find('{').map_or("", |at| &log[at..]);
    let report: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {log}"));
    assert_eq!(report["findings"], 0, "{log}");
    assert!(status.success(), "{log}");
    report
}

/// Status and body of an answer.
fn ask(server: &Server, path: &str) -> (u16, String) {
    let answer = server.request("GET", path);
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, answer.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned()))
}

/// The number in a playlist's line `tag`.
fn number(text: &str, tag: &str) -> u64 {
    let line =
        text.lines().find_map(|line| line.strip_prefix(tag)).unwrap_or_else(|| panic!("{tag}: {text}"));
    line.parse().unwrap()
}

#[test]
fn a_stream_breaks_no_rule_also_when_its_publisher_comes_back_with_other_pictures() {
    needs!("ffmpeg");
    let server = Server::start_with("[streams]\nreconnect_window_ms = 10000\n");
    let (small, large) = (source("live-small.flv", "320x180", 8), source("live-large.flv", "640x360", 8));
    let (small, large) = (films::made(&small), films::made(&large));
    let mut publisher = server.publish(&small, "cam");
    server.wait_live("cam");
    let mut watching = watch(&server, "cam", 22);
    publisher.wait(LIMIT_S);
    thread::sleep(Duration::from_secs(3));
    let mut publisher = server.publish(&large, "cam");
    thread::sleep(Duration::from_secs(4));
    let (_, media) = ask(&server, "/live/cam/hls/video-0.m3u8");
    assert_eq!(media.matches("#EXT-X-DISCONTINUITY\n").count(), 1, "{media}");
    assert_eq!(media.matches("#EXT-X-MAP").count(), 2, "{media}");
    publisher.wait(LIMIT_S);
    let report = report(&mut watching);
    for rendition in report["renditions"].as_array().unwrap() {
        assert!(rendition["parts"].as_u64() > Some(30), "{report}");
        assert_eq!(rendition["discontinuities"], 1, "{report}");
    }
}

#[test]
fn what_was_published_comes_over_hls_while_it_is_live_and_after_its_end() {
    needs!("ffmpeg", "ffprobe");
    let server = Server::start_with("[streams]\nreconnect_window_ms = 1000\n");
    let film = films::made(&source("live-compared.flv", "320x180", 10));
    let published = Recording::read(&film);
    let mut publisher = server.publish(&film, "cam");
    server.wait_live("cam");
    let from_start = |file: &str| {
        let arguments =
            format!("-live_start_index 0 -i {} -map 0:v -map 0:a -c copy", playlist(&server, "cam"));
        server.ffmpeg(file, &arguments, server.file(file))
    };
    thread::sleep(Duration::from_secs(3));
    let mut live = from_start("live.mp4");
    publisher.wait(LIMIT_S);
    live.succeed(LIMIT_S);
    from_start("ended.mp4").succeed(LIMIT_S);
    for file in ["live.mp4", "ended.mp4"] {
        let received = Recording::read(&server.file(file));
        if let Err(wrong) = compare(&published, &received, whole(&published)) {
            panic!("{file}: {wrong}");
        }
    }
    let (status, media) = ask(&server, "/live/cam/hls/video-0.m3u8");
    assert!(status == 200 && media.ends_with("#EXT-X-ENDLIST\n") && !media.contains("PRELOAD"), "{media}");
}

#[test]
fn a_master_playlist_says_what_each_device_must_know() {
    needs!("ffmpeg");
    let server = Server::start();
    let _publisher = server.publish(&films::made(&source("live-small.flv", "320x180", 8)), "cam");
    server.wait_live("cam");
    let (status, master) = ask(&server, "/live/cam/index.m3u8?viewer=me&_HLS_msn=1&key=k");
    assert_eq!(status, 200, "{master}");
    for part in [
        "TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"Sound 1\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"1\",\
         URI=\"hls/audio-0.m3u8?viewer=me&key=k\"",
        "CODECS=\"avc1.64000D,mp4a.40.2\",RESOLUTION=320x180,FRAME-RATE=29.97",
        "\nhls/video-0.m3u8?viewer=me&key=k\n",
    ] {
        assert!(master.contains(part), "{part} is not in\n{master}");
    }
    let (_, media) = ask(&server, "/live/cam/hls/video-0.m3u8?viewer=me&key=k");
    assert!(media.contains(".m4s?key=k\"") && media.contains("audio-0.m3u8?key=k\""), "{media}");
}

#[test]
fn who_watches_over_hls_is_counted_until_it_has_gone() {
    needs!("ffmpeg");
    let server = Server::start();
    let _publisher = server.publish(&films::made(&source("live-small.flv", "320x180", 8)), "cam");
    server.wait_live("cam");
    for viewer in ["a", "b", "a"] {
        ask(&server, &format!("/live/cam/hls/video-0.m3u8?viewer={viewer}"));
        ask(&server, &format!("/live/cam/hls/audio-0.m3u8?viewer={viewer}"));
    }
    // Without names: one address, one kind of player.
    ask(&server, "/live/cam/hls/video-0.m3u8");
    ask(&server, "/live/cam/hls/video-0.m3u8");
    server.wait_viewers("cam", 3);
    let (_, metrics) = ask(&server, "/metrics");
    assert!(metrics.contains("headwater_viewers{door=\"hls\"} 3"), "{metrics}");
    // Beside them one with a connection.
    let mut socket = TcpStream::connect(server.http_address()).unwrap();
    socket.write_all(b"GET /live/cam.flv HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    thread::sleep(Duration::from_millis(2_500));
    ask(&server, "/live/cam/hls/video-0.m3u8?viewer=a");
    drop(socket);
    let watched = |door: &str| {
        let (_, metrics) = ask(&server, "/metrics");
        ["watched_seconds_total{".to_owned(), "stream_watched_seconds_total{stream=\"live/cam\",".to_owned()]
            .map(|name| {
                let name = format!("headwater_{name}door=\"{door}\"}} ");
                let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
                line.unwrap_or_else(|| panic!("{name}: {metrics}")).parse::<f64>().unwrap()
            })
    };
    for door in ["hls", "http-flv"] {
        for seconds in watched(door) {
            assert!((1.5..20.0).contains(&seconds), "{seconds} s over {door}");
        }
    }
    let (_, stream) = ask(&server, "/api/v1/streams/live/cam");
    let stream: Value = serde_json::from_str(&stream).unwrap();
    assert!(stream["watched_s"]["hls"].as_u64() >= Some(2), "{stream}");
    // A playlist is loaded at least every target duration, four of which are waited for.
    let began = Instant::now();
    while ask(&server, "/metrics").1.contains("headwater_viewers{door=\"hls\"} 3") {
        assert!(began.elapsed() < Duration::from_secs(40), "nobody is let go of");
        thread::sleep(Duration::from_millis(500));
    }
}

/// The live edge of a stream that is older than that: legal, no longer than it must be, with the numbers that the whole has.
#[test]
fn the_live_edge_alone_is_a_stream_that_breaks_no_rule_either() {
    needs!("ffmpeg");
    let server = Server::start();
    let _publisher = server.publish(&films::made(&source("live-long.flv", "160x90", 48)), "cam");
    server.wait_live("cam");
    thread::sleep(Duration::from_secs(30));
    let mut check = headwater();
    let edge = format!("{}?dvr=0&key=k&viewer=v", playlist(&server, "cam"));
    check.args(["check-hls", &edge, "--json", "--duration", "8"]);
    let mut watching = server.run("check-edge", check);
    let (_, master) = ask(&server, "/live/cam/index.m3u8?dvr=0&key=k&viewer=v");
    for line in [
        "audio-0.m3u8?viewer=v&key=k&dvr=0\"",
        "\nhls/video-0.m3u8?viewer=v&key=k&dvr=0",
        "video-0-keys.m3u8?viewer=v&key=k&dvr=0",
    ] {
        assert!(master.contains(line), "{line} is not in\n{master}");
    }
    let (_, whole) = ask(&server, "/live/cam/hls/video-0.m3u8");
    let (_, edge) = ask(&server, "/live/cam/hls/video-0.m3u8?dvr=0&key=k");
    let first = |text: &str| number(text, "#EXT-X-MEDIA-SEQUENCE:");
    assert!(first(&edge) > first(&whole), "{edge}");
    assert!(edge.contains(".m4s?key=k\n") && edge.contains("audio-0.m3u8?key=k&dvr=0\""), "{edge}");
    let lasts: f64 = edge
        .lines()
        .filter_map(|line| line.strip_prefix("#EXTINF:")?.strip_suffix(',')?.parse::<f64>().ok())
        .sum();
    assert!((24.0..28.0).contains(&lasts), "{lasts} s: {edge}");
    for path in ["index.m3u8?dvr=2", "hls/video-0.m3u8?dvr=no", "hls/video-0-keys.m3u8?dvr="] {
        let (status, text) = ask(&server, &format!("/live/cam/{path}"));
        assert!(status == 400 && text.starts_with("dvr is 0"), "{path}: {status} {text}");
    }
    let report = report(&mut watching);
    assert!(report["renditions"][0]["parts"].as_u64() > Some(15), "{report}");
}

#[test]
fn what_there_is_not_is_answered_clearly_and_at_once() {
    needs!("ffmpeg");
    let server = Server::start();
    assert_eq!(ask(&server, "/live/nobody/index.m3u8").0, 404);
    let film = films::made(&source("live-small.flv", "320x180", 8));
    let _publisher = server.publish(&film, "cam");
    server.wait_live("cam");
    let (_, media) = ask(&server, "/live/cam/hls/video-0.m3u8?_HLS_msn=0");
    let first = number(&media, "#EXT-X-MEDIA-SEQUENCE:");
    let far = first + 1000;
    let long = "x".repeat(60_000);
    for (path, wanted) in [
        (format!("hls/video-0.m3u8?_HLS_msn={far}"), 400),
        (format!("hls/video-0.m3u8?_HLS_msn={}", u64::MAX), 400),
        ("hls/video-0.m3u8?_HLS_part=1".into(), 400),
        ("hls/video-0.m3u8?_HLS_msn=-1".into(), 400),
        ("hls/video-0.m3u8?_HLS_msn=0&_HLS_part=999999999999".into(), 200),
        ("hls/video-3.m3u8".into(), 404),
        (format!("hls/video-0/{far}.m4s"), 404),
        (format!("hls/video-0/{far}.0.m4s"), 404),
        (format!("hls/video-0/{first}.4000000000.m4s"), 404),
        ("hls/video-0/0.m4s".into(), 404),
        (format!("hls/video-0/init-{first}-9.mp4"), 404),
        (format!("hls/video-0/init-{}-1.mp4", first - 1), 404),
        (format!("hls/video-0/init-{first}-1.mp4"), 200),
        (format!("hls/video-0.m3u8?{long}"), 414),
        (format!("hls/video-0.m3u8?key={}", &long[..300]), 400),
    ] {
        let began = Instant::now();
        let (status, body) = ask(&server, &format!("/live/cam/{path}"));
        let shown = &path[..path.len().min(80)];
        assert_eq!(status, wanted, "{shown}: {body}");
        assert!(began.elapsed() < Duration::from_secs(4), "{shown} was kept waiting");
        assert!(status == 200 || body.len() > 10 || wanted == 414, "{shown}: {body}");
    }
}

#[test]
fn a_crowd_that_waits_and_hangs_up_leaves_nothing_behind() {
    needs!("ffmpeg");
    let server = Server::start();
    // Long enough for all that follows.
    let film = films::made(&source("live-crowd.flv", "160x90", 20));
    let _publisher = server.publish(&film, "cam");
    server.wait_live("cam");
    let watching = &mut watch(&server, "cam", 8);
    let (_, media) = ask(&server, "/live/cam/hls/video-0.m3u8");
    let next = number(&media, "#EXT-X-MEDIA-SEQUENCE:") + media.matches("#EXTINF").count() as u64 + 1;
    let open = |number: usize| {
        let mut socket = TcpStream::connect(server.http_address()).unwrap();
        let part = number % 3;
        let head = format!(
            "GET /live/cam/hls/video-0.m3u8?_HLS_msn={next}&_HLS_part={part} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).unwrap();
        socket
    };
    drop((0..400).map(open).collect::<Vec<_>>());
    // Those who stay are answered when it is there.
    for mut socket in (0..100).map(open).collect::<Vec<_>>() {
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut answer = [0; 15];
        socket.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK", "{}", String::from_utf8_lossy(&answer));
    }
    report(watching);
}

#[test]
fn sound_alone_and_pictures_alone_are_streams_too() {
    needs!("ffmpeg");
    let server = Server::start();
    let sound =
        Recipe("live-sound.flv", "-f lavfi -i anoisesrc=r=48000:d=10:seed=7:a=0.3 -c:a aac -b:a 64k".into());
    let picture = Recipe(
        "live-picture.flv",
        "-f lavfi -i testsrc2=size=320x180:rate=15:duration=10 -c:v libx264 -preset veryfast -g 45 -bf 0 -pix_fmt yuv420p"
            .into(),
    );
    for (name, recipe, rendition) in [("sound", sound, "audio-0"), ("picture", picture, "video-0")] {
        let _publisher = server.publish(&films::made(&recipe), name);
        server.wait_live(name);
        let report = report(&mut watch(&server, name, 6));
        let renditions = report["renditions"].as_array().unwrap();
        assert_eq!(renditions.len(), 1, "{report}");
        assert!(renditions[0]["playlist"].as_str().unwrap().contains(rendition), "{report}");
        assert!(renditions[0]["segments"].as_u64() >= Some(2), "{report}");
    }
}

#[test]
fn numbers_go_on_after_a_restart() {
    needs!("ffmpeg");
    let film = films::made(&source("live-small.flv", "320x180", 8));
    let sequence = || {
        let server = Server::start();
        let _publisher = server.publish(&film, "cam");
        server.wait_live("cam");
        let (_, media) = ask(&server, "/live/cam/hls/video-0.m3u8");
        ["#EXT-X-MEDIA-SEQUENCE:", "#EXT-X-DISCONTINUITY-SEQUENCE:"].map(|tag| number(&media, tag))
    };
    let before = sequence();
    thread::sleep(Duration::from_secs(1));
    let after = sequence();
    // Breaks are counted more coarsely.
    assert!(after[0] > before[0] && after[1] >= before[1], "{before:?} {after:?}");
}

#[test]
fn older_parts_of_a_window_go_to_the_disk_unless_it_is_told_not_to() {
    needs!("ffmpeg");
    let film = films::made(&source("live-small.flv", "320x180", 8));
    let disk = |config: &str| {
        let server = Server::start_with(config);
        let mut publisher = server.publish(&film, "cam");
        publisher.wait(LIMIT_S);
        let began = Instant::now();
        loop {
            let (_, metrics) = ask(&server, "/metrics");
            let bytes = number(&metrics, "headwater_window_disk_bytes ");
            if bytes > 0 || began.elapsed() > Duration::from_secs(2) {
                return bytes;
            }
            thread::sleep(Duration::from_millis(100));
        }
    };
    assert!(disk("") > 50_000);
    assert_eq!(disk("[window]\ndisk_max_bytes = 0\n"), 0);
}

/// What another program, which knows nothing of this one, makes of a playlist.
#[test]
fn ffprobe_sees_the_whole_picture() {
    needs!("ffmpeg", "ffprobe");
    let server = Server::start();
    let _publisher = server.publish(&films::made(&source("live-small.flv", "320x180", 8)), "cam");
    server.wait_live("cam");
    thread::sleep(Duration::from_secs(2));
    let mut probe = Command::new("ffprobe");
    probe.args(["-v", "error", "-show_entries", "stream=codec_name,width,height,sample_rate", "-of", "csv"]);
    let mut probe = server.run("ffprobe", {
        probe.arg(playlist(&server, "cam"));
        probe
    });
    probe.succeed(LIMIT_S);
    let log = probe.log();
    assert!(log.contains("stream,h264,320,180") && log.contains("stream,aac,44100"), "{log}");
}
